/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_statements.c: pg_stat_statements: every entry read without text, deltas made here.
 *
 * A reading is taken as a whole or not at all: rows become changes in the arena, and only when the
 * last row has arrived are they applied to the memory. So a reading that fails loses nothing; the
 * next one covers a longer interval.
 * Invariants: (1) memory->entries is what the last good reading saw; (2) a delta is given out only
 * when its start is known: the entry was there before, or it cannot have been evicted unseen in
 * between;
 * (3) kept rows + remainder rows = all changes, exactly.
 * Threads: one run at a time.
 */
#include "probe/probe_statements.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/num.h"

#define ENTRIES_MAX    50000
#define READ_MAX_BYTES (32 * 1024 * 1024) /* on the wire; rows are taken chunk by chunk */
#define STEPS(column)  ((column)->resolution > 0 ? round(1 / (column)->resolution) : 1.0)

static const char *const RELATIONS[] = {"pg_stat_statements", "pg_stat_statements_info", NULL};

/* Columns at the front of every reading, in this order. */
enum { IN_DBID, IN_USERID, IN_QUERYID, IN_TOPLEVEL, IN_SINCE, IN_DATNAME, IN_USENAME, IN_VALUES };

static void forget(void *data)
{
    struct statements_memory *m = data;
    map_free(m->entries, alloc_free);
    map_free(m->names, alloc_free);
    map_free(m->texts, NULL);
    alloc_free(m);
}

void probe_statements_clear(struct statements_memory *m)
{
    map_clear(m->entries, alloc_free);
    m->reading = 0;
    m->hidden = 0;
    m->restored = false;
}

static struct statements_memory *memory(struct probe_run *r)
{
    struct statements_memory *m = r->memory->data;
    if (!m) {
        m = alloc_new(sizeof(*m));
        m->entries = map_new();
        m->names = map_new();
        m->texts = map_new();
        r->memory->data = m;
        buf_init(&r->memory->keep, LIMIT_KEEP_BYTES);
    }
    if (strcmp(m->system_identifier, r->server->system_identifier) != 0) {
        /* another cluster behind the same address: nothing of the old one counts */
        probe_statements_clear(m);
        map_clear(m->texts, NULL);
        snprintf(m->system_identifier, sizeof(m->system_identifier), "%s",
                 r->server->system_identifier);
    }
    if (r->memory->kept.len) {
        probe_statements_take_kept(r, m);
        buf_fini(&r->memory->kept);
    }
    return m;
}

const char *probe_statements_intern(struct statements_memory *m, struct str name)
{
    char *known = map_get(m->names, name);
    if (!known) {
        known = alloc_strndup(name.ptr ? name.ptr : "", name.len);
        map_put(m->names, name, known);
    }
    return known;
}

enum err_code probe_statements_ask(struct probe_run *r, const char *file,
                                   const struct pgclient_query *question,
                                   struct pgclient_result *out, struct err *e)
{
    const struct catalogue_file *f = catalogue_find(r->catalogue, file);
    const struct catalogue_query *q = f ? catalogue_pick(f, question->name, r->server->version_num,
                                                         r->server->statements_version)
                                        : NULL;
    if (!q) {
        return err_set(e, ERR_UNSUPPORTED, "pg_stat_statements %s is not known",
                       r->server->statements_version);
    }
    struct pgclient_query full = *question;
    full.name = NULL;
    full.sql = q->sql;
    full.deadline_us = r->deadline_us;
    return pgclient_query(r->pg, r->arena, &full, out, e);
}

/* Seconds with a fraction as microseconds. */
static int64_t parse_time_us(struct str text)
{
    double s;
    if (!text.ptr || num_parse_f64(text, &s, NULL)) {
        return STATEMENTS_ABSENT;
    }
    return (int64_t)llround(s * 1e6);
}

static int64_t parse_count(struct str text)
{
    int64_t n;
    return text.ptr && !num_parse_i64(text, INT64_MIN + 1, INT64_MAX, &n, NULL) ? n
                                                                                : STATEMENTS_ABSENT;
}

