/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_copy.c: values as the text format of COPY has them.
 *
 * Threads: no shared state.
 */
#include "store/tsdb/postgres/pgstore.h"

#include "base/text.h"

#include <string.h>

void pgstore_copy_text(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '\0':
            break;
        case '\\':
            buf_add_c(out, "\\\\");
            break;
        case '\n':
            buf_add_c(out, "\\n");
            break;
        case '\r':
            buf_add_c(out, "\\r");
            break;
        case '\t':
            buf_add_c(out, "\\t");
            break;
        default:
            buf_add_char(out, text.ptr[i]);
        }
    }
}

void pgstore_copy_blob(struct buf *out, struct str bytes)
{
    buf_add_c(out, "\\\\x");
    char *room = buf_room(out, 2 * bytes.len + 1);
    if (room) {
        text_hex(bytes.ptr, bytes.len, room);
        buf_grew(out, 2 * bytes.len);
    }
}

/* Days since 1970-01-01 to a date of the Gregorian calendar, by counting from March. */
static void civil(int64_t day, int64_t *year, unsigned *month, unsigned *mday)
{
    day += 719468;
    int64_t era = (day >= 0 ? day : day - 146096) / 146097;
    unsigned of_era = (unsigned)(day - era * 146097);
    unsigned y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * y + y / 4 - y / 100);
    unsigned m = (5 * of_year + 2) / 153;

    *mday = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = (int64_t)y + era * 400 + (*month <= 2);
}

void pgstore_copy_time(struct buf *out, int64_t t_ms)
{
    int64_t day = days_of_ms(t_ms);
    unsigned ms = (unsigned)(t_ms - day * TSDB_DAY_MS);
    int64_t year = 0;
    unsigned month = 0;
    unsigned mday = 0;

    civil(day, &year, &month, &mday);
    buf_printf(out, "%04lld-%02u-%02u %02u:%02u:%02u.%03uZ", (long long)year, month, mday,
               ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

struct str pgstore_clean(struct arena *a, struct str text)
{
    if (!text.len || !memchr(text.ptr, '\0', text.len)) {
        return text;
    }
    char *copy = arena_strndup(a, text.ptr, text.len);
    size_t len = 0;
    for (size_t i = 0; copy && i < text.len; i++) {
        if (text.ptr[i] != '\0') {
            copy[len++] = text.ptr[i];
        }
    }
    return str_make(copy, len);
}
