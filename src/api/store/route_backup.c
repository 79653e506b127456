/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_backup.c: a backup of the whole store, as a stream.
 *
 * It is made while the store is in use and sent as it is made: the server needs room for a part of
 * it only, and the backup is on another machine from its first byte on.
 */
#include <stdio.h>

#include "api/api_call.h"
#include "base/log.h"
#include "base/num.h"
#include "os/clock.h"
#include "store/backup/backup.h"
#include "store/store_audit.h"

static enum err_code pass_on(void *arg, const void *bytes, size_t len, struct err *e)
{
    struct api_call *call = arg;

    return httpd_stream(call->req, call->resp, str_make(bytes, len), e);
}

static enum err_code read_key(struct api_call *call, bool *key, struct err *e)
{
    struct str text;
    enum err_code rc = api_param(call, "key", &text, e);

    if (rc != ERR_OK)
        return rc;
    *key = str_eq_c(text, "1");
    if (text.len > 0 && !*key && !str_eq_c(text, "0"))
        return err_set(e, ERR_INVALID, "key: 0 or 1");
    if (*key && call->who.role < ROUTE_OWNER)
        return err_set(e, ERR_DENIED, "a backup with the master key needs the role owner");
    if (*key)
        return api_check_fresh(call, e);
    return ERR_OK;
}

static void name_file(struct api_call *call)
{
    char when[NUM_TIME_TEXT_MAX], text[96];

    num_format_time(clock_wall_ms(), when); /* 2026-11-27T10:15:00.000Z */
    snprintf(text, sizeof(text),
             "attachment; filename=\"pga-backup-%.4s%.2s%.2sT%.2s%.2s%.2sZ.tar\"", when, when + 5,
             when + 8, when + 11, when + 14, when + 17);
    httpd_add_header(call->resp, "Content-Disposition", text);
}

/* What failed before the first byte is a problem as any other; later the answer is cut. */
static enum err_code end(struct api_call *call, enum err_code rc, const struct backup_info *info,
                         struct err *e)
{
    struct log_ctx ctx = {.component = "backup", .request = call->req->id};

    if (rc == ERR_OK) {
        log_info(&ctx, "a backup of %llu files and %llu kB went to %s",
                 (unsigned long long)info->files, (unsigned long long)(info->bytes / 1024),
                 call->who.name);
        return rc;
    }
    if (call->resp->streamed == HTTPD_WHOLE) {
        call->resp->content_type = NULL;
        return rc == ERR_IO ? api_problem(call, 507, "%s", e->text) : rc;
    }
    log_error(&ctx, "a backup was cut short: %s", e->text);
    call->resp->cut = true;
    return ERR_OK;
}

static enum err_code get(struct api_call *call, struct err *e)
{
    const struct api_config *config = &call->api->config;
    struct backup_source from = {.tsdb = config->tsdb, .dir = config->store_dir};
    struct store_actor who = api_actor(call);
    struct backup_info info = {0};
    bool key = false;
    enum err_code rc = read_key(call, &key, e);

    if (rc != ERR_OK)
        return rc;
    if (!from.dir)
        return api_problem(
            call, 501,
            "a store in PostgreSQL is backed up with PostgreSQL's own tools: pg_dump "
            "or pg_basebackup, and the master key beside it; after a restore, and "
            "before a server starts, `pga migrate restored` renews the store epoch");
    if (key && !config->key_file)
        return api_problem(call, 409,
                           "the master key is in no file of the server's: keep it "
                           "where it comes from");
    from.key_file = key ? config->key_file : NULL;
    call->resp->status = 200;
    call->resp->content_type = BACKUP_MEDIA;
    if (call->req->is_head)
        return ERR_OK;
    rc = store_audit_note(
        config->store, &who,
        (struct store_audit_entry){"backup.create", "store", key ? "with the master key" : ""}, e);
    if (rc != ERR_OK)
        return rc;
    name_file(call);
    rc = backup_write(&from, &(struct tar_sink){pass_on, call}, &info, e);
    return end(call, rc, &info, e);
}

static const char *const backup_query[] = {
    "key int: 1 puts the master key into it, for an owner alone (default 0)",
    NULL,
};

const struct route route_backup_get = {
    .method = "GET",
    .path = "/api/v1/backup",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_FLEET,
    .classes = HTTPD_API,
    .query = backup_query,
    .handle = get,
    .summary = "A backup of the store while it is in use, as a tar archive whose last entry, "
               "MANIFEST.json, makes it whole.",
    .answer_type = BACKUP_MEDIA,
    .also = "409 501 507",
};
