/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_read.c: checks an archive and makes a store of it; see the header.
 *
 * First the heads of all entries are read, which finds the manifest at the end; then the bytes of
 * each file, once, hashed on their way.
 */
#include "store/backup/backup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/embed.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/num.h"
#include "os/file.h"
#include "sqldb/sqldb.h"
#include "store/store_target.h"
#include "tls/hash.h"

#define PIECE        ((size_t)128 * 1024)
#define MANIFEST_MAX ((size_t)64 * 1024 * 1024)
#define REASON_MAX   ((size_t)512)
#define ENTRIES_MAX  1000000
#define META         "meta.db"

static const char *const needed[] = {"text.db", "event.db", "ingest.db", META};
static const struct json_limits manifest_limits = {MANIFEST_MAX, 8, true};

struct archive {
    int fd;
    struct tar_entry *entries;
    size_t count, cap;
    struct json_doc *manifest;
    char *piece;
    struct backup_info *info;
};

/* One file of the manifest. */
struct listed {
    char name[TAR_NAME_SIZE];
    uint64_t bytes;
    int64_t schema;
    char sha256[HASH_HEX_SIZE];
    const struct tar_entry *entry;
};

/* --- the list of entries and the manifest --- */

/* The last one of a name counts. */
static const struct tar_entry *find(const struct archive *a, const char *name)
{
    for (size_t i = a->entries ? a->count : 0; i > 0; i--) {
        if (strcmp(a->entries[i - 1].name, name) == 0) {
            return &a->entries[i - 1];
        }
    }
    return NULL;
}

static enum err_code scan(struct archive *a, struct err *e)
{
    struct tar_entry entry;
    uint64_t at = 0;
    bool end = false;

    for (;;) {
        enum err_code code = tar_next(a->fd, &at, &entry, &end, e);
        if (code || end) {
            return code;
        }
        if (a->count == ENTRIES_MAX) {
            return err_set(e, ERR_LIMIT, "more than %d entries", ENTRIES_MAX);
        }
        if (a->count == a->cap) {
            a->cap = a->cap ? 2 * a->cap : 64;
            a->entries = alloc_resize(a->entries, a->cap * sizeof(*a->entries));
        }
        a->entries[a->count++] = entry;
    }
}

static enum err_code read_entry(const struct archive *a, const struct tar_entry *entry, size_t most,
                                struct buf *out, struct err *e)
{
    if (entry->size > most) {
        return err_set(e, ERR_LIMIT, "%s is too large", entry->name);
    }
    for (uint64_t at = 0; at < entry->size; at += PIECE) {
        size_t len = entry->size - at < PIECE ? (size_t)(entry->size - at) : PIECE;
        enum err_code code = file_read_at(a->fd, a->piece, len, entry->at + at, e);
        if (code) {
            return code;
        }
        buf_add(out, a->piece, len);
    }
    return buf_check(out, e);
}

/* Why the server could not end it; else that the manifest is missing. */
static enum err_code say_failed(const struct archive *a, struct err *e)
{
    const struct tar_entry *failed = find(a, BACKUP_FAILED);
    struct buf reason;
    enum err_code code;

    if (!failed) {
        return err_set(e, ERR_CORRUPT, "it is not whole: it has no manifest");
    }
    buf_init(&reason, REASON_MAX);
    code = read_entry(a, failed, REASON_MAX, &reason, e);
    if (code == ERR_OK) {
        code = err_set(e, ERR_CORRUPT, "it is not whole: the server could not end it: %s",
                       reason.ptr);
    }
    buf_fini(&reason);
    return code;
}

static void take_text(char *out, size_t size, const struct json *n)
{
    struct str s = json_str(n);

    (void)snprintf(out, size, "%.*s", STR_ARG(s));
}

static enum err_code read_manifest(struct archive *a, struct err *e)
{
    const struct tar_entry *last = a->count ? &a->entries[a->count - 1] : NULL;
    struct buf text;

