/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_gate.c: request heads, chunk sizes, Host and forwarded addresses are taken or refused by
 * their bytes; a head that is taken holds nothing that two readers could read differently.
 *
 * Threads: one.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "httpd/httpd_private.h"
#include "os/net_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A head that was taken: every line feed has its carriage return, and nothing else is below ' '. */
static void check_taken(const char *head, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)head[i];

        if (c == '\n' && (i == 0 || head[i - 1] != '\r'))
            __builtin_trap();
        if (c == '\r' && (i + 1 == len || head[i + 1] != '\n'))
            __builtin_trap();
        if ((c < ' ' && c != '\r' && c != '\n' && c != '\t') || c == 0x7f)
            __builtin_trap();
    }
    if (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct net_address address;
    struct net_range range;
    struct err e;
    int64_t chunk;

    if (httpd_gate_raw(text, size))
        check_taken(text, size);
    else if (httpd_gate_small_body(text, size) != 0)
        __builtin_trap();
    if (httpd_gate_small_body(text, size) > LIMIT_HTTP_SMALL_BODY)
        __builtin_trap();
    chunk = httpd_body_chunk_size(str_make(text, size));
    if (chunk < -1 || chunk > UINT32_MAX)
        __builtin_trap();
    if (net_range_parse(str_make(text, size), &range, &e) == ERR_OK &&
        !net_range_has(&range, &range.base))
        __builtin_trap();
    if (net_address_parse(str_make(text, size), &address, &e) == ERR_OK)
        net_address_unmap(&address);
    return 0;
}
