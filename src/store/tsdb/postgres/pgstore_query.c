/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_query.c: what a reader answers beside scans: names, newest readings, texts, events,
 * streams, records.
 */
#include "store/tsdb/postgres/pgstore.h"

#include "base/limits.h"

#include <string.h>

#define EVENTS_MAX 10000

/* A list in an arena that doubles. */
static void *grow(struct arena *a, void *list, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) {
        return list;
    }
    size_t more = *cap ? 2 * *cap : 64;
    void *longer = arena_array(a, more, size);
    if (longer && count) {
        memcpy(longer, list, count * size);
    }
    *cap = more;
    return longer;
}

static enum err_code query(struct tsdb_reader *r, const char *name, struct sqldb_args args,
                           struct sqldb_stmt **s, struct err *e)
{
    struct sqldb *db = NULL;
    enum err_code code = pgstore_reader_db(r, &db, e);

    return code ? code : sqldb_query(db, name, args, s, e);
}

static void take_uuid(struct str blob, struct uuid *out)
{
    if (blob.len == sizeof(out->bytes)) {
        memcpy(out->bytes, blob.ptr, sizeof(out->bytes));
    }
}

static struct sqldb_value uuid_or_null(const struct uuid *u)
{
    return u ? sqldb_blob(u->bytes, sizeof(u->bytes)) : sqldb_null();
}

/* --- relations --- */

struct parts {
    struct relation_key keys[LIMIT_RELATION_KEYS];
    struct relation_column columns[LIMIT_RELATION_COLUMNS];
    size_t key_count, column_count;
};

static void take_part(struct sqldb_stmt *s, struct arena *a, struct parts *p)
{
    struct str name = arena_str(a, sqldb_get_text(s, 2));
    struct str help = arena_str(a, sqldb_get_text(s, 6));

    if (sqldb_get_i64(s, 0) && p->key_count < LIMIT_RELATION_KEYS) {
        p->keys[p->key_count++] = (struct relation_key){name, help};
    } else if (!sqldb_get_i64(s, 0) && p->column_count < LIMIT_RELATION_COLUMNS) {
        p->columns[p->column_count++] = (struct relation_column){
            .name = name,
            .kind = (enum relation_kind)(sqldb_get_i64(s, 3) & 3),
            .type = (enum relation_type)(sqldb_get_i64(s, 4) & 3),
            .unit = arena_str(a, sqldb_get_text(s, 5)),
            .help = help,
            .resolution = sqldb_get_f64(s, 7)};
    }
}

static enum err_code read_parts(struct tsdb_reader *r, struct arena *a, int64_t id,
                                struct relation *out, struct err *e)
{
    struct parts *p = arena_alloc(a, sizeof(*p));
    struct sqldb_stmt *s = NULL;
    bool row = true;

    if (!p) {
        return arena_check(a, e);
    }
    enum err_code code = query(r, "tsdb_relation_columns", SQLDB_ARGS(sqldb_i64(id)), &s, e);
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        take_part(s, a, p);
    }
    sqldb_end(s);
    out->keys = p->keys;
    out->key_count = p->key_count;
    out->columns = p->columns;
    out->column_count = p->column_count;
    return code ? code : arena_check(a, e);
}

enum err_code pgstore_relation(struct tsdb_reader *r, struct arena *a, struct str name,
                               struct relation **out, struct err *e)
{
    struct relation *copy = arena_alloc(a, sizeof(*copy));
    struct sqldb_stmt *s = NULL;
    bool row = false;
    enum err_code code = query(r, "tsdb_relation_get", SQLDB_ARGS(sqldb_text(name)), &s, e);

