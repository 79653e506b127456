/* SPDX-License-Identifier: PostgreSQL */
/*
 * copy.c: copies the files of a store that is in use, and makes a store of such copies.
 *
 *     each day file -> copy, taken            the journal is trimmed as usual
 *     --- trim rests ---
 *     day files that changed since -> copy
 *     text.db, event.db, ingest.db -> copy
 *     --- trim goes on ---                    so a slow taker holds nothing up
 *     the caller's own -> copy; all of these are taken
 *
 * Why the copies fit together: what was trimmed before the rest had been in the day files and text
 * and event files by then, and each of them is copied, or seen to be unchanged, after that. All
 * else is in the journal of ingest.db, which is copied last and so knows every id that a file
 * names and an lsn above every watermark. What else takes things away rests for the whole time:
 * retention (retain.c), compaction and forgetting of deletions (drop_forget).
 * Roll-ups are copied after the day files they are made of: what they lack is marked there.
 * A copy is one read transaction (VACUUM INTO): what lies in the WAL is in it.
 * Threads: any one at a time.
 */
#include "store/tsdb/rollup/tier.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "os/file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 64
#define RACY_NS        1000000000LL /* a change so short ago may be followed by one unseen */
#define COPY_FILES_MAX 100000

/* What stat says of a file and its WAL; equal and old enough: the file did not change. */
struct sign {
    ino_t ino;
    int64_t size, mtime_ns, wal_size, wal_mtime_ns;
    bool racy;
};

struct copied {
    char name[NAME_MAX_BYTES];
    struct sign sign;
    bool waits; /* in the working folder, to be taken at the end */
};

struct copying {
    struct tsdb *db;
    const struct tsdb_copy *to;
    char work[PATH_MAX];
    struct copied *files;
    size_t count;
    bool trim_rests;
    enum err_code code; /* inside a listing */
    struct err *err;
    size_t folder; /* that is listed */
};

/* Roll-ups last: see above. */
static const char *const folders[] = {"raw/fast", "raw/slow", "tier5m", "tier1h"};
static const struct {
    const char *name;
    int schema;
} singles[] = {
    {"text.db", TSDB_SCHEMA_TEXT},
    {"event.db", TSDB_SCHEMA_EVENT},
    {"ingest.db", TSDB_SCHEMA_INGEST}, /* the last: see above */
};

#define FOLDERS     (sizeof(folders) / sizeof(folders[0]))
#define DAY_FOLDERS 2

/* The schema of a file of folder i by its name; 0 = it is none of ours. */
static int schema_of(size_t i, const char *name)
{
    uint32_t edition = 0;
    int64_t day = 0;
    int month = 0;

    if (i < DAY_FOLDERS) {
        return days_parse_name(name, &day, &edition) ? TSDB_SCHEMA_DAY : 0;
    }
    return tier_parse_name(name, &month) ? TSDB_SCHEMA_TIER : 0;
}

#define SINGLES (sizeof(singles) / sizeof(singles[0]))

int tsdb_copy_schema(struct str name)
{
    for (size_t i = 0; i < SINGLES; i++) {
        if (str_eq_c(name, singles[i].name)) {
            return singles[i].schema;
        }
    }
    for (size_t i = 0; i < FOLDERS; i++) {
        struct str folder = str_of(folders[i]);
        char file[NAME_MAX_BYTES];
        if (str_starts(name, folder) && name.len > folder.len && name.len < sizeof(file) &&
            name.ptr[folder.len] == '/') {
            (void)snprintf(file, sizeof(file), "%.*s", (int)(name.len - folder.len - 1),
                           name.ptr + folder.len + 1);
            return schema_of(i, file);
        }
    }
    return 0;
}

/* --- one file --- */

