/* SPDX-License-Identifier: PostgreSQL */
/*
 * query.c: what a reader answers beside scans: names, newest readings, texts, events, streams,
 * records.
 */
#include "store/tsdb/read/reader.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/pack.h"
#include "base/varint.h"
#include "store/tsdb/codec/codec.h"
#include "store/tsdb/retire_waste.h"

#include <stdlib.h>
#include <string.h>

#define EVENTS_MAX 10000

/* --- names --- */

/* In the catalogue, or as what left it while this reader was borrowed. */
static const struct catalog_object *find_object(struct tsdb_reader *r, uint64_t object)
{
    const struct catalog_object *found = NULL;

    for (uint64_t group = 0; !found && group != UINT64_MAX;) {
        found = catalog_object_after(r->db->catalog, &group, object);
    }
    return found ? found : retire_find(r, object);
}

/* The bytes live until the reader is returned. */
static enum err_code split_keys(const struct catalog_object *o, struct str *keys, size_t count,
                                struct err *e)
{
    struct str rest = str_make(o->keys, o->len);

    for (size_t k = 0; k < count; k++) {
        keys[k] = (struct str){"", 0};
        if (rest.len && !codec_take_bytes(&rest, &keys[k])) {
            return err_set(e, ERR_CORRUPT, "keys of object %llu", (unsigned long long)o->id);
        }
    }
    return ERR_OK;
}

enum err_code tsdb_sqlite_object_keys(struct tsdb_reader *r, struct arena *a, uint64_t object,
                                      struct str **keys, struct err *e)
{
    struct catalog *c = r->db->catalog;
    const struct catalog_object *o = find_object(r, object);

    if (!o) {
        return err_set(e, ERR_NOT_FOUND, "no object %llu", (unsigned long long)object);
    }
    lock_take(&c->lock);
    size_t count = o->group->relation->key_count;
    lock_release(&c->lock);
    struct str *out = arena_array(a, count + 1, sizeof(*out));
    *keys = out;
    return out ? split_keys(o, out, count, e) : arena_check(a, e);
}

enum err_code tsdb_sqlite_group_keys(struct tsdb_reader *r, const struct tsdb_group_object *of,
                                     struct str *keys, size_t count, struct err *e)
{
    struct catalog *c = r->db->catalog;
    struct catalog_group *g = catalog_group_by_id(c, of->group);
    const struct catalog_object *o = g ? catalog_object_by_id(c, g, of->object) : NULL;

    o = o ? o : retire_find(r, of->object);
    if (!o) {
        return err_set(e, ERR_NOT_FOUND, "no object %llu", (unsigned long long)of->object);
    }
    return split_keys(o, keys, count, e);
}

static void copy_relation(const struct catalog_relation *from, struct arena *a, struct relation *to)
{
    struct relation_key *keys = arena_array(a, from->key_count + 1, sizeof(*keys));
    struct relation_column *columns = arena_array(a, from->column_count + 1, sizeof(*columns));

    to->name = arena_str(a, from->name);
    to->help = arena_str(a, from->help);
    to->shape = from->shape;
    to->sparse = from->sparse;
    for (size_t i = 0; keys && i < from->key_count; i++) {
        keys[i].name = arena_str(a, from->keys[i]->name);
        keys[i].help = arena_str(a, from->keys[i]->help);
    }
    for (size_t i = 0; columns && i < from->column_count; i++) {
        const struct catalog_column *c = from->columns[i];
        columns[i] = (struct relation_column){.name = arena_str(a, c->name),
                                              .kind = c->kind,
                                              .type = c->type,
                                              .unit = arena_str(a, c->unit),
                                              .help = arena_str(a, c->help),
                                              .resolution = c->resolution};
    }
    to->keys = keys;
    to->key_count = from->key_count;
    to->columns = columns;
    to->column_count = from->column_count;
}

enum err_code tsdb_sqlite_relation(struct tsdb_reader *r, struct arena *a, struct str name,
                                   struct relation **out, struct err *e)
{
    struct catalog *c = r->db->catalog;
    const struct catalog_relation *found = catalog_find_relation(c, name);
    struct relation *copy = arena_alloc(a, sizeof(*copy));

    if (!found) {
        return err_set(e, ERR_NOT_FOUND, "no relation %.*s", STR_ARG(name));
    }
    if (copy) {
        lock_take(&c->lock);
        copy_relation(found, a, copy);
        lock_release(&c->lock);
    }
    *out = copy;
    return arena_check(a, e);
}

/* --- groups --- */

static int compare_groups(const void *a, const void *b)
{
    const struct tsdb_group *x = a;
    const struct tsdb_group *y = b;
    int c = memcmp(x->target.bytes, y->target.bytes, sizeof(x->target.bytes));

    c = c ? c : str_cmp(x->relation, y->relation);
    return c ? c : str_cmp(x->scope, y->scope);
}

