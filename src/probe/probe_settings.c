/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_settings.c: settings, and each change of one as an event with old and new value.
 *
 * Once a minute one row says when the configuration was loaded and the server started; pg_settings
 * is read when that has changed, and once an hour. The first reading ever is only a snapshot;
 * afterwards what differs from the last one is told. What was read last outlives the agent, so that
 * a change made while it was away is told too.
 * Invariants: (1) a value that may be a secret never leaves the server: only its hash does, it
 * stays in memory, and a change says that it happened; (2) a setting that became visible or known
 * since the last reading is no change.
 * Threads: one run at a time.
 */
#include <stdio.h>
#include <string.h>

#include "probe/probe.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/varint.h"
#include "os/clock.h"

#define FORMAT      1
#define READ_US     (3600LL * 1000000)
#define READ_MS     3600000
#define EVENTS_MAX  100 /* of one reading; more are counted in the last one */
#define TITLE_BYTES 200 /* of a value in a title */
#define BODY_BYTES  (64 * 1024)

static const char *const RELATIONS[] = {"pg_settings", NULL};

/* Columns of the query read, in order. */
enum {
    IN_NAME,
    IN_SETTING,
    IN_UNIT,
    IN_SOURCE,
    IN_VALUE,
    IN_HIDDEN,
    IN_PENDING,
    IN_FINGERPRINT,
    IN_ALL_SEEN,
    IN_COUNT
};

struct setting {
    char *value;       /* NULL = hidden */
    char *fingerprint; /* of a hidden value; NULL = not known */
    bool pending;
};

struct settings_memory {
    struct map *known; /* name -> struct setting; empty = nothing was read yet */
    char system_identifier[24];
    char loaded[40], started[40]; /* as the server says it; "" = not read in this life */
    int64_t due_us;
    bool holes; /* the role does not see every setting */
};

static void free_setting(void *p)
{
    struct setting *s = p;
    if (s) {
        alloc_free(s->value);
        alloc_free(s->fingerprint);
        alloc_free(s);
    }
}

static void forget(void *data)
{
    struct settings_memory *m = data;
    map_free(m->known, free_setting);
    alloc_free(m);
}

static char *copy_value(struct str s)
{
    return s.ptr ? alloc_strndup(s.ptr, s.len) : NULL;
}

/* --- from one life to the next ---------------------------------------------------------------- */

static void put_str(struct buf *b, struct str s)
{
    varint_put(b, s.len);
    buf_add_str(b, s);
}

static bool take_str(struct str *in, struct str *out)
{
    uint64_t len;
    if (!varint_take(in, &len) || len > in->len) {
        return false;
    }
    *out = str_make(in->ptr, (size_t)len);
    *in = str_make(in->ptr + len, in->len - (size_t)len);
    return true;
}

static void keep(struct probe_run *r, const struct settings_memory *m)
{
    struct buf *b = &r->memory->keep;
    size_t at = 0;
    struct str key;
    void *value;
    buf_fini(b);
    buf_init(b, LIMIT_KEEP_BYTES);
    varint_put(b, FORMAT);
    put_str(b, str_of(m->system_identifier));
    varint_put(b, map_count(m->known));
    while (map_next(m->known, &at, &key, &value)) {
        const struct setting *s = value;
        put_str(b, key);
        varint_put(b, (s->value ? 1U : 0U) | (s->pending ? 2U : 0U));
        put_str(b, str_of(s->value));
    }
    if (b->failed) {
        buf_reset(b);
    }
    r->memory->keep_due = true;
}

static bool take_kept(struct str in, const struct probe_run *r, struct settings_memory *m)
{
    uint64_t format, count, flags;
    struct str cluster, name, value;
    if (!varint_take(&in, &format) || format != FORMAT || !take_str(&in, &cluster) ||
        !str_eq_c(cluster, r->server->system_identifier) || !varint_take(&in, &count)) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (!take_str(&in, &name) || !varint_take(&in, &flags) || !take_str(&in, &value)) {
            return false;
        }
        struct setting *s = alloc_new(sizeof(*s));
        s->value = flags & 1 ? alloc_strndup(value.ptr, value.len) : NULL;
        s->pending = (flags & 2) != 0;
        free_setting(map_put(m->known, name, s));
    }
    return true;
}

static struct settings_memory *memory(struct probe_run *r)
{
    struct settings_memory *m = r->memory->data;
    if (!m) {
        m = alloc_new(sizeof(*m));
        m->known = map_new();
        r->memory->data = m;
    }
    if (strcmp(m->system_identifier, r->server->system_identifier) != 0) {
        map_clear(m->known, free_setting); /* another cluster: nothing to compare with */
        m->loaded[0] = '\0';
        snprintf(m->system_identifier, sizeof(m->system_identifier), "%s",
                 r->server->system_identifier);
    }
    if (r->memory->kept.len) {
        if (!take_kept(buf_view(&r->memory->kept), r, m)) {
            map_clear(m->known, free_setting);
        }
        buf_fini(&r->memory->kept);
    }
    return m;
}