    code = code ? code : sqldb_step(s, &row, e);
    if (code == ERR_OK && (!row || !copy)) {
        sqldb_end(s);
        return copy ? err_set(e, ERR_NOT_FOUND, "no relation %.*s", STR_ARG(name))
                    : arena_check(a, e);
    }
    if (code) {
        return code;
    }
    int64_t id = sqldb_get_i64(s, 0);
    copy->name = arena_str(a, sqldb_get_text(s, 1));
    copy->help = arena_str(a, sqldb_get_text(s, 2));
    copy->shape = sqldb_get_i64(s, 3) ? RELATION_FACT : RELATION_OBJECT;
    copy->sparse = sqldb_get_i64(s, 4) != 0;
    sqldb_end(s);
    *out = copy;
    return read_parts(r, a, id, copy, e);
}

/* --- groups --- */

static void take_group(struct sqldb_stmt *s, struct arena *a, struct tsdb_group *g)
{
    *g = (struct tsdb_group){.id = (uint64_t)sqldb_get_i64(s, 0),
                             .relation = arena_str(a, sqldb_get_text(s, 2)),
                             .scope = arena_str(a, sqldb_get_text(s, 3)),
                             .has_last = !sqldb_is_null(s, 4),
                             .last_t_ms = sqldb_get_i64(s, 4),
                             .last_every_ms = sqldb_get_i64(s, 5),
                             .last_flags = (unsigned)sqldb_get_i64(s, 6),
                             .last_reason = arena_str(a, sqldb_get_text(s, 7)),
                             .objects = (uint64_t)sqldb_get_i64(s, 8)};
    take_uuid(sqldb_get_blob(s, 1), &g->target);
    take_uuid(sqldb_get_blob(s, 9), &g->collector);
}

struct group_list {
    struct arena *arena;
    struct tsdb_group *list;
    size_t count;
};

static enum err_code list_groups(struct tsdb_reader *r, struct sqldb_args which,
                                 struct group_list *out, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    size_t cap = 0;
    bool row = true;
    enum err_code code = query(r, "tsdb_group_last", which, &s, e);

    out->list = arena_array(out->arena, 1, sizeof(*out->list));
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        out->list = grow(out->arena, out->list, out->count, &cap, sizeof(*out->list));
        if (!out->list) {
            break;
        }
        take_group(s, out->arena, &out->list[out->count++]);
    }
    sqldb_end(s);
    return code ? code : arena_check(out->arena, e);
}

enum err_code pgstore_groups(struct tsdb_reader *r, struct arena *a, const struct uuid *target,
                             struct tsdb_group **out, size_t *count, struct err *e)
{
    struct group_list groups = {.arena = a};
    enum err_code code = list_groups(r, SQLDB_ARGS(uuid_or_null(target), sqldb_null()), &groups, e);

    *out = groups.list;
    *count = groups.count;
    return code;
}

enum err_code pgstore_last(struct tsdb_reader *r, struct arena *a, const struct uuid *target,
                           struct str relation, struct tsdb_group *out, struct err *e)
{
    const struct tsdb_group *best = NULL;
    struct group_list groups = {.arena = a};
    enum err_code code = list_groups(r, SQLDB_ARGS(uuid_or_null(target), sqldb_text(relation)),
                                     &groups, e);

    for (size_t i = 0; code == ERR_OK && i < groups.count; i++) {
        const struct tsdb_group *g = &groups.list[i];
        if (g->has_last && (!best || g->last_t_ms > best->last_t_ms)) {
            best = g;
        }
    }
    if (code) {
        return code;
    }
    if (!best) {
        return err_set(e, ERR_NOT_FOUND, "no reading of %.*s", STR_ARG(relation));
    }
    *out = *best;
    return ERR_OK;
}

/* --- texts --- */

enum err_code pgstore_text(struct tsdb_reader *r, struct arena *a, const struct tsdb_text_key *key,
                           struct str *text, struct err *e)
{
    struct sqldb *db = NULL;
    struct sqldb_stmt *s = NULL;
    enum err_code code = pgstore_reader_db(r, &db, e);

    if (code == ERR_OK) {
        code = sqldb_row(
            db, "tsdb_text_get",
            SQLDB_ARGS(uuid_or_null(&key->target), sqldb_text(key->kind), sqldb_text(key->key)), &s,
            e);
    }
    if (code == ERR_OK) {
        *text = arena_str(a, sqldb_get_text(s, 0));
        code = arena_check(a, e);
    }
    sqldb_end(s);
    return code;
}

