/* SPDX-License-Identifier: PostgreSQL */
/*
 * repair.c: moves damage out of the way, and saves what can still be read.
 */
#include "store/tsdb/repair.h"

#include "store/tsdb/blocks.h"
#include "store/tsdb/engine.h"
#include "store/tsdb/quarantine.h"

#include "base/alloc.h"
#include "os/file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define PROBES 1024 /* ids tried one by one, in a row, where the table cannot be walked */

enum err_code repair_indexes(struct sqldb *db, struct err *e)
{
    enum err_code code = sqldb_script(db, "REINDEX", e);
    return code ? code : sqldb_verify(db, e);
}

/* --- one block --- */

struct moved {
    struct quarantine_item *items;
    size_t count;
    struct arena arena;
};

static void add_item(struct moved *m, const struct quarantine_item *item)
{
    m->items = alloc_resize(m->items, (m->count + 1) * sizeof(*m->items));
    m->items[m->count] = *item;
    m->items[m->count++].data = arena_str(&m->arena, item->data);
}

static enum err_code take_row(struct moved *m, struct sqldb *db, struct quarantine_item item,
                              struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code code = sqldb_row(db, "tsdb_block_get", SQLDB_ARGS(sqldb_i64(item.key)), &q, e);

    if (code) {
        return code;
    }
    const char *about = arena_printf(
        &m->arena,
        "grp %lld, flush_lsn %lld, t_min %lld, t_max %lld, every_ms %lld, flags %lld, slice_count "
        "%lld, row_count %lld",
        (long long)sqldb_get_i64(q, 0), (long long)sqldb_get_i64(q, 1),
        (long long)sqldb_get_i64(q, 2), (long long)sqldb_get_i64(q, 3),
        (long long)sqldb_get_i64(q, 4), (long long)sqldb_get_i64(q, 5),
        (long long)sqldb_get_i64(q, 7), (long long)sqldb_get_i64(q, 8));
    item.what = "block";
    item.about = str_of(about);
    item.data = sqldb_get_blob(q, 9);
    add_item(m, &item);
    sqldb_end(q);
    return ERR_OK;
}

static enum err_code take_parts(struct moved *m, struct sqldb *db, struct quarantine_item item,
                                struct err *e)
{
    struct sqldb_stmt *q = NULL;
    bool row = true;
    int64_t block = item.key;
    enum err_code code = sqldb_query(db, "tsdb_part_list", SQLDB_ARGS(sqldb_i64(block)), &q, e);

    item.what = "part";
    while (code == ERR_OK && (code = sqldb_step(q, &row, e)) == ERR_OK && row) {
        item.key = block * BLOCK_PARTS_MAX + sqldb_get_i64(q, 0);
        item.data = sqldb_get_blob(q, 1);
        add_item(m, &item);
    }
    sqldb_end(q);
    return code;
}

static enum err_code delete_block(struct sqldb *db, int64_t id, struct err *e)
{
    enum err_code code = sqldb_begin(db, e);

    if (code) {
        return code;
    }
    code = sqldb_run(db, "tsdb_part_delete", SQLDB_ARGS(sqldb_i64(id)), e);
    if (code == ERR_OK) {
        code = sqldb_run(db, "tsdb_block_delete", SQLDB_ARGS(sqldb_i64(id)), e);
    }
    if (code) {
        sqldb_rollback(db);
        return code;
    }
    return sqldb_commit(db, e);
}

enum err_code repair_block(const struct repair_file *f, struct sqldb *db, int64_t id,
                           const char *reason, struct err *e)
{
    struct moved m = {0};
    struct quarantine_item item = {.file = f->name, .key = id, .reason = reason};

    arena_init(&m.arena, "tsdb repair", TSDB_ARENA_BYTES);
    enum err_code code = take_row(&m, db, item, e);
    if (code == ERR_OK) {
        code = take_parts(&m, db, item, e);
    }
    if (code == ERR_OK) {
        code = arena_check(&m.arena, e);
    }
    if (code == ERR_OK) {
        code = quarantine_put(f->dir, m.items, m.count, e);
    }
    if (code == ERR_OK) {
        code = delete_block(db, id, e);
    }
    arena_fini(&m.arena);
    alloc_free(m.items);
    return code;
}

/* --- a whole day --- */

struct rescue {
    struct repair_day *r;
    struct sqldb *from, *to;
    size_t bytes;
};

/* The next block after this one; where the table cannot be walked, the next id. */
static bool next_block(struct sqldb *from, int64_t *id, int *probes)
{
    struct sqldb_stmt *q = NULL;
    struct err e;
    enum err_code code = sqldb_row(from, "tsdb_block_after", SQLDB_ARGS(sqldb_i64(*id)), &q, &e);

    int64_t next = code == ERR_OK ? sqldb_get_i64(q, 0) : 0;
    sqldb_end(q);
    if (code == ERR_OK && next <= *id) {
        code = ERR_CORRUPT; /* rows out of order: it would go round in a circle */
    }
    *id = code == ERR_OK ? next : *id;
    *probes = code == ERR_CORRUPT ? *probes + 1 : 0;
    *id += code == ERR_CORRUPT;
    return code == ERR_OK || (code == ERR_CORRUPT && *probes <= PROBES);
}

