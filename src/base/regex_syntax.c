/* SPDX-License-Identifier: PostgreSQL */
/*
 * regex_syntax.c: RE2's syntax, checked and written down as PCRE2 means it.
 *
 * PCRE2 knows much that RE2 does not, and some signs mean something else there (\v, {,3}). One
 * pass over the pattern lets through what RE2 has, and nothing else; the structure of what is left
 * (parentheses, ranges, names) is checked by PCRE2 itself.
 */
#include <stdbool.h>
#include <string.h>

#include "base/limits.h"
#include "base/regex_part.h"

#define REPEAT_MAX 1000 /* as RE2 */
#define SHOWN      60   /* bytes of the pattern that a message repeats */

struct scan {
    struct str pattern;
    size_t at;
    struct buf *out;
    bool item;     /* something that can be repeated is in front */
    bool repeated; /* a repetition is in front */
    struct err *e;
};

static enum err_code refuse(struct scan *s, const char *what, size_t from, size_t to)
{
    struct str part = str_make(s->pattern.ptr + from, to - from);

    if (part.len > SHOWN)
        part.len = SHOWN;
    return err_set(s->e, ERR_INVALID, "error parsing regexp: %s: `%.*s`", what, STR_ARG(part));
}

static char peek(const struct scan *s, size_t ahead)
{
    return s->at + ahead < s->pattern.len ? s->pattern.ptr[s->at + ahead] : '\0';
}

static bool left(const struct scan *s)
{
    return s->at < s->pattern.len;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool is_alnum(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_meta(char c)
{
    return c != '\0' && strchr("\\^$.|?*+()[]{}-", c) != NULL;
}

static void put_literal(struct scan *s, char c)
{
    if (is_meta(c))
        buf_add_char(s->out, '\\');
    buf_add_char(s->out, c);
}

/* --- Escapes --- */

static enum err_code escape_hex(struct scan *s, size_t from)
{
    size_t to = s->at;

    if (peek(s, 0) == '{') {
        for (to++; to < s->pattern.len && is_hex(s->pattern.ptr[to]); to++)
            continue;
        if (to >= s->pattern.len || s->pattern.ptr[to] != '}' || to == s->at + 1 || to > s->at + 7)
            return refuse(s, "invalid escape sequence", from, to);
        to++;
    } else {
        if (!is_hex(peek(s, 0)) || !is_hex(peek(s, 1)))
            return refuse(s, "invalid escape sequence", from, to);
        to += 2;
    }
    buf_add(s->out, s->pattern.ptr + from, to - from);
    s->at = to;
    return ERR_OK;
}

static enum err_code escape_octal(struct scan *s, size_t from)
{
    unsigned value = 0;

    for (int i = 0; i < 3 && peek(s, 0) >= '0' && peek(s, 0) <= '7'; i++)
        value = value * 8 + (unsigned)(s->pattern.ptr[s->at++] - '0');
    if (s->at - from < 3 && s->pattern.ptr[from + 1] != '0')
        return refuse(s, "invalid escape sequence", from, s->at);
    buf_printf(s->out, "\\x{%x}", value);
    return ERR_OK;
}

/* \pL or \p{Name} */
static enum err_code escape_property(struct scan *s, size_t from)
{
    const char *close = NULL;
    size_t to = s->at + 1;

    if (peek(s, 0) == '{') {
        close = memchr(s->pattern.ptr + s->at, '}', s->pattern.len - s->at);
        to = close ? (size_t)(close - s->pattern.ptr) + 1 : 0;
    }
    if (to == 0 || !left(s))
        return refuse(s, "invalid character class range", from, s->pattern.len);
    buf_add(s->out, s->pattern.ptr + from, to - from);
    s->at = to;
    return ERR_OK;
}

/* \Q...\E: each character for itself. Not between brackets. */
static void escape_quote(struct scan *s)
{
    while (left(s)) {
        if (peek(s, 0) == '\\' && peek(s, 1) == 'E') {
            s->at += 2;
            return;
        }
        put_literal(s, s->pattern.ptr[s->at++]);
    }
}

/* Behind a backslash. `inside` = between brackets. */
static enum err_code scan_escape(struct scan *s, bool inside)
{
    size_t from = s->at++;
    char c = peek(s, 0);

    if (!left(s))
        return refuse(s, "trailing backslash at end of expression", from, from);
    if (c >= '0' && c <= '7')
        return escape_octal(s, from);
    s->at++;
    if (c == 'x')
        return escape_hex(s, from);
    if (c == 'p' || c == 'P')
        return escape_property(s, from);
    if (c == 'Q' && !inside)
        escape_quote(s);
    else if (c == 'v')
        buf_add_c(s->out, "\\x0b");
    else if (c == 's') /* RE2 and PCRE2 differ by the vertical tab */
        buf_add_c(s->out, inside ? "\\t\\n\\f\\r\\x20" : "[\\t\\n\\f\\r\\x20]");
    else if (c == 'S' && !inside)
        buf_add_c(s->out, "[^\\t\\n\\f\\r\\x20]");
    else if (strchr(inside ? "afnrtdDSwW" : "afnrtdDwWAbBz", c))
        buf_printf(s->out, "\\%c", c);
    else if (!is_alnum(c) && (unsigned char)c < 0x80)
        put_literal(s, c);
    else
        return refuse(s, "invalid escape sequence", from, s->at);
    return ERR_OK;
}

/* --- Classes --- */

static enum err_code scan_posix(struct scan *s)
{
    static const char *const names[] = {"alnum", "alpha", "ascii", "blank", "cntrl",
                                        "digit", "graph", "lower", "print", "punct",
                                        "space", "upper", "word",  "xdigit"};
    size_t from = s->at, start = from + 2 + (peek(s, 2) == '^' ? 1 : 0), to = start;

    while (to < s->pattern.len && s->pattern.ptr[to] >= 'a' && s->pattern.ptr[to] <= 'z')
        to++;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!str_eq_c(str_make(s->pattern.ptr + start, to - start), names[i]) ||
            to + 1 >= s->pattern.len || s->pattern.ptr[to] != ':' || s->pattern.ptr[to + 1] != ']')
            continue;
        buf_add(s->out, s->pattern.ptr + from, to + 2 - from);
        s->at = to + 2;
        return ERR_OK;
    }
    return refuse(s, "invalid character class range", from, to);
}

