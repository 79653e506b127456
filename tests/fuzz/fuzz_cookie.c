/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_cookie.c: any bytes up to the first zero as a Cookie header, the rest as the query of an
 * address and as a percent-encoded text.
 *
 * A value lies inside the header and stands behind "name=" there; decoded parameters hold no zero
 * and are UTF-8; what is written as it came decodes to itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "httpd/httpd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_cookie(struct str header, const char *name)
{
    struct str value = httpd_cookie_in(header, name);
    size_t len = strlen(name);

    if (value.ptr == NULL)
        return;
    if (value.ptr < header.ptr || value.ptr + value.len > header.ptr + header.len)
        abort();
    if (value.len > 0 && memchr(value.ptr, ';', value.len) != NULL)
        abort();
    if ((size_t)(value.ptr - header.ptr) < len + 1 || value.ptr[-1] != '=' ||
        memcmp(value.ptr - len - 1, name, len) != 0)
        abort();
}

static void check_text(struct str s)
{
    if (s.len > 0 && (memchr(s.ptr, '\0', s.len) != NULL || !str_is_utf8(s)))
        abort();
}

static void check_query(struct arena *a, struct str query)
{
    struct httpd_request r = {.arena = a, .query = query};
    struct httpd_param *params = NULL;
    struct str one;
    size_t count = 0;
    bool found = false;
    struct err e;

    if (httpd_params(&r, &params, &count, &e) != ERR_OK) {
        if (e.text[0] == '\0')
            abort();
        return;
    }
    for (size_t i = 0; i < count; i++) {
        check_text(params[i].name);
        check_text(params[i].value);
    }
    if (count > 0 &&
        memchr(params[0].name.ptr ? params[0].name.ptr : "", '\0', params[0].name.len) == NULL) {
        char *name = arena_cstr(a, params[0].name);

        if (name != NULL && (httpd_query(&r, name, &one, &found, &e) != ERR_OK || !found ||
                             !str_eq(one, params[0].value)))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    size_t len = zero ? (size_t)(zero - data) : size;
    struct str header = str_make(data, len), decoded;
    struct str query = zero ? str_make(zero + 1, size - len - 1) : header;
    struct arena a;
    struct err e;

    arena_init(&a, "fuzz", 16 << 20);
    check_cookie(header, "pga_session");
    check_cookie(header, "__Host-pga");
    check_cookie(header, "a");
    check_query(&a, query);
    if (httpd_decode(&a, query, &decoded, &e) == ERR_OK) {
        check_text(decoded);
        if (decoded.len > query.len)
            abort();
    }
    arena_fini(&a);
    return 0;
}
