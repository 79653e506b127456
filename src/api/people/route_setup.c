/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_setup.c: the first owner, by a one-time code that the server printed.
 *
 * The code lives in memory for 30 minutes and dies with its use; after ten wrong tries it is
 * replaced. It has 60 bits, so that ten tries a code find nothing.
 */
#include <stdio.h>
#include <string.h>

#include "api/people/api_session.h"
#include "base/limits.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "tls/hash.h"
#include "tls/password.h"

#define CODE_LIFE_MS (30 * 60 * (int64_t)1000)
#define CODE_TRIES   10
#define CODE_GROUPS  3
#define CODE_GROUP   4
#define CODE_SIZE    15 /* XXXX-XXXX-XXXX and a NUL */

static void make_code(char code[CODE_SIZE])
{
    /* 32 signs without those that look alike: five random bits each */
    static const char signs[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    unsigned char random[CODE_GROUPS * CODE_GROUP];
    size_t at = 0;

    entropy_fill(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) {
        if (i > 0 && i % CODE_GROUP == 0)
            code[at++] = '-';
        code[at++] = signs[random[i] % 32];
    }
    code[at] = '\0';
}

static void open_code(struct api *api)
{
    struct api_setup *setup = &api->setup;
    char code[CODE_SIZE];

    make_code(code);
    lock_take(&setup->lock);
    hash_sha256(str_of(code), setup->hash);
    setup->open = true;
    setup->wrong = 0;
    setup->expires_mono_ms = clock_mono_ms() + CODE_LIFE_MS;
    lock_release(&setup->lock);
    api->config.show_code(api->config.arg, code);
    crypto_wipe(code, sizeof(code));
}

enum err_code api_open_setup(struct api *api, struct err *e)
{
    int64_t accounts, owners;
    enum err_code rc = store_user_count(api->config.store, &accounts, &owners, e);

    if (rc == ERR_OK && accounts == 0)
        open_code(api);
    return rc;
}

/* --- state --- */

static enum err_code state(struct api_call *call, struct err *e)
{
    int64_t accounts, owners;
    struct json_writer *w;
    enum err_code rc = store_user_count(call->api->config.store, &accounts, &owners, e);

    if (rc != ERR_OK)
        return rc;
    w = api_json(call, 200);
    json_object_begin(w);
    json_member_bool(w, "setup_required", accounts == 0);
    json_member_c(w, "version", PGA_VERSION);
    json_object_end(w);
    return ERR_OK;
}

const struct route route_setup_state = {
    .method = "GET",
    .path = "/api/v1/auth/state",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = state,
    .summary = "Whether the first owner has yet to be made.",
    .answer = "{setup_required: bool, version: text}",
};

/* --- setup --- */

enum verdict { CODE_WRONG, CODE_RIGHT, CODE_SPENT };

static enum verdict judge(struct api_setup *setup, struct str code)
{
    unsigned char hash[HASH_BYTES];
    enum verdict v = CODE_WRONG;

    hash_sha256(str_trim(code), hash);
    lock_take(&setup->lock);
    if (!setup->open || clock_mono_ms() > setup->expires_mono_ms)
        setup->open = false;
    else if (crypto_equal(str_make(hash, HASH_BYTES), str_make(setup->hash, HASH_BYTES)))
        v = CODE_RIGHT;
    else if (++setup->wrong >= CODE_TRIES)
        v = CODE_SPENT;
    if (v == CODE_SPENT)
        setup->open = false;
    lock_release(&setup->lock);
    return v;
}

static void close_code(struct api_setup *setup)
{
    lock_take(&setup->lock);
    setup->open = false;
    crypto_wipe(setup->hash, sizeof(setup->hash));
    lock_release(&setup->lock);
}

static enum err_code make_owner(struct api_call *call, struct store_user_new *n,
                                struct str password, struct err *e)
{
    struct store_actor who = api_actor(call);
    char *hash = arena_alloc(call->arena, PASSWORD_HASH_SIZE); /* n keeps it */
    struct store_user user;
    int64_t id;

    if (hash == NULL)
        return arena_check(call->arena, e);
    enum err_code rc = password_hash(password, hash, e);

    if (rc == ERR_LIMIT) {
        api_retry_after(call, 1);
        return api_problem(call, 429, "too many attempts; try again later");
    }
    who.name = "setup";
    n->role = "owner";
    n->must_be_first = true;
    n->password_hash = hash;
    if (rc == ERR_OK)
        rc = store_user_create(call->api->config.store, &who, n, &id, e);
    if (rc != ERR_OK)
        return rc;
    close_code(&call->api->setup);
    rc = store_user_by_id(call->api->config.store, call->arena, id, &user, e);
    if (rc != ERR_OK)
        return rc;
    return api_session_begin(
        call, &(struct api_session_start){&user, call->req->peer, 201, "signed in"}, e);
}

static enum err_code read_owner(struct api_call *call, struct store_user_new *n, struct str *code,
                                struct str *password, struct err *e)
{
    enum err_code rc = api_member_text(call, "code", (struct api_length){1, 64}, code, e);

    if (rc == ERR_OK)
        rc = api_member_text(call, "username", (struct api_length){1, STORE_USER_NAME_MAX},
                             &n->username, e);
    if (rc == ERR_OK)
        rc = api_member_text(call, "password", (struct api_length){1, 1024}, password, e);
    if (rc == ERR_OK)
        rc = api_member_text(call, "email", (struct api_length){0, 254}, &n->email, e);
    if (rc == ERR_OK)
        rc = api_member_text(call, "full_name", (struct api_length){0, 200}, &n->full_name, e);
    return rc == ERR_OK ? password_check_new(*password, e) : rc;
}

static enum err_code setup(struct api_call *call, struct err *e)
{
    struct store_user_new n = {0};
    struct str code, password;
    enum err_code rc = read_owner(call, &n, &code, &password, e);

    if (rc != ERR_OK)
        return rc;
    switch (judge(&call->api->setup, code)) {
    case CODE_RIGHT:
        return make_owner(call, &n, password, e);
    case CODE_SPENT:
        rc = api_open_setup(call->api, e);
        if (rc != ERR_OK)
            return rc;
        break;
    case CODE_WRONG:
        break;
    }
    return api_problem(call, 403, "the code is wrong, used or expired");
}

static const char *const setup_members[] = {
    "code text!: what the server printed", "username text!: name of the account",
    "password text!: 12 to 128 bytes",     "email text: its mail address",
    "full_name text: its full name",       NULL,
};

const struct route route_setup_owner = {
    .method = "POST",
    .path = "/api/v1/auth/setup",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = setup_members,
    .handle = setup,
    .summary = "Make the first owner with the code that the server printed.",
    .status = 201,
    .answer = "Session",
};
