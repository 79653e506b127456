/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_move.c: the readings of journal rows become rows of ts_slice.
 *
 * Of two readings of one group and time the first that was moved counts; readings of groups that
 * were deleted, and of days that retention has taken, are left out.
 * Threads: the mover.
 */
#include "store/tsdb/postgres/pgstore_move.h"

#include "store/tsdb/rollup/tier.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/varint.h"
#include "os/clock.h"

#include <stdlib.h>
#include <string.h>

#define SLICE_ROWS_BYTES (256UL * 1024 * 1024)
#define IDS_BYTES        (32UL * 1024 * 1024)
#define SLICES_MAX       1000000
#define TABLE_WAIT_US    15000000LL /* longer than a leader needs to be replaced */

static const struct log_ctx move_log = {.component = "tsdb"};

/* --- reading the rows --- */

static bool add_slice(struct move *m, struct str bytes)
{
    if (m->slice_count == m->slice_cap) {
        size_t cap = m->slice_cap ? 2 * m->slice_cap : 256;
        struct move_slice *longer = arena_array(&m->arena, cap, sizeof(*longer));
        if (!longer) {
            return false;
        }
        if (m->slice_count) {
            memcpy(longer, m->slices, m->slice_count * sizeof(*longer));
        }
        m->slices = longer;
        m->slice_cap = cap;
    }
    m->slices[m->slice_count++] = (struct move_slice){.bytes = bytes};
    return true;
}

/* What was accepted once must not stop the line: what cannot be read is left out, loudly. */
static void read_slices(struct move *m, const struct move_row *row)
{
    struct str rest = row->slices;
    struct str bytes;

    while (rest.len && m->slice_count < SLICES_MAX) {
        struct err e = {0};
        if (!codec_take_bytes(&rest, &bytes) || !add_slice(m, bytes)) {
            log_error(&move_log, "journal row %llu is damaged", (unsigned long long)row->lsn);
            return;
        }
        struct move_slice *last = &m->slices[m->slice_count - 1];
        if (codec_get_slice(bytes, &m->arena, &last->s, &e)) {
            log_error(&move_log, "a reading of journal row %llu: %s", (unsigned long long)row->lsn,
                      e.text);
            m->slice_count--;
        }
    }
}

/* --- what is left out --- */

struct group_relation {
    uint64_t group, relation;
};

static int compare_groups(const void *a, const void *b)
{
    const struct group_relation *x = a;
    const struct group_relation *y = b;
    return x->group < y->group ? -1 : x->group > y->group;
}

static enum err_code list_groups(struct move *m, struct group_relation **out, size_t *count,
                                 struct err *e)
{
    struct group_relation *list = arena_array(&m->arena, m->slice_count, sizeof(*list));
    uint64_t *ids = arena_array(&m->arena, m->slice_count, sizeof(*ids));
    struct sqldb_stmt *s = NULL;
    struct buf text;
    bool row = true;

    if (!list || !ids) {
        return arena_fail(&m->arena, e);
    }
    for (size_t i = 0; i < m->slice_count; i++) {
        ids[i] = m->slices[i].s.group;
    }
    buf_init(&text, IDS_BYTES);
    pgstore_put_ids(&text, ids, m->slice_count);
    enum err_code code = sqldb_query(m->store->move, "tsdb_group_alive",
                                     SQLDB_ARGS(sqldb_text(buf_view(&text))), &s, e);
    *count = 0;
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        list[(*count)++] = (struct group_relation){(uint64_t)sqldb_get_i64(s, 0),
                                                   (uint64_t)sqldb_get_i64(s, 1)};
    }
    sqldb_end(s);
    buf_fini(&text);
    qsort(list, *count, sizeof(*list), compare_groups);
    *out = list;
    return code;
}

static enum err_code find_relations(struct move *m, struct err *e)
{
    struct group_relation *list = NULL;
    size_t count = 0;
    enum err_code code = list_groups(m, &list, &count, e);

    for (size_t i = 0; code == ERR_OK && i < m->slice_count; i++) {
        struct group_relation key = {m->slices[i].s.group, 0};
        const struct group_relation *found = bsearch(&key, list, count, sizeof(*list),
                                                     compare_groups);
        m->slices[i].relation = found ? found->relation : 0;
        m->slices[i].skip = found == NULL;
    }
    return code;
}

