/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_blocking.c: who blocks whom: chains of lock waits, their start and end as events.
 *
 * Every ten seconds one light look at who is in a lock wait. Only when somebody is, the lock
 * manager is asked about these processes. A chain is a blocker that waits for nobody itself (its
 * root) and all who wait for it, directly or behind others. Who waits for several roots belongs to
 * the one with the oldest transaction. A chain is known by its root's process and transaction.
 * Invariants: (1) a chain gets one start and one end; (2) chains open at once are at most
 * WAITERS_MAX, since each has a waiter of its own; (3) no statement's text is read.
 * Threads: one run at a time.
 */
#include <stdio.h>
#include <string.h>

#include "probe/probe.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/map.h"
#include "base/num.h"

#define WAITERS_MAX 200 /* as the query limits it */
#define SHOWN_MAX   20  /* sessions an event lists */
#define BODY_BYTES  (256 * 1024)

static const char *const RELATIONS[] = {"pg_blocking", NULL};

/* Columns of the queries, in order. */
enum {
    IN_PID,
    IN_BLOCKERS,
    IN_DATNAME,
    IN_USENAME,
    IN_APPLICATION,
    IN_STATE,
    IN_QUERY_ID,
    IN_LOCKTYPE,
    IN_MODE,
    IN_OBJECT,
    IN_WAIT_S,
    IN_COUNT
};
enum {
    BY_PID,
    BY_DATNAME,
    BY_USENAME,
    BY_APPLICATION,
    BY_BACKEND_TYPE,
    BY_STATE,
    BY_QUERY_ID,
    BY_XACT_START,
    BY_XACT_AGE_S,
    BY_WAIT_TYPE,
    BY_WAIT_EVENT,
    BY_COUNT
};

struct waiter {
    int64_t pid;
    const struct str *cells;
    size_t depth; /* 0 = belongs to no chain yet */
    size_t chain; /* index; SIZE_MAX = it belonged to one that was dropped */
};

struct chain {
    int64_t pid;
    const struct str *cells; /* of the root; NULL = it is gone, or a prepared transaction */
    char key[64];
    size_t waiters, depth;
    double longest_wait_s;
    bool cycle; /* its members wait for one another */
};

/* A chain between its start and its end. */
struct open_chain {
    int64_t pid, started_ms;
    uint64_t seen; /* the reading that saw it last */
    size_t max_waiters, max_depth;
    char who[256];
};

struct blocking_memory {
    struct map *open; /* key -> struct open_chain */
    uint64_t reading;
};

struct blocking {
    struct probe_run *run;
    struct blocking_memory *memory;
    struct waiter *waiters;
    size_t waiter_count;
    struct chain *chains;
    size_t chain_count;
};

static void forget(void *data)
{
    struct blocking_memory *m = data;
    map_free(m->open, alloc_free);
    alloc_free(m);
}

static struct blocking_memory *memory(struct probe_run *r)
{
    struct blocking_memory *m = r->memory->data;
    if (!m) {
        m = alloc_new(sizeof(*m));
        m->open = map_new();
        r->memory->data = m;
    }
    return m;
}

static enum err_code ask(struct probe_run *r, const char *name, const struct str *pids,
                         struct pgclient_result *out, struct err *e)
{
    struct probe_question question = {.file = RELATIONS[0],
                                      .query = name,
                                      .prepared = pids ? NULL : "pga_waiting",
                                      .params = pids,
                                      .param_count = pids ? 1 : 0};
    return probe_ask(r, &question, out, e);
}

static int64_t parse_int(struct str text)
{
    int64_t n;
    return text.ptr && !num_parse_i64(text, 0, INT64_MAX, &n, NULL) ? n : 0;
}

static double parse_seconds(struct str text)
{
    double s;
    return text.ptr && !num_parse_f64(text, &s, NULL) && s > 0 ? s : 0;
}

/* --- the graph -------------------------------------------------------------------------------- */

