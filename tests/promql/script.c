/* SPDX-License-Identifier: PostgreSQL */
/*
 * script.c: the commands of a file of PromQL tests.
 *
 * A command ends with an empty line or a comment. The query of an eval is what is left of its line.
 */
#include "script.h"

#include <string.h>

#include "promql/literal.h"
#include "promql/parse.h"

#define SCRIPT_ARENA_BYTES ((size_t)1 << 30)

struct block {
    struct script *script;
    struct script_command *out;
    struct err *e;
};

/* --- Lines and words --- */

void script_init(struct script *s, struct str text)
{
    memset(s, 0, sizeof(*s));
    s->rest = text;
    s->line = 1;
    arena_init(&s->arena, "test script", SCRIPT_ARENA_BYTES);
}

void script_fini(struct script *s)
{
    arena_fini(&s->arena);
}

/* The next line, trimmed; a comment is an empty line. It stays when `take` is false. */
static struct str line_of(struct script *s, bool take)
{
    struct str rest = s->rest, line = str_trim(str_split(&rest, '\n'));

    if (take) {
        s->rest = rest;
        s->line++;
    }
    return line.len > 0 && line.ptr[0] == '#' ? (struct str){NULL, 0} : line;
}

/* The lines of the block; false at its end. */
static bool next_line(struct script *s, struct str *line)
{
    if (s->rest.len == 0)
        return false;
    *line = line_of(s, false);
    if (line->len == 0)
        return false;
    line_of(s, true);
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The first word of *rest, which begins behind the blanks after it. */
static struct str take_word(struct str *rest)
{
    size_t len = 0, next;
    struct str word;

    while (len < rest->len && !is_blank(rest->ptr[len]))
        len++;
    for (next = len; next < rest->len && is_blank(rest->ptr[next]);)
        next++;
    word = str_make(rest->ptr, len);
    *rest = str_make(rest->ptr + next, rest->len - next);
    return word;
}

static bool accept_word(struct str *rest, const char *word)
{
    struct str copy = *rest;

    if (!str_eq_c(take_word(&copy), word))
        return false;
    *rest = copy;
    return true;
}

static bool is_duration(struct str text, int64_t *ms)
{
    bool negative = text.len > 1 && text.ptr[0] == '-';

    if (negative)
        text = str_make(text.ptr + 1, text.len - 1);
    if (!promql_parse_duration(text, ms))
        return false;
    *ms = negative ? -*ms : *ms;
    return true;
}

static enum err_code take_duration(struct block *b, struct str *rest, int64_t *ms)
{
    struct str word = take_word(rest);

    if (is_duration(word, ms))
        return ERR_OK;
    return err_set(b->e, ERR_INVALID, "\"%.*s\" is not a duration", STR_ARG(word));
}

static enum err_code take_keyed(struct block *b, struct str *rest, const char *key, int64_t *ms)
{
    if (!accept_word(rest, key))
        return err_set(b->e, ERR_INVALID, "\"%s\" is missing", key);
    return take_duration(b, rest, ms);
}

/* One more item in an array of the arena, zeroed. */
static void *push(struct block *b, void *items, size_t *count, size_t size)
{
    struct arena *a = &b->script->arena;
    void *more = items;

    if ((*count & (*count - 1)) == 0) {
        more = arena_array(a, *count ? 2 * *count : 1, size);
        if (more && *count)
            memcpy(more, items, *count * size);
    }
    if (more)
        memset((char *)more + (*count)++ * size, 0, size);
    return more;
}

static enum err_code add_row(struct block *b, struct script_row **rows, size_t *count,
                             struct str line, size_t position)
{
    struct script_row *more = push(b, *rows, count, sizeof(*more));

    if (!more)
        return arena_fail(&b->script->arena, b->e);
    *rows = more;
    more[*count - 1].text = line;
    more[*count - 1].position = position;
    return notation_read(&b->script->arena, line, &more[*count - 1].series, b->e);
}

/* --- load --- */

/* metric@st 0s -1m: the times at which counters began. */
static bool is_start_times(struct str line)
{
    return str_ends(take_word(&line), STR("@st"));
}

static enum err_code read_load(struct block *b, struct str word, struct str rest)
{
    struct script_load *load = &b->out->load;
    enum err_code rc = take_duration(b, &rest, &load->step_ms);
    struct str line;

    load->with_histograms = str_eq_c(word, "load_with_nhcb");
    if (!load->with_histograms && !str_eq_c(word, "load"))
        return err_set(b->e, ERR_INVALID, "unknown command \"%.*s\"", STR_ARG(word));
    if (rc == ERR_OK && rest.len > 0)
        return err_set(b->e, ERR_INVALID, "\"%.*s\" behind the step", STR_ARG(rest));
    while (rc == ERR_OK && next_line(b->script, &line)) {
        if (is_start_times(line))
            load->start_times = true;
        else
            rc = add_row(b, &load->rows, &load->row_count, line, 0);
    }
    return rc;
}

/* --- eval: what is expected --- */

/* As it is found anywhere in a text. */
static enum err_code compile_search(struct block *b, struct str pattern, struct regex **out)
{
    char *text = arena_printf(&b->script->arena, "(?s:.*)(?:%.*s)(?s:.*)", STR_ARG(pattern));

    if (!text)
        return arena_fail(&b->script->arena, b->e);
    return regex_compile(&b->script->arena, str_of(text), out, b->e);
}

static enum err_code add_note(struct block *b, enum script_about about, bool regex, bool any,
                              struct str text)
{
    struct script_eval *eval = &b->out->eval;
    struct script_note *more = push(b, eval->notes, &eval->note_count, sizeof(*more));

    if (!more)
        return arena_fail(&b->script->arena, b->e);
    eval->notes = more;
    more = &more[eval->note_count - 1];
    *more = (struct script_note){about, any, text, NULL};
    eval->fail = eval->fail || about == ABOUT_FAIL;
    return regex ? compile_search(b, text, &more->regex) : ERR_OK;
}

/* fail | warn | info, then nothing, msg: TEXT or regex: PATTERN */
static enum err_code read_about(struct block *b, enum script_about about, struct str rest)
{
    bool regex = str_starts(rest, STR("regex:")), text = str_starts(rest, STR("msg:"));
    size_t skip = regex ? 6 : text ? 4 : 0;

    if (rest.len > 0 && !regex && !text)
        return err_set(b->e, ERR_INVALID, "expect: neither msg: nor regex: \"%.*s\"",
                       STR_ARG(rest));
    return add_note(b, about, regex, rest.len == 0,
                    str_trim(str_make(rest.ptr + skip, rest.len - skip)));
}

static enum err_code read_string(struct block *b, struct str rest)
{
    static const struct promql_options options;
    struct expr *x = NULL;

    if (promql_parse(&b->script->arena, rest, &options, &x, NULL) != ERR_OK ||
        x->kind != EXPR_STRING)
        return err_set(b->e, ERR_INVALID, "expect string: a quoted text is missing");
    b->out->eval.has_string = true;
    b->out->eval.string = x->u.string;
    return ERR_OK;
}

/* from 10s to 1m step 10s */
static enum err_code read_range_vector(struct block *b, struct str rest)
{
    struct script_eval *eval = &b->out->eval;
    enum err_code rc = take_keyed(b, &rest, "from", &eval->vector_start_ms);

    if (rc == ERR_OK)
        rc = take_keyed(b, &rest, "to", &eval->vector_end_ms);
    if (rc == ERR_OK)
        rc = take_keyed(b, &rest, "step", &eval->vector_step_ms);
    eval->range_vector = true;
    return rc;
}

static enum err_code read_expect(struct block *b, struct str rest)
{
    struct script_eval *eval = &b->out->eval;
    struct str word = take_word(&rest);

    if (str_eq_c(word, "ordered") && rest.len == 0)
        eval->ordered = true;
    else if (str_eq_c(word, "no_warn") && rest.len == 0)
        eval->no_warn = true;
    else if (str_eq_c(word, "no_info") && rest.len == 0)
        eval->no_info = true;
    else if (str_eq_c(word, "fail"))
        return read_about(b, ABOUT_FAIL, rest);
    else if (str_eq_c(word, "warn"))
        return read_about(b, ABOUT_WARN, rest);
    else if (str_eq_c(word, "info"))
        return read_about(b, ABOUT_INFO, rest);
    else if (str_eq_c(word, "string"))
        return read_string(b, rest);
    else if (str_eq_c(word, "range") && accept_word(&rest, "vector"))
        return read_range_vector(b, rest);
    else
        return err_set(b->e, ERR_INVALID, "unknown: expect %.*s", STR_ARG(word));
    return ERR_OK;
}

/* --- eval --- */

/* The word behind "eval_", if any. */
static enum err_code read_suffix(struct block *b, struct str word)
{
    struct script_eval *eval = &b->out->eval;
    const struct str none = {NULL, 0};

    if (str_eq_c(word, "eval_fail"))
        eval->fail = true;
    else if (str_eq_c(word, "eval_ordered"))
        eval->ordered = true;
    else if (str_eq_c(word, "eval_warn"))
        return add_note(b, ABOUT_WARN, false, true, none);
    else if (str_eq_c(word, "eval_info"))
        return add_note(b, ABOUT_INFO, false, true, none);
    else if (!str_eq_c(word, "eval"))
        return err_set(b->e, ERR_INVALID, "unknown command \"%.*s\"", STR_ARG(word));
    return ERR_OK;
}

static enum err_code read_times(struct block *b, struct str *rest)
{
    struct script_eval *eval = &b->out->eval;
    enum err_code rc = ERR_OK;

    eval->range = accept_word(rest, "range");
    if (eval->range) {
        rc = take_keyed(b, rest, "from", &eval->start_ms);
        if (rc == ERR_OK)
            rc = take_keyed(b, rest, "to", &eval->end_ms);
        if (rc == ERR_OK)
            rc = take_keyed(b, rest, "step", &eval->step_ms);
        if (rc == ERR_OK && (eval->end_ms < eval->start_ms || eval->step_ms <= 0))
            return err_set(b->e, ERR_INVALID, "the range has no points");
    } else {
        if (!accept_word(rest, "instant"))
            return err_set(b->e, ERR_INVALID, "neither \"instant\" nor \"range\"");
        if (accept_word(rest, "at"))
            rc = take_duration(b, rest, &eval->start_ms);
        eval->end_ms = eval->start_ms;
    }
    eval->query = *rest;
    if (rc == ERR_OK && rest->len == 0)
        return err_set(b->e, ERR_INVALID, "no query");
    return rc;
}

/* A line of the older form, which ends the block; *done = it was one. */
static enum err_code read_failure(struct block *b, struct str line, bool *done)
{
    struct str word = take_word(&line);
    bool regex = str_eq_c(word, "expected_fail_regexp");

    *done = b->out->eval.fail && (regex || str_eq_c(word, "expected_fail_message"));
    return *done ? add_note(b, ABOUT_FAIL, regex, false, line) : ERR_OK;
}

static enum err_code read_result(struct block *b, struct str line, size_t position)
{
    struct script_eval *eval = &b->out->eval;
    struct script_row *row;
    enum err_code rc = add_row(b, &eval->rows, &eval->row_count, line, position);

    if (rc != ERR_OK)
        return rc;
    row = &eval->rows[eval->row_count - 1];
    eval->histogram = eval->histogram || row->series.histogram;
    if (row->series.count > 1 && !eval->range && !eval->range_vector)
        return err_set(b->e, ERR_INVALID, "more than one value of an instant query: %.*s",
                       STR_ARG(line));
    if (row->series.count == 0 && !eval->range && !eval->range_vector)
        return err_set(b->e, ERR_INVALID, "no value: %.*s", STR_ARG(line));
    return ERR_OK;
}

static enum err_code read_eval(struct block *b, struct str word, struct str rest)
{
    struct script_eval *eval = &b->out->eval;
    enum err_code rc = read_suffix(b, word);
    size_t position = 1;
    bool done = false;
    struct str line;

    if (rc == ERR_OK)
        rc = read_times(b, &rest);
    while (rc == ERR_OK && !done && next_line(b->script, &line)) {
        struct str tail = line;

        rc = read_failure(b, line, &done);
        if (rc != ERR_OK || done)
            break;
        if (accept_word(&tail, "expect")) {
            rc = read_expect(b, tail);
        } else if (notation_number(line, &eval->scalar_value)) {
            eval->scalar = done = true;
        } else {
            rc = read_result(b, line, position++);
        }
    }
    return rc;
}

/* --- Commands --- */

static void skip_block(struct script *s)
{
    struct str line;

    while (next_line(s, &line))
        continue;
}

enum err_code script_next(struct script *s, struct script_command *out, struct err *e)
{
    struct block b = {s, out, e};
    struct str line = {NULL, 0}, word;
    enum err_code rc = ERR_OK;

    memset(out, 0, sizeof(*out));
    while (s->rest.len > 0 && line.len == 0) {
        out->line = s->line;
        line = line_of(s, true);
    }
    if (line.len == 0)
        return ERR_OK;
    word = take_word(&line);
    if (str_eq_nocase(word, STR("clear"))) {
        out->kind = SCRIPT_CLEAR;
    } else if (str_starts(word, STR("load"))) {
        out->kind = SCRIPT_LOAD;
        rc = read_load(&b, word, line);
    } else {
        out->kind = SCRIPT_EVAL;
        rc = read_eval(&b, word, line);
    }
    if (rc != ERR_OK)
        skip_block(s);
    return rc;
}
