/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_login.c: the back-off after failed logins.
 *
 * Failures are counted per account and address together, and per address. So a stranger slows
 * down only his own address, never the account of somebody who comes from elsewhere. A device on
 * which somebody signed in before (api_device.h) counts for itself, in place of its address: a
 * stranger behind the same address cannot lock out its owner. The counts survive a restart and are
 * forgotten a day after the last failure.
 */
#include <stdio.h>

#include "os/clock.h"
#include "store/store_audit.h"
#include "store/store_user.h"

#define FREE_TRIES         5  /* account and address */
#define FREE_TRIES_ADDRESS 20 /* many people may share one address */
#define WAIT_MAX_MS        (15 * 60 * (int64_t)1000)
#define FORGET_MS          (24 * 3600 * (int64_t)1000)

static int64_t wait_after(int64_t failures, int64_t free_tries)
{
    int64_t doublings = failures - free_tries;

    if (doublings < 0)
        return 0;
    return doublings >= 10 ? WAIT_MAX_MS : (int64_t)1000 << doublings;
}

static enum err_code failures_of(struct sqldb *db, const char *name, int64_t *failures,
                                 int64_t *last_ms, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "login_failure_get", SQLDB_ARGS(sqldb_text_c(name)), &q, e);

    *failures = *last_ms = 0;
    if (rc == ERR_OK) {
        *failures = store_i64(q, "failures");
        *last_ms = store_i64(q, "last_ms");
    }
    sqldb_end(q);
    if (*last_ms < clock_wall_ms() - FORGET_MS)
        *failures = 0;
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err_code wait_of(struct sqldb *db, const char *name, int64_t free_tries,
                             int64_t *wait_ms, struct err *e)
{
    int64_t failures, last_ms, left;
    enum err_code rc = failures_of(db, name, &failures, &last_ms, e);

    left = last_ms + wait_after(failures, free_tries) - clock_wall_ms();
    if (rc == ERR_OK && failures >= free_tries && left > *wait_ms)
        *wait_ms = left < WAIT_MAX_MS ? left : WAIT_MAX_MS;
    return rc;
}

const char *store_user_login_name(struct arena *a, const struct store_login *at)
{
    struct str username = at->username;
    char *name;

    if (username.len > STORE_USER_NAME_MAX)
        username.len = STORE_USER_NAME_MAX;
    name = arena_printf(a, "%.*s|%s", STR_ARG(username), at->from);
    for (char *c = name; c != NULL && *c != '|'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c | 0x20);
    }
    return name;
}

enum err_code store_user_login_wait(struct store *s, const struct store_login *at, int64_t *wait_ms,
                                    struct err *e)
{
    struct arena a;
    struct sqldb *db = store_read_begin(s);
    enum err_code rc;

    arena_init(&a, "login", 4096);
    *wait_ms = 0;
    rc = wait_of(db, store_user_login_name(&a, at), FREE_TRIES, wait_ms, e);
    if (rc == ERR_OK)
        rc = wait_of(db, at->from, FREE_TRIES_ADDRESS, wait_ms, e);
    store_read_end(s);
    arena_fini(&a);
    return rc;
}

static enum err_code add_failure(struct sqldb *db, const char *name, struct err *e)
{
    int64_t failures, last_ms;
    enum err_code rc = failures_of(db, name, &failures, &last_ms, e);

    if (rc != ERR_OK)
        return rc;
    return sqldb_run(
        db, "login_failure_put",
        SQLDB_ARGS(sqldb_text_c(name), sqldb_i64(failures + 1), sqldb_i64(clock_wall_ms())), e);
}

enum err_code store_user_login_failed(struct store *s, const struct store_actor *who,
                                      const struct store_login *at, struct err *e)
{
    struct arena a;
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    arena_init(&a, "login", 8192);
    rc = add_failure(db, store_user_login_name(&a, at), e);
    if (rc == ERR_OK)
        rc = add_failure(db, at->from, e);
    if (rc == ERR_OK)
        rc = store_audit_add(
            db, who, (struct store_audit_entry){"login.failed", arena_cstr(&a, at->username), ""},
            e);
    rc = store_end(s, rc, e);
    arena_fini(&a);
    return rc;
}

enum err_code store_user_login_forget(struct store *s, const struct store_login *at, struct err *e)
{
    struct arena a;
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    arena_init(&a, "login", 4096);
    rc = sqldb_run(db, "login_failure_delete",
                   SQLDB_ARGS(sqldb_text_c(store_user_login_name(&a, at))), e);
    rc = store_end(s, rc, e);
    arena_fini(&a);
    return rc;
}
