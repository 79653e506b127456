/* SPDX-License-Identifier: PostgreSQL */
/*
 * lex.h: the text of a query to tokens, one at a time.
 *
 * What a word or a sign is depends on where it stands (inside braces nothing is a keyword, inside
 * brackets a colon is a sign), so the lexer keeps what is open. A token is a view of the text.
 * Errors: a token LEX_ERROR; the message is in the lexer. After it there is nothing more.
 */
#ifndef PROMQL_LEX_H
#define PROMQL_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum lex_kind {
    LEX_ERROR,
    LEX_END,
    LEX_IDENTIFIER,
    LEX_METRIC, /* a word with a colon */
    LEX_STRING, /* with its quotes */
    LEX_NUMBER,
    LEX_DURATION,
    LEX_LEFT_BRACE,
    LEX_RIGHT_BRACE,
    LEX_LEFT_BRACKET,
    LEX_RIGHT_BRACKET,
    LEX_LEFT_PAREN,
    LEX_RIGHT_PAREN,
    LEX_COMMA,
    LEX_COLON,
    LEX_EQUAL,
    LEX_EQUAL_REGEX,
    LEX_NOT_EQUAL_REGEX,
    LEX_AT,
    LEX_OPERATOR,  /* detail: enum expr_op */
    LEX_AGGREGATE, /* detail: enum expr_aggregate */
    LEX_BOOL,
    LEX_BY,
    LEX_GROUP_LEFT,
    LEX_GROUP_RIGHT,
    LEX_IGNORING,
    LEX_OFFSET,
    LEX_ON,
    LEX_WITHOUT,
    LEX_START,
    LEX_FINISH, /* end: the word */
};

struct lex_token {
    enum lex_kind kind;
    int detail;
    uint32_t start, end; /* bytes of the text */
    struct str text;
};

struct lex {
    struct str text;
    size_t at, start; /* next byte; first byte of the token being read */
    int parens;
    bool brace, bracket; /* open */
    bool colon;          /* seen in these brackets */
    bool range;          /* seen in any brackets: a colon may follow */
    bool expect_range;   /* right behind a left bracket, or a sign there */
    bool over;
    char message[ERR_TEXT_MAX];
};

void lex_init(struct lex *l, struct str text);
void lex_next(struct lex *l, struct lex_token *out);
/* As error texts name a token: `identifier "foo"`, `<op:==>`, `end of input`. */
void lex_describe(const struct lex_token *t, struct buf *out);

#endif
