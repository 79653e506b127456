/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_statements_emit.c: which statements are sent by themselves, and the exact rest.
 *
 * Statements that are among the first TOP_COUNT by any of several measures are rows of their own;
 * the others are summed into one row a database, so that totals stay exact. Times are summed in
 * whole steps.
 * Threads: works on one reading.
 */
#include "probe/probe_statements.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_ALL_UP_TO 300
#define TOP_COUNT      60
#define GONE_MAX       5000

static const char *const MEASURES[] = {
    "total_exec_time",
    "calls",
    "rows",
    "shared_blks_read",
    "shared_blks_dirtied",
    "shared_blks_written",
    "temp_blks_read",
    "temp_blks_written",
    "wal_bytes",
    NULL,
};

struct ranked {
    int64_t value;
    struct statements_change *change;
};

static int by_value_descending(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return (x->value < y->value) - (x->value > y->value);
}

static void keep_top(struct statements_reading *g, struct ranked *ranking, size_t count, int column)
{
    for (size_t i = 0; i < count; i++) {
        ranking[i].value = ranking[i].change->deltas[column];
    }
    qsort(ranking, count, sizeof(*ranking), by_value_descending);
    for (size_t i = 0; i < count && i < TOP_COUNT && ranking[i].value > 0; i++) {
        ranking[i].change->kept = true;
    }
    (void)g;
}

void probe_statements_choose(struct statements_reading *g)
{
    struct ranked *ranking = arena_array(g->run->arena, g->change_count, sizeof(*ranking));
    size_t count = 0;
    for (size_t i = 0; ranking && i < g->change_count; i++) {
        if (!g->changes[i].unknown) {
            ranking[count++].change = &g->changes[i];
        }
    }
    for (size_t i = 0; count <= KEEP_ALL_UP_TO && i < count; i++) {
        ranking[i].change->kept = true;
    }
    for (size_t m = 0; count > KEEP_ALL_UP_TO && MEASURES[m]; m++) {
        int column = relation_find_column(g->relation, str_of(MEASURES[m]));
        if (column >= 0) {
            keep_top(g, ranking, count, column);
        }
    }
}

static struct cell value_cell(const struct relation_column *column, int64_t value)
{
    if (value == STATEMENTS_ABSENT) {
        return (struct cell){.tag = CELL_NULL};
    }
    if (column->type == RELATION_F64) {
        return cell_f64((double)value / round(1 / column->resolution));
    }
    return cell_i64(value);
}

static void put_row(struct slice_builder *sb, const struct relation *r, const struct str *keys,
                    const int64_t *deltas)
{
    slice_build_row(sb, keys);
    for (size_t i = 0; i < r->column_count; i++) {
        slice_build_cell(sb, i, value_cell(&r->columns[i], deltas[i]));
    }
}

static void put_change(struct statements_reading *g, struct slice_builder *sb,
                       const struct statements_change *c)
{
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)c->queryid);
    const struct str keys[] = {c->datname, c->usename, str_of(id),
                               c->toplevel ? STR("true") : STR("false")};
    put_row(sb, g->relation, keys, c->deltas);
    if (c->reset) {
        slice_build_reset(sb);
    }
}

/* Add what is not kept to the sums of its database. */
static void add_to_rest(struct statements_reading *g, struct map *rest,
                        const struct statements_change *c)
{
    int64_t *sums = map_get(rest, c->datname);
    if (!sums) {
        sums = arena_array(g->run->arena, g->relation->column_count, sizeof(*sums));
        if (!sums) {
            return;
        }
        for (size_t i = 0; i < g->relation->column_count; i++) {
            sums[i] = STATEMENTS_ABSENT;
        }
        map_put(rest, c->datname, sums);
    }
    for (size_t i = 0; i < g->relation->column_count; i++) {
        if (c->deltas[i] != STATEMENTS_ABSENT) {
            sums[i] = (sums[i] == STATEMENTS_ABSENT ? 0 : sums[i]) + c->deltas[i];
        }
    }
}

