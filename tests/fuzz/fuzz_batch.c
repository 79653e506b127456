/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_batch.c: any JSON as a push, its records as batches; a batch that is taken is written and
 * read again to the same text.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/limits.h"
#include "model/batch.h"
#include "model/push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_limits limits = {.max_bytes = 1 << 20, .max_depth = LIMIT_JSON_DEPTH};

static void write_batch(const struct batch *b, struct buf *out)
{
    struct json_writer w;

    json_writer_init(&w, out);
    batch_write(b, &w);
}

static void round_trip(struct arena *a, const struct json *n)
{
    struct json_doc *doc = NULL;
    struct buf first, second;
    struct batch b, again;
    struct err e;

    if (batch_read(a, n, &b, &e) != ERR_OK)
        return;
    buf_init(&first, 1 << 20);
    buf_init(&second, 1 << 20);
    write_batch(&b, &first);
    if (!first.failed) {
        if (json_parse(buf_view(&first), &limits, &doc, &e) != ERR_OK)
            abort();
        if (batch_read(a, json_root(doc), &again, &e) == ERR_OK) {
            write_batch(&again, &second);
            if (!str_eq(buf_view(&first), buf_view(&second)))
                abort();
        } else if (e.code != ERR_LIMIT) {
            abort();
        }
    }
    json_doc_free(doc);
    buf_fini(&first);
    buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct push_answer answer;
    struct json_doc *doc = NULL;
    struct arena arena;
    struct push push;
    struct err e;

    if (json_parse(str_make(data, size), &limits, &doc, &e) != ERR_OK)
        return 0;
    arena_init(&arena, "fuzz", 1 << 24);
    (void)!push_answer_read(json_root(doc), &answer, &e);
    if (push_read(&arena, json_root(doc), &push, &e) == ERR_OK) {
        for (size_t i = 0; i < push.record_count; i++) {
            if (!push.records[i].is_gap)
                round_trip(&arena, push.records[i].json);
        }
    }
    round_trip(&arena, json_root(doc));
    arena_fini(&arena);
    json_doc_free(doc);
    return 0;
}