/* [...], its first bracket being next. */
static enum err_code scan_class(struct scan *s)
{
    size_t from = s->at;
    enum err_code rc;

    buf_add_char(s->out, s->pattern.ptr[s->at++]);
    if (peek(s, 0) == '^')
        buf_add_char(s->out, s->pattern.ptr[s->at++]);
    for (bool first = true; left(s); first = false) {
        char c = peek(s, 0);

        if (c == ']' && !first) {
            buf_add_char(s->out, s->pattern.ptr[s->at++]);
            return ERR_OK;
        }
        if (c == '\\' || (c == '[' && peek(s, 1) == ':')) {
            rc = c == '[' ? scan_posix(s) : scan_escape(s, true);
            if (rc != ERR_OK)
                return rc;
            continue;
        }
        if (c == '[' || c == ']')
            buf_add_char(s->out, '\\');
        buf_add_char(s->out, s->pattern.ptr[s->at++]);
    }
    return refuse(s, "missing closing ]", from, s->pattern.len);
}

/* --- Groups and repetitions --- */

/* Behind "(?": a name, or flags of RE2. */
static enum err_code scan_group(struct scan *s)
{
    size_t from = s->at, to = s->at + 2;
    bool name = peek(s, 2) == '<' || (peek(s, 2) == 'P' && peek(s, 3) == '<');

    if (name) {
        char sign;

        to += peek(s, 2) == 'P' ? 2 : 1;
        sign = to < s->pattern.len ? s->pattern.ptr[to] : '\0';
        if (sign == '=' || sign == '!') /* looks behind */
            return refuse(s, "invalid or unsupported Perl syntax", from, to + 1);
        while (to < s->pattern.len && (is_alnum(s->pattern.ptr[to]) || s->pattern.ptr[to] == '_'))
            to++;
        if (to >= s->pattern.len || s->pattern.ptr[to] != '>')
            return refuse(s, "invalid named capture", from, to);
    } else {
        while (to < s->pattern.len && strchr("imsU-", s->pattern.ptr[to]) && s->pattern.ptr[to])
            to++;
        if (to >= s->pattern.len)
            return refuse(s, "missing closing )", from, s->pattern.len);
        if (s->pattern.ptr[to] != ':' && s->pattern.ptr[to] != ')')
            return refuse(s, "invalid or unsupported Perl syntax", from, to + 1);
        if (s->pattern.ptr[to] == ')' && to == from + 2)
            return refuse(s, "missing argument to repetition operator", from + 1, from + 2);
    }
    buf_add(s->out, s->pattern.ptr + from, to + 1 - from);
    s->at = to + 1;
    return ERR_OK;
}

/* The length of {n}, {n,} or {n,m} that is next; 0: a brace for itself. */
static size_t braces(const struct scan *s, unsigned *most)
{
    size_t at = 1;
    unsigned value[2] = {0, 0};

    for (int k = 0; k < 2; k++) {
        size_t start = at;

        for (; is_digit(peek(s, at)); at++)
            value[k] = value[k] > REPEAT_MAX ? value[k]
                                             : value[k] * 10 + (unsigned)(peek(s, at) - '0');
        if (k == 0 && at == start)
            return 0;
        if (k == 1 || peek(s, at) != ',')
            break;
        at++;
    }
    *most = value[0] > value[1] ? value[0] : value[1];
    return peek(s, at) == '}' ? at + 1 : 0;
}

