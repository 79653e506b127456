/* SPDX-License-Identifier: PostgreSQL */
/*
 * promql_test.c: promql-test FILE...: runs scripts in the format of Prometheus's PromQL tests.
 *
 * As in Prometheus, a case that is an instant query is asked in more ways: as it is, as the middle
 * of a range query, and, unless it depends on the time of evaluation, with @ on every selector at
 * other times, again in both forms.
 * A failing case is printed with its place, the last lines are "N skipped", "N passed, N failed".
 * What pga does not do is counted as skipped and said: native histograms, calculated durations,
 * start times of counters. Status: 0, 1 when a case failed, 2 when a file cannot be read.
 *
 * Threads: one; a program of the tests, not part of pga.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "promql/parse.h"
#include "promql/promql.h"
#include "script.h"
#include "source.h"

#define CASE_ARENA_BYTES ((size_t)1 << 30)
#define TEXT_MAX         (1 << 20)
#define FILE_MAX         (64u << 20)
#define MINUTE_MS        60000

enum verdict { PASSED, FAILED, SKIPPED };

struct totals {
    size_t passed, failed, skipped;
};

struct run {
    const char *path;
    struct source source;
    const char *unsupported; /* of what is loaded; NULL */
    struct totals totals;
};

/* One case being tried. */
struct trial {
    struct run *run;
    const struct script_command *command;
    const struct script_eval *eval;
    struct arena arena;
    struct buf why;
};

/* --- One query --- */

struct window {
    int64_t start_ms, end_ms, step_ms;
};

static enum err_code ask(struct trial *t, struct str text, const struct window *w,
                         struct promql_result **out, struct err *e)
{
    struct promql_query query = {
        .text = text,
        .start_ms = w->start_ms,
        .end_ms = w->end_ms,
        .step_ms = w->step_ms,
        .experimental = true,
    };

    return promql_run(&t->arena, &t->run->source.base, &query, out, e);
}

static enum verdict failed_with(struct trial *t, const struct err *e)
{
    if (strstr(e->text, "experimental duration expression")) {
        buf_reset(&t->why);
        buf_add_c(&t->why, "calculated durations");
        return SKIPPED;
    }
    if (t->eval->fail)
        return compare_failure(t->eval, str_of(e->text), &t->why) ? PASSED : FAILED;
    buf_add_c(&t->why, e->text);
    return FAILED;
}

static enum verdict compare(struct trial *t, const struct promql_result *r)
{
    if (compare_result(t->eval, r, &t->why))
        return PASSED;
    buf_add_char(&t->why, '\n');
    compare_put_expected(&t->why, t->eval);
    compare_put_result(&t->why, r);
    return FAILED;
}

/* What a range query says at `at`, as an instant query would. */
static struct promql_result *middle_of(struct trial *t, const struct promql_result *r, int64_t at,
                                       enum promql_type type)
{
    struct promql_result *out = arena_alloc(&t->arena, sizeof(*out));

    *out = *r;
    out->type = type;
    out->row_count = 0;
    out->rows = arena_array(&t->arena, r->row_count, sizeof(*out->rows));
    for (size_t i = 0; i < r->row_count; i++) {
        for (size_t k = 0; k < r->rows[i].count; k++) {
            struct promql_row row = r->rows[i];

            if (row.t_ms[k] != at)
                continue;
            row.count = 1;
            row.t_ms += k;
            row.value += k;
            out->rows[out->row_count++] = row;
        }
    }
    return out;
}

static enum verdict try_middle(struct trial *t, struct str text, int64_t at, enum promql_type type)
{
    const struct window around = {at - MINUTE_MS, at + MINUTE_MS, MINUTE_MS};
    struct promql_result *r = NULL;
    enum verdict v;
    struct err e;

    if (t->eval->range_vector || t->eval->has_string || type == PROMQL_STRING ||
        type == PROMQL_MATRIX || t->eval->ordered)
        return PASSED;
    if (ask(t, text, &around, &r, &e) != ERR_OK)
        v = failed_with(t, &e);
    else
        v = compare(t, middle_of(t, r, at, type));
    if (v == FAILED)
        buf_add_c(&t->why, "    (as the middle of a range query)\n");
    return v;
}

static enum verdict try_instant(struct trial *t, struct str text, int64_t at)
{
    const struct window instant = {at, at, 0};
    struct promql_result *r = NULL;
    enum verdict v;
    struct err e;

