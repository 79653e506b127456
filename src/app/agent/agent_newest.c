/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_newest.c: see the header.
 *
 *     shelf   one relation of one target (and database): the rows of its newest reading
 *     row     label values and one number a column
 *
 * A complete reading makes the rows anew: what is not in it has ended. A sparse one adds to them.
 */
#include "app/agent/agent_newest.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "os/clock.h"

#define LOCK_RANK    33 /* below the target's */
#define ROWS_MAX     20000
#define SHELF_ROWS   2000
#define STALE_TIMES  5
#define STALE_MIN_MS 60000

struct row {
    char *labels; /* label values, each with its NUL */
    struct cell cells[];
};

struct shelf {
    const struct relation *relation;
    char target[128], scope[128];
    int64_t read_mono_ms, every_ms;
    bool failed;
    struct map *rows; /* label values -> struct row */
};

struct agent_newest {
    struct lock lock;
    const struct catalogue *catalogue;
    struct map *shelves;
    size_t rows;
    uint64_t dropped;
    struct agent_target *const *targets;
    size_t target_count;
};

static void free_row(void *p)
{
    struct row *row = p;

    alloc_free(row->labels);
    alloc_free(row);
}

static void free_shelf(void *p)
{
    struct shelf *s = p;

    map_free(s->rows, free_row);
    alloc_free(s);
}

struct agent_newest *agent_newest_new(const struct catalogue *cat)
{
    struct agent_newest *n = alloc_new(sizeof(*n));

    n->catalogue = cat;
    n->shelves = map_new();
    lock_init(&n->lock, "newest", LOCK_RANK);
    return n;
}

void agent_newest_free(struct agent_newest *n)
{
    if (n == NULL)
        return;
    map_free(n->shelves, free_shelf);
    lock_fini(&n->lock);
    alloc_free(n);
}

void agent_newest_watch(struct agent_newest *n, struct agent_target *const *targets, size_t count)
{
    lock_take(&n->lock);
    n->targets = targets;
    n->target_count = count;
    map_clear(n->shelves, free_shelf);
    n->rows = 0;
    lock_release(&n->lock);
}

/* --- taking ----------------------------------------------------------------------------------- */

/* Keys of facts that would make a series of everything that happens. */
static bool is_label(const struct relation *r, size_t key)
{
    static const char *const exploding[] = {"query_id", "queryid",     "application_name",
                                            "usename",  "client_addr", "pid"};

    for (size_t i = 0; r->shape == RELATION_FACT && i < sizeof(exploding) / sizeof(exploding[0]);
         i++) {
        if (str_eq_c(r->keys[key].name, exploding[i]))
            return false;
    }
    return true;
}

static struct shelf *shelf_of(struct agent_newest *n, const struct relation *r,
                              const struct agent_target *t, const struct slice *s)
{
    struct shelf *shelf;
    struct buf key;

    buf_init(&key, 4096);
    buf_printf(&key, "%.*s|%s|%.*s", STR_ARG(r->name), t->name, STR_ARG(s->scope));
    shelf = map_get(n->shelves, buf_view(&key));
    if (shelf == NULL) {
        shelf = alloc_new(sizeof(*shelf));
        shelf->relation = r;
        shelf->rows = map_new();
        snprintf(shelf->target, sizeof(shelf->target), "%s", t->name);
        snprintf(shelf->scope, sizeof(shelf->scope), "%.*s", STR_ARG(s->scope));
        (void)map_put(n->shelves, buf_view(&key), shelf);
    }
    buf_fini(&key);
    return shelf;
}

static void take_cells(const struct relation *r, const struct slice *s, size_t at, struct row *row)
{
    for (size_t c = 0; c < s->column_count; c++) {
        int column = relation_find_column(r, s->columns[c].name);
        struct cell value = s->columns[c].cells[at];

        if (column < 0)
            continue;
        if (r->columns[column].kind == RELATION_DELTA || r->shape == RELATION_FACT)
            cell_add(&row->cells[column], value);
        else if (r->columns[column].kind != RELATION_TEXT)
            row->cells[column] = value;
    }
}

/* The label values of a row, each with a NUL behind it. */
static void name_row(const struct relation *r, const struct slice *s, size_t at, struct buf *out)
{
    buf_reset(out);
    for (size_t k = 0; k < r->key_count; k++) {
        if (!is_label(r, k))
            continue;
        for (size_t i = 0; i < s->key_count; i++) {
            if (str_eq(s->key_names[i], r->keys[k].name))
                buf_add_str(out, s->keys[i][at]);
        }
        buf_add_char(out, '\0');
    }
}