static struct waiter *find_waiter(const struct blocking *b, int64_t pid)
{
    for (size_t i = 0; i < b->waiter_count; i++) {
        if (b->waiters[i].pid == pid) {
            return &b->waiters[i];
        }
    }
    return NULL;
}

static bool is_blocked_by(const struct waiter *w, int64_t pid)
{
    struct str rest = w->cells[IN_BLOCKERS];
    while (rest.len) {
        if (parse_int(str_split(&rest, ',')) == pid) {
            return true;
        }
    }
    return false;
}

/* Waiters of the chain that are `depth` away take in those who wait for them. */
static bool widen(struct blocking *b, size_t chain, size_t depth)
{
    struct chain *c = &b->chains[chain];
    bool any = false;
    for (size_t i = 0; i < b->waiter_count; i++) {
        struct waiter *w = &b->waiters[i];
        bool joins = depth == 0 && w->depth == 0 && is_blocked_by(w, c->pid);
        for (size_t k = 0; depth && w->depth == 0 && !joins && k < b->waiter_count; k++) {
            const struct waiter *by = &b->waiters[k];
            joins = by->chain == chain && by->depth == depth && is_blocked_by(w, by->pid);
        }
        if (joins) {
            w->depth = depth + 1;
            w->chain = chain;
            c->waiters++;
            c->depth = depth + 1;
            double wait_s = parse_seconds(w->cells[IN_WAIT_S]);
            c->longest_wait_s = wait_s > c->longest_wait_s ? wait_s : c->longest_wait_s;
            any = true;
        }
    }
    return any;
}

static void grow_chain(struct blocking *b, struct chain root)
{
    size_t at = b->chain_count;
    b->chains[at] = root;
    for (size_t depth = 0; widen(b, at, depth); depth++) {
    }
    b->chain_count += b->chains[at].waiters > 0; /* 0: older roots have taken all */
}

/* Pids of those who block and do not wait themselves, as an array literal. 0 = prepared. */
static struct str list_roots(const struct blocking *b, bool *prepared)
{
    struct buf text;
    struct map *seen = map_new();
    char key[24];
    buf_init(&text, 64 * 1024);
    buf_add_char(&text, '{');
    for (size_t i = 0; i < b->waiter_count; i++) {
        struct str rest = b->waiters[i].cells[IN_BLOCKERS];
        while (rest.len) {
            int64_t pid = parse_int(str_split(&rest, ','));
            int len = snprintf(key, sizeof(key), "%lld", (long long)pid);
            *prepared = *prepared || pid == 0;
            if (pid && !find_waiter(b, pid) && !map_put(seen, str_make(key, (size_t)len), seen)) {
                buf_printf(&text, "%s%s", text.len > 1 ? "," : "", key);
            }
        }
    }
    buf_add_char(&text, '}');
    struct str out = arena_str(b->run->arena, buf_view(&text));
    buf_fini(&text);
    map_free(seen, NULL);
    return out;
}

static void add_known_roots(struct blocking *b, const struct pgclient_result *res)
{
    for (size_t i = 0; i < res->row_count; i++) {
        struct chain c = {.cells = res->cells + i * BY_COUNT};
        c.pid = parse_int(c.cells[BY_PID]);
        snprintf(c.key, sizeof(c.key), "%lld.%lld", (long long)c.pid,
                 (long long)parse_int(c.cells[BY_XACT_START]));
        grow_chain(b, c);
    }
}

/* No chain after all. */
static void drop_last_chain(struct blocking *b)
{
    b->chain_count--;
    for (size_t i = 0; i < b->waiter_count; i++) {
        if (b->waiters[i].chain == b->chain_count) {
            b->waiters[i].chain = SIZE_MAX;
        }
    }
}

/*
 * What is left waits in a circle, which the server will break soon, or for a root that has ended
 * since: then there is nothing to tell.
 */
