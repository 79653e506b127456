/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_block.c: bytes of a day file: the head of a block, then the same bytes as a part with its
 * streams.
 */
#include <stddef.h>
#include <stdint.h>

#include "store/tsdb/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_make(data, size);
    struct block_view v;
    struct str part;
    struct arena a;
    struct err e;

    arena_init(&a, "fuzz", 64 << 20);
    enum err_code code = block_open(in, &a, &v, &e);
    if (code == ERR_OK && block_unpack_part(in, &a, &part, &e) != ERR_OK) {
        part = in;
    }
    for (size_t i = 0; code == ERR_OK && i < v.stream_count; i++) {
        struct str bytes;
        struct cell *cells = NULL;
        if (block_stream_bytes(&v.streams[i], part, &bytes, &e) == ERR_OK) {
            code = block_cells(&v, bytes, &a, &cells, &e);
        }
    }
    arena_fini(&a);
    return 0;
}
