/* SPDX-License-Identifier: PostgreSQL */
/* route_store.c: upkeep of the store that a person may ask for. */
#include "api/api_call.h"
#include "base/log.h"
#include "os/clock.h"
#include "store/store_audit.h"

#define WAIT_US (20 * (int64_t)1000000)

/* What memory holds becomes blocks first, so that they are merged, too. */
static enum err_code merge(struct tsdb *db, struct err *e)
{
    int64_t until_us = clock_mono_us() + WAIT_US;
    enum err_code rc = tsdb_flush(db, until_us, e);

    return rc ? rc : tsdb_compact(db, until_us, e);
}

static enum err_code compact(struct api_call *call, struct err *e)
{
    const struct api_config *config = &call->api->config;
    struct store_actor who = api_actor(call);
    struct tsdb_stats before, after;
    struct json_writer *w;
    enum err_code rc = store_audit_note(
        config->store, &who, (struct store_audit_entry){"store.compact", "store", ""}, e);

    if (rc != ERR_OK)
        return rc;
    tsdb_stats(config->tsdb, &before);
    rc = merge(config->tsdb, e);
    if (rc == ERR_UNSUPPORTED)
        return api_problem(call, 501, "%s", e->text);
    if (rc != ERR_OK && rc != ERR_TIMEOUT)
        return rc;
    tsdb_stats(config->tsdb, &after);
    w = api_json(call, rc == ERR_OK ? 200 : 202);
    json_object_begin(w);
    json_member_bool(w, "done", rc == ERR_OK);
    json_member_u64(w, "bytes_before", before.disk_bytes);
    json_member_u64(w, "disk_bytes", after.disk_bytes);
    for (int i = 0; i < TSDB_PARTS; i++)
        json_member_u64(w, tsdb_part_name((enum tsdb_part)i), after.part_bytes[i]);
    json_object_end(w);
    return ERR_OK;
}

const struct route route_store_compact = {
    .method = "POST",
    .path = "/api/v1/store/compact",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_FLEET,
    .classes = HTTPD_API,
    .handle = compact,
    .summary =
        "Write what memory holds and merge the small blocks of every day now, which else "
        "happens by itself when a day is over; after 20 s the answer is 202, and it goes on.",
    .answer = "{done: bool, bytes_before: int, disk_bytes: int, *: int}",
    .also = "202 501",
};