/* --- events --- */

static void take_event(struct sqldb_stmt *s, struct arena *a, struct tsdb_event *out)
{
    out->id = (uint64_t)sqldb_get_i64(s, 0);
    out->event.t_ms = sqldb_get_i64(s, 1);
    take_uuid(sqldb_get_blob(s, 2), &out->collector);
    take_uuid(sqldb_get_blob(s, 3), &out->event.target);
    out->event.kind = arena_str(a, sqldb_get_text(s, 4));
    out->event.severity = (enum batch_severity)sqldb_get_i64(s, 5);
    out->event.title = arena_str(a, sqldb_get_text(s, 6));
    out->event.body = arena_str(a, sqldb_get_text(s, 7));
}

static enum err_code start_events(struct tsdb_reader *r, const struct tsdb_event_spec *spec,
                                  struct sqldb_stmt **s, struct err *e)
{
    size_t limit = spec->limit && spec->limit < EVENTS_MAX ? spec->limit : EVENTS_MAX;
    struct str words = str_trim(spec->search);
    const struct sqldb_value values[] = {
        sqldb_i64(spec->from_ms),
        sqldb_i64(spec->to_ms ? spec->to_ms : INT64_MAX),
        uuid_or_null(spec->target),
        spec->kind.len ? sqldb_text(spec->kind) : sqldb_null(),
        sqldb_i64(spec->min_severity),
        sqldb_i64(spec->before_t_ms),
        sqldb_i64((int64_t)spec->before_id),
        sqldb_i64((int64_t)limit),
        sqldb_text(words),
    };
    size_t count = sizeof(values) / sizeof(values[0]);
    return words.len ? query(r, "tsdb_event_find", (struct sqldb_args){values, count}, s, e)
                     : query(r, "tsdb_event_list", (struct sqldb_args){values, count - 1}, s, e);
}

enum err_code pgstore_events(struct tsdb_reader *r, struct arena *a,
                             const struct tsdb_event_spec *spec, struct tsdb_event **out,
                             size_t *count, struct err *e)
{
    struct tsdb_event *list = NULL;
    struct sqldb_stmt *s = NULL;
    size_t n = 0;
    size_t cap = 0;
    bool row = true;
    enum err_code code = start_events(r, spec, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        list = grow(a, list, n, &cap, sizeof(*list));
        if (!list) {
            break;
        }
        take_event(s, a, &list[n++]);
    }
    sqldb_end(s);
    *out = list;
    *count = n;
    return code ? code : arena_check(a, e);
}

/* --- streams --- */

static void take_stream(struct sqldb_stmt *s, struct tsdb_stream *out)
{
    take_uuid(sqldb_get_blob(s, 1), &out->collector);
    take_uuid(sqldb_get_blob(s, 2), &out->stream);
    out->next_seq = (uint64_t)sqldb_get_i64(s, 3);
    out->stored = (uint64_t)sqldb_get_i64(s, 4);
    out->samples = (uint64_t)sqldb_get_i64(s, 5);
    out->backlog = sqldb_get_i64(s, 6) != 0;
    out->closed = sqldb_get_i64(s, 7) != 0;
    out->last_push_ms = sqldb_get_i64(s, 8);
}

struct stream_list {
    const int64_t *ids;
    struct tsdb_stream *list;
    size_t count;
};

/* Both lists are in order of the stream's id. */
static enum err_code add_gaps(struct tsdb_reader *r, struct arena *a,
                              const struct stream_list *streams, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    size_t at = 0;
    size_t cap = 0;
    bool row = true;
    enum err_code code = query(r, "tsdb_stream_gap_list", SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        int64_t id = sqldb_get_i64(s, 0);
        for (; at < streams->count && streams->ids[at] < id; at++) {
            cap = 0;
        }
        if (at == streams->count || streams->ids[at] != id) {
            continue;
        }
        struct tsdb_stream *t = &streams->list[at];
        t->gaps = grow(a, t->gaps, t->gap_count, &cap, sizeof(*t->gaps));
        if (!t->gaps) {
            break;
        }
        t->gaps[t->gap_count++] = (struct tsdb_gap_count){arena_str(a, sqldb_get_text(s, 1)),
                                                          (uint64_t)sqldb_get_i64(s, 2)};
    }
    sqldb_end(s);
    return code ? code : arena_check(a, e);
}

