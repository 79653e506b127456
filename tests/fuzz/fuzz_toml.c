/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_toml.c: any bytes; an error names a line, a tree is consistent. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct toml *node, int depth)
{
    unsigned count = 0;

    if (depth > 160 || node->line == 0 || node->column == 0)
        abort();
    if (node->type == TOML_STRING && !str_is_utf8(node->string))
        abort();
    for (const struct toml *at = node->first; at; at = at->next) {
        check(at, depth + 1);
        count++;
    }
    if (count != node->count)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct toml *root = NULL;
    struct arena arena;
    struct err e;
    enum err_code rc;

    arena_init(&arena, "fuzz", 1 << 20);
    rc = toml_parse(&arena, str_make(data, size), &root, &e);
    if (rc == ERR_OK)
        check(root, 0);
    else if (rc == ERR_INVALID && strncmp(e.text, "line ", 5) != 0)
        abort();
    arena_fini(&arena);
    return 0;
}
