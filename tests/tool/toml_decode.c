/* SPDX-License-Identifier: PostgreSQL */
/*
 * toml_decode.c: reads TOML from standard input and prints the tagged JSON of the public TOML test
 * suite, {"type": "integer", "value": "1"} and so on; status 1 and a message when it is not TOML.
 *
 * Threads: one; a program of the tests, not part of pga.
 */
#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/num.h"
#include "conf/toml.h"

#define OUTPUT_MAX (64u << 20) /* a megabyte of "a" becomes some forty of tags */
#define TEXT_MAX   64

static const char *const TYPES[] = {
    [TOML_STRING] = "string",         [TOML_INTEGER] = "integer",
    [TOML_FLOAT] = "float",           [TOML_BOOLEAN] = "bool",
    [TOML_DATETIME] = "datetime",     [TOML_LOCAL_DATETIME] = "datetime-local",
    [TOML_LOCAL_DATE] = "date-local", [TOML_LOCAL_TIME] = "time-local",
};

static void float_text(double value, char *out)
{
    if (isnan(value))
        snprintf(out, TEXT_MAX, "nan");
    else if (isinf(value))
        snprintf(out, TEXT_MAX, value < 0 ? "-inf" : "inf");
    else
        num_format_f64(value, out, TEXT_MAX);
}

static void put_scalar(const struct toml *node, struct json_writer *w)
{
    char text[TEXT_MAX > TOML_TIME_TEXT ? TEXT_MAX : TOML_TIME_TEXT];

    json_object_begin(w);
    json_member_c(w, "type", TYPES[node->type]);
    if (node->type == TOML_STRING) {
        json_member_str(w, "value", node->string);
    } else if (node->type == TOML_BOOLEAN) {
        json_member_c(w, "value", node->boolean ? "true" : "false");
    } else {
        if (node->type == TOML_INTEGER)
            snprintf(text, sizeof(text), "%lld", (long long)node->integer);
        else if (node->type == TOML_FLOAT)
            float_text(node->number, text);
        else
            toml_time_format(node, text);
        json_member_c(w, "value", text);
    }
    json_object_end(w);
}

/* Recursion ends with the depth that the parser allows. */
static void put(const struct toml *node, struct json_writer *w)
{
    if (node->type != TOML_TABLE && node->type != TOML_ARRAY) {
        put_scalar(node, w);
        return;
    }
    if (node->type == TOML_TABLE)
        json_object_begin(w);
    else
        json_array_begin(w);
    for (const struct toml *at = node->first; at; at = at->next) {
        if (node->type == TOML_TABLE)
            json_key_str(w, at->key);
        put(at, w);
    }
    if (node->type == TOML_TABLE)
        json_object_end(w);
    else
        json_array_end(w);
}

static enum err_code read_all(struct buf *in, struct err *e)
{
    char part[4096];
    size_t got;

    while ((got = fread(part, 1, sizeof(part), stdin)) > 0)
        buf_add(in, part, got);
    return buf_check(in, e);
}

int main(void)
{
    const struct toml *root = NULL;
    struct json_writer w;
    struct buf in, out;
    struct arena arena;
    struct err e;
    enum err_code rc;

    arena_init(&arena, "toml", 256u << 20);
    buf_init(&in, LIMIT_CONFIG_BYTES);
    buf_init(&out, OUTPUT_MAX);
    rc = read_all(&in, &e);
    if (rc == ERR_OK)
        rc = toml_parse(&arena, buf_view(&in), &root, &e);
    if (rc == ERR_OK) {
        json_writer_init(&w, &out);
        put(root, &w);
        buf_add_char(&out, '\n');
        rc = buf_check(&out, &e);
    }
    if (rc != ERR_OK)
        fprintf(stderr, "toml-decode: %s\n", e.text);
    else if (fwrite(out.ptr, 1, out.len, stdout) != out.len || fflush(stdout) != 0)
        rc = ERR_IO;
    buf_fini(&out);
    buf_fini(&in);
    arena_fini(&arena);
    return rc == ERR_OK ? 0 : 1;
}
