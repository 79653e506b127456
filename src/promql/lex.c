/* SPDX-License-Identifier: PostgreSQL */
/*
 * lex.c: the tokens of PromQL.
 *
 * Messages and their places are Prometheus's: a tool that shows them points at the same byte.
 */
#include "promql/lex.h"

#include <string.h>

#include "promql/literal.h"
#include "promql/parse.h"

#define WORD_MAX 16 /* longer than any keyword */

struct lex_word {
    const char *text;
    enum lex_kind kind;
    int detail;
};

static const struct lex_word lex_words[] = {
    {"and", LEX_OPERATOR, OP_AND},
    {"or", LEX_OPERATOR, OP_OR},
    {"unless", LEX_OPERATOR, OP_UNLESS},
    {"atan2", LEX_OPERATOR, OP_ATAN2},
    {"sum", LEX_AGGREGATE, AGG_SUM},
    {"avg", LEX_AGGREGATE, AGG_AVG},
    {"count", LEX_AGGREGATE, AGG_COUNT},
    {"min", LEX_AGGREGATE, AGG_MIN},
    {"max", LEX_AGGREGATE, AGG_MAX},
    {"group", LEX_AGGREGATE, AGG_GROUP},
    {"stddev", LEX_AGGREGATE, AGG_STDDEV},
    {"stdvar", LEX_AGGREGATE, AGG_STDVAR},
    {"topk", LEX_AGGREGATE, AGG_TOPK},
    {"bottomk", LEX_AGGREGATE, AGG_BOTTOMK},
    {"count_values", LEX_AGGREGATE, AGG_COUNT_VALUES},
    {"quantile", LEX_AGGREGATE, AGG_QUANTILE},
    {"limitk", LEX_AGGREGATE, AGG_LIMITK},
    {"limit_ratio", LEX_AGGREGATE, AGG_LIMIT_RATIO},
    {"offset", LEX_OFFSET, 0},
    {"by", LEX_BY, 0},
    {"without", LEX_WITHOUT, 0},
    {"on", LEX_ON, 0},
    {"ignoring", LEX_IGNORING, 0},
    {"group_left", LEX_GROUP_LEFT, 0},
    {"group_right", LEX_GROUP_RIGHT, 0},
    {"bool", LEX_BOOL, 0},
    {"start", LEX_START, 0},
    {"end", LEX_FINISH, 0},
    {"inf", LEX_NUMBER, 0},
    {"nan", LEX_NUMBER, 0},
};

void lex_init(struct lex *l, struct str text)
{
    memset(l, 0, sizeof(*l));
    l->text = text;
}

/* --- Characters --- */

static int lex_peek(const struct lex *l)
{
    return l->at < l->text.len ? (unsigned char)l->text.ptr[l->at] : -1;
}

