/* SPDX-License-Identifier: PostgreSQL */
/*
 * kills_check.c: whether a store holds what its ledger says: streams, readings, events, texts,
 * files.
 */
#include "kills_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/num.h"
#include "os/file.h"

#define CLASSES  2
#define DAYS_MAX 400

struct looking {
    struct kills_check *c;
    struct tsdb_reader *reader;
    enum kills_relation relation;
    const struct kills_reading *expected;
    size_t count, at;
    int64_t last_t_ms;
    int64_t kept_day; /* since the start; what is older may have gone */
    /* of older days, by class of files */
    uint32_t (*there)[DAYS_MAX], (*gone)[DAYS_MAX];
};

void kills_say(struct kills_check *c, const char *format, ...)
{
    va_list args;

    if (c->text[0] == '\0') {
        va_start(args, format);
        (void)vsnprintf(c->text, sizeof(c->text), format, args);
        va_end(args);
    }
}

/* --- streams --- */

static void check_streams(struct tsdb_reader *r, struct kills_check *c)
{
    struct tsdb_stream *streams = NULL;
    size_t count = 0;
    struct arena a;
    struct err e = {0};

    arena_init(&a, "streams", 16 << 20);
    if (tsdb_streams(r, &a, &streams, &count, &e)) {
        c->wrong++;
        kills_say(c, "streams: %s", e.text);
    }
    for (int s = 0; s < KILLS_STREAMS; s++) {
        c->next[s] = 1;
        for (size_t i = 0; i < count; i++) {
            if (memcmp(&streams[i].stream, &c->ledger->streams[s].uuid, sizeof(struct uuid)) == 0) {
                c->next[s] = streams[i].next_seq;
            }
        }
        if (c->next[s] <= c->least[s] || c->next[s] > c->most[s] + 1) {
            c->lost += c->next[s] <= c->least[s];
            c->wrong += c->next[s] > c->most[s] + 1;
            kills_say(c, "stream %d expects %" PRIu64 ", answered %" PRIu64 ", sent %" PRIu64, s,
                      c->next[s], c->least[s], c->most[s]);
        }
    }
    arena_fini(&a);
}

/* --- readings --- */

static int64_t day_of(const struct looking *l, int64_t t_ms)
{
    return (t_ms - l->c->ledger->start_ms) / KILLS_DAY;
}

static void miss(struct looking *l, const struct kills_reading *r)
{
    int64_t day = day_of(l, r->t_ms);

    if (day < l->kept_day) {
        l->gone[kills_is_fast(l->relation)][day]++;
        return;
    }
    l->c->lost++;
    kills_say(l->c, "%s: the reading of slot %" PRId64 ", day %" PRId64 ", is not there",
              kills_relation_name(l->relation), r->slot, day);
}

static bool same_cells(const struct tsdb_slice *s, size_t row, const struct kills_row *want)
{
    const struct cell *n = &s->cells[0][row];
    const struct cell *d = &s->cells[1][row];
    const struct cell *g = &s->cells[2][row];
    const struct cell *w = &s->cells[3][row];

    return n->tag == CELL_I64 && n->i64 == want->n && d->tag == CELL_I64 && d->i64 == want->d &&
           (g->tag == CELL_F64 ? g->f64 == want->g
                               : g->tag == CELL_I64 && (double)g->i64 == want->g) &&
           w->tag == CELL_STR && str_eq_c(w->str, want->w);
}

static bool row_name(const struct looking *l, const struct tsdb_slice *s, size_t row,
                     struct str *out)
{
    const struct tsdb_group_object of = {s->group, s->objects ? s->objects[row] : 0};
    struct err e;

    if (s->key_count) {
        *out = s->keys[0][row];
        return true;
    }
    return tsdb_group_keys(l->reader, &of, out, 1, &e) == ERR_OK;
}

