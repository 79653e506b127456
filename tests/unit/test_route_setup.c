/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_route_setup.c: U1: the code for the first owner ends after half an hour, and after ten wrong
 * tries, with a clock that is moved.
 *
 * A code that is taken leads to an account; as there is one already by then, the answer is a
 * conflict, and one that is not taken is 403.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/api_call.h"
#include "base/limits.h"
#include "os/clock.h"
#include "store/store_user.h"
#include "store_fixture.h"
#include "tls/password.h"

#define MINUTE_US (60 * INT64_C(1000000))

extern const struct route route_setup_owner;

static int64_t mono_us = 1000 * MINUTE_US;
static char shown[32];
static int shown_count;

static int64_t moved_mono_us(void)
{
    return mono_us;
}

static void show(void *arg, const char *code)
{
    (void)arg;
    (void)snprintf(shown, sizeof(shown), "%s", code);
    shown_count++;
}

struct setup_fixture {
    struct store_fixture f;
    struct api api;
    struct clock_ops clock;
    const struct clock_ops *before;
};

static void begin(struct setup_fixture *s)
{
    struct err e;

    memset(s, 0, sizeof(*s));
    store_fixture_begin(&s->f, SQLDB_SQLITE);
    s->api.config = (struct api_config){.store = s->f.store, .show_code = show};
    lock_init(&s->api.setup.lock, "api.setup", 50);
    s->before = clock_ops_set(NULL);
    s->clock = *s->before;
    s->clock.mono_us = moved_mono_us;
    (void)clock_ops_set(&s->clock);
    shown_count = 0;
    assert_int_equal(api_open_setup(&s->api, &e), ERR_OK);
    assert_int_equal(shown_count, 1);
    assert_int_equal(strlen(shown), 14);
}

static void end(struct setup_fixture *s)
{
    (void)clock_ops_set(s->before);
    store_fixture_end(&s->f);
}

static void make_an_account(struct setup_fixture *s)
{
    const struct store_user_new user = {
        .username = STR("first"), .role = "owner", .password_hash = "x"};
    const struct store_actor who = {"test", "", ""};
    struct err e;
    int64_t id;

    assert_int_equal(store_user_create(s->f.store, &who, &user, &id, &e), ERR_OK);
}

/* POST /auth/setup: 403 = the code was not taken, 409 = it was. */
static int try_code(struct setup_fixture *s, const char *code)
{
    const struct json_limits limits = {LIMIT_JSON_BODY_BYTES, LIMIT_JSON_DEPTH, true};
    struct httpd_request req = {.peer = "127.0.0.1"};
    struct httpd_response resp = {0};
    struct api_call call = {.api = &s->api, .req = &req, .resp = &resp, .who = {.name = ""}};
    struct arena arena;
    enum err_code rc;
    struct err e;

    arena_init(&arena, "test", 65536);
    req.arena = call.arena = &arena;
    buf_init(&resp.body, 65536);
    buf_init(&resp.head, 4096);
    assert_int_equal(json_parse(str_of(arena_printf(&arena,
                                                    "{\"code\":\"%s\",\"username\":\"owner\","
                                                    "\"password\":\"a pass phrase of mine\"}",
                                                    code)),
                                &limits, &call.doc, &e),
                     ERR_OK);
    call.body = json_root(call.doc);
    rc = route_setup_owner.handle(&call, &e);
    json_doc_free(call.doc);
    buf_fini(&resp.body);
    buf_fini(&resp.head);
    arena_fini(&arena);
    return rc == ERR_CONFLICT ? 409 : rc == ERR_OK ? resp.status : (int)rc;
}

static void u1_the_code_ends_after_half_an_hour(void **state)
{
    struct setup_fixture s;

    (void)state;
    begin(&s);
    make_an_account(&s);
    mono_us += 29 * MINUTE_US;
    assert_int_equal(try_code(&s, "AAAA-AAAA-AAAA"), 403);
    assert_int_equal(try_code(&s, shown), 409);
    mono_us += 2 * MINUTE_US;
    assert_int_equal(try_code(&s, shown), 403);
    mono_us -= 2 * MINUTE_US; /* and is dead for good */
    assert_int_equal(try_code(&s, shown), 403);
    end(&s);
}

static void u1_ten_wrong_tries_make_a_new_code(void **state)
{
    struct setup_fixture s;
    char first[32];

    (void)state;
    begin(&s);
    (void)snprintf(first, sizeof(first), "%s", shown);
    for (int i = 1; i <= 9; i++)
        assert_int_equal(try_code(&s, "AAAA-AAAA-AAAA"), 403);
    assert_int_equal(shown_count, 1);
    assert_int_equal(try_code(&s, "AAAA-AAAA-AAAA"), 403);
    assert_int_equal(shown_count, 2);
    assert_string_not_equal(shown, first);
    make_an_account(&s);
    assert_int_equal(try_code(&s, first), 403);
    assert_int_equal(try_code(&s, shown), 409);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(u1_the_code_ends_after_half_an_hour),
        cmocka_unit_test(u1_ten_wrong_tries_make_a_new_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
