/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_row.c: rows of a C probe, with cells set by name.
 *
 * Threads: works on the caller's run alone.
 */
#include "probe/probe_row.h"

enum err_code probe_rows_begin(struct probe_run *r, struct probe_rows *rows, const char *relation,
                               int64_t t_ms, struct err *e)
{
    const struct catalogue_file *f = catalogue_find(r->catalogue, relation);
    if (!f) {
        return err_set(e, ERR_BUG, "the catalogue has no %s", relation);
    }
    struct slice_times times = {t_ms, t_ms, r->every_ms};
    rows->relation = &f->relation;
    rows->unknown = false;
    slice_build_begin(&rows->sb, r->arena, rows->relation, &r->target, STR(""), &times);
    return ERR_OK;
}

void probe_rows_add(struct probe_rows *rows, const char *key)
{
    struct str value = str_of(key);
    slice_build_row(&rows->sb, &value);
}

void probe_rows_set(struct probe_rows *rows, const char *column, struct cell value)
{
    int at = relation_find_column(rows->relation, str_of(column));
    rows->unknown = rows->unknown || at < 0;
    if (at >= 0) {
        slice_build_cell(&rows->sb, (size_t)at, value);
    }
}

enum err_code probe_rows_end(struct probe_run *r, struct probe_rows *rows, size_t lost,
                             struct err *e)
{
    struct slice *s;
    if (rows->unknown) {
        return err_set(e, ERR_BUG, "a column is not in the catalogue");
    }
    if (slice_build_end(&rows->sb, lost ? 0 : SLICE_COMPLETE | SLICE_KEYFRAME, &s, e)) {
        return e->code;
    }
    if (lost) {
        r->report->reason = arena_printf(r->arena, "truncated: there are %zu rows more", lost);
        s->reason = str_of(r->report->reason);
    }
    probe_emit(r, s);
    return ERR_OK;
}
