/* SPDX-License-Identifier: PostgreSQL */
/* regex_part.h: what the two files of regex.h share. */
#ifndef BASE_REGEX_PART_H
#define BASE_REGEX_PART_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/*
 * Writes the pattern as PCRE2 means the same, without anything that RE2 lacks.
 * Errors: ERR_INVALID, worded as Go's library does: "missing closing ): `a(b`".
 */
enum err_code regex_translate(struct str pattern, struct buf *out, struct err *e) ERR_MUST_CHECK;

/*
 * When the pattern is words joined by bars, maybe in one pair of parentheses or between ^ and $:
 * counts them, and `visit` gets each without its escapes, valid during the call; else 0.
 */
size_t regex_plain_words(struct str pattern, void (*visit)(void *arg, struct str word), void *arg);

#endif
