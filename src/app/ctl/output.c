/* SPDX-License-Identifier: PostgreSQL */
/* output.c: what the formats share: the registry and the form of a cell. */
#include "app/ctl/output.h"

#include "base/num.h"
#include "os/clock.h"

#include <stdio.h>
#include <string.h>

static const struct output *const formats[] = {&output_text, &output_json, &output_jsonl,
                                               &output_csv};

const struct output *output_find(const char *name)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(formats[i]->name, name) == 0) {
            return formats[i];
        }
    }
    return NULL;
}

void output_flush(struct buf *out)
{
    fwrite(out->ptr, 1, out->len, stdout);
    buf_reset(out);
}

/* Control characters never reach a terminal: names and query texts are foreign. */
static void add_clean(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20 || c == 0x7f) {
            buf_add_char(out, ' ');
        } else {
            buf_add_char(out, (char)c);
        }
    }
}

static void add_one_line(struct buf *out, struct str s)
{
    int blank = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c <= 0x20 || c == 0x7f) {
            blank = 1;
            continue;
        }
        if (blank && out->len > 0) {
            buf_add_char(out, ' ');
        }
        blank = 0;
        buf_add_char(out, (char)c);
    }
}

/* In the largest unit of which there are two. */
static void add_age(struct buf *out, int64_t t_ms)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int64_t age_s = (clock_wall_ms() - t_ms) / 1000;
    size_t i = 0;

    age_s = age_s < 0 ? 0 : age_s;
    while (units[i].seconds > 1 && age_s < 2 * units[i].seconds) {
        i++;
    }
    buf_printf(out, "%lld %s ago", (long long)(age_s / units[i].seconds), units[i].name);
}

static void add_time(struct buf *out, int64_t t_ms)
{
    char text[NUM_TIME_TEXT_MAX];
    num_format_time(t_ms, text);
    buf_add_c(out, text);
}

static void add_number(struct buf *out, const struct json *value, enum output_form form)
{
    if (form == OUTPUT_PERCENT) {
        buf_printf(out, "%.1f%%", 100.0 * json_f64(value, 0));
    } else if (form == OUTPUT_MS) {
        buf_printf(out, "%.3f", json_f64(value, 0));
    } else if (form == OUTPUT_AGO) {
        add_age(out, json_i64(value, 0));
    } else if (form == OUTPUT_TIME) {
        add_time(out, json_i64(value, 0));
    } else if (json_is_int(value)) {
        buf_add_i64(out, json_i64(value, 0));
    } else {
        buf_printf(out, "%.2f", json_f64(value, 0));
    }
}

void output_cell(struct buf *out, const struct json *value, enum output_form form)
{
    switch (json_type(value)) {
    case JSON_ABSENT:
    case JSON_NULL:
        buf_add_char(out, '-');
        break;
    case JSON_BOOL:
        buf_add_c(out, json_bool(value, false) ? "yes" : "no");
        break;
    case JSON_I64:
    case JSON_U64:
    case JSON_F64:
        add_number(out, value, form);
        break;
    case JSON_STR:
        if (form == OUTPUT_ONE_LINE) {
            add_one_line(out, json_str(value));
        } else {
            add_clean(out, json_str(value));
        }
        break;
    case JSON_ARRAY:
    case JSON_OBJECT: {
        struct json_writer w;
        json_writer_init(&w, out);
        json_put_node(&w, value);
        break;
    }
    }
}
