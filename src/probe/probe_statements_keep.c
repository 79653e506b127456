/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_statements_keep.c: the last reading outlives the agent.
 *
 * What a reading saw is written as bytes that the agent keeps in a file; in the next life the first
 * reading then gives deltas from there on, one long interval. It counts only for the same cluster
 * in the same role, the same version of the extension, the same columns and the same stats_reset;
 * otherwise the start is not known and the first reading gives no rows.
 * The bytes are varints and counted strings; who stores them answers for damage.
 * Threads: works on one reading.
 */
#include "probe/probe_statements.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/varint.h"
#include "os/clock.h"

#define FORMAT    1
#define FUTURE_MS 60000 /* a clock may have been set back that much */

static const struct log_ctx CTX = {.component = "statements"};

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

/* What must be the same in both lives. */
static void put_circumstances(struct buf *b, const struct probe_server *s, const struct relation *r)
{
    varint_put(b, FORMAT);
    put_str(b, str_of(s->system_identifier));
    put_str(b, str_of(s->statements_version));
    varint_put(b, s->in_recovery);
    varint_put(b, r->column_count);
    for (size_t i = 0; i < r->column_count; i++) {
        put_str(b, r->columns[i].name);
        varint_put_signed(b, llround(r->columns[i].resolution * 1e9));
    }
}

static void put_entry(struct buf *b, struct str key, const struct statements_entry *entry,
                      size_t columns)
{
    put_str(b, key);
    put_str(b, str_of(entry->datname));
    put_str(b, str_of(entry->usename));
    varint_put_signed(b, entry->queryid);
    varint_put(b, (entry->toplevel ? 1U : 0U) | (entry->emitted ? 2U : 0U));
    varint_put_signed(b, entry->since_us);
    for (size_t i = 0; i < columns; i++) {
        varint_put_signed(b, entry->values[i]);
    }
}

void probe_statements_keep(const struct statements_reading *g)
{
    const struct statements_memory *m = g->memory;
    struct buf *b = &g->run->memory->keep;
    size_t at = 0;
    struct str key;
    void *entry;
    buf_reset(b);
    put_circumstances(b, g->run->server, g->relation);
    varint_put_signed(b, m->read_ms);
    varint_put_signed(b, m->info.dealloc);
    varint_put_signed(b, m->info.reset_us);
    varint_put_signed(b, m->info.max);
    varint_put(b, m->hidden);
    varint_put(b, map_count(m->entries));
    while (map_next(m->entries, &at, &key, &entry)) {
        put_entry(b, key, entry, g->relation->column_count);
    }
    if (b->failed) {
        buf_reset(b); /* too much: the next start will not be known */
    }
}

static bool take_entry(struct str *in, struct statements_memory *m, size_t columns)
{
    struct str key, datname, usename;
    uint64_t flags;
    if (!take_str(in, &key) || !take_str(in, &datname) || !take_str(in, &usename) ||
        map_get(m->entries, key)) {
        return false;
    }
    struct statements_entry *entry = alloc_new(sizeof(*entry) + columns * sizeof(int64_t));
    bool good = varint_take_signed(in, &entry->queryid) && varint_take(in, &flags) &&
                varint_take_signed(in, &entry->since_us);
    for (size_t i = 0; good && i < columns; i++) {
        good = varint_take_signed(in, &entry->values[i]);
    }
    if (!good) {
        alloc_free(entry);
        return false;
    }
    entry->toplevel = flags & 1;
    entry->emitted = flags & 2;
    entry->seen = 1;
    entry->datname = probe_statements_intern(m, datname);
    entry->usename = probe_statements_intern(m, usename);
    map_put(m->entries, key, entry);
    return true;
}

static bool take_memory(struct str in, struct statements_memory *m, size_t columns)
{
    uint64_t hidden, count;
    if (!varint_take_signed(&in, &m->read_ms) || !varint_take_signed(&in, &m->info.dealloc) ||
        !varint_take_signed(&in, &m->info.reset_us) || !varint_take_signed(&in, &m->info.max) ||
        !varint_take(&in, &hidden) || !varint_take(&in, &count)) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (!take_entry(&in, m, columns)) {
            return false;
        }
    }
    m->hidden = (size_t)hidden;
    return in.len == 0;
}

static void refuse(struct statements_memory *m, const char *why)
{
    log_info(&CTX, "the counts before the start are not known: %s", why);
    probe_statements_clear(m);
    m->start = why;
}

void probe_statements_take_kept(const struct probe_run *r, struct statements_memory *m)
{
    const struct catalogue_file *f = catalogue_find(r->catalogue, "pg_stat_statements");
    struct buf same;
    struct str in = buf_view(&r->memory->kept);
    buf_init(&same, LIMIT_KEEP_BYTES);
    put_circumstances(&same, r->server, &f->relation);
    bool is_same = str_starts(in, buf_view(&same));
    size_t head = same.len;
    buf_fini(&same);
    if (!is_same) {
        refuse(m, "what was kept is of another server, role or version");
        return;
    }
    in = str_make(in.ptr + head, in.len - head);
    if (!take_memory(in, m, f->relation.column_count)) {
        refuse(m, "what was kept is damaged");
        return;
    }
    if (m->read_ms > clock_wall_ms() + r->wall_offset_ms + FUTURE_MS) {
        refuse(m, "what was kept is of a later time than now");
        return;
    }
    m->reading = 1;
    m->restored = true;
    if (m->read_ms > r->memory->last_t_ms) {
        r->memory->last_t_ms = m->read_ms;
    }
}

void probe_statements_check_kept(const struct statements_reading *g)
{
    struct statements_memory *m = g->memory;
    if (m->restored &&
        (g->info.reset_us != m->info.reset_us || g->info.dealloc < m->info.dealloc)) {
        refuse(m, "the statistics were reset meanwhile");
    }
}