static struct row *new_row(struct agent_newest *n, struct shelf *shelf, const struct buf *name)
{
    struct row *row;

    if (n->rows >= ROWS_MAX || map_count(shelf->rows) >= SHELF_ROWS) {
        n->dropped++;
        return NULL;
    }
    row = alloc_new(sizeof(*row) + shelf->relation->column_count * sizeof(struct cell));
    row->labels = alloc_new(name->len + 1);
    memcpy(row->labels, name->ptr, name->len);
    (void)map_put(shelf->rows, buf_view(name), row);
    n->rows++;
    return row;
}

/* Rows of a complete reading replace the others; those that go on keep their sums. */
static void take_rows(struct agent_newest *n, struct shelf *shelf, const struct slice *s)
{
    const struct relation *r = shelf->relation;
    bool anew = (s->flags & SLICE_COMPLETE) != 0 && !r->sparse && r->shape == RELATION_OBJECT;
    struct map *old = shelf->rows;
    struct buf name;

    buf_init(&name, 65536);
    if (anew) {
        n->rows -= map_count(old);
        shelf->rows = map_new();
    }
    for (size_t i = 0; i < s->row_count; i++) {
        struct row *row;

        name_row(r, s, i, &name);
        row = map_get(shelf->rows, buf_view(&name));
        if (row == NULL && anew) {
            row = map_remove(old, buf_view(&name));
            if (row != NULL) {
                (void)map_put(shelf->rows, buf_view(&name), row);
                n->rows++;
            }
        }
        if (row == NULL)
            row = new_row(n, shelf, &name);
        if (row != NULL)
            take_cells(r, s, i, row);
    }
    if (anew)
        map_free(old, free_row);
    buf_fini(&name);
}

static void forget_gone(struct agent_newest *n, struct shelf *shelf, const struct slice *s)
{
    for (size_t i = 0; i < s->gone_count; i++) {
        struct buf name;
        struct row *row;

        buf_init(&name, 65536);
        for (size_t k = 0; k < s->key_count; k++) {
            buf_add_str(&name, s->gone[i][k]);
            buf_add_char(&name, '\0');
        }
        row = map_remove(shelf->rows, buf_view(&name));
        if (row != NULL) {
            free_row(row);
            n->rows--;
        }
        buf_fini(&name);
    }
}