static int64_t ns_of(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* false = there is no such file */
static bool sign_of(const char *path, struct sign *out)
{
    char wal[PATH_MAX + NAME_MAX_BYTES + 8];
    struct stat st;
    int64_t now_ns = clock_wall_us() * 1000;

    memset(out, 0, sizeof(*out));
    if (stat(path, &st) != 0) {
        return false;
    }
    out->ino = st.st_ino;
    out->size = st.st_size;
    out->mtime_ns = ns_of(st.st_mtim);
    (void)snprintf(wal, sizeof(wal), "%s-wal", path);
    if (stat(wal, &st) == 0 && st.st_size > 0) {
        out->wal_size = st.st_size;
        out->wal_mtime_ns = ns_of(st.st_mtim);
    }
    int64_t last = out->mtime_ns > out->wal_mtime_ns ? out->mtime_ns : out->wal_mtime_ns;
    out->racy = last > now_ns - RACY_NS;
    return true;
}

static bool same_sign(const struct sign *a, const struct sign *b)
{
    return !a->racy && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
           a->wal_size == b->wal_size && a->wal_mtime_ns == b->wal_mtime_ns;
}

/* A copy must not make the store full: pushes would be refused. */
static enum err_code check_room(const struct tsdb *db, const struct sign *s, struct err *e)
{
    uint64_t left = 0;
    uint64_t size = 0;
    uint64_t want = (uint64_t)(s->size + s->wal_size) + 2 * db->config.flush_bytes;
    enum err_code code = file_space(db->dir, &left, &size, e);

    if (code == ERR_OK && left < want) {
        code = err_set(
            e, ERR_IO, "no room for copies on the file system of %s: %llu kB left, %llu needed",
            db->dir, (unsigned long long)(left / 1024), (unsigned long long)(want / 1024));
    }
    return code;
}

static void copy_path(const struct copying *c, const char *name, char *out, size_t size)
{
    int at = snprintf(out, size, "%s/", c->work);

    (void)snprintf(out + at, size - (size_t)at, "%s", name);
    for (char *p = out + at; *p; p++) {
        *p = *p == '/' ? '_' : *p; /* one folder is enough */
    }
}

/* *made: there is a copy; of a file that is being made there is none, the journal has all of it. */
static enum err_code copy_file(struct copying *c, struct copied *f, bool *made, struct err *e)
{
    char path[PATH_MAX + NAME_MAX_BYTES];
    char copy[PATH_MAX + NAME_MAX_BYTES];
    struct sqldb *file = NULL;

    (void)snprintf(path, sizeof(path), "%s/%s", c->db->dir, f->name);
    copy_path(c, f->name, copy, sizeof(copy));
    enum err_code code = check_room(c->db, &f->sign, e);
    if (code == ERR_OK) {
        code = file_remove(copy, e); /* of the first round */
    }
    if (code == ERR_OK) {
        code = days_open(path, SQLDB_READ_ONLY, &file, e);
    }
    FAULT_POINT("tsdb.copy_file");
    *made = false;
    if (code == ERR_OK) {
        code = days_is_begun(file, made, e);
    }
    if (code == ERR_OK && *made) {
        code = sqldb_copy_to(file, copy, e);
    }
    sqldb_close(file);
    return code ? err_wrap(e, "copy of %s", f->name) : ERR_OK;
}

static enum err_code take(struct copying *c, const char *name, struct err *e)
{
    char copy[PATH_MAX + NAME_MAX_BYTES];

    copy_path(c, name, copy, sizeof(copy));
    enum err_code code = c->to->take(c->to->arg, name, copy, e);
    return code ? code : file_remove(copy, e);
}

static struct copied *find(struct copying *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->files[i].name, name) == 0) {
            return &c->files[i];
        }
    }
    if (c->count >= COPY_FILES_MAX) {
        return NULL;
    }
    c->files = alloc_resize(c->files, (c->count + 1) * sizeof(*c->files));
    struct copied *f = &c->files[c->count++];
    memset(f, 0, sizeof(*f));
    (void)snprintf(f->name, sizeof(f->name), "%s", name);
    return f;
}