enum err_code pgstore_streams(struct tsdb_reader *r, struct arena *a, struct tsdb_stream **out,
                              size_t *count, struct err *e)
{
    struct tsdb_stream *list = arena_array(a, 1, sizeof(*list));
    struct sqldb_stmt *s = NULL;
    int64_t *ids = NULL;
    size_t caps[2] = {0, 0};
    size_t n = 0;
    bool row = true;
    enum err_code code = query(r, "tsdb_stream_list", SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        list = grow(a, list, n, &caps[0], sizeof(*list));
        ids = grow(a, ids, n, &caps[1], sizeof(*ids));
        if (!list || !ids) {
            break;
        }
        ids[n] = sqldb_get_i64(s, 0);
        take_stream(s, &list[n++]);
    }
    sqldb_end(s);
    code = code ? code : arena_check(a, e);
    *out = list;
    *count = n;
    return code ? code : add_gaps(r, a, &(struct stream_list){ids, list, n}, e);
}

/* --- records --- */

static void take_record(struct sqldb_stmt *s, struct arena *a, struct tsdb_record *out)
{
    struct str hash = sqldb_get_blob(s, 2);

    out->seq = (uint64_t)sqldb_get_i64(s, 0);
    out->span = (uint64_t)sqldb_get_i64(s, 1);
    out->is_gap = hash.len != sizeof(out->hash);
    if (!out->is_gap) {
        memcpy(out->hash, hash.ptr, sizeof(out->hash));
    }
    out->reason = arena_str(a, sqldb_get_text(s, 3));
    out->slices = (uint64_t)sqldb_get_i64(s, 4);
    out->samples = (uint64_t)sqldb_get_i64(s, 5);
    out->t_min_ms = sqldb_get_i64(s, 6);
    out->t_max_ms = sqldb_get_i64(s, 7);
}

static enum err_code stream_id(struct tsdb_reader *r, const struct tsdb_record_spec *spec,
                               int64_t *id, struct err *e)
{
    struct sqldb *db = NULL;
    struct sqldb_stmt *s = NULL;
    enum err_code code = pgstore_reader_db(r, &db, e);

    if (code == ERR_OK) {
        code = sqldb_row(db, "tsdb_stream_get",
                         SQLDB_ARGS(uuid_or_null(&spec->collector), uuid_or_null(&spec->stream)),
                         &s, e);
    }
    if (code == ERR_OK) {
        *id = sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code;
}

enum err_code pgstore_records(struct tsdb_reader *r, struct arena *a,
                              const struct tsdb_record_spec *spec, struct tsdb_record **out,
                              size_t *count, struct err *e)
{
    int64_t limit = spec->limit ? (int64_t)spec->limit : TSDB_RECORDS_KEPT;
    struct tsdb_record *list = NULL;
    struct sqldb_stmt *s = NULL;
    int64_t id = 0;
    size_t n = 0;
    size_t cap = 0;
    bool row = true;
    enum err_code code = stream_id(r, spec, &id, e);

    if (code == ERR_OK) {
        code = query(
            r, "tsdb_record_list",
            SQLDB_ARGS(sqldb_i64(id), sqldb_i64((int64_t)spec->from_seq), sqldb_i64(limit)), &s, e);
    }
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        list = grow(a, list, n, &cap, sizeof(*list));
        if (!list) {
            break;
        }
        take_record(s, a, &list[n++]);
    }
    sqldb_end(s);
    *out = list;
    *count = n;
    return code ? code : arena_check(a, e);
}
