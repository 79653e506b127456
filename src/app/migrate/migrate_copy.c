/* SPDX-License-Identifier: PostgreSQL */
/*
 * migrate_copy.c: `pga migrate copy`: progress on standard error, the comparison on standard
 * output.
 *
 * A terminal shows one line that changes; elsewhere there is a line every few seconds. Addresses of
 * stores are never shown: they may hold a password.
 */
#include "app/migrate/migrate.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/num.h"
#include "os/clock.h"
#include "store/transfer/transfer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TERMINAL_MS  200
#define LINE_MS      5000
#define RESULT_BYTES ((size_t)64 * 1024 * 1024)
#define LINE_SIZE    160

struct show {
    bool terminal;
    int64_t next_ms;
    const char *step; /* of the last line */
    bool open;        /* a line of the terminal is not ended */
};

/* --- progress --- */

static void format(const struct transfer_progress *p, char out[LINE_SIZE])
{
    char when[NUM_TIME_TEXT_MAX] = "";
    int at = snprintf(out, LINE_SIZE, "%s", p->step);

    if (p->day_ms) {
        num_format_time(p->day_ms, when);
        at += snprintf(out + at, (size_t)(LINE_SIZE - at), " of %.10s", when);
    }
    if (p->total) {
        uint64_t done = p->done < p->total ? p->done : p->total;
        at += snprintf(out + at, (size_t)(LINE_SIZE - at), ": %.1f %%, %llu of %llu",
                       100.0 * (double)done / (double)p->total, (unsigned long long)p->done,
                       (unsigned long long)p->total);
    } else if (p->done) {
        at += snprintf(out + at, (size_t)(LINE_SIZE - at), ": %llu", (unsigned long long)p->done);
    }
    if (p->rows) {
        (void)snprintf(out + at, (size_t)(LINE_SIZE - at), ", %llu rows",
                       (unsigned long long)p->rows);
    }
}

static void on_progress(void *arg, const struct transfer_progress *p)
{
    struct show *s = arg;
    char line[LINE_SIZE];
    int64_t now = clock_mono_ms();

    if (now < s->next_ms && s->step == p->step) {
        return;
    }
    if (!s->terminal && s->step != p->step && now < s->next_ms) {
        return; /* short steps need no line of their own */
    }
    s->next_ms = now + (s->terminal ? TERMINAL_MS : LINE_MS);
    s->step = p->step;
    format(p, line);
    fprintf(stderr, s->terminal ? "\r%-79.79s" : "%s\n", line);
    s->open = s->terminal;
}

static void end_line(struct show *s)
{
    if (s->open) {
        fprintf(stderr, "\r%79s\r", "");
    }
    s->open = false;
}

static void on_loss(void *arg, const char *text)
{
    end_line(arg);
    fprintf(stderr, "not copied: %s\n", text);
}

/* --- the result --- */

static void print_sum(struct str name, const char *store, const struct transfer_sum *s, bool table)
{
    char whole[TRANSFER_WHOLE_SIZE];

    if (table) {
        printf("%-32.*s %-7s %12llu\n", STR_ARG(name), store, (unsigned long long)s->readings);
        return;
    }
    transfer_whole(s, whole);
    printf("%-32.*s %-7s %12llu %12llu %14llu %24s  %016llx\n", STR_ARG(name), store,
           (unsigned long long)s->readings, (unsigned long long)s->rows,
           (unsigned long long)s->cells, whole, (unsigned long long)s->hash);
}

static void print_compared(const struct transfer_compared *c)
{
    if (transfer_same(c)) {
        print_sum(c->name, "both", &c->from, c->is_table);
        return;
    }
    print_sum(c->name, "source", &c->from, c->is_table);
    print_sum(c->name, "copy", &c->to, c->is_table);
    printf("%-32.*s DIFFERENT\n", STR_ARG(c->name));
}

