/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_form.c: a push of loose samples, and the same with some bytes changed, which is read by the
 * form of the first. What is read so must be what the flattener makes of it.
 *
 * Input: a line of changes, each "<offset><r|i|d><byte>", then the push.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "model/flatten_form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_limits limits = {.max_bytes = 1 << 22, .max_depth = LIMIT_JSON_DEPTH};
static const struct flatten_spec spec = {.database = {{1}}, .host = {{2}}, .now_ms = 1000};

static void change(struct buf *text, size_t at, char how, char byte)
{
    if (how == 'i') {
        buf_add_char(text, ' ');
        at = at < text->len ? at : text->len - 1;
        memmove(text->ptr + at + 1, text->ptr + at, text->len - at - 1);
        text->ptr[at] = byte;
    } else if (at < text->len && how == 'd') {
        memmove(text->ptr + at, text->ptr + at + 1, text->len - at - 1);
        buf_truncate(text, text->len - 1);
    } else if (at < text->len) {
        text->ptr[at] = byte;
    }
}

/* The text behind the first line, with the changes that the line tells. */
static void change_all(struct buf *text, struct str line)
{
    size_t at = 0;

    for (size_t i = 0; i + 1 < line.len; i++) {
        if (line.ptr[i] >= '0' && line.ptr[i] <= '9') {
            at = (at * 10 + (size_t)(line.ptr[i] - '0')) % 100000;
        } else {
            change(text, at, line.ptr[i], line.ptr[i + 1]);
            at = 0;
            i++;
        }
    }
}

static bool flatten(struct arena *a, struct str text, struct json_doc **doc, struct flatten *out)
{
    return json_parse(text, &limits, doc, NULL) == ERR_OK && flatten_is_push(json_root(*doc)) &&
           flatten_push(a, json_root(*doc), &spec, out, NULL) == ERR_OK;
}

static bool same_rows(const struct slice *a, const struct slice *b)
{
    for (size_t i = 0; i < a->row_count; i++) {
        if (!str_eq(a->keys[0][i], b->keys[0][i]) || !str_eq(a->keys[1][i], b->keys[1][i]))
            return false;
    }
    return true;
}

static bool same(const struct flatten *a, const struct flatten *b)
{
    const struct slice *x = a->batch.slices, *y = b->batch.slices;

    if (b->batch.slice_count != 1 || b->refusal_count != 0 || a->timed != b->timed ||
        a->item_count != b->item_count || x->t_ms != y->t_ms || x->row_count != y->row_count ||
        !str_eq(a->collector_id, b->collector_id) || !str_eq(a->hostname, b->hostname) ||
        !str_eq(a->version, b->version) || !str_eq(x->relation, y->relation))
        return false;
    for (size_t i = 0; i < x->row_count; i++) {
        struct cell c = x->columns[0].cells[i], d = y->columns[0].cells[i];

        if (c.tag != d.tag || c.u64 != d.u64)
            return false;
    }
    return true;
}

static void compare(struct arena *a, struct str first, struct str second)
{
    struct json_doc *docs[2] = {NULL, NULL};
    struct flatten before, after, fast;
    struct flatten_form *form = NULL;

    if (flatten(a, first, &docs[0], &before))
        form = flatten_form_learn(first, &before);
    if (form && flatten_form_read(form, a, second, &spec, &fast) &&
        (!flatten(a, second, &docs[1], &after) || !same(&fast, &after) ||
         !same_rows(before.batch.slices, after.batch.slices)))
        abort();
    flatten_form_free(form);
    json_doc_free(docs[0]);
    json_doc_free(docs[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make((const char *)data, size), line = str_split(&rest, '\n');
    struct buf first, second;
    struct arena arena;

    arena_init(&arena, "fuzz", 1 << 25);
    buf_init(&first, 1 << 22);
    buf_init(&second, 1 << 22);
    buf_add_str(&first, rest);
    buf_add_str(&second, rest);
    change_all(&second, line);
    compare(&arena, buf_view(&first), buf_view(&second));
    buf_fini(&second);
    buf_fini(&first);
    arena_fini(&arena);
    return 0;
}
