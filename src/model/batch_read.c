/* SPDX-License-Identifier: PostgreSQL */
/* batch_read.c: one record from JSON (packaging/doc/protocol.md, 2.1 to 2.6). */
#include "base/limits.h"
#include "model/batch.h"
#include "model/place.h"
#include "model/slice_read.h"

#define BATCH_BODY_BYTES ((size_t)LIMIT_TEXT_BYTES)

struct batch_reader {
    struct arena *arena;
    struct batch *batch;
    struct place at;
    struct err *e;
};

struct batch_list {
    const char *name;
    size_t max, item_bytes;
};

static const struct batch_list batch_relations = {"relations", LIMIT_RECORD_RELATIONS,
                                                  sizeof(struct relation)};
static const struct batch_list batch_targets = {"targets", LIMIT_RECORD_TARGETS,
                                                sizeof(struct batch_target)};
static const struct batch_list batch_slices = {"slices", LIMIT_RECORD_SLICES, sizeof(struct slice)};
static const struct batch_list batch_events = {"events", LIMIT_RECORD_EVENTS,
                                               sizeof(struct batch_event)};
static const struct batch_list batch_texts = {"texts", LIMIT_RECORD_TEXTS,
                                              sizeof(struct batch_text)};

/* Room for the items of the array `n`; absent gives none. */
static enum err_code batch_begin_list(struct batch_reader *r, const struct json *n,
                                      const struct batch_list *list, void **items)
{
    r->at = (struct place){.member = list->name, .row = PLACE_NONE, .e = r->e};
    if (n && json_type(n) != JSON_ARRAY) {
        (void)place_fail(&r->at, ERR_INVALID, "must be an array");
        return ERR_INVALID;
    }
    if (json_count(n) > list->max) {
        (void)place_fail(&r->at, ERR_LIMIT, "%zu entries, at most %zu", json_count(n), list->max);
        return ERR_LIMIT;
    }
    *items = arena_array(r->arena, json_count(n), list->item_bytes);
    return *items ? ERR_OK : arena_fail(r->arena, r->e);
}

static void batch_at(struct batch_reader *r, const char *list, size_t index)
{
    r->at = (struct place){.list = list, .index = index, .row = PLACE_NONE, .e = r->e};
}

static enum err_code batch_read_relations(struct batch_reader *r, const struct json *n)
{
    void *items = NULL;
    enum err_code rc;

    rc = batch_begin_list(r, n, &batch_relations, &items);
    if (rc != ERR_OK)
        return rc;
    r->batch->relations = items;
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        rc = relation_read(r->arena, it.value, &r->batch->relations[it.index], r->e);
        if (rc != ERR_OK)
            return err_wrap(r->e, "relations[%zu]", it.index);
        r->batch->relation_count++;
    }
    return ERR_OK;
}

/* An object as JSON text in the arena; absent gives an empty text. */
static enum err_code batch_read_object(struct batch_reader *r, const struct json *n,
                                       const char *name, struct str *out)
{
    struct json_writer w;
    struct buf text;
    enum err_code rc;

    r->at.member = name;
    if (!n)
        return ERR_OK;
    if (json_type(n) != JSON_OBJECT)
        return place_fail(&r->at, ERR_INVALID, "must be an object");
    buf_init(&text, BATCH_BODY_BYTES);
    json_writer_init(&w, &text);
    json_put_node(&w, n);
    rc = buf_check(&text, NULL);
    if (rc != ERR_OK)
        rc = place_fail(&r->at, rc, "more than %zu bytes", BATCH_BODY_BYTES);
    else
        *out = arena_str(r->arena, buf_view(&text));
    buf_fini(&text);
    return rc;
}

static enum err_code batch_read_target(struct batch_reader *r, const struct json *n,
                                       struct batch_target *out)
{
    enum err_code rc = place_read_uuid(&r->at, json_get(n, "id"), "id", &out->id);

    if (rc == ERR_OK)
        rc = place_read_str(&r->at, json_get(n, "kind"), "kind", LIMIT_NAME_BYTES, &out->kind);
    if (rc == ERR_OK && !relation_is_name(out->kind))
        rc = place_fail(&r->at, ERR_INVALID, "is no name");
    if (rc == ERR_OK)
        rc = place_read_str(&r->at, json_get(n, "name"), "name", LIMIT_KEY_BYTES, &out->name);
    if (rc == ERR_OK)
        rc = batch_read_object(r, json_get(n, "attributes"), "attributes", &out->attributes);
    return rc;
}

static enum err_code batch_read_targets(struct batch_reader *r, const struct json *n)
{
    void *items = NULL;
    enum err_code rc;

    rc = batch_begin_list(r, n, &batch_targets, &items);
    r->batch->targets = items;
    for (struct json_iter it = json_iter(n); rc == ERR_OK && json_next(&it);) {
        batch_at(r, "targets", it.index);
        rc = batch_read_target(r, it.value, &r->batch->targets[it.index]);
        r->batch->target_count++;
    }
    return rc;
}

