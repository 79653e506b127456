/* SPDX-License-Identifier: PostgreSQL */
/* top_data.c: from the API's answers to what `pga ctl top` draws. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/ctl/output.h"
#include "app/ctl/top.h"
#include "os/clock.h"

#define BUCKET_MS   10000 /* session history is folded over so long */
#define SESSIONS_MS 60000 /* where the newest counts of sessions are looked for */
#define QUERIES_MS  300000
#define CHAINS_MS   (6 * 3600 * (int64_t)1000)

static const char *const session_sorts[] = {"count", "waiting", "tx age", "database"};
static const char *const query_sorts[] = {"load_aas", "total_exec_time", "calls", "mean_exec_time",
                                          "shared_blks_read"};

const char *top_sort_name(enum top_view view, int index)
{
    if (view == TOP_VIEW_SESSIONS && index < 4)
        return session_sorts[index];
    if (view == TOP_VIEW_QUERIES && index < 5)
        return query_sorts[index];
    return NULL;
}

/* GET below the target, or `path` as it is when it begins with a slash. */
static enum err_code ask(struct top *t, const char *path, int64_t width_ms,
                         const struct json **root, struct err *e)
{
    int64_t to = clock_wall_ms() - t->back_ms;
    struct buf text;
    char number[32];

    buf_init(&text, 8192);
    if (path[0] != '/')
        buf_printf(&text, "/api/v1/servers/%s%s%s", t->id, path[0] ? "/" : "", path);
    else
        buf_add_c(&text, path);
    if (width_ms > 0) {
        snprintf(number, sizeof(number), "%lld", (long long)(to - width_ms));
        ctl_query_add(&text, "from", number);
        snprintf(number, sizeof(number), "%lld", (long long)to);
        ctl_query_add(&text, "to", number);
    }
    struct ctl_call call = {.method = "GET", .path = text.ptr};
    enum err_code rc = ctl_request(t->ctl, &call, root, e);
    buf_fini(&text);
    return rc;
}

static void copy(char *out, size_t size, const struct json *value)
{
    struct buf text;

    buf_init(&text, 4096);
    output_cell(&text, value, OUTPUT_TEXT);
    snprintf(out, size, "%.*s", STR_ARG(buf_view(&text)));
    buf_fini(&text);
}

static enum err_code read_target(struct top *t, struct err *e)
{
    const struct json *root;
    struct top_data *d = &t->data;

    if (ask(t, "", 0, &root, e))
        return e->code;
    copy(d->name, sizeof(d->name), json_get(root, "name"));
    copy(d->version, sizeof(d->version), json_get(root, "version"));
    copy(d->role, sizeof(d->role), json_get(root, "role"));
    copy(d->state, sizeof(d->state), json_get(root, "state"));
    d->vcpus = json_f64(json_get(root, "vcpus"), 0);
    d->last_sample_ms = json_i64(json_get(root, "last_sample_ms"), 0);
    return ERR_OK;
}

/* --- load ------------------------------------------------------------------------------------- */

static void read_class(struct top_data *d, const struct json *series)
{
    struct top_class *c = &d->classes[d->class_count++];
    size_t n = 0;

    copy(c->name, sizeof(c->name), json_get(series, "key"));
    c->now = NAN;
    for (struct json_iter it = json_iter(json_get(series, "values"));
         n < TOP_BUCKETS && json_next(&it); n++) {
        c->aas[n] = json_f64(it.value, NAN);
        if (!isnan(c->aas[n]))
            c->now = c->aas[n];
    }
    d->bucket_count = n > d->bucket_count ? n : d->bucket_count;
}

static enum err_code read_load(struct top *t, struct err *e)
{
    int buckets = t->columns - 8 < TOP_BUCKETS ? t->columns - 8 : TOP_BUCKETS;
    const struct json *root;

    t->data.class_count = t->data.bucket_count = 0;
    if (ask(t, "sessions/load?step=10s", (int64_t)(buckets > 10 ? buckets : 10) * BUCKET_MS, &root,
            e))
        return e->code;
    for (struct json_iter it = json_iter(json_get(root, "series"));
         t->data.class_count < TOP_CLASSES && json_next(&it);)
        read_class(&t->data, it.value);
    return ERR_OK;
}

/* --- sessions --------------------------------------------------------------------------------- */

static const char *label(struct top *t, const struct json *series, const char *name)
{
    return arena_cstr(&t->ctl->arena, json_str(json_get(json_get(series, "labels"), name)));
}

static struct top_sessions *sessions_of(struct top *t, const struct json *series)
{
    struct top_data *d = &t->data;
    struct top_sessions key = {.datname = label(t, series, "datname"),
                               .state = label(t, series, "state"),
                               .backend_type = label(t, series, "backend_type")};

    for (size_t i = 0; i < d->session_count; i++) {
        struct top_sessions *s = &d->sessions[i];

        if (strcmp(s->datname, key.datname) == 0 && strcmp(s->state, key.state) == 0 &&
            strcmp(s->backend_type, key.backend_type) == 0)
            return s;
    }
    if (d->session_count == TOP_SESSIONS)
        return NULL;
    d->sessions[d->session_count] = key;
    return &d->sessions[d->session_count++];
}

