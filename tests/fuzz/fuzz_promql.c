/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_promql.c: any bytes as a query; what parses prints, and its print prints the same again.
 *
 * An error names a place; nodes lie inside the text and inside their parent.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "promql/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(struct arena *a, struct str text, struct buf *out)
{
    static const struct promql_options options = {.experimental = true};
    struct expr *x = NULL;
    struct err e;
    enum err_code rc = promql_parse(a, text, &options, &x, &e);

    if (rc == ERR_INVALID && !strstr(e.text, ": parse error: "))
        abort();
    if (rc != ERR_OK)
        return;
    if (x->start >= x->end || x->end > text.len || x->height == 0 ||
        x->height > LIMIT_QUERY_DEPTH || x->type == PROMQL_NONE)
        abort();
    promql_print(x, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct buf once, twice;
    struct matcher *matchers = NULL;
    size_t count = 0;
    struct err e;

    arena_init(&a, "fuzz", 16 << 20);
    buf_init(&once, 1 << 20);
    buf_init(&twice, 1 << 20);
    print(&a, str_make(data, size), &once);
    /* A print may be longer than a query may be. */
    if (once.len > 0 && once.len <= LIMIT_QUERY_BYTES) {
        print(&a, buf_view(&once), &twice);
        if (!str_eq(buf_view(&once), buf_view(&twice)))
            abort();
    }
    if (promql_parse_selector(&a, str_make(data, size), &matchers, &count, &e) == ERR_OK)
        (void)matcher_match(&matchers[0], STR("a"));
    buf_fini(&twice);
    buf_fini(&once);
    arena_fini(&a);
    return 0;
}
