/* SPDX-License-Identifier: PostgreSQL */
/*
 * flatten.c: walks the items of an older push.
 *
 * An object is read twice: its own members become keys and values of one row (those of plain
 * objects inside with the name in front), then arrays of objects and objects of objects become
 * rows of child relations, which inherit the keys.
 * Invariants: (1) an item that is wrong leaves no trace but its refusal; a bound that is passed in
 *             the middle of one keeps what came before and is told; (2) the depth is that of the
 *             document, which json_parse bounds.
 */
#include "model/flatten.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/num.h"
#include "model/flatten_part.h"
#include "model/place.h"

#define TIME_MAX_S 253402300799.0 /* the year 9999 */

struct walk {
    struct arena *arena;
    const struct flatten_spec *spec;
    struct flatten *out;
    struct flatten_tables tables;
    struct map *texts; /* keys that are in the batch already */
    size_t text_cap, event_cap;
    int64_t push_t_ms;              /* of the push as a whole */
    size_t item;                    /* number of the one that is read */
    const struct json *node, *data; /* of it */
    struct str type;                /* of the item, as a name */
    int64_t t_ms;                   /* of the item */
    const char *why;                /* what is wrong with a part of the item */
    size_t taken;                   /* rows and events of the item */
    struct flatten_table *samples;  /* the reading that the last loose sample went to */
    struct flatten_row *rows[LIMIT_JSON_DEPTH + 1]; /* one a level; made when needed */
};

static const struct str no_text = {NULL, 0};

bool flatten_is_push(const struct json *root)
{
    return json_get(root, "metrics") && !json_get(root, "stream") && !json_get(root, "records");
}

static void complain(struct walk *w, const char *why)
{
    if (!w->why)
        w->why = why;
}

/* --- times --- */

/* Unix seconds or milliseconds, or RFC 3339. */
static bool read_time(const struct json *n, int64_t *ms)
{
    double value = json_f64(n, -1);

    if (json_type(n) == JSON_STR)
        return num_parse_time_ms(json_str(n), ms, NULL) == ERR_OK && *ms >= 0;
    if (!(value >= 0) || value > TIME_MAX_S * 1000)
        return false;
    *ms = llround(value < 1e11 ? value * 1000 : value);
    return true;
}

/* --- texts --- */

/* The store takes no text with a NUL: PostgreSQL has none. */
static bool has_nul(struct str text)
{
    return text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL;
}

static bool is_fit(struct walk *w, struct str text)
{
    if (text.len > LIMIT_TEXT_BYTES)
        complain(w, "a text in it has more than 1 MiB");
    else if (has_nul(text))
        complain(w, "a text in it has a NUL");
    else
        return true;
    return false;
}

static void add_text(struct walk *w, const char *kind, struct str key, struct str text)
{
    struct batch *b = &w->out->batch;

    if (map_get(w->texts, key))
        return;
    if (b->text_count == LIMIT_RECORD_TEXTS) {
        complain(w, "the push holds more texts than a record may");
        return;
    }
    b->texts = flatten_table_grow(w->arena, b->texts, b->text_count, &w->text_cap,
                                  sizeof(*b->texts));
    if (!b->texts)
        return;
    (void)map_put(w->texts, key, w);
    w->out->has_database = true;
    b->texts[b->text_count++] = (struct batch_text){
        .target = w->spec->database, .kind = str_of(kind), .key = key, .text = text};
}

/* --- one row --- */

static struct flatten_row *begin_row(struct walk *w, size_t level, const struct flatten_row *above)
{
    struct flatten_row *row;

    if (level > LIMIT_JSON_DEPTH)
        return NULL;
    if (!w->rows[level])
        w->rows[level] = arena_alloc(w->arena, sizeof(*w->rows[level]));
    row = w->rows[level];
    if (!row) {
        complain(w, "the push needs too much memory");
        return NULL;
    }
    row->key_count = row->value_count = 0;
    if (above) {
        memcpy(row->keys, above->keys, above->key_count * sizeof(row->keys[0]));
        row->key_count = above->key_count;
    }
    return row;
}