/* The rows of a reading, in any order, each once. */
static bool same_rows(const struct looking *l, const struct tsdb_slice *s,
                      const struct kills_reading *r)
{
    size_t rows = kills_row_count(l->relation);
    unsigned seen = 0;

    if (s->row_count != rows || s->column_count != 4) {
        return false;
    }
    for (size_t i = 0; i < rows; i++) {
        struct str name;
        if (!row_name(l, s, i, &name)) {
            return false;
        }
        for (size_t k = 0; k < rows; k++) {
            struct kills_row want;
            kills_row(l->relation, r, k, &want);
            if (str_eq_c(name, want.name) && same_cells(s, i, &want)) {
                seen |= 1U << k;
            }
        }
    }
    return seen == (1U << rows) - 1;
}

static enum err_code look(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct looking *l = arg;

    (void)e;
    while (l->at < l->count && l->expected[l->at].t_ms < s->t_ms) {
        miss(l, &l->expected[l->at++]);
    }
    if (l->at == l->count || l->expected[l->at].t_ms != s->t_ms) {
        l->c->doubled += s->t_ms <= l->last_t_ms;
        l->c->wrong += s->t_ms > l->last_t_ms;
        kills_say(l->c, "%s: a reading of %" PRId64 " %s", kills_relation_name(l->relation),
                  s->t_ms, s->t_ms <= l->last_t_ms ? "comes again" : "that was never sent");
        return ERR_OK;
    }
    const struct kills_reading *r = &l->expected[l->at++];
    if (!same_rows(l, s, r)) {
        l->c->wrong++;
        kills_say(l->c, "%s: the reading of slot %" PRId64 " is another",
                  kills_relation_name(l->relation), r->slot);
    }
    if (day_of(l, r->t_ms) < l->kept_day) {
        l->there[kills_is_fast(l->relation)][day_of(l, r->t_ms)]++;
    }
    l->last_t_ms = s->t_ms;
    l->c->found++;
    return ERR_OK;
}

static void check_relation(struct looking *l)
{
    struct kills_reading *expected = NULL;
    struct tsdb_scan_spec spec = {.target = l->c->ledger->target,
                                  .relation = str_of(kills_relation_name(l->relation)),
                                  .to_ms = INT64_MAX / 2};
    struct err e = {0};

    l->count = kills_expect(l->c->ledger, l->c->next, l->relation, &expected);
    l->expected = expected;
    l->at = 0;
    l->last_t_ms = 0;
    enum err_code code = tsdb_scan(l->reader, &spec, look, l, &e);
    if (code && (code != ERR_NOT_FOUND || l->count > 0)) {
        l->c->wrong++;
        kills_say(l->c, "%s: %s", kills_relation_name(l->relation), e.text);
    }
    while (l->at < l->count) {
        miss(l, &expected[l->at++]);
    }
    free(expected);
}

void kills_check_readings(struct tsdb_fixture *f, struct kills_check *c)
{
    static uint32_t there[CLASSES][DAYS_MAX];
    static uint32_t gone[CLASSES][DAYS_MAX];
    struct looking l = {.c = c, .reader = tsdb_borrow(f), .there = there, .gone = gone};

    memset(there, 0, sizeof(there));
    memset(gone, 0, sizeof(gone));
    c->found = 0;
    check_streams(l.reader, c);
    l.kept_day = c->retention_days
                     ? day_of(&l, atomic_load(&c->ledger->wall_ms)) - c->retention_days
                     : 0;
    for (int r = 0; r < KILLS_RELATIONS; r++) {
        l.relation = (enum kills_relation)r;
        check_relation(&l);
    }
    tsdb_reader_return(l.reader);
    for (int class = 0; class < CLASSES; class ++) {
        for (int day = 0; day < DAYS_MAX; day++) {
            if (there[class][day] && gone[class][day]) {
                c->lost += gone[class][day];
                kills_say(c, "of day %d %u readings are there and %u not", day, there[class][day],
                          gone[class][day]);
            }
        }
    }
}

/* --- events and texts --- */

static void check_event(struct kills_check *c, const struct tsdb_event *event, char *seen)
{
    int64_t number = 0;

    if (num_parse_i64(event->event.title, 1, KILLS_HOURS, &number, NULL) ||
        (uint64_t)number >= c->next[KILLS_LIVE]) {
        c->wrong++;
        kills_say(c, "an event that was never sent");
    } else if (seen[number]) {
        c->doubled++;
        kills_say(c, "event %" PRId64 " is there twice", number);
    } else {
        seen[number] = 1;
    }
}

