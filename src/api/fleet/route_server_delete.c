/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_server_delete.c: deletes a target with its history.
 *
 * Refused while its agent still delivers: the target would be there again at once. The change and
 * its audit record travel by the engine's journal (store_target_delete), so that a crash at any
 * moment leaves all of it or nothing.
 */
#include "api/api_push_old.h"
#include "api/fleet/api_target.h"
#include "os/clock.h"

#define QUIET_MS (5 * 60 * (int64_t)1000) /* an agent that delivered within that is at work */
#define TAKEN_US (10 * (int64_t)1000000)
#define BY_MAX   65536

/* ERR_CONFLICT while an agent that is not revoked delivers. */
static enum err_code check_quiet(struct api_call *call, const struct uuid *id,
                                 const struct store_target *t, struct err *e)
{
    struct tsdb_group *groups;
    struct tsdb_reader *reader;
    size_t count = 0;
    int64_t last_ms = 0;
    enum err_code rc = api_reader(call, &reader, e);

    if (rc == ERR_OK)
        rc = tsdb_groups(reader, call->arena, id, &groups, &count, e);
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        if (groups[i].has_last && groups[i].last_t_ms > last_ms)
            last_ms = groups[i].last_t_ms;
    }
    if (rc != ERR_OK || t->collector_revoked || clock_wall_ms() - last_ms >= QUIET_MS)
        return rc;
    return err_set(e, ERR_CONFLICT,
                   "its agent %s delivers it: take the target out of the agent's configuration and "
                   "wait five minutes, or revoke the agent",
                   t->collector_name ? t->collector_name : t->collector_id);
}

static enum err_code drop(struct api_call *call, const struct uuid *id,
                          const struct store_target *t, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct json_writer w;
    struct buf by;
    enum err_code rc;

    buf_init(&by, BY_MAX);
    json_writer_init(&w, &by);
    store_target_put_by(&w, &who, t);
    rc = buf_check(&by, e);
    if (rc == ERR_OK)
        rc = tsdb_target_drop(call->api->config.tsdb, id, buf_view(&by), clock_mono_us() + TAKEN_US,
                              e);
    buf_fini(&by);
    return rc;
}

static enum err_code delete_target(struct api_call *call, struct err *e)
{
    struct store_target t;
    struct uuid id;
    enum err_code rc = api_target_get(call, &id, &t, e);

    if (rc == ERR_OK)
        rc = check_quiet(call, &id, &t, e);
    if (rc == ERR_CONFLICT)
        return api_problem(call, 409, "%s", e->text);
    if (rc == ERR_OK)
        rc = drop(call, &id, &t, e);
    if (rc != ERR_OK)
        return rc;
    api_push_old_forget(call->api, t.collector_id);
    call->resp->status = 204;
    return ERR_OK;
}

const struct route route_server_delete = {
    .method = "DELETE",
    .path = "/api/v1/servers/{id}",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_TARGET,
    .classes = HTTPD_API,
    .handle = delete_target,
    .summary = "Delete a target with its history, unless its agent still delivers it.",
    .also = "409",
};
