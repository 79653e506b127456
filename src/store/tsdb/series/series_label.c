/* SPDX-License-Identifier: PostgreSQL */
/* series_label.c: the labels of a series, from its target, its keys and its name. */
#include "store/tsdb/series/series_part.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

#define OTHER_TEXT  "text" /* the label of a text where "value" is a key */
#define EXPORTED    "exported_"
#define SLOTS_MORE  12 /* beside keys, labels of the target and of an alias */
#define ALIAS_SLOTS 8

/* --- the template --- */

static struct series_slot *find_slot(struct series_template *t, struct str name)
{
    for (size_t i = 0; i < t->count; i++) {
        if (str_eq(t->slots[i].name, name))
            return &t->slots[i];
    }
    return NULL;
}

static void add_slot(struct series_template *t, struct series_slot slot)
{
    if (!find_slot(t, slot.name))
        t->slots[t->count++] = slot;
}

static void add_fixed(struct series_template *t, struct str name, struct str value)
{
    add_slot(t, (struct series_slot){.name = name, .kind = SERIES_SLOT_FIXED, .value = value});
}

static void add_keys(struct series_template *t, const struct series_template_spec *spec)
{
    for (size_t k = 0; k < spec->relation->key_count; k++)
        add_slot(t, (struct series_slot){
                        .name = spec->relation->keys[k].name, .kind = SERIES_SLOT_KEY, .key = k});
    if (spec->scope.len)
        add_fixed(t, STR(SERIES_SCOPE), spec->scope);
}

static void add_text(struct series_template *t, const struct series_template_spec *spec)
{
    struct str name = find_slot(t, STR(SERIES_TEXT_LABEL)) ? STR(OTHER_TEXT)
                                                           : STR(SERIES_TEXT_LABEL);

    if (spec->relation->columns[spec->pick->column].kind == RELATION_TEXT)
        add_slot(t, (struct series_slot){.name = name, .kind = SERIES_SLOT_TEXT});
}

static void add_alias(struct series_template *t, const struct series_template_spec *spec)
{
    const struct series_alias *alias = spec->pick->alias;
    struct str rest = str_of(alias->labels), label, key;
    bool fixed = false;

    while (series_alias_next(&rest, &label, &key, &fixed)) {
        int at = relation_find_key(spec->relation, key);
        const struct series_slot *scope = find_slot(t, key);
        if (fixed)
            add_fixed(t, label, key);
        else if (str_eq_c(key, SERIES_ALIAS_TEXT))
            add_slot(t, (struct series_slot){.name = label, .kind = SERIES_SLOT_TEXT});
        else if (at >= 0)
            add_slot(
                t, (struct series_slot){.name = label, .kind = SERIES_SLOT_KEY, .key = (size_t)at});
        else if (scope && scope->kind == SERIES_SLOT_FIXED)
            add_fixed(t, label, scope->value);
    }
    add_fixed(t, STR(SERIES_ALIAS_SERVER), labels_get(spec->target, STR("instance")));
}

/* What we say of a target yields to what the row says itself, but for its name. */
static enum err_code add_target(struct arena *a, struct series_template *t,
                                const struct labels *target, struct err *e)
{
    struct series_slot *taken = find_slot(t, STR(SERIES_TARGET_LABEL));

    if (taken) {
        const char *name = arena_printf(a, EXPORTED "%.*s", STR_ARG(taken->name));
        if (!name)
            return arena_fail(a, e);
        taken->name = str_of(name);
    }
    for (size_t i = 0; i < target->count; i++)
        add_fixed(t, target->items[i].name, target->items[i].value);
    add_fixed(t, STR("job"), STR(SERIES_JOB));
    return ERR_OK;
}

static int by_name(const void *x, const void *y)
{
    return str_cmp(((const struct series_slot *)x)->name, ((const struct series_slot *)y)->name);
}

/* Sort the matchers by where their label comes from; false = one does not match in any case. */
static bool sort_matcher(struct series_template *t, const struct matcher *m)
{
    const struct series_slot *slot = find_slot(t, m->name);

    if (!slot)
        return matcher_match(m, STR(""));
    switch (slot->kind) {
    case SERIES_SLOT_FIXED:
        return matcher_match(m, slot->value);
    case SERIES_SLOT_KEY:
        t->key_matchers[t->key_matcher_count++] = (struct tsdb_key_test){m, slot->key};
        break;
    case SERIES_SLOT_TEXT:
        t->text_matchers[t->text_matcher_count++] = m;
        break;
    }
    return true;
}

/* The row that an alias means, as one more matcher. */
static enum err_code add_filter(struct arena *a, struct series_template *t,
                                const struct series_template_spec *spec, bool *match, struct err *e)
{
    struct str value = str_of(spec->pick->alias->filter);
    struct str key = str_split(&value, '=');
    struct matcher *m = arena_alloc(a, sizeof(*m));

    if (!m)
        return arena_fail(a, e);
    *m = (struct matcher){.kind = MATCHER_EQUAL, .name = key, .value = value};
    *match = sort_matcher(t, m);
    return ERR_OK;
}

enum err_code series_template_make(struct arena *a, const struct series_template_spec *spec,
                                   struct series_template *out, bool *match, struct err *e)
{
    size_t room = spec->relation->key_count + spec->target->count + SLOTS_MORE + ALIAS_SLOTS;
    enum err_code rc = ERR_OK;

