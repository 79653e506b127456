/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_sessions.c: active session history: pg_stat_activity once a second, counted over ten
 * seconds.
 *
 * Each run is one tick: a prepared query of sessions that do something, without our own. Equal key
 * tuples are counted in a map; when the window is over the counts leave as one slice of the fact
 * relation pg_session_history, beside the number of ticks that were really taken.
 * Invariants: (1) samples are only counted together with their tick; (2) the map holds at most
 * FOLD_MAX tuples: beyond, the application name and query id of new ones are given up, never the
 * sample.
 * Threads: one run at a time.
 */
#include <stdlib.h>
#include <string.h>

#include "probe/probe.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/map.h"
#include "os/clock.h"

#define WINDOW_MS    10000
#define FOLD_MAX     4000
#define ASK_AGAIN_US (3600LL * 1000000)

static const char *const RELATIONS[] = {"pg_session_history", "pg_session_ticks", NULL};

/* Keys of pg_session_history in the order of the catalogue and of the query. */
enum { KEY_APPLICATION = 2, KEY_QUERY_ID = 7, KEY_COUNT = 8, COLUMN_HIDDEN = 8, COLUMN_COUNT = 9 };

struct fold {
    struct map *counts; /* key tuple, members joined by NUL -> uint64_t */
    int64_t from_ms;    /* start of the window; 0 = none open */
    uint64_t ticks;
    int64_t cost_us; /* of all ticks in the window */
    uint64_t hidden; /* sessions that the role may not see */
    bool no_query_ids;
    int64_t ask_query_ids_us; /* when to ask the setting again */
    struct err failed;        /* of the last tick that failed in this window */
};

static void forget(void *data)
{
    struct fold *f = data;
    map_free(f->counts, alloc_free);
    alloc_free(f);
}

static struct fold *memory(struct probe_run *r)
{
    struct fold *f = r->memory->data;
    if (!f) {
        f = alloc_new(sizeof(*f));
        f->counts = map_new();
        r->memory->data = f;
    }
    return f;
}

/* One sample into the map. Names hold no NUL byte, so joined members stay distinct. */
static void count_sample(struct fold *f, const struct str *cells)
{
    char key[KEY_COUNT * (LIMIT_KEY_BYTES + 1)];
    size_t len = 0;
    bool full = map_count(f->counts) >= FOLD_MAX;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        struct str cell = cells[i];
        if (full && (i == KEY_APPLICATION || i == KEY_QUERY_ID)) {
            cell = i == KEY_APPLICATION ? STR("(many)") : STR("");
        }
        size_t n = cell.len < LIMIT_KEY_BYTES ? cell.len : LIMIT_KEY_BYTES;
        if (n) {
            memcpy(key + len, cell.ptr, n);
        }
        len += n;
        key[len++] = '\0';
    }
    uint64_t *count = map_get(f->counts, str_make(key, len));
    if (!count) {
        count = alloc_new(sizeof(*count));
        map_put(f->counts, str_make(key, len), count);
    }
    ++*count;
}

/* The rows of one tick are held back until the query has ended well: invariant (1). */
static enum err_code take_sample(struct probe_run *r, struct fold *f, struct err *e)
{
    static const struct probe_question sample = {
        .file = "pg_session_history", .query = "sample", .prepared = "pga_sample"};
    struct pgclient_result res;
    int64_t start_us = clock_mono_us();
    if (probe_ask(r, &sample, &res, e)) {
        return e->code;
    }
    if (res.row_count && res.column_count != COLUMN_COUNT) {
        return err_set(e, ERR_BUG, "the sample has %zu columns", res.column_count);
    }
    f->cost_us += clock_mono_us() - start_us;
    f->ticks++;
    for (size_t i = 0; i < res.row_count; i++) {
        const struct str *cells = res.cells + i * COLUMN_COUNT;
        if (str_eq_c(cells[COLUMN_HIDDEN], "t")) {
            f->hidden++;
        } else {
            count_sample(f, cells);
        }
    }
    return ERR_OK;
}

/* Once an hour: are there query ids at all? */
static void ask_query_ids(struct probe_run *r, struct fold *f)
{
    static const struct probe_question question = {.file = "pg_session_history",
                                                   .query = "query_ids"};
    struct pgclient_result res;
    if (clock_mono_us() < f->ask_query_ids_us || probe_ask(r, &question, &res, NULL) ||
        res.row_count != 1) {
        return;
    }
    f->ask_query_ids_us = clock_mono_us() + ASK_AGAIN_US;
    bool automatic = str_eq_c(res.cells[0], "auto") && r->server->statements_loaded;
    bool on = str_eq_c(res.cells[0], "on") || str_eq_c(res.cells[0], "regress");
    f->no_query_ids = !on && !automatic;
}

static void split_key(struct str joined, struct str *keys)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        keys[i] = str_split(&joined, '\0');
    }
}

