/* SPDX-License-Identifier: PostgreSQL */
/*
 * flatten_form.c: see the header.
 *
 * A form is a row of holes, each with the length of the text before it, and the text behind the
 * last. Invariants: (1) a hole is a whole number of JSON, or a text for a time, and the texts
 * between are byte by byte what they were (by a fingerprint under a random key), so the document
 * has the same tree as the one that was learned; (2) nothing but value and times of an item, and
 * the time of the push, is in a hole; (3) bytes are looked at within the text and its NUL alone.
 */
#include "model/flatten_form.h"

#include <string.h>

#include "base/alloc.h"
#include "base/fingerprint.h"
#include "base/limits.h"
#include "model/flatten_part.h"
#include "os/entropy.h"

enum hole_kind { HOLE_VALUE, HOLE_TIME, HOLE_PUSH_TIME };

struct hole {
    uint32_t before : 30; /* bytes of text that stands as it is */
    uint32_t kind : 2;
};
#define BEFORE_MAX ((1U << 30) - 1)

struct flatten_form {
    struct fingerprint_key key;
    struct fingerprint print;
    uint64_t number; /* of the rows */
    size_t item_count;
    bool timed;
    struct str collector_id, hostname, version; /* own */
    size_t hole_count, hole_cap;
    struct hole *holes;
};

/* --- learning --- */

struct learner {
    const char *at, *end, *last; /* last: behind the hole before */
    struct flatten_form *form;
    struct str time; /* the text of the items' time */
    size_t values, times;
    bool push_time, failed;
};

static void skip_space(struct learner *l)
{
    while (l->at < l->end && (*l->at == ' ' || *l->at == '\t' || *l->at == '\n' || *l->at == '\r'))
        l->at++;
}

static bool take(struct learner *l, char c)
{
    skip_space(l);
    if (l->at == l->end || *l->at != c)
        return false;
    l->at++;
    return true;
}

/* A text with its quotes. *plain: nothing in it is escaped. */
static struct str take_text(struct learner *l, bool *plain)
{
    const char *start = l->at;

    *plain = true;
    if (!take(l, '"')) {
        l->failed = true;
        return STR("");
    }
    for (; l->at < l->end && *l->at != '"'; l->at++) {
        if (*l->at == '\\') {
            *plain = false;
            l->at += l->at + 1 < l->end;
        }
    }
    l->failed |= !take(l, '"');
    return str_make(start, (size_t)(l->at - start));
}

/* The name of a member; what is escaped in it is not looked for. */
static struct str take_name(struct learner *l)
{
    struct str name;
    bool plain;

    skip_space(l);
    name = take_text(l, &plain);
    l->failed |= !plain || !take(l, ':');
    skip_space(l);
    return l->failed ? STR("") : str_make(name.ptr + 1, name.len - 2);
}