/* The newest value of a series; NaN when it has none. */
static double newest(const struct json *series)
{
    double value = NAN;

    for (struct json_iter it = json_iter(json_get(series, "values")); json_next(&it);) {
        if (json_type(it.value) != JSON_NULL)
            value = json_f64(it.value, NAN);
    }
    return value;
}

static void take_session_value(struct top_sessions *s, struct str column, double value)
{
    if (str_eq_c(column, "count"))
        s->count = value;
    else if (str_eq_c(column, "waiting"))
        s->waiting = value;
    else if (str_eq_c(column, "max_tx_duration"))
        s->max_tx_s = value;
    else if (str_eq_c(column, "max_state_duration"))
        s->max_state_s = value;
}

/* An empty relation is not known to the server yet: no row is no trouble. */
static enum err_code read_relation(struct top *t, const char *name, const struct json **root,
                                   struct err *e)
{
    const char *path = arena_printf(&t->ctl->arena, "metrics?relation=%s&agg=last&step=60s", name);
    enum err_code rc = ask(t, path, SESSIONS_MS, root, e);

    if (rc == ERR_NOT_FOUND) {
        *root = NULL;
        err_clear(e);
        return ERR_OK;
    }
    return rc;
}

static enum err_code read_sessions(struct top *t, struct err *e)
{
    const struct json *root;

    t->data.session_count = 0;
    if (read_relation(t, "pg_stat_activity", &root, e))
        return e->code;
    for (struct json_iter it = json_iter(json_get(root, "series")); json_next(&it);) {
        double value = newest(it.value);
        struct top_sessions *s = isnan(value) ? NULL : sessions_of(t, it.value);

        if (s != NULL)
            take_session_value(s, json_str(json_get(it.value, "column")), value);
    }
    return ERR_OK;
}

/* --- queries ---------------------------------------------------------------------------------- */

static enum err_code read_queries(struct top *t, struct err *e)
{
    const char *path = arena_printf(&t->ctl->arena, "queries/top?limit=50&sort=%s",
                                    query_sorts[t->sort[TOP_VIEW_QUERIES]]);
    const struct json *root;

    if (ask(t, path, QUERIES_MS, &root, e))
        return e->code;
    t->data.queries = json_get(root, "data");
    return ERR_OK;
}

/* --- locks ------------------------------------------------------------------------------------ */

static bool has_ended(const struct json *ended, struct str chain, int64_t since_ms)
{
    for (struct json_iter it = json_iter(json_get(ended, "data")); json_next(&it);) {
        if (str_eq(json_str(json_get(json_get(it.value, "body"), "chain")), chain) &&
            json_i64(json_get(it.value, "t_ms"), 0) >= since_ms)
            return true;
    }
    return false;
}

static enum err_code read_events(struct top *t, const char *kind, const struct json **root,
                                 struct err *e)
{
    const char *path = arena_printf(&t->ctl->arena, "/api/v1/events?server=%s&kind=%s&limit=200",
                                    t->id, kind);

    return ask(t, path, CHAINS_MS, root, e);
}

static enum err_code read_chains(struct top *t, struct err *e)
{
    const struct json *started, *ended, *root;
    struct top_data *d = &t->data;

    d->chain_count = 0;
    d->blocking_chains = d->blocking_waiting = NAN;
    if (read_events(t, "blocking_started", &started, e) ||
        read_events(t, "blocking_ended", &ended, e) || read_relation(t, "pg_blocking", &root, e))
        return e->code;
    for (struct json_iter it = json_iter(json_get(started, "data"));
         d->chain_count < TOP_CHAINS && json_next(&it);) {
        const struct json *body = json_get(it.value, "body");
        int64_t since_ms = json_i64(json_get(it.value, "t_ms"), 0);

        if (has_ended(ended, json_str(json_get(body, "chain")), since_ms))
            continue;
        d->chains[d->chain_count] = body;
        d->chain_since_ms[d->chain_count++] = since_ms;
    }
    for (struct json_iter it = json_iter(json_get(root, "series")); json_next(&it);) {
        struct str column = json_str(json_get(it.value, "column"));

        if (str_eq_c(column, "waiting"))
            d->blocking_waiting = newest(it.value);
        else if (str_eq_c(column, "chains"))
            d->blocking_chains = newest(it.value);
    }
    return ERR_OK;
}

/* --- the whole -------------------------------------------------------------------------------- */

void top_refresh(struct top *t)
{
    struct top_data *d = &t->data;
    struct err e;

    err_clear(&e);
    d->good = false;
    d->queries = NULL;
    d->chain_count = d->session_count = 0;
    if (ctl_forget(t->ctl, &e) == ERR_OK && read_target(t, &e) == ERR_OK &&
        read_load(t, &e) == ERR_OK && read_chains(t, &e) == ERR_OK &&
        (t->view != TOP_VIEW_SESSIONS || read_sessions(t, &e) == ERR_OK) &&
        (t->view != TOP_VIEW_QUERIES || read_queries(t, &e) == ERR_OK)) {
        d->good = true;
        d->read_wall_ms = clock_wall_ms();
    }
    snprintf(d->error, sizeof(d->error), "%s", e.text);
}
