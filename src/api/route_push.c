/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_push.c: agents deliver. packaging/doc/protocol.md is the contract.
 *
 * Whether there is room is decided before the body is read, and the answer waits for the commit.
 */
#include "api/api_door.h"
#include "api/api_push_old.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/pack.h"
#include "model/push.h"
#include "os/clock.h"

#define BUDGET ((long long)512 * 1024 * 1024) /* memory of the bodies of all pushes in work */
/* What a text of JSON may take once it is parsed, beside itself: a copy, and 16 bytes a value. */
#define PARSED_TIMES 4

struct delivery {
    struct buf raw, plain;
    long long held; /* bytes of both and of doc, counted in api->inflated_bytes */
    struct str text;
    struct json_doc *doc;
    struct push push;
    bool is_old; /* of an older form */
    struct api_push_old old;
    struct tsdb_ack ack;
};

/* --- taking the body --- */

/* For all pushes; one of the largest kind must fit, whatever is configured. */
static long long budget(const struct api *api)
{
    long long largest = (long long)api->config.push_bytes + LIMIT_PUSH_BYTES +
                        LIMIT_JSON_MEMORY_BYTES;

    return largest > BUDGET ? largest : BUDGET;
}

/* Count bytes as held by this push, before they are. ERR_CANCELLED: all together hold too much. */
static enum err_code hold(struct api_call *call, struct delivery *d, long long bytes, struct err *e)
{
    d->held += bytes;
    if (atomic_fetch_add(&call->api->inflated_bytes, bytes) + bytes <= budget(call->api))
        return ERR_OK;
    return err_set(e, ERR_CANCELLED, "too much is being taken in; try again later");
}

static void let_go(struct api_call *call, struct delivery *d, long long bytes)
{
    atomic_fetch_sub(&call->api->inflated_bytes, bytes);
    d->held -= bytes;
}

/* Room is asked for before anything is read; without a length, for the most that may come. */
static enum err_code read_raw(struct api_call *call, struct delivery *d, struct err *e)
{
    long long told = call->req->content_length;
    enum err_code rc = ERR_OK;

    if (told < 0 && d->raw.max > LIMIT_PUSH_BYTES)
        d->raw.max = LIMIT_PUSH_BYTES;
    if (told < 0)
        told = (long long)d->raw.max;
    if (told <= (long long)d->raw.max)
        rc = hold(call, d, told, e);
    if (rc == ERR_OK)
        rc = httpd_read_body(call->req, &d->raw, e);
    if (rc == ERR_OK)
        let_go(call, d, told - (long long)d->raw.len);
    return rc;
}

static enum err_code read_text(struct api_call *call, struct delivery *d, struct err *e)
{
    enum err_code rc = read_raw(call, d, e);
    enum pack_kind kind;
    size_t claim;

    if (rc != ERR_OK)
        return rc;
    kind = pack_sniff(buf_view(&d->raw));
    d->text = buf_view(&d->raw);
    if (kind == PACK_PLAIN)
        return ERR_OK;
    if (d->raw.len > LIMIT_PUSH_BYTES)
        return err_set(e, ERR_LIMIT, "a compressed body of more than %d bytes", LIMIT_PUSH_BYTES);
    claim = pack_claim(d->text, kind, d->plain.max);
    rc = hold(call, d, (long long)claim, e);
    if (rc == ERR_OK)
        rc = pack_unpack(d->text, kind, &d->plain, e);
    if (rc == ERR_OK)
        let_go(call, d, (long long)claim - (long long)d->plain.len);
    d->text = buf_view(&d->plain);
    return rc;
}

/* The whole text as a tree of values. */
static enum err_code parse(struct api_call *call, struct delivery *d, struct err *e)
{
    const struct json_limits limits = {call->api->config.push_bytes, LIMIT_JSON_DEPTH, false};
    long long room = (long long)d->text.len * PARSED_TIMES;
    enum err_code rc = hold(call, d,
                            room < LIMIT_JSON_MEMORY_BYTES ? room : LIMIT_JSON_MEMORY_BYTES, e);
    const struct json *root;

    if (rc == ERR_OK)
        rc = json_parse(d->text, &limits, &d->doc, e);
    if (rc != ERR_OK)
        return rc;
    api_count_duplicates(call->api->count, json_duplicates(d->doc));
    if (json_members(d->doc) > LIMIT_PUSH_MEMBERS)
        return err_set(e, ERR_LIMIT, "JSON: more than %d members", LIMIT_PUSH_MEMBERS);
    root = json_root(d->doc);
    if (json_type(root) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "the body is not a JSON object");
    if (call->who.kind == API_NOBODY) /* through the open door */
        rc = api_door_enter(call, json_str(json_get(root, "collector_id")), e);
    if (rc != ERR_OK)
        return rc;
    d->is_old = flatten_is_push(root);
    d->old.root = root;
    if (d->is_old)
        return api_push_old_read(call, &d->old, &d->push, e);
    rc = push_read(call->arena, root, &d->push, e);
    if (rc == ERR_OK && !text_uuid_eq(&d->push.collector, &call->who.collector))
        return err_set(e, ERR_DENIED, "collector_id is not that of the token");
    return rc;
}