static void put_rest(struct statements_reading *g, struct slice_builder *sb, const struct map *rest)
{
    size_t at = 0;
    struct str datname;
    void *sums;
    while (map_next(rest, &at, &datname, &sums)) {
        const struct str keys[] = {datname, STR(""), STR("other"), STR("")};
        put_row(sb, g->relation, keys, sums);
    }
}

/* Entries that were sent once and that this reading did not see. */
static void put_gone(struct statements_reading *g, struct slice_builder *sb)
{
    size_t at = 0, count = 0;
    struct str key;
    void *value;
    while (count < GONE_MAX && map_next(g->memory->entries, &at, &key, &value)) {
        const struct statements_entry *entry = value;
        if (entry->seen == g->memory->reading + 1 || !entry->emitted) {
            continue;
        }
        char id[24];
        snprintf(id, sizeof(id), "%lld", (long long)entry->queryid);
        const struct str keys[] = {str_of(entry->datname), str_of(entry->usename), str_of(id),
                                   entry->toplevel ? STR("true") : STR("false")};
        slice_build_gone(sb, keys);
        count++;
    }
}

static void mark_seen(struct statements_reading *g)
{
    for (size_t i = 0; i < g->change_count; i++) {
        if (g->changes[i].entry) {
            g->changes[i].entry->seen = g->memory->reading + 1;
        }
    }
}

static enum err_code emit_statements(struct statements_reading *g, struct err *e)
{
    struct slice_times times = {g->t_ms, g->memory->read_ms, g->run->every_ms};
    struct slice_builder sb;
    struct slice *s;
    struct map *rest = map_new();
    slice_build_begin(&sb, g->run->arena, g->relation, &g->run->target, STR(""), &times);
    for (size_t i = 0; i < g->change_count; i++) {
        const struct statements_change *c = &g->changes[i];
        if (c->kept) {
            put_change(g, &sb, c);
        } else if (!c->unknown) {
            add_to_rest(g, rest, c);
        }
    }
    put_rest(g, &sb, rest);
    map_free(rest, NULL);
    mark_seen(g);
    put_gone(g, &sb);
    if (slice_build_end(&sb, SLICE_COMPLETE, &s, e)) {
        return e->code;
    }
    probe_emit(g->run, s);
    return ERR_OK;
}

static void set(struct slice_builder *sb, const char *name, int64_t value)
{
    int at = relation_find_column(sb->relation, str_of(name));
    if (at >= 0 && value != STATEMENTS_ABSENT) {
        slice_build_cell(sb, (size_t)at, cell_i64(value));
    }
}

static enum err_code emit_info(struct statements_reading *g, struct err *e)
{
    const struct catalogue_file *f = catalogue_find(g->run->catalogue, "pg_stat_statements_info");
    struct slice_times times = {g->t_ms, g->t_ms, g->run->every_ms};
    struct slice_builder sb;
    struct slice *s;
    if (!f) {
        return err_set(e, ERR_BUG, "the catalogue has no pg_stat_statements_info");
    }
    slice_build_begin(&sb, g->run->arena, &f->relation, &g->run->target, STR(""), &times);
    slice_build_row(&sb, NULL);
    set(&sb, "dealloc", g->info.dealloc);
    set(&sb, "entries", (int64_t)g->rows);
    set(&sb, "max", g->info.max);
    set(&sb, "text_file_bytes", g->info.text_file_bytes);
    if (slice_build_end(&sb, SLICE_COMPLETE | SLICE_KEYFRAME, &s, e)) {
        return e->code;
    }
    probe_emit(g->run, s);
    return ERR_OK;
}

enum err_code probe_statements_emit(struct statements_reading *g, struct err *e)
{
    /* The first reading is only a start: it covers no interval. */
    if (g->memory->reading && emit_statements(g, e)) {
        return e->code;
    }
    return emit_info(g, e);
}
