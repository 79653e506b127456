/* SPDX-License-Identifier: PostgreSQL */
/*
 * demo_workload.c: load with a face: readers, writers on few rows, reports, sessions that hold
 * locks while they think.
 *
 * Each client is a thread with a connection of its own (its application_name says what it plays)
 * that walks its list of steps for ever, with a pause between rounds. Numbers are drawn from a
 * generator seeded per client. A lost connection is made again after a second.
 */
#include "app/demo/demo.h"

#include "base/alloc.h"
#include "base/embed.h"
#include "base/log.h"
#include "base/thread.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "pgclient/pgclient.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define QUERY_WAIT_US 30000000
#define CLIENT_MAX    24

/* params: one letter a parameter: a account, b branch, d amount, n small number. */
struct step {
    const char *file; /* an embedded statement; NULL with `text` or a pause */
    const char *text; /* BEGIN, COMMIT */
    const char *params;
    int pause_ms; /* before the step: the application thinks */
};

struct role {
    const char *name;
    int clients;
    int pause_ms; /* between rounds */
    struct step steps[6];
};

static const struct role roles[] = {
    {.name = "shop-web",
     .clients = 5,
     .pause_ms = 15,
     .steps = {{.file = "demo_account_read.sql", .params = "a"},
               {.file = "demo_order_list.sql", .params = "a"},
               {.file = "demo_account_read.sql", .params = "a"}}},
    {.name = "shop-checkout",
     .clients = 6,
     .pause_ms = 40,
     .steps = {{.text = "BEGIN"},
               {.file = "demo_account_pay.sql", .params = "ad"},
               {.file = "demo_order_insert.sql", .params = "ad"},
               {.file = "demo_branch_pay.sql", .params = "bd", .pause_ms = 5},
               {.text = "COMMIT", .pause_ms = 10}}},
    {.name = "shop-stock",
     .clients = 1,
     .pause_ms = 200,
     .steps = {{.file = "demo_order_advance.sql", .params = "a"}}},
    {.name = "report",
     .clients = 1,
     .pause_ms = 3000,
     .steps = {{.file = "demo_order_report.sql"}}},
    {.name = "search",
     .clients = 1,
     .pause_ms = 1500,
     .steps = {{.file = "demo_account_search.sql", .params = "n"}}},
    {.name = "batch", /* holds a branch's row while it thinks: the others wait */
     .clients = 1,
     .pause_ms = 12000,
     .steps = {{.text = "BEGIN"},
               {.file = "demo_branch_pay.sql", .params = "bd"},
               {.file = "demo_branch_pay.sql", .params = "bd"},
               {.text = "COMMIT", .pause_ms = 3000}}},
    {.name = "purge", .clients = 1, .pause_ms = 20000, .steps = {{.file = "demo_order_purge.sql"}}},
};

struct client {
    struct demo_workload *workload;
    const struct role *role;
    struct thread thread;
    uint64_t random;
};

struct demo_workload {
    char socket[DEMO_PATH_MAX];
    atomic_bool stop;
    struct client clients[CLIENT_MAX];
    size_t client_count;
};

static uint64_t draw(struct client *c, uint64_t below)
{
    c->random ^= c->random << 13; /* xorshift64 */
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return c->random % below;
}

/* Sleep in small pieces, so that a stop is quick. Returns false when it is time to stop. */
static bool pause_for(struct client *c, int ms)
{
    while (ms > 0 && !atomic_load(&c->workload->stop)) {
        int piece = ms < 100 ? ms : 100;
        clock_sleep_ms(piece);
        ms -= piece;
    }
    return !atomic_load(&c->workload->stop);
}

static void fill_param(struct client *c, char letter, char *out, size_t size)
{
    unsigned long long value = 0;
    switch (letter) {
    case 'a':
        value = 1 + draw(c, 100000);
        break;
    case 'b': /* two of three bookings go to one branch */
        value = draw(c, 3) ? 1 : 1 + draw(c, 10);
        break;
    case 'd':
        value = 1 + draw(c, 500);
        break;
    default:
        value = draw(c, 1000);
    }
    snprintf(out, size, "%llu", value);
}

