/* SPDX-License-Identifier: PostgreSQL */
/* cmd_secret.c: `pga ctl secret create`: a registration secret, shown once on standard output. */
#include "app/ctl/ctl.h"
#include "app/ctl/output.h"
#include "base/limits.h"
#include "base/num.h"

static enum err_code write_body(struct ctl *ctl, struct json_writer *w, struct err *e)
{
    int64_t max = 1, expires_ms = 3600 * 1000;
    enum err_code rc = num_parse_i64(str_of(ctl_option_or(ctl, "max", "1")), 1, 100000, &max, e);
    if (rc) {
        return err_wrap(e, "--max");
    }
    rc = num_parse_duration_ms(str_of(ctl_option_or(ctl, "expires", "1h")), &expires_ms, e);
    if (rc) {
        return err_wrap(e, "--expires");
    }
    json_object_begin(w);
    json_member_c(w, "name", ctl_option_or(ctl, "name", "agent"));
    json_member_i64(w, "max_registrations", max);
    json_member_i64(w, "expires_in_s", expires_ms / 1000);
    json_object_end(w);
    return ERR_OK;
}

static int run_create(struct ctl *ctl)
{
    struct err e;
    struct buf body;
    struct json_writer w;
    const struct json *root = NULL;

    err_clear(&e);
    buf_init(&body, LIMIT_JSON_BODY_BYTES);
    json_writer_init(&w, &body);
    enum err_code rc = write_body(ctl, &w, &e);
    struct ctl_call call = {
        .method = "POST", .path = "/api/v1/registration-secrets", .body = buf_view(&body)};
    rc = rc ? rc : ctl_request(ctl, &call, &root, &e);
    buf_fini(&body);
    if (rc) {
        return ctl_fail(ctl, &e);
    }
    ctl->output->message("secret", arena_cstr(&ctl->arena, json_str(json_get(root, "secret"))));
    return CTL_OK;
}

static const struct ctl_option options[] = {
    {"name", "NAME", "what it is for"},
    {"max", "N", "how many agents may use it (default 1)"},
    {"expires", "DURATION", "how long it works (default 1h, at most 7d)"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_secret_create = {
    .noun = "secret",
    .verb = "create",
    .summary = "make a registration secret for an agent and print it once",
    .options = options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_create,
};