/* Copy a file unless that was done and it is the same; hand it over while trim goes on. */
static enum err_code look_at(struct copying *c, const char *name, struct err *e)
{
    char path[PATH_MAX + NAME_MAX_BYTES];
    struct sign now;
    struct copied *f = find(c, name);

    if (!f) {
        return err_set(e, ERR_LIMIT, "more than %d files", COPY_FILES_MAX);
    }
    (void)snprintf(path, sizeof(path), "%s/%s", c->db->dir, name);
    if (!sign_of(path, &now) || same_sign(&f->sign, &now)) {
        return ERR_OK;
    }
    f->sign = now;
    bool made = false;
    enum err_code code = copy_file(c, f, &made, e);
    f->waits = c->trim_rests && made;
    return code || c->trim_rests || !made ? code : take(c, name, e);
}

/* --- all of them --- */

static void on_file(void *arg, const char *name)
{
    struct copying *c = arg;
    char full[NAME_MAX_BYTES];

    if (c->code == ERR_OK && schema_of(c->folder, name)) {
        (void)snprintf(full, sizeof(full), "%s/%.40s", folders[c->folder], name);
        c->code = look_at(c, full, c->err);
    }
}

static enum err_code copy_folders(struct copying *c, struct err *e)
{
    char path[PATH_MAX + 16];

    c->code = ERR_OK;
    c->err = e;
    for (size_t i = 0; c->code == ERR_OK && i < FOLDERS; i++) {
        struct err listing;
        c->folder = i;
        (void)snprintf(path, sizeof(path), "%s/%s", c->db->dir, folders[i]);
        if (file_list(path, on_file, c, &listing) && c->code == ERR_OK) {
            c->code = listing.code;
            *e = listing;
        }
    }
    return c->code;
}

static void set_trim(struct copying *c, bool rests)
{
    lock_take(&c->db->state);
    c->db->hold_trim = c->trim_rests = rests;
    cond_signal(&c->db->wake_writer);
    lock_release(&c->db->state);
}

static enum err_code copy_rest(struct copying *c, struct err *e)
{
    set_trim(c, true);
    enum err_code code = copy_folders(c, e);
    for (size_t i = 0; code == ERR_OK && i < SINGLES; i++) {
        code = look_at(c, singles[i].name, e);
    }
    FAULT_POINT("tsdb.copy_rest");
    set_trim(c, false);
    return code;
}

static enum err_code take_rest(struct copying *c, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < c->count; i++) {
        if (c->files[i].waits) {
            code = take(c, c->files[i].name, e);
        }
    }
    return code;
}

static enum err_code copy_all(struct copying *c, struct err *e)
{
    const char *last = NULL;
    enum err_code code = copy_folders(c, e);

    if (code == ERR_OK) {
        code = copy_rest(c, e);
    }
    if (code == ERR_OK && c->to->last) {
        code = c->to->last(c->to->arg, c->work, &last, e);
    }
    if (code == ERR_OK) {
        code = take_rest(c, e);
    }
    return code == ERR_OK && last ? take(c, last, e) : code;
}

static enum err_code begin(struct tsdb *db, struct err *e)
{
    enum err_code code = ERR_OK;

    lock_take(&db->state);
    if (db->run != RUN_OPEN) {
        code = err_set(e, ERR_CANCELLED, "the store is stopping");
    } else if (db->copying) {
        code = err_set(e, ERR_CONFLICT, "another backup is being made");
    } else {
        db->copying = true;
        while (db->compacting) {
            cond_wait(&db->done, &db->state);
        }
    }
    lock_release(&db->state);
    return code;
}

static void finish(struct tsdb *db)
{
    lock_take(&db->state);
    db->copying = false;
    cond_signal(&db->wake_writer);
    lock_release(&db->state);
}

enum err_code copy_clean(const char *dir, struct err *e)
{
    char work[PATH_MAX];

    (void)snprintf(work, sizeof(work), "%s/copying", dir);
    return file_remove_tree(work, e);
}

enum err_code tsdb_sqlite_copy(struct tsdb *db, const struct tsdb_copy *to, struct err *e)
{
    struct copying c = {.db = db, .to = to};
    struct err after;
    enum err_code code = begin(db, e);

