/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_flatten.c: any JSON as a push of an older form; what the flattener makes of it must be a
 * record that the store reads, but for bounds.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/limits.h"
#include "model/flatten.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_limits limits = {.max_bytes = 1 << 22, .max_depth = LIMIT_JSON_DEPTH};

static void read_back(struct arena *a, const struct flatten *flat)
{
    struct json_doc *doc = NULL;
    struct json_writer w;
    struct batch batch;
    struct buf text;
    struct err e;

    buf_init(&text, 1 << 22);
    json_writer_init(&w, &text);
    batch_write(&flat->batch, &w);
    if (!text.failed) {
        if (json_parse(buf_view(&text), &limits, &doc, &e) != ERR_OK)
            abort();
        if (batch_read(a, json_root(doc), &batch, &e) == ERR_INVALID)
            abort();
    }
    json_doc_free(doc);
    buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct flatten_spec spec = {.database = {{1}}, .host = {{2}}, .now_ms = 1000};
    struct json_doc *doc = NULL;
    struct flatten flat;
    struct arena arena;
    struct err e;

    if (json_parse(str_make(data, size), &limits, &doc, &e) != ERR_OK)
        return 0;
    arena_init(&arena, "fuzz", 1 << 25);
    if (flatten_push(&arena, json_root(doc), &spec, &flat, &e) == ERR_OK)
        read_back(&arena, &flat);
    arena_fini(&arena);
    json_doc_free(doc);
    return 0;
}