/* Caller holds the catalogue's lock. */
static void copy_group(const struct catalog_group *g, struct arena *a, struct tsdb_group *out)
{
    *out = (struct tsdb_group){
        .id = g->id,
        .target = g->target,
        .collector = g->maker,
        .relation = g->relation->name, /* never changes */
        .scope = arena_str(a, g->scope),
        .has_last = g->has_last,
        .last_t_ms = g->last_t_ms,
        .last_every_ms = g->last_every_ms,
        .last_flags = g->last_flags,
        .last_reason = arena_str(a, g->last_reason),
        .objects = g->object_count,
    };
}

enum err_code tsdb_sqlite_groups(struct tsdb_reader *r, struct arena *a, const struct uuid *target,
                                 struct tsdb_group **out, size_t *count, struct err *e)
{
    struct catalog *c = r->db->catalog;
    size_t n = 0;

    lock_take(&c->lock);
    struct tsdb_group *list = arena_array(a, c->group_count + 1, sizeof(*list));
    for (size_t i = 0; list && i < c->group_count; i++) {
        const struct catalog_group *g = c->all_groups[i];
        if (!atomic_load(&g->dropped) && (!target || text_uuid_eq(&g->target, target))) {
            copy_group(g, a, &list[n++]);
        }
    }
    lock_release(&c->lock);
    if (list) {
        qsort(list, n, sizeof(*list), compare_groups);
    }
    *out = list;
    *count = n;
    return arena_check(a, e);
}

enum err_code tsdb_sqlite_last(struct tsdb_reader *r, struct arena *a, const struct uuid *target,
                               struct str relation, struct tsdb_group *out, struct err *e)
{
    struct catalog *c = r->db->catalog;
    const struct catalog_group *best = NULL;

    lock_take(&c->lock);
    for (size_t i = 0; i < c->group_count; i++) {
        const struct catalog_group *g = c->all_groups[i];
        if (g->has_last && !atomic_load(&g->dropped) && str_eq(g->relation->name, relation) &&
            text_uuid_eq(&g->target, target) && (!best || g->last_t_ms > best->last_t_ms)) {
            best = g;
        }
    }
    if (best) {
        copy_group(best, a, out);
    }
    lock_release(&c->lock);
    if (!best) {
        return err_set(e, ERR_NOT_FOUND, "no reading of %.*s", STR_ARG(relation));
    }
    return arena_check(a, e);
}

/* --- texts --- */

static enum err_code unpack_text(struct sqldb_stmt *s, struct arena *a, struct str *text,
                                 struct err *e)
{
    struct str data = sqldb_get_blob(s, 2);
    struct buf plain;
    enum err_code code = ERR_OK;

    if (!sqldb_get_i64(s, 0)) {
        *text = arena_str(a, data);
        return arena_check(a, e);
    }
    buf_init(&plain, 2 * LIMIT_TEXT_BYTES);
    code = pack_unpack(data, PACK_ZSTD, &plain, e);
    if (code == ERR_OK) {
        *text = arena_str(a, buf_view(&plain));
        code = arena_check(a, e);
    }
    buf_fini(&plain);
    return code;
}

enum err_code tsdb_sqlite_text(struct tsdb_reader *r, struct arena *a,
                               const struct tsdb_text_key *key, struct str *text, struct err *e)
{
    struct sqldb *db = NULL;
    struct sqldb_stmt *s = NULL;
    enum err_code code = reader_text(r, &db, e);

    if (code == ERR_OK) {
        code = sqldb_row(db, "tsdb_text_get",
                         SQLDB_ARGS(sqldb_blob(key->target.bytes, sizeof(key->target.bytes)),
                                    sqldb_text(key->kind), sqldb_text(key->key)),
                         &s, e);
    }
    if (code == ERR_OK) {
        code = unpack_text(s, a, text, e);
    }
    sqldb_end(s);
    return code;
}

/* --- events --- */

/* Each word as a quoted FTS5 string, so that no word is an operator. */
static struct str search_text(struct arena *a, struct str words)
{
    struct buf out;
    struct str rest = words;

    buf_init(&out, 4 * LIMIT_KEY_BYTES);
    while (rest.len) {
        struct str word = str_trim(str_split(&rest, ' '));
        if (word.len) {
            buf_add_c(&out, out.len ? " \"" : "\"");
            for (size_t i = 0; i < word.len; i++) {
                buf_add_c(&out, word.ptr[i] == '"' ? "\"" : "");
                buf_add_char(&out, word.ptr[i]);
            }
            buf_add_c(&out, "\"");
        }
    }
    struct str text = arena_str(a, buf_view(&out));
    buf_fini(&out);
    return text;
}

