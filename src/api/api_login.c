/* SPDX-License-Identifier: PostgreSQL */
/* api_login.c: see the header. */
#include "api/api_login.h"

#include "api/api_device.h"
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
    if (rc == ERR_OK)
        rc = password_verify(known ? l->user.password_hash : NULL, l->password, &l->right, e);
    if (rc == ERR_LIMIT)
        return api_login_busy(call, 1000);
    if (rc == ERR_OK && !l->right)
        return refuse(call, l, e);
    return rc == ERR_OK ? renew_hash(call, l, e) : rc;
}