static void add_key(struct walk *w, struct flatten_row *row, struct str name, struct str value)
{
    size_t at = 0;

    if (value.len > LIMIT_KEY_BYTES) {
        complain(w, "a name in it has more than 256 bytes");
        return;
    }
    if (has_nul(value)) {
        complain(w, "a name in it has a NUL");
        return;
    }
    while (at < row->key_count && !str_eq(row->keys[at].name, name))
        at++;
    if (at == LIMIT_RELATION_KEYS) {
        complain(w, "it has too many names");
        return;
    }
    row->keys[at] = (struct flatten_key){name, value};
    row->key_count += at == row->key_count;
}

static void add_value(struct walk *w, struct flatten_row *row, const struct flatten_value *value)
{
    for (size_t i = 0; i < row->value_count; i++) {
        if (str_eq(row->values[i].name, value->name))
            return; /* two members that give one name: the first counts */
    }
    if (row->value_count == LIMIT_RELATION_COLUMNS)
        complain(w, "it has too many members");
    else
        row->values[row->value_count++] = *value;
}

static void read_number(struct walk *w, struct flatten_row *row, struct str name,
                        const struct json *n)
{
    struct flatten_value value = {.name = name, .sort = FLATTEN_NUMBER};

    switch (json_type(n)) {
    case JSON_BOOL:
        value.cell = cell_i64(json_bool(n, false));
        break;
    case JSON_F64:
        value.cell = cell_f64(json_f64(n, 0));
        break;
    case JSON_U64:
        value.cell = cell_u64(json_u64(n, 0));
        break;
    default:
        value.cell = cell_i64(json_i64(n, 0));
        break;
    }
    if (json_is_int(n) && flatten_word_is_number_key(name))
        add_key(w, row, name, flatten_word_number(w->arena, n));
    else
        add_value(w, row, &value);
}

/* The key of a query's text: the hash that stands beside it, else one of the text. */
static struct str query_key(struct walk *w, const struct json *object, bool *beside)
{
    static const char *const names[] = {"hash", "queryid", "query_id", "query_hash"};

    *beside = true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct json *n = json_get(object, names[i]);

        if (json_type(n) == JSON_STR && json_str(n).len > 0 && json_str(n).len <= LIMIT_KEY_BYTES)
            return json_str(n);
        if (json_is_int(n))
            return flatten_word_number(w->arena, n);
    }
    *beside = false;
    return no_text;
}

/* Whether the text is that of a query, which is then in the dictionary. */
static bool take_query(struct walk *w, struct flatten_row *row, struct str name,
                       const struct json *n, const struct json *object)
{
    struct str text = json_str(n), key;
    bool beside;

    key = query_key(w, object, &beside);
    if (!flatten_word_is_query(name) && !(str_eq_c(name, "text") && beside))
        return false;
    if (text.len == 0 || !is_fit(w, text) || has_nul(key))
        return true;
    if (!beside || str_ends(name, STR("_query"))) {
        key = flatten_word_hash(w->arena, text);
        add_key(w, row, flatten_word_name(w->arena, name, STR("hash")), key);
    }
    add_text(w, "query", key, text);
    return true;
}

static void read_text(struct walk *w, struct flatten_row *row, struct str name,
                      const struct json *n, const struct json *object)
{
    struct str text = json_str(n);
    struct flatten_value value = {.name = name, .sort = FLATTEN_TEXT};
    int64_t number;

    if (flatten_word_is_key(name)) {
        add_key(w, row, name, text);
        return;
    }
    if (take_query(w, row, name, n, object))
        return;
    if (!is_fit(w, text))
        return;
    if (flatten_word_time(text, &number)) {
        value.sort = FLATTEN_TIME;
        value.cell = cell_f64((double)number / 1000);
    } else if (flatten_word_size(text, &number)) {
        value.sort = FLATTEN_BYTES;
        value.cell = cell_i64(number);
    } else {
        value.cell = cell_str(text);
    }
    add_value(w, row, &value);
}

