/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_json.c: what json_parse takes is written by json_put_node and parses again to the same text.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_limits limits = {
    .max_bytes = 1 << 16, .max_depth = 16, .refuse_duplicate_keys = true};

static void write_again(const struct json_doc *doc, struct buf *out)
{
    struct json_writer w;

    buf_reset(out);
    json_writer_init(&w, out);
    json_put_node(&w, json_root(doc));
}

/* Every query on every node of the first levels. */
static void walk(const struct json *n, int depth)
{
    for (struct json_iter it = json_iter(n); depth < 4 && json_next(&it);) {
        if (it.is_object && json_get_str(n, it.key) != it.value)
            abort();
        walk(it.value, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_limits wider = limits;
    struct json_doc *doc = NULL, *again = NULL;
    struct buf first, second;
    struct err e;

    if (json_parse(str_make(data, size), &limits, &doc, &e) != ERR_OK)
        return 0;
    buf_init(&first, 1 << 20);
    buf_init(&second, 1 << 20);
    walk(json_root(doc), 0);
    write_again(doc, &first);
    wider.max_bytes = 1 << 20;
    if (!first.failed) {
        if (json_parse(buf_view(&first), &wider, &again, &e) != ERR_OK)
            abort();
        write_again(again, &second);
        if (!str_eq(buf_view(&first), buf_view(&second)))
            abort();
    }
    json_doc_free(again);
    json_doc_free(doc);
    buf_fini(&first);
    buf_fini(&second);
    return 0;
}
