/* SPDX-License-Identifier: PostgreSQL */
/*
 * batch_write.c: a record as JSON text (packaging/doc/protocol.md, 2.1 to 2.6).
 *
 * Doubles keep a decimal point or exponent, so that a reader gets a double again; integers stay
 * integers.
 */
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "model/batch.h"

#define BATCH_NUMBER_TEXT 40

static void batch_member_uuid(struct json_writer *w, const char *name, const struct uuid *u)
{
    char text[TEXT_UUID_SIZE];

    text_uuid(u, text);
    json_member_c(w, name, text);
}

static void batch_put_f64(struct json_writer *w, double value)
{
    char text[BATCH_NUMBER_TEXT];

    if (!isfinite(value)) {
        json_put_null(w);
        return;
    }
    num_format_f64(value, text, sizeof(text) - 2);
    if (!strpbrk(text, ".e"))
        memcpy(text + strlen(text), ".0", 3);
    json_put_raw(w, str_of(text));
}

static void batch_put_cell(struct json_writer *w, const struct cell *c)
{
    switch (c->tag) {
    case CELL_NULL:
        json_put_null(w);
        break;
    case CELL_I64:
        json_put_i64(w, c->i64);
        break;
    case CELL_U64:
        json_put_u64(w, c->u64);
        break;
    case CELL_F64:
        batch_put_f64(w, c->f64);
        break;
    case CELL_STR:
        json_put_str(w, c->str);
        break;
    }
}

static void batch_write_flags(const struct slice *s, struct json_writer *w)
{
    json_key(w, "flags");
    json_array_begin(w);
    if (s->flags & SLICE_COMPLETE)
        json_put_c(w, "complete");
    if (s->flags & SLICE_KEYFRAME)
        json_put_c(w, "keyframe");
    if (s->flags & SLICE_FAILED)
        json_put_c(w, "failed");
    json_array_end(w);
    if (s->flags & SLICE_FAILED || s->reason.len > 0)
        json_member_str(w, "reason", s->reason);
}

static void batch_write_rows(const struct slice *s, struct json_writer *w)
{
    json_member_u64(w, "rows", s->row_count);
    json_key(w, "keys");
    json_object_begin(w);
    for (size_t k = 0; k < s->key_count; k++) {
        json_key_str(w, s->key_names[k]);
        json_array_begin(w);
        for (size_t row = 0; row < s->row_count; row++)
            json_put_str(w, s->keys[k][row]);
        json_array_end(w);
    }
    json_object_end(w);
    json_key(w, "columns");
    json_object_begin(w);
    for (size_t c = 0; c < s->column_count; c++) {
        json_key_str(w, s->columns[c].name);
        json_array_begin(w);
        for (size_t row = 0; row < s->row_count; row++)
            batch_put_cell(w, &s->columns[c].cells[row]);
        json_array_end(w);
    }
    json_object_end(w);
}

static void batch_write_ends(const struct slice *s, struct json_writer *w)
{
    if (s->gone_count > 0) {
        json_key(w, "gone");
        json_array_begin(w);
        for (size_t i = 0; i < s->gone_count; i++) {
            json_array_begin(w);
            for (size_t k = 0; k < s->key_count; k++)
                json_put_str(w, s->gone[i][k]);
            json_array_end(w);
        }
        json_array_end(w);
    }
    if (s->reset_count > 0) {
        json_key(w, "reset");
        json_array_begin(w);
        for (size_t i = 0; i < s->reset_count; i++)
            json_put_u64(w, s->resets[i]);
        json_array_end(w);
    }
}

static void batch_write_slice(const struct slice *s, struct json_writer *w)
{
    json_object_begin(w);
    json_member_str(w, "relation", s->relation);
    batch_member_uuid(w, "target", &s->target);
    json_member_str(w, "scope", s->scope);
    json_member_i64(w, "t", s->t_ms);
    json_member_i64(w, "from_t", s->from_ms);
    json_member_i64(w, "every_ms", s->every_ms);
    batch_write_flags(s, w);
    batch_write_rows(s, w);
    batch_write_ends(s, w);
    json_object_end(w);
}

static void batch_member_json(struct json_writer *w, const char *name, struct str json_text)
{
    json_key(w, name);
    json_put_raw(w, json_text.len > 0 ? json_text : STR("{}"));
}

static void batch_write_target(const struct batch_target *t, struct json_writer *w)
{
    json_object_begin(w);
    batch_member_uuid(w, "id", &t->id);
    json_member_str(w, "kind", t->kind);
    json_member_str(w, "name", t->name);
    batch_member_json(w, "attributes", t->attributes);
    json_object_end(w);
}

void batch_write_event(const struct batch_event *event, struct json_writer *w)
{
    static const struct uuid nobody;

    json_object_begin(w);
    json_member_i64(w, "t", event->t_ms);
    if (!text_uuid_eq(&event->target, &nobody))
        batch_member_uuid(w, "target", &event->target);
    json_member_str(w, "kind", event->kind);
    json_member_c(w, "severity", batch_severity_name(event->severity));
    json_member_str(w, "title", event->title);
    if (event->body.len > 0)
        batch_member_json(w, "body", event->body);
    json_object_end(w);
}

static void batch_write_text(const struct batch_text *text, struct json_writer *w)
{
    json_object_begin(w);
    batch_member_uuid(w, "target", &text->target);
    json_member_str(w, "kind", text->kind);
    json_member_str(w, "key", text->key);
    json_member_str(w, "text", text->text);
    json_object_end(w);
}

/* Begin a list; an empty one is left out. */
static bool batch_list_begin(struct json_writer *w, const char *name, size_t count)
{
    if (count == 0)
        return false;
    json_key(w, name);
    json_array_begin(w);
    return true;
}

void batch_write_texts_and_targets(const struct batch *b, struct json_writer *w)
{
    if (batch_list_begin(w, "targets", b->target_count)) {
        for (size_t i = 0; i < b->target_count; i++)
            batch_write_target(&b->targets[i], w);
        json_array_end(w);
    }
    if (batch_list_begin(w, "texts", b->text_count)) {
        for (size_t i = 0; i < b->text_count; i++)
            batch_write_text(&b->texts[i], w);
        json_array_end(w);
    }
}

void batch_write(const struct batch *b, struct json_writer *w)
{
    json_object_begin(w);
    json_member_i64(w, "made_ms", b->made_ms);
    if (batch_list_begin(w, "relations", b->relation_count)) {
        for (size_t i = 0; i < b->relation_count; i++)
            relation_write(&b->relations[i], w);
        json_array_end(w);
    }
    batch_write_texts_and_targets(b, w);
    if (batch_list_begin(w, "slices", b->slice_count)) {
        for (size_t i = 0; i < b->slice_count; i++)
            batch_write_slice(&b->slices[i], w);
        json_array_end(w);
    }
    if (batch_list_begin(w, "events", b->event_count)) {
        for (size_t i = 0; i < b->event_count; i++)
            batch_write_event(&b->events[i], w);
        json_array_end(w);
    }
    json_object_end(w);
}