static void add_circles(struct blocking *b)
{
    for (size_t i = 0; i < b->waiter_count; i++) {
        struct waiter *w = &b->waiters[i];
        if (w->depth == 0 && w->cells[IN_BLOCKERS].len) {
            struct chain c = {.pid = w->pid, .cycle = true};
            size_t before = b->chain_count;
            snprintf(c.key, sizeof(c.key), "%lld.circle", (long long)c.pid);
            grow_chain(b, c);
            if (w->depth == 0 && b->chain_count > before) {
                drop_last_chain(b);
            }
        }
    }
}

static enum err_code find_chains(struct blocking *b, struct err *e)
{
    bool prepared = false;
    struct pgclient_result res;
    struct str roots = list_roots(b, &prepared);
    b->chains = arena_array(b->run->arena, b->waiter_count + 1, sizeof(*b->chains));
    if (arena_check(b->run->arena, e) || ask(b->run, "blockers", &roots, &res, e)) {
        return e->code;
    }
    if (res.row_count && res.column_count != BY_COUNT) {
        return err_set(e, ERR_BUG, "the blockers have %zu columns", res.column_count);
    }
    if (prepared) { /* no process to tell about; it outlives every session */
        grow_chain(b, (struct chain){.key = "prepared"});
    }
    add_known_roots(b, &res);
    add_circles(b);
    return ERR_OK;
}

/* --- events ----------------------------------------------------------------------------------- */

static void put(struct json_writer *w, const char *name, struct str value)
{
    if (value.ptr) {
        json_member_str(w, name, value);
    }
}

static void put_root(struct json_writer *w, const struct chain *c)
{
    json_key(w, "root");
    json_object_begin(w);
    json_member_i64(w, "pid", c->pid);
    if (c->cells) {
        put(w, "datname", c->cells[BY_DATNAME]);
        put(w, "usename", c->cells[BY_USENAME]);
        put(w, "application_name", c->cells[BY_APPLICATION]);
        put(w, "backend_type", c->cells[BY_BACKEND_TYPE]);
        put(w, "state", c->cells[BY_STATE]);
        put(w, "query_id", c->cells[BY_QUERY_ID]);
        put(w, "wait_event_type", c->cells[BY_WAIT_TYPE]);
        put(w, "wait_event", c->cells[BY_WAIT_EVENT]);
        json_member_f64(w, "xact_age_s", parse_seconds(c->cells[BY_XACT_AGE_S]));
    }
    json_object_end(w);
}

static void put_session(struct json_writer *w, const struct waiter *s)
{
    json_object_begin(w);
    json_member_i64(w, "pid", s->pid);
    json_member_u64(w, "depth", s->depth);
    put(w, "blocked_by", s->cells[IN_BLOCKERS]);
    put(w, "datname", s->cells[IN_DATNAME]);
    put(w, "usename", s->cells[IN_USENAME]);
    put(w, "application_name", s->cells[IN_APPLICATION]);
    put(w, "state", s->cells[IN_STATE]);
    put(w, "query_id", s->cells[IN_QUERY_ID]);
    put(w, "locktype", s->cells[IN_LOCKTYPE]);
    put(w, "mode", s->cells[IN_MODE]);
    put(w, "object", s->cells[IN_OBJECT]);
    if (s->cells[IN_WAIT_S].ptr) {
        json_member_f64(w, "wait_s", parse_seconds(s->cells[IN_WAIT_S]));
    }
    json_object_end(w);
}

static void describe_root(const struct chain *c, char *out, size_t size)
{
    if (c->cycle) {
        snprintf(out, size, "a circle of sessions around pid %lld", (long long)c->pid);
    } else if (!c->cells) {
        snprintf(out, size, "a prepared transaction");
    } else {
        snprintf(out, size, "pid %lld (role %.*s, database %.*s)", (long long)c->pid,
                 STR_ARG(c->cells[BY_USENAME]), STR_ARG(c->cells[BY_DATNAME]));
    }
}