static enum err_code batch_read_slices(struct batch_reader *r, const struct json *n)
{
    void *items = NULL;
    enum err_code rc;

    rc = batch_begin_list(r, n, &batch_slices, &items);
    r->batch->slices = items;
    for (struct json_iter it = json_iter(n); rc == ERR_OK && json_next(&it);) {
        batch_at(r, "slices", it.index);
        rc = slice_read(r->arena, it.value, &r->at, &r->batch->slices[it.index]);
        r->batch->slice_count++;
    }
    return rc;
}

static enum err_code batch_read_event(struct batch_reader *r, const struct json *n,
                                      struct batch_event *out)
{
    const struct json *target = json_get(n, "target"), *title = json_get(n, "title");
    enum err_code rc = place_read_ms(&r->at, json_get(n, "t"), "t", &out->t_ms);

    if (rc == ERR_OK && target)
        rc = place_read_uuid(&r->at, target, "target", &out->target);
    if (rc == ERR_OK)
        rc = place_read_str(&r->at, json_get(n, "kind"), "kind", LIMIT_NAME_BYTES, &out->kind);
    if (rc == ERR_OK && !relation_is_name(out->kind))
        rc = place_fail(&r->at, ERR_INVALID, "is no name");
    r->at.member = "severity";
    if (rc == ERR_OK && !batch_parse_severity(json_str(json_get(n, "severity")), &out->severity))
        rc = place_fail(&r->at, ERR_INVALID, "must be debug, info, warning, error or critical");
    if (rc == ERR_OK)
        rc = place_read_str(&r->at, title, "title", LIMIT_EVENT_TITLE_BYTES, &out->title);
    if (rc == ERR_OK)
        rc = batch_read_object(r, json_get(n, "body"), "body", &out->body);
    return rc;
}

static enum err_code batch_read_events(struct batch_reader *r, const struct json *n)
{
    void *items = NULL;
    enum err_code rc;

    rc = batch_begin_list(r, n, &batch_events, &items);
    r->batch->events = items;
    for (struct json_iter it = json_iter(n); rc == ERR_OK && json_next(&it);) {
        batch_at(r, "events", it.index);
        rc = batch_read_event(r, it.value, &r->batch->events[it.index]);
        r->batch->event_count++;
    }
    return rc;
}

static enum err_code batch_read_text(struct batch_reader *r, const struct json *n,
                                     struct batch_text *out)
{
    enum err_code rc;

    rc = place_read_uuid(&r->at, json_get(n, "target"), "target", &out->target);
    if (rc == ERR_OK)
        rc = place_read_str(&r->at, json_get(n, "kind"), "kind", LIMIT_NAME_BYTES, &out->kind);
    if (rc == ERR_OK && !relation_is_name(out->kind))
        rc = place_fail(&r->at, ERR_INVALID, "is no name");
    if (rc == ERR_OK)
        rc = place_read_str(&r->at, json_get(n, "key"), "key", LIMIT_KEY_BYTES, &out->key);
    if (rc == ERR_OK)
        rc = place_read_str(&r->at, json_get(n, "text"), "text", LIMIT_TEXT_BYTES, &out->text);
    return rc;
}

static enum err_code batch_read_texts(struct batch_reader *r, const struct json *n)
{
    void *items = NULL;
    enum err_code rc;

    rc = batch_begin_list(r, n, &batch_texts, &items);
    r->batch->texts = items;
    for (struct json_iter it = json_iter(n); rc == ERR_OK && json_next(&it);) {
        batch_at(r, "texts", it.index);
        rc = batch_read_text(r, it.value, &r->batch->texts[it.index]);
        r->batch->text_count++;
    }
    return rc;
}

enum err_code batch_read(struct arena *a, const struct json *n, struct batch *out, struct err *e)
{
    struct err mine;
    struct batch_reader r = {.arena = a, .batch = out, .e = e ? e : &mine};
    const struct json *made = json_get(n, "made_ms");
    enum err_code rc = ERR_OK;

    r.at = (struct place){.row = PLACE_NONE, .e = r.e};
    *out = (struct batch){0};
    if (json_type(n) != JSON_OBJECT)
        return place_fail(&r.at, ERR_INVALID, "a record must be an object");
    if (made)
        rc = place_read_ms(&r.at, made, "made_ms", &out->made_ms);
    if (rc == ERR_OK)
        rc = batch_read_relations(&r, json_get(n, "relations"));
    if (rc == ERR_OK)
        rc = batch_read_targets(&r, json_get(n, "targets"));
    if (rc == ERR_OK)
        rc = batch_read_slices(&r, json_get(n, "slices"));
    if (rc == ERR_OK)
        rc = batch_read_events(&r, json_get(n, "events"));
    if (rc == ERR_OK)
        rc = batch_read_texts(&r, json_get(n, "texts"));
    return rc == ERR_OK ? arena_check(a, e) : rc;
}
