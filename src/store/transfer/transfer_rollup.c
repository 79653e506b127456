/* SPDX-License-Identifier: PostgreSQL */
/*
 * transfer_rollup.c: roll-ups go into the destination, a month of a tier after the other.
 *
 * Blocks are copied as the bytes that they are, for all ids stay. Into PostgreSQL a month is one
 * transaction with the mark; in SQLite it is a file that is made anew when the mark did not come.
 * At the end the source's own marks take the place of those that the copied readings left
 * (transfer_dirty.c).
 */
#include "store/transfer/transfer_part.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "os/file.h"
#include "store/tsdb/postgres/pgstore_rollup.h"
#include "store/tsdb/postgres/pgstore_tables.h"
#include "store/tsdb/rollup/tier.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define COPY_BYTES ((size_t)4 * 1024 * 1024)
#define COPY_MAX   ((size_t)512 * 1024 * 1024)

struct writing {
    struct transfer *t;
    struct sqldb *file; /* SQLite */
    struct buf rows;    /* PostgreSQL */
};

/* --- PostgreSQL --- */

static enum err_code make_partition(struct transfer *t, const struct transfer_month *m,
                                    struct err *e)
{
    struct pgstore *p = pgstore_of(t->to.series);
    struct arena a;
    enum err_code code = transfer_take_lease(t, e);

    code = code ? code : pgstore_lead_begin(p, e);
    if (code) {
        return code;
    }
    arena_init(&a, "copied month", PGSTORE_TABLES_ARENA);
    code = pgstore_lead_end(p, pgstore_need_month(p, &a, m->tier, m->month, e), e);
    arena_fini(&a);
    return code;
}

static enum err_code load_rows(struct writing *w, struct err *e)
{
    enum err_code code = buf_check(&w->rows, e);

    if (code == ERR_OK && w->rows.len) {
        code = sqldb_load(w->t->to.control,
                          "COPY ts_tier (tier, grp, hour, id, part, t_min, t_max, data) FROM STDIN",
                          buf_view(&w->rows), e);
    }
    buf_reset(&w->rows);
    return code;
}

static enum err_code add_rows(struct writing *w, const struct transfer_block *b, struct err *e)
{
    const struct codec_slice *slices = b->view->slices;

    for (size_t i = 0; i <= b->part_count; i++) {
        const int64_t n[] = {b->tier,
                             (int64_t)b->group,
                             b->hour,
                             b->id,
                             (int64_t)i,
                             slices[0].t_ms,
                             slices[b->view->slice_count - 1].t_ms};
        for (size_t c = 0; c < sizeof(n) / sizeof(n[0]); c++) {
            buf_add_i64(&w->rows, n[c]);
            buf_add_char(&w->rows, '\t');
        }
        pgstore_copy_blob(&w->rows, i ? b->parts[i - 1] : b->head);
        buf_add_char(&w->rows, '\n');
    }
    return w->rows.len > COPY_BYTES ? load_rows(w, e) : ERR_OK;
}

/* --- SQLite --- */

static enum err_code insert_block(struct sqldb *file, const struct transfer_block *b, int64_t *id,
                                  struct err *e)
{
    const struct block_view *v = b->view;
    const struct codec_slice *last = &v->slices[v->slice_count - 1];
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(
        file, "tsdb_block_insert",
        SQLDB_ARGS(sqldb_i64((int64_t)b->group), sqldb_i64(0), sqldb_i64(v->slices[0].t_ms),
                   sqldb_i64(last->t_ms), sqldb_i64(last->every_ms), sqldb_i64(last->flags),
                   last->reason.len ? sqldb_text(last->reason) : sqldb_null(),
                   sqldb_i64((int64_t)v->slice_count), sqldb_i64((int64_t)v->row_total),
                   sqldb_blob(b->head.ptr, b->head.len)),
        &s, e);

    if (code == ERR_OK) {
        *id = sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code;
}

static enum err_code put_block(struct writing *w, const struct transfer_block *b, struct err *e)
{
    int64_t id = 0;
    enum err_code code = insert_block(w->file, b, &id, e);

    for (size_t i = 0; code == ERR_OK && i < b->part_count; i++) {
        code = sqldb_run(w->file, "tsdb_part_insert",
                         SQLDB_ARGS(sqldb_i64(id * BLOCK_PARTS_MAX + (int64_t)i),
                                    sqldb_blob(b->parts[i].ptr, b->parts[i].len)),
                         e);
    }
    return code;
}

static enum err_code make_file(struct writing *w, const struct transfer_month *m, struct err *e)
{
    char path[PATH_MAX];
    char folder[PATH_MAX];

    tier_path(w->t->to.series, m->tier, m->month, path, sizeof(path));
    (void)snprintf(folder, sizeof(folder), "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash) {
        *slash = '\0';
    }
    enum err_code code = file_make_dirs(folder, 0700, e);
    code = code ? code : days_unlink(path, e); /* of an earlier try */
    code = code ? code : tier_open(path, SQLDB_OWN_CHECKPOINT, &w->file, e);
    if (code == ERR_OK) {
        tier_set_watermark(w->t->to.series, m->tier, m->month, 0);
    }
    return code;
}

/* --- a month --- */

static enum err_code take_block(void *arg, const struct transfer_block *b, struct err *e)
{
    struct writing *w = arg;

    w->t->progress.rows += b->view->row_total;
    transfer_tell(w->t);
    return w->t->to.pg ? add_rows(w, b, e) : put_block(w, b, e);
}

static enum err_code write_month(struct writing *w, struct sqldb *db,
                                 const struct transfer_month *m, struct err *e)
{
    struct transfer *t = w->t;
    const struct transfer_blocks blocks = {.t = t, .side = &t->from, .visit = take_block, .arg = w};
    enum err_code code = sqldb_begin(db, e);

    if (code) {
        return code;
    }
    t->mark.table++;
    code = transfer_read_month(&blocks, m, e);
    if (code == ERR_OK && t->to.pg) {
        code = load_rows(w, e);
        code = code ? code : transfer_mark_put(db, &t->mark, e);
    }
    if (code) {
        sqldb_rollback(db);
        return code;
    }
    FAULT_POINT("transfer.rollup");
    return sqldb_commit(db, e);
}

static enum err_code copy_month(struct transfer *t, const struct transfer_month *m, struct err *e)
{
    struct writing w = {.t = t};

    buf_init(&w.rows, COPY_MAX);
    enum err_code code = t->to.pg ? make_partition(t, m, e) : make_file(&w, m, e);
    code = code ? code : write_month(&w, t->to.pg ? t->to.control : w.file, m, e);
    if (code == ERR_OK && !t->to.pg) {
        code = sqldb_checkpoint(w.file, e);
        FAULT_POINT("transfer.rollup_mark");
        code = code ? code : transfer_mark_save(t, e);
    }
    sqldb_close(w.file);
    buf_fini(&w.rows);
    return code;
}

enum err_code transfer_rollups_copy(struct transfer *t, struct err *e)
{
    struct transfer_month *months = NULL;
    size_t count = 0;
    enum err_code code = transfer_months(&t->from, &months, &count, e);

    t->progress = (struct transfer_progress){.step = "roll-ups", .total = count};
    while (code == ERR_OK && t->mark.table - transfer_table_count < count) {
        size_t at = t->mark.table - transfer_table_count;
        code = copy_month(t, &months[at], e);
        t->progress.done = at + 1;
        transfer_tell(t);
    }
    alloc_free(months);
    return code ? code : transfer_dirty_copy(t, e);
}
