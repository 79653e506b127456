/* SPDX-License-Identifier: PostgreSQL */
/*
 * kills_ledger.c: what a store that is killed again and again must hold.
 */
#include "kills_ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/entropy.h"

/* Five days before a month ends, so that a store lives to see the next one. */
#define START_MS 1772064000000LL /* 2026-02-26T00:00:00Z */

static const struct {
    const char *name;
    bool fast;
    size_t rows;
    int64_t every_ms, apart, first; /* slots between readings of an hour, and before the first */
} kinds[KILLS_RELATIONS] = {
    [KILLS_SLOW] = {"slow", false, 3, 300000, 2, 2},
    [KILLS_FAST] = {"fast", true, 3, 15000, 1, 1},
    [KILLS_FACT] = {"fact", false, 2, 300000, 6, 6},
    [KILLS_CHURN] = {"churn", false, 1, KILLS_HOUR, 24, 24},
    [KILLS_STEADY] = {"side", true, 1, 1000, 0, 0},
};

void kills_ledger_init(struct kills_ledger *l)
{
    memset(l, 0, sizeof(*l));
    l->start_ms = START_MS;
    entropy_uuid(&l->collector);
    entropy_uuid(&l->target);
    for (int s = 0; s < KILLS_STREAMS; s++) {
        entropy_uuid(&l->streams[s].uuid);
    }
    atomic_store(&l->wall_ms, START_MS + 60000);
}

const char *kills_relation_name(enum kills_relation relation)
{
    return kinds[relation].name;
}

bool kills_is_fast(enum kills_relation relation)
{
    return kinds[relation].fast;
}

size_t kills_row_count(enum kills_relation relation)
{
    return kinds[relation].rows;
}

void kills_row(enum kills_relation relation, const struct kills_reading *r, size_t i,
               struct kills_row *out)
{
    (void)snprintf(out->name, sizeof(out->name), "%c", (int)('a' + i));
    if (i == 2) {
        (void)snprintf(out->name, sizeof(out->name), "c%d", (int)r->hour / 4);
    }
    if (relation == KILLS_CHURN) {
        (void)snprintf(out->name, sizeof(out->name), "n%d", (int)r->hour / 8 % 21);
    }
    out->n = (r->slot % 97) * 3 + (int64_t)i * 1000 + (int64_t)relation;
    out->d = r->slot % 9 + (int64_t)i;
    out->g = (double)(r->slot * 7919 % 1000 - 500) / 8 + (double)i;
    (void)snprintf(out->w, sizeof(out->w), "w%d", (int)(r->slot / 24 % 5));
}

/* --- records --- */

static const char numbers[] =
    "{\"name\":\"%s\",\"help\":\"h\",\"shape\":\"object\",\"sparse\":false,\"keys\":[{\"name\":"
    "\"k\",\"help\":\"\"}],\"columns\":[{\"name\":\"n\",\"kind\":\"counter\",\"type\":\"i64\","
    "\"unit\":\"1\",\"help\":\"\"},{\"name\":\"d\",\"kind\":\"delta\",\"type\":\"i64\",\"unit\":"
    "\"1\",\"help\":\"\"},{\"name\":\"g\",\"kind\":\"gauge\",\"type\":\"f64\",\"unit\":\"1\","
    "\"help\":\"\"},{\"name\":\"w\",\"kind\":\"text\",\"type\":\"text\",\"unit\":\"\",\"help\":"
    "\"\"}]}";
static const char facts[] =
    "{\"name\":\"%s\",\"help\":\"h\",\"shape\":\"fact\",\"sparse\":false,\"keys\":[{\"name\":"
    "\"k\",\"help\":\"\"}],\"columns\":[{\"name\":\"n\",\"kind\":\"gauge\",\"type\":\"i64\","
    "\"unit\":\"1\",\"help\":\"\"},{\"name\":\"d\",\"kind\":\"delta\",\"type\":\"i64\",\"unit\":"
    "\"1\",\"help\":\"\"},{\"name\":\"g\",\"kind\":\"gauge\",\"type\":\"f64\",\"unit\":\"1\","
    "\"help\":\"\"},{\"name\":\"w\",\"kind\":\"text\",\"type\":\"text\",\"unit\":\"\",\"help\":"
    "\"\"}]}";

static void put_relations(struct buf *out)
{
    buf_add_c(out, "\"relations\":[");
    for (int r = 0; r < KILLS_RELATIONS; r++) {
        buf_add_c(out, r ? "," : "");
        buf_printf(out, r == KILLS_FACT ? facts : numbers, kinds[r].name);
    }
    buf_add_c(out, "],");
}

/* One list of a slice: name 'k', or a column. */
static void put_list(struct buf *out, enum kills_relation relation, const struct kills_reading *r,
                     char what)
{
    struct kills_row row;

    for (size_t i = 0; i < kinds[relation].rows; i++) {
        kills_row(relation, r, i, &row);
        buf_add_c(out, i ? "," : "");
        if (what == 'k' || what == 'w') {
            buf_printf(out, "\"%s\"", what == 'k' ? row.name : row.w);
        } else if (what == 'g') {
            buf_printf(out, "%.3f", row.g);
        } else {
            buf_printf(out, "%lld", (long long)(what == 'n' ? row.n : row.d));
        }
    }
}

