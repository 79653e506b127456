/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_doctor.c: `pga ctl health` and `pga ctl doctor`: is this monitoring working, and if not, why.
 *
 * doctor shows one line a check: ok, warn or fail, what was found, and what to do. Checks of one
 * target's data sources are the agent's business: pga agent doctor.
 */
#include "app/ctl/ctl.h"
#include "app/ctl/output.h"

struct findings {
    struct ctl *ctl;
    struct buf text;
    struct json_writer w;
    int problems;
};

static void finding(struct findings *f, const char *check, const char *state, const char *found,
                    const char *fix)
{
    json_object_begin(&f->w);
    json_member_c(&f->w, "check", check);
    json_member_c(&f->w, "state", state);
    json_member_c(&f->w, "found", found);
    json_member_c(&f->w, "fix", fix);
    json_object_end(&f->w);
    f->problems += state[0] == 'f';
}

static int run_health(struct ctl *ctl)
{
    static const struct output_column columns[] = {
        {"status", "status", OUTPUT_TEXT},
        {"version", "version", OUTPUT_TEXT},
        {"uptime s", "uptime", OUTPUT_INTEGER},
        {"database ok", "database_ok", OUTPUT_TEXT},
    };
    struct err e;
    const struct json *root;
    struct ctl_call call = {.method = "GET", .path = "/api/v1/health"};

    err_clear(&e);
    if (ctl_request(ctl, &call, &root, &e) != ERR_OK) {
        return ctl_fail(ctl, &e);
    }
    ctl->output->list(root, root, columns, 4);
    return str_eq_c(json_str(json_get(root, "status")), "ok") ? CTL_OK : CTL_PROBLEMS;
}

static int check_server(struct findings *f)
{
    struct err e;
    const struct json *root;
    struct ctl_call call = {.method = "GET", .path = "/api/v1/health"};

    err_clear(&e);
    if (ctl_request(f->ctl, &call, &root, &e) != ERR_OK) {
        finding(f, "server", "fail", e.text, "is `pga server` running, and is the address right?");
        return 0;
    }
    bool ok = str_eq_c(json_str(json_get(root, "status")), "ok");
    finding(f, "server", ok ? "ok" : "fail",
            arena_printf(&f->ctl->arena, "%s, version %.*s", f->ctl->context.server,
                         STR_ARG(json_str(json_get(root, "version")))),
            ok ? "" : "see GET /api/v1/health for the failing part");
    return 1;
}

static int check_login(struct findings *f)
{
    struct err e;
    const struct json *root;
    struct ctl_call call = {.method = "GET", .path = "/api/v1/auth/me"};

    err_clear(&e);
    if (!f->ctl->context.token || ctl_request(f->ctl, &call, &root, &e) != ERR_OK) {
        finding(f, "login", "fail", f->ctl->context.token ? e.text : "not logged in",
                "pga ctl login");
        return 0;
    }
    const struct json *user = json_get(root, "user");
    finding(f, "login", "ok",
            arena_printf(&f->ctl->arena, "%.*s, role %.*s",
                         STR_ARG(json_str(json_get(user, "username"))),
                         STR_ARG(json_str(json_get(user, "role")))),
            "");
    return 1;
}

static void check_collector(struct findings *f, const struct json *collector)
{
    struct str status = json_str(json_get(collector, "status"));
    struct str seen = json_str(json_get(collector, "last_seen"));
    bool ok = str_eq_c(status, "active");
    finding(f, "agent", ok ? "ok" : "fail",
            arena_printf(&f->ctl->arena, "%.*s is %.*s, last seen %.*s",
                         STR_ARG(json_str(json_get(collector, "name"))), STR_ARG(status),
                         STR_ARG(seen.len > 0 ? seen : STR("never"))),
            ok ? "" : "look at the log of `pga agent` on that host");
}

static void check_target(struct findings *f, const struct json *target)
{
    struct str state = json_str(json_get(target, "state"));
    struct str reason = json_str(json_get(target, "reason"));
    bool ok = str_eq_c(state, "live");
    bool fresh = str_eq_c(state, "new");
    const char *fix = str_eq_c(state, "down") ? "PostgreSQL does not answer its agent"
                                              : "pga agent doctor on its host says which source "
                                                "fails";
    finding(f, "target", ok ? "ok" : (fresh ? "warn" : "fail"),
            arena_printf(&f->ctl->arena, "%.*s is %.*s%s%.*s",
                         STR_ARG(json_str(json_get(target, "name"))), STR_ARG(state),
                         reason.len > 0 ? ": " : "", STR_ARG(reason)),
            ok ? "" : fix);
}

/* Run `check` on every row of a list. */
static void check_list(struct findings *f, const char *what, const char *path,
                       void (*check)(struct findings *f, const struct json *row))
{
    struct err e;
    const struct json *root;
    struct ctl_call call = {.method = "GET", .path = path};

    err_clear(&e);
    if (ctl_request(f->ctl, &call, &root, &e) != ERR_OK) {
        finding(f, what, "fail", e.text, "");
        return;
    }
    if (json_count(json_get(root, "data")) == 0) {
        finding(f, what, "warn", "none is known yet",
                "pga ctl secret create, then pga agent enroll on the database host");
    }
    for (struct json_iter it = json_iter(json_get(root, "data")); json_next(&it);) {
        check(f, it.value);
    }
}

static void check_all(struct findings *f)
{
    json_object_begin(&f->w);
    json_key(&f->w, "data");
    json_array_begin(&f->w);
    if (check_server(f) && check_login(f)) {
        check_list(f, "agent", "/api/v1/collectors?limit=1000", check_collector);
        check_list(f, "target", "/api/v1/servers?limit=1000", check_target);
    }
    json_array_end(&f->w);
    json_object_end(&f->w);
}

static int run_doctor(struct ctl *ctl)
{
    static const struct output_column columns[] = {
        {"STATE", "state", OUTPUT_TEXT},
        {"CHECK", "check", OUTPUT_TEXT},
        {"FOUND", "found", OUTPUT_ONE_LINE},
        {"FIX", "fix", OUTPUT_ONE_LINE},
    };
    static const struct json_limits limits = {.max_bytes = 16 * 1024 * 1024, .max_depth = 8};
    struct err e;
    struct json_doc *doc;
    struct findings f = {.ctl = ctl};

    err_clear(&e);
    buf_init(&f.text, 16 * 1024 * 1024);
    json_writer_init(&f.w, &f.text);
    check_all(&f);
    enum err_code rc = json_parse(buf_view(&f.text), &limits, &doc, &e);
    if (rc == ERR_OK) {
        ctl->output->list(json_root(doc), json_get(json_root(doc), "data"), columns, 4);
        json_doc_free(doc);
    }
    buf_fini(&f.text);
    if (rc) {
        return ctl_fail(ctl, &e);
    }
    return f.problems > 0 ? CTL_PROBLEMS : CTL_OK;
}

const struct ctl_command ctl_command_health = {
    .noun = "",
    .verb = "health",
    .summary = "ask the server how it is",
    .needs = CTL_NEEDS_SERVER,
    .watched = CTL_WATCHED,
    .run = run_health,
};

const struct ctl_command ctl_command_doctor = {
    .noun = "",
    .verb = "doctor",
    .summary = "check server, login, agents and targets; exit 7 when something is wrong",
    .needs = CTL_NEEDS_SERVER,
    .watched = CTL_WATCHED,
    .run = run_doctor,
};