static bool lex_is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool lex_is_alpha(int c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool lex_is_word(int c)
{
    return lex_is_alpha(c) || lex_is_digit(c);
}

static bool lex_is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool lex_in(int c, const char *set)
{
    return c > 0 && strchr(set, c) != NULL;
}

static bool lex_accept(struct lex *l, const char *set)
{
    if (!lex_in(lex_peek(l), set))
        return false;
    l->at++;
    return true;
}

static struct str lex_rest(const struct lex *l, size_t at)
{
    return str_make(l->text.ptr + at, l->text.len - at);
}

/* --- Tokens and errors --- */

static void lex_emit(struct lex *l, struct lex_token *out, enum lex_kind kind, int detail)
{
    *out = (struct lex_token){kind, detail, (uint32_t)l->start, (uint32_t)l->at,
                              str_make(l->text.ptr + l->start, l->at - l->start)};
}

/* Keeps what `b` says as the message. */
static void lex_error(struct lex *l, struct lex_token *out, struct buf *b)
{
    struct str text = buf_view(b);
    size_t len = text.len < sizeof(l->message) ? text.len : sizeof(l->message) - 1;

    memcpy(l->message, text.ptr ? text.ptr : "", len);
    l->message[len] = '\0';
    l->over = true;
    lex_emit(l, out, LEX_ERROR, 0);
    buf_fini(b);
}

static void lex_error_text(struct lex *l, struct lex_token *out, const char *text)
{
    struct buf b;

    buf_init(&b, ERR_TEXT_MAX * 4);
    buf_add_c(&b, text);
    lex_error(l, out, &b);
}

/* "<before>'c'<after>", c being the character at `at`. */
static void lex_error_char(struct lex *l, struct lex_token *out, const char *before, size_t at,
                           const char *after)
{
    struct buf b;

    buf_init(&b, ERR_TEXT_MAX * 4);
    buf_add_c(&b, before);
    promql_literal_quote_char(&b, lex_rest(l, at < l->text.len ? at : l->text.len));
    buf_add_c(&b, after);
    lex_error(l, out, &b);
}

static void lex_error_quoted(struct lex *l, struct lex_token *out, const char *before)
{
    struct buf b;

    buf_init(&b, ERR_TEXT_MAX * 4);
    buf_add_c(&b, before);
    promql_literal_quote(&b, str_make(l->text.ptr + l->start, l->at - l->start));
    lex_error(l, out, &b);
}

/* --- Numbers and durations --- */

/*
 * Digits with at most one point and one exponent, underscores between; whether they make a number
 * is seen when it is read. False also when a letter follows: it may be a duration then.
 */
static bool lex_scan_number(struct lex *l)
{
    const char *digits = "0123456789";
    bool point = false, exponent = false;

    if (lex_accept(l, "0") && lex_accept(l, "xX")) {
        lex_accept(l, "_");
        digits = "0123456789abcdefABCDEF";
    }
    while (lex_in(lex_peek(l), digits) || lex_in(lex_peek(l), "._eE")) {
        if (lex_peek(l) == '.') {
            l->at++;
            if (point || digits[10] || lex_accept(l, "_."))
                return false;
            point = true;
        } else if (!digits[10] && lex_in(lex_peek(l), "eE")) {
            l->at++;
            if (exponent)
                return false;
            exponent = true;
            lex_accept(l, "+-");
            if (lex_accept(l, "._eE") || lex_peek(l) < 0)
                return false;
        } else if (lex_peek(l) == '_') {
            l->at++;
            if (lex_accept(l, "._eE") || lex_peek(l) < 0)
                return false;
        } else {
            l->at++;
        }
    }
    return !lex_is_word(lex_peek(l));
}

/* The rest of a duration behind its first digits. */
static bool lex_scan_duration(struct lex *l)
{
    if (!lex_accept(l, "smhdwy"))
        return false;
    lex_accept(l, "s");
    while (lex_is_digit(lex_peek(l))) {
        while (lex_is_digit(lex_peek(l)))
            l->at++;
        if (!lex_accept(l, "smhdw"))
            return false;
        lex_accept(l, "s");
    }
    if (!lex_is_word(lex_peek(l)))
        return true;
    l->at++;
    return false;
}

static void lex_number(struct lex *l, struct lex_token *out)
{
    l->expect_range = false;
    if (lex_scan_number(l))
        lex_emit(l, out, LEX_NUMBER, 0);
    else if (lex_scan_duration(l))
        lex_emit(l, out, LEX_DURATION, 0);
    else
        lex_error_quoted(l, out, "bad number or duration syntax: ");
}

/* --- Strings --- */

static void lex_escape_error(struct lex *l, struct lex_token *out, const char *before,
                             const char *after)
{
    struct str rest = lex_rest(l, l->at);
    size_t len = str_utf8_len(rest);
    uint32_t code = 0xfffd;
    struct buf b;

    if (rest.len == 0) {
        lex_error_text(l, out, "escape sequence not terminated");
        return;
    }
    if (len == 1)
        code = (unsigned char)rest.ptr[0];
    else if (len > 1)
        code = (unsigned char)rest.ptr[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++)
        code = (code << 6) | ((unsigned char)rest.ptr[i] & 0x3fu);
    buf_init(&b, ERR_TEXT_MAX);
    buf_printf(&b, "%sU+%04X", before, code);
    if (code >= 0x20 && code != 0x7f) {
        buf_add_c(&b, " '");
        buf_add(&b, rest.ptr, len);
        buf_add_char(&b, '\'');
    }
    buf_add_c(&b, after);
    lex_error(l, out, &b);
}

static unsigned lex_digit_value(int c)
{
    if (lex_is_digit(c))
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a' + 10);
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A' + 10);
    return 16;
}

/* Behind a backslash; false with an error token. */
static bool lex_escape(struct lex *l, struct lex_token *out, char quote)
{
    int c = lex_peek(l), n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 3;
    uint32_t code = 0, base = 16, top = 0x10ffff;

    if (c == quote || lex_in(c, "abfnrtv\\")) {
        l->at++;
        return true;
    }
    if (c >= '0' && c <= '7') {
        base = 8;
    } else if (!lex_in(c, "xuU")) {
        lex_escape_error(l, out, "unknown escape sequence ", "");
        return false;
    } else {
        l->at++;
    }
    if (n < 4)
        top = 255;
    for (; n > 0; n--, l->at++) {
        if (lex_digit_value(lex_peek(l)) >= base) {
            lex_escape_error(l, out, "illegal character ", " in escape sequence");
            return false;
        }
        code = code * base + lex_digit_value(lex_peek(l));
    }
    if (code > top || (code >= 0xd800 && code < 0xe000)) {
        lex_error_text(l, out, "escape sequence is an invalid Unicode code point");
        return false;
    }
    return true;
}

static void lex_string(struct lex *l, struct lex_token *out, char quote)
{
    for (;;) {
        int c = lex_peek(l);
        size_t len = c < 0 ? 1 : str_utf8_len(lex_rest(l, l->at));

        if (c < 0 || (c == '\n' && quote != '`')) {
            lex_error_text(l, out,
                           quote == '`' ? "unterminated raw string" : "unterminated quoted string");
            return;
        }
        l->at += len ? len : 1;
        if (len == 0) {
            lex_error_text(l, out, "invalid UTF-8 rune");
            return;
        }
        if (c == quote)
            break;
        if (c == '\\' && quote != '`' && !lex_escape(l, out, quote))
            return;
    }
    lex_emit(l, out, LEX_STRING, 0);
}

/* --- Words --- */

static const struct lex_word *lex_find_word(struct str word)
{
    for (size_t i = 0; word.len < WORD_MAX && i < sizeof(lex_words) / sizeof(lex_words[0]); i++)
        if (str_eq_nocase(word, str_of(lex_words[i].text)))
            return &lex_words[i];
    return NULL;
}

static void lex_word(struct lex *l, struct lex_token *out)
{
    const struct lex_word *word;
    struct str text;

    while (lex_is_word(lex_peek(l)) || lex_peek(l) == ':')
        l->at++;
    text = str_make(l->text.ptr + l->start, l->at - l->start);
    word = lex_find_word(text);
    if (word)
        lex_emit(l, out, word->kind, word->detail);
    else
        lex_emit(l, out, memchr(text.ptr, ':', text.len) ? LEX_METRIC : LEX_IDENTIFIER, 0);
}

/* --- Where it stands --- */

/* Between braces: no keywords. */
static void lex_in_braces(struct lex *l, struct lex_token *out)
{
    int c = lex_peek(l);

    l->at++;
    if (lex_is_alpha(c)) {
        while (lex_is_word(lex_peek(l)))
            l->at++;
        lex_emit(l, out, LEX_IDENTIFIER, 0);
    } else if (c == ',') {
        lex_emit(l, out, LEX_COMMA, 0);
    } else if (lex_in(c, "\"'`")) {
        lex_string(l, out, (char)c);
    } else if (c == '=') {
        bool regex = lex_accept(l, "~");
        lex_emit(l, out, regex ? LEX_EQUAL_REGEX : LEX_EQUAL, 0);
    } else if (c == '!') {
        if (lex_accept(l, "~"))
            lex_emit(l, out, LEX_NOT_EQUAL_REGEX, 0);
        else if (lex_accept(l, "="))
            lex_emit(l, out, LEX_OPERATOR, OP_NE);
        else
            lex_error_char(l, out, "unexpected character after '!' inside braces: ", l->at, "");
    } else if (c == '}') {
        l->brace = false;
        lex_emit(l, out, LEX_RIGHT_BRACE, 0);
    } else if (c == '{') {
        lex_error_char(l, out, "unexpected left brace ", l->at - 1, "");
    } else {
        lex_error_char(l, out, "unexpected character inside braces: ", l->at - 1, "");
    }
}

static void lex_colon(struct lex *l, struct lex_token *out)
{
    if (l->expect_range && (!l->range || l->colon)) {
        l->start = l->at; /* as Prometheus: behind the colon */
        lex_error_text(l, out,
                       l->range ? "unexpected repeated colon in duration expression"
                                : "unexpected colon before duration in duration expression");
        return;
    }
    if (l->colon) {
        lex_error_char(l, out, "unexpected colon ", l->at - 1, "");
        return;
    }
    l->colon = true;
    lex_emit(l, out, LEX_COLON, 0);
}

static void lex_left_bracket(struct lex *l, struct lex_token *out)
{
    if (l->bracket) {
        lex_error_char(l, out, "unexpected left bracket ", l->at - 1, "");
        return;
    }
    l->bracket = l->expect_range = true;
    l->colon = false;
    lex_emit(l, out, LEX_LEFT_BRACKET, 0);
}

static void lex_right_bracket(struct lex *l, struct lex_token *out)
{
    if (!l->bracket) {
        lex_error_char(l, out, "unexpected right bracket ", l->at - 1, "");
        return;
    }
    l->bracket = l->expect_range = false;
    lex_emit(l, out, LEX_RIGHT_BRACKET, 0);
}

static void lex_right_paren(struct lex *l, struct lex_token *out)
{
    if (--l->parens >= 0) {
        lex_emit(l, out, LEX_RIGHT_PAREN, 0);
        return;
    }
    l->start = l->at; /* as Prometheus: behind it */
    lex_error_char(l, out, "unexpected right parenthesis ", l->at - 1, "");
}

static void lex_sign(struct lex *l, struct lex_token *out, int c)
{
    static const char signs[] = "+-*/%^";
    static const enum expr_op ops[] = {OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MOD, OP_POW};

    lex_emit(l, out, LEX_OPERATOR, (int)ops[strchr(signs, c) - signs]);
}

static void lex_compare(struct lex *l, struct lex_token *out, int c)
{
    if (c == '=' && lex_peek(l) == '~')
        lex_error_char(l, out, "unexpected character after '=': ", l->at, "");
    else if (c == '=' && !lex_accept(l, "="))
        lex_emit(l, out, LEX_EQUAL, 0);
    else if (c == '=')
        lex_emit(l, out, LEX_OPERATOR, OP_EQ);
    else if (c == '!' && !lex_accept(l, "="))
        lex_error_char(l, out, "unexpected character after '!': ", l->at, "");
    else if (c == '!')
        lex_emit(l, out, LEX_OPERATOR, OP_NE);
    else if (lex_accept(l, "="))
        lex_emit(l, out, LEX_OPERATOR, c == '<' ? OP_LE : OP_GE);
    else
        lex_emit(l, out, LEX_OPERATOR, c == '<' ? OP_LT : OP_GT);
}

/* Brackets, parentheses and what else is one sign. */
static void lex_mark(struct lex *l, struct lex_token *out, int c)
{
    if (c == '(') {
        l->parens++;
        lex_emit(l, out, LEX_LEFT_PAREN, 0);
    } else if (c == ')') {
        lex_right_paren(l, out);
    } else if (c == '{') {
        l->brace = true;
        lex_emit(l, out, LEX_LEFT_BRACE, 0);
    } else if (c == '[') {
        lex_left_bracket(l, out);
    } else if (c == ']') {
        lex_right_bracket(l, out);
    } else if (c == ',') {
        lex_emit(l, out, LEX_COMMA, 0);
    } else if (c == '@') {
        lex_emit(l, out, LEX_AT, 0);
    } else {
        lex_error_char(l, out, "unexpected character: ", l->at - 1, "");
    }
}

static void lex_outside(struct lex *l, struct lex_token *out)
{
    int c = lex_peek(l);

    l->at++;
    if (lex_is_digit(c) || (c == '.' && lex_is_digit(lex_peek(l)))) {
        l->range = l->range || l->bracket;
        l->at--;
        lex_number(l, out);
    } else if (l->bracket && c == ':') {
        lex_colon(l, out);
    } else if (l->expect_range && !lex_in(c, "()+-*/%^,]")) {
        lex_error_char(l, out, "unexpected character in duration expression: ", l->at - 1, "");
    } else if (lex_in(c, "+-*/%^")) {
        lex_sign(l, out, c);
    } else if (lex_in(c, "=!<>")) {
        lex_compare(l, out, c);
    } else if (lex_in(c, "\"'`")) {
        lex_string(l, out, (char)c);
    } else if (l->bracket && lex_is_alpha(c)) {
        lex_error_char(l, out, "unexpected character: ", l->at - 1, ", expected ':'");
    } else if (lex_is_alpha(c) || c == ':') {
        lex_word(l, out);
    } else {
        lex_mark(l, out, c);
    }
}

static void lex_at_end(struct lex *l, struct lex_token *out)
{
    if (l->over)
        lex_emit(l, out, LEX_END, 0);
    else if (l->brace)
        lex_error_text(l, out, "unexpected end of input inside braces");
    else if (l->expect_range)
        lex_error_text(l, out, "unexpected end of input in duration expression");
    else if (l->parens > 0)
        lex_error_text(l, out, "unclosed left parenthesis");
    else if (l->bracket)
        lex_error_text(l, out, "unclosed left bracket");
    else
        lex_emit(l, out, LEX_END, 0);
}

static void lex_skip(struct lex *l)
{
    while (l->at < l->text.len) {
        int c = lex_peek(l);

        if (c == '#' && !l->expect_range)
            while (l->at < l->text.len && !lex_in(lex_peek(l), "\r\n"))
                l->at++;
        else if (lex_is_space(c))
            l->at++;
        else
            break;
    }
}

void lex_next(struct lex *l, struct lex_token *out)
{
    if (!l->over)
        lex_skip(l);
    else
        l->at = l->text.len;
    l->start = l->at;
    if (l->at >= l->text.len)
        lex_at_end(l, out);
    else if (l->brace)
        lex_in_braces(l, out);
    else
        lex_outside(l, out);
}

/* --- As messages name them --- */

static const char *lex_kind_text(enum lex_kind kind)
{
    switch (kind) {
    case LEX_IDENTIFIER:
        return "identifier ";
    case LEX_METRIC:
        return "metric identifier ";
    case LEX_STRING:
        return "string ";
    case LEX_NUMBER:
        return "number ";
    case LEX_DURATION:
        return "duration ";
    case LEX_OPERATOR:
    case LEX_AT:
    case LEX_EQUAL_REGEX:
    case LEX_NOT_EQUAL_REGEX:
        return "op:";
    case LEX_AGGREGATE:
        return "aggr:";
    case LEX_BOOL:
    case LEX_BY:
    case LEX_GROUP_LEFT:
    case LEX_GROUP_RIGHT:
    case LEX_IGNORING:
    case LEX_OFFSET:
    case LEX_ON:
    case LEX_WITHOUT:
        return "<";
    case LEX_ERROR:
    case LEX_END:
    case LEX_LEFT_BRACE:
    case LEX_RIGHT_BRACE:
    case LEX_LEFT_BRACKET:
    case LEX_RIGHT_BRACKET:
    case LEX_LEFT_PAREN:
    case LEX_RIGHT_PAREN:
    case LEX_COMMA:
    case LEX_COLON:
    case LEX_EQUAL:
    case LEX_START:
    case LEX_FINISH:
        break;
    }
    return "";
}

void lex_describe(const struct lex_token *t, struct buf *out)
{
    const char *kind = lex_kind_text(t->kind);
    size_t len = 0;

    if (t->kind == LEX_END) {
        buf_add_c(out, "end of input");
        return;
    }
    if (kind[0] == '<' || strchr(kind, ':')) {
        buf_printf(out, "<%s%.*s>", kind[0] == '<' ? "" : kind, STR_ARG(t->text));
        return;
    }
    buf_add_c(out, kind);
    if (t->kind == LEX_IDENTIFIER || t->kind == LEX_METRIC || t->text.len <= 10) {
        promql_literal_quote(out, t->text);
        return;
    }
    for (int i = 0; i < 10 && len < t->text.len; i++)
        len += str_utf8_len(str_make(t->text.ptr + len, t->text.len - len));
    promql_literal_quote(out, str_make(t->text.ptr, len));
    buf_add_c(out, "...");
}