/* Days begin with the oldest that retention keeps; one that is missing at the end is to come. */
static void check_days(struct move *m)
{
    const struct pgstore *p = m->store;
    int64_t today = days_of_ms(clock_wall_ms());
    int64_t oldest = today - p->front.config.retention_days;

    for (size_t i = 0; i < m->slice_count; i++) {
        int64_t day = days_of_ms(m->slices[i].s.t_ms);
        bool found = false;
        if (day < today && day < atomic_load(&p->front.raw_day[DAY_FAST])) {
            m->slices[i].skip = true;
            continue;
        }
        for (size_t d = 0; !found && d < p->day_count; d++) {
            found = p->days[d] == day;
        }
        if (!found && day < oldest) {
            m->slices[i].skip = true;
        } else if (!found) {
            m->waits = true;
        }
    }
}

/* --- tables that are to come --- */

static bool lacks_table(const struct move *m, uint64_t relation)
{
    for (size_t i = 0; i < m->slice_count; i++) {
        if (!m->slices[i].skip && m->slices[i].relation == relation) {
            return !move_has_wide(m->store, relation);
        }
    }
    return false;
}

static bool all_have_tables(const struct move *m)
{
    for (size_t i = 0; i < m->slice_count; i++) {
        if (!m->slices[i].skip && !move_has_wide(m->store, m->slices[i].relation)) {
            return false;
        }
    }
    return true;
}

/* The first readings of a relation wait a little for its table, so that people find them there. */
static enum err_code check_tables(struct move *m, struct err *e)
{
    struct pgstore *p = m->store;
    struct sqldb_stmt *s = NULL;
    bool wanted = false;
    bool row = true;

    if (all_have_tables(m)) {
        return ERR_OK;
    }
    enum err_code code = sqldb_query(p->move, "tsdb_wide_new", SQLDB_NO_ARGS, &s, e);
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        wanted |= lacks_table(m, (uint64_t)sqldb_get_i64(s, 0));
    }
    sqldb_end(s);
    int64_t now = clock_mono_us();
    p->waits_since_us = !wanted ? 0 : p->waits_since_us ? p->waits_since_us : now;
    m->waits |= wanted && now - p->waits_since_us < TABLE_WAIT_US;
    if (code == ERR_OK && !m->waits) {
        code = move_know_tables(m, e); /* one that is not wanted any more may be there by now */
    }
    return code;
}

static int compare_slices(const void *a, const void *b)
{
    const struct move_slice *x = *(struct move_slice *const *)a;
    const struct move_slice *y = *(struct move_slice *const *)b;

    if (x->s.group != y->s.group) {
        return x->s.group < y->s.group ? -1 : 1;
    }
    if (x->s.t_ms != y->s.t_ms) {
        return x->s.t_ms < y->s.t_ms ? -1 : 1;
    }
    return x < y ? -1 : x > y; /* in the order of their acknowledgement */
}

static void skip_one(struct move *m, struct move_slice **sorted, const struct move_slice *key)
{
    size_t low = 0;
    size_t high = m->slice_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct codec_slice *s = &sorted[middle]->s;
        bool before = s->group != key->s.group ? s->group < key->s.group : s->t_ms < key->s.t_ms;
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    for (; low < m->slice_count && sorted[low]->s.group == key->s.group &&
           sorted[low]->s.t_ms == key->s.t_ms;
         low++) {
        sorted[low]->skip = true;
    }
}

/* Those that are stored already. */
static enum err_code skip_known(struct move *m, struct move_slice **sorted, struct err *e)
{
    uint64_t *groups = arena_array(&m->arena, m->slice_count, sizeof(*groups));
    uint64_t *times = arena_array(&m->arena, m->slice_count, sizeof(*times));
    struct sqldb_stmt *s = NULL;
    struct buf text[2];
    bool row = true;

    if (!groups || !times) {
        return arena_check(&m->arena, e);
    }
    for (size_t i = 0; i < m->slice_count; i++) {
        groups[i] = sorted[i]->s.group;
        times[i] = (uint64_t)sorted[i]->s.t_ms;
    }
    buf_init(&text[0], IDS_BYTES);
    buf_init(&text[1], IDS_BYTES);
    pgstore_put_ids(&text[0], groups, m->slice_count);
    pgstore_put_ids(&text[1], times, m->slice_count);
    enum err_code code = sqldb_query(
        m->store->move, "tsdb_slice_known",
        SQLDB_ARGS(sqldb_text(buf_view(&text[0])), sqldb_text(buf_view(&text[1]))), &s, e);
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        struct move_slice key = {
            .s = {.group = (uint64_t)sqldb_get_i64(s, 0), .t_ms = sqldb_get_i64(s, 1)}};
        skip_one(m, sorted, &key);
        atomic_fetch_add(&m->store->doubled_slices, 1);
    }
    sqldb_end(s);
    buf_fini(&text[1]);
    buf_fini(&text[0]);
    return code;
}