/* An array of anything but objects is told as it stands. */
static void read_list(struct walk *w, struct flatten_row *row, struct str name,
                      const struct json *n)
{
    struct flatten_value value = {.name = name, .sort = FLATTEN_TEXT};
    struct json_writer out;
    struct buf text;

    if (json_count(n) == 0)
        return;
    buf_init(&text, LIMIT_TEXT_BYTES);
    json_writer_init(&out, &text);
    json_put_node(&out, n);
    if (text.failed) {
        complain(w, "a list in it has more than 1 MiB");
    } else {
        value.cell = cell_str(arena_str(w->arena, buf_view(&text)));
        add_value(w, row, &value);
    }
    buf_fini(&text);
}

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
           !has_nul(json_str(json_get(n, "message"))) && read_time(json_get(n, "timestamp"), &t);
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

static struct str event_body(struct walk *w, const struct json *n, const struct flatten_row *above)
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
        complain(w, "an entry in it has more than 1 MiB");
    else
        body = arena_str(w->arena, buf_view(&text));
    buf_fini(&text);
    return body;
}

static void add_event(struct walk *w, const struct json *n, const struct flatten_row *above)
{
    struct batch *b = &w->out->batch;
    struct batch_event event = {.target = w->spec->database, .kind = w->type};
    const struct json *level = json_get(n, "level");

    if (b->event_count == LIMIT_RECORD_EVENTS) {
        complain(w, "the push holds more entries than a record may");
        return;
    }
    if (!read_time(json_get(n, "timestamp"), &event.t_ms))
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

static void read_labels(struct walk *w, struct flatten_row *row, const struct json *n)
{
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        struct str name = flatten_word_name(w->arena, no_text, it.key);

        if (name.len == 0)
            complain(w, "a label's name is empty or too long");
        else if (json_type(it.value) == JSON_STR)
            add_key(w, row, name, json_str(it.value));
        else if (json_is_int(it.value))
            add_key(w, row, name, flatten_word_number(w->arena, it.value));
        else
            complain(w, "a label is neither text nor a whole number");
    }
}

/* Members that are about the item and no contents of it. */
static bool is_frame(const struct walk *w, const struct json *n, struct str name)
{
    if (n == w->data)
        return str_eq_c(name, "timestamp");
    return n == w->node && (str_eq_c(name, "type") || str_eq_c(name, "timestamp") ||
                            (str_eq_c(name, "data") && w->data));
}

static void read_members(struct walk *w, struct flatten_row *row, struct str prefix,
                         const struct json *n);

static void read_member(struct walk *w, struct flatten_row *row, struct str name,
                        const struct json *n, const struct json *object)
{
    switch (json_type(n)) {
    case JSON_STR:
        read_text(w, row, name, n, object);
        break;
    case JSON_OBJECT:
        read_members(w, row, name, n);
        break;
    case JSON_ARRAY:
        if (!holds_objects(n))
            read_list(w, row, name, n);
        break;
    case JSON_ABSENT:
    case JSON_NULL:
        break;
    default:
        read_number(w, row, name, n);
        break;
    }
}

static void read_members(struct walk *w, struct flatten_row *row, struct str prefix,
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
            complain(w, "a member's name in it is empty or too long");
        else
            read_member(w, row, name, it.value, n);
    }
}

/* The reading that rows of a relation belong to; NULL: *why. */
static struct flatten_table *reading_of(struct walk *w, struct str relation, const char **why)
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

static void put_row(struct walk *w, struct str relation, const struct flatten_row *row)
{
    const char *why = NULL;
    struct flatten_table *table = reading_of(w, relation, &why);

    if (table)
        why = flatten_table_add(&w->tables, table, row);
    if (why)
        complain(w, why);
    else
        w->taken++;
}

/* Without rows: those of the reading before are no more. */
static void put_empty(struct walk *w, struct str relation)
{
    const char *why = NULL;

    if (!reading_of(w, relation, &why))
        complain(w, why);
}

static void read_children(struct walk *w, struct str relation, const struct json *n, size_t level);

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

