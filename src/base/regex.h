/* SPDX-License-Identifier: PostgreSQL */
/*
 * regex.h: regular expressions from outside, matched in bounded time.
 *
 * The syntax is RE2's as far as PCRE2 has it: what RE2 does not have (backreferences, look-around,
 * possessive and atomic groups, recursion, callouts) is refused with a reason. UTF-8; dot matches a
 * newline; the whole text must match. A match that takes more than a bound of steps or memory is
 * an error, never a hang.
 * Owner: a regex lives in its arena, with everything that the library allocates for it.
 * Threads: one thread at a time.
 */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct regex;

/* ERR_INVALID: what is wrong, at which byte. ERR_LIMIT: over LIMIT_REGEX_BYTES, or too complex. */
enum err_code regex_compile(struct arena *a, struct str pattern, struct regex **out,
                            struct err *e) ERR_MUST_CHECK;
/* Whether the whole text matches. A pattern that is a plain word, or an alternation of plain
 * words, is compared without the library. Over the bound: false, and regex_failed(). */
bool regex_match(struct regex *r, struct str text);
/* A match was given up for its cost since the regex was compiled. */
bool regex_failed(const struct regex *r);
/* label_replace: `template` with $1, ${1}, $name, ${name}, $$ from a match of the whole text; false
 * without a match. The result lives in `a`. ERR_LIMIT. */
enum err_code regex_expand(struct regex *r, struct arena *a, struct str text, struct str template,
                           bool *matched, struct str *out, struct err *e) ERR_MUST_CHECK;
/* When the pattern is a plain word or an alternation of plain words: the words, sorted; else count
 * 0. */
const struct str *regex_words(const struct regex *r, size_t *count);

#endif
