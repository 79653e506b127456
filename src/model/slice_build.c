/* SPDX-License-Identifier: PostgreSQL */
/*
 * slice_build.c: a slice that grows row by row, in an arena.
 *
 * Invariant: slice->row_count <= row_cap, and each array of keys and cells has row_cap places. Once
 * the arena has overflowed `slice` is NULL, and every call does nothing until slice_build_end.
 */
#include <string.h>

#include "base/limits.h"
#include "model/batch.h"

#define SLICE_FIRST_ROWS 16

/* A larger copy of an array; NULL when the arena is full. */
static void *slice_grow(struct arena *a, const void *old, size_t count, size_t cap, size_t size)
{
    void *bigger = arena_array(a, cap, size);

    if (bigger && count > 0)
        memcpy(bigger, old, count * size);
    return bigger;
}

void slice_build_begin(struct slice_builder *sb, struct arena *a, const struct relation *r,
                       const struct uuid *target, struct str scope, const struct slice_times *times)
{
    struct slice *s = arena_alloc(a, sizeof(*s));

    *sb = (struct slice_builder){.arena = a, .relation = r};
    if (!s)
        return;
    s->relation = arena_str(a, r->name);
    s->target = *target;
    s->scope = arena_str(a, scope);
    s->t_ms = times->t_ms;
    s->from_ms = times->from_ms < times->t_ms ? times->from_ms : times->t_ms; /* a clock set back */
    s->every_ms = times->every_ms;
    s->key_count = r->key_count;
    s->key_names = arena_array(a, r->key_count, sizeof(*s->key_names));
    s->keys = arena_array(a, r->key_count, sizeof(*s->keys));
    s->column_count = r->column_count;
    s->columns = arena_array(a, r->column_count, sizeof(*s->columns));
    for (size_t k = 0; !a->overflow && k < r->key_count; k++)
        s->key_names[k] = arena_str(a, r->keys[k].name);
    for (size_t c = 0; !a->overflow && c < r->column_count; c++)
        s->columns[c].name = arena_str(a, r->columns[c].name);
    if (!a->overflow)
        sb->slice = s;
}

static void slice_grow_rows(struct slice_builder *sb)
{
    size_t cap = sb->row_cap ? sb->row_cap * 2 : SLICE_FIRST_ROWS;
    struct slice *s = sb->slice;

    for (size_t k = 0; k < s->key_count; k++)
        s->keys[k] = slice_grow(sb->arena, s->keys[k], s->row_count, cap, sizeof(*s->keys[k]));
    for (size_t c = 0; c < s->column_count; c++)
        s->columns[c].cells = slice_grow(sb->arena, s->columns[c].cells, s->row_count, cap,
                                         sizeof(*s->columns[c].cells));
    sb->row_cap = cap;
    if (sb->arena->overflow)
        sb->slice = NULL;
}

static struct str slice_copy_key(struct slice_builder *sb, struct str key)
{
    if (key.len > LIMIT_KEY_BYTES)
        sb->over = true;
    return sb->over ? (struct str){NULL, 0} : arena_str(sb->arena, key);
}

void slice_build_row(struct slice_builder *sb, const struct str *keys)
{
    struct slice *s = sb->slice;

    if (s && s->row_count == LIMIT_SLICE_ROWS)
        sb->over = true;
    if (!s || sb->over)
        return;
    if (s->row_count == sb->row_cap)
        slice_grow_rows(sb);
    if (!sb->slice)
        return;
    for (size_t k = 0; k < s->key_count; k++)
        s->keys[k][s->row_count] = slice_copy_key(sb, keys[k]);
    s->row_count++;
}

void slice_build_cell(struct slice_builder *sb, size_t column, struct cell value)
{
    struct slice *s = sb->slice;

    if (!s || sb->over || s->row_count == 0 || column >= s->column_count)
        return;
    if (value.tag == CELL_STR && value.str.len > LIMIT_TEXT_BYTES) {
        sb->over = true;
        return;
    }
    if (value.tag == CELL_STR)
        value.str = arena_str(sb->arena, value.str);
    s->columns[column].cells[s->row_count - 1] = value;
}

void slice_build_gone(struct slice_builder *sb, const struct str *keys)
{
    struct slice *s = sb->slice;
    struct str *tuple;

    if (s && s->gone_count == LIMIT_SLICE_ROWS)
        sb->over = true;
    if (!s || sb->over)
        return;
    if (s->gone_count == sb->gone_cap) {
        sb->gone_cap = sb->gone_cap ? sb->gone_cap * 2 : SLICE_FIRST_ROWS;
        s->gone = slice_grow(sb->arena, s->gone, s->gone_count, sb->gone_cap, sizeof(*s->gone));
    }
    tuple = arena_array(sb->arena, s->key_count, sizeof(*tuple));
    if (!s->gone || !tuple) {
        sb->slice = NULL;
        return;
    }
    for (size_t k = 0; k < s->key_count; k++)
        tuple[k] = slice_copy_key(sb, keys[k]);
    s->gone[s->gone_count++] = tuple;
}

void slice_build_reset(struct slice_builder *sb)
{
    struct slice *s = sb->slice;
    uint32_t row;

    if (!s || sb->over || s->row_count == 0)
        return;
    row = (uint32_t)(s->row_count - 1);
    if (s->reset_count > 0 && s->resets[s->reset_count - 1] == row)
        return;
    if (s->reset_count == sb->reset_cap) {
        sb->reset_cap = sb->reset_cap ? sb->reset_cap * 2 : SLICE_FIRST_ROWS;
        s->resets = slice_grow(sb->arena, s->resets, s->reset_count, sb->reset_cap,
                               sizeof(*s->resets));
    }
    if (s->resets)
        s->resets[s->reset_count++] = row;
    else
        sb->slice = NULL;
}

enum err_code slice_build_end(struct slice_builder *sb, unsigned flags, struct slice **out,
                              struct err *e)
{
    enum err_code rc = arena_check(sb->arena, e);

    if (rc == ERR_OK && sb->over)
        rc = err_set(e, ERR_LIMIT,
                     "relation %.*s: more than %d rows, a key above %d bytes or a "
                     "text above %d",
                     STR_ARG(sb->relation->name), LIMIT_SLICE_ROWS, LIMIT_KEY_BYTES,
                     LIMIT_TEXT_BYTES);
    if (rc != ERR_OK)
        return rc;
    sb->slice->flags = flags;
    *out = sb->slice;
    return ERR_OK;
}
