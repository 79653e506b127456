/* SPDX-License-Identifier: PostgreSQL */
/*
 * verify.c: checks every file of a store that is not in use, and reports each damage.
 *
 * Nothing is changed but for a repair (repair.h). Checked: structure of the files, schema, each
 * journal row and block decodes with all its columns, groups and objects that are named exist or
 * belong to a deleted target, watermarks are below the next lsn; blocks of roll-ups likewise.
 */
#include "store/tsdb/codec/block.h"
#include "store/tsdb/repair.h"
#include "store/tsdb/rollup/tier.h"

#include "base/alloc.h"
#include "os/file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct verify {
    struct tsdb_verify *out;
    const char *dir;
    char file[PATH_MAX]; /* relative name of the file at hand */
    struct catalog *catalog;
    struct arena arena;
    uint64_t *dropped; /* groups of deleted targets, rising */
    size_t dropped_count;
    uint64_t next_lsn;
    uint64_t findings;
    enum tsdb_tier tier;   /* of the file at hand; TSDB_RAW = a day file */
    struct bad_thing *bad; /* rows or blocks of the file at hand */
    size_t bad_count;
};

/* A journal row or block that cannot be read. */
struct bad_thing {
    int64_t id;
    struct err why;
};

static void found(struct verify *v, const char *text)
{
    v->findings++;
    if (v->out->finding) {
        v->out->finding(v->out->arg, v->file, text);
    }
}

static void found_err(struct verify *v, const char *what, int64_t id, const struct err *e)
{
    char text[ERR_TEXT_MAX + 64];
    (void)snprintf(text, sizeof(text), "%s %lld: %s", what, (long long)id, e->text);
    found(v, text);
}

/* A row or block that cannot be read. */
static void found_bad(struct verify *v, const char *what, int64_t id, const struct err *why)
{
    found_err(v, what, id, why);
    if (v->out->repair) {
        v->bad = alloc_resize(v->bad, (v->bad_count + 1) * sizeof(*v->bad));
        v->bad[v->bad_count++] = (struct bad_thing){id, *why};
    }
}

__attribute__((format(printf, 2, 3))) static void repaired(struct verify *v, const char *format,
                                                           ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    if (v->out->repaired) {
        v->out->repaired(v->out->arg, v->file, text);
    }
}

/* ERR_NOT_FOUND for a file of which a kill ended the making: the next start goes on with it. */
static enum err_code check_begun(struct sqldb *db, struct err *e)
{
    bool begun = false;
    enum err_code code = days_is_begun(db, &begun, e);

    return code || begun ? code : err_set(e, ERR_NOT_FOUND, "there is nothing in it yet");
}

/*
 * Whether a rollback journal says that the file had no table before (one that can shrink begins
 * with a page or two): a kill ended its making before it had a WAL, and to read it would undo that.
 */
static bool was_empty(const char *path)
{
    static const unsigned char magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    unsigned char head[20] = {0}; /* magic, records, nonce, pages that the file had */
    char journal[2 * PATH_MAX + 16];
    struct err e;
    int fd = -1;

    (void)snprintf(journal, sizeof(journal), "%s-journal", path);
    bool hot = file_open(journal, O_RDONLY, 0, &fd, &e) == ERR_OK &&
               file_read_at(fd, head, sizeof(head), 0, &e) == ERR_OK &&
               memcmp(head, magic, sizeof(magic)) == 0;
    file_close(fd);
    return hot && memcmp(head + 16, "\0\0\0", 3) == 0 && head[19] <= 2;
}

/* What is wrong is told; ERR_NOT_FOUND, without a word, when there is nothing in it yet. */
static enum err_code open_file(struct verify *v, struct sqldb **out, struct err *e)
{
    char url[2 * PATH_MAX];
    const char *path = url + strlen("sqlite:");
    struct sqldb_options o = {.flags = v->out->repair ? SQLDB_MUST_EXIST : SQLDB_READ_ONLY,
                              .cache_kib = 2048};

