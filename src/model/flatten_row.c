/* SPDX-License-Identifier: PostgreSQL */
/* flatten_row.c: members of an object as keys and values of one row, and texts beside it. */
#include <string.h>

#include "base/limits.h"
#include "model/flatten_walk.h"

static const struct str no_text = {NULL, 0};

void flatten_row_complain(struct flatten_walk *w, const char *why)
{
    if (!w->why)
        w->why = why;
}

/* --- texts --- */

/* The store takes no text with a NUL: PostgreSQL has none. */
bool flatten_row_has_nul(struct str text)
{
    return text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL;
}

static bool is_fit(struct flatten_walk *w, struct str text)
{
    if (text.len > LIMIT_TEXT_BYTES)
        flatten_row_complain(w, "a text in it has more than 1 MiB");
    else if (flatten_row_has_nul(text))
        flatten_row_complain(w, "a text in it has a NUL");
    else
        return true;
    return false;
}

static void add_text(struct flatten_walk *w, const char *kind, struct str key, struct str text)
{
    struct batch *b = &w->out->batch;

    if (map_get(w->texts, key))
        return;
    if (b->text_count == LIMIT_RECORD_TEXTS) {
        flatten_row_complain(w, "the push holds more texts than a record may");
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

struct flatten_row *flatten_row_begin(struct flatten_walk *w, size_t level,
                                      const struct flatten_row *above)
{
    struct flatten_row *row;

    if (level > LIMIT_JSON_DEPTH)
        return NULL;
    if (!w->rows[level])
        w->rows[level] = arena_alloc(w->arena, sizeof(*w->rows[level]));
    row = w->rows[level];
    if (!row) {
        flatten_row_complain(w, "the push needs too much memory");
        return NULL;
    }
    row->key_count = row->value_count = 0;
    if (above) {
        memcpy(row->keys, above->keys, above->key_count * sizeof(row->keys[0]));
        row->key_count = above->key_count;
    }
    return row;
}

void flatten_row_add_key(struct flatten_walk *w, struct flatten_row *row, struct str name,
                         struct str value)
{
    size_t at = 0;

    if (value.len > LIMIT_KEY_BYTES) {
        flatten_row_complain(w, "a name in it has more than 256 bytes");
        return;
    }
    if (flatten_row_has_nul(value)) {
        flatten_row_complain(w, "a name in it has a NUL");
        return;
    }
    while (at < row->key_count && !str_eq(row->keys[at].name, name))
        at++;
    if (at == LIMIT_RELATION_KEYS) {
        flatten_row_complain(w, "it has too many names");
        return;
    }
    row->keys[at] = (struct flatten_key){name, value};
    row->key_count += at == row->key_count;
}

static void add_value(struct flatten_walk *w, struct flatten_row *row,
                      const struct flatten_value *value)
{
    for (size_t i = 0; i < row->value_count; i++) {
        if (str_eq(row->values[i].name, value->name))
            return; /* two members that give one name: the first counts */
    }
    if (row->value_count == LIMIT_RELATION_COLUMNS)
        flatten_row_complain(w, "it has too many members");
    else
        row->values[row->value_count++] = *value;
}

void flatten_row_read_number(struct flatten_walk *w, struct flatten_row *row, struct str name,
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
        flatten_row_add_key(w, row, name, flatten_word_number(w->arena, n));
    else
        add_value(w, row, &value);
}

/* The key of a query's text: the hash that stands beside it, else one of the text. */
static struct str query_key(struct flatten_walk *w, const struct json *object, bool *beside)
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
static bool take_query(struct flatten_walk *w, struct flatten_row *row, struct str name,
                       const struct json *n, const struct json *object)
{
    struct str text = json_str(n), key;
    bool beside;

    key = query_key(w, object, &beside);
    if (!flatten_word_is_query(name) && !(str_eq_c(name, "text") && beside))
        return false;
    if (text.len == 0 || !is_fit(w, text) || flatten_row_has_nul(key))
        return true;
    if (!beside || str_ends(name, STR("_query"))) {
        struct str hash = flatten_word_name(w->arena, name, STR("hash"));

        if (hash.len == 0) {
            flatten_row_complain(w, "a query's name in it is too long");
            return true;
        }
        key = flatten_word_hash(w->arena, text);
        flatten_row_add_key(w, row, hash, key);
    }
    add_text(w, "query", key, text);
    return true;
}

void flatten_row_read_text(struct flatten_walk *w, struct flatten_row *row, struct str name,
                           const struct json *n, const struct json *object)
{
    struct str text = json_str(n);
    struct flatten_value value = {.name = name, .sort = FLATTEN_TEXT};
    int64_t number;

    if (flatten_word_is_key(name)) {
        flatten_row_add_key(w, row, name, text);
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
void flatten_row_read_list(struct flatten_walk *w, struct flatten_row *row, struct str name,
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
        flatten_row_complain(w, "a list in it has more than 1 MiB");
    } else {
        value.cell = cell_str(arena_str(w->arena, buf_view(&text)));
        add_value(w, row, &value);
    }
    buf_fini(&text);
}
