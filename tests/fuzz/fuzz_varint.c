/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_varint.c: varints and base64url from any bytes. */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/text.h"
#include "base/varint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void varints(struct str in)
{
    struct str again;
    struct buf b;
    uint64_t value, back;

    buf_init(&b, VARINT_MAX);
    while (varint_take(&in, &value)) {
        buf_reset(&b);
        varint_put(&b, value);
        again = buf_view(&b);
        if (!varint_take(&again, &back) || back != value || again.len != 0)
            abort();
        if (varint_zigzag(varint_unzigzag(value)) != value)
            abort();
    }
    buf_fini(&b);
}

static void base64(struct str in)
{
    struct buf plain, again;
    struct err e;

    buf_init(&plain, 1 << 16);
    buf_init(&again, 1 << 17);
    if (text_unbase64url(in, &plain, &e) == ERR_OK) {
        text_base64url(&again, plain.ptr, plain.len);
        if (!str_eq(in, buf_view(&again)))
            abort(); /* one spelling only */
    }
    buf_fini(&plain);
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_make(data, size);

    varints(in);
    base64(in);
    return 0;
}