    *out = NULL;
    (void)snprintf(url, sizeof(url), "sqlite:%s/%s", v->dir, v->file);
    if (!v->out->repair && was_empty(path)) {
        return err_set(e, ERR_NOT_FOUND, "there is nothing in it yet");
    }
    enum err_code code = sqldb_open(url, &o, out, e);
    if (code == ERR_OK) {
        code = sqldb_verify(*out, e);
    }
    if (code) {
        found(v, e->text);
    }
    if (code == ERR_CORRUPT && v->out->repair && *out) {
        code = strcmp(v->file, "event.db") == 0
                   ? sqldb_run(*out, "tsdb_event_search_rebuild", SQLDB_NO_ARGS, e)
                   : ERR_OK;
        code = code ? code : repair_indexes(*out, e);
        code == ERR_OK ? repaired(v, "its indexes were built anew") : (void)0;
    }
    if (code == ERR_OK) {
        code = check_begun(*out, e);
    }
    if (code) {
        sqldb_close(*out);
        *out = NULL;
    }
    v->out->files++;
    return code;
}

/* --- slices --- */

static bool is_dropped(const struct verify *v, uint64_t group)
{
    for (size_t i = 0; i < v->dropped_count; i++) {
        if (v->dropped[i] == group) {
            return true;
        }
    }
    return false;
}

static void check_ids(struct verify *v, const struct codec_slice *s, int64_t id)
{
    struct catalog_group *g = catalog_group_by_id(v->catalog, s->group);
    struct err e;

    if (is_dropped(v, s->group)) {
        return; /* nobody reads it, and it is removed some time */
    }
    if (!g) {
        (void)err_set(&e, ERR_CORRUPT, "unknown group %llu", (unsigned long long)s->group);
        found_err(v, "slice of", id, &e);
        return;
    }
    for (size_t i = 0; !s->fact && i < s->row_count; i++) {
        if (!catalog_object_by_id(v->catalog, g, s->objects[i])) {
            (void)err_set(&e, ERR_CORRUPT, "unknown object %llu",
                          (unsigned long long)s->objects[i]);
            found_err(v, "slice of", id, &e);
            return;
        }
    }
}

static uint64_t count_values(const struct cell *cells, size_t n)
{
    uint64_t count = 0;
    for (size_t i = 0; i < n; i++) {
        count += cells[i].tag != CELL_NULL;
    }
    return count;
}

static enum err_code check_slice(struct verify *v, struct str bytes, int64_t lsn, struct err *e)
{
    struct codec_slice s;
    enum err_code code = codec_get_slice(bytes, &v->arena, &s, e);

    for (size_t c = 0; code == ERR_OK && c < s.column_count; c++) {
        struct cell *cells = NULL;
        code = codec_get_column(s.columns[c].stream, &v->arena, s.row_count, &cells, e);
        v->out->samples += code == ERR_OK ? count_values(cells, s.row_count) : 0;
    }
    for (size_t k = 0; code == ERR_OK && k < s.key_count; k++) {
        struct cell *cells = NULL;
        code = codec_get_column(s.keys[k].stream, &v->arena, s.row_count, &cells, e);
    }
    if (code == ERR_OK) {
        check_ids(v, &s, lsn);
        v->out->slices++;
    }
    return code;
}

static enum err_code check_blob(struct verify *v, struct str blob, int64_t lsn, struct err *e)
{
    while (blob.len) {
        struct str one;
        arena_reset(&v->arena);
        if (!codec_take_bytes(&blob, &one)) {
            return err_set(e, ERR_CORRUPT, "slices cut short");
        }
        enum err_code code = check_slice(v, one, lsn, e);
        if (code) {
            return code;
        }
    }
    return ERR_OK;
}

/* --- ingest.db --- */

static enum err_code check_journal(struct verify *v, struct sqldb *db, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(db, "tsdb_journal_scan", SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        int64_t lsn = sqldb_get_i64(s, 0);
        struct err one;
        v->out->journal_rows++;
        if (check_blob(v, sqldb_get_blob(s, 1), lsn, &one)) {
            found_bad(v, "journal row", lsn, &one);
        }
        v->next_lsn = (uint64_t)lsn >= v->next_lsn ? (uint64_t)lsn + 1 : v->next_lsn;
    }
    sqldb_end(s);
    return code;
}

/* Move the slices that cannot be read out of their journal rows. */
static void mend_journal(struct verify *v, struct sqldb *db)
{
    struct err e;

    for (size_t i = 0; i < v->bad_count; i++) {
        size_t bad = 0;
        if (replay_mend_row(v->dir, db, (uint64_t)v->bad[i].id, &bad, &e)) {
            found(v, e.text);
        } else {
            repaired(v, "%zu slices of journal row %lld moved to damaged.db", bad,
                     (long long)v->bad[i].id);
        }
    }
    v->bad_count = 0;
}