/* The statement without the comment lines in front, as an application would send it. */
static const char *statement_of(const struct embed_file *file)
{
    const char *sql = (const char *)file->data;
    while (sql[0] == '-' && sql[1] == '-') {
        sql = strchr(sql, '\n') + 1;
    }
    return sql;
}

static enum err_code run_statement(struct client *c, struct pgclient *pg, const struct step *step,
                                   struct err *e)
{
    struct arena arena;
    struct pgclient_result result;
    struct str params[2];
    char texts[2][32];
    size_t count = step->params ? strlen(step->params) : 0;
    const struct embed_file *file = embed_find(embed_sql, embed_sql_count, step->file);

    if (!file) {
        return err_set(e, ERR_BUG, "%s is not in this binary", step->file);
    }
    for (size_t i = 0; i < count; i++) {
        fill_param(c, step->params[i], texts[i], sizeof(texts[i]));
        params[i] = str_of(texts[i]);
    }
    struct pgclient_query query = {.sql = statement_of(file),
                                   .name = step->file,
                                   .params = params,
                                   .param_count = count,
                                   .deadline_us = clock_mono_us() + QUERY_WAIT_US};
    arena_init(&arena, "workload", 1024 * 1024);
    enum err_code rc = pgclient_query(pg, &arena, &query, &result, e);
    arena_fini(&arena);
    return rc;
}

static enum err_code run_round(struct client *c, struct pgclient *pg, struct err *e)
{
    const struct role *role = c->role;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < sizeof(role->steps) / sizeof(role->steps[0]); i++) {
        const struct step *step = &role->steps[i];
        if (!step->file && !step->text) {
            break;
        }
        if (!pause_for(c, step->pause_ms)) {
            return ERR_OK;
        }
        rc = step->text ? pgclient_exec(pg, step->text, clock_mono_us() + QUERY_WAIT_US, e)
                        : run_statement(c, pg, step, e);
        if (rc) {
            break;
        }
    }
    if (rc && pgclient_alive(pg)) { /* a deadlock victim starts over */
        struct err unused;
        rc = pgclient_exec(pg, "ROLLBACK", clock_mono_us() + QUERY_WAIT_US, &unused);
    }
    return rc;
}

static void run_connected(struct client *c)
{
    struct err e;
    struct pgclient *pg = NULL;
    struct pgclient_config config = {.host = c->workload->socket,
                                     .user = "postgres",
                                     .dbname = "shop",
                                     .application_name = c->role->name};

    err_clear(&e);
    enum err_code rc = pgclient_open(&config, clock_mono_us() + 5000000, &pg, &e);
    while (rc == ERR_OK && pause_for(c, c->role->pause_ms)) {
        rc = run_round(c, pg, &e);
    }
    if (rc && !atomic_load(&c->workload->stop)) {
        log_warn(NULL, "workload client %s: %s", c->role->name, e.text);
    }
    pgclient_close(pg);
}

static void run_client(void *arg)
{
    struct client *c = arg;
    do {
        run_connected(c);
    } while (pause_for(c, 1000));
}

enum err_code demo_workload_start(const char *socket, struct demo_workload **out, struct err *e)
{
    struct demo_workload *w = alloc_new(sizeof(*w));
    enum err_code rc = ERR_OK;

    snprintf(w->socket, sizeof(w->socket), "%s", socket);
    atomic_init(&w->stop, false);
    for (size_t r = 0; r < sizeof(roles) / sizeof(roles[0]); r++) {
        for (int i = 0; rc == ERR_OK && i < roles[r].clients; i++) {
            struct client *c = &w->clients[w->client_count++];
            c->workload = w;
            c->role = &roles[r];
            entropy_fill(&c->random, sizeof(c->random));
            c->random |= 1;
            rc = thread_start(&c->thread, roles[r].name, run_client, c, e);
        }
    }
    if (rc) {
        demo_workload_stop(w);
        return rc;
    }
    *out = w;
    return ERR_OK;
}

void demo_workload_stop(struct demo_workload *w)
{
    if (!w) {
        return;
    }
    atomic_store(&w->stop, true);
    for (size_t i = 0; i < w->client_count; i++) {
        thread_join(&w->clients[i].thread);
    }
    alloc_free(w);
}
