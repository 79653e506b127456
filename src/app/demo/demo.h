/* SPDX-License-Identifier: PostgreSQL */
/*
 * demo.h: the parts of `pga demo`: a private PostgreSQL, a workload, a server and an agent.
 *
 * demo.c owns everything and takes it down in reverse order. The parts are independent of each
 * other. Threads: main, and one a workload client.
 */
#ifndef APP_DEMO_DEMO_H
#define APP_DEMO_DEMO_H

#include <limits.h> /* PATH_MAX, for what is built from these paths */
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "os/net.h"

#define DEMO_PATH_MAX 1024 /* a directory; PATH_MAX holds a name below it */

/* A private PostgreSQL: trust login, but only by a socket in a directory closed to others. */
struct demo_postgres {
    char bindir[DEMO_PATH_MAX];
    char version[64]; /* as `postgres --version` says it */
    char data[DEMO_PATH_MAX];
    char socket[DEMO_PATH_MAX];
    char log[DEMO_PATH_MAX];
    uid_t uid; /* 0 = the user that runs us */
    gid_t gid;
    pid_t pid; /* 0 = not running */
};

/*
 * Find PostgreSQL's programs: in `bindir` if given, else the newest that a package has installed.
 * ERR_NOT_FOUND says what to install.
 */
enum err_code demo_postgres_find(struct demo_postgres *pg, const char *bindir,
                                 struct err *e) ERR_MUST_CHECK;
/* initdb under `dir` and start; returns when it takes connections. */
enum err_code demo_postgres_start(struct demo_postgres *pg, const char *dir,
                                  struct err *e) ERR_MUST_CHECK;
/* Make the database "shop", its tables, and the role of the agent. */
enum err_code demo_postgres_fill(const struct demo_postgres *pg, struct err *e) ERR_MUST_CHECK;
void demo_postgres_stop(struct demo_postgres *pg);

/* Load on the private PostgreSQL: readers, writers that wait for each other, reports. */
struct demo_workload;
enum err_code demo_workload_start(const char *socket, struct demo_workload **out,
                                  struct err *e) ERR_MUST_CHECK;
void demo_workload_stop(struct demo_workload *w); /* NULL allowed */

/* `pga server` and `pga agent` as children, enrolled with each other. */
struct demo_monitor {
    struct arena *arena;
    const char *dir; /* state, configuration and logs go below it */
    struct net_endpoint listen;
    uint16_t agent_port; /* where the agent shows its certificate, on 127.0.0.1 */
    const char *dsn;     /* what the agent watches */
    int statements_s;    /* clock of the statement statistics */
    char url[128];
    char password[40];   /* of the user "owner" */
    pid_t server, agent; /* 0 = not running */
};
enum err_code demo_monitor_start(struct demo_monitor *m, struct err *e) ERR_MUST_CHECK;
/* Wait until the server holds session history; ERR_TIMEOUT after mono_us. */
enum err_code demo_monitor_wait(struct demo_monitor *m, int64_t mono_us,
                                struct err *e) ERR_MUST_CHECK;
void demo_monitor_stop(struct demo_monitor *m);

#endif