static void skip_value(struct learner *l)
{
    size_t depth = 0;
    bool plain;

    do {
        char c = l->at < l->end ? *l->at : '\0';

        if (c == '"') {
            (void)take_text(l, &plain);
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            return;
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        l->failed |= c == '\0';
        l->at++;
    } while (!l->failed && (depth > 0 || (*l->at != ',' && *l->at != '}' && *l->at != ']')));
}

static struct str take_number(struct learner *l)
{
    const char *start = l->at;
    struct json_scalar value;
    const char *end = json_read_number(start, &value);

    if (!end || end > l->end) {
        l->failed = true;
        return STR("");
    }
    l->at = end;
    return str_make(start, (size_t)(end - start));
}

static void add_hole(struct learner *l, enum hole_kind kind, struct str text)
{
    struct flatten_form *f = l->form;
    size_t before;

    l->failed |= f->hole_count == LIMIT_FORM_HOLES;
    if (l->failed)
        return;
    before = (size_t)(text.ptr - l->last);
    if (before > BEFORE_MAX) {
        l->failed = true;
        return;
    }
    if (f->hole_count == f->hole_cap) {
        f->hole_cap = f->hole_cap ? 2 * f->hole_cap : 2 * f->item_count + 1;
        f->holes = alloc_resize(f->holes, f->hole_cap * sizeof(*f->holes));
    }
    f->holes[f->hole_count++] = (struct hole){(uint32_t)before & BEFORE_MAX, kind};
    fingerprint_add(&f->print, &f->key, str_make(l->last, before));
    l->last = text.ptr + text.len;
}

static struct str take_time(struct learner *l)
{
    struct str text;
    bool plain;

    if (*l->at != '"')
        return take_number(l);
    text = take_text(l, &plain);
    l->failed |= !plain;
    return text;
}

static void learn_item_time(struct learner *l)
{
    struct str text = take_time(l);

    if (l->times++ == 0)
        l->time = text;
    l->failed |= !str_eq(text, l->time);
    add_hole(l, HOLE_TIME, text);
}

static void learn_item(struct learner *l)
{
    size_t values = l->values, times = l->times;

    skip_space(l);
    l->failed |= !take(l, '{');
    do {
        struct str name = take_name(l);

        if (l->failed)
            return;
        if (str_eq(name, STR("value"))) {
            add_hole(l, HOLE_VALUE, take_number(l));
            l->values++;
        } else if (str_eq(name, STR("timestamp"))) {
            learn_item_time(l);
        } else {
            l->failed |= str_eq(name, STR("type")) || str_eq(name, STR("data"));
            skip_value(l);
        }
    } while (!l->failed && take(l, ','));
    l->failed |= !take(l, '}') || l->values != values + 1 || l->times > times + 1;
}

static void learn_items(struct learner *l)
{
    l->failed |= !take(l, '[') || l->values > 0;
    do
        learn_item(l);
    while (!l->failed && take(l, ','));
    l->failed |= !take(l, ']');
}

static void learn_push_time(struct learner *l)
{
    l->failed |= l->push_time;
    l->push_time = true;
    if (*l->at == 'n') /* null: none is told */
        skip_value(l);
    else
        add_hole(l, HOLE_PUSH_TIME, take_time(l));
}

static void learn_push(struct learner *l)
{
    l->failed |= !take(l, '{');
    do {
        struct str name = take_name(l);

        if (l->failed)
            return;
        if (str_eq(name, STR("metrics")))
            learn_items(l);
        else if (str_eq(name, STR("timestamp")))
            learn_push_time(l);
        else
            skip_value(l);
    } while (!l->failed && take(l, ','));
    l->failed |= !take(l, '}') || l->values != l->form->item_count;
    l->failed |= l->times != 0 && l->times != l->values;
}

/* Whether it was loose samples of one time, all of which were taken. */
static bool is_fit(const struct flatten *flat)
{
    const struct batch *b = &flat->batch;

    return flat->refusal_count == 0 && b->slice_count == 1 && b->relation_count == 0 &&
           b->event_count == 0 && b->text_count == 0 &&
           str_eq_c(b->slices[0].relation, FLATTEN_SAMPLE) &&
           b->slices[0].row_count == flat->item_count && b->slices[0].column_count == 1;
}

static struct str keep(struct str text)
{
    return str_make(alloc_strndup(text.ptr, text.len), text.len);
}

static struct flatten_form *form_new(const struct flatten *flat)
{
    struct flatten_form *f = alloc_new(sizeof(*f));
    unsigned char random[16];

    entropy_fill(random, sizeof(random));
    fingerprint_key_of(random, &f->key);
    entropy_fill(&f->number, sizeof(f->number));
    f->number += f->number == 0;
    f->print = fingerprint_begin(&f->key);
    f->item_count = flat->item_count;
    f->timed = flat->timed;
    f->collector_id = keep(flat->collector_id);
    f->hostname = keep(flat->hostname);
    f->version = keep(flat->version);
    return f;
}

struct flatten_form *flatten_form_learn(struct str text, struct flatten *flat)
{
    struct learner l = {.at = text.ptr, .end = text.ptr + text.len, .last = text.ptr};
    struct flatten_form *f;

    if (!is_fit(flat))
        return NULL;
    l.form = f = form_new(flat);
    learn_push(&l);
    if (l.failed || f->timed != (l.times > 0)) {
        flatten_form_free(f);
        return NULL;
    }
    fingerprint_add(&f->print, &f->key, str_make(l.last, (size_t)(l.end - l.last)));
    fingerprint_end(&f->print, &f->key);
    flat->batch.slices[0].rows_like = f->number;
    return f;
}

void flatten_form_free(void *form)
{
    struct flatten_form *f = form;

    if (!f)
        return;
    alloc_free((char *)(uintptr_t)f->collector_id.ptr);
    alloc_free((char *)(uintptr_t)f->hostname.ptr);
    alloc_free((char *)(uintptr_t)f->version.ptr);
    alloc_free(f->holes);
    alloc_free(f);
}

size_t flatten_form_bytes(const struct flatten_form *f)
{
    return sizeof(*f) + f->hole_cap * sizeof(*f->holes);
}

/* --- reading --- */

struct reading {
    const char *at, *end;
    struct str time, push_time; /* as they stand there */
    struct cell *cells;
    size_t count;
};

static bool read_value(struct reading *r)
{
    struct json_scalar value;
    const char *end = json_read_number(r->at, &value);

    if (!end || end > r->end)
        return false;
    r->at = end;
    if (value.type == JSON_F64)
        r->cells[r->count++] = cell_f64(value.f64);
    else if (value.type == JSON_U64)
        r->cells[r->count++] = cell_u64(value.u64);
    else
        r->cells[r->count++] = cell_i64(value.i64);
    return true;
}

/* A number, or a text in which nothing is escaped. */
static bool read_token(struct reading *r, struct str *out)
{
    const char *end = r->at;
    struct json_scalar number;

    if (r->at < r->end && *r->at == '"') {
        for (end++; end < r->end && *end != '"'; end++) {
            if (*end == '\\')
                return false;
        }
        end += end < r->end;
    } else {
        end = json_read_number(r->at, &number);
    }
    if (!end || end > r->end)
        return false;
    *out = str_make(r->at, (size_t)(end - r->at));
    r->at = end;
    return true;
}

/* All items of a push have one time, so that of the others is only compared. */
static bool read_time(struct reading *r)
{
    if (r->time.len == 0)
        return read_token(r, &r->time);
    if ((size_t)(r->end - r->at) < r->time.len || memcmp(r->at, r->time.ptr, r->time.len) != 0)
        return false;
    r->at += r->time.len;
    return true;
}

static bool read_hole(struct reading *r, enum hole_kind kind)
{
    switch (kind) {
    case HOLE_VALUE:
        return read_value(r);
    case HOLE_TIME:
        return read_time(r);
    default:
        return read_token(r, &r->push_time);
    }
}

static bool read_holes(const struct flatten_form *f, struct reading *r)
{
    struct fingerprint print = fingerprint_begin(&f->key);

    for (size_t i = 0; i < f->hole_count; i++) {
        size_t before = f->holes[i].before;

        if ((size_t)(r->end - r->at) < before)
            return false;
        fingerprint_add(&print, &f->key, str_make(r->at, before));
        r->at += before;
        if (!read_hole(r, f->holes[i].kind))
            return false;
    }
    fingerprint_add(&print, &f->key, str_make(r->at, (size_t)(r->end - r->at)));
    fingerprint_end(&print, &f->key);
    return fingerprint_eq(print, f->print);
}

/* What the token means as a time; an empty one leaves *ms. */
static bool settle_time(struct str token, int64_t *ms)
{
    static const struct json_limits limits = {.max_bytes = LIMIT_KEY_BYTES, .max_depth = 1};
    struct json_doc *doc = NULL;
    bool is_time;

    if (token.len == 0)
        return true;
    if (json_parse(token, &limits, &doc, NULL) != ERR_OK)
        return false;
    is_time = flatten_word_instant(json_root(doc), ms);
    json_doc_free(doc);
    return is_time;
}

static bool fill(const struct flatten_form *f, struct arena *a, const struct reading *r,
                 struct flatten *out)
{
    struct slice *s = arena_alloc(a, sizeof(*s));
    struct slice_column *column = arena_alloc(a, sizeof(*column));
    struct str *names = arena_array(a, 2, sizeof(*names));

    if (!s || !column || !names)
        return false;
    names[0] = STR("name");
    names[1] = STR("labels");
    column->name = STR("value");
    column->cells = r->cells;
    *s = (struct slice){.relation = STR(FLATTEN_SAMPLE),
                        .row_count = r->count,
                        .key_count = 2,
                        .key_names = names,
                        .rows_like = f->number,
                        .column_count = 1,
                        .columns = column};
    out->batch.slices = s;
    out->batch.slice_count = 1;
    out->collector_id = arena_str(a, f->collector_id);
    out->hostname = arena_str(a, f->hostname);
    out->version = arena_str(a, f->version);
    out->item_count = f->item_count;
    out->timed = f->timed;
    out->has_database = true;
    return !a->overflow;
}

bool flatten_form_read(const struct flatten_form *f, struct arena *a, struct str text,
                       const struct flatten_spec *spec, struct flatten *out)
{
    struct reading r = {.at = text.ptr, .end = text.ptr + text.len};
    int64_t t_ms = spec->now_ms;
    struct slice *s;

    *out = (struct flatten){.batch.made_ms = spec->now_ms};
    r.cells = arena_array(a, f->item_count, sizeof(*r.cells));
    if (!r.cells || !read_holes(f, &r) || r.count != f->item_count || !fill(f, a, &r, out))
        return false;
    if (!settle_time(r.push_time, &t_ms) || !settle_time(r.time, &t_ms))
        return false;
    s = out->batch.slices;
    s->target = spec->database;
    s->t_ms = s->from_ms = t_ms;
    return true;
}
