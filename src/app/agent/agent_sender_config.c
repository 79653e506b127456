/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_sender_config.c: the sender fetches configurations and tells what became of them.
 *
 * The answer to a push says which version is the newest. Where nothing is pushed for a while, the
 * report is sent again; so an agent with nothing to read is known to be there, and hears the same.
 * Threads: the sender's.
 */
#include <stdio.h>
#include <string.h>

#include "app/agent/agent_central.h"
#include "app/agent/agent_sender_internal.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "os/clock.h"

#define RETRY_US        (10LL * 1000000)
#define CHECK_S_DEFAULT 60
#define CHECK_S_MAX     3600

static const struct log_ctx CTX = {.component = "config"};

void agent_sender_heard(struct agent_sender *s, const struct push_answer *answer)
{
    s->config_version = answer->config_version;
    s->check_s = answer->next_check_s > 0 && answer->next_check_s < CHECK_S_MAX
                     ? answer->next_check_s
                     : CHECK_S_DEFAULT;
    s->heard_us = clock_mono_us();
}

static enum err_code tell(struct agent_sender *s, const struct agent_central_report *r,
                          struct err *e)
{
    char bearer[AGENT_TOKEN_MAX + 16];
    struct buf body;
    struct json_writer w;
    struct str error = str_of(r->error);
    snprintf(bearer, sizeof(bearer), "Bearer %s", s->identity.token);
    const struct httpc_header headers[] = {{"Authorization", bearer},
                                           {"Content-Type", "application/json"}};
    buf_init(&body, LIMIT_JSON_BODY_BYTES);
    json_writer_init(&w, &body);
    json_object_begin(&w);
    json_member_i64(&w, "applied", r->applied);
    json_member_i64(&w, "failed", r->failed);
    json_member_str(&w, "error", error);
    json_object_end(&w);
    enum err_code code = agent_sender_post(
        s, &(struct agent_post){"/config/report", headers, 2, buf_view(&body), NULL, false}, e);
    buf_fini(&body);
    return code;
}

/* The answer says what is new; one that does not parse says nothing. */
static void take_answer(struct agent_sender *s)
{
    const struct json_limits limits = {64 * 1024, LIMIT_JSON_DEPTH, false};
    struct json_doc *doc = NULL;
    s->heard_us = clock_mono_us();
    if (!json_parse(buf_view(&s->answer.body), &limits, &doc, NULL)) {
        const struct json *root = json_root(doc);
        const struct push_answer got = {
            .config_version = json_i64(json_get(root, "next_config_version"), 0),
            .next_check_s = json_i64(json_get(root, "next_check_in_seconds"), 0),
        };
        agent_sender_heard(s, &got);
    }
    json_doc_free(doc);
}

/* quiet: nothing was pushed for a while; then old news are told again. */
static void report(struct agent_sender *s, bool quiet)
{
    struct agent_central_report r;
    struct err e = {0};
    agent_central_report(s->config.central, &r);
    if ((!r.number && !quiet) || clock_mono_us() < s->config_retry_us) {
        return;
    }
    if (tell(s, &r, &e) || s->answer.status != 200) {
        s->config_retry_us = clock_mono_us() + RETRY_US;
        log_debug(&CTX, "the server was not told: %s",
                  e.text[0] ? e.text : "it refuses the report");
        return;
    }
    take_answer(s);
    if (r.number) {
        agent_central_reported(s->config.central, r.number);
    }
}

/* The number in the answer's ETag; 0 = none. */
static int64_t version_of(const struct httpc_answer *answer)
{
    struct str tag = str_of(answer->etag);
    int64_t version = 0;
    if (tag.len > 2 &&
        num_parse_i64(str_make(tag.ptr + 1, tag.len - 2), 1, INT64_MAX, &version, NULL)) {
        version = 0;
    }
    return version;
}

static void fetch(struct agent_sender *s)
{
    char bearer[AGENT_TOKEN_MAX + 16], path[80], id[TEXT_UUID_SIZE];
    struct err e = {0};
    text_uuid(&s->identity.collector, id);
    snprintf(path, sizeof(path), "/config/%s", id);
    snprintf(bearer, sizeof(bearer), "Bearer %s", s->identity.token);
    const struct httpc_header headers[] = {{"Authorization", bearer}};
    if (agent_sender_post(s, &(struct agent_post){path, headers, 1, {NULL, 0}, "GET", false}, &e)) {
        s->config_retry_us = clock_mono_us() + RETRY_US;
        return; /* pushes say that the server is away */
    }
    int64_t version = version_of(&s->answer);
    if (s->answer.status == 200 && version > 0 && s->answer.body.len <= LIMIT_CENTRAL_BYTES) {
        agent_central_offer(s->config.central, version, buf_view(&s->answer.body));
        agent_sender_refresh_ca(s);
    } else {
        s->config_retry_us = clock_mono_us() + RETRY_US;
    }
}

void agent_sender_configure(struct agent_sender *s)
{
    int64_t now = clock_mono_us();
    int64_t check_s = s->check_s ? s->check_s : CHECK_S_DEFAULT;
    if (!s->config.central || atomic_load(&s->stopping)) {
        return;
    }
    report(s, now - s->heard_us > check_s * 1000000);
    if (agent_central_is_wanted(s->config.central, s->config_version) &&
        now >= s->config_retry_us) {
        fetch(s);
    }
}
