/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_keys.c: the master key and the data keys of the store: which there are, and other ones.
 *
 * No key and no part of one is ever in an answer; `check` is the begin of a value that tells keys
 * apart and says nothing of them.
 */
#include "api/api_call.h"
#include "base/limits.h"
#include "store/store_seal_rotate.h"

static void put_key(struct json_writer *w, const struct store_seal_data_key *k)
{
    json_object_begin(w);
    json_member_i64(w, "generation", k->generation);
    json_member_i64(w, "sealed", k->sealed);
    json_member_i64(w, "fields", k->fields);
    api_member_time(w, "created_at", k->created_ms);
    api_member_time(w, "retired_at", k->retired_ms);
    json_object_end(w);
}

static enum err_code answer(struct api_call *call, struct err *e)
{
    struct store_seal_status st;
    struct json_writer *w;
    enum err_code rc = store_seal_status(call->api->config.seal, call->arena, &st, e);

    if (rc != ERR_OK)
        return rc;
    w = api_json(call, 200);
    json_object_begin(w);
    json_member_c(w, "source", st.source);
    json_member_c(w, "check", st.check);
    json_member_bool(w, "by_next", st.by_next);
    json_member_i64(w, "left", st.left);
    json_member_c(w, "stuck", st.stuck);
    json_key(w, "data");
    json_array_begin(w);
    for (size_t i = 0; i < st.count; i++)
        put_key(w, &st.keys[i]);
    json_array_end(w);
    json_object_end(w);
    return ERR_OK;
}

#define ANSWER                                                                            \
    "{source: text(file|credential|passphrase), check: text 'tells master keys apart',"   \
    " by_next: bool 'the key with .next in its name is in use: put it in place',"         \
    " left: int 'fields that are not sealed with the newest data key',"                   \
    " stuck: text? 'why one of them does not open', data: [{generation: int,"             \
    " sealed: int 'fields of all times', fields: int 'that are there', created_at: time," \
    " retired_at: time?}]}"

const struct route route_keys_get = {
    .method = "GET",
    .path = "/api/v1/keys",
    .role = ROUTE_OWNER,
    .sight = ROUTE_SIGHT_FLEET,
    .classes = HTTPD_API,
    .handle = answer,
    .summary = "Where the master key comes from, the data keys that it wraps, and how far their "
               "replacement is. Never a key.",
    .answer = ANSWER,
};

/* What a small store has is sealed anew at once; the rest follows in the background. */
static enum err_code rotate_data(struct api_call *call, const struct store_actor *who,
                                 struct err *e)
{
    struct store_seal_ctx *seal = call->api->config.seal;
    uint32_t generation;
    bool more = true;
    enum err_code rc = store_seal_rotate_data(seal, who, &generation, e);

    for (int i = 0; rc == ERR_OK && more && i < 2; i++)
        rc = store_seal_step(seal, &more, e);
    return rc;
}

static enum err_code rotate(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct str key;
    enum err_code rc = api_member_text(call, "key", (struct api_length){1, 16}, &key, e);

    if (rc != ERR_OK)
        return rc;
    if (str_eq_c(key, "master"))
        rc = store_seal_rotate_master(call->api->config.seal, &who, e);
    else if (str_eq_c(key, "data"))
        rc = rotate_data(call, &who, e);
    else
        return err_set(e, ERR_INVALID, "key: master or data");
    if (rc == ERR_NOT_FOUND || rc == ERR_CONFLICT)
        return api_problem(call, 409, "%s", e->text);
    return rc == ERR_OK ? answer(call, e) : rc;
}

static const char *const rotate_members[] = {
    "key text(master|data)!: which one",
    NULL,
};

const struct route route_keys_rotate = {
    .method = "POST",
    .path = "/api/v1/keys/rotate",
    .role = ROUTE_OWNER,
    .sight = ROUTE_SIGHT_FLEET,
    .step_up = true,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = rotate_members,
    .handle = rotate,
    .summary =
        "Replace a key. master: every data key is wrapped with the one that follows, which of a "
        "file is made, else lies beside it with .next behind its name. data: a new one seals from "
        "now on, and what is sealed with older ones is sealed anew in the background.",
    .answer = ANSWER,
    .also = "409",
};