static void print_text(const struct transfer_result *r)
{
    printf("%-32s %-7s %12s\n", "table", "store", "rows");
    for (size_t i = 0; i < r->count; i++) {
        if (r->list[i].is_table) {
            print_compared(&r->list[i]);
        }
    }
    printf("%-32s %-7s %12s %12s %14s %24s  %s\n", "relation", "store", "readings", "rows",
           "values", "sum of integers", "hash");
    for (size_t i = 0; i < r->count; i++) {
        if (!r->list[i].is_table) {
            print_compared(&r->list[i]);
        }
    }
}

static void put_sum(struct json_writer *w, const char *key, const struct transfer_sum *s,
                    bool table)
{
    char whole[TRANSFER_WHOLE_SIZE];

    json_key(w, key);
    json_object_begin(w);
    json_member_u64(w, table ? "rows" : "readings", s->readings);
    if (!table) {
        transfer_whole(s, whole);
        json_member_u64(w, "rows", s->rows);
        json_member_u64(w, "values", s->cells);
        json_member_c(w, "integers", whole); /* longer than a number of JSON may be */
    }
    json_object_end(w);
}

static void print_json(const struct transfer_result *r)
{
    struct json_writer w;
    struct buf out;

    buf_init(&out, RESULT_BYTES);
    json_writer_init(&w, &out);
    json_object_begin(&w);
    json_member_bool(&w, "resumed", r->resumed);
    json_member_u64(&w, "not_copied", r->losses);
    json_member_u64(&w, "different", r->different);
    json_key(&w, "compared");
    json_array_begin(&w);
    for (size_t i = 0; i < r->count; i++) {
        const struct transfer_compared *c = &r->list[i];
        json_object_begin(&w);
        json_member_str(&w, c->is_table ? "table" : "relation", c->name);
        json_member_bool(&w, "same", transfer_same(c));
        put_sum(&w, "source", &c->from, c->is_table);
        put_sum(&w, "copy", &c->to, c->is_table);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    printf("%.*s\n", (int)out.len, out.ptr ? out.ptr : "");
    buf_fini(&out);
}

static int conclude(const struct transfer_result *r)
{
    if (r->different) {
        fprintf(stderr,
                "pga migrate: the copy is not the same in %zu places; no server opens it, and the "
                "same command compares again\n",
                r->different);
        return EXIT_CODE_FAILURE;
    }
    fprintf(stderr, "the copy is complete, and the same as the source; its server needs the master "
                    "key of the source's server\n");
    if (r->losses) {
        fprintf(stderr, "pga migrate: %llu things could not be copied, see above\n",
                (unsigned long long)r->losses);
        return EXIT_CODE_PROBLEMS;
    }
    return EXIT_CODE_OK;
}

/* "sqlite:///var/lib/x" is "sqlite:/var/lib/x". */
static const char *plain(const char *url, char *room, size_t size)
{
    static const char slashes[] = "sqlite://";

    if (strncmp(url, slashes, sizeof(slashes) - 1) != 0) {
        return url;
    }
    (void)snprintf(room, size, "sqlite:%s", url + sizeof(slashes) - 1);
    return room;
}

int migrate_copy(const char *from, const char *to, enum migrate_output output)
{
    struct show show = {.terminal = isatty(STDERR_FILENO) == 1};
    char rooms[2][4200];
    struct transfer_config config = {.progress = on_progress, .loss = on_loss, .arg = &show};
    struct transfer_result result;
    struct arena a;
    struct err e;

    if (!migrate_is_store(from) || !migrate_is_store(to)) {
        return EXIT_CODE_USAGE;
    }
    config.from = plain(from, rooms[0], sizeof(rooms[0]));
    config.to = plain(to, rooms[1], sizeof(rooms[1]));
    err_clear(&e);
    arena_init(&a, "copy", RESULT_BYTES);
    enum err_code code = transfer_run(&config, &a, &result, &e);
    end_line(&show);
    if (code == ERR_OK && output == MIGRATE_JSON) {
        print_json(&result);
    } else if (code == ERR_OK) {
        print_text(&result);
    }
    fflush(stdout);
    int rc = code ? migrate_fail(&e) : conclude(&result);
    arena_fini(&a);
    return rc;
}