/* What the body says; one that has the form of the collector's last is not parsed. */
static enum err_code understand(struct api_call *call, struct delivery *d, struct err *e)
{
    enum err_code rc = ERR_OK;

    d->old.text = d->text;
    if (call->who.kind == API_COLLECTOR)
        rc = api_push_old_known(call, &d->old, &d->push, &d->is_old, e);
    return rc == ERR_OK && !d->is_old ? parse(call, d, e) : rc;
}

/* --- answers --- */

static enum err_code refuse_body(struct api_call *call, const struct err *e)
{
    if (!call->req->body_done)
        call->resp->close = true;
    switch (e->code) {
    case ERR_LIMIT:
        return api_problem(call, 413, "%s", e->text);
    case ERR_TIMEOUT:
        return api_problem(call, 408, "%s", e->text);
    case ERR_DENIED:
        return api_problem(call, 401, "%s", e->text);
    case ERR_CANCELLED:
        api_retry_after(call, 2);
        return api_problem(call, 503, "%s", e->text);
    case ERR_INVALID:
        return api_problem(call, 400, "%s", e->text);
    default:
        return api_problem(call, 400, "the body cannot be read");
    }
}

static enum err_code not_now(struct api_call *call, int status, const char *why)
{
    api_retry_after(call, 2);
    if (!call->req->body_done)
        call->resp->close = true;
    return api_problem(call, status, "%s", why);
}

static enum err_code conflict(struct api_call *call, const struct delivery *d)
{
    struct json_writer *w = api_json(call, 409);
    const char *detail = d->ack.mismatch ? "a known sequence number came with another hash"
                                         : "the sequence number does not follow";
    char epoch[TEXT_UUID_SIZE];

    text_uuid(&d->ack.store_epoch, epoch);
    call->resp->content_type = "application/problem+json";
    json_object_begin(w);
    json_member_c(w, "type", "about:blank");
    json_member_c(w, "title", httpd_status_text(409));
    json_member_i64(w, "status", 409);
    json_member_c(w, "detail", detail);
    json_member_c(w, "instance", call->req->id);
    json_member_i64(w, "code", 409);
    json_member_c(w, "code_name", d->ack.mismatch ? "record_mismatch" : "sequence");
    json_member_c(w, "message", detail);
    json_member_u64(w, "next_seq", d->ack.next_seq);
    json_member_c(w, "store_epoch", epoch);
    json_object_end(w);
    return ERR_OK;
}

/* Older clients read no events: they are told here of values that the store did not take. */
static void put_rejected(struct json_writer *w, const struct delivery *d)
{
    if (!d->is_old || d->ack.rejected == 0)
        return;
    json_object_begin(w);
    json_member_null(w, "item");
    json_member_c(w, "reason",
                  "values were not stored: their time is out of range or does not rise, "
                  "or a row came twice");
    json_member_u64(w, "values", d->ack.rejected);
    json_object_end(w);
}

static void put_counts(struct json_writer *w, const struct api_call *call, const struct delivery *d)
{
    bool duplicate = d->ack.stored_records == 0 && d->ack.duplicate_records > 0;

    json_member_u64(w, "next_seq", d->ack.next_seq);
    json_member_u64(w, "metrics_inserted", d->ack.samples);
    json_member_u64(w, "metrics_rejected", d->ack.rejected + d->old.flat.refused);
    json_key(w, "errors");
    json_array_begin(w);
    api_push_old_errors(&d->old, w);
    put_rejected(w, d);
    json_array_end(w);
    json_member_bool(w, "duplicate", duplicate);
    json_member_u64(w, "bytes_received", d->raw.len);
    json_member_i64(w, "processing_time_ms", (clock_mono_us() - call->req->start_mono_us) / 1000);
}

/* Older clients count items. */
static unsigned long long received(const struct delivery *d)
{
    return d->is_old ? d->old.flat.item_count - d->old.flat.refused : d->ack.samples;
}

static enum err_code acknowledge(struct api_call *call, const struct delivery *d)
{
    struct json_writer *w = api_json(call, 200);
    char stream[TEXT_UUID_SIZE], epoch[TEXT_UUID_SIZE];

    text_uuid(&d->push.stream, stream);
    text_uuid(&d->ack.store_epoch, epoch);
    json_object_begin(w);
    json_member_bool(w, "success", true);
    json_member_c(w, "status", "success");
    json_member_c(w, "message", arena_printf(call->arena, "Received %llu metrics", received(d)));
    json_member_c(w, "collector_id", call->who.collector_id);
    json_member_c(w, "stream", stream);
    json_member_c(w, "store_epoch", epoch);
    put_counts(w, call, d);
    api_member_time(w, "server_time", clock_wall_ms());
    json_member_i64(w, "server_ms", clock_wall_ms());
    json_member_i64(w, "next_config_version", call->who.config_version);
    json_member_i64(w, "next_check_in_seconds", call->api->config.check_interval_ms / 1000);
    json_object_end(w);
    return ERR_OK;
}