void agent_newest_take(struct agent_newest *n, const struct agent_target *t,
                       const struct agent_cycle *c)
{
    lock_take(&n->lock);
    for (size_t i = 0; i < c->out.slice_count; i++) {
        const struct slice *s = &c->out.slices[i];
        char name[128];
        const struct catalogue_file *f;
        struct shelf *shelf;

        snprintf(name, sizeof(name), "%.*s", STR_ARG(s->relation));
        f = catalogue_find(n->catalogue, name);
        if (f == NULL || strncmp(name, "pga_", 4) == 0) /* of the agent itself: written live */
            continue;
        shelf = shelf_of(n, &f->relation, t, s);
        shelf->failed = (s->flags & SLICE_FAILED) != 0;
        if (shelf->failed)
            continue;
        shelf->read_mono_ms = clock_mono_ms();
        shelf->every_ms = s->every_ms;
        take_rows(n, shelf, s);
        forget_gone(n, shelf, s);
    }
    lock_release(&n->lock);
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool is_shown(const struct shelf *s)
{
    int64_t limit = STALE_TIMES * s->every_ms;

    if (s->relation->shape == RELATION_FACT) /* sums: nothing new is no change */
        return true;
    if (limit < STALE_MIN_MS)
        limit = STALE_MIN_MS;
    return !s->failed && clock_mono_ms() - s->read_mono_ms < limit;
}

static void put_row(struct openmetrics *m, const struct shelf *s, const struct row *row,
                    size_t column)
{
    const struct relation *r = s->relation;
    const char *value = row->labels;

    if (row->cells[column].tag == CELL_NULL || row->cells[column].tag == CELL_STR)
        return;
    openmetrics_sample(m, NULL);
    openmetrics_label(m, STR("target"), str_of(s->target));
    if (s->scope[0] != '\0' && relation_find_key(r, STR("datname")) < 0)
        openmetrics_label(m, STR("datname"), str_of(s->scope));
    for (size_t k = 0; k < r->key_count; k++) {
        if (!is_label(r, k))
            continue;
        openmetrics_label(m, r->keys[k].name, str_of(value));
        value += strlen(value) + 1;
    }
    openmetrics_value(m, row->cells[column]);
}

static void put_column(struct agent_newest *n, struct openmetrics *m, const struct relation *r,
                       size_t column)
{
    const struct relation_column *c = &r->columns[column];
    size_t pos = 0, at;
    struct str key;
    void *value;
    char name[256];

    snprintf(name, sizeof(name), "%.*s_%.*s", STR_ARG(r->name), STR_ARG(c->name));
    openmetrics_family(m, &(struct openmetrics_family){
                              str_of(name),
                              c->kind == RELATION_GAUGE ? OPENMETRICS_GAUGE : OPENMETRICS_COUNTER,
                              c->unit, c->help});
    while (map_next(n->shelves, &pos, &key, &value)) {
        const struct shelf *s = value;
        void *row;

        at = 0;
        while (s->relation == r && is_shown(s) && map_next(s->rows, &at, &key, &row))
            put_row(m, s, row, column);
    }
}

/* One number of a probe's status. */
enum probe_fact { PROBE_UP, PROBE_SECONDS, PROBE_ROWS, PROBE_RUNS, PROBE_ERRORS, PROBE_LAST };

#define TEXT(s) OPENMETRICS_STR(s)
#define NONE    OPENMETRICS_STR("")

static const struct openmetrics_family probe_families[] = {
    [PROBE_UP] = {TEXT("pga_probe_ok"), OPENMETRICS_GAUGE, NONE,
                  TEXT("1 while the probe yields data; the label says what state it is in.")},
    [PROBE_SECONDS] = {TEXT("pga_probe_duration_seconds"), OPENMETRICS_GAUGE, TEXT("seconds"),
                       TEXT("How long the last run took.")},
    [PROBE_ROWS] = {TEXT("pga_probe_rows"), OPENMETRICS_GAUGE, NONE, TEXT("Rows of the last run.")},
    [PROBE_RUNS] = {TEXT("pga_probe_runs"), OPENMETRICS_COUNTER, NONE, TEXT("Runs so far.")},
    [PROBE_ERRORS] = {TEXT("pga_probe_errors"), OPENMETRICS_COUNTER, NONE,
                      TEXT("Runs that failed.")},
    [PROBE_LAST] = {TEXT("pga_probe_last_run_timestamp_seconds"), OPENMETRICS_GAUGE,
                    TEXT("seconds"), TEXT("When the last run was, since 1970-01-01 UTC.")},
};

static struct cell fact_of(const struct agent_status *s, enum probe_fact fact)
{
    switch (fact) {
    case PROBE_UP:
        return cell_i64(s->state == PROBE_OK);
    case PROBE_SECONDS:
        return cell_f64(s->duration_ms / 1000);
    case PROBE_ROWS:
        return cell_u64(s->rows);
    case PROBE_RUNS:
        return cell_u64(s->runs);
    case PROBE_ERRORS:
        return cell_u64(s->errors);
    case PROBE_LAST:
        return cell_f64((double)s->last_run_ms / 1000);
    }
    return cell_i64(0);
}

static void put_probes_of(struct agent_target *t, struct openmetrics *m, enum probe_fact fact)
{
    lock_take(&t->lock);
    for (size_t l = 0; l < t->lane_count; l++) {
        for (size_t i = 0; i < t->lanes[l].slot_count; i++) {
            const struct agent_slot *slot = &t->lanes[l].slots[i];

            openmetrics_sample(m, NULL);
            openmetrics_label(m, STR("target"), str_of(t->name));
            openmetrics_label(m, STR("kind"), str_of(t->kind));
            openmetrics_label(m, STR("probe"), str_of(slot->probe->name));
            if (fact == PROBE_UP)
                openmetrics_label(m, STR("state"), str_of(probe_state_name(slot->status.state)));
            openmetrics_value(m, fact_of(&slot->status, fact));
        }
    }
    lock_release(&t->lock);
}

void agent_newest_write(struct agent_newest *n, struct openmetrics *m)
{
    static const struct openmetrics_family dropped = {
        TEXT("pga_agent_rows_not_shown"), OPENMETRICS_COUNTER, NONE,
        TEXT("Rows left out because there were too many.")};

    lock_take(&n->lock);
    for (size_t f = 0; f < n->catalogue->count; f++) {
        const struct relation *r = &n->catalogue->files[f].relation;

        for (size_t c = 0; c < r->column_count; c++) {
            if (r->columns[c].kind != RELATION_TEXT)
                put_column(n, m, r, c);
        }
    }
    for (int fact = PROBE_UP; fact <= PROBE_LAST; fact++) {
        openmetrics_family(m, &probe_families[fact]);
        for (size_t t = 0; t < n->target_count; t++)
            put_probes_of(n->targets[t], m, (enum probe_fact)fact);
    }
    openmetrics_single(m, &dropped, cell_u64(n->dropped));
    lock_release(&n->lock);
}
