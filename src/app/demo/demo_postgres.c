/* SPDX-License-Identifier: PostgreSQL */
/*
 * demo_postgres.c: a private PostgreSQL for the demo, from the programs that the system has.
 *
 * PostgreSQL refuses to run as root, so root lends it another user ("postgres" or "nobody"), who
 * owns the data and socket directories. It listens on no address. If we die it gets SIGINT (fast
 * shutdown) from the kernel.
 */
#include "app/demo/demo.h"

#include "base/embed.h"
#include "base/log.h"
#include "base/num.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "pgclient/pgclient.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define START_WAIT_MS 60000
#define FILL_WAIT_MS  120000
#define STOP_WAIT_MS  20000

static const char *const settings = "listen_addresses = ''\n"
                                    "shared_preload_libraries = 'pg_stat_statements'\n"
                                    "pg_stat_statements.track = all\n"
                                    "track_io_timing = on\n"
                                    "shared_buffers = 32MB\n"
                                    "work_mem = 1MB\n"
                                    "max_connections = 50\n"
                                    "max_wal_size = 128MB\n"
                                    "checkpoint_timeout = 60s\n"
                                    "autovacuum_naptime = 15s\n"
                                    "log_line_prefix = '%m [%p] %q%u@%d '\n";

struct search {
    const char *parent; /* "/usr/lib/postgresql" */
    double best;
    char found[DEMO_PATH_MAX];
};

static int is_usable(const char *bindir)
{
    char initdb[PATH_MAX], postgres[PATH_MAX];
    snprintf(initdb, sizeof(initdb), "%s/initdb", bindir);
    snprintf(postgres, sizeof(postgres), "%s/postgres", bindir);
    return access(initdb, X_OK) == 0 && access(postgres, X_OK) == 0;
}

static void consider(void *arg, const char *name)
{
    struct search *s = arg;
    double version;
    char bindir[PATH_MAX];

    if (num_parse_f64(str_of(name), &version, NULL) != ERR_OK || version < s->best) {
        return;
    }
    snprintf(bindir, sizeof(bindir), "%s/%s/bin", s->parent, name);
    if (strlen(bindir) < sizeof(s->found) && is_usable(bindir)) {
        s->best = version;
        memcpy(s->found, bindir, strlen(bindir) + 1);
    }
}

enum err_code demo_postgres_find(struct demo_postgres *pg, const char *bindir, struct err *e)
{
    struct search s = {.parent = "/usr/lib/postgresql"};
    struct err unused;

    if (bindir) {
        snprintf(s.found, sizeof(s.found), "%s", bindir);
        if (!is_usable(bindir)) {
            return err_set(e, ERR_NOT_FOUND, "%.150s has no initdb and postgres", bindir);
        }
    } else if (file_list(s.parent, consider, &s, &unused) != ERR_OK || s.found[0] == '\0') {
        return err_set(e, ERR_NOT_FOUND,
                       "no PostgreSQL server below %s: install the package postgresql, or name its "
                       "programs with --pg-bindir, or watch a server of yours with --dsn",
                       s.parent);
    }
    snprintf(pg->bindir, sizeof(pg->bindir), "%s", s.found);
    return ERR_OK;
}

static enum err_code choose_user(struct demo_postgres *pg, struct err *e)
{
    static const char *const names[] = {"postgres", "nobody", NULL};
    if (geteuid() != 0) {
        return ERR_OK;
    }
    return process_find_user(names, &pg->uid, &pg->gid, e);
}

static enum err_code make_dir(const struct demo_postgres *pg, const char *path, struct err *e)
{
    if (mkdir(path, 0700) != 0 || (pg->uid != 0 && chown(path, pg->uid, pg->gid) != 0)) {
        return err_set(e, ERR_IO, "making %.150s failed", path);
    }
    return ERR_OK;
}

/*
 * Of PostgreSQL's user and ours: the agent has given up root's power to enter any folder when it
 * looks for the socket.
 */
static enum err_code make_socket_dir(const struct demo_postgres *pg, enum err_code rc,
                                     struct err *e)
{
    if (rc != ERR_OK || pg->uid == 0) {
        return rc ? rc : make_dir(pg, pg->socket, e);
    }
    if (mkdir(pg->socket, 0700) != 0 || chown(pg->socket, geteuid(), pg->gid) != 0 ||
        chmod(pg->socket, 0770) != 0) {
        return err_set(e, ERR_IO, "making %.150s failed", pg->socket);
    }
    return ERR_OK;
}

/* The environment of programs from a tree of their own, which find their libraries beside them. */
static const char *library_path(const struct demo_postgres *pg, char *out, size_t size)
{
    snprintf(out, size, "LD_LIBRARY_PATH=%s/../lib", pg->bindir);
    return out;
}

static enum err_code run_initdb(const struct demo_postgres *pg, struct err *e)
{
    char program[PATH_MAX], libraries[PATH_MAX + 32];
    int status = 0;
    pid_t pid;
    const char *env[] = {library_path(pg, libraries, sizeof(libraries)), "LC_ALL=C", NULL};
    const char *argv[] = {program, "-D", pg->data, "-U",        "postgres",   "-A",
                          "trust", "-E", "UTF8",   "--no-sync", "--locale=C", NULL};
    struct process_spec spec = {.argv = argv,
                                .env = env,
                                .log_path = pg->log,
                                .uid = pg->uid,
                                .gid = pg->gid,
                                .death_signal = SIGTERM};