static void tell_start(struct blocking *b, const struct chain *c, const char *who)
{
    struct buf body;
    struct json_writer w;
    size_t at = (size_t)(c - b->chains), shown = 0;
    buf_init(&body, BODY_BYTES);
    json_writer_init(&w, &body);
    json_object_begin(&w);
    json_member_c(&w, "chain", c->key);
    json_member_u64(&w, "waiters", c->waiters);
    json_member_u64(&w, "depth", c->depth);
    if (c->longest_wait_s > 0) {
        json_member_f64(&w, "longest_wait_s", c->longest_wait_s);
    }
    put_root(&w, c);
    json_key(&w, "sessions");
    json_array_begin(&w);
    for (size_t i = 0; i < b->waiter_count && shown < SHOWN_MAX; i++) {
        if (b->waiters[i].depth && b->waiters[i].chain == at) {
            put_session(&w, &b->waiters[i]);
            shown++;
        }
    }
    json_array_end(&w);
    json_member_u64(&w, "sessions_left_out", c->waiters - shown);
    json_object_end(&w);
    const char *title = arena_printf(b->run->arena, "%s blocks %zu %s, %zu deep", who, c->waiters,
                                     c->waiters == 1 ? "session" : "sessions", c->depth);
    if (title) {
        probe_emit_event(b->run, "blocking_started", BATCH_WARNING, title, &body);
    }
    buf_fini(&body);
}

static void tell_end(struct blocking *b, struct str key, const struct open_chain *o)
{
    struct buf body;
    struct json_writer w;
    int64_t ms = probe_now_ms(b->run) - o->started_ms;
    buf_init(&body, BODY_BYTES);
    json_writer_init(&w, &body);
    json_object_begin(&w);
    json_member_str(&w, "chain", key);
    json_member_i64(&w, "pid", o->pid);
    json_member_i64(&w, "started_ms", o->started_ms);
    json_member_i64(&w, "duration_ms", ms);
    json_member_u64(&w, "max_waiters", o->max_waiters);
    json_member_u64(&w, "max_depth", o->max_depth);
    json_object_end(&w);
    const char *title = arena_printf(b->run->arena, "%s blocks nobody any more, after %lld s",
                                     o->who, (long long)((ms + 500) / 1000));
    if (title) {
        probe_emit_event(b->run, "blocking_ended", BATCH_INFO, title, &body);
    }
    buf_fini(&body);
}

static void see_chain(struct blocking *b, const struct chain *c)
{
    struct map *open = b->memory->open;
    struct open_chain *o = map_get(open, str_of(c->key));
    if (!o) {
        o = alloc_new(sizeof(*o));
        o->pid = c->pid;
        o->started_ms = probe_now_ms(b->run);
        describe_root(c, o->who, sizeof(o->who));
        map_put(open, str_of(c->key), o);
        tell_start(b, c, o->who);
    }
    o->seen = b->memory->reading;
    o->max_waiters = c->waiters > o->max_waiters ? c->waiters : o->max_waiters;
    o->max_depth = c->depth > o->max_depth ? c->depth : o->max_depth;
}

static void end_unseen(struct blocking *b)
{
    struct map *open = b->memory->open;
    struct str *dead = arena_array(b->run->arena, map_count(open), sizeof(*dead));
    size_t count = 0, at = 0;
    struct str key;
    void *value;
    while (dead && map_next(open, &at, &key, &value)) {
        const struct open_chain *o = value;
        if (o->seen != b->memory->reading) {
            tell_end(b, key, o);
            dead[count++] = arena_str(b->run->arena, key);
        }
    }
    for (size_t i = 0; i < count; i++) {
        alloc_free(map_remove(open, dead[i]));
    }
}

/* --- a run ------------------------------------------------------------------------------------ */