    memset(out, 0, sizeof(*out));
    out->slots = arena_array(a, room, sizeof(*out->slots));
    out->key_matchers = arena_array(a, spec->matcher_count + 1, sizeof(*out->key_matchers));
    out->text_matchers = arena_array(a, spec->matcher_count + 1, sizeof(struct matcher *));
    if (!out->slots || !out->key_matchers || !out->text_matchers)
        return arena_fail(a, e);
    add_fixed(out, STR(SERIES_NAME_LABEL), spec->pick->name);
    add_keys(out, spec);
    add_text(out, spec);
    if (spec->pick->alias)
        add_alias(out, spec);
    rc = add_target(a, out, spec->target, e);
    *match = true;
    if (rc == ERR_OK && spec->pick->alias && spec->pick->alias->filter)
        rc = add_filter(a, out, spec, match, e);
    for (size_t i = 0; rc == ERR_OK && *match && i < spec->matcher_count; i++)
        *match = sort_matcher(out, &spec->matchers[i]);
    qsort(out->slots, out->count, sizeof(*out->slots), by_name);
    return rc;
}

bool series_template_wants(const struct series_template *t, const struct str *keys)
{
    for (size_t i = 0; i < t->key_matcher_count; i++) {
        if (!matcher_match(t->key_matchers[i].matcher, keys[t->key_matchers[i].key]))
            return false;
    }
    return true;
}

bool series_template_wants_text(const struct series_template *t, struct str text)
{
    for (size_t i = 0; i < t->text_matcher_count; i++) {
        if (!matcher_match(t->text_matchers[i], text))
            return false;
    }
    return true;
}

enum err_code series_template_fill(const struct series_template *t, struct arena *a,
                                   const struct series_identity *who, struct labels *out,
                                   struct err *e)
{
    struct label *items = arena_array(a, t->count, sizeof(*items));
    size_t count = 0;

    if (!items)
        return arena_fail(a, e);
    for (size_t i = 0; i < t->count; i++) {
        const struct series_slot *slot = &t->slots[i];
        struct str value = slot->kind == SERIES_SLOT_FIXED ? slot->value
                           : slot->kind == SERIES_SLOT_KEY ? who->keys[slot->key]
                                                           : who->text;
        if (value.len)
            items[count++] = (struct label){slot->name, value};
    }
    *out = (struct labels){count, items};
    return ERR_OK;
}

/* --- loose samples --- */

/* One character of a quoted value, which may be escaped; false at the closing quote. */
static bool next_char(struct str *rest, char *out)
{
    if (rest->len == 0 || rest->ptr[0] == '"')
        return false;
    if (rest->ptr[0] == '\\' && rest->len > 1) {
        rest->ptr++;
        rest->len--;
        *out = rest->ptr[0] == 'n' ? '\n' : rest->ptr[0];
    } else {
        *out = rest->ptr[0];
    }
    rest->ptr++;
    rest->len--;
    return true;
}

bool series_label_next(struct arena *a, struct str *rest, struct label *out)
{
    char *value = NULL;
    size_t len = 0;
    char c;

    if (rest->len < 4 || rest->ptr[0] == '}')
        return false;
    rest->ptr++; /* the brace or the comma */
    rest->len--;
    out->name = str_split(rest, '=');
    value = arena_alloc(a, rest->len);
    if (!value || rest->len < 2)
        return false;
    rest->ptr++;
    rest->len--;
    while (next_char(rest, &c))
        value[len++] = c;
    if (rest->len) {
        rest->ptr++;
        rest->len--;
    }
    out->value = str_make(value, len);
    return true;
}

static bool has_label(const struct label *items, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(items[i].name, name))
            return true;
    }
    return false;
}

static void add_label(struct label *items, size_t *count, struct str name, struct str value)
{
    if (value.len && !has_label(items, *count, name))
        items[(*count)++] = (struct label){name, value};
}

static int by_label(const void *x, const void *y)
{
    return label_compare(x, y);
}

enum err_code series_label_loose(struct arena *a, const struct series_loose *of, struct labels *out,
                                 struct err *e)
{
    const struct labels *target = of->target;
    struct str text = of->text;
    size_t room = LIMIT_RELATION_KEYS + target->count + SLOTS_MORE;
    struct label *items = arena_array(a, room, sizeof(*items));
    struct label one;
    size_t count = 0;

    if (!items)
        return arena_fail(a, e);
    add_label(items, &count, STR(SERIES_NAME_LABEL), of->name);
    while (count < LIMIT_RELATION_KEYS + 1 && series_label_next(a, &text, &one)) {
        if (str_eq_c(one.name, SERIES_TARGET_LABEL))
            one.name = STR(EXPORTED SERIES_TARGET_LABEL);
        add_label(items, &count, one.name, one.value);
    }
    for (size_t i = 0; i < target->count; i++)
        add_label(items, &count, target->items[i].name, target->items[i].value);
    add_label(items, &count, STR("job"), STR(SERIES_JOB));
    qsort(items, count, sizeof(*items), by_label);
    *out = (struct labels){count, items};
    return arena_check(a, e);
}
