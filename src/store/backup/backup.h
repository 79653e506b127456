/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup.h: a backup of a store is one tar archive; writing, checking and restoring it.
 *
 *     raw/fast/20261127.db ...   copies of the store's files; of a name that comes twice the later
 *     text.db event.db ingest.db one counts
 *     meta.db
 *     master.key                 only when asked for
 *     MANIFEST.json              the last entry: every file with size, SHA-256 and schema
 *
 * An archive without manifest is none: whatever cuts a backup short cannot look whole. One that the
 * server could not end has an entry FAILED with the reason.
 * The manifest: {format: "pga-backup", version: 1, created, pga_version, store_epoch,
 *     files: [{name, bytes, sha256, schema}]}
 * Threads: any; no shared state.
 */
#ifndef STORE_BACKUP_BACKUP_H
#define STORE_BACKUP_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "store/backup/tar.h"
#include "store/tsdb/tsdb.h"

#define BACKUP_MANIFEST  "MANIFEST.json"
#define BACKUP_FAILED    "FAILED"
#define BACKUP_KEY       "master.key"
#define BACKUP_MEDIA     "application/x-tar"
#define BACKUP_TEXT_SIZE 40

struct backup_source {
    struct tsdb *tsdb;
    const char *dir;      /* of the store; meta.db is there */
    const char *key_file; /* NULL = the archive gets no key */
};

struct backup_info {
    char created[BACKUP_TEXT_SIZE]; /* RFC 3339 */
    char pga_version[BACKUP_TEXT_SIZE];
    char store_epoch[TEXT_UUID_SIZE];
    uint64_t files, bytes; /* as of the manifest */
    bool has_key;
};

/*
 * Write a backup of a store in use. What fails before the first byte is given to the sink gives it
 * nothing; what fails later leaves FAILED in place of the manifest.
 * Errors: those of tsdb_copy and of the sink
 */
enum err_code backup_write(const struct backup_source *from, const struct tar_sink *to,
                           struct backup_info *out, struct err *e) ERR_MUST_CHECK;
/*
 * Check that a file is a whole backup that this program can restore: every byte of it.
 * Errors: ERR_CORRUPT and ERR_INVALID with what is wrong; ERR_UNSUPPORTED made by a newer program
 */
enum err_code backup_check(const char *path, struct backup_info *out, struct err *e) ERR_MUST_CHECK;

struct backup_target {
    const char *dir;      /* of the store: absent or empty */
    const char *key_file; /* where a key of the backup goes; NULL = it is left out */
};
/*
 * Make a store of a backup, all or nothing: it is made beside `dir` and renamed. It has a new epoch
 * by which agents know to offer again what they hold.
 * Errors: as backup_check; ERR_CONFLICT when there is something already; nothing is changed then
 */
enum err_code backup_restore(const char *path, const struct backup_target *to,
                             struct backup_info *out, struct err *e) ERR_MUST_CHECK;

#endif
