/* SPDX-License-Identifier: PostgreSQL */
/*
 * regex.c: regular expressions over PCRE2, bounded.
 *
 * PCRE2 backtracks, RE2 does not: a pattern that would take more steps than REGEX_STEPS gives up,
 * and so does every later match of it, for the query fails anyway.
 * Memory is the arena's; what the library gives back stays until the arena goes.
 */
#include "base/regex.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/regex_part.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define REGEX_STEPS      5000000 /* about a tenth of a second */
#define REGEX_HEAP_KIB   8192
#define REGEX_EXPAND_MAX LIMIT_TEXT_BYTES

struct regex {
    struct arena *arena;
    struct str pattern;
    bool failed;
    size_t word_count;
    struct str *words;
    pcre2_code *code; /* NULL: words, not needed yet */
    pcre2_match_data *data;
    pcre2_match_context *match;
};

/* --- Compiling --- */

static void *take_memory(size_t size, void *arena)
{
    return arena_alloc(arena, size);
}

static void keep_memory(void *memory, void *arena)
{
    (void)memory;
    (void)arena;
}

static enum err_code compile_error(struct str pattern, int code, size_t at, struct err *e)
{
    char text[128] = "";

    pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof(text));
    if (code == PCRE2_ERROR_PATTERN_TOO_LARGE || code == PCRE2_ERROR_PARENTHESES_NEST_TOO_DEEP ||
        code == PCRE2_ERROR_HEAP_FAILED)
        return err_set(e, ERR_LIMIT, "regular expression: %s", text);
    return err_set(e, ERR_INVALID, "error parsing regexp: %s at byte %zu: `%.*s`", text, at,
                   pattern.len > 80 ? 80 : (int)pattern.len, pattern.ptr ? pattern.ptr : "");
}

static enum err_code compile_code(struct regex *r, struct str text, struct err *e)
{
    pcre2_general_context *memory = pcre2_general_context_create(take_memory, keep_memory,
                                                                 r->arena);
    pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
    const uint32_t options = PCRE2_UTF | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UCP |
                             PCRE2_NEVER_BACKSLASH_C | PCRE2_ANCHORED | PCRE2_ENDANCHORED |
                             PCRE2_MATCH_INVALID_UTF;
    int code = 0;
    size_t at = 0;

    if (!context)
        return arena_fail(r->arena, e);
    r->code = pcre2_compile((PCRE2_SPTR)(text.ptr ? text.ptr : ""), text.len, options, &code, &at,
                            context);
    if (!r->code)
        return compile_error(r->pattern, code, at, e);
    r->data = pcre2_match_data_create_from_pattern(r->code, memory);
    r->match = pcre2_match_context_create(memory);
    if (!r->data || !r->match)
        return arena_fail(r->arena, e);
    pcre2_set_match_limit(r->match, REGEX_STEPS);
    pcre2_set_heap_limit(r->match, REGEX_HEAP_KIB);
    return ERR_OK;
}

static enum err_code compile(struct regex *r, struct err *e)
{
    struct buf text;
    enum err_code rc;

    if (r->pattern.len > LIMIT_REGEX_BYTES)
        return err_set(e, ERR_LIMIT, "a regular expression is longer than %d bytes",
                       LIMIT_REGEX_BYTES);
    buf_init(&text, (size_t)LIMIT_REGEX_BYTES * 16);
    rc = regex_translate(r->pattern, &text, e);
    if (rc == ERR_OK)
        rc = compile_code(r, buf_view(&text), e);
    buf_fini(&text);
    return rc;
}

