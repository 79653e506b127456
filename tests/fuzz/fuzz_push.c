/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_push.c: any body of a push, packed or not, is read or refused within its bounds.
 *
 * Threads: one.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/pack.h"
#include "model/push.h"

#define MOST 1048576

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_push(struct str text)
{
    const struct json_limits limits = {MOST, LIMIT_JSON_DEPTH, false};
    struct json_doc *doc = NULL;
    struct arena arena;
    struct push push;
    struct err e;

    if (json_parse(text, &limits, &doc, &e) != ERR_OK)
        return;
    arena_init(&arena, "push", LIMIT_REQUEST_ARENA_BYTES);
    if (json_type(json_root(doc)) == JSON_OBJECT &&
        push_read(&arena, json_root(doc), &push, &e) == ERR_OK &&
        (push.seq == 0 || push.record_count > LIMIT_PUSH_RECORDS))
        __builtin_trap();
    arena_fini(&arena);
    json_doc_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {.ptr = (const char *)data, .len = size};
    enum pack_kind kind = pack_sniff(in);
    struct buf out;
    struct err e;

    buf_init(&out, MOST);
    if (pack_claim(in, kind, MOST) > MOST)
        __builtin_trap();
    if (pack_unpack(in, kind, &out, &e) == ERR_OK)
        read_push(buf_view(&out));
    buf_fini(&out);
    return 0;
}