static enum err_code skip_doubles(struct move *m, struct err *e)
{
    struct move_slice **sorted = arena_array(&m->arena, m->slice_count, sizeof(*sorted));

    if (!sorted) {
        return arena_check(&m->arena, e);
    }
    for (size_t i = 0; i < m->slice_count; i++) {
        sorted[i] = &m->slices[i];
    }
    qsort(sorted, m->slice_count, sizeof(*sorted), compare_slices);
    for (size_t i = 1; i < m->slice_count; i++) {
        if (sorted[i]->s.group == sorted[i - 1]->s.group &&
            sorted[i]->s.t_ms == sorted[i - 1]->s.t_ms) {
            sorted[i]->skip = true;
        }
    }
    return skip_known(m, sorted, e);
}

/* --- writing --- */

static void put_slice(struct buf *out, const struct move_slice *n)
{
    const struct codec_slice *s = &n->s;

    buf_printf(out, "%lld\t%lld\t%lld\t%lld\t%u\t%zu\t", (long long)s->group, (long long)s->t_ms,
               (long long)s->from_ms, (long long)s->every_ms, s->flags, s->row_count);
    if (s->reason.len) {
        pgstore_copy_text(out, s->reason);
    } else {
        buf_add_c(out, "\\N");
    }
    buf_add_char(out, '\t');
    pgstore_copy_blob(out, n->bytes);
    buf_add_char(out, '\n');
}

static enum err_code write_slices(struct move *m, struct err *e)
{
    struct buf rows;
    size_t count = 0;

    buf_init(&rows, SLICE_ROWS_BYTES);
    for (size_t i = 0; i < m->slice_count; i++) {
        if (!m->slices[i].skip) {
            put_slice(&rows, &m->slices[i]);
            count++;
        }
    }
    enum err_code code = buf_check(&rows, e);
    if (code == ERR_OK && count) {
        code = sqldb_load(m->store->move,
                          "COPY ts_slice (grp, t_ms, from_ms, every_ms, flags, row_count, reason, "
                          "data) FROM STDIN",
                          buf_view(&rows), e);
    }
    buf_fini(&rows);
    atomic_fetch_add(&m->store->moved_slices, count);
    return code;
}

/* What the leader is to roll up, in the transaction that makes the readings count. */
static enum err_code mark_hours(struct move *m, struct err *e)
{
    uint64_t *hours = arena_array(&m->arena, m->slice_count, sizeof(*hours));
    uint64_t *groups = arena_array(&m->arena, m->slice_count, sizeof(*groups));
    struct buf text[2];
    size_t count = 0;

    if (!hours || !groups) {
        return arena_check(&m->arena, e);
    }
    for (size_t i = 0; i < m->slice_count; i++) {
        if (!m->slices[i].skip) {
            hours[count] = (uint64_t)tier_hour_of(m->slices[i].s.t_ms);
            groups[count++] = m->slices[i].s.group;
        }
    }
    if (!count) {
        return ERR_OK;
    }
    buf_init(&text[0], IDS_BYTES);
    buf_init(&text[1], IDS_BYTES);
    pgstore_put_ids(&text[0], hours, count);
    pgstore_put_ids(&text[1], groups, count);
    enum err_code code = sqldb_run(
        m->store->move, "tsdb_dirty_mark",
        SQLDB_ARGS(sqldb_text(buf_view(&text[0])), sqldb_text(buf_view(&text[1]))), e);
    buf_fini(&text[1]);
    buf_fini(&text[0]);
    return code;
}

enum err_code move_slices(struct move *m, struct err *e)
{
    for (size_t i = 0; i < m->row_count; i++) {
        read_slices(m, &m->rows[i]);
    }
    enum err_code code = arena_check(&m->arena, e);
    if (code || m->slice_count == 0) {
        return code;
    }
    code = sqldb_run(m->store->move, "tsdb_rollup_share", SQLDB_NO_ARGS, e);
    code = code ? code : move_know_tables(m, e);
    FAULT_POINT("pgstore.tables_known");
    code = code ? code : find_relations(m, e);
    if (code == ERR_OK) {
        check_days(m);
        code = check_tables(m, e);
    }
    if (code || m->waits) {
        return code;
    }
    code = skip_doubles(m, e);
    code = code ? code : write_slices(m, e);
    code = code ? code : mark_hours(m, e);
    return code ? code : move_values(m, e);
}
