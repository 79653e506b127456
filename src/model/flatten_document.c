/* SPDX-License-Identifier: PostgreSQL */
/*
 * flatten_document.c: an item {"type", ...} as rows of relations, and events.
 *
 * An object is read twice: its own members become keys and values of one row (those of plain
 * objects inside with the name in front), then arrays of objects and objects of objects become
 * rows of child relations, which inherit the keys.
 * Invariant: the depth is that of the document, which json_parse bounds.
 */
#include <string.h>

#include "base/limits.h"
#include "model/flatten_walk.h"

static const struct str no_text = {NULL, 0};

/* --- shapes --- */

static bool holds_objects(const struct json *n)
{
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        if (json_type(it.value) != JSON_OBJECT)
            return false;
    }
    return json_count(n) > 0;
}

/* {"databases": {"app": {...}, "postgres": {...}}} */
static bool is_container(struct str name, const struct json *n, struct str *key)
{
    return json_type(n) == JSON_OBJECT && flatten_word_is_container(name, key) && holds_objects(n);
}

/* {"labels": {"env": "prod"}}: all of it is identity. */
static bool is_labels(struct str name)
{
    return str_eq_c(name, "labels") || str_eq_c(name, "tags");
}

static bool is_event(const struct json *n)
{
    int64_t t;

    return json_type(json_get(n, "message")) == JSON_STR &&
           !flatten_row_has_nul(json_str(json_get(n, "message"))) &&
           flatten_word_instant(json_get(n, "timestamp"), &t);
}

/* --- events --- */

static struct str first_line(struct str text, size_t max)
{
    size_t len = 0;

    while (len < text.len && text.ptr[len] != '\n' && text.ptr[len] != '\r') {
        size_t step = str_utf8_len(str_make(text.ptr + len, text.len - len));

        if (step == 0 || len + step > max)
            break;
        len += step;
    }
    return str_make(text.ptr, len);
}

static struct str event_body(struct flatten_walk *w, const struct json *n,
                             const struct flatten_row *above)
{
    struct str body = no_text;
    struct json_writer out;
    struct buf text;

    buf_init(&text, LIMIT_TEXT_BYTES);
    json_writer_init(&out, &text);
    json_object_begin(&out);
    for (size_t i = 0; above && i < above->key_count; i++) {
        if (!json_get_str(n, above->keys[i].name)) {
            json_key_str(&out, above->keys[i].name);
            json_put_str(&out, above->keys[i].value);
        }
    }
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        if (!str_eq_c(it.key, "timestamp")) {
            json_key_str(&out, it.key);
            json_put_node(&out, it.value);
        }
    }
    json_object_end(&out);
    if (text.failed)
        flatten_row_complain(w, "an entry in it has more than 1 MiB");
    else
        body = arena_str(w->arena, buf_view(&text));
    buf_fini(&text);
    return body;
}

static void add_event(struct flatten_walk *w, const struct json *n, const struct flatten_row *above)
{
    struct batch *b = &w->out->batch;
    struct batch_event event = {.target = w->spec->database, .kind = w->type};
    const struct json *level = json_get(n, "level");

    if (b->event_count == LIMIT_RECORD_EVENTS) {
        flatten_row_complain(w, "the push holds more entries than a record may");
        return;
    }
    if (!flatten_word_instant(json_get(n, "timestamp"), &event.t_ms))
        return;
    if (!level)
        level = json_get(n, "severity");
    event.severity = flatten_word_severity(json_str(level));
    event.title = first_line(json_str(json_get(n, "message")), LIMIT_EVENT_TITLE_BYTES);
    event.body = event_body(w, n, above);
    b->events = flatten_table_grow(w->arena, b->events, b->event_count, &w->event_cap,
                                   sizeof(*b->events));
    if (event.body.len > 0 && b->events) {
        w->out->has_database = true;
        b->events[b->event_count++] = event;
        w->taken++;
    }
}