    if (ask(t, text, &instant, &r, &e) != ERR_OK)
        return failed_with(t, &e);
    if (t->eval->fail) {
        buf_add_c(&t->why, "no error\n");
        compare_put_result(&t->why, r);
        return FAILED;
    }
    if (!compare_notes(t->eval, r, &t->why))
        return FAILED;
    v = compare(t, r);
    return v == PASSED ? try_middle(t, text, at, r->type) : v;
}

static enum verdict try_range(struct trial *t)
{
    const struct window all = {t->eval->start_ms, t->eval->end_ms, t->eval->step_ms};
    struct promql_result *r = NULL;
    struct err e;

    if (ask(t, t->eval->query, &all, &r, &e) != ERR_OK)
        return failed_with(t, &e);
    if (t->eval->fail) {
        buf_add_c(&t->why, "no error\n");
        compare_put_result(&t->why, r);
        return FAILED;
    }
    return compare_notes(t->eval, r, &t->why) ? compare(t, r) : FAILED;
}

/* --- With @ everywhere --- */

/* Functions that see the time of the evaluation, or of the sample. */
static bool sees_time(enum promql_func_id id)
{
    return id == PROMQL_FUNC_days_in_month || id == PROMQL_FUNC_day_of_month ||
           id == PROMQL_FUNC_day_of_week || id == PROMQL_FUNC_day_of_year ||
           id == PROMQL_FUNC_hour || id == PROMQL_FUNC_minute || id == PROMQL_FUNC_month ||
           id == PROMQL_FUNC_year || id == PROMQL_FUNC_predict_linear || id == PROMQL_FUNC_time ||
           id == PROMQL_FUNC_timestamp;
}

/* false: the answer depends on the time of evaluation all the same. */
static bool fix_time(struct expr *x, int64_t at)
{
    struct expr_when *when = x->kind == EXPR_SELECTOR   ? &x->u.selector.when
                             : x->kind == EXPR_SUBQUERY ? &x->u.subquery.when
                                                        : NULL;
    bool good = true;

    if (when && when->at != AT_TIME) {
        when->at = AT_TIME;
        when->at_ms = at;
    }
    switch (x->kind) {
    case EXPR_PAREN:
        return fix_time(x->u.paren, at);
    case EXPR_UNARY:
        return fix_time(x->u.unary.x, at);
    case EXPR_BINARY:
        good = fix_time(x->u.binary.left, at);
        return fix_time(x->u.binary.right, at) && good;
    case EXPR_AGGREGATE:
        good = !x->u.aggregate.param || fix_time(x->u.aggregate.param, at);
        return fix_time(x->u.aggregate.x, at) && good;
    case EXPR_CALL:
        for (size_t i = 0; i < x->u.call.count; i++)
            good = fix_time(x->u.call.args[i], at) && good;
        return good && !sees_time(x->u.call.func->id);
    case EXPR_NUMBER:
    case EXPR_STRING:
    case EXPR_SELECTOR:
    case EXPR_SUBQUERY:
        break;
    }
    return good;
}

static enum verdict try_fixed(struct trial *t, struct str text, int64_t at)
{
    const int64_t times[] = {-10 * at, 0, at / 5, at, 10 * at}, early[] = {-1000, 0, 1000};
    const int64_t *list = at == 0 ? early : times;
    enum verdict v = PASSED;

    for (size_t i = 0; i < (at == 0 ? 3u : 5u) && v == PASSED; i++) {
        v = try_instant(t, text, list[i]);
        if (v == FAILED)
            buf_printf(&t->why, "    (asked at %lld ms: %.*s)\n", (long long)list[i],
                       STR_ARG(text));
    }
    return v;
}

static enum verdict try_with_at(struct trial *t)
{
    static const struct promql_options options = {.experimental = true};
    int64_t at = t->eval->range_vector ? t->eval->vector_end_ms : t->eval->start_ms;
    struct expr *x = NULL;
    enum verdict v = PASSED;
    struct buf text;

    if (promql_parse(&t->arena, t->eval->query, &options, &x, NULL) != ERR_OK || !fix_time(x, at))
        return PASSED;
    buf_init(&text, TEXT_MAX);
    promql_print(x, &text);
    v = try_fixed(t, buf_view(&text), at);
    buf_fini(&text);
    return v;
}

/* --- One case --- */

static enum verdict skip(struct trial *t, const char *what)
{
    buf_reset(&t->why);
    buf_add_c(&t->why, what);
    return SKIPPED;
}

static enum verdict try_case(struct trial *t)
{
    enum verdict v;

    if (t->run->unsupported)
        return skip(t, t->run->unsupported);
    if (t->eval->histogram)
        return skip(t, "native histograms");
    t->run->source.touched = false;
    if (t->eval->range) {
        v = try_range(t);
    } else {
        v = try_instant(t, t->eval->query, t->eval->start_ms);
        if (v == PASSED)
            v = try_with_at(t);
    }
    return t->run->source.touched ? skip(t, "native histograms") : v;
}