static int compare_words(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

struct word_list {
    struct regex *regex;
    bool full;
};

static void add_word(void *arg, struct str word)
{
    struct word_list *list = arg;
    struct regex *r = list->regex;
    size_t n = r->word_count;

    if (n == 0 || (n & (n - 1)) == 0) {
        struct str *more = arena_array(r->arena, n ? 2 * n : 1, sizeof(*more));

        if (more && n)
            memcpy(more, r->words, n * sizeof(*more));
        r->words = more;
    }
    if (!r->words) {
        list->full = true;
        r->word_count = 0;
        return;
    }
    r->words[r->word_count++] = arena_str(r->arena, word);
}

enum err_code regex_compile(struct arena *a, struct str pattern, struct regex **out, struct err *e)
{
    struct regex *r = arena_alloc(a, sizeof(*r));
    struct word_list list = {r, false};
    enum err_code rc;

    if (!r)
        return arena_fail(a, e);
    memset(r, 0, sizeof(*r));
    r->arena = a;
    r->pattern = arena_str(a, pattern);
    if (regex_plain_words(r->pattern, add_word, &list) == 0) {
        rc = compile(r, e);
        if (rc != ERR_OK)
            return rc;
    }
    if (r->word_count > 0)
        qsort(r->words, r->word_count, sizeof(*r->words), compare_words);
    rc = arena_check(a, e);
    if (rc == ERR_OK)
        *out = r;
    return rc;
}

/* --- Matching --- */

/* Matches the whole text; false also when it is too costly. */
static bool match(struct regex *r, struct str text)
{
    int rc;

    if (r->failed)
        return false;
    rc = pcre2_match(r->code, (PCRE2_SPTR)(text.ptr ? text.ptr : ""), text.len, 0, 0, r->data,
                     r->match);
    if (rc >= 0)
        return true;
    r->failed = rc != PCRE2_ERROR_NOMATCH;
    return false;
}

bool regex_match(struct regex *r, struct str text)
{
    if (r->code)
        return match(r, text);
    return bsearch(&text, r->words, r->word_count, sizeof(text), compare_words) != NULL;
}

bool regex_failed(const struct regex *r)
{
    return r->failed;
}

const struct str *regex_words(const struct regex *r, size_t *count)
{
    *count = r->word_count;
    return r->words;
}

/* --- Expanding --- */

static bool is_name(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* The number of a group by name or number; -1 = none. */
static long group_of(const struct regex *r, struct str name)
{
    char text[PCRE2_CODE_UNIT_WIDTH * 17];
    long number = 0;
    size_t i = 0;

    for (; i < name.len && name.ptr[i] >= '0' && name.ptr[i] <= '9' && number < 1000000; i++)
        number = number * 10 + (name.ptr[i] - '0');
    if (i == name.len)
        return number;
    if (name.len >= sizeof(text))
        return -1;
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    number = pcre2_substring_number_from_name(r->code, (PCRE2_SPTR)text);
    return number > 0 ? number : -1;
}

static void put_group(const struct regex *r, struct str text, struct str name, struct buf *out)
{
    const size_t *pairs = pcre2_get_ovector_pointer(r->data);
    long group = group_of(r, name);

    if (group < 0 || group >= (long)pcre2_get_ovector_count(r->data) ||
        pairs[2 * group] == PCRE2_UNSET || pairs[2 * group + 1] == pairs[2 * group])
        return; /* an empty text may have no place to point to */
    buf_add(out, text.ptr + pairs[2 * group], pairs[2 * group + 1] - pairs[2 * group]);
}

/* The name behind a dollar at `*at`, which moves behind it; empty: the dollar stands for itself. */
static struct str take_name(struct str template, size_t *at)
{
    bool braces = *at < template.len && template.ptr[*at] == '{';
    size_t from = *at + (braces ? 1 : 0), to = from;

    while (to < template.len && is_name(template.ptr[to]))
        to++;
    if (to == from || (braces && (to >= template.len || template.ptr[to] != '}')))
        return (struct str){NULL, 0};
    *at = to + (braces ? 1 : 0);
    return str_make(template.ptr + from, to - from);
}

static void expand(const struct regex *r, struct str text, struct str template, struct buf *out)
{
    for (size_t i = 0; i < template.len;) {
        struct str name;

        if (template.ptr[i] != '$') {
            buf_add_char(out, template.ptr[i++]);
            continue;
        }
        i++;
        if (i < template.len && template.ptr[i] == '$') {
            buf_add_char(out, '$');
            i++;
            continue;
        }
        name = take_name(template, &i);
        if (name.len > 0)
            put_group(r, text, name, out);
        else
            buf_add_char(out, '$');
    }
}

enum err_code regex_expand(struct regex *r, struct arena *a, struct str text, struct str template,
                           bool *matched, struct str *out, struct err *e)
{
    struct buf b;
    enum err_code rc = r->code ? ERR_OK : compile(r, e);

    if (rc != ERR_OK)
        return rc;
    *matched = match(r, text);
    if (r->failed)
        return err_set(e, ERR_LIMIT, "a regular expression took too many steps: `%.*s`",
                       r->pattern.len > 80 ? 80 : (int)r->pattern.len, r->pattern.ptr);
    if (!*matched)
        return ERR_OK;
    buf_init(&b, REGEX_EXPAND_MAX);
    expand(r, text, template, &b);
    rc = buf_check(&b, e);
    if (rc == ERR_OK) {
        *out = arena_str(a, buf_view(&b));
        rc = arena_check(a, e);
    }
    buf_fini(&b);
    return rc;
}