static enum err_code load_dropped(struct verify *v, struct sqldb *db, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(db, "tsdb_dropped_exists", SQLDB_NO_ARGS, &s, e);
    bool row = code == ERR_OK && sqldb_get_i64(s, 0) != 0; /* a store of an older program: no */

    sqldb_end(s);
    if (!row) {
        return code;
    }
    code = sqldb_query(db, "tsdb_dropped_list", SQLDB_NO_ARGS, &s, e);
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        v->dropped = alloc_resize(v->dropped, (v->dropped_count + 1) * sizeof(*v->dropped));
        v->dropped[v->dropped_count++] = (uint64_t)sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code;
}

static void check_ingest(struct verify *v)
{
    struct sqldb *db = NULL;
    struct sqldb_stmt *s = NULL;
    struct err e;

    (void)snprintf(v->file, sizeof(v->file), "ingest.db");
    if (open_file(v, &db, &e)) {
        return;
    }
    enum err_code code = sqldb_row(db, "tsdb_state_get", SQLDB_NO_ARGS, &s, &e);
    if (code == ERR_OK) {
        v->next_lsn = (uint64_t)sqldb_get_i64(s, 1);
    }
    sqldb_end(s);
    if (code == ERR_OK) {
        code = catalog_load(v->catalog, db, &e);
    }
    bool first = code == ERR_NOT_FOUND; /* a kill ended the first start, or rows were lost */
    if (code == ERR_OK || first) {
        code = load_dropped(v, db, &e);
    }
    if (code == ERR_OK) {
        code = check_journal(v, db, &e);
        mend_journal(v, db);
    }
    if (first && v->next_lsn > 1) {
        found(v, "rows with its state are not there");
    }
    if (code) {
        found(v, e.text);
    }
    sqldb_close(db);
}

/* --- files with a watermark --- */

static void check_applied(struct verify *v, struct sqldb *db, uint64_t *applied)
{
    struct err e;

    if (days_read_applied(db, applied, &e)) {
        found(v, e.text);
    } else if (*applied >= v->next_lsn) {
        found(v, "its watermark is ahead of ingest.db: the store was restored from an older copy");
    }
}

/* Whether the full-text index fits its events is seen only by asking it, which is a write. */
static void mend_search(struct verify *v, struct sqldb *db)
{
    struct err e;

    if (sqldb_run(db, "tsdb_event_search_check", SQLDB_NO_ARGS, &e) == ERR_OK) {
        return;
    }
    found(v, "the full-text index differs from the events");
    if (sqldb_run(db, "tsdb_event_search_rebuild", SQLDB_NO_ARGS, &e)) {
        found(v, e.text);
    } else {
        repaired(v, "the full-text index of the events was built anew");
    }
}

/* A kill ended the first start: nothing was acknowledged yet. */
static bool was_never_there(const struct verify *v, const char *path)
{
    return v->next_lsn <= 1 && access(path, F_OK) != 0;
}

static void check_derived(struct verify *v, const char *name)
{
    struct sqldb *db = NULL;
    char path[PATH_MAX];
    struct err e;
    uint64_t applied = 0;

    (void)snprintf(path, sizeof(path), "%s/%s", v->dir, name);
    if (was_never_there(v, path)) {
        return;
    }
    (void)snprintf(v->file, sizeof(v->file), "%s", name);
    if (open_file(v, &db, &e) == ERR_OK) {
        check_applied(v, db, &applied);
        if (v->out->repair && strcmp(name, "event.db") == 0) {
            mend_search(v, db);
        }
        sqldb_close(db);
    }
}

