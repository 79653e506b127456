/* SPDX-License-Identifier: PostgreSQL */
/* backup_write.c: makes the archive of a store in use; see the header. */
#include "store/backup/backup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/num.h"
#include "os/clock.h"
#include "os/file.h"
#include "sqldb/sqldb.h"
#include "store/store_key.h"
#include "tls/hash.h"

#define PIECE         ((size_t)128 * 1024)
#define MANIFEST_MAX  ((size_t)64 * 1024 * 1024)
#define SCHEMA_AT     60 /* user_version in the head of a SQLite file, big endian */
#define SQLITE_HEAD   100
#define SECOND_MS     1000
#define META_CACHE_KB 512

struct written {
    char name[TAR_NAME_SIZE];
    uint64_t bytes;
    uint32_t schema;
    char sha256[HASH_HEX_SIZE];
};

struct writing {
    const struct backup_source *from;
    struct tar_sink to; /* counts, then the caller's */
    const struct tar_sink *out;
    uint64_t sent;
    bool within; /* an entry: nothing else can follow */
    struct written *files;
    size_t count;
    char *piece;
};

static enum err_code send(void *arg, const void *bytes, size_t len, struct err *e)
{
    struct writing *w = arg;

    w->sent += len;
    return w->out->write(w->out->arg, bytes, len, e);
}

/* The record of a name; an earlier one is replaced. */
static struct written *record(struct writing *w, const char *name)
{
    for (size_t i = 0; i < w->count; i++) {
        if (strcmp(w->files[i].name, name) == 0) {
            return &w->files[i];
        }
    }
    w->files = alloc_resize(w->files, (w->count + 1) * sizeof(*w->files));
    struct written *f = &w->files[w->count++];
    memset(f, 0, sizeof(*f));
    (void)snprintf(f->name, sizeof(f->name), "%s", name);
    return f;
}