static enum err_code read_info(struct statements_reading *g, struct err *e)
{
    static const struct pgclient_query read = {.name = "read"}, text_file = {.name = "text_file"};
    struct pgclient_result res;
    if (probe_statements_ask(g->run, RELATIONS[1], &read, &res, e)) {
        return e->code;
    }
    if (res.row_count != 1 || res.column_count != 3) {
        return err_set(e, ERR_INVALID, "pg_stat_statements_info has no row");
    }
    g->info.dealloc = parse_count(res.cells[0]);
    g->info.reset_us = parse_time_us(res.cells[1]);
    g->info.max = parse_count(res.cells[2]);
    g->info.text_file_bytes = STATEMENTS_ABSENT;
    if (g->run->server->reads_files &&
        !probe_statements_ask(g->run, RELATIONS[1], &text_file, &res, NULL) && res.row_count == 1) {
        g->info.text_file_bytes = parse_count(res.cells[0]);
    }
    probe_statements_check_kept(g);
    const struct statements_info *old = &g->memory->info;
    g->whole_reset = g->memory->reading && g->info.reset_us != old->reset_us;
    return ERR_OK;
}

/* Which column of the result carries each column of the relation; -1 = none in this version. */
static void map_values(const struct statements_reading *g, int *at)
{
    size_t columns = pgclient_column_count(g->run->pg);
    for (size_t i = 0; i < g->relation->column_count; i++) {
        at[i] = -1;
        for (size_t c = IN_VALUES; c < columns; c++) {
            if (str_eq_c(g->relation->columns[i].name, pgclient_column_name(g->run->pg, c))) {
                at[i] = (int)c;
            }
        }
    }
}

static int64_t parse_value(const struct relation_column *column, struct str text)
{
    double f;
    if (!text.ptr) {
        return STATEMENTS_ABSENT;
    }
    if (column->type != RELATION_F64) {
        return parse_count(text);
    }
    return num_parse_f64(text, &f, NULL) ? STATEMENTS_ABSENT : (int64_t)llround(f * STEPS(column));
}

/* Whether the entry began anew since the last reading: a counter went back, or it says so. */
static bool began_anew(const struct statements_reading *g, const struct statements_entry *old,
                       int64_t since_us, const int64_t *values)
{
    if (g->whole_reset || (since_us > 0 && old->since_us > 0 && since_us != old->since_us)) {
        return true;
    }
    for (size_t i = 0; i < g->relation->column_count; i++) {
        if (values[i] != STATEMENTS_ABSENT && old->values[i] != STATEMENTS_ABSENT &&
            values[i] < old->values[i]) {
            return true;
        }
    }
    return false;
}

/* A new entry's counts all belong to this interval, unless it may have been evicted in between. */
static bool start_is_known(const struct statements_reading *g, int64_t since_us)
{
    const struct statements_info *old = &g->memory->info;
    if (g->memory->restored && g->memory->hidden) {
        return false; /* it may have been there, hidden from our role by a grant that came since */
    }
    if (g->whole_reset || since_us > 0) {
        return true;
    }
    if (g->info.dealloc != STATEMENTS_ABSENT && old->dealloc != STATEMENTS_ABSENT) {
        return g->info.dealloc == old->dealloc;
    }
    /* Before extension 1.9 evictions are not counted; they need a full table. */
    return (int64_t)map_count(g->memory->entries) < g->info.max * 9 / 10;
}

/* Fill c->deltas; false when nothing happened. */
static bool compute_deltas(const struct statements_reading *g, struct statements_change *c)
{
    const struct statements_entry *old = c->reset ? NULL : c->entry;
    bool any = false;
    for (size_t i = 0; i < g->relation->column_count; i++) {
        int64_t before = old ? old->values[i] : 0;
        c->deltas[i] = STATEMENTS_ABSENT;
        if (c->values[i] != STATEMENTS_ABSENT && before != STATEMENTS_ABSENT) {
            c->deltas[i] = c->values[i] - before;
            any = any || c->deltas[i] != 0;
        }
    }
    return any;
}

static struct statements_change *add_change(struct statements_reading *g)
{
    if (g->change_count == g->change_cap) {
        size_t cap = g->change_cap ? g->change_cap * 2 : 256;
        struct statements_change *more = arena_array(g->run->arena, cap, sizeof(*more));
        if (!more) {
            return NULL;
        }
        if (g->change_count) {
            memcpy(more, g->changes, g->change_count * sizeof(*more));
        }
        g->changes = more;
        g->change_cap = cap;
    }
    return &g->changes[g->change_count++];
}

