/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_database_size.c: the size of each database, one at a time.
 *
 * pg_database_size walks the folders of a database: with millions of files that takes minutes. So
 * each database has its own statement under the session's statement_timeout; one that does not end
 * in time is left alone for an hour, and what the run has no time for comes first in the next one.
 * A database that was not measured keeps its row, with NULL.
 * Threads: one run at a time.
 */
#include <string.h>

#include "probe/probe.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/num.h"
#include "os/clock.h"

#define PAUSE_US (3600LL * 1000000) /* for a database that took too long */

static const char *const RELATIONS[] = {"pg_database", NULL};

enum { IN_DATNAME, IN_MAY, IN_COUNT };

struct sizes_memory {
    struct map *slow; /* database -> int64_t: when it is tried again, monotonic */
    size_t next;      /* where the next run begins */
};

struct sizes {
    struct probe_run *run;
    struct sizes_memory *memory;
    struct pgclient_result list;
    struct cell *cells; /* of the databases in the list */
    size_t denied, slow, late;
    struct str first_denied, first_slow;
};

static void forget(void *data)
{
    struct sizes_memory *m = data;
    map_free(m->slow, alloc_free);
    alloc_free(m);
}

static struct sizes_memory *memory(struct probe_run *r)
{
    struct sizes_memory *m = r->memory->data;
    if (!m) {
        m = alloc_new(sizeof(*m));
        m->slow = map_new();
        r->memory->data = m;
    }
    return m;
}

static enum err_code ask(struct sizes *s, const char *name, const struct str *param,
                         struct pgclient_result *out, struct err *e)
{
    struct probe_question question = {
        .file = RELATIONS[0], .query = name, .params = param, .param_count = param ? 1 : 0};
    return probe_ask(s->run, &question, out, e);
}

static bool is_paused(struct sizes *s, struct str datname)
{
    const int64_t *until_us = map_get(s->memory->slow, datname);
    if (!until_us || clock_mono_us() >= *until_us) {
        return false;
    }
    return true;
}

static void pause_it(struct sizes *s, struct str datname)
{
    int64_t *until_us = alloc_new(sizeof(*until_us));
    *until_us = clock_mono_us() + PAUSE_US;
    alloc_free(map_put(s->memory->slow, datname, until_us));
}

static void count(size_t *number, struct str *first, struct str datname)
{
    if ((*number)++ == 0) {
        *first = datname;
    }
}

/* ERR_OK also when this database alone could not be measured. */
static enum err_code measure(struct sizes *s, size_t i, struct err *e)
{
    struct str datname = s->list.cells[i * IN_COUNT + IN_DATNAME];
    struct pgclient_result res;
    int64_t bytes;
    if (!str_eq_c(s->list.cells[i * IN_COUNT + IN_MAY], "t")) {
        count(&s->denied, &s->first_denied, datname);
        return ERR_OK;
    }
    if (is_paused(s, datname)) {
        count(&s->slow, &s->first_slow, datname);
        return ERR_OK;
    }
    enum err_code code = ask(s, "size", &datname, &res, e);
    if (code == ERR_TIMEOUT && pgclient_alive(s->run->pg)) {
        pause_it(s, datname);
        count(&s->slow, &s->first_slow, datname);
        return ERR_OK;
    }
    if (code == ERR_DENIED) { /* what a provider keeps to itself */
        count(&s->denied, &s->first_denied, datname);
        return ERR_OK;
    }
    if (!code && res.row_count == 1 && res.cells[0].ptr &&
        !num_parse_i64(res.cells[0], 0, INT64_MAX, &bytes, NULL)) {
        s->cells[i] = cell_i64(bytes);
    }
    return code == ERR_NOT_FOUND ? ERR_OK : code; /* dropped at this moment */
}

static enum err_code measure_all(struct sizes *s, struct err *e)
{
    size_t n = s->list.row_count, first = n ? s->memory->next % n : 0;
    for (size_t k = 0; k < n; k++) {
        if (clock_mono_us() >= s->run->deadline_us) {
            s->late = n - k;
            s->memory->next = (first + k) % n;
            return ERR_OK;
        }
        if (measure(s, (first + k) % n, e)) {
            return e->code;
        }
    }
    s->memory->next = 0;
    return ERR_OK;
}

static enum err_code emit(struct sizes *s, struct err *e)
{
    struct probe_run *r = s->run;
    const struct catalogue_file *f = catalogue_find(r->catalogue, RELATIONS[0]);
    int64_t t = probe_now_ms(r);
    struct slice_times times = {t, t, r->every_ms};
    struct slice_builder sb;
    struct slice *slice;
    slice_build_begin(&sb, r->arena, &f->relation, &r->target, STR(""), &times);
    for (size_t i = 0; i < s->list.row_count; i++) {
        slice_build_row(&sb, &s->list.cells[i * IN_COUNT + IN_DATNAME]);
        slice_build_cell(&sb, 0, s->cells[i]);
    }
    if (slice_build_end(&sb, SLICE_COMPLETE | SLICE_KEYFRAME, &slice, e)) {
        return e->code;
    }
    probe_emit(r, slice);
    return ERR_OK;
}

static void report(const struct sizes *s)
{
    struct probe_report *p = s->run->report;
    struct arena *a = s->run->arena;
    if (s->denied) {
        p->state = PROBE_DENIED;
        p->reason = arena_printf(a, "no CONNECT right on %zu of %zu databases, %.*s the first",
                                 s->denied, s->list.row_count, STR_ARG(s->first_denied));
        p->fix = arena_printf(a, "GRANT pg_monitor TO \"%s\"", s->run->server->user);
    } else if (s->slow) {
        p->reason = arena_printf(a,
                                 "%zu of %zu databases take too long, %.*s the first: tried "
                                 "again after an hour",
                                 s->slow, s->list.row_count, STR_ARG(s->first_slow));
    } else if (s->late) {
        p->reason = arena_printf(a, "no time for %zu of %zu databases: they come first next time",
                                 s->late, s->list.row_count);
    }
}

static enum err_code run(struct probe_run *r, struct err *e)
{
    struct sizes s = {.run = r, .memory = memory(r)};
    if (ask(&s, "list", NULL, &s.list, e)) {
        return e->code;
    }
    if (s.list.row_count && s.list.column_count != IN_COUNT) {
        return err_set(e, ERR_BUG, "the list of databases has %zu columns", s.list.column_count);
    }
    s.cells = arena_array(r->arena, s.list.row_count, sizeof(*s.cells));
    if (arena_check(r->arena, e)) {
        return e->code;
    }
    if (measure_all(&s, e) || emit(&s, e)) {
        return e->code;
    }
    report(&s);
    return ERR_OK;
}

const struct probe probe_database_size = {
    .name = "database_size",
    .summary = "Size of each database.",
    .scope = CATALOGUE_CLUSTER,
    .clock_ms = 600000,
    .timeout_ms = 12000,
    .privilege = "CONNECT on the database, or pg_read_all_stats",
    .relations = RELATIONS,
    .source = "pg_database_size, PostgreSQL >= 10",
    .run = run,
    .forget = forget,
};
