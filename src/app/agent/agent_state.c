/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_state.c: identity.json and targets.json.
 */
#include "app/agent/agent_state.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "os/entropy.h"
#include "os/file.h"

#define STATE_MAX (256 * 1024)

static const struct json_limits LIMITS = {STATE_MAX, LIMIT_JSON_DEPTH, true};

/* *doc is NULL when there is no such file. */
static enum err_code load(const char *dir, const char *name, struct json_doc **doc, struct err *e)
{
    char path[1100];
    struct buf text;
    *doc = NULL;
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    buf_init(&text, STATE_MAX);
    enum err_code code = file_read_secret(path, &text, e);
    if (!code) {
        code = json_parse(buf_view(&text), &LIMITS, doc, e);
        code = code ? err_wrap(e, "%s", path) : ERR_OK;
    } else if (code == ERR_NOT_FOUND) {
        code = ERR_OK;
    }
    buf_fini(&text);
    return code;
}

static enum err_code save(const char *dir, const char *name, const struct buf *text, struct err *e)
{
    char path[1100];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (buf_check(text, e)) {
        return e ? e->code : ERR_LIMIT;
    }
    return file_write_atomic(path, buf_view(text), 0600, e);
}

enum err_code agent_identity_load(const char *state_dir, struct agent_identity *out, struct err *e)
{
    struct json_doc *doc;
    memset(out, 0, sizeof(*out));
    if (load(state_dir, "identity.json", &doc, e)) {
        return e->code;
    }
    const struct json *root = doc ? json_root(doc) : NULL;
    struct str token = json_str(json_get(root, "token"));
    out->enrolled = root && token.len < sizeof(out->token) && token.len > 0 &&
                    text_parse_uuid(json_str(json_get(root, "collector_id")), &out->collector);
    if (out->enrolled) {
        snprintf(out->token, sizeof(out->token), "%.*s", STR_ARG(token));
        out->expires_ms = json_i64(json_get(root, "expires_ms"), 0);
        if (!text_parse_uuid(json_str(json_get(root, "store_epoch")), &out->epoch)) {
            memset(&out->epoch, 0, sizeof(out->epoch));
        }
        snprintf(out->agent_url, sizeof(out->agent_url), "%.*s",
                 STR_ARG(json_str(json_get(root, "agent_url"))));
    }
    json_doc_free(doc);
    return ERR_OK;
}

enum err_code agent_identity_save(const char *state_dir, const struct agent_identity *id,
                                  struct err *e)
{
    struct buf text;
    struct json_writer w;
    char uuid[TEXT_UUID_SIZE];
    buf_init(&text, STATE_MAX);
    json_writer_init(&w, &text);
    json_object_begin(&w);
    text_uuid(&id->collector, uuid);
    json_member_c(&w, "collector_id", uuid);
    json_member_c(&w, "token", id->token);
    json_member_i64(&w, "expires_ms", id->expires_ms);
    text_uuid(&id->epoch, uuid);
    json_member_c(&w, "store_epoch", uuid);
    if (id->agent_url[0]) {
        json_member_c(&w, "agent_url", id->agent_url);
    }
    json_object_end(&w);
    enum err_code code = save(state_dir, "identity.json", &text, e);
    buf_fini(&text);
    return code;
}

/* The file again, with one more id. */
static enum err_code add_id(const char *dir, const struct json *root, const char *name,
                            const struct uuid *id, struct err *e)
{
    struct buf text;
    struct json_writer w;
    char uuid[TEXT_UUID_SIZE];
    buf_init(&text, STATE_MAX);
    json_writer_init(&w, &text);
    json_object_begin(&w);
    for (struct json_iter it = json_iter(root); json_next(&it);) {
        json_key_str(&w, it.key);
        json_put_node(&w, it.value);
    }
    text_uuid(id, uuid);
    json_member_c(&w, name, uuid);
    json_object_end(&w);
    enum err_code code = save(dir, "targets.json", &text, e);
    buf_fini(&text);
    return code;
}

enum err_code agent_target_id(const char *state_dir, const char *name, struct uuid *out,
                              struct err *e)
{
    char key[160];
    struct json_doc *doc;
    snprintf(key, sizeof(key), "%s%s", name ? "postgresql:" : "host", name ? name : "");
    if (load(state_dir, "targets.json", &doc, e)) {
        return e->code;
    }
    const struct json *root = doc ? json_root(doc) : NULL;
    enum err_code code = ERR_OK;
    if (!text_parse_uuid(json_str(json_get(root, key)), out)) {
        entropy_uuid(out);
        code = add_id(state_dir, root, key, out, e);
    }
    json_doc_free(doc);
    return code;
}