/* Take one row whose values are in `values`: a change, or only a sign of life. */
static enum err_code take_row(struct statements_reading *g, const struct pgclient_row *row,
                              const int64_t *values, struct err *e)
{
    char key[96];
    struct arena *a = g->run->arena;
    size_t bytes = g->relation->column_count * sizeof(int64_t);
    int len = snprintf(key, sizeof(key), "%.*s/%.*s/%.*s/%.*s", STR_ARG(row->cells[IN_DBID]),
                       STR_ARG(row->cells[IN_USERID]), STR_ARG(row->cells[IN_QUERYID]),
                       STR_ARG(row->cells[IN_TOPLEVEL]));
    struct statements_entry *old = map_get(g->memory->entries, str_make(key, (size_t)len));
    int64_t since_us = parse_time_us(row->cells[IN_SINCE]);
    bool reset = old && began_anew(g, old, since_us, values);
    if (old && !reset && memcmp(old->values, values, bytes) == 0) {
        old->seen = g->memory->reading + 1;
        return ERR_OK;
    }
    struct statements_change *c = add_change(g);
    if (!c) {
        return arena_check(a, e);
    }
    *c = (struct statements_change){
        .key = arena_str(a, str_make(key, (size_t)len)),
        .entry = old,
        .datname = arena_str(a, row->cells[IN_DATNAME]),
        .usename = arena_str(a, row->cells[IN_USENAME]),
        .queryid = parse_count(row->cells[IN_QUERYID]),
        .since_us = since_us,
        .toplevel = str_eq_c(row->cells[IN_TOPLEVEL], "t"),
        .reset = reset,
        .unknown = g->memory->reading == 0 || (!old && !start_is_known(g, since_us)),
        .values = arena_alloc(a, bytes),
        .deltas = arena_alloc(a, bytes),
    };
    if (arena_check(a, e)) {
        return ERR_LIMIT;
    }
    memcpy(c->values, values, bytes);
    g->unknown += c->unknown && g->memory->reading;
    return ERR_OK;
}

static enum err_code read_rows(struct statements_reading *g, struct err *e)
{
    int at[LIMIT_RELATION_COLUMNS];
    int64_t values[LIMIT_RELATION_COLUMNS];
    struct pgclient_row row;
    for (;;) {
        enum err_code code = pgclient_next(g->run->pg, &row, e);
        if (code || !row.count) {
            return code;
        }
        if (g->rows++ == 0) {
            map_values(g, at);
        }
        if (g->rows > ENTRIES_MAX) {
            return err_set(e, ERR_LIMIT, "pg_stat_statements holds more than %d entries",
                           ENTRIES_MAX);
        }
        if (row.count < IN_VALUES || !row.cells[IN_QUERYID].ptr) {
            g->hidden++; /* of another role, which ours may not see */
            continue;
        }
        for (size_t i = 0; i < g->relation->column_count; i++) {
            struct str none = {NULL, 0};
            values[i] = parse_value(&g->relation->columns[i], at[i] < 0 ? none : row.cells[at[i]]);
        }
        if (take_row(g, &row, values, e)) {
            return e->code;
        }
    }
}

static enum err_code read_entries(struct statements_reading *g, struct err *e)
{
    struct probe_run *r = g->run;
    const struct catalogue_file *f = catalogue_find(r->catalogue, RELATIONS[0]);
    const struct catalogue_query *q = catalogue_pick(f, "read", r->server->version_num,
                                                     r->server->statements_version);
    if (!q) {
        return err_set(e, ERR_UNSUPPORTED, "pg_stat_statements %s is not known",
                       r->server->statements_version);
    }
    struct pgclient_query query = {
        .sql = q->sql, .max_bytes = READ_MAX_BYTES, .deadline_us = r->deadline_us};
    if (pgclient_begin(r->pg, &query, e)) {
        return e->code;
    }
    enum err_code code = read_rows(g, e);
    enum err_code ended = pgclient_end(r->pg, NULL, code ? NULL : e);
    return code ? code : ended;
}

