/* SPDX-License-Identifier: PostgreSQL */
/*
 * num.h: one parser per kind of number, each with a range; the whole text must be used.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum err_code num_parse_i64(struct str s, int64_t min, int64_t max, int64_t *out,
                            struct err *e) ERR_MUST_CHECK;
enum err_code num_parse_u64(struct str s, uint64_t max, uint64_t *out,
                            struct err *e) ERR_MUST_CHECK;
enum err_code num_parse_f64(struct str s, double *out,
                            struct err *e) ERR_MUST_CHECK; /* finite only */
/* "250ms" "10s" "5m" "2h" "1d", or a bare number of seconds; to milliseconds. */
enum err_code num_parse_duration_ms(struct str s, int64_t *out, struct err *e) ERR_MUST_CHECK;
/* "512" "64kB" "64KiB" "24MB" "1GB" (powers of 1024, as PostgreSQL reads them). */
enum err_code num_parse_size_bytes(struct str s, uint64_t *out, struct err *e) ERR_MUST_CHECK;
/* Unix seconds, milliseconds (>= 1e11), or RFC 3339; to milliseconds since the epoch. */
enum err_code num_parse_time_ms(struct str s, int64_t *out, struct err *e) ERR_MUST_CHECK;

#define NUM_TIME_TEXT_MAX 32
/* RFC 3339 in UTC with milliseconds into `out` (NUM_TIME_TEXT_MAX bytes). */
void num_format_time(int64_t wall_ms, char *out);
void num_format_duration(int64_t ms, char *out, size_t size);
/*
 * Shortest text that reads back as the same double; 32 bytes are enough. Not for NaN or infinity.
 */
void num_format_f64(double value, char *out, size_t size);

/* --- num_digits.c --- */

#define NUM_DIGITS_MAX   24
#define NUM_F64_TEXT_MAX 352 /* plain: up to 309 digits, or 324 zeros and 17 digits */

/* 0.DIGITS x 10^point, without a zero at either end; none for 0. */
struct num_digits {
    char text[NUM_DIGITS_MAX]; /* no NUL */
    int count, point;
};
enum num_form { NUM_PLAIN, NUM_SCIENTIFIC }; /* 0.000125, 1.25e-04 */

/* Shortest digits that read back as the same double, without its sign. Finite numbers only. */
void num_digits_f64(double value, struct num_digits *out);
void num_put_digits(const struct num_digits *d, enum num_form form, char out[NUM_F64_TEXT_MAX]);

#endif