/* --- the walk --- */

static void read_labels(struct flatten_walk *w, struct flatten_row *row, const struct json *n)
{
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        struct str name = flatten_word_name(w->arena, no_text, it.key);

        if (name.len == 0)
            flatten_row_complain(w, "a label's name is empty or too long");
        else if (json_type(it.value) == JSON_STR)
            flatten_row_add_key(w, row, name, json_str(it.value));
        else if (json_is_int(it.value))
            flatten_row_add_key(w, row, name, flatten_word_number(w->arena, it.value));
        else
            flatten_row_complain(w, "a label is neither text nor a whole number");
    }
}

/* Members that are about the item and no contents of it. */
static bool is_frame(const struct flatten_walk *w, const struct json *n, struct str name)
{
    if (n == w->data)
        return str_eq_c(name, "timestamp");
    return n == w->node && (str_eq_c(name, "type") || str_eq_c(name, "timestamp") ||
                            (str_eq_c(name, "data") && w->data));
}

static void read_members(struct flatten_walk *w, struct flatten_row *row, struct str prefix,
                         const struct json *n);

static void read_member(struct flatten_walk *w, struct flatten_row *row, struct str name,
                        const struct json *n, const struct json *object)
{
    switch (json_type(n)) {
    case JSON_STR:
        flatten_row_read_text(w, row, name, n, object);
        break;
    case JSON_OBJECT:
        read_members(w, row, name, n);
        break;
    case JSON_ARRAY:
        if (!holds_objects(n))
            flatten_row_read_list(w, row, name, n);
        break;
    case JSON_ABSENT:
    case JSON_NULL:
        break;
    default:
        flatten_row_read_number(w, row, name, n);
        break;
    }
}

static void read_members(struct flatten_walk *w, struct flatten_row *row, struct str prefix,
                         const struct json *n)
{
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        struct str name, key;

        if (is_frame(w, n, it.key) || is_container(it.key, it.value, &key))
            continue;
        if (prefix.len == 0 && is_labels(it.key) && json_type(it.value) == JSON_OBJECT) {
            read_labels(w, row, it.value);
            continue;
        }
        name = flatten_word_name(w->arena, prefix, it.key);
        if (name.len == 0)
            flatten_row_complain(w, "a member's name in it is empty or too long");
        else
            read_member(w, row, name, it.value, n);
    }
}

/* The reading that rows of a relation belong to; NULL: *why. */
static struct flatten_table *reading_of(struct flatten_walk *w, struct str relation,
                                        const char **why)
{
    bool host = flatten_map_is_host(w->type);
    struct flatten_place place = {.relation = relation,
                                  .target = host ? &w->spec->host : &w->spec->database,
                                  .t_ms = w->t_ms,
                                  .every_ms = FLATTEN_EVERY_MS};
    struct flatten_table *table = flatten_table_at(&w->tables, &place, why);

    w->out->has_host |= table && host;
    w->out->has_database |= table && !host;
    return table;
}

static void put_row(struct flatten_walk *w, struct str relation, const struct flatten_row *row)
{
    const char *why = NULL;
    struct flatten_table *table = reading_of(w, relation, &why);

    if (table)
        why = flatten_table_add(&w->tables, table, row);
    if (why)
        flatten_row_complain(w, why);
    else
        w->taken++;
}

/* Without rows: those of the reading before are no more. */
static void put_empty(struct flatten_walk *w, struct str relation)
{
    const char *why = NULL;

    if (!reading_of(w, relation, &why))
        flatten_row_complain(w, why);
}

static void read_children(struct flatten_walk *w, struct str relation, const struct json *n,
                          size_t level);

/*
 * A row of an array that nothing names is told apart by its first text ({"state", "count"}); one
 * with names alone says that it is there.
 */
