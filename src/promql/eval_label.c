/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_label.c: label_replace() and label_join(): new labels on the same rows.
 */
#include <string.h>

#include "base/limits.h"
#include "base/regex.h"
#include "promql/eval.h"

static struct str label_text(const struct expr *x, size_t i)
{
    return eval_unwrap(x->u.call.args[i])->u.string;
}

static bool label_is_name(struct str s)
{
    return s.len > 0 && str_is_utf8(s);
}

/* Two series of the same labels are an error, also when they have values at different steps. */
static enum err_code label_put(struct eval *ev, struct eval_row *row, const struct labels *labels,
                               uint32_t epoch)
{
    struct labelset *set;
    enum err_code rc = eval_intern(ev, labels, &set);

    if (rc != ERR_OK)
        return rc;
    if (set->epoch == epoch)
        return eval_same_labelset(ev);
    set->epoch = epoch;
    row->set = set;
    return ERR_OK;
}

/* --- label_replace(v, dst, replacement, src, regex) --- */

struct label_replacing {
    struct str dst, replacement, src;
    struct regex *regex;
    struct eval_scratch scratch;
    uint32_t epoch;
};

static enum err_code label_replace_row(struct eval *ev, struct label_replacing *r,
                                       struct eval_row *row)
{
    struct labels labels = row->set->labels;
    struct label label = {.name = r->dst};
    bool matched;
    enum err_code rc;

    rc = regex_expand(r->regex, ev->arena, labels_get(&labels, r->src), r->replacement, &matched,
                      &label.value, ev->err);
    if (rc == ERR_OK && regex_failed(r->regex))
        rc = err_set(ev->err, ERR_LIMIT,
                     "the regular expression of label_replace() takes too long");
    if (rc == ERR_OK && matched)
        rc = eval_labels_set(ev, &r->scratch, &row->set->labels, &label, &labels);
    return rc == ERR_OK ? label_put(ev, row, &labels, r->epoch) : rc;
}

enum err_code eval_label_replace(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    struct label_replacing r = {
        .dst = label_text(x, 1), .replacement = label_text(x, 2), .src = label_text(x, 3)};
    struct str pattern = label_text(x, 4);
    enum err_code rc;

    if (regex_compile(ev->arena, pattern, &r.regex, ev->err) != ERR_OK)
        return eval_fail(ev, "invalid regular expression in label_replace(): %.*s",
                         STR_ARG(pattern));
    if (!label_is_name(r.dst))
        return eval_fail(ev, "invalid destination label name in label_replace(): %.*s",
                         STR_ARG(r.dst));
    rc = eval_vec(ev, x->u.call.args[0], out);
    r.epoch = eval_epoch(ev);
    for (size_t i = 0; rc == ERR_OK && i < out->count; i++) {
        rc = eval_check(ev);
        if (rc == ERR_OK)
            rc = label_replace_row(ev, &r, &out->rows[i]);
    }
    return rc;
}

/* --- label_join(v, dst, separator, src...) --- */

static enum err_code label_join_text(struct eval *ev, const struct expr *x,
                                     const struct labels *labels, struct str *out)
{
    struct str separator = label_text(x, 2);
    size_t len = 0, at = 0;
    char *text;

    for (size_t i = 3; i < x->u.call.count; i++)
        len += labels_get(labels, label_text(x, i)).len + separator.len;
    text = arena_alloc(ev->arena, len + 1);
    if (!text)
        return eval_full(ev);
    for (size_t i = 3; i < x->u.call.count; i++) {
        struct str value = labels_get(labels, label_text(x, i));

        if (i > 3 && separator.len > 0)
            memcpy(text + at, separator.ptr, separator.len);
        at += i > 3 ? separator.len : 0;
        if (value.len > 0)
            memcpy(text + at, value.ptr, value.len);
        at += value.len;
    }
    *out = str_make(text, at);
    return ERR_OK;
}

enum err_code eval_label_join(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    struct label label = {.name = label_text(x, 1)};
    struct eval_scratch scratch = {0};
    uint32_t epoch;
    enum err_code rc;

    for (size_t i = 3; i < x->u.call.count; i++) {
        if (!label_is_name(label_text(x, i)))
            return eval_fail(ev, "invalid source label name in label_join(): %.*s",
                             STR_ARG(label_text(x, i)));
    }
    if (!label_is_name(label.name))
        return eval_fail(ev, "invalid destination label name in label_join(): %.*s",
                         STR_ARG(label.name));
    rc = eval_vec(ev, x->u.call.args[0], out);
    epoch = eval_epoch(ev);
    for (size_t i = 0; rc == ERR_OK && i < out->count; i++) {
        struct labels labels;

        rc = label_join_text(ev, x, &out->rows[i].set->labels, &label.value);
        if (rc == ERR_OK)
            rc = eval_labels_set(ev, &scratch, &out->rows[i].set->labels, &label, &labels);
        if (rc == ERR_OK)
            rc = label_put(ev, &out->rows[i], &labels, epoch);
    }
    return rc;
}
