/* SPDX-License-Identifier: PostgreSQL */
/*
 * promql_dump.c: answers PromQL queries over the samples it is given; tests/tool/promql_compare.py
 * asks Prometheus the same.
 *
 * Input, a line each, fields separated by tabs:
 *   s  name=value<US>name=value...     a series; later samples are its own
 *   p  t_ms  value                     a sample (C99 number, or "stale")
 *   q  start_ms  end_ms  step_ms  text a query; "\n" in the text is a line break; step 0 = instant
 * Output: a line of JSON per query.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/num.h"
#include "promql/promql.h"
#include "series_fixture.h"

#define DUMP_ARENA (1024UL * 1024 * 1024)

static void dump_number(struct json_writer *w, double v)
{
    char text[40];

    if (isnan(v))
        json_put_str(w, STR("NaN"));
    else if (isinf(v))
        json_put_str(w, v > 0 ? STR("+Inf") : STR("-Inf"));
    else {
        (void)snprintf(text, sizeof(text), "%.17g", v);
        json_put_str(w, str_of(text));
    }
}

static void dump_row(struct json_writer *w, const struct promql_row *row)
{
    json_object_begin(w);
    json_key(w, "metric");
    json_object_begin(w);
    for (size_t i = 0; i < row->labels.count; i++) {
        json_key_str(w, row->labels.items[i].name);
        json_put_str(w, row->labels.items[i].value);
    }
    json_object_end(w);
    json_key(w, "values");
    json_array_begin(w);
    for (size_t i = 0; i < row->count; i++) {
        json_array_begin(w);
        json_put_i64(w, row->t_ms[i]);
        dump_number(w, row->value[i]);
        json_array_end(w);
    }
    json_array_end(w);
    json_object_end(w);
}

static void dump_notes(struct json_writer *w, const char *key, const struct promql_notes *notes)
{
    json_key(w, key);
    json_array_begin(w);
    for (size_t i = 0; i < notes->count; i++)
        json_put_str(w, notes->items[i]);
    json_array_end(w);
}

static void dump_result(struct json_writer *w, const struct promql_result *r)
{
    json_member_c(w, "type", promql_type_text(r->type));
    json_member_str(w, "string", r->string);
    json_key(w, "rows");
    json_array_begin(w);
    for (size_t i = 0; i < r->row_count; i++)
        dump_row(w, &r->rows[i]);
    json_array_end(w);
    dump_notes(w, "warnings", &r->warnings);
    dump_notes(w, "infos", &r->infos);
    json_member_u64(w, "samples", r->samples);
}

static struct str dump_unescape(char *text)
{
    char *to = text;

    for (char *p = text; *p; p++) {
        if (p[0] == '\\' && (p[1] == 'n' || p[1] == '\\')) {
            *to++ = p[1] == 'n' ? '\n' : '\\';
            p++;
        } else {
            *to++ = *p;
        }
    }
    return str_make(text, (size_t)(to - text));
}

static void dump_query(struct series_fixture *f, char *fields[6], struct buf *out)
{
    struct promql_query q = {.start_ms = strtoll(fields[1], NULL, 10),
                             .end_ms = strtoll(fields[2], NULL, 10),
                             .step_ms = strtoll(fields[3], NULL, 10),
                             .text = dump_unescape(fields[4]),
                             .experimental = true};
    struct promql_result *r = NULL;
    struct json_writer w;
    struct arena arena;
    struct err e;

    arena_init(&arena, "query", DUMP_ARENA);
    buf_reset(out);
    json_writer_init(&w, out);
    json_object_begin(&w);
    if (promql_run(&arena, &f->source, &q, &r, &e) == ERR_OK) {
        dump_result(&w, r);
    } else {
        json_member_c(&w, "code", err_code_name(e.code));
        json_member_c(&w, "error", e.text);
    }
    json_member_u64(&w, "memory", arena.used_bytes);
    json_object_end(&w);
    puts(out->ptr);
    arena_fini(&arena);
}

static size_t dump_split(char *line, char *fields[6])
{
    size_t n = 0;

    for (char *p = line; p && n < 5; n++) {
        fields[n] = p;
        p = n < 4 ? strchr(p, '\t') : NULL;
        if (p)
            *p++ = '\0';
    }
    return n;
}

static double dump_value(const char *text)
{
    return strcmp(text, "stale") == 0 ? series_stale() : strtod(text, NULL);
}

static bool dump_line(struct series_fixture *f, char *line, struct buf *out)
{
    char *fields[6];
    size_t n = dump_split(line, fields);

    if (n == 2 && strcmp(fields[0], "s") == 0)
        series_fixture_series(f, str_of(fields[1]), '\x1f');
    else if (n == 3 && strcmp(fields[0], "p") == 0 && f->count > 0)
        series_fixture_sample(f, strtoll(fields[1], NULL, 10), dump_value(fields[2]));
    else if (n == 5 && strcmp(fields[0], "q") == 0)
        dump_query(f, fields, out);
    else
        return false;
    return true;
}

int main(void)
{
    struct series_fixture fixture;
    struct buf out;
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    int rc = 0;

    series_fixture_init(&fixture);
    buf_init(&out, 512UL * 1024 * 1024);
    while (rc == 0 && (len = getline(&line, &cap, stdin)) > 0) {
        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        if (!dump_line(&fixture, line, &out)) {
            (void)fprintf(stderr, "promql-dump: bad line: %s\n", line);
            rc = 2;
        }
    }
    free(line);
    buf_fini(&out);
    series_fixture_fini(&fixture);
    return rc;
}