static enum err_code rescue_blocks(struct rescue *s, struct err *e)
{
    int64_t id = 0;
    int probes = 0;
    enum err_code code = ERR_OK;

    while (code == ERR_OK && next_block(s->from, &id, &probes)) {
        struct blocks_copy copy = {.from = s->from, .to = s->to, .id = id, .counted = true};
        if (s->r->check(s->r->arg, s->from, id, &copy.parts)) {
            code = blocks_copy(&copy, &s->bytes, e);
            code = code == ERR_CORRUPT ? ERR_IO : code; /* it was read a moment ago */
            s->r->saved++;
        } else {
            s->r->lost += probes == 0; /* else perhaps there was none */
        }
    }
    return code;
}

/*
 * Its watermark; when that is lost, the lowest one: then the journal is replayed once more, and of
 * equal times the one that is in a block counts.
 */
static enum err_code rescue_state(struct rescue *s, struct err *e)
{
    uint64_t applied = 0;
    enum err_code code = days_read_applied(s->from, &applied, e);

    if (code == ERR_CORRUPT || code == ERR_NOT_FOUND) {
        applied = 1;
        code = sqldb_run(s->to, "tsdb_block_lowest_lsn", SQLDB_NO_ARGS, e);
    }
    return code ? code
                : sqldb_run(s->to, "tsdb_day_set_applied", SQLDB_ARGS(sqldb_i64((int64_t)applied)),
                            e);
}

/* What can be read of a file, as FILE.new; closed and durable. */
static enum err_code rescue_file(struct repair_day *r, const char *path, const char *path_new,
                                 struct err *e)
{
    struct rescue s = {.r = r};
    int fd = -1;
    enum err_code code = days_unlink(path_new, e);

    if (code == ERR_OK) {
        code = days_open(path_new, 0, &s.to, e);
    }
    if (code == ERR_OK) {
        code = days_open(path, SQLDB_READ_ONLY, &s.from, e);
    }
    if (code == ERR_OK) {
        code = sqldb_begin(s.to, e);
    }
    if (code == ERR_OK) {
        code = rescue_blocks(&s, e);
    }
    if (code == ERR_OK) {
        code = rescue_state(&s, e);
    }
    if (code == ERR_OK) {
        code = sqldb_commit(s.to, e);
    }
    sqldb_close(s.from);
    sqldb_close(s.to);
    if (code == ERR_OK) {
        code = file_open(path_new, O_RDWR, 0, &fd, e);
    }
    if (code == ERR_OK) {
        code = file_sync_data(fd, e);
    }
    file_close(fd);
    return code;
}

/* Keep a whole file, with its WAL, in damaged/. */
static enum err_code move_file(const struct repair_file *f, struct err *e)
{
    static const char *const endings[] = {"-wal", "-shm", ""};
    char from[PATH_MAX + 8];
    char folder[PATH_MAX];
    char flat[128];
    char to[sizeof(folder) + sizeof(flat) + 8];

    (void)snprintf(folder, sizeof(folder), "%s/damaged", f->dir);
    (void)snprintf(flat, sizeof(flat), "%s", f->name);
    for (char *slash = strchr(flat, '/'); slash; slash = strchr(flat, '/')) {
        *slash = '-';
    }
    enum err_code code = file_make_dirs(folder, 0700, e);
    for (size_t i = 0; code == ERR_OK && i < sizeof(endings) / sizeof(endings[0]); i++) {
        struct stat st;
        (void)snprintf(from, sizeof(from), "%s/%s%s", f->dir, f->name, endings[i]);
        (void)snprintf(to, sizeof(to), "%s/%s%s", folder, flat, endings[i]);
        code = stat(from, &st) == 0 ? file_rename(from, to, e) : ERR_OK;
    }
    return code ? code : file_sync_dir(folder, e);
}

/* The name of the edition after this one. */
static void next_name(const char *name, char *out, size_t size)
{
    const char *base = strrchr(name, '/') + 1;
    uint32_t edition = 0;
    int64_t day = 0;

    (void)!days_parse_name(base, &day, &edition);
    (void)snprintf(out, size, "%.*s%.8s-%u.db", (int)(base - name), name, base, edition + 1);
}

enum err_code repair_day(const struct repair_file *f, struct repair_day *r, struct err *e)
{
    char path[PATH_MAX];
    char path_new[PATH_MAX + 8];
    char path_next[PATH_MAX];
    char name[128];

    next_name(f->name, name, sizeof(name));
    (void)snprintf(path, sizeof(path), "%s/%s", f->dir, f->name);
    (void)snprintf(path_new, sizeof(path_new), "%s.new", path);
    (void)snprintf(path_next, sizeof(path_next), "%s/%s", f->dir, name);
    enum err_code code = rescue_file(r, path, path_new, e);
    if (code == ERR_CORRUPT) { /* not even that it is a database can be seen */
        err_clear(e);
        code = days_unlink(path_new, e);
        return code ? code : move_file(f, e);
    }
    if (code == ERR_OK) { /* first: an edition that is not the newest is removed at start */
        code = move_file(f, e);
    }
    if (code == ERR_OK) {
        code = file_rename(path_new, path_next, e);
    }
    *strrchr(path, '/') = '\0';
    return code ? code : file_sync_dir(path, e);
}
