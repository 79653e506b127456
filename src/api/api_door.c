/* SPDX-License-Identifier: PostgreSQL */
/* api_door.c: see the header. */
#include "api/api_door.h"

#include "base/log.h"
#include "store/store_audit.h"
#include "store/store_collector.h"

#define BEARER "ingest.allow_bearer_push"
#define OPEN   "ingest.open_ingest"

enum err_code api_door_bearer(struct api_call *call, struct err *e)
{
    if (call->api->config.bearer_push && !call->req->peer_certificate.present)
        return ERR_OK;
    call->refusal = 403;
    call->problem_type = API_DOOR_TYPE;
    return err_set(e, ERR_DENIED,
                   "agents need a certificate here: enrol with \"pga agent enroll\"; collectors "
                   "that cannot need " BEARER " = true in the server's configuration");
}

bool api_door_is_open(const struct api_call *call)
{
    return call->route->open_door && call->api->config.open_ingest &&
           !call->req->peer_certificate.present && net_is_loopback(call->req->peer) &&
           httpd_header(call->req, "Authorization").len == 0;
}

enum err_code api_door_refuse(struct api_call *call, struct err *e)
{
    call->refusal = 401;
    call->problem_type = API_DOOR_TYPE;
    return err_set(e, ERR_DENIED,
                   "no token: agents show a certificate and a token (\"pga agent enroll\"); "
                   "without either, pushes from the server's own machine need " OPEN
                   " = true in its configuration");
}

enum err_code api_door_enter(struct api_call *call, struct str id, struct err *e)
{
    struct store_collector c;
    enum err_code rc = api_be_collector(call, id, e);

    if (rc == ERR_OK)
        rc = store_collector_get(call->api->config.store, call->arena, call->who.collector_id, &c,
                                 e);
    if (rc != ERR_OK || c.fingerprint[0] == '\0')
        return rc;
    call->who.kind = API_NOBODY;
    return err_set(e, ERR_DENIED, "this agent has a certificate: it pushes with nothing less");
}

void api_door_describe(const struct api *api, struct buf *out)
{
    const struct api_config *c = &api->config;

    if (!c->bearer_push && !c->open_ingest)
        buf_add_c(out, "shut");
    if (c->bearer_push)
        buf_add_c(out, "OPEN: " BEARER ", agents need no certificate");
    if (c->open_ingest)
        buf_printf(out, "%sOPEN: " OPEN ", pushes from this machine need no token",
                   c->bearer_push ? "; " : "");
}

/* --- at the start --- */

static enum err_code tell(struct api *api, const char *door, const char *what, struct err *e)
{
    static const struct store_actor server = {"server", "", ""};
    const struct log_ctx ctx = {.component = "api"};

    log_warn(&ctx, "DOOR OPEN: %s is on: %s", door, what);
    return store_audit_note(api->config.store, &server,
                            (struct store_audit_entry){"door.open", door, what}, e);
}

enum err_code api_tell_doors(struct api *api, struct err *e)
{
    const struct log_ctx ctx = {.component = "api"};
    enum err_code rc = ERR_OK;

    if (api->config.bearer_push)
        rc = tell(api, BEARER,
                  "agents register, push and read their configuration with a token alone; whoever "
                  "copies a token can send data in the agent's name",
                  e);
    if (rc == ERR_OK && api->config.open_ingest)
        rc = tell(api, OPEN,
                  "whoever is on this machine can push, without a token, in the name of any agent "
                  "that has no certificate",
                  e);
    if (!api->config.bearer_push && api->config.agent_port == 0)
        log_warn(&ctx,
                 "agents cannot deliver: server.agent_listen is not set, and " BEARER " is off");
    return rc;
}