    snprintf(program, sizeof(program), "%s/initdb", pg->bindir);
    enum err_code rc = process_start(&spec, &pid, e);
    if (rc) {
        return rc;
    }
    rc = process_wait(pid, clock_mono_us() + START_WAIT_MS * 1000LL, &status, e);
    if (rc) {
        process_stop(pid, SIGTERM, 1000);
        return err_wrap(e, "initdb");
    }
    return status == 0 ? ERR_OK : err_set(e, ERR_IO, "initdb failed: see %.150s", pg->log);
}

static enum err_code write_settings(const struct demo_postgres *pg, struct err *e)
{
    char path[PATH_MAX];
    struct buf text;

    buf_init(&text, 64 * 1024);
    buf_add_c(&text, settings);
    buf_printf(&text, "unix_socket_directories = '%s'\n", pg->socket);
    snprintf(path, sizeof(path), "%s/postgresql.auto.conf", pg->data);
    enum err_code rc = file_write_atomic(path, buf_view(&text), 0600, e);
    if (rc == ERR_OK && pg->uid != 0 && chown(path, pg->uid, pg->gid) != 0) {
        rc = err_set(e, ERR_IO, "changing the owner of %.150s failed", path);
    }
    buf_fini(&text);
    return rc;
}

static enum err_code run_server(struct demo_postgres *pg, struct err *e)
{
    char program[PATH_MAX], libraries[PATH_MAX + 32];
    const char *env[] = {library_path(pg, libraries, sizeof(libraries)), "LC_ALL=C", NULL};
    const char *argv[] = {program, "-D", pg->data, NULL};
    struct process_spec spec = {.argv = argv,
                                .env = env,
                                .log_path = pg->log,
                                .uid = pg->uid,
                                .gid = pg->gid,
                                .death_signal = SIGINT};
    snprintf(program, sizeof(program), "%s/postgres", pg->bindir);
    return process_start(&spec, &pg->pid, e);
}

static enum err_code connect_to(const struct demo_postgres *pg, const char *dbname,
                                struct pgclient **out, struct err *e)
{
    struct pgclient_config config = {
        .host = pg->socket, .user = "postgres", .dbname = dbname, .application_name = "pga demo"};
    return pgclient_open(&config, clock_mono_us() + 5000000, out, e);
}

static enum err_code wait_ready(struct demo_postgres *pg, struct err *e)
{
    int64_t deadline = clock_mono_ms() + START_WAIT_MS;
    int status;

    while (clock_mono_ms() < deadline) {
        struct pgclient *c = NULL;
        if (connect_to(pg, "postgres", &c, e) == ERR_OK) {
            const char *version = pgclient_parameter(c, "server_version");
            snprintf(pg->version, sizeof(pg->version), "%s", version ? version : "");
            pgclient_close(c);
            return ERR_OK;
        }
        if (process_wait(pg->pid, 0, &status, NULL) == ERR_OK) {
            pg->pid = 0;
            return err_set(e, ERR_IO, "PostgreSQL did not start: see %.150s", pg->log);
        }
        clock_sleep_ms(100);
    }
    return err_set(e, ERR_TIMEOUT, "PostgreSQL took no connection for %d s: see %.120s",
                   START_WAIT_MS / 1000, pg->log);
}

enum err_code demo_postgres_start(struct demo_postgres *pg, const char *dir, struct err *e)
{
    enum err_code rc = choose_user(pg, e);

    snprintf(pg->data, sizeof(pg->data), "%s/pgdata", dir);
    snprintf(pg->socket, sizeof(pg->socket), "%s/socket", dir);
    snprintf(pg->log, sizeof(pg->log), "%s/log/postgresql.log", dir);
    rc = rc ? rc : make_dir(pg, pg->data, e);
    rc = make_socket_dir(pg, rc, e);
    rc = rc ? rc : run_initdb(pg, e);
    rc = rc ? rc : write_settings(pg, e);
    rc = rc ? rc : run_server(pg, e);
    return rc ? rc : wait_ready(pg, e);
}

/* Run an embedded script in a database. */
static enum err_code run_script(const struct demo_postgres *pg, const char *dbname,
                                const char *name, struct err *e)
{
    struct pgclient *c = NULL;
    const struct embed_file *script = embed_find(embed_sql, embed_sql_count, name);

    if (!script) {
        return err_set(e, ERR_BUG, "%s is not in this binary", name);
    }
    enum err_code rc = connect_to(pg, dbname, &c, e);
    if (rc) {
        return rc;
    }
    rc = pgclient_exec(c, (const char *)script->data, clock_mono_us() + FILL_WAIT_MS * 1000LL, e);
    pgclient_close(c);
    return rc ? err_wrap(e, "%s", name) : ERR_OK;
}

enum err_code demo_postgres_fill(const struct demo_postgres *pg, struct err *e)
{
    enum err_code rc = run_script(pg, "postgres", "demo_roles.sql", e);
    rc = rc ? rc : run_script(pg, "postgres", "demo_database.sql", e);
    return rc ? rc : run_script(pg, "shop", "demo_schema.sql", e);
}

void demo_postgres_stop(struct demo_postgres *pg)
{
    if (pg->pid > 0) {
        process_stop(pg->pid, SIGINT, STOP_WAIT_MS);
        pg->pid = 0;
    }
}
