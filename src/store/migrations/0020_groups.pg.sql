-- 0020_groups: groups of targets, and accounts that see some of them only.

-- A target begins in the group of its collector, a collector in that of its registration secret.
ALTER TABLE registration_secret ADD COLUMN group_name TEXT COLLATE "C" NOT NULL DEFAULT 'default';
ALTER TABLE collector ADD COLUMN group_name TEXT COLLATE "C" NOT NULL DEFAULT 'default';
ALTER TABLE target ADD COLUMN group_name TEXT COLLATE "C" NOT NULL DEFAULT 'default';
-- That of its target as well; both change together.
ALTER TABLE managed_instance ADD COLUMN group_name TEXT COLLATE "C" NOT NULL DEFAULT 'default';

-- ',a,b,': the groups that an account sees. NULL = all.
ALTER TABLE account ADD COLUMN group_names TEXT COLLATE "C";
