/* SPDX-License-Identifier: PostgreSQL */
/*
 * num_digits.c: doubles as text, by their shortest digits.
 *
 * The digits are those that yyjson writes: one conversion, where trying 15, 16 and 17 digits with
 * snprintf took 2 us a number, which was half of the answer to a query with many points.
 */
#include "base/num.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#define DIGITS_ROOM  64 /* yyjson asks for 34 bytes */
#define DIGITS_PLAIN 15 /* so many digits every double keeps */

/* An allocator with one piece of memory, which the caller has. */
static void *digits_malloc(void *ctx, size_t size)
{
    return size <= DIGITS_ROOM ? ctx : NULL;
}

static void *digits_realloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    (void)ptr;
    (void)old_size;
    return digits_malloc(ctx, size);
}

static void digits_free(void *ctx, void *ptr)
{
    (void)ctx;
    (void)ptr;
}

/* Digits of "12.5" or "1.25e-7", without zeros at either end. */
static void digits_read(const char *text, struct num_digits *out)
{
    bool fraction = false;

    for (; *text && *text != 'e'; text++) {
        if (*text == '.') {
            fraction = true;
        } else if (out->count == 0 && *text == '0') {
            out->point -= fraction;
        } else {
            out->text[out->count++] = *text;
            out->point += !fraction;
        }
    }
    if (*text == 'e')
        out->point += (int)strtol(text + 1, NULL, 10);
    while (out->count > 0 && out->text[out->count - 1] == '0')
        out->count--;
}

/* Without a fraction, and all digits are exact: most values are such. */
static void digits_of_integer(uint64_t n, struct num_digits *out)
{
    char reversed[NUM_DIGITS_MAX];
    int count = 0;

    for (; n; n /= 10)
        reversed[count++] = (char)('0' + n % 10);
    out->point = count;
    while (count)
        out->text[out->count++] = reversed[--count];
    while (out->count > 0 && out->text[out->count - 1] == '0')
        out->count--;
}

void num_digits_f64(double value, struct num_digits *out)
{
    char room[DIGITS_ROOM];
    const yyjson_alc alc = {digits_malloc, digits_realloc, digits_free, room};
    yyjson_val number = {0};
    size_t len = 0;

    out->count = out->point = 0;
    value = fabs(value);
    if (value < 1e15 && value == trunc(value)) {
        digits_of_integer((uint64_t)value, out);
        return;
    }
    unsafe_yyjson_set_real(&number, value);
    const char *text = yyjson_val_write_opts(&number, YYJSON_WRITE_NOFLAG, &alc, &len, NULL);
    if (text)
        digits_read(text, out);
}

/* 0.00125, 12.5, 1200 */
static char *put_plain(const struct num_digits *d, char *to)
{
    if (d->point <= 0) {
        *to++ = '0';
        if (d->count > 0)
            *to++ = '.';
        for (int i = d->point; i < 0 && d->count > 0; i++)
            *to++ = '0';
    }
    for (int i = 0; i < d->count; i++) {
        if (i == d->point && i > 0)
            *to++ = '.';
        *to++ = d->text[i];
    }
    for (int i = d->count; i < d->point; i++)
        *to++ = '0';
    return to;
}

/* 1.25e-07 */
static char *put_scientific(const struct num_digits *d, char *to)
{
    int exponent = abs(d->point - 1);

    *to++ = d->text[0];
    if (d->count > 1)
        *to++ = '.';
    memcpy(to, d->text + 1, (size_t)d->count - 1);
    to += d->count - 1;
    *to++ = 'e';
    *to++ = d->point < 1 ? '-' : '+';
    if (exponent >= 100)
        *to++ = (char)('0' + exponent / 100);
    *to++ = (char)('0' + exponent / 10 % 10);
    *to++ = (char)('0' + exponent % 10);
    return to;
}

void num_put_digits(const struct num_digits *d, enum num_form form, char out[NUM_F64_TEXT_MAX])
{
    *(form == NUM_SCIENTIFIC && d->count > 0 ? put_scientific(d, out) : put_plain(d, out)) = '\0';
}

/* As %g has it, but what is a whole number of millionths is never scientific. */
static enum num_form form_of(const struct num_digits *d, double value)
{
    int most = d->count > DIGITS_PLAIN ? d->count : DIGITS_PLAIN;
    bool micro = d->count - d->point <= 6 && fabs(value) < 1e9;

    return !micro && (d->point < -3 || d->point > most) ? NUM_SCIENTIFIC : NUM_PLAIN;
}

void num_format_f64(double value, char *out, size_t size)
{
    char text[NUM_F64_TEXT_MAX + 1] = "-";
    struct num_digits d;

    num_digits_f64(value, &d);
    num_put_digits(&d, form_of(&d, value), text + 1);
    (void)snprintf(out, size, "%s", text + !signbit(value));
}