/* --- changes ---------------------------------------------------------------------------------- */

/* A part of the value that fits a title and ends between two characters. */
static struct str clip(struct str s)
{
    size_t len = 0, step = 1;
    while (len < s.len && step) {
        step = str_utf8_len(str_make(s.ptr + len, s.len - len));
        if (len + step > TITLE_BYTES) {
            break;
        }
        len += step;
    }
    return str_make(s.ptr, len);
}

static void put_value(struct json_writer *w, const char *name, struct str value)
{
    if (value.ptr) {
        json_member_str(w, name, value);
    } else {
        json_member_null(w, name);
    }
}

static void tell_change(struct probe_run *r, const struct str *cells, const struct setting *old,
                        const char *title)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, BODY_BYTES);
    json_writer_init(&w, &body);
    json_object_begin(&w);
    json_member_str(&w, "name", cells[IN_NAME]);
    put_value(&w, "old", old->value ? str_of(old->value) : (struct str){NULL, 0});
    put_value(&w, "new", cells[IN_SETTING]);
    put_value(&w, "unit", cells[IN_UNIT]);
    put_value(&w, "source", cells[IN_SOURCE]);
    json_member_bool(&w, "hidden", str_eq_c(cells[IN_HIDDEN], "1"));
    json_member_bool(&w, "pending_restart", str_eq_c(cells[IN_PENDING], "1"));
    json_object_end(&w);
    if (title) {
        probe_emit_event(r, "settings_changed", BATCH_INFO, title, &body);
    }
    buf_fini(&body);
}

/* What is to be said of a setting, as a title; NULL = nothing. */
static const char *compare(struct probe_run *r, const struct str *cells, const struct setting *old)
{
    struct str name = cells[IN_NAME], now = cells[IN_SETTING], mark = cells[IN_FINGERPRINT];
    bool hidden = str_eq_c(cells[IN_HIDDEN], "1"), pending = str_eq_c(cells[IN_PENDING], "1");
    if (hidden != !old->value ||
        (hidden && old->fingerprint && !str_eq_c(mark, old->fingerprint))) {
        return arena_printf(r->arena, "%.*s has changed; its value is hidden", STR_ARG(name));
    }
    if (!hidden && !str_eq_c(now, old->value)) {
        struct str from = clip(str_of(old->value)), to = clip(now);
        return arena_printf(r->arena, "%.*s: %.*s -> %.*s%s%.*s", STR_ARG(name), STR_ARG(from),
                            STR_ARG(to), cells[IN_UNIT].len ? ", in " : "",
                            STR_ARG(cells[IN_UNIT]));
    }
    if (pending && !old->pending) {
        return arena_printf(r->arena, "%.*s: a new value waits for a restart", STR_ARG(name));
    }
    return NULL;
}

static void tell_changes(struct probe_run *r, const struct settings_memory *m,
                         const struct pgclient_result *res)
{
    size_t told = 0, more = 0;
    struct buf body;
    for (size_t i = 0; i < res->row_count; i++) {
        const struct str *cells = res->cells + i * IN_COUNT;
        const struct setting *old = map_get(m->known, cells[IN_NAME]);
        const char *title = old ? compare(r, cells, old) : NULL;
        if (title && told < EVENTS_MAX) {
            tell_change(r, cells, old, title);
            told++;
        } else if (title) {
            more++;
        }
    }
    const char *title = more ? arena_printf(r->arena, "%zu more settings have changed", more)
                             : NULL;
    buf_init(&body, BODY_BYTES);
    if (title) {
        probe_emit_event(r, "settings_changed", BATCH_INFO, title, &body);
    }
    buf_fini(&body);
}

static void remember(struct settings_memory *m, const struct pgclient_result *res)
{
    map_clear(m->known, free_setting);
    for (size_t i = 0; i < res->row_count; i++) {
        const struct str *cells = res->cells + i * IN_COUNT;
        struct setting *s = alloc_new(sizeof(*s));
        bool hidden = str_eq_c(cells[IN_HIDDEN], "1");
        s->value = hidden ? NULL : copy_value(cells[IN_SETTING]);
        s->fingerprint = hidden ? copy_value(cells[IN_FINGERPRINT]) : NULL;
        s->pending = str_eq_c(cells[IN_PENDING], "1");
        free_setting(map_put(m->known, cells[IN_NAME], s));
        m->holes = !str_eq_c(cells[IN_ALL_SEEN], "t");
    }
}