static enum err_code check_stream(struct verify *v, struct sqldb *db, int64_t block,
                                  const struct block_view *view, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < view->stream_count; i++) {
        const struct block_stream *stream = &view->streams[i];
        struct sqldb_stmt *s = NULL;
        struct str part;
        struct str bytes;
        struct cell *cells = NULL;
        code = sqldb_row(db, "tsdb_part_get",
                         SQLDB_ARGS(sqldb_i64(block * BLOCK_PARTS_MAX + stream->part)), &s, e);
        if (code == ERR_OK) {
            code = block_unpack_part(sqldb_get_blob(s, 0), &v->arena, &part, e);
        }
        sqldb_end(s);
        if (code == ERR_OK) {
            code = block_stream_bytes(stream, part, &bytes, e);
        }
        if (code == ERR_OK) {
            code = block_cells(view, bytes, &v->arena, &cells, e);
        }
        if (code == ERR_OK && stream->kind == BLOCK_COLUMN && v->tier == TSDB_RAW) {
            v->out->samples += count_values(cells, view->row_total);
        }
    }
    return code;
}

/* A bucket is one slice. */
static bool in_order(enum tsdb_tier tier, const struct block_view *view)
{
    for (size_t i = 1; i < view->slice_count; i++) {
        if (tier_bucket_end(tier, view->slices[i - 1].t_ms) >=
            tier_bucket_end(tier, view->slices[i].t_ms)) {
            return false;
        }
    }
    return true;
}

static enum err_code check_block(struct verify *v, struct sqldb *db, struct sqldb_stmt *s,
                                 size_t *parts, struct err *e)
{
    struct block_view view;
    arena_reset(&v->arena);
    struct str head = arena_str(&v->arena, sqldb_get_blob(s, 7));
    enum err_code code = block_open(head, &v->arena, &view, e);

    if (code) {
        return code;
    }
    *parts = view.part_count;
    if (view.group != (uint64_t)sqldb_get_i64(s, 1) ||
        view.slice_count != (size_t)sqldb_get_i64(s, 5) || view.slice_count == 0 ||
        view.slices[0].t_ms != sqldb_get_i64(s, 3) ||
        view.slices[view.slice_count - 1].t_ms != sqldb_get_i64(s, 4)) {
        return err_set(e, ERR_CORRUPT, "head and row differ");
    }
    for (size_t i = 0; i < view.slice_count; i++) {
        check_ids(v, &view.slices[i], sqldb_get_i64(s, 0));
    }
    if (v->tier != TSDB_RAW && !in_order(v->tier, &view)) {
        return err_set(e, ERR_CORRUPT, "two slices of one bucket, or out of order");
    }
    v->out->slices += v->tier == TSDB_RAW ? view.slice_count : 0;
    return check_stream(v, db, sqldb_get_i64(s, 0), &view, e);
}

static void check_blocks(struct verify *v, struct sqldb *db, uint64_t applied)
{
    struct sqldb_stmt *s = NULL;
    struct err e;
    bool row = true;
    enum err_code code = sqldb_query(db, "tsdb_block_list", SQLDB_NO_ARGS, &s, &e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, &e)) == ERR_OK && row) {
        struct err one;
        size_t parts = 0;
        if ((uint64_t)sqldb_get_i64(s, 2) > applied) {
            continue; /* of a flush that did not end: the journal still has it */
        }
        *(v->tier == TSDB_RAW ? &v->out->blocks : &v->out->rollup_blocks) += 1;
        if (check_block(v, db, s, &parts, &one)) {
            found_bad(v, "block", sqldb_get_i64(s, 0), &one);
        }
    }
    sqldb_end(s);
    if (code) {
        found(v, e.text);
    }
}

static void mend_blocks(struct verify *v, struct sqldb *db)
{
    const struct repair_file file = {v->dir, v->file};
    struct err e;

    for (size_t i = 0; i < v->bad_count; i++) {
        if (repair_block(&file, db, v->bad[i].id, v->bad[i].why.text, &e)) {
            found(v, e.text);
        } else {
            repaired(v, "block %lld moved to damaged.db", (long long)v->bad[i].id);
        }
    }
    v->bad_count = 0;
}

/* repair_check: of a file whose structure is damaged. */
static bool decodes(void *arg, struct sqldb *db, int64_t id, size_t *parts)
{
    struct verify *v = arg;
    struct sqldb_stmt *s = NULL;
    struct err e;
    enum err_code code = sqldb_row(db, "tsdb_block_row", SQLDB_ARGS(sqldb_i64(id)), &s, &e);

    if (code == ERR_OK) {
        code = check_block(v, db, s, parts, &e);
    }
    sqldb_end(s);
    return code == ERR_OK;
}

