/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_regex.c: any bytes up to the first zero as a pattern, the rest as a text and a template.
 *
 * Plain words have to say of a text what the library says of their pattern.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same pattern in a form that is not taken for plain words. */
static void compare_library(struct arena *a, struct str pattern, struct str text, bool matched)
{
    char *wrapped = arena_printf(a, "(?:%.*s)x{0}", STR_ARG(pattern));
    struct regex *r = NULL;
    struct err e;

    if (memchr(pattern.ptr, '\0', pattern.len) || !wrapped ||
        regex_compile(a, str_of(wrapped), &r, &e) != ERR_OK)
        return;
    if (regex_match(r, text) != matched && !regex_failed(r))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    size_t len = zero ? (size_t)(zero - data) : size, words = 0;
    struct str pattern = str_make(data, len), out = {NULL, 0};
    struct str text = zero ? str_make(zero + 1, size - len - 1) : pattern;
    struct regex *r = NULL;
    struct arena a;
    struct err e;
    bool matched;

    arena_init(&a, "fuzz", 64 << 20);
    if (regex_compile(&a, pattern, &r, &e) == ERR_OK) {
        matched = regex_match(r, text);
        regex_words(r, &words);
        if (words > 0 && str_is_utf8(text))
            compare_library(&a, pattern, text, matched);
        if (regex_expand(r, &a, text, text, &matched, &out, &e) == ERR_OK && !matched &&
            out.len > 0)
            abort();
    } else if (e.text[0] == '\0') {
        abort();
    }
    arena_fini(&a);
    return 0;
}
