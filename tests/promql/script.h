/* SPDX-License-Identifier: PostgreSQL */
/*
 * script.h: a file of PromQL tests, command by command.
 *
 * The format is that of Prometheus's own tests: load, clear, eval with what is expected of it, in
 * its older form (eval_fail, expected_fail_message) and its newer one (expect fail msg: ...).
 * Everything lives in the script's arena.
 */
#ifndef PROMQL_SCRIPT_H
#define PROMQL_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/regex.h"
#include "base/str.h"
#include "notation.h"

enum script_kind { SCRIPT_END, SCRIPT_CLEAR, SCRIPT_LOAD, SCRIPT_EVAL };

enum script_about { ABOUT_FAIL, ABOUT_WARN, ABOUT_INFO };

/* That there is an error, a warning or an info; maybe which. */
struct script_note {
    enum script_about about;
    bool any;
    struct str text;     /* as written */
    struct regex *regex; /* NULL: the text itself */
};

struct script_row {
    struct str text; /* as written */
    struct notation series;
    size_t position; /* among the lines, from 1: for ordered results */
};

struct script_load {
    int64_t step_ms;
    bool with_histograms; /* load_with_nhcb */
    bool start_times;     /* has lines metric@st: of newer releases, not read */
    size_t row_count;
    struct script_row *rows;
};

struct script_eval {
    struct str query;
    bool range; /* query */
    int64_t start_ms, end_ms, step_ms;
    bool fail, ordered, no_warn, no_info;
    size_t note_count;
    struct script_note *notes;
    bool scalar;
    double scalar_value;
    bool has_string;
    struct str string;
    bool range_vector; /* an instant query whose result has more than one point a series */
    int64_t vector_start_ms, vector_end_ms, vector_step_ms;
    bool histogram; /* is expected */
    size_t row_count;
    struct script_row *rows;
};

struct script_command {
    enum script_kind kind;
    size_t line; /* from 1 */
    struct script_load load;
    struct script_eval eval;
};

struct script {
    struct arena arena;
    struct str rest;
    size_t line; /* of `rest`, from 1 */
};

void script_init(struct script *s, struct str text); /* `text` stays the caller's */
void script_fini(struct script *s);
/* ERR_INVALID: the block is wrong; the next call goes on behind it. out->line is set. */
enum err_code script_next(struct script *s, struct script_command *out,
                          struct err *e) ERR_MUST_CHECK;

#endif