static void read_array(struct walk *w, struct str relation, const struct json *n, size_t level)
{
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        const struct flatten_row *above = w->rows[level];
        struct flatten_row *row;

        if (is_event(it.value)) {
            add_event(w, it.value, above);
            continue;
        }
        row = begin_row(w, level + 1, above);
        if (!row)
            return;
        read_members(w, row, no_text, it.value);
        settle_row(row, above ? above->key_count : 0);
        put_row(w, relation, row);
        read_children(w, relation, it.value, level + 1);
    }
}

static void read_container(struct walk *w, struct str relation, const struct json *n,
                           struct str key, size_t level)
{
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        struct flatten_row *row = begin_row(w, level + 1, w->rows[level]);

        if (!row)
            return;
        add_key(w, row, key, it.key);
        read_members(w, row, no_text, it.value);
        if (row->value_count > 0)
            put_row(w, relation, row);
        read_children(w, relation, it.value, level + 1);
    }
}

/* The row of `level` has the keys that children inherit. */
static void read_children(struct walk *w, struct str relation, const struct json *n, size_t level)
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
            complain(w, "a member's name in it is empty or too long");
        else if (type == JSON_OBJECT)
            read_children(w, name, it.value, level);
        else if (holds_objects(it.value))
            read_array(w, name, it.value, level);
        else if (json_count(it.value) == 0 && flatten_map_is_list(name))
            put_empty(w, name);
    }
}

/* --- items --- */

/* {"type", ...}: the members stand in `data`, at the top, or in both. */
static const char *read_document(struct walk *w)
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
    row = begin_row(w, 0, NULL);
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

/* The members of an item that say what it is; of equal ones the last, as everywhere. */
struct item {
    const struct json *type, *name, *value, *labels, *timestamp, *data;
};

static void find_members(struct item *item, const struct json *n)
{
    *item = (struct item){0};
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        const struct json **to = str_eq(it.key, STR("type"))        ? &item->type
                                 : str_eq(it.key, STR("name"))      ? &item->name
                                 : str_eq(it.key, STR("value"))     ? &item->value
                                 : str_eq(it.key, STR("labels"))    ? &item->labels
                                 : str_eq(it.key, STR("timestamp")) ? &item->timestamp
                                 : str_eq(it.key, STR("data"))      ? &item->data
                                                                    : NULL;
        if (to)
            *to = it.value;
    }
}

static const char *check_sample(const struct item *item)
{
    struct str name = json_str(item->name);

    if (json_type(item->name) != JSON_STR)
        return "name is no text";
    if (name.len == 0 || name.len > LIMIT_KEY_BYTES)
        return "name is no text of 1 to 256 bytes";
    switch (json_type(item->value)) {
    case JSON_BOOL:
    case JSON_I64:
    case JSON_U64:
    case JSON_F64:
        return NULL;
    default:
        return "value is no number";
    }
}

/* {"name", "value", "timestamp", "labels"}: all samples of a collector are one relation. */
static const char *read_sample(struct walk *w, const struct item *item)
{
    struct flatten_place place = {STR(FLATTEN_SAMPLE), &w->spec->database, w->t_ms, 0};
    struct flatten_row *row = begin_row(w, 0, NULL);
    struct flatten_table *table = w->samples;
    struct str labels;
    const char *why = flatten_label_text(w->arena, item->labels, &labels);

    if (!row || why)
        return why;
    why = check_sample(item);
    if (why)
        return why;
    add_key(w, row, STR("name"), json_str(item->name));
    add_key(w, row, STR("labels"), labels);
    read_number(w, row, STR("value"), item->value);
    if (w->why)
        return w->why;
    if (!table || table->t_ms != w->t_ms)
        table = flatten_table_at(&w->tables, &place, &why);
    if (table)
        why = flatten_table_add(&w->tables, table, row);
    if (why)
        return why;
    w->samples = table;
    w->taken++;
    w->out->has_database = true;
    return NULL;
}