/* The memory becomes what this reading saw: invariant (1). */
static void apply(struct statements_reading *g)
{
    struct statements_memory *m = g->memory;
    size_t bytes = g->relation->column_count * sizeof(int64_t);
    for (size_t i = 0; i < g->change_count; i++) {
        struct statements_change *c = &g->changes[i];
        if (!c->entry) {
            c->entry = alloc_new(sizeof(*c->entry) + bytes);
            map_put(m->entries, c->key, c->entry);
        }
        memcpy(c->entry->values, c->values, bytes);
        c->entry->queryid = c->queryid;
        c->entry->datname = probe_statements_intern(m, c->datname);
        c->entry->usename = probe_statements_intern(m, c->usename);
        c->entry->toplevel = c->toplevel;
        c->entry->since_us = c->since_us;
        c->entry->seen = m->reading + 1;
        c->entry->emitted = c->entry->emitted || (c->kept && !c->unknown);
    }
    m->info = g->info;
    m->read_ms = g->t_ms;
    m->hidden = g->hidden;
    m->restored = false;
    m->reading++;
}

/* Drop entries that the reading did not see. */
static void sweep(struct statements_reading *g)
{
    struct map *entries = g->memory->entries;
    struct str *dead = arena_array(g->run->arena, map_count(entries), sizeof(*dead));
    size_t count = 0, at = 0;
    struct str key;
    void *value;
    while (dead && map_next(entries, &at, &key, &value)) {
        if (((struct statements_entry *)value)->seen != g->memory->reading) {
            dead[count++] = arena_str(g->run->arena, key);
        }
    }
    for (size_t i = 0; i < count; i++) {
        alloc_free(map_remove(entries, dead[i]));
    }
}

static void report(struct statements_reading *g)
{
    struct probe_report *p = g->run->report;
    struct arena *a = g->run->arena;
    if (g->hidden) {
        p->state = PROBE_DENIED;
        p->reason = arena_printf(a, "%zu statements of other roles are hidden from the role %s",
                                 g->hidden, g->run->server->user);
        p->fix = arena_printf(a, "GRANT pg_read_all_stats TO \"%s\"", g->run->server->user);
    } else if (g->memory->reading == 1) {
        p->state = PROBE_STARTING;
        p->reason = g->memory->start ? g->memory->start
                                     : "first reading: deltas come with the next";
    } else if (g->unknown) {
        p->reason = arena_printf(
            a, "%zu statements left out: entries were evicted, so their start is not known",
            g->unknown);
    } else if (g->text_note) {
        p->reason = g->text_note;
    }
}

/*
 * Deltas of all changes; those without any leave the list (their values are remembered all
 * the same).
 */
static void compute(struct statements_reading *g)
{
    for (size_t i = 0; i < g->change_count; i++) {
        struct statements_change *c = &g->changes[i];
        if (!c->unknown && !compute_deltas(g, c)) {
            c->unknown = true;
        }
    }
}

static enum err_code run(struct probe_run *r, struct err *e)
{
    const struct catalogue_file *f = catalogue_find(r->catalogue, RELATIONS[0]);
    if (!f) {
        return err_set(e, ERR_BUG, "the catalogue has no %s", RELATIONS[0]);
    }
    struct statements_reading g = {.run = r, .memory = memory(r), .relation = &f->relation};
    g.t_ms = probe_now_ms(r); /* later than what was kept, which memory() has read */
    if (read_info(&g, e) || read_entries(&g, e)) {
        return e->code;
    }
    compute(&g);
    probe_statements_choose(&g);
    r->memory->keep_due = (r->flags & PROBE_KEEP) != 0; /* slices may go out from here on */
    buf_reset(&r->memory->keep);
    size_t slices = r->out->slice_count;
    enum err_code code = probe_statements_emit(&g, e);
    if (code) {
        r->out->slice_count = slices; /* what is not applied is counted again: it may not go out */
        return code;
    }
    apply(&g);
    sweep(&g);
    if (r->memory->keep_due) {
        probe_statements_keep(&g);
    }
    probe_statements_emit_texts(&g);
    report(&g);
    return ERR_OK;
}

const struct probe probe_statements = {
    .name = "statements",
    .summary = "What statements cost, by normalized statement.",
    .scope = CATALOGUE_CLUSTER,
    .clock_ms = 60000,
    .timeout_ms = 5000,
    .privilege = "pg_read_all_stats",
    .relations = RELATIONS,
    .keeps = true,
    .source = "pg_stat_statements 1.5 to 1.13, PostgreSQL >= 10",
    .run = run,
    .forget = forget,
};