static void mend_day(struct verify *v)
{
    const struct repair_file file = {v->dir, v->file};
    struct repair_day r = {.check = decodes, .arg = v};
    struct err e;

    if (repair_day(&file, &r, &e)) {
        found(v, e.text);
    } else {
        repaired(v,
                 "written anew with the %llu blocks that can be read, %llu cannot; moved to "
                 "damaged/",
                 (unsigned long long)r.saved, (unsigned long long)r.lost);
    }
}

static void on_day(void *arg, const char *name)
{
    struct verify *v = arg;
    struct sqldb *db = NULL;
    struct err e;
    uint64_t applied = 0;
    uint32_t edition = 0;
    int64_t day = 0;
    char folder[16];

    if (!days_parse_name(name, &day, &edition)) {
        return;
    }
    (void)snprintf(folder, sizeof(folder), "%.8s", v->file); /* raw/fast or raw/slow */
    (void)snprintf(v->file, sizeof(v->file), "%s/%s", folder, name);
    enum err_code code = open_file(v, &db, &e);
    if (code == ERR_OK) {
        check_applied(v, db, &applied);
        check_blocks(v, db, applied);
        mend_blocks(v, db);
        sqldb_close(db);
    } else if (code == ERR_CORRUPT && v->out->repair) {
        mend_day(v);
    }
}

static void check_days(struct verify *v, const char *folder)
{
    char path[PATH_MAX];
    struct err e;

    (void)snprintf(path, sizeof(path), "%s/%s", v->dir, folder);
    (void)snprintf(v->file, sizeof(v->file), "%s", folder);
    if (was_never_there(v, path)) {
        return;
    }
    if (file_list(path, on_day, v, &e)) {
        found(v, e.text);
    }
}

/* Blocks of roll-ups are checked as those of readings, and for the order of their buckets. */
static void on_tier(void *arg, const char *name)
{
    struct verify *v = arg;
    struct sqldb *db = NULL;
    struct err e;
    int64_t watermark = 0;
    int month = 0;
    char folder[16];

    if (!tier_parse_name(name, &month)) {
        return;
    }
    (void)snprintf(folder, sizeof(folder), "%.6s", v->file); /* tier5m or tier1h */
    (void)snprintf(v->file, sizeof(v->file), "%s/%s", folder, name);
    if (open_file(v, &db, &e) == ERR_OK) {
        if (tier_read_watermark(db, &watermark, &e)) {
            found(v, e.text);
        }
        check_blocks(v, db, UINT64_MAX);
        sqldb_close(db);
    }
}

static void check_tiers(struct verify *v, enum tsdb_tier tier, const char *folder)
{
    char path[PATH_MAX];
    struct err e;

    v->tier = tier;
    (void)snprintf(path, sizeof(path), "%s/%s", v->dir, folder);
    (void)snprintf(v->file, sizeof(v->file), "%s", folder);
    bool there = access(path, F_OK) == 0; /* a store of an older program has none */
    if (there && file_list(path, on_tier, v, &e)) {
        found(v, e.text);
    }
}

enum err_code tsdb_verify(const char *dir, struct tsdb_verify *out, struct err *e)
{
    struct verify *v = alloc_new(sizeof(*v));
    char path[PATH_MAX];
    int fd = -1;

    v->out = out;
    v->dir = dir;
    out->files = out->journal_rows = out->blocks = out->slices = out->samples = 0;
    out->rollup_blocks = 0;
    v->tier = TSDB_RAW;
    (void)snprintf(path, sizeof(path), "%s/lock", dir);
    enum err_code code = file_lock(path, &fd, e);
    if (code == ERR_OK) {
        v->catalog = catalog_new();
        arena_init(&v->arena, "tsdb verify", TSDB_ARENA_BYTES);
        check_ingest(v);
        check_derived(v, "text.db");
        check_derived(v, "event.db");
        check_days(v, "raw/fast");
        check_days(v, "raw/slow");
        check_tiers(v, TSDB_TIER_5M, "tier5m");
        check_tiers(v, TSDB_TIER_1H, "tier1h");
        arena_fini(&v->arena);
        catalog_free(v->catalog);
        alloc_free(v->dropped);
        alloc_free(v->bad);
        file_close(fd);
    }
    if (code == ERR_OK && v->findings) {
        code = err_set(e, ERR_CORRUPT, "%llu findings", (unsigned long long)v->findings);
    }
    alloc_free(v);
    return code;
}