    if (!last || strcmp(last->name, BACKUP_MANIFEST) != 0) {
        return say_failed(a, e);
    }
    buf_init(&text, MANIFEST_MAX);
    enum err_code code = read_entry(a, last, MANIFEST_MAX, &text, e);
    if (code == ERR_OK) {
        code = json_parse(buf_view(&text), &manifest_limits, &a->manifest, e);
    }
    buf_fini(&text);
    if (code) {
        return err_wrap(e, "its manifest");
    }
    const struct json *root = json_root(a->manifest);
    if (!str_eq_c(json_str(json_get(root, "format")), "pga-backup")) {
        return err_set(e, ERR_INVALID, "this is no backup of pga");
    }
    take_text(a->info->created, sizeof(a->info->created), json_get(root, "created"));
    take_text(a->info->pga_version, sizeof(a->info->pga_version), json_get(root, "pga_version"));
    take_text(a->info->store_epoch, sizeof(a->info->store_epoch), json_get(root, "store_epoch"));
    if (json_i64(json_get(root, "version"), 0) != 1) {
        return err_set(e, ERR_UNSUPPORTED, "it was made by another version of pga: %s",
                       a->info->pga_version);
    }
    return ERR_OK;
}

/* --- one file --- */

/* The newest migration of meta.db in this program. */
static int64_t meta_schema(void)
{
    int64_t most = 0;

    for (size_t i = 0; i < embed_migration_count; i++) {
        struct str name = str_of(embed_migration[i].name);
        int64_t number = 0;
        if (str_find(name, STR(".sqlite."), &(size_t){0}) && name.len > 4 &&
            num_parse_i64(str_make(name.ptr, 4), 1, 9999, &number, NULL) == ERR_OK) {
            most = number > most ? number : most;
        }
    }
    return most;
}

/* -1 = any: no database; 0 = a file of which this program does not know. */
static int64_t known_schema(const char *name)
{
    if (strcmp(name, BACKUP_KEY) == 0) {
        return -1;
    }
    return strcmp(name, META) == 0 ? meta_schema() : tsdb_copy_schema(str_of(name));
}

static enum err_code read_listed(const struct archive *a, const struct json *n, struct listed *out,
                                 struct err *e)
{
    take_text(out->name, sizeof(out->name), json_get(n, "name"));
    take_text(out->sha256, sizeof(out->sha256), json_get(n, "sha256"));
    out->bytes = json_u64(json_get(n, "bytes"), UINT64_MAX);
    out->schema = json_i64(json_get(n, "schema"), -1);
    out->entry = find(a, out->name);
    int64_t known = known_schema(out->name);
    if (known == 0 || (known > 0 && out->schema > known)) {
        return err_set(e, ERR_UNSUPPORTED, "%s is of a newer pga: %s", out->name,
                       a->info->pga_version);
    }
    if (!out->entry) {
        return err_set(e, ERR_CORRUPT, "%s is missing", out->name);
    }
    if (out->entry->size != out->bytes) {
        return err_set(e, ERR_CORRUPT, "%s has %llu bytes, and the manifest says %llu", out->name,
                       (unsigned long long)out->entry->size, (unsigned long long)out->bytes);
    }
    return ERR_OK;
}

/* Read a file to its end, write it when fd is not -1, and compare its hash. */
static enum err_code pass_bytes(const struct archive *a, const struct listed *f, int fd,
                                struct err *e)
{
    struct hash_run *hash = hash_run_new();
    unsigned char digest[HASH_BYTES];
    char text[HASH_HEX_SIZE];
    enum err_code code = ERR_OK;

    for (uint64_t at = 0; code == ERR_OK && at < f->bytes; at += PIECE) {
        size_t len = f->bytes - at < PIECE ? (size_t)(f->bytes - at) : PIECE;
        code = file_read_at(a->fd, a->piece, len, f->entry->at + at, e);
        if (code == ERR_OK) {
            hash_run_add(hash, str_make(a->piece, len));
        }
        if (code == ERR_OK && fd >= 0) {
            code = file_write_at(fd, a->piece, len, at, e);
        }
    }
    hash_run_end(hash, digest);
    text_hex(digest, sizeof(digest), text);
    if (code == ERR_OK && strcmp(text, f->sha256) != 0) {
        code = err_set(e, ERR_CORRUPT, "%s is damaged: its SHA-256 is not that of the manifest",
                       f->name);
    }
    return code;
}

