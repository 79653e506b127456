/* SPDX-License-Identifier: PostgreSQL */
/*
 * redact.c: one pass over a statement.
 */
#include "probe/redact.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define HIDDEN     "'***'"
#define HIDDEN_LEN (sizeof(HIDDEN) - 1)

struct scan {
    struct str in;
    size_t at;
    char *out; /* room for HIDDEN per two bytes of input */
    size_t len;
    bool bodies; /* dollar quotes hold code: its constants go, not the whole */
};

static char peek(const struct scan *s, size_t ahead)
{
    return s->at + ahead < s->in.len ? s->in.ptr[s->at + ahead] : '\0';
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static void copy(struct scan *s, size_t n)
{
    n = n < s->in.len - s->at ? n : s->in.len - s->at;
    memcpy(s->out + s->len, s->in.ptr + s->at, n);
    s->len += n;
    s->at += n;
}

static void hide(struct scan *s, size_t n)
{
    memcpy(s->out + s->len, HIDDEN, HIDDEN_LEN);
    s->len += HIDDEN_LEN;
    s->at += n < s->in.len - s->at ? n : s->in.len - s->at;
}

/* Bytes from an opening quote to behind its closing one; a doubled one is inside. */
static size_t quoted(const struct scan *s, char quote, bool escapes)
{
    size_t n = 1;

    while (s->at + n < s->in.len) {
        if (escapes && peek(s, n) == '\\') {
            n += 2;
        } else if (peek(s, n) != quote) {
            n++;
        } else if (peek(s, n + 1) == quote) {
            n += 2;
        } else {
            return n + 1;
        }
    }
    return n;
}

/* Length of $tag$ here; 0 = there is none ($1 is a parameter). */
static size_t dollar_tag(const struct scan *s)
{
    size_t n = 1;

    if (isdigit((unsigned char)peek(s, 1))) {
        return 0;
    }
    while (is_name(peek(s, n))) {
        n++;
    }
    return peek(s, n) == '$' ? n + 1 : 0;
}

/* Bytes from the opening tag to behind the closing one, or to the end. */
static size_t dollar_quoted(const struct scan *s, size_t tag)
{
    const char *open = s->in.ptr + s->at;

    for (size_t n = tag; s->at + n + tag <= s->in.len; n++) {
        if (memcmp(open + n, open, tag) == 0) {
            return n + tag;
        }
    }
    return s->in.len - s->at;
}

static size_t comment(const struct scan *s)
{
    size_t n = 2;
    int depth = 1;

    if (peek(s, 0) == '-') {
        while (s->at + n < s->in.len && peek(s, n) != '\n') {
            n++;
        }
        return n;
    }
    while (s->at + n < s->in.len && depth > 0) {
        bool opens = peek(s, n) == '/' && peek(s, n + 1) == '*';
        bool closes = peek(s, n) == '*' && peek(s, n + 1) == '/';
        depth += opens ? 1 : closes ? -1 : 0;
        n += opens || closes ? 2 : 1;
    }
    return n;
}

static bool is_comment(const struct scan *s)
{
    return (peek(s, 0) == '-' && peek(s, 1) == '-') || (peek(s, 0) == '/' && peek(s, 1) == '*');
}

/* A name, or the letter before a constant: only after E'' does a backslash hide a quote. */
static void take_name(struct scan *s)
{
    size_t n = 0;

    while (is_name(peek(s, n)) || (n && peek(s, n) == '$')) {
        n++;
    }
    bool escapes = n == 1 && (peek(s, 0) | 0x20) == 'e' && peek(s, 1) == '\'';
    copy(s, n);
    if (escapes) {
        hide(s, quoted(s, '\'', true));
    }
}

static void take_dollar(struct scan *s)
{
    size_t tag = dollar_tag(s);

    if (tag == 0 || s->bodies) {
        copy(s, tag ? tag : 1); /* of a body: its text is read as code, its end is a tag again */
    } else {
        hide(s, dollar_quoted(s, tag));
    }
}

static void take(struct scan *s)
{
    char c = peek(s, 0);

    if (is_comment(s)) {
        copy(s, comment(s));
    } else if (c == '\'') {
        hide(s, quoted(s, '\'', false));
    } else if (c == '"') {
        copy(s, quoted(s, '"', false));
    } else if (c == '$') {
        take_dollar(s);
    } else if (is_name(c)) {
        take_name(s);
    } else {
        copy(s, 1);
    }
}

/* The next word at *at, in `word`, in lower case; what stands before it is skipped. */
static void next_word(struct str sql, size_t *at, char word[16])
{
    size_t n = 0;

    while (*at < sql.len && !is_name(sql.ptr[*at])) {
        (*at)++;
    }
    for (; *at < sql.len && is_name(sql.ptr[*at]); (*at)++) {
        if (n < 15) {
            word[n++] = (char)tolower((unsigned char)sql.ptr[*at]);
        }
    }
    word[n] = '\0';
}

/* DO, CREATE [OR REPLACE] FUNCTION or PROCEDURE. */
static bool has_body(struct str sql)
{
    char word[16];
    size_t at = 0;

    next_word(sql, &at, word);
    if (strcmp(word, "do") == 0) {
        return true;
    }
    if (strcmp(word, "create") != 0) {
        return false;
    }
    next_word(sql, &at, word);
    if (strcmp(word, "or") == 0) {
        next_word(sql, &at, word);
        next_word(sql, &at, word);
    }
    return strcmp(word, "function") == 0 || strcmp(word, "procedure") == 0;
}

struct str redact_literals(struct arena *a, struct str sql)
{
    struct scan s = {.in = sql, .bodies = has_body(sql)};

    if (!sql.len || (!memchr(sql.ptr, '\'', sql.len) && !memchr(sql.ptr, '$', sql.len))) {
        return sql;
    }
    s.out = arena_alloc(a, sql.len * HIDDEN_LEN + HIDDEN_LEN); /* a lone quote becomes HIDDEN */
    if (!s.out) {
        return (struct str){NULL, 0};
    }
    while (s.at < sql.len) {
        take(&s);
    }
    return str_make(s.out, s.len);
}
