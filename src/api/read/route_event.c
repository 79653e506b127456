/* SPDX-License-Identifier: PostgreSQL */
/* route_event.c: events, newest first. */
#include <string.h>

#include "api/api_call.h"
#include "base/num.h"

/* The cursor is "<t>:<id>" of the last event of the page before. */
static enum err_code read_cursor(const struct api_page *page, struct tsdb_event_spec *spec,
                                 struct err *e)
{
    struct str rest = page->cursor, t;

    if (rest.len == 0)
        return ERR_OK;
    t = str_split(&rest, ':');
    if (num_parse_i64(t, INT64_MIN, INT64_MAX, &spec->before_t_ms, NULL) != ERR_OK ||
        num_parse_u64(rest, UINT64_MAX, &spec->before_id, NULL) != ERR_OK)
        return err_set(e, ERR_INVALID, "cursor: not one of ours");
    return ERR_OK;
}

static enum err_code read_words(struct api_call *call, struct tsdb_event_spec *spec,
                                struct uuid *target, struct err *e)
{
    struct str server, severity;
    enum err_code rc = api_param(call, "server", &server, e);

    if (rc == ERR_OK && server.len > 0) {
        if (!text_parse_uuid(server, target))
            return err_set(e, ERR_INVALID, "server: not an id");
        spec->target = target;
    }
    if (rc == ERR_OK)
        rc = api_param(call, "kind", &spec->kind, e);
    if (rc == ERR_OK)
        rc = api_param(call, "q", &spec->search, e);
    if (rc == ERR_OK)
        rc = api_param(call, "severity", &severity, e);
    if (rc == ERR_OK && severity.len > 0 && !batch_parse_severity(severity, &spec->min_severity))
        return err_set(e, ERR_INVALID, "severity: debug info warning error critical");
    return rc;
}

static enum err_code read_spec(struct api_call *call, struct tsdb_event_spec *spec,
                               struct uuid *target, struct api_page *page, struct err *e)
{
    enum err_code rc = api_page(call, page, e);

    if (rc == ERR_OK)
        rc = read_cursor(page, spec, e);
    if (rc == ERR_OK)
        rc = api_param_time(call, "from", 0, &spec->from_ms, e);
    if (rc == ERR_OK)
        rc = api_param_time(call, "to", 0, &spec->to_ms, e);
    if (rc == ERR_OK)
        rc = read_words(call, spec, target, e);
    spec->limit = page->limit;
    return rc;
}

static void put_uuid(struct json_writer *w, const char *name, const struct uuid *id)
{
    static const struct uuid zero;
    char text[TEXT_UUID_SIZE];

    if (text_uuid_eq(id, &zero)) {
        json_member_null(w, name);
        return;
    }
    text_uuid(id, text);
    json_member_c(w, name, text);
}

static void put_event(struct json_writer *w, const struct tsdb_event *ev)
{
    json_object_begin(w);
    json_member_u64(w, "id", ev->id);
    json_member_i64(w, "t_ms", ev->event.t_ms);
    put_uuid(w, "server", &ev->event.target);
    put_uuid(w, "collector", &ev->collector);
    json_member_str(w, "kind", ev->event.kind);
    json_member_c(w, "severity", batch_severity_name(ev->event.severity));
    json_member_str(w, "title", ev->event.title);
    json_key(w, "body");
    json_put_raw(w, ev->event.body.len > 0 ? ev->event.body : STR("{}"));
    json_object_end(w);
}

static enum err_code list(struct api_call *call, struct err *e)
{
    struct tsdb_event_spec spec = {.min_severity = BATCH_DEBUG};
    struct tsdb_event *events;
    struct tsdb_reader *reader;
    const char *next = NULL;
    struct api_page page;
    struct uuid target;
    size_t count;
    enum err_code rc = read_spec(call, &spec, &target, &page, e);

    if (rc == ERR_OK)
        rc = api_reader(call, &reader, e);
    if (rc == ERR_OK)
        rc = tsdb_events(reader, call->arena, &spec, &events, &count, e);
    if (rc != ERR_OK)
        return rc;
    (void)api_list_begin(call);
    for (size_t i = 0; i < count; i++)
        put_event(&call->out, &events[i]);
    if (count == page.limit)
        next = arena_printf(call->arena, "%lld:%llu", (long long)events[count - 1].event.t_ms,
                            (unsigned long long)events[count - 1].id);
    api_list_end(call, &page, count, next, -1);
    return ERR_OK;
}

static const char *const list_query[] = {
    ROUTE_PAGE,
    "from when: begin of the interval, default all",
    "to when: end of the interval, default now",
    "server uuid: only of this target",
    "kind text: only this kind",
    "severity text(debug|info|warning|error|critical): at least this severe",
    "q text: words to search for",
    NULL,
};

const struct route route_event_list = {
    .method = "GET",
    .path = "/api/v1/events",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_LIST,
    .classes = HTTPD_API,
    .query = list_query,
    .handle = list,
    .summary = "Search the events.",
    .answer = ROUTE_LIST("Event"),
};
