/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_statements_text.c: texts of statements, each once.
 *
 * Reading any text makes the back end load the server's whole text file, so this happens for new
 * query ids only, at most every five minutes, and not at all when the file is larger than a guard.
 * After a start, when most ids are new, the pause begins at ten seconds and doubles: five more
 * readings in the first five minutes.
 * pg_stat_statements normalizes literals away, but not in utility statements: redact.h.
 * Threads: works on one reading.
 */
#include "probe/probe_statements.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/clock.h"
#include "probe/redact.h"

#define TEXT_FIRST_PAUSE_US (10LL * 1000000)
#define TEXT_EVERY_US       (300LL * 1000000)
#define TEXT_AFTER_ERROR_US (3600LL * 1000000)
#define TEXT_FILE_MAX       (256LL * 1024 * 1024)
#define TEXT_IDS_MAX        1000
#define TEXT_BYTES_MAX      (4 * 1024 * 1024) /* of one reading, well below the size of a record */
#define TEXTS_REMEMBERED    100000

static char SENT; /* its address stands for "sent" in memory->texts */

struct wanted {
    int64_t total, queryid;
};

static int by_total_descending(const void *a, const void *b)
{
    const struct wanted *x = a, *y = b;
    return (x->total < y->total) - (x->total > y->total);
}

static struct str id_text(int64_t queryid, char *out, size_t size)
{
    snprintf(out, size, "%lld", (long long)queryid);
    return str_of(out);
}

/* Ids without a text, the most expensive first. At the first reading every entry counts. */
static size_t list_wanted(struct statements_reading *g, struct wanted **out)
{
    int column = relation_find_column(g->relation, STR("total_exec_time"));
    struct wanted *w = arena_array(g->run->arena, g->change_count, sizeof(*w));
    size_t count = 0;
    char id[24];
    for (size_t i = 0; w && column >= 0 && i < g->change_count; i++) {
        const struct statements_change *c = &g->changes[i];
        bool interesting = c->kept || g->memory->reading == 1;
        if (interesting && !map_get(g->memory->texts, id_text(c->queryid, id, sizeof(id)))) {
            w[count++] = (struct wanted){c->values[column], c->queryid};
        }
    }
    if (count) {
        qsort(w, count, sizeof(*w), by_total_descending);
    }
    *out = w;
    return count < TEXT_IDS_MAX ? count : TEXT_IDS_MAX;
}

/* The ids as a PostgreSQL array: {1,2,3} */
static struct str array_text(struct arena *a, const struct wanted *w, size_t count)
{
    size_t cap = count * 24 + 3;
    char *text = arena_alloc(a, cap);
    size_t len = 0;
    if (!text) {
        return STR("{}");
    }
    text[len++] = '{';
    for (size_t i = 0; i < count; i++) {
        len += (size_t)snprintf(text + len, cap - len, "%s%lld", i ? "," : "",
                                (long long)w[i].queryid);
    }
    text[len++] = '}';
    return str_make(text, len);
}

static void send_text(struct statements_reading *g, struct str id, struct str text)
{
    if (!text.ptr || str_eq_c(text, "<insufficient privilege>")) {
        return;
    }
    text = redact_literals(g->run->arena, text);
    if (!text.ptr) {
        return; /* the arena is full: its overflow fails the cycle */
    }
    probe_emit_text(g->run, STR("query"), id, text);
    map_put(g->memory->texts, id, &SENT);
}

void probe_statements_emit_texts(struct statements_reading *g)
{
    struct statements_memory *m = g->memory;
    struct pgclient_result res = {0};
    struct wanted *w;
    struct err e = {0};
    bool due = clock_mono_us() >= m->text_due_us || (g->run->flags & PROBE_FLUSH);
    size_t count = due ? list_wanted(g, &w) : 0;
    if (count == 0) {
        return;
    }
    if (g->info.text_file_bytes > TEXT_FILE_MAX) {
        g->text_note = "texts are not read: the file of query texts is larger than 256 MiB";
        m->text_due_us = clock_mono_us() + TEXT_AFTER_ERROR_US;
        return;
    }
    if (map_count(m->texts) > TEXTS_REMEMBERED) {
        map_clear(m->texts, NULL);
    }
    struct str ids = array_text(g->run->arena, w, count);
    struct pgclient_query q = {
        .name = "texts", .params = &ids, .param_count = 1, .max_bytes = TEXT_BYTES_MAX};
    m->text_pause_us = m->text_pause_us ? 2 * m->text_pause_us : TEXT_FIRST_PAUSE_US;
    m->text_pause_us = m->text_pause_us < TEXT_EVERY_US ? m->text_pause_us : TEXT_EVERY_US;
    m->text_due_us = clock_mono_us() + m->text_pause_us;
    enum err_code code = probe_statements_ask(g->run, "pg_stat_statements", &q, &res, &e);
    if (code && code != ERR_LIMIT) {
        g->text_note = arena_printf(g->run->arena, "texts were not read: %s", e.text);
        m->text_due_us = clock_mono_us() + TEXT_AFTER_ERROR_US;
        return;
    }
    for (size_t i = 0; res.cells && i < res.row_count; i++) {
        send_text(g, res.cells[i * 2], res.cells[i * 2 + 1]);
    }
}
