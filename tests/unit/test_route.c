/* SPDX-License-Identifier: PostgreSQL */
/* test_route.c: walks the route table: each route says who may call it, and is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/route.h"
#include "base/buf.h"

/*
 * Who may call what, and what of it those who are limited to groups, written down a second time on
 * purpose: a new route, or a changed role, has to be said here as well.
 */
static const struct {
    const char *method, *path;
    enum route_role role;
    enum route_sight sight;
} expected[] = {
    {"GET", "/api/v1/audit/export", ROUTE_AUDITOR, ROUTE_SIGHT_FLEET},
    {"GET", "/api/v1/audit", ROUTE_AUDITOR, ROUTE_SIGHT_FLEET},
    {"GET", "/api/v1/audit/verify", ROUTE_AUDITOR, ROUTE_SIGHT_FLEET},
    {"POST", "/api/v1/auth/change-password", ROUTE_SIGNED_IN, ROUTE_SIGHT_APART},
    {"POST", "/api/v1/auth/confirm", ROUTE_SIGNED_IN, ROUTE_SIGHT_APART},
    {"GET", "/api/v1/auth/totp", ROUTE_SIGNED_IN, ROUTE_SIGHT_APART},
    {"POST", "/api/v1/auth/totp", ROUTE_SIGNED_IN, ROUTE_SIGHT_APART},
    {"DELETE", "/api/v1/auth/totp", ROUTE_SIGNED_IN, ROUTE_SIGHT_APART},
    {"POST", "/api/v1/auth/totp/enable", ROUTE_SIGNED_IN, ROUTE_SIGHT_APART},
    {"DELETE", "/api/v1/users/{id}/totp", ROUTE_OWNER, ROUTE_SIGHT_FLEET},
    {"POST", "/api/v1/auth/login", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"POST", "/api/v1/auth/logout", ROUTE_SIGNED_IN, ROUTE_SIGHT_APART},
    {"GET", "/api/v1/auth/me", ROUTE_SIGNED_IN, ROUTE_SIGHT_APART},
    {"POST", "/api/v1/auth/refresh", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/api/v1/backup", ROUTE_ADMIN, ROUTE_SIGHT_FLEET},
    {"GET", "/api/v1/servers/{id}/sessions/breakdown", ROUTE_VIEWER, ROUTE_SIGHT_TARGET},
    {"GET", "/api/v1/cardinality", ROUTE_VIEWER, ROUTE_SIGHT_LIST},
    {"GET", "/api/v1/collectors/{id}/limits", ROUTE_VIEWER, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/collectors/{id}", ROUTE_VIEWER, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/collectors", ROUTE_VIEWER, ROUTE_SIGHT_LIST},
    {"POST", "/api/v1/collectors/register", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/api/v1/ca", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/api/v1/ca/authorities", ROUTE_ADMIN, ROUTE_SIGHT_FLEET},
    {"POST", "/api/v1/ca/rotate", ROUTE_OWNER, ROUTE_SIGHT_FLEET},
    {"POST", "/api/v1/collectors/renew-certificate", ROUTE_COLLECTOR, ROUTE_SIGHT_APART},
    {"POST", "/api/v1/collectors/renew-expired", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"POST", "/api/v1/collectors/{id}/approve", ROUTE_ADMIN, ROUTE_SIGHT_COLLECTOR},
    {"POST", "/api/v1/collectors/refresh-token", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"DELETE", "/api/v1/collectors/{id}", ROUTE_OPERATOR, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/config/{collector_id}", ROUTE_OPERATOR, ROUTE_SIGHT_COLLECTOR},
    {"PUT", "/api/v1/config/{collector_id}", ROUTE_OPERATOR, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/config/{collector_id}/versions", ROUTE_OPERATOR, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/config/{collector_id}/versions/{id}", ROUTE_OPERATOR, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/config/{collector_id}/diff", ROUTE_OPERATOR, ROUTE_SIGHT_COLLECTOR},
    {"POST", "/api/v1/config/report", ROUTE_COLLECTOR, ROUTE_SIGHT_APART},
    {"PUT", "/api/v1/servers/{id}", ROUTE_ADMIN, ROUTE_SIGHT_TARGET},
    {"PUT", "/api/v1/collectors/{id}", ROUTE_ADMIN, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/events", ROUTE_VIEWER, ROUTE_SIGHT_LIST},
    {"GET", "/api/v1/health", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/healthz", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/readyz", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/version", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/api/v1/keys", ROUTE_OWNER, ROUTE_SIGHT_FLEET},
    {"POST", "/api/v1/keys/rotate", ROUTE_OWNER, ROUTE_SIGHT_FLEET},
    {"POST", "/api/v1/managed-instances", ROUTE_ADMIN, ROUTE_SIGHT_LIST},
    {"DELETE", "/api/v1/managed-instances/{id}", ROUTE_ADMIN, ROUTE_SIGHT_MANAGED},
    {"GET", "/api/v1/managed-instances/{id}", ROUTE_VIEWER, ROUTE_SIGHT_MANAGED},
    {"GET", "/api/v1/managed-instances", ROUTE_VIEWER, ROUTE_SIGHT_LIST},
    {"POST", "/api/v1/managed-instances/{id}/test-connection", ROUTE_OPERATOR, ROUTE_SIGHT_MANAGED},
    {"POST", "/api/v1/managed-instances/test-connection-direct", ROUTE_ADMIN, ROUTE_SIGHT_APART},
    {"PUT", "/api/v1/managed-instances/{id}", ROUTE_ADMIN, ROUTE_SIGHT_MANAGED},
    {"GET", "/api/v1/servers/{id}/metrics", ROUTE_VIEWER, ROUTE_SIGHT_TARGET},
    {"GET", "/api/v1/monitoring", ROUTE_VIEWER, ROUTE_SIGHT_FLEET},
    {"POST", "/api/v1/store/compact", ROUTE_ADMIN, ROUTE_SIGHT_FLEET},
    {"GET", "/metrics", ROUTE_ANYONE, ROUTE_SIGHT_FLEET},
    {"GET", "/api/v1/collectors/{id}/bloat", ROUTE_VIEWER, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/collectors/{id}/cache-hits", ROUTE_VIEWER, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/collectors/{id}/connections", ROUTE_VIEWER, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/collectors/{id}/extensions", ROUTE_VIEWER, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/collectors/{id}/queries/frequent", ROUTE_VIEWER, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/collectors/{id}/locks", ROUTE_VIEWER, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/collectors/{id}/replication", ROUTE_VIEWER, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/collectors/{id}/schema", ROUTE_VIEWER, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/collectors/{id}/replication-slots", ROUTE_VIEWER, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/collectors/{id}/queries/slow", ROUTE_VIEWER, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/collectors/{id}/topology", ROUTE_VIEWER, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/collectors/{id}/version", ROUTE_VIEWER, ROUTE_SIGHT_COLLECTOR},
    {"GET", "/api/v1/servers/{id}/rows", ROUTE_VIEWER, ROUTE_SIGHT_TARGET},
    {"GET", "/openapi.json", ROUTE_LOCAL, ROUTE_SIGHT_APART},
    {"GET", "/swagger", ROUTE_LOCAL, ROUTE_SIGHT_APART},
    {"GET", "/prometheus/api/v1/alerts", ROUTE_VIEWER, ROUTE_SIGHT_APART},
    {"GET", "/prometheus/api/v1/status/buildinfo", ROUTE_VIEWER, ROUTE_SIGHT_APART},
    {"GET", "/prometheus/api/v1/query_exemplars", ROUTE_VIEWER, ROUTE_SIGHT_APART},
    {"POST", "/prometheus/api/v1/query_exemplars", ROUTE_VIEWER, ROUTE_SIGHT_APART},
    {"GET", "/prometheus/api/v1/format_query", ROUTE_VIEWER, ROUTE_SIGHT_APART},
    {"POST", "/prometheus/api/v1/format_query", ROUTE_VIEWER, ROUTE_SIGHT_APART},
    {"GET", "/prometheus/api/v1/labels", ROUTE_VIEWER, ROUTE_SIGHT_LIST},
    {"POST", "/prometheus/api/v1/labels", ROUTE_VIEWER, ROUTE_SIGHT_LIST},
    {"GET", "/prometheus/api/v1/metadata", ROUTE_VIEWER, ROUTE_SIGHT_LIST},
    {"GET", "/prometheus/api/v1/query", ROUTE_VIEWER, ROUTE_SIGHT_LIST},
    {"POST", "/prometheus/api/v1/query", ROUTE_VIEWER, ROUTE_SIGHT_LIST},
    {"GET", "/prometheus/api/v1/query_range", ROUTE_VIEWER, ROUTE_SIGHT_LIST},
    {"POST", "/prometheus/api/v1/query_range", ROUTE_VIEWER, ROUTE_SIGHT_LIST},
    {"GET", "/prometheus/api/v1/rules", ROUTE_VIEWER, ROUTE_SIGHT_APART},
    {"GET", "/prometheus/api/v1/series", ROUTE_VIEWER, ROUTE_SIGHT_LIST},
    {"POST", "/prometheus/api/v1/series", ROUTE_VIEWER, ROUTE_SIGHT_LIST},
    {"GET", "/prometheus/api/v1/label/{name}/values", ROUTE_VIEWER, ROUTE_SIGHT_LIST},
    {"POST", "/api/v1/metrics/push", ROUTE_COLLECTOR, ROUTE_SIGHT_APART},
    {"GET", "/api/v1/servers/{id}/queries/top", ROUTE_VIEWER, ROUTE_SIGHT_TARGET},
    {"GET", "/api/v1/records", ROUTE_ADMIN, ROUTE_SIGHT_FLEET},
    {"PUT", "/api/v1/registration-secrets/{id}", ROUTE_ADMIN, ROUTE_SIGHT_SECRET},
    {"POST", "/api/v1/registration-secrets", ROUTE_ADMIN, ROUTE_SIGHT_LIST},
    {"GET", "/api/v1/registration-secrets/{id}", ROUTE_ADMIN, ROUTE_SIGHT_SECRET},
    {"GET", "/api/v1/registration-secrets", ROUTE_ADMIN, ROUTE_SIGHT_LIST},
    {"DELETE", "/api/v1/registration-secrets/{id}", ROUTE_ADMIN, ROUTE_SIGHT_SECRET},
    {"DELETE", "/api/v1/servers/{id}", ROUTE_ADMIN, ROUTE_SIGHT_TARGET},
    {"GET", "/api/v1/servers/{id}", ROUTE_VIEWER, ROUTE_SIGHT_TARGET},
    {"GET", "/api/v1/servers", ROUTE_VIEWER, ROUTE_SIGHT_LIST},
    {"GET", "/api/v1/servers/{id}/sessions/load", ROUTE_VIEWER, ROUTE_SIGHT_TARGET},
    {"POST", "/api/v1/auth/setup", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/api/v1/sessions", ROUTE_SIGNED_IN, ROUTE_SIGHT_APART},
    {"DELETE", "/api/v1/sessions/{id}", ROUTE_SIGNED_IN, ROUTE_SIGHT_APART},
    {"POST", "/api/v1/tokens", ROUTE_VIEWER, ROUTE_SIGHT_APART},
    {"GET", "/api/v1/tokens", ROUTE_SIGNED_IN, ROUTE_SIGHT_APART},
    {"DELETE", "/api/v1/tokens/{id}", ROUTE_SIGNED_IN, ROUTE_SIGHT_APART},
    {"GET", "/api/v1/auth/state", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/api/v1/users", ROUTE_ADMIN, ROUTE_SIGHT_FLEET},
    {"GET", "/api/v1/servers/{id}/top", ROUTE_VIEWER, ROUTE_SIGHT_TARGET},
    {"POST", "/api/v1/users", ROUTE_ADMIN, ROUTE_SIGHT_FLEET},
    {"GET", "/api/v1/users/{id}", ROUTE_ADMIN, ROUTE_SIGHT_FLEET},
    {"PUT", "/api/v1/users/{id}", ROUTE_ADMIN, ROUTE_SIGHT_FLEET},
    {"DELETE", "/api/v1/users/{id}", ROUTE_ADMIN, ROUTE_SIGHT_FLEET},
    {"POST", "/api/v1/users/{id}/reset-password", ROUTE_ADMIN, ROUTE_SIGHT_FLEET},
    {"GET", "/*", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/login", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/managed", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/about", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/account", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/collectors", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/s/{id}", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/s/{id}/queries", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/s/{id}/queries/{query}", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/s/{id}/sessions", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/s/{id}/data", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/s/{id}/data/{relation}", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/secrets", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/users", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/audit", ROUTE_ANYONE, ROUTE_SIGHT_APART},
    {"GET", "/setup", ROUTE_ANYONE, ROUTE_SIGHT_APART},
};
#define EXPECTED (sizeof(expected) / sizeof(expected[0]))

/* What a token does not open: for people in a session; FRESH: who proved who they are just now. */
static const struct {
    const char *method, *path;
    enum { PERSON, FRESH } proof;
} in_person[] = {
    {"POST", "/api/v1/ca/rotate", FRESH},
    {"GET", "/api/v1/audit/export", FRESH},
    {"POST", "/api/v1/auth/change-password", PERSON},
    {"POST", "/api/v1/auth/confirm", PERSON},
    {"GET", "/api/v1/auth/totp", PERSON},
    {"POST", "/api/v1/auth/totp", FRESH},
    {"DELETE", "/api/v1/auth/totp", FRESH},
    {"POST", "/api/v1/auth/totp/enable", FRESH},
    {"DELETE", "/api/v1/users/{id}/totp", FRESH},
    {"POST", "/api/v1/auth/logout", PERSON},
    {"GET", "/api/v1/sessions", PERSON},
    {"DELETE", "/api/v1/sessions/{id}", PERSON},
    {"GET", "/api/v1/tokens", PERSON},
    {"POST", "/api/v1/keys/rotate", FRESH},
    {"POST", "/api/v1/tokens", FRESH},
    {"DELETE", "/api/v1/tokens/{id}", PERSON},
    {"POST", "/api/v1/users", FRESH},
    {"PUT", "/api/v1/users/{id}", FRESH},
    {"DELETE", "/api/v1/users/{id}", FRESH},
    {"POST", "/api/v1/users/{id}/reset-password", FRESH},
};
#define IN_PERSON (sizeof(in_person) / sizeof(in_person[0]))

static void every_route_has_its_role(void **state)
{
    size_t count;
    const struct route *const *table = route_table(&count);

    (void)state;
    assert_int_equal(count, EXPECTED);
    for (size_t i = 0; i < count; i++) {
        bool known = false;

        for (size_t j = 0; j < EXPECTED; j++) {
            if (strcmp(table[i]->method, expected[j].method) != 0 ||
                strcmp(table[i]->path, expected[j].path) != 0)
                continue;
            known = true;
            assert_int_equal(table[i]->role, expected[j].role);
            if (table[i]->sight != expected[j].sight)
                fail_msg("%s %s is about something else", table[i]->method, table[i]->path);
        }
        if (!known)
            fail_msg("%s %s has no authorisation case", table[i]->method, table[i]->path);
    }
}

static void the_proof_is_the_one_written_down(void **state)
{
    size_t count, found = 0;
    const struct route *const *table = route_table(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        bool person = false, fresh = false;

        for (size_t j = 0; j < IN_PERSON; j++) {
            if (strcmp(table[i]->method, in_person[j].method) != 0 ||
                strcmp(table[i]->path, in_person[j].path) != 0)
                continue;
            found++;
            person = in_person[j].proof == PERSON;
            fresh = in_person[j].proof == FRESH;
        }
        if (table[i]->in_person != person || table[i]->step_up != fresh)
            fail_msg("%s %s: another proof is written down", table[i]->method, table[i]->path);
    }
    assert_int_equal(found, IN_PERSON);
}

static void every_route_is_whole(void **state)
{
    size_t count;
    const struct route *const *table = route_table(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        const struct route *r = table[i];

        assert_non_null(r->handle);
        assert_non_null(r->summary);
        assert_int_not_equal(r->classes, 0);
        assert_int_not_equal(r->sight, ROUTE_SIGHT_UNDECIDED);
        assert_true(r->body == ROUTE_NO_BODY || r->max_body > 0);
        assert_true(r->body != ROUTE_JSON || r->members != NULL);
        /* what changes something is never open to everybody but for the doors into the house */
        if (r->role == ROUTE_ANYONE && strcmp(r->method, "GET") != 0)
            assert_true(strstr(r->path, "/auth/") != NULL || strstr(r->path, "/collectors/r"));
        /* a token makes no tokens, and touches no session and no account */
        if (strcmp(r->method, "GET") != 0 && r->role != ROUTE_ANYONE &&
            (strstr(r->path, "/auth/") || strstr(r->path, "/v1/tokens") ||
             strstr(r->path, "/v1/users") || strstr(r->path, "/v1/sessions")))
            assert_true(r->in_person || r->step_up);
        for (size_t j = 0; j < i; j++)
            assert_true(strcmp(r->path, table[j]->path) != 0 ||
                        strcmp(r->method, table[j]->method) != 0);
    }
}

static const struct route *find(const char *method, const char *path, struct str *params,
                                const char *want_allow)
{
    const struct route *r;
    struct buf allow;

    buf_init(&allow, 256);
    r = route_find(str_of(method), str_of(path), params, &allow);
    if (want_allow != NULL)
        assert_string_equal(allow.ptr, want_allow);
    buf_fini(&allow);
    return r;
}

static void paths_are_found_exactly(void **state)
{
    struct str params[ROUTE_PARAMS] = {{0}};
    const struct route *r;

    (void)state;
    r = find("GET", "/api/v1/servers/abc/queries/top", params, NULL);
    assert_non_null(r);
    assert_string_equal(r->path, "/api/v1/servers/{id}/queries/top");
    assert_true(str_eq_c(params[0], "abc"));
    assert_null(find("DELETE", "/api/v1/servers", params, "GET"));
    assert_null(find("POST", "/api/v1/nothing", params, ""));
    assert_string_equal(find("GET", "/", params, NULL)->path, "/");
    assert_string_equal(find("GET", "/assets/app.js", params, NULL)->path, "/*");
    assert_string_equal(find("GET", "/api/v1/servers/", params, NULL)->path, "/*");
    assert_string_equal(find("POST", "/api/v1/collectors/register", params, NULL)->path,
                        "/api/v1/collectors/register");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_has_its_role),
        cmocka_unit_test(the_proof_is_the_one_written_down),
        cmocka_unit_test(every_route_is_whole),
        cmocka_unit_test(paths_are_found_exactly),
    };

    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
