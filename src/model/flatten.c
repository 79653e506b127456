/* SPDX-License-Identifier: PostgreSQL */
/*
 * flatten.c: the envelope of an older push, its items one by one, and loose samples.
 *
 * Items with a type are documents (flatten_document.c).
 * Invariant: an item that is wrong leaves no trace but its refusal; a bound that is passed in the
 * middle of one keeps what came before and is told.
 */
#include "model/flatten.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/num.h"
#include "model/flatten_walk.h"
#include "model/place.h"

bool flatten_is_push(const struct json *root)
{
    return json_get(root, "metrics") && !json_get(root, "stream") && !json_get(root, "records");
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
static const char *read_sample(struct flatten_walk *w, const struct item *item)
{
    struct flatten_place place = {STR(FLATTEN_SAMPLE), &w->spec->database, w->t_ms, 0};
    struct flatten_row *row = flatten_row_begin(w, 0, NULL);
    struct flatten_table *table = w->samples;
    struct str labels;
    const char *why = flatten_label_text(w->arena, item->labels, &labels);

    if (!row || why)
        return why;
    why = check_sample(item);
    if (why)
        return why;
    flatten_row_add_key(w, row, STR("name"), json_str(item->name));
    flatten_row_add_key(w, row, STR("labels"), labels);
    flatten_row_read_number(w, row, STR("value"), item->value);
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

static const char *read_item(struct flatten_walk *w, const struct json *n)
{
    struct item item;

    w->node = n;
    w->data = NULL;
    w->type = (struct str){NULL, 0};
    w->t_ms = w->push_t_ms;
    if (json_type(n) != JSON_OBJECT)
        return "it is no object";
    find_members(&item, n);
    if (!item.timestamp)
        item.timestamp = json_get(item.data, "timestamp");
    if (item.timestamp && !flatten_word_instant(item.timestamp, &w->t_ms))
        return "timestamp is no time";
    w->out->timed &= item.timestamp != NULL;
    if (!item.type && item.name)
        return read_sample(w, &item);
    if (!item.type)
        return "it has neither type nor name";
    if (json_type(item.type) != JSON_STR)
        return "type is no text";
    w->type = flatten_word_name(w->arena, (struct str){NULL, 0}, json_str(item.type));
    if (w->type.len == 0)
        return "type is empty or has more than 128 bytes";
    return flatten_document_read(w);
}

static void refuse(struct flatten_walk *w, const char *why, bool whole)
{
    struct flatten *out = w->out;

    out->refused += whole;
    if (out->refusal_count < LIMIT_PUSH_ERRORS)
        out->refusals[out->refusal_count++] = (struct flatten_refusal){w->item, why};
}

static void read_items(struct flatten_walk *w, const struct json *metrics)
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

static enum err_code read_envelope(struct flatten_walk *w, const struct json *root, struct err *e)
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
    if (rc == ERR_OK && t && json_type(t) != JSON_NULL && !flatten_word_instant(t, &w->push_t_ms))
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
    struct flatten_walk w = {.arena = a, .spec = spec, .out = out, .push_t_ms = spec->now_ms};
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