static enum err_code emit(struct blocking *b, size_t waiting, struct err *e)
{
    struct probe_run *r = b->run;
    const struct catalogue_file *f = catalogue_find(r->catalogue, RELATIONS[0]);
    int64_t t = probe_now_ms(r);
    struct slice_times times = {t, t, r->every_ms};
    struct slice_builder sb;
    struct slice *slice;
    size_t depth = 0;
    double longest_s = 0;
    for (size_t i = 0; i < b->chain_count; i++) {
        const struct chain *c = &b->chains[i];
        depth = c->depth > depth ? c->depth : depth;
        longest_s = c->longest_wait_s > longest_s ? c->longest_wait_s : longest_s;
    }
    slice_build_begin(&sb, r->arena, &f->relation, &r->target, STR(""), &times);
    slice_build_row(&sb, NULL);
    slice_build_cell(&sb, 0, cell_i64((int64_t)waiting));
    slice_build_cell(&sb, 1, cell_i64((int64_t)b->chain_count));
    slice_build_cell(&sb, 2, cell_i64((int64_t)depth));
    if (r->server->version_num >= 140000) {
        slice_build_cell(&sb, 3, cell_f64((double)(int64_t)(longest_s * 1000 + 0.5) / 1000));
    }
    if (slice_build_end(&sb, SLICE_COMPLETE | SLICE_KEYFRAME, &slice, e)) {
        return e->code;
    }
    probe_emit(r, slice);
    return ERR_OK;
}

static struct str join_pids(struct probe_run *r, const struct pgclient_result *waiting)
{
    struct buf text;
    buf_init(&text, 16 * 1024);
    buf_add_char(&text, '{');
    for (size_t i = 0; i < waiting->row_count; i++) {
        buf_printf(&text, "%s%.*s", i ? "," : "", STR_ARG(waiting->cells[i]));
    }
    buf_add_char(&text, '}');
    struct str out = arena_str(r->arena, buf_view(&text));
    buf_fini(&text);
    return out;
}

static enum err_code read_waiters(struct blocking *b, const struct pgclient_result *waiting,
                                  struct err *e)
{
    struct pgclient_result res;
    struct str pids = join_pids(b->run, waiting);
    if (ask(b->run, "chains", &pids, &res, e)) {
        return e->code;
    }
    if (res.row_count && res.column_count != IN_COUNT) {
        return err_set(e, ERR_BUG, "the waiters have %zu columns", res.column_count);
    }
    b->waiters = arena_array(b->run->arena, res.row_count, sizeof(*b->waiters));
    if (arena_check(b->run->arena, e)) {
        return e->code;
    }
    for (size_t i = 0; i < res.row_count && i < WAITERS_MAX; i++) {
        const struct str *cells = res.cells + i * IN_COUNT;
        b->waiters[b->waiter_count++] = (struct waiter){.pid = parse_int(cells[IN_PID]),
                                                        .cells = cells};
    }
    return ERR_OK;
}

static enum err_code run(struct probe_run *r, struct err *e)
{
    struct blocking b = {.run = r, .memory = memory(r)};
    struct pgclient_result waiting;
    if (!r->server->reads_all_stats) {
        probe_say_hidden(r);
        return ERR_OK;
    }
    if (ask(r, "waiting", NULL, &waiting, e)) {
        return e->code;
    }
    if (waiting.row_count && (read_waiters(&b, &waiting, e) || find_chains(&b, e))) {
        return e->code;
    }
    if (emit(&b, waiting.row_count, e)) {
        return e->code;
    }
    b.memory->reading++;
    for (size_t i = 0; i < b.chain_count; i++) {
        see_chain(&b, &b.chains[i]);
    }
    end_unseen(&b);
    if (waiting.row_count == WAITERS_MAX) {
        r->report->reason = "more processes wait than are looked at";
    }
    return ERR_OK;
}

const struct probe probe_blocking = {
    .name = "blocking",
    .summary = "Chains of lock waits.",
    .scope = CATALOGUE_CLUSTER,
    .clock_ms = 10000,
    .timeout_ms = 3000,
    .privilege = "pg_read_all_stats",
    .relations = RELATIONS,
    .source = "pg_stat_activity, pg_blocking_pids, pg_locks, PostgreSQL >= 10",
    .run = run,
    .forget = forget,
};