/* --- a run ------------------------------------------------------------------------------------ */

static enum err_code ask(struct probe_run *r, const char *name, struct pgclient_result *out,
                         struct err *e)
{
    struct probe_question question = {.file = RELATIONS[0], .query = name};
    return probe_ask(r, &question, out, e);
}

static enum err_code put_cells(struct slice_builder *sb, const struct relation *rel,
                               const struct str *cells, struct err *e)
{
    static const int FROM[] = {IN_SETTING, IN_UNIT, IN_SOURCE, IN_VALUE, IN_HIDDEN, IN_PENDING};
    for (size_t i = 0; i < sizeof(FROM) / sizeof(FROM[0]) && i < rel->column_count; i++) {
        struct cell cell;
        if (!cells[FROM[i]].ptr) {
            continue;
        }
        if (probe_parse_cell(&rel->columns[i], cells[FROM[i]], &cell, e)) {
            return e->code;
        }
        slice_build_cell(sb, i, cell);
    }
    return ERR_OK;
}

static enum err_code emit(struct probe_run *r, const struct pgclient_result *res, struct err *e)
{
    const struct catalogue_file *f = catalogue_find(r->catalogue, RELATIONS[0]);
    int64_t t = probe_now_ms(r);
    struct slice_times times = {t, t, READ_MS};
    struct slice_builder sb;
    struct slice *slice;
    slice_build_begin(&sb, r->arena, &f->relation, &r->target, STR(""), &times);
    for (size_t i = 0; i < res->row_count; i++) {
        const struct str *cells = res->cells + i * IN_COUNT;
        slice_build_row(&sb, &cells[IN_NAME]);
        if (put_cells(&sb, &f->relation, cells, e)) {
            return e->code;
        }
    }
    if (slice_build_end(&sb, SLICE_COMPLETE | SLICE_KEYFRAME, &slice, e)) {
        return e->code;
    }
    probe_emit(r, slice);
    return ERR_OK;
}

/* Whether pg_settings is to be read now. The times are put into loaded and started. */
static enum err_code is_due(struct probe_run *r, struct settings_memory *m, bool *due,
                            struct err *e)
{
    struct pgclient_result res;
    if (ask(r, "clock", &res, e)) {
        return e->code;
    }
    if (res.row_count != 1 || res.column_count != 2) {
        return err_set(e, ERR_INVALID, "the server does not say when it loaded its settings");
    }
    *due = !m->loaded[0] || !str_eq_c(res.cells[0], m->loaded) ||
           !str_eq_c(res.cells[1], m->started) || clock_mono_us() >= m->due_us;
    if (*due) {
        snprintf(m->loaded, sizeof(m->loaded), "%.*s", STR_ARG(res.cells[0]));
        snprintf(m->started, sizeof(m->started), "%.*s", STR_ARG(res.cells[1]));
    }
    return ERR_OK;
}

static enum err_code read_settings(struct probe_run *r, struct settings_memory *m, struct err *e)
{
    struct pgclient_result res;
    if (ask(r, "read", &res, e)) {
        return e->code;
    }
    if (res.row_count == 0 || res.column_count != IN_COUNT) {
        return err_set(e, ERR_INVALID, "pg_settings has %zu rows of %zu columns", res.row_count,
                       res.column_count);
    }
    if (emit(r, &res, e)) {
        return e->code;
    }
    tell_changes(r, m, &res);
    remember(m, &res);
    m->due_us = clock_mono_us() + READ_US;
    if (r->flags & PROBE_KEEP) {
        keep(r, m);
    }
    return ERR_OK;
}

static enum err_code run(struct probe_run *r, struct err *e)
{
    struct settings_memory *m = memory(r);
    bool due = false;
    enum err_code code = is_due(r, m, &due, e);
    if (!code && due) {
        code = read_settings(r, m, e);
    }
    if (code) {
        m->loaded[0] = '\0'; /* read it again next time */
        return code;
    }
    if (m->holes) {
        r->report->state = PROBE_DENIED;
        r->report->reason = arena_printf(r->arena, "some settings are hidden from the role %s",
                                         r->server->user);
        r->report->fix = arena_printf(r->arena, "GRANT pg_monitor TO \"%s\"", r->server->user);
    }
    return ERR_OK;
}

const struct probe probe_settings = {
    .name = "settings",
    .summary = "Settings and their changes.",
    .scope = CATALOGUE_CLUSTER,
    .clock_ms = 60000,
    .timeout_ms = 5000,
    .privilege = "pg_read_all_settings for some",
    .relations = RELATIONS,
    .keeps = true,
    .source = "pg_settings, pg_conf_load_time, PostgreSQL >= 10",
    .run = run,
    .forget = forget,
};