static const char *read_item(struct walk *w, const struct json *n)
{
    struct item item;

    w->node = n;
    w->data = NULL;
    w->type = no_text;
    w->t_ms = w->push_t_ms;
    if (json_type(n) != JSON_OBJECT)
        return "it is no object";
    find_members(&item, n);
    if (!item.timestamp)
        item.timestamp = json_get(item.data, "timestamp");
    if (item.timestamp && !read_time(item.timestamp, &w->t_ms))
        return "timestamp is no time";
    w->out->timed &= item.timestamp != NULL;
    if (!item.type && item.name)
        return read_sample(w, &item);
    if (!item.type)
        return "it has neither type nor name";
    if (json_type(item.type) != JSON_STR)
        return "type is no text";
    w->type = flatten_word_name(w->arena, no_text, json_str(item.type));
    if (w->type.len == 0)
        return "type is empty or has more than 128 bytes";
    return read_document(w);
}

static void refuse(struct walk *w, const char *why, bool whole)
{
    struct flatten *out = w->out;

    out->refused += whole;
    if (out->refusal_count < LIMIT_PUSH_ERRORS)
        out->refusals[out->refusal_count++] = (struct flatten_refusal){w->item, why};
}

static void read_items(struct walk *w, const struct json *metrics)
{
    for (struct json_iter it = json_iter(metrics); json_next(&it) && !w->arena->overflow;) {
        const char *why;

        w->item = it.index;
        w->why = NULL;
        w->taken = 0;
        why = read_item(w, it.value);
        if (why)
            refuse(w, why, true);
        else if (w->why)
            refuse(w, w->why, w->taken == 0);
    }
}

/* --- the envelope --- */

static enum err_code read_envelope(struct walk *w, const struct json *root, struct err *e)
{
    const struct json *hostname = json_get(root, "hostname"), *version = json_get(root, "version");
    const struct json *t = json_get(root, "timestamp");
    struct place at = {.row = PLACE_NONE, .e = e};
    struct flatten *out = w->out;
    enum err_code rc = place_read_str(&at, json_get(root, "collector_id"), "collector_id",
                                      LIMIT_KEY_BYTES, &out->collector_id);

    if (rc == ERR_OK && hostname && json_type(hostname) != JSON_NULL)
        rc = place_read_str(&at, hostname, "hostname", LIMIT_KEY_BYTES, &out->hostname);
    if (rc == ERR_OK && version && json_type(version) != JSON_NULL)
        rc = place_read_str(&at, version, "version", LIMIT_NAME_BYTES, &out->version);
    at.member = "timestamp";
    if (rc == ERR_OK && t && json_type(t) != JSON_NULL && !read_time(t, &w->push_t_ms))
        return place_fail(&at, ERR_INVALID, "is no time");
    at.member = "metrics";
    if (rc == ERR_OK && (json_type(json_get(root, "metrics")) != JSON_ARRAY ||
                         json_count(json_get(root, "metrics")) == 0))
        return place_fail(&at, ERR_INVALID, "must be an array with items");
    if (rc == ERR_OK && json_count(json_get(root, "metrics")) > LIMIT_PUSH_ITEMS)
        return place_fail(&at, ERR_LIMIT, "%zu items, at most %d",
                          json_count(json_get(root, "metrics")), LIMIT_PUSH_ITEMS);
    return rc;
}

enum err_code flatten_push(struct arena *a, const struct json *root,
                           const struct flatten_spec *spec, struct flatten *out, struct err *e)
{
    struct walk w = {.arena = a, .spec = spec, .out = out, .push_t_ms = spec->now_ms};
    enum err_code rc;

    *out = (struct flatten){.timed = true, .batch.made_ms = spec->now_ms};
    rc = read_envelope(&w, root, e);
    if (rc != ERR_OK)
        return rc;
    out->item_count = json_count(json_get(root, "metrics"));
    out->refusals = arena_array(a, LIMIT_PUSH_ERRORS, sizeof(*out->refusals));
    if (!out->refusals)
        return arena_fail(a, e);
    flatten_table_init(&w.tables, a);
    w.texts = map_new();
    read_items(&w, json_get(root, "metrics"));
    flatten_table_finish(&w.tables, &out->batch);
    map_free(w.texts, NULL);
    flatten_table_fini(&w.tables);
    return arena_check(a, e);
}
