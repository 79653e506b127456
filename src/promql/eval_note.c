/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_note.c: warnings and infos of a query, each once, with the place in the query.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "promql/eval.h"

static struct eval_note *note_find(struct eval *ev, struct str text)
{
    for (size_t i = 0; i < ev->note_count; i++) {
        if (str_eq(ev->notes[i].text, text))
            return &ev->notes[i];
    }
    return NULL;
}

static void note_add(struct eval *ev, const struct eval_note *note)
{
    struct eval_note *n = note_find(ev, note->text);

    if (!ev->notes)
        ev->notes = arena_array(ev->arena, EVAL_NOTES, sizeof(*ev->notes));
    if (!n && ev->notes && ev->note_count < EVAL_NOTES) {
        n = &ev->notes[ev->note_count++];
        *n = *note;
        n->text = arena_str(ev->arena, note->text);
    }
    if (n)
        n->at = note->at;
}

void eval_note(struct eval *ev, enum eval_note_kind kind, uint32_t at, const char *fmt, ...)
{
    static const char *const heads[] = {"PromQL warning: ", "PromQL info: "};
    struct eval_note note = {.kind = kind, .at = at, .placed = at != EVAL_NO_PLACE};
    struct buf b;
    va_list ap;

    buf_init(&b, 4096);
    buf_add_c(&b, heads[kind]);
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    note.text = buf_view(&b);
    note_add(ev, &note);
    buf_fini(&b);
}

void eval_note_listen(void *arg, const char *text)
{
    struct eval_note note = {.kind = EVAL_NOTE_INFO, .text = str_of(text), .at = EVAL_NO_PLACE};

    note_add(arg, &note);
}

/* "1:6": line and column from 1 of a byte of the query; columns count bytes, as Prometheus does. */
static void note_place(struct str query, uint32_t at, char out[32])
{
    size_t line = 1, begun = 0;

    for (size_t i = 0; i < at && i < query.len; i++) {
        if (query.ptr[i] == '\n') {
            line++;
            begun = i + 1;
        }
    }
    (void)snprintf(out, 32, "%zu:%zu", line, at - begun + 1);
}

enum err_code eval_note_list(struct eval *ev, enum eval_note_kind kind, struct promql_notes *out)
{
    struct str *items = arena_array(ev->arena, ev->note_count, sizeof(*items));
    size_t count = 0;

    for (size_t i = 0; items && i < ev->note_count; i++) {
        const struct eval_note *n = &ev->notes[i];
        char place[32];

        if (n->kind != kind)
            continue;
        items[count] = n->text;
        if (n->placed) {
            note_place(ev->query->text, n->at, place);
            items[count] = str_of(arena_printf(ev->arena, "%.*s (%s)", STR_ARG(n->text), place));
        }
        count++;
    }
    *out = (struct promql_notes){count, items};
    return items ? arena_check(ev->arena, ev->err) : eval_full(ev);
}

/* --- Numbers as Go prints them --- */

/* Digits and the decimal exponent of a finite number: 0.digits * 10^*exp. */
static size_t number_digits(double v, char digits[32], int *exp)
{
    char text[40];
    size_t n = 0;
    int point = 0;
    bool seen_point = false;
    const char *p;

    num_format_f64(fabs(v), text, sizeof(text));
    *exp = 0;
    for (p = text; *p && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            seen_point = true;
            continue;
        }
        if (n == 0 && *p == '0') {
            point -= seen_point;
            continue;
        }
        point += !seen_point;
        digits[n++] = *p;
    }
    if (*p) {
        int e = 0, sign = p[1] == '-' ? -1 : 1;

        for (p++; *p; p++)
            e = *p >= '0' && *p <= '9' ? e * 10 + (*p - '0') : e;
        point += sign * e;
    }
    while (n > 1 && digits[n - 1] == '0')
        n--;
    *exp = n > 0 ? point : 1;
    return n;
}

static bool number_special(double v, char *out)
{
    if (isnan(v))
        memcpy(out, "NaN", 4);
    else if (isinf(v))
        memcpy(out, v > 0 ? "+Inf" : "-Inf", 5);
    else
        return false;
    return true;
}

void eval_note_decimal(double v, char *out)
{
    char digits[32];
    size_t n, at = 0;
    int exp;

    if (number_special(v, out))
        return;
    n = number_digits(v, digits, &exp);
    if (signbit(v))
        out[at++] = '-';
    if (exp <= 0 || n == 0)
        out[at++] = '0';
    for (int i = 0; i < exp && n > 0; i++)
        out[at++] = (size_t)i < n ? digits[i] : '0';
    if (n > 0 && (exp <= 0 || (size_t)exp < n)) {
        out[at++] = '.';
        for (int i = exp; i < 0; i++)
            out[at++] = '0';
        for (size_t i = exp > 0 ? (size_t)exp : 0; i < n; i++)
            out[at++] = digits[i];
    }
    out[at] = '\0';
}

const char *eval_note_number(double v, char out[EVAL_NUMBER_MAX])
{
    char digits[32];
    size_t n;
    int exp;

    if (number_special(v, out))
        return out;
    n = number_digits(v, digits, &exp);
    if (n > 0 && (exp - 1 < -4 || exp - 1 >= 6)) {
        (void)snprintf(out, EVAL_NUMBER_MAX, "%s%c%s%.*se%c%02d", signbit(v) ? "-" : "", digits[0],
                       n > 1 ? "." : "", (int)(n - 1), digits + 1, exp - 1 < 0 ? '-' : '+',
                       exp - 1 < 0 ? 1 - exp : exp - 1);
        return out;
    }
    eval_note_decimal(v, out);
    return out;
}
