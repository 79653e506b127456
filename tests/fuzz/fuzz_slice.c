/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_slice.c: journal bytes: a slice with all its columns and keys.
 */
#include <stddef.h>
#include <stdint.h>

#include "store/tsdb/codec/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct codec_slice s;
    struct cell *cells = NULL;
    struct arena a;
    struct err e;

    arena_init(&a, "fuzz", 64 << 20);
    enum err_code code = codec_get_slice(str_make(data, size), &a, &s, &e);
    for (size_t i = 0; code == ERR_OK && i < s.column_count; i++) {
        code = codec_get_column(s.columns[i].stream, &a, s.row_count, &cells, &e);
    }
    for (size_t i = 0; code == ERR_OK && i < s.key_count; i++) {
        code = codec_get_column(s.keys[i].stream, &a, s.row_count, &cells, &e);
    }
    arena_fini(&a);
    return 0;
}