/* What is done with each file of the manifest. */
typedef enum err_code each_file(void *arg, const struct archive *a, const struct listed *f,
                                struct err *e);

static enum err_code each(struct archive *a, each_file *visit, void *arg, struct err *e)
{
    const struct json *files = json_get(json_root(a->manifest), "files");
    enum err_code code = ERR_OK;

    for (struct json_iter it = json_iter(files); code == ERR_OK && json_next(&it);) {
        struct listed f;
        code = read_listed(a, it.value, &f, e);
        if (code == ERR_OK) {
            code = visit(arg, a, &f, e);
        }
        if (code == ERR_OK) {
            a->info->files++;
            a->info->bytes += f.bytes;
            a->info->has_key |= strcmp(f.name, BACKUP_KEY) == 0;
        }
    }
    for (size_t i = 0; code == ERR_OK && i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (!find(a, needed[i])) {
            code = err_set(e, ERR_CORRUPT, "%s is missing", needed[i]);
        }
    }
    if (code == ERR_OK && a->info->files == 0) {
        code = err_set(e, ERR_CORRUPT, "the manifest names no file");
    }
    return code;
}

static enum err_code archive_open(struct archive *a, const char *path, struct backup_info *out,
                                  struct err *e)
{
    memset(out, 0, sizeof(*out));
    *a = (struct archive){.fd = -1, .info = out, .piece = alloc_array(PIECE, 1)};
    enum err_code code = file_open(path, O_RDONLY, 0, &a->fd, e);
    if (code) {
        return code;
    }
    code = scan(a, e);
    if (code == ERR_OK) {
        code = read_manifest(a, e);
    }
    return code ? err_wrap(e, "%s", path) : ERR_OK;
}

static void archive_close(struct archive *a)
{
    json_doc_free(a->manifest);
    alloc_free(a->entries);
    alloc_free(a->piece);
    file_close(a->fd);
}

/* --- check --- */

static enum err_code check_file(void *arg, const struct archive *a, const struct listed *f,
                                struct err *e)
{
    (void)arg;
    return pass_bytes(a, f, -1, e);
}

enum err_code backup_check(const char *path, struct backup_info *out, struct err *e)
{
    struct archive a;
    enum err_code code = archive_open(&a, path, out, e);

    if (code == ERR_OK) {
        code = each(&a, check_file, NULL, e);
        code = code ? err_wrap(e, "%s", path) : ERR_OK;
    }
    archive_close(&a);
    return code;
}

/* --- restore --- */

struct restoring {
    const struct backup_target *to;
    char dir[PATH_MAX]; /* beside the one that it becomes */
};

static enum err_code write_file(const struct archive *a, const struct listed *f, const char *path,
                                struct err *e)
{
    int fd = -1;
    enum err_code code = file_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600, &fd, e);

    if (code == ERR_OK) {
        code = pass_bytes(a, f, fd, e);
    }
    if (code == ERR_OK) {
        code = file_sync_data(fd, e);
    }
    file_close(fd);
    return code;
}

/* The folder of a path is made when it is not there. */
static enum err_code make_parent(const char *path, struct err *e)
{
    char parent[PATH_MAX];
    char *slash;

    (void)snprintf(parent, sizeof(parent), "%s", path);
    slash = strrchr(parent, '/');
    if (!slash || slash == parent) {
        return ERR_OK;
    }
    *slash = '\0';
    return file_make_dirs(parent, 0700, e);
}

static enum err_code restore_file(void *arg, const struct archive *a, const struct listed *f,
                                  struct err *e)
{
    const struct restoring *r = arg;
    char path[PATH_MAX + TAR_NAME_SIZE];

    if (strcmp(f->name, BACKUP_KEY) == 0) {
        return pass_bytes(a, f, -1, e); /* put in its place when all else is */
    }
    (void)snprintf(path, sizeof(path), "%s/%s", r->dir, f->name);
    enum err_code code = make_parent(path, e);
    return code ? code : write_file(a, f, path, e);
}

