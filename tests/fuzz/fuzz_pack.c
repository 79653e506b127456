/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_pack.c: unpacking any bytes as each kind never writes more than the buffer's maximum.
 *
 * Threads: one.
 */
#include "base/buf.h"
#include "base/pack.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void unpack(struct str in, enum pack_kind kind)
{
    struct buf out;
    struct err e = {0};

    buf_init(&out, 1 << 16);
    if (pack_unpack(in, kind, &out, &e) == ERR_OK && out.len > 1 << 16)
        __builtin_trap();
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {.ptr = (const char *)data, .len = size};

    unpack(in, PACK_GZIP);
    unpack(in, PACK_ZSTD);
    unpack(in, PACK_PLAIN);
    return 0;
}