static uint32_t schema_of(const char *head, size_t len)
{
    const unsigned char *b = (const unsigned char *)head + SCHEMA_AT;

    if (len < SQLITE_HEAD || memcmp(head, "SQLite format 3", 16) != 0) {
        return 0;
    }
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static enum err_code send_bytes(struct writing *w, int fd, struct written *f, struct err *e)
{
    struct hash_run *hash = hash_run_new();
    unsigned char digest[HASH_BYTES];
    enum err_code code = ERR_OK;

    for (uint64_t at = 0; code == ERR_OK && at < f->bytes;) {
        size_t len = f->bytes - at < PIECE ? (size_t)(f->bytes - at) : PIECE;
        code = file_read_at(fd, w->piece, len, at, e);
        if (code == ERR_OK && at == 0) {
            f->schema = schema_of(w->piece, len);
        }
        if (code == ERR_OK) {
            hash_run_add(hash, str_make(w->piece, len));
            code = w->to.write(w, w->piece, len, e);
        }
        at += len;
    }
    hash_run_end(hash, digest);
    text_hex(digest, sizeof(digest), f->sha256);
    return code;
}

static enum err_code send_file(struct writing *w, const char *name, const char *path, struct err *e)
{
    struct tar_entry entry = {.mtime_s = clock_wall_ms() / SECOND_MS};
    struct written *f = record(w, name);
    int fd = -1;
    enum err_code code = file_open(path, O_RDONLY, 0, &fd, e);

    if (code == ERR_OK) {
        code = file_size(fd, &f->bytes, e);
    }
    (void)snprintf(entry.name, sizeof(entry.name), "%s", name);
    entry.size = f->bytes;
    if (code == ERR_OK) {
        w->within = true;
        code = tar_put_head(&w->to, &entry, e);
    }
    if (code == ERR_OK) {
        code = send_bytes(w, fd, f, e);
    }
    if (code == ERR_OK) {
        code = tar_put_padding(&w->to, entry.size, e);
        w->within = false;
    }
    file_close(fd);
    return code;
}

static enum err_code send_text(struct writing *w, const char *name, struct str text, struct err *e)
{
    struct tar_entry entry = {.size = text.len, .mtime_s = clock_wall_ms() / SECOND_MS};

    (void)snprintf(entry.name, sizeof(entry.name), "%s", name);
    enum err_code code = tar_put_head(&w->to, &entry, e);
    if (code == ERR_OK) {
        code = w->to.write(w, text.ptr, text.len, e);
    }
    return code ? code : tar_put_padding(&w->to, text.len, e);
}

static enum err_code take(void *arg, const char *name, const char *path, struct err *e)
{
    return send_file(arg, name, path, e);
}

/* meta.db last: whatever the others say of targets and collectors is in it. */
static enum err_code copy_meta(void *arg, const char *work, const char **name, struct err *e)
{
    struct writing *w = arg;
    const struct sqldb_options options = {.flags = SQLDB_READ_ONLY, .cache_kib = META_CACHE_KB};
    char url[PATH_MAX + 32];
    char copy[PATH_MAX];
    struct sqldb *meta = NULL;

    (void)snprintf(url, sizeof(url), "sqlite:%s/meta.db", w->from->dir);
    (void)snprintf(copy, sizeof(copy), "%s/meta.db", work);
    enum err_code code = sqldb_open(url, &options, &meta, e);
    if (code == ERR_OK) {
        code = sqldb_copy_to(meta, copy, e);
    }
    sqldb_close(meta);
    *name = "meta.db";
    return code ? err_wrap(e, "copy of meta.db") : ERR_OK;
}

static void put_file(struct json_writer *json, const struct written *f)
{
    json_object_begin(json);
    json_member_c(json, "name", f->name);
    json_member_u64(json, "bytes", f->bytes);
    json_member_c(json, "sha256", f->sha256);
    json_member_u64(json, "schema", f->schema);
    json_object_end(json);
}

static enum err_code send_manifest(struct writing *w, const struct backup_info *info, struct err *e)
{
    struct buf text;
    struct json_writer json;

    buf_init(&text, MANIFEST_MAX);
    json_writer_init(&json, &text);
    json_object_begin(&json);
    json_member_c(&json, "format", "pga-backup");
    json_member_i64(&json, "version", 1);
    json_member_c(&json, "created", info->created);
    json_member_c(&json, "pga_version", info->pga_version);
    json_member_c(&json, "store_epoch", info->store_epoch);
    json_key(&json, "files");
    json_array_begin(&json);
    for (size_t i = 0; i < w->count; i++) {
        put_file(&json, &w->files[i]);
    }
    json_array_end(&json);
    json_object_end(&json);
    buf_add_char(&text, '\n');
    enum err_code code = buf_check(&text, e);
    if (code == ERR_OK) {
        code = send_text(w, BACKUP_MANIFEST, buf_view(&text), e);
    }
    buf_fini(&text);
    return code ? code : tar_put_end(&w->to, e);
}

static void describe(const struct backup_source *from, struct backup_info *out)
{
    struct tsdb_stats stats;

    memset(out, 0, sizeof(*out));
    tsdb_stats(from->tsdb, &stats);
    text_uuid(&stats.epoch, out->store_epoch);
    num_format_time(clock_wall_ms(), out->created);
    (void)snprintf(out->pga_version, sizeof(out->pga_version), "%s", PGA_VERSION);
    out->has_key = from->key_file != NULL;
}

static void sum_up(const struct writing *w, struct backup_info *out)
{
    out->files = w->count;
    for (size_t i = 0; i < w->count; i++) {
        out->bytes += w->files[i].bytes;
    }
}

static enum err_code write_all(struct writing *w, struct backup_info *out, struct err *e)
{
    const struct tsdb_copy copy = {.take = take, .last = copy_meta, .arg = w};

    describe(w->from, out);
    enum err_code code = tsdb_copy(w->from->tsdb, &copy, e);
    if (code == ERR_OK && w->from->key_file) {
        code = send_file(w, BACKUP_KEY, w->from->key_file, e);
    }
    sum_up(w, out);
    return code ? code : send_manifest(w, out, e);
}

enum err_code backup_write(const struct backup_source *from, const struct tar_sink *to,
                           struct backup_info *out, struct err *e)
{
    struct writing w = {.from = from, .out = to, .piece = alloc_array(PIECE, 1)};

    w.to = (struct tar_sink){send, &w};
    enum err_code code = write_all(&w, out, e);
    if (code && w.sent && !w.within) {
        struct err ignored;
        (void)!send_text(&w, BACKUP_FAILED, str_of(e->text), &ignored);
    }
    alloc_free(w.files);
    alloc_free(w.piece);
    return code;
}