static enum err_code scan_repeat(struct scan *s, size_t len)
{
    size_t from = s->at;

    if (!s->item)
        return refuse(s, "missing argument to repetition operator", from, from + len);
    if (s->repeated)
        return refuse(s, "invalid nested repetition operator", from - 1, from + len);
    if (peek(s, len) == '?')
        len++;
    buf_add(s->out, s->pattern.ptr + from, len);
    s->at += len;
    s->repeated = true;
    return ERR_OK;
}

static enum err_code scan_brace(struct scan *s)
{
    unsigned most = 0;
    size_t len = braces(s, &most);

    if (len == 0) {
        put_literal(s, s->pattern.ptr[s->at++]);
        s->item = true;
        s->repeated = false;
        return ERR_OK;
    }
    if (most > REPEAT_MAX)
        return refuse(s, "invalid repeat count", s->at, s->at + len);
    return scan_repeat(s, len);
}

static enum err_code scan_one(struct scan *s)
{
    char c = peek(s, 0);
    bool opens = c == '(' || c == '|';
    enum err_code rc = ERR_OK;

    if (c == '*' || c == '+' || c == '?')
        return scan_repeat(s, 1);
    if (c == '{')
        return scan_brace(s);
    if (c == '\\')
        rc = scan_escape(s, false);
    else if (c == '[')
        rc = scan_class(s);
    else if (c == '(' && peek(s, 1) == '?')
        rc = scan_group(s);
    else if (c == ']' || c == '}')
        put_literal(s, s->pattern.ptr[s->at++]);
    else
        buf_add_char(s->out, s->pattern.ptr[s->at++]);
    s->item = !opens;
    s->repeated = false;
    return rc;
}

enum err_code regex_translate(struct str pattern, struct buf *out, struct err *e)
{
    struct scan s = {.pattern = pattern, .out = out, .e = e};

    if (!str_is_utf8(pattern))
        return err_set(e, ERR_INVALID, "error parsing regexp: invalid UTF-8");
    while (left(&s)) {
        enum err_code rc = scan_one(&s);

        if (rc != ERR_OK)
            return rc;
    }
    return buf_check(out, e);
}

/* --- Plain words --- */

/* Without ^ and $ around it, and one pair of parentheses. */
static struct str inner_of(struct str p)
{
    if (p.len > 0 && p.ptr[0] == '^')
        p = str_make(p.ptr + 1, p.len - 1);
    if (p.len > 0 && p.ptr[p.len - 1] == '$' && (p.len < 2 || p.ptr[p.len - 2] != '\\'))
        p.len--;
    if (p.len > 1 && p.ptr[0] == '(' && p.ptr[p.len - 1] == ')' && p.ptr[p.len - 2] != '\\') {
        size_t skip = str_starts(p, STR("(?:")) ? 3 : 1;

        if (p.len > skip)
            p = str_make(p.ptr + skip, p.len - skip - 1);
    }
    return p;
}

/* Whether a bar that ^ or $ does not reach over would be in it: "^a|b$" is not plain. */
static bool half_anchored(struct str whole, struct str inner)
{
    bool anchors = whole.len > 0 && (whole.ptr[0] == '^' || whole.ptr[whole.len - 1] == '$');
    bool group = inner.ptr > whole.ptr && inner.ptr[-1] != '^';

    return anchors && !group && inner.len > 0 && memchr(inner.ptr, '|', inner.len) != NULL;
}

static bool is_plain(struct str p)
{
    for (size_t i = 0; i < p.len; i++) {
        if (p.ptr[i] == '\\') {
            char next = i + 1 < p.len ? p.ptr[i + 1] : 'a';

            if (is_alnum(next) || (unsigned char)next >= 0x80)
                return false;
            i++;
        } else if (p.ptr[i] != '|' && p.ptr[i] != '-' && is_meta(p.ptr[i])) {
            return false;
        }
    }
    return true;
}

size_t regex_plain_words(struct str pattern, void (*visit)(void *arg, struct str word), void *arg)
{
    struct str inner = inner_of(pattern);
    struct buf word;
    size_t count = 1;

    if (!str_is_utf8(pattern) || half_anchored(pattern, inner) || !is_plain(inner))
        return 0;
    buf_init(&word, pattern.len + 1);
    for (size_t i = 0; i < inner.len; i++) {
        if (inner.ptr[i] == '|') {
            visit(arg, buf_view(&word));
            buf_reset(&word);
            count++;
            continue;
        }
        if (inner.ptr[i] == '\\')
            i++;
        buf_add_char(&word, inner.ptr[i]);
    }
    visit(arg, buf_view(&word));
    buf_fini(&word);
    return count;
}