static void settle_row(struct flatten_row *row, size_t inherited)
{
    size_t i = 0;

    if (row->key_count == inherited) {
        while (i < row->value_count && (row->values[i].sort != FLATTEN_TEXT ||
                                        row->values[i].cell.str.len > LIMIT_KEY_BYTES))
            i++;
        if (i < row->value_count && row->key_count < LIMIT_RELATION_KEYS) {
            row->keys[row->key_count++] = (struct flatten_key){row->values[i].name,
                                                               row->values[i].cell.str};
            row->value_count--;
            memmove(&row->values[i], &row->values[i + 1],
                    (row->value_count - i) * sizeof(row->values[0]));
        }
    }
    if (row->value_count == 0)
        row->values[row->value_count++] = (struct flatten_value){STR("present"), cell_i64(1),
                                                                 FLATTEN_NUMBER};
}

static void read_array(struct flatten_walk *w, struct str relation, const struct json *n,
                       size_t level)
{
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        const struct flatten_row *above = w->rows[level];
        struct flatten_row *row;

        if (is_event(it.value)) {
            add_event(w, it.value, above);
            continue;
        }
        row = flatten_row_begin(w, level + 1, above);
        if (!row)
            return;
        read_members(w, row, no_text, it.value);
        settle_row(row, above ? above->key_count : 0);
        put_row(w, relation, row);
        read_children(w, relation, it.value, level + 1);
    }
}

static void read_container(struct flatten_walk *w, struct str relation, const struct json *n,
                           struct str key, size_t level)
{
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        struct flatten_row *row = flatten_row_begin(w, level + 1, w->rows[level]);

        if (!row)
            return;
        flatten_row_add_key(w, row, key, it.key);
        read_members(w, row, no_text, it.value);
        if (row->value_count > 0)
            put_row(w, relation, row);
        read_children(w, relation, it.value, level + 1);
    }
}

/* The row of `level` has the keys that children inherit. */
static void read_children(struct flatten_walk *w, struct str relation, const struct json *n,
                          size_t level)
{
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        enum json_type type = json_type(it.value);
        struct str name, key;

        if ((type != JSON_ARRAY && type != JSON_OBJECT) || is_frame(w, n, it.key) ||
            is_labels(it.key))
            continue;
        if (is_container(it.key, it.value, &key)) {
            read_container(w, relation, it.value, key, level);
            continue;
        }
        name = flatten_word_name(w->arena, relation, it.key);
        if (name.len == 0)
            flatten_row_complain(w, "a member's name in it is empty or too long");
        else if (type == JSON_OBJECT)
            read_children(w, name, it.value, level);
        else if (holds_objects(it.value))
            read_array(w, name, it.value, level);
        else if (json_count(it.value) == 0 && flatten_map_is_list(name))
            put_empty(w, name);
    }
}

/* {"type", ...}: the members stand in `data`, at the top, or in both. */
const char *flatten_document_read(struct flatten_walk *w)
{
    const struct json *n = w->node;
    enum json_type kind = json_type(json_get(n, "data"));
    bool list = kind == JSON_ARRAY &&
                (json_count(json_get(n, "data")) == 0 || holds_objects(json_get(n, "data")));
    struct flatten_row *row;

    if (kind != JSON_ABSENT && kind != JSON_OBJECT && !list)
        return "data is neither an object nor a list of objects";
    if (json_count(n) == 1 + (size_t)(json_get(n, "timestamp") != NULL))
        return "it has no values";
    w->data = json_get(n, "data");
    if (is_event(n)) {
        add_event(w, n, NULL);
        return NULL;
    }
    row = flatten_row_begin(w, 0, NULL);
    if (!row)
        return NULL;
    read_members(w, row, no_text, n);
    if (!list)
        read_members(w, row, no_text, w->data);
    if (row->value_count > 0)
        put_row(w, w->type, row);
    if (list)
        read_array(w, w->type, w->data, 0);
    else
        read_children(w, w->type, w->data, 0);
    read_children(w, w->type, n, 0);
    return NULL;
}
