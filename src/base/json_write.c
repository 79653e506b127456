/* SPDX-License-Identifier: PostgreSQL */
/* json_write.c: writing JSON into a buf; commas, escapes and broken UTF-8 are handled here. */
#include <assert.h>
#include <math.h>
#include <string.h>
#include <yyjson.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/num.h"

#define JSON_NUMBER_MAX 32

void json_writer_init(struct json_writer *w, struct buf *out)
{
    *w = (struct json_writer){.out = out};
}

static void json_comma(struct json_writer *w)
{
    if (w->need_comma)
        buf_add_char(w->out, ',');
    w->need_comma = true;
}

static void json_begin(struct json_writer *w, char bracket)
{
    json_comma(w);
    buf_add_char(w->out, bracket);
    w->depth++;
    w->need_comma = false;
}

static void json_end(struct json_writer *w, char bracket)
{
    assert(w->depth > 0);
    buf_add_char(w->out, bracket);
    w->depth--;
    w->need_comma = true;
}

void json_object_begin(struct json_writer *w)
{
    json_begin(w, '{');
}

void json_object_end(struct json_writer *w)
{
    json_end(w, '}');
}

void json_array_begin(struct json_writer *w)
{
    json_begin(w, '[');
}

void json_array_end(struct json_writer *w)
{
    json_end(w, ']');
}

/* Bytes in front of `s` that need no escape and are well-formed. */
static size_t json_plain_len(struct str s)
{
    size_t at = 0;

    while (at < s.len) {
        unsigned char c = (unsigned char)s.ptr[at];
        size_t step = 1;

        if (c < 0x20 || c == '"' || c == '\\')
            break;
        if (c >= 0x80)
            step = str_utf8_len(str_make(s.ptr + at, s.len - at));
        if (step == 0)
            break;
        at += step;
    }
    return at;
}

static void json_add_escape(struct buf *out, unsigned char c)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *at = c ? strchr(plain, c) : NULL;

    if (at) {
        buf_add_char(out, '\\');
        buf_add_char(out, letters[at - plain]);
    } else if (c < 0x20) {
        buf_printf(out, "\\u%04x", c);
    } else {
        buf_add_c(out, "\xEF\xBF\xBD");
    }
}

static void json_add_string(struct buf *out, struct str s)
{
    buf_add_char(out, '"');
    while (s.len > 0) {
        size_t len = json_plain_len(s);

        buf_add(out, s.ptr, len);
        if (len < s.len)
            json_add_escape(out, (unsigned char)s.ptr[len++]);
        s = str_make(s.ptr + len, s.len - len);
    }
    buf_add_char(out, '"');
}

void json_key_str(struct json_writer *w, struct str key)
{
    json_comma(w);
    json_add_string(w->out, key);
    buf_add_char(w->out, ':');
    w->need_comma = false;
}

void json_key(struct json_writer *w, const char *key)
{
    json_key_str(w, str_of(key));
}

void json_put_str(struct json_writer *w, struct str value)
{
    json_comma(w);
    json_add_string(w->out, value);
}

void json_put_raw(struct json_writer *w, struct str json_text)
{
    json_comma(w);
    buf_add_str(w->out, json_text);
}

void json_put_null(struct json_writer *w)
{
    json_put_raw(w, STR("null"));
}

void json_put_c(struct json_writer *w, const char *value)
{
    if (value)
        json_put_str(w, str_of(value));
    else
        json_put_null(w);
}

void json_put_i64(struct json_writer *w, int64_t value)
{
    json_comma(w);
    buf_add_i64(w->out, value);
}

void json_put_u64(struct json_writer *w, uint64_t value)
{
    json_comma(w);
    buf_add_u64(w->out, value);
}

void json_put_f64(struct json_writer *w, double value)
{
    char text[JSON_NUMBER_MAX];

    if (!isfinite(value)) {
        json_put_null(w);
        return;
    }
    num_format_f64(value, text, sizeof(text));
    json_put_raw(w, str_of(text));
}

void json_put_bool(struct json_writer *w, bool value)
{
    json_put_raw(w, value ? STR("true") : STR("false"));
}

static void *json_write_malloc(void *ctx, size_t size)
{
    (void)ctx;
    return alloc_try(NULL, size);
}

static void *json_write_realloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    (void)ctx;
    (void)old_size;
    return alloc_try(ptr, size);
}

static void json_write_release(void *ctx, void *ptr)
{
    (void)ctx;
    alloc_free(ptr);
}

void json_put_node(struct json_writer *w, const struct json *n)
{
    static const yyjson_alc alc = {json_write_malloc, json_write_realloc, json_write_release, NULL};
    size_t len = 0;
    char *text;

    if (!n) {
        json_put_null(w);
        return;
    }
    text = yyjson_val_write_opts((const yyjson_val *)(const void *)n, 0, &alc, &len, NULL);
    if (text)
        json_put_raw(w, str_make(text, len));
    else
        w->out->failed = true; /* memory is exhausted */
    alloc_free(text);
}

void json_member_str(struct json_writer *w, const char *key, struct str value)
{
    json_key(w, key);
    json_put_str(w, value);
}

void json_member_c(struct json_writer *w, const char *key, const char *value)
{
    json_key(w, key);
    json_put_c(w, value);
}

void json_member_i64(struct json_writer *w, const char *key, int64_t value)
{
    json_key(w, key);
    json_put_i64(w, value);
}

void json_member_u64(struct json_writer *w, const char *key, uint64_t value)
{
    json_key(w, key);
    json_put_u64(w, value);
}

void json_member_f64(struct json_writer *w, const char *key, double value)
{
    json_key(w, key);
    json_put_f64(w, value);
}

void json_member_bool(struct json_writer *w, const char *key, bool value)
{
    json_key(w, key);
    json_put_bool(w, value);
}

void json_member_null(struct json_writer *w, const char *key)
{
    json_key(w, key);
    json_put_null(w);
}