static enum err_code put_key(const struct archive *a, const char *path, struct err *e)
{
    const struct tar_entry *entry = find(a, BACKUP_KEY);
    struct buf key;

    buf_init(&key, REASON_MAX);
    enum err_code code = read_entry(a, entry, REASON_MAX, &key, e);
    if (code == ERR_OK) {
        code = make_parent(path, e);
    }
    if (code == ERR_OK) {
        code = file_write_atomic(path, buf_view(&key), 0600, e);
    }
    buf_fini(&key);
    return code;
}

/* lsn of the last targets in meta.db: new ones must be above, or they would be left out. */
static enum err_code read_target_lsn(const char *dir, uint64_t *out, struct err *e)
{
    const struct sqldb_options options = {.flags = SQLDB_READ_ONLY};
    char url[PATH_MAX + 32];
    struct sqldb *meta = NULL;

    (void)snprintf(url, sizeof(url), "sqlite:%s/" META, dir);
    enum err_code code = sqldb_open(url, &options, &meta, e);
    if (code == ERR_OK) {
        code = store_target_lsn(meta, out, e);
    }
    sqldb_close(meta);
    return code;
}

static enum err_code sync_tree(const char *dir, struct err *e)
{
    static const char *const folders[] = {"",          "/raw",    "/raw/fast",
                                          "/raw/slow", "/tier5m", "/tier1h"};
    char path[PATH_MAX + 16];
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < sizeof(folders) / sizeof(folders[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", dir, folders[i]);
        if (access(path, F_OK) == 0) {
            code = file_sync_dir(path, e);
        }
    }
    return code;
}

/* Something is in the way before anything is made. */
static enum err_code check_target(const struct backup_target *to, bool has_key, struct err *e)
{
    if (rmdir(to->dir) != 0 && access(to->dir, F_OK) == 0) {
        return err_set(e, ERR_CONFLICT, "%s is not empty: move it away first", to->dir);
    }
    if (has_key && to->key_file && access(to->key_file, F_OK) == 0) {
        return err_set(e, ERR_CONFLICT, "the backup brings a master key, and %s is there already",
                       to->key_file);
    }
    return ERR_OK;
}

static enum err_code finish(const struct archive *a, const struct restoring *r, struct err *e)
{
    uint64_t lsn = 0;
    enum err_code code = read_target_lsn(r->dir, &lsn, e);

    if (code == ERR_OK) {
        code = tsdb_restored(r->dir, lsn, e);
    }
    if (code == ERR_OK) {
        code = sync_tree(r->dir, e);
    }
    if (code == ERR_OK && a->info->has_key && r->to->key_file) {
        code = put_key(a, r->to->key_file, e);
    }
    FAULT_POINT("backup.before_rename");
    if (code == ERR_OK) {
        code = file_rename(r->dir, r->to->dir, e);
    }
    return code;
}

enum err_code backup_restore(const char *path, const struct backup_target *to,
                             struct backup_info *out, struct err *e)
{
    struct restoring r = {.to = to};
    struct archive a;
    struct err ignored;
    enum err_code code = archive_open(&a, path, out, e);

    (void)snprintf(r.dir, sizeof(r.dir), "%s.restoring", to->dir);
    if (code == ERR_OK) {
        code = check_target(to, find(&a, BACKUP_KEY) != NULL, e);
    }
    if (code) {
        archive_close(&a);
        return code;
    }
    code = file_remove_tree(r.dir, e); /* of one that was cut short */
    if (code == ERR_OK) {
        code = file_make_dirs(r.dir, 0700, e);
    }
    if (code == ERR_OK) {
        code = each(&a, restore_file, &r, e);
    }
    if (code == ERR_OK) {
        code = finish(&a, &r, e);
    }
    if (code) {
        (void)!file_remove_tree(r.dir, &ignored);
        (void)err_wrap(e, "%s", path);
    }
    archive_close(&a);
    return code;
}
