/* SPDX-License-Identifier: PostgreSQL */
/* api_login.c: see the header. */
#include "api/people/api_login.h"

#include "api/people/api_device.h"
#include "store/store_totp.h"
#include "tls/password.h"

enum err_code api_login_busy(struct api_call *call, int64_t wait_ms)
{
    api_retry_after(call, (wait_ms + 999) / 1000);
    return api_problem(call, 429, "too many attempts; try again later");
}

static enum err_code refuse(struct api_call *call, const struct api_login *l, struct err *e)
{
    struct store_actor who = api_actor(call);
    enum err_code rc = store_user_login_failed(call->api->config.store, &who,
                                               &(struct store_login){l->username, l->from}, e);

    if (rc != ERR_OK)
        return rc;
    return l->refusal != 0 ? api_problem(call, l->refusal, "the password is wrong")
                           : api_problem(call, 401, "user name or password is wrong");
}

/* A hash by older parameters is replaced while the password is at hand. */
static enum err_code renew_hash(struct api_call *call, struct api_login *l, struct err *e)
{
    char *hash = arena_alloc(call->arena, PASSWORD_HASH_SIZE); /* the account keeps it */
    enum err_code rc;

    if (!password_is_old(l->user.password_hash))
        return ERR_OK;
    if (hash == NULL)
        return arena_fail(call->arena, e);
    rc = password_hash(l->password, hash, e);
    if (rc == ERR_LIMIT)
        return ERR_OK; /* at another login */
    if (rc == ERR_OK)
        rc = store_user_rehash(call->api->config.store, l->user.id, hash, e);
    if (rc == ERR_OK)
        l->user.password_hash = hash;
    return rc;
}

/* known: whether there is such an account, and it may sign in */
static enum err_code look_up(struct api_call *call, struct api_login *l, bool *known, struct err *e)
{
    enum err_code rc = store_user_by_name(call->api->config.store, call->arena, l->username,
                                          &l->user, e);

    *known = rc == ERR_OK && l->user.is_active;
    l->from = api_device_from(call, *known ? &l->user : NULL);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/* Password and hash, with the work of both when there is none. */
static enum err_code try_password(struct api_call *call, struct api_login *l, bool known,
                                  struct err *e)
{
    enum err_code rc = password_verify(known ? l->user.password_hash : NULL, l->password, &l->right,
                                       e);

    if (rc == ERR_LIMIT)
        return api_login_busy(call, 1000);
    if (rc == ERR_OK && !l->right)
        return refuse(call, l, e);
    return rc == ERR_OK ? renew_hash(call, l, e) : rc;
}

/* --- the second factor --- */

static enum err_code ask_for_code(struct api_call *call, const struct api_login *l,
                                  const char *words)
{
    call->problem_type = API_LOGIN_CODE_TYPE;
    return api_problem(call, l->refusal != 0 ? l->refusal : 401, "%s", words);
}

/* Where wrong codes are counted. */
static struct store_login door_of_codes(struct api_call *call, const struct api_login *l)
{
    bool device = str_starts(str_of(l->from), STR("device:"));
    const char *all = arena_printf(call->arena, "code:%s", l->user.username);

    return (struct store_login){l->username, device || all == NULL ? l->from : all};
}

static enum err_code refuse_code(struct api_call *call, struct api_login *l,
                                 const struct store_login *door, struct err *e)
{
    struct store_actor who = api_actor(call);
    enum err_code rc = store_user_login_failed(call->api->config.store, &who, door, e);

    return rc == ERR_OK ? ask_for_code(call, l, "the code is wrong, or was used before") : rc;
}

static enum err_code take_code(struct api_call *call, struct api_login *l, struct err *e)
{
    struct store *store = call->api->config.store;
    struct store_actor who = api_actor(call);
    struct store_totp t = {store, call->api->config.seal, &who, l->user.id};
    struct store_login door = door_of_codes(call, l);
    int64_t wait_ms = 0;
    enum err_code rc = store_user_login_wait(store, &door, &wait_ms, e);

    l->right = false;
    who.name = arena_printf(call->arena, "user:%s", l->user.username);
    if (rc == ERR_OK && wait_ms > 0)
        return api_login_busy(call, wait_ms);
    if (rc == ERR_OK)
        rc = store_totp_take(&t, l->code, &l->right, e);
    if (rc == ERR_OK && !l->right)
        return refuse_code(call, l, &door, e);
    return rc == ERR_OK ? store_user_login_forget(store, &door, e) : rc;
}

static enum err_code try_code(struct api_call *call, struct api_login *l, struct err *e)
{
    if (l->need == API_LOGIN_PASSWORD || l->user.totp != STORE_USER_TOTP_ON)
        return ERR_OK;
    if (l->code.len == 0) {
        l->right = false;
        return ask_for_code(call, l, "a code of the second factor is needed");
    }
    return take_code(call, l, e);
}

enum err_code api_login_try(struct api_call *call, struct api_login *l, struct err *e)
{
    int64_t wait_ms = 0;
    bool known = false;
    enum err_code rc = look_up(call, l, &known, e);

    l->right = false;
    if (rc == ERR_OK)
        rc = store_user_login_wait(call->api->config.store,
                                   &(struct store_login){l->username, l->from}, &wait_ms, e);
    if (rc == ERR_OK && wait_ms > 0)
        return api_login_busy(call, wait_ms);
    if (rc == ERR_OK && l->need == API_LOGIN_CODE)
        return known ? take_code(call, l, e) : refuse(call, l, e);
    if (rc == ERR_OK)
        rc = try_password(call, l, known, e);
    return rc == ERR_OK && l->right ? try_code(call, l, e) : rc;
}