static void check_events(struct tsdb_reader *r, struct kills_check *c)
{
    char *seen = calloc(1, KILLS_HOURS + 1);
    struct tsdb_event_spec spec = {.limit = 500};
    size_t count = 1;
    struct err e = {0};

    while (count > 0) {
        struct tsdb_event *events = NULL;
        struct arena a;
        arena_init(&a, "events", 16 << 20);
        if (tsdb_events(r, &a, &spec, &events, &count, &e)) {
            c->wrong++;
            kills_say(c, "events: %s", e.text);
            count = 0;
        }
        for (size_t i = 0; i < count; i++) {
            check_event(c, &events[i], seen);
            spec.before_t_ms = events[i].event.t_ms;
            spec.before_id = events[i].id;
        }
        arena_fini(&a);
    }
    for (uint64_t seq = 1; seq < c->next[KILLS_LIVE]; seq++) {
        if (!seen[seq]) {
            c->lost++;
            kills_say(c, "event %" PRIu64 " is not there", seq);
        }
    }
    free(seen);
}

static void check_texts(struct tsdb_reader *r, struct kills_check *c)
{
    for (uint64_t seq = 1; seq < c->next[KILLS_LIVE]; seq++) {
        char number[24];
        char want[40];
        struct str got = {0};
        struct arena a;
        struct err e = {0};
        (void)snprintf(number, sizeof(number), "%" PRIu64, seq);
        (void)snprintf(want, sizeof(want), "SELECT %" PRIu64, seq);
        const struct tsdb_text_key key = {c->ledger->target, STR("query"), str_of(number)};
        arena_init(&a, "text", 1 << 20);
        if (tsdb_text(r, &a, &key, &got, &e) || !str_eq_c(got, want)) {
            c->lost++;
            kills_say(c, "text %" PRIu64 " is not there: %s", seq, e.text);
        }
        arena_fini(&a);
    }
}

void kills_check_derived(struct tsdb_fixture *f, struct kills_check *c)
{
    struct tsdb_reader *r = tsdb_borrow(f);

    check_events(r, c);
    check_texts(r, c);
    kills_check_rollups(r, c);
    tsdb_reader_return(r);
}

/* --- files --- */

struct listing {
    struct kills_check *c;
    int64_t oldest; /* YYYYMMDD that may be there */
};

static bool is_of_store(const char *name)
{
    static const char *const endings[] = {".db", ".db-wal", ".db-shm"};
    size_t digits = strspn(name, "0123456789");
    const char *rest = name + digits;

    if (*rest == '-' && rest[1] >= '1' && rest[1] <= '9') { /* an edition */
        rest += 1 + strspn(rest + 1, "0123456789");
    }
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(rest, endings[i]) == 0) {
            return digits == 8 || digits == 6;
        }
    }
    return false;
}

static void on_file(void *arg, const char *name)
{
    const struct listing *l = arg;

    if (!is_of_store(name)) {
        l->c->wrong++;
        kills_say(l->c, "the file %s belongs to nothing", name);
    } else if (l->oldest && strtoll(name, NULL, 10) < l->oldest) {
        l->c->wrong++;
        kills_say(l->c, "the file %s had to go", name);
    }
}

static int64_t date_of(int64_t t_ms)
{
    time_t s = (time_t)(t_ms / 1000);
    struct tm tm;

    (void)gmtime_r(&s, &tm);
    return (tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday;
}

void kills_check_files(const char *dir, struct kills_check *c, bool expired)
{
    static const char *const folders[] = {"raw/fast", "raw/slow", "tier5m", "tier1h"};
    struct listing l = {.c = c};
    struct err e = {0};

    for (size_t i = 0; i < 4; i++) {
        char path[256];
        (void)snprintf(path, sizeof(path), "%s/%s", dir, folders[i]);
        l.oldest = expired && i < 2
                       ? date_of(atomic_load(&c->ledger->wall_ms) - c->retention_days * KILLS_DAY)
                       : 0;
        if (file_list(path, on_file, &l, &e)) {
            c->wrong++;
            kills_say(c, "%s", e.text);
        }
    }
}