static void put_slice(const struct kills_ledger *l, struct buf *out, enum kills_relation relation,
                      const struct kills_reading *r)
{
    char target[TEXT_UUID_SIZE];

    text_uuid(&l->target, target);
    buf_printf(out,
               "{\"relation\":\"%s\",\"target\":\"%s\",\"scope\":\"\",\"t\":%lld,\"every_ms\":%lld,"
               "\"flags\":[\"complete\"],\"rows\":%zu,\"keys\":{\"k\":[",
               kinds[relation].name, target, (long long)r->t_ms,
               (long long)kinds[relation].every_ms, kinds[relation].rows);
    put_list(out, relation, r, 'k');
    buf_add_c(out, "]},\"columns\":{");
    for (const char *what = "ndgw"; *what; what++) {
        buf_printf(out, "%s\"%c\":[", *what == 'n' ? "" : ",", *what);
        put_list(out, relation, r, *what);
        buf_add_c(out, "]");
    }
    buf_add_c(out, "}}");
}

/* Readings of an hour that a live or late record brings; returns how many. */
static size_t readings_of(const struct kills_ledger *l, enum kills_stream_id stream,
                          enum kills_relation relation, int32_t hour, struct kills_reading *out)
{
    int64_t per_hour = KILLS_HOUR / KILLS_SLOT;
    int64_t first = stream == KILLS_LATE ? 1 : kinds[relation].first;
    size_t count = 0;

    if (stream == KILLS_LATE && relation != KILLS_SLOW) {
        return 0;
    }
    for (int64_t s = first; s <= per_hour; s += kinds[relation].apart) {
        int64_t slot = hour * per_hour + s;
        out[count++] = (struct kills_reading){l->start_ms + slot * KILLS_SLOT, slot, hour};
    }
    return count;
}

static void put_hour(const struct kills_ledger *l, enum kills_stream_id stream, uint64_t seq,
                     struct buf *out)
{
    struct kills_reading readings[KILLS_HOUR / KILLS_SLOT];
    const char *comma = "";

    buf_add_c(out, "\"slices\":[");
    for (int r = KILLS_SLOW; r <= KILLS_CHURN; r++) {
        size_t count = readings_of(l, stream, (enum kills_relation)r, l->hour_of[seq], readings);
        for (size_t i = 0; i < count; i++) {
            buf_add_c(out, comma);
            put_slice(l, out, (enum kills_relation)r, &readings[i]);
            comma = ",";
        }
    }
    buf_add_c(out, "]");
}

static void put_event_and_text(const struct kills_ledger *l, uint64_t seq, struct buf *out)
{
    char target[TEXT_UUID_SIZE];

    text_uuid(&l->target, target);
    buf_printf(out,
               ",\"events\":[{\"t\":%lld,\"kind\":\"seen\",\"severity\":\"info\",\"title\":"
               "\"%llu\"}],\"texts\":[{\"target\":\"%s\",\"kind\":\"query\",\"key\":\"%llu\","
               "\"text\":\"SELECT %llu\"}]",
               (long long)(l->start_ms + (l->hour_of[seq] + 1) * KILLS_HOUR),
               (unsigned long long)seq, target, (unsigned long long)seq, (unsigned long long)seq);
}

static struct kills_reading side_reading(const struct kills_ledger *l, uint64_t seq)
{
    return (struct kills_reading){l->side_t_ms[seq], (int64_t)seq,
                                  (int32_t)((l->side_t_ms[seq] - 1 - l->start_ms) / KILLS_HOUR)};
}

void kills_record(const struct kills_ledger *l, enum kills_stream_id stream, uint64_t seq,
                  struct buf *out)
{
    buf_add_c(out, "{\"made_ms\":1,");
    if (seq == 1) {
        put_relations(out);
    }
    if (stream == KILLS_BESIDE) {
        const struct kills_reading r = side_reading(l, seq);
        buf_add_c(out, "\"slices\":[");
        put_slice(l, out, KILLS_STEADY, &r);
        buf_add_c(out, "]");
    } else {
        put_hour(l, stream, seq, out);
    }
    if (stream == KILLS_LIVE) {
        put_event_and_text(l, seq, out);
    }
    buf_add_c(out, "}");
}

/* --- what must be there --- */

static int by_time(const void *a, const void *b)
{
    const struct kills_reading *x = a;
    const struct kills_reading *y = b;
    return (x->t_ms > y->t_ms) - (x->t_ms < y->t_ms);
}

size_t kills_expect(const struct kills_ledger *l, const uint64_t next[KILLS_STREAMS],
                    enum kills_relation relation, struct kills_reading **out)
{
    size_t most = next[KILLS_BESIDE] + (next[KILLS_LIVE] + next[KILLS_LATE]) * 24;
    struct kills_reading *r = calloc(most, sizeof(*r));
    size_t count = 0;

    *out = r;
    if (!r) {
        abort();
    }
    for (uint64_t seq = 1; relation == KILLS_STEADY && seq < next[KILLS_BESIDE]; seq++) {
        r[count++] = side_reading(l, seq);
    }
    for (int s = KILLS_LIVE; relation != KILLS_STEADY && s <= KILLS_LATE; s++) {
        for (uint64_t seq = 1; seq < next[s]; seq++) {
            count += readings_of(l, (enum kills_stream_id)s, relation, l->hour_of[seq], r + count);
        }
    }
    qsort(r, count, sizeof(*r), by_time);
    return count;
}
