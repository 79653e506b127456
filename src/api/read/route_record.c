/* SPDX-License-Identifier: PostgreSQL */
/* route_record.c: acknowledged records of a stream, for audits. */
#include "api/api_call.h"
#include "base/num.h"

#include <inttypes.h>

static enum err_code read_uuid(struct api_call *call, const char *name, struct uuid *out,
                               struct err *e)
{
    struct str text;
    enum err_code rc = api_param(call, name, &text, e);

    if (rc == ERR_OK && !text_parse_uuid(text, out))
        return err_set(e, ERR_INVALID, "%s: not an id", name);
    return rc;
}

static enum err_code read_spec(struct api_call *call, struct tsdb_record_spec *spec,
                               struct api_page *page, struct err *e)
{
    int64_t from_seq = 0;
    enum err_code rc = api_page(call, page, e);

    if (rc == ERR_OK)
        rc = read_uuid(call, "collector", &spec->collector, e);
    if (rc == ERR_OK)
        rc = read_uuid(call, "stream", &spec->stream, e);
    if (rc == ERR_OK)
        rc = api_param_i64(call, "from_seq", (struct api_bounds){1, 0, INT64_MAX}, &from_seq, e);
    spec->from_seq = (uint64_t)from_seq;
    spec->limit = page->limit;
    if (rc == ERR_OK && page->cursor.len > 0 &&
        num_parse_u64(page->cursor, UINT64_MAX, &spec->from_seq, NULL) != ERR_OK)
        return err_set(e, ERR_INVALID, "cursor: not one of ours");
    return rc;
}

static void put_record(struct json_writer *w, const struct tsdb_record *r)
{
    char hash[2 * PUSH_HASH_BYTES + 1];

    text_hex(r->hash, PUSH_HASH_BYTES, hash);
    json_object_begin(w);
    json_member_u64(w, "seq", r->seq);
    json_member_c(w, "kind", r->is_gap ? "gap" : "data");
    if (r->is_gap) {
        json_member_str(w, "reason", r->reason);
        json_member_u64(w, "span", r->span);
    } else {
        json_member_c(w, "hash", hash);
    }
    json_member_u64(w, "slices", r->slices);
    json_member_u64(w, "samples", r->samples);
    json_member_i64(w, "t_min_ms", r->t_min_ms);
    json_member_i64(w, "t_max_ms", r->t_max_ms);
    json_object_end(w);
}

static enum err_code list(struct api_call *call, struct err *e)
{
    struct tsdb_record_spec spec = {0};
    struct tsdb_record *records;
    struct tsdb_reader *reader;
    const char *next = NULL;
    struct api_page page;
    size_t count;
    enum err_code rc = read_spec(call, &spec, &page, e);

    if (rc == ERR_OK)
        rc = api_reader(call, &reader, e);
    if (rc == ERR_OK)
        rc = tsdb_records(reader, call->arena, &spec, &records, &count, e);
    if (rc != ERR_OK)
        return rc;
    (void)api_list_begin(call);
    for (size_t i = 0; i < count; i++)
        put_record(&call->out, &records[i]);
    if (count == page.limit)
        next = arena_printf(call->arena, "%" PRIu64,
                            records[count - 1].seq + records[count - 1].span);
    api_list_end(call, &page, count, next, -1);
    return ERR_OK;
}

static const char *const list_query[] = {
    ROUTE_PAGE,
    "collector uuid!: the agent",
    "stream uuid!: its stream",
    "from_seq int: first number, default 1",
    NULL,
};

const struct route route_record_list = {
    .method = "GET",
    .path = "/api/v1/records",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_FLEET,
    .classes = HTTPD_API,
    .query = list_query,
    .handle = list,
    .summary = "Acknowledged records of a stream.",
    .answer = ROUTE_LIST(
        "{seq: int, kind: text(data|gap), reason~: text, span~: int, hash~: text, slices: int,"
        " samples: int, t_min_ms: ms, t_max_ms: ms}"),
};
