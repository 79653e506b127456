/* SPDX-License-Identifier: PostgreSQL */
/* tsdb_scan_text.c: see the header. */
#include "tsdb_scan_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/limits.h"

static struct err e;

struct text {
    struct tsdb_reader *reader;
    const struct relation *relation;
    struct buf out;
    size_t slices;
};

static void put_cell(struct buf *out, const struct cell *c)
{
    switch (c->tag) {
    case CELL_NULL:
        buf_add_c(out, " null");
        break;
    case CELL_I64:
        buf_printf(out, " i%lld", (long long)c->i64);
        break;
    case CELL_U64:
        buf_printf(out, " u%llu", (unsigned long long)c->u64);
        break;
    case CELL_F64:
        buf_printf(out, " f%a", c->f64);
        break;
    case CELL_STR:
        buf_printf(out, " '%.*s'", STR_ARG(c->str));
        break;
    }
}

static void put_keys(struct text *t, const struct tsdb_slice *s, uint64_t object, size_t row,
                     struct buf *out)
{
    struct str keys[LIMIT_RELATION_KEYS];
    const struct tsdb_group_object of = {s->group, object};

    for (size_t k = 0; k < t->relation->key_count && !s->objects; k++) {
        keys[k] = s->keys[k][row];
    }
    if (s->objects && tsdb_group_keys(t->reader, &of, keys, t->relation->key_count, &e)) {
        fail_msg("keys: %s", e.text);
    }
    for (size_t k = 0; k < t->relation->key_count; k++) {
        buf_printf(out, "[%.*s]", STR_ARG(keys[k]));
    }
}

static bool is_reset(const struct tsdb_slice *s, size_t row)
{
    for (size_t i = 0; i < s->reset_count; i++) {
        if (s->resets[i] == row) {
            return true;
        }
    }
    return false;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Rows of objects have no order: lines are sorted. */
static void put_lines(struct text *t, char **lines, size_t count, bool sorted)
{
    if (sorted) {
        qsort(lines, count, sizeof(*lines), compare_lines);
    }
    for (size_t i = 0; i < count; i++) {
        buf_add_c(&t->out, lines[i]);
        alloc_free(lines[i]);
    }
    alloc_free(lines);
}

static char *row_line(struct text *t, const struct tsdb_slice *s, size_t row)
{
    struct buf line;

    buf_init(&line, 1 << 20);
    buf_add_c(&line, "  ");
    put_keys(t, s, s->objects ? s->objects[row] : 0, row, &line);
    for (size_t c = 0; c < s->column_count; c++) {
        put_cell(&line, &s->cells[c][row]);
    }
    buf_add_c(&line, is_reset(s, row) ? " reset\n" : "\n");
    char *text = alloc_strdup(line.ptr);
    buf_fini(&line);
    return text;
}

static enum err_code put_slice(void *arg, const struct tsdb_slice *s, struct err *unused)
{
    struct text *t = arg;
    char **lines = alloc_array(s->row_count + s->gone_count + 1, sizeof(char *));
    size_t count = 0;

    (void)unused;
    buf_printf(&t->out, "'%.*s' t=%lld from=%lld every=%lld flags=%u '%.*s' rows=%zu gone=%zu\n",
               STR_ARG(s->scope), (long long)s->t_ms, (long long)s->from_ms, (long long)s->every_ms,
               s->flags, STR_ARG(s->reason), s->row_count, s->gone_count);
    for (size_t row = 0; row < s->row_count; row++) {
        lines[count++] = row_line(t, s, row);
    }
    for (size_t i = 0; i < s->gone_count; i++) {
        struct buf line;
        buf_init(&line, 4096);
        buf_add_c(&line, "  gone ");
        put_keys(t, s, s->gone[i], 0, &line);
        buf_add_c(&line, "\n");
        lines[count++] = alloc_strdup(line.ptr);
        buf_fini(&line);
    }
    put_lines(t, lines, count, s->objects != NULL);
    t->slices++;
    return ERR_OK;
}

size_t tsdb_scan_text(struct tsdb_fixture *f, const char *relation,
                      const struct tsdb_text_range *range, char **out)
{
    struct text t = {.reader = tsdb_borrow(f)};
    struct relation *r = NULL;
    struct arena a;

    arena_init(&a, "test", 1 << 20);
    buf_init(&t.out, 64 << 20);
    if (tsdb_relation(t.reader, &a, str_of(relation), &r, &e)) {
        fail_msg("relation %s: %s", relation, e.text);
    }
    t.relation = r;
    const struct tsdb_scan_spec spec = {.target = f->target,
                                        .relation = str_of(relation),
                                        .scope = range->scope,
                                        .columns = range->columns,
                                        .column_count = range->column_count,
                                        .from_ms = range->from_ms,
                                        .to_ms = range->to_ms};
    if (tsdb_scan(t.reader, &spec, put_slice, &t, &e)) {
        fail_msg("scan %s: %s", relation, e.text);
    }
    tsdb_reader_return(t.reader);
    arena_fini(&a);
    *out = buf_take(&t.out, NULL);
    return t.slices;
}