static enum err_code emit_history(struct probe_run *r, struct fold *f, int64_t t_ms, struct err *e)
{
    const struct catalogue_file *file = catalogue_find(r->catalogue, RELATIONS[0]);
    struct slice_times times = {t_ms, f->from_ms, WINDOW_MS};
    struct slice_builder sb;
    struct slice *s;
    struct str joined, keys[KEY_COUNT];
    void *count;
    size_t at = 0;
    if (f->ticks == 0) {
        probe_emit_failed(r, RELATIONS[0], f->failed.text);
        return ERR_OK;
    }
    slice_build_begin(&sb, r->arena, &file->relation, &r->target, STR(""), &times);
    while (map_next(f->counts, &at, &joined, &count)) {
        split_key(joined, keys);
        slice_build_row(&sb, keys);
        slice_build_cell(&sb, 0, cell_u64(*(uint64_t *)count));
    }
    if (slice_build_end(&sb, SLICE_COMPLETE, &s, e)) {
        return e->code;
    }
    probe_emit(r, s);
    return ERR_OK;
}

static enum err_code emit_ticks(struct probe_run *r, struct fold *f, int64_t t_ms, struct err *e)
{
    const struct catalogue_file *file = catalogue_find(r->catalogue, RELATIONS[1]);
    struct slice_times times = {t_ms, f->from_ms, WINDOW_MS};
    struct slice_builder sb;
    struct slice *s;
    int64_t due = r->every_ms > 0 ? (t_ms - f->from_ms + r->every_ms / 2) / r->every_ms : 0;
    int64_t ticks = (int64_t)f->ticks;
    if (!file) {
        return err_set(e, ERR_BUG, "the catalogue has no %s", RELATIONS[1]);
    }
    slice_build_begin(&sb, r->arena, &file->relation, &r->target, STR(""), &times);
    slice_build_row(&sb, NULL);
    slice_build_cell(&sb, 0, cell_i64(ticks));
    slice_build_cell(&sb, 1, cell_i64(due > ticks ? due - ticks : 0));
    if (ticks) {
        int64_t mean_us = f->cost_us / ticks;
        slice_build_cell(&sb, 2, cell_f64((double)mean_us / 1000));
    }
    if (slice_build_end(&sb, SLICE_COMPLETE, &s, e)) {
        return e->code;
    }
    probe_emit(r, s);
    return ERR_OK;
}

static void report(struct probe_run *r, const struct fold *f)
{
    if (f->hidden) {
        r->report->state = PROBE_DENIED;
        r->report->reason = arena_printf(r->arena, "%llu samples are hidden from the role %s",
                                         (unsigned long long)f->hidden, r->server->user);
        r->report->fix = arena_printf(r->arena, "GRANT pg_read_all_stats TO \"%s\"",
                                      r->server->user);
    } else if (r->server && r->server->version_num < 140000) {
        r->report->reason = "no query ids: they need PostgreSQL 14";
    } else if (f->no_query_ids) {
        r->report->reason = "no query ids: compute_query_id is off";
        r->report->fix = probe_fix(r, "fix_query_ids");
    }
}

static enum err_code close_window(struct probe_run *r, struct fold *f, int64_t t_ms, struct err *e)
{
    enum err_code code = emit_history(r, f, t_ms, e);
    code = code ? code : emit_ticks(r, f, t_ms, e);
    map_clear(f->counts, alloc_free);
    f->from_ms = t_ms;
    f->ticks = 0;
    f->hidden = 0;
    f->cost_us = 0;
    return code;
}

/* A tick without a connection (r->pg == NULL) still lets the window end. */
static enum err_code run(struct probe_run *r, struct err *e)
{
    struct fold *f = memory(r);
    int64_t now_ms = probe_now_ms(r);
    struct err tick = {0};
    if (!f->from_ms || f->from_ms > now_ms) { /* the clock was set back */
        f->from_ms = now_ms - r->every_ms;
    }
    enum err_code code = ERR_OK;
    if (r->pg) {
        ask_query_ids(r, f);
        code = take_sample(r, f, &tick);
    } else {
        code = err_set(&tick, ERR_UNREACHABLE, "no connection");
    }
    if (code) {
        f->failed = tick;
        err_set(e, code, "%s", tick.text);
    }
    if (r->server) {
        report(r, f);
    }
    /* Windows end on multiples of ten seconds, give or take half a tick. */
    bool over = (now_ms + r->every_ms / 2) / WINDOW_MS > (f->from_ms + r->every_ms / 2) / WINDOW_MS;
    if (over || (r->flags & PROBE_FLUSH)) {
        struct err closing = {0};
        if (close_window(r, f, now_ms, &closing)) {
            return err_set(e, closing.code, "%s", closing.text);
        }
    }
    return code;
}

const struct probe probe_sessions = {
    .name = "sessions",
    .summary = "Active session history.",
    .scope = CATALOGUE_CLUSTER,
    .clock_ms = 1000,
    .timeout_ms = 800,
    .privilege = "pg_read_all_stats",
    .relations = RELATIONS,
    .source = "pg_stat_activity, PostgreSQL >= 10",
    .samples = true,
    .run = run,
    .forget = forget,
};