static void take_uuid(struct str blob, struct uuid *out)
{
    if (blob.len == sizeof(out->bytes)) {
        memcpy(out->bytes, blob.ptr, sizeof(out->bytes));
    }
}

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

static enum err_code start_events(struct sqldb *db, struct arena *a,
                                  const struct tsdb_event_spec *spec, struct sqldb_stmt **s,
                                  struct err *e)
{
    size_t limit = spec->limit && spec->limit < EVENTS_MAX ? spec->limit : EVENTS_MAX;
    struct str words = search_text(a, spec->search);
    const struct sqldb_value values[] = {
        sqldb_i64(spec->from_ms),
        sqldb_i64(spec->to_ms ? spec->to_ms : INT64_MAX),
        spec->target ? sqldb_blob(spec->target->bytes, sizeof(spec->target->bytes)) : sqldb_null(),
        spec->kind.len ? sqldb_text(spec->kind) : sqldb_null(),
        sqldb_i64(spec->min_severity),
        sqldb_i64(spec->before_t_ms),
        sqldb_i64((int64_t)spec->before_id),
        sqldb_i64((int64_t)limit),
        sqldb_text(words),
    };
    size_t count = sizeof(values) / sizeof(values[0]);
    return words.len
               ? sqldb_query(db, "tsdb_event_find", (struct sqldb_args){values, count}, s, e)
               : sqldb_query(db, "tsdb_event_list", (struct sqldb_args){values, count - 1}, s, e);
}

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

enum err_code tsdb_sqlite_events(struct tsdb_reader *r, struct arena *a,
                                 const struct tsdb_event_spec *spec, struct tsdb_event **out,
                                 size_t *count, struct err *e)
{
    struct sqldb *db = NULL;
    struct sqldb_stmt *s = NULL;
    struct tsdb_event *list = NULL;
    size_t n = 0;
    size_t cap = 0;
    bool row = true;
    enum err_code code = reader_event(r, &db, e);

    if (code == ERR_OK) {
        code = start_events(db, a, spec, &s, e);
    }
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

/* --- streams and records --- */

/* Caller holds state. */
static void copy_stream(const struct stream *s, struct arena *a, struct tsdb_stream *out)
{
    *out = (struct tsdb_stream){
        .stream = s->uuid,
        .collector = s->collector,
        .next_seq = s->next_seq,
        .stored = s->stored,
        .samples = s->samples,
        .backlog = s->backlog,
        .closed = s->closed,
        .last_push_ms = s->last_push_ms,
        .gap_count = s->gap_count,
    };
    out->gaps = arena_array(a, s->gap_count, sizeof(*out->gaps));
    for (size_t i = 0; out->gaps && i < s->gap_count; i++) {
        out->gaps[i].reason = arena_str(a, str_of(s->gaps[i].reason));
        out->gaps[i].records = s->gaps[i].records;
    }
}

enum err_code tsdb_sqlite_streams(struct tsdb_reader *r, struct arena *a, struct tsdb_stream **out,
                                  size_t *count, struct err *e)
{
    struct str key;
    void *value = NULL;
    size_t n = 0;

    lock_take(&r->db->state);
    struct tsdb_stream *list = arena_array(a, map_count(r->db->streams) + 1, sizeof(*list));
    for (size_t pos = 0; list && map_next(r->db->streams, &pos, &key, &value);) {
        const struct stream *s = value;
        if (s->next_seq > 1) { /* nothing was acknowledged yet: not a stream */
            copy_stream(s, a, &list[n++]);
        }
    }
    lock_release(&r->db->state);
    *out = list;
    *count = n;
    return arena_check(a, e);
}

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

enum err_code tsdb_sqlite_records(struct tsdb_reader *r, struct arena *a,
                                  const struct tsdb_record_spec *spec, struct tsdb_record **out,
                                  size_t *count, struct err *e)
{
    struct uuid both[2] = {spec->collector, spec->stream};
    struct sqldb *db = NULL;
    struct sqldb_stmt *s = NULL;
    struct tsdb_record *list = NULL;
    size_t n = 0;
    size_t cap = 0;
    bool row = true;

    lock_take(&r->db->state);
    const struct stream *stream = map_get(r->db->streams, str_make(both, sizeof(both)));
    uint64_t id = stream ? stream->id : 0;
    lock_release(&r->db->state);
    if (id == 0) {
        return err_set(e, ERR_NOT_FOUND, "no such stream");
    }
    int64_t limit = spec->limit ? (int64_t)spec->limit : TSDB_RECORDS_KEPT;
    enum err_code code = reader_ingest(r, &db, e);
    if (code == ERR_OK) {
        code = sqldb_query(db, "tsdb_record_list",
                           SQLDB_ARGS(sqldb_i64((int64_t)id), sqldb_i64((int64_t)spec->from_seq),
                                      sqldb_i64(limit)),
                           &s, e);
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