/* --- the whole --- */

static enum err_code store(struct api_call *call, struct delivery *d, struct err *e)
{
    enum err_code rc = tsdb_push(call->api->config.tsdb, call->arena, &d->push, &d->ack, e);

    if (rc == ERR_NOT_FOUND && d->old.fits) { /* the rows are others than before */
        api_push_old_unknown(&d->old);
        d->is_old = false;
        rc = parse(call, d, e);
        if (rc != ERR_OK)
            return refuse_body(call, e);
        rc = tsdb_push(call->api->config.tsdb, call->arena, &d->push, &d->ack, e);
    }
    api_seen(call->api, call->who.collector_id, rc == ERR_OK ? (int64_t)d->ack.samples : 0);
    switch (rc) {
    case ERR_OK:
        if (d->is_old)
            api_push_old_stored(call, &d->old);
        FAULT_POINT("server.before_answer");
        return acknowledge(call, d);
    case ERR_CONFLICT:
        return conflict(call, d);
    case ERR_INVALID:
        return api_problem(call, 400, "record %llu: %s", (unsigned long long)d->ack.bad_seq,
                           e->text);
    case ERR_LIMIT:
        if (d->ack.bad_seq != 0)
            return api_problem(call, 413, "record %llu: %s", (unsigned long long)d->ack.bad_seq,
                               e->text);
        api_log(call, e);
        return not_now(call, 503, "the store is full; its log says what of");
    case ERR_IO:
        api_log(call, e);
        return not_now(call, 507, "the store cannot write; its log says why");
    default:
        return rc; /* the dispatcher logs it and says 503 or 500 */
    }
}

static enum err_code take(struct api_call *call, struct delivery *d, struct err *e)
{
    enum err_code rc = read_text(call, d, e);

    if (rc == ERR_OK)
        rc = understand(call, d, e);
    return rc == ERR_OK ? store(call, d, e) : refuse_body(call, e);
}

/* Bodies are told by their first bytes; a type that can be neither is a mistake of the sender. */
static bool is_taken_type(struct str type)
{
    static const char *const taken[] = {"application/json", "application/gzip", "application/zstd",
                                        "application/octet-stream"};
    struct str name = str_trim(str_split(&type, ';'));

    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        if (str_eq_nocase(name, str_of(taken[i])))
            return true;
    }
    return name.len == 0;
}

static enum err_code push(struct api_call *call, struct err *e)
{
    struct delivery d = {0};
    enum err_code rc = tsdb_admit(call->api->config.tsdb, e);

    if (rc == ERR_LIMIT || rc == ERR_CANCELLED)
        return not_now(call, 503, "the store does not take data now; try again later");
    if (rc != ERR_OK)
        return rc;
    if (!is_taken_type(httpd_header(call->req, "Content-Type"))) {
        call->resp->close = true;
        return api_problem(call, 415, "the body must be application/json");
    }
    buf_init(&d.raw, call->api->config.push_bytes);
    buf_init(&d.plain, call->api->config.push_bytes);
    rc = take(call, &d, e);
    api_push_old_end(call, &d.old);
    json_doc_free(d.doc);
    buf_fini(&d.plain);
    buf_fini(&d.raw);
    let_go(call, &d, d.held);
    return rc;
}

static const char *const push_members[] = {
    "collector_id uuid!: the agent's own id",
    "stream uuid: the stream that the records belong to",
    "seq int: number of the first record",
    "records [any]: what was collected; see protocol.md",
    "metrics [any]: what an older client collected; see protocol.md 6",
    NULL,
};

const struct route route_push = {
    .method = "POST",
    .path = "/api/v1/metrics/push",
    .role = ROUTE_COLLECTOR,
    .sight = ROUTE_SIGHT_APART,
    .open_door = true,
    .classes = HTTPD_API | HTTPD_AGENT,
    .body = ROUTE_RAW,
    .max_body = LIMIT_PUSH_INFLATED_BYTES,
    .members = push_members,
    .accepts = "application/json",
    .handle = push,
    .summary = "Deliver what was collected.",
    .answer = "{success: bool, status: text, message: text, collector_id: uuid, stream~: uuid,"
              " store_epoch: uuid, next_seq: int, metrics_inserted: int, metrics_rejected: int,"
              " errors: [any], duplicate: bool, bytes_received: int, processing_time_ms: int,"
              " server_time: time, server_ms: ms, next_config_version: int,"
              " next_check_in_seconds: int}",
    .also = "201 401 408 409 415 429 503 507",
};