static void report(struct run *run, const struct script_command *command, enum verdict v,
                   struct str why)
{
    struct str query = command->eval.query;

    run->totals.passed += v == PASSED;
    run->totals.failed += v == FAILED;
    run->totals.skipped += v == SKIPPED;
    if (v == SKIPPED)
        printf("skipped %s:%zu: not supported: %.*s\n", run->path, command->line, STR_ARG(why));
    if (v == FAILED)
        printf("FAILED %s:%zu: %.*s\n    %.*s%s", run->path, command->line, STR_ARG(query),
               STR_ARG(why), str_ends(why, STR("\n")) ? "" : "\n");
}

static void run_eval(struct run *run, const struct script_command *command)
{
    struct trial t = {.run = run, .command = command, .eval = &command->eval};
    enum verdict v;

    arena_init(&t.arena, "test case", CASE_ARENA_BYTES);
    buf_init(&t.why, TEXT_MAX);
    v = try_case(&t);
    report(run, command, v, buf_view(&t.why));
    buf_fini(&t.why);
    arena_fini(&t.arena);
}

/* --- Loading --- */

/* The native histogram that the series of a classic one would also become. */
static enum err_code mark_converted(struct run *run, const struct labels *l, struct err *e)
{
    static const char *const ends[] = {"_bucket", "_count", "_sum"};
    struct str name = labels_get(l, STR("__name__"));
    struct label items[64];
    struct labels base = {0, items};

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (!str_ends(name, str_of(ends[i])) || l->count > 64)
            continue;
        for (size_t k = 0; k < l->count; k++)
            if (!str_eq_c(l->items[k].name, "le"))
                items[base.count++] = l->items[k];
        for (size_t k = 0; k < base.count; k++)
            if (str_eq_c(items[k].name, "__name__"))
                items[k].value.len -= strlen(ends[i]);
        return source_mark_histogram(&run->source, &base, e);
    }
    return ERR_OK;
}

static enum err_code run_load(struct run *run, const struct script_load *load, struct err *e)
{
    enum err_code rc = ERR_OK;

    if (load->start_times)
        run->unsupported = "start times of counters";
    for (size_t i = 0; rc == ERR_OK && i < load->row_count; i++) {
        rc = source_load(&run->source, &load->rows[i].series, load->step_ms, e);
        if (rc == ERR_OK && load->with_histograms)
            rc = mark_converted(run, &load->rows[i].series.labels, e);
    }
    return rc;
}

/* --- Files --- */

static void run_script(struct run *run, struct str text)
{
    struct script_command command = {.kind = SCRIPT_CLEAR};
    struct script script;
    struct err e;
    enum err_code rc;

    script_init(&script, text);
    while (command.kind != SCRIPT_END) {
        rc = script_next(&script, &command, &e);
        if (rc == ERR_OK && command.kind == SCRIPT_LOAD)
            rc = run_load(run, &command.load, &e);
        if (rc != ERR_OK) {
            report(run, &command, FAILED, str_of(e.text));
        } else if (command.kind == SCRIPT_EVAL) {
            run_eval(run, &command);
        } else if (command.kind == SCRIPT_CLEAR) {
            source_clear(&run->source);
            run->unsupported = NULL;
        }
    }
    script_fini(&script);
}

/* The bytes of a file; the caller frees them. NULL: reported. */
static char *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    char *text = malloc(FILE_MAX);

    if (!file || !text) {
        perror(path);
        free(text);
        text = NULL;
    } else {
        *len = fread(text, 1, FILE_MAX, file);
    }
    if (file)
        fclose(file);
    return text;
}

int main(int argc, char **argv)
{
    struct run run = {0};
    int status = 0;

    if (argc < 2 || argv[1][0] == '-') {
        fprintf(stderr, "usage: promql-test FILE...\n");
        return 2;
    }
    source_init(&run.source);
    for (int i = 1; i < argc; i++) {
        size_t len = 0;
        char *text = read_file(argv[i], &len);

        run.path = argv[i];
        run.unsupported = NULL;
        source_clear(&run.source);
        if (text)
            run_script(&run, str_make(text, len));
        else
            status = 2;
        free(text);
    }
    source_fini(&run.source);
    if (run.totals.skipped > 0)
        printf("%zu skipped\n", run.totals.skipped);
    printf("%zu passed, %zu failed\n", run.totals.passed, run.totals.failed);
    return status ? status : run.totals.failed > 0;
}