    if (code) {
        return code;
    }
    (void)snprintf(c.work, sizeof(c.work), "%s/copying", db->dir);
    code = copy_clean(db->dir, e);
    if (code == ERR_OK) {
        code = file_make_dirs(c.work, 0700, e);
    }
    if (code == ERR_OK) {
        code = copy_all(&c, e);
    }
    if (copy_clean(db->dir, &after) && code == ERR_OK) {
        code = after.code;
        *e = after;
    }
    finish(db);
    alloc_free(c.files);
    return code;
}

/* --- a store made of copies --- */

struct settling {
    const char *dir, *folder;
    uint64_t most;
    enum err_code code;
    struct err *err;
};

static enum err_code take_mark(struct settling *s, const char *name, struct err *e)
{
    char path[PATH_MAX + NAME_MAX_BYTES];
    struct sqldb *file = NULL;
    uint64_t applied = 0;
    bool begun = false; /* backups of older programs may have a file that was being made */

    (void)snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    enum err_code code = days_open(path, SQLDB_READ_ONLY, &file, e);
    if (code == ERR_OK) {
        code = days_is_begun(file, &begun, e);
    }
    if (code == ERR_OK && begun) {
        code = days_read_applied(file, &applied, e);
    }
    sqldb_close(file);
    s->most = applied > s->most ? applied : s->most;
    return code ? err_wrap(e, "%s", name) : ERR_OK;
}

static void on_restored_day(void *arg, const char *name)
{
    struct settling *s = arg;
    char full[NAME_MAX_BYTES];
    uint32_t edition = 0;
    int64_t day = 0;

    if (s->code == ERR_OK && days_parse_name(name, &day, &edition)) {
        (void)snprintf(full, sizeof(full), "%s/%.40s", s->folder, name);
        s->code = take_mark(s, full, s->err);
    }
}

static enum err_code read_marks(struct settling *s, struct err *e)
{
    char path[PATH_MAX + 16];

    s->err = e;
    s->code = take_mark(s, "text.db", e);
    if (s->code == ERR_OK) {
        s->code = take_mark(s, "event.db", e);
    }
    for (size_t i = 0; s->code == ERR_OK && i < DAY_FOLDERS; i++) {
        struct err listing;
        s->folder = folders[i];
        (void)snprintf(path, sizeof(path), "%s/%s", s->dir, folders[i]);
        s->code = file_make_dirs(path, 0700, e); /* a folder without files is in no archive */
        if (s->code == ERR_OK && file_list(path, on_restored_day, s, &listing) &&
            s->code == ERR_OK) {
            s->code = listing.code;
            *e = listing;
        }
    }
    return s->code;
}

enum err_code tsdb_restored(const char *dir, uint64_t applied, struct err *e)
{
    struct settling s = {.dir = dir, .most = applied};
    struct sqldb *ingest = NULL;
    struct uuid epoch;
    char url[PATH_MAX + 32];

    enum err_code code = read_marks(&s, e);
    if (code) {
        return code;
    }
    entropy_uuid(&epoch);
    (void)snprintf(url, sizeof(url), "sqlite:%s/ingest.db", dir);
    code = sqldb_open(url, &(struct sqldb_options){.flags = SQLDB_MUST_EXIST}, &ingest, e);
    if (code == ERR_OK) {
        code = sqldb_run(ingest, "tsdb_state_restore",
                         SQLDB_ARGS(sqldb_blob(epoch.bytes, sizeof(epoch.bytes)),
                                    sqldb_i64((int64_t)s.most + 1)),
                         e);
    }
    if (code == ERR_OK && sqldb_changes(ingest) != 1) {
        code = err_set(e, ERR_CORRUPT, "ingest.db: there is no state in it");
    }
    if (code == ERR_OK) {
        code = sqldb_checkpoint(ingest, e);
    }
    sqldb_close(ingest);
    return code;
}
