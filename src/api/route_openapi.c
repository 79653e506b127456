/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_openapi.c: the description of the API, for programs and, as a page, for people.
 *
 * Both are for anyone on this machine, and elsewhere for people who are signed in.
 */
#include <string.h>

#include "api/api_call.h"
#include "api/openapi.h"
#include "api/shape.h"

static enum err_code document(struct api_call *call, struct err *e)
{
    call->resp->status = 200;
    call->resp->content_type = "application/json";
    return openapi_write(&call->resp->body, e);
}

const struct route route_openapi_get = {
    .method = "GET",
    .path = "/openapi.json",
    .role = ROUTE_LOCAL,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = document,
    .summary = "This description; anyone on the same machine, else people who are signed in.",
    .answer = "{openapi: text, info: {*: any}, servers: [any], paths: {*: any},"
              " components: {*: any}}",
};

/* --- the page --- */

static void put_text(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        switch (s.ptr[i]) {
        case '<':
            buf_add_c(out, "&lt;");
            break;
        case '>':
            buf_add_c(out, "&gt;");
            break;
        case '&':
            buf_add_c(out, "&amp;");
            break;
        case '"':
            buf_add_c(out, "&quot;");
            break;
        default:
            buf_add_char(out, s.ptr[i]);
            break;
        }
    }
}

static void put_line(struct buf *out, const char *text, const char *where)
{
    struct shape_line line;

    if (shape_read_line(text, &line, NULL) != ERR_OK)
        return;
    buf_add_c(out, "<tr><th><code>");
    put_text(out, line.name);
    buf_printf(out, "</code>%s</th><td>%s</td><td><code>",
               line.required ? "<b title=\"must be given\">*</b>" : "", where);
    put_text(out, line.type);
    buf_add_c(out, "</code></td><td>");
    put_text(out, line.help);
    buf_add_c(out, "</td></tr>\n");
}

static void put_lines(struct buf *out, const struct route *r)
{
    buf_add_c(out, "<table>");
    for (size_t i = 0; r->query != NULL && r->query[i] != NULL; i++)
        put_line(out, r->query[i], "query");
    for (size_t i = 0; r->headers != NULL && r->headers[i] != NULL; i++)
        put_line(out, r->headers[i], "header");
    for (size_t i = 0; r->members != NULL && r->members[i] != NULL; i++)
        put_line(out, r->members[i], "body");
    buf_add_c(out, "</table>\n");
}

static void put_field(struct buf *out, struct str name, const char *kind)
{
    buf_add_c(out, "<label>");
    put_text(out, name);
    buf_printf(out, " <input data-in=\"%s\" name=\"", kind);
    put_text(out, name);
    buf_add_c(out, "\"></label>\n");
}

/* A form that works without a script where the path is fixed; swagger.js fills in the rest. */
static void put_form(struct buf *out, const struct route *r)
{
    struct str rest = str_of(r->path);

    buf_printf(out, "<form class=\"try\" method=\"get\" action=\"%s\">\n", r->path);
    while (rest.ptr != NULL) {
        struct str part = str_split(&rest, '/');

        if (part.len > 2 && part.ptr[0] == '{')
            put_field(out, str_make(part.ptr + 1, part.len - 2), "path");
    }
    for (size_t i = 0; r->query != NULL && r->query[i] != NULL; i++) {
        struct str line = str_of(r->query[i]);

        put_field(out, str_split(&line, ' '), "query");
    }
    buf_add_c(out, "<button>Send</button><pre hidden></pre></form>\n");
}

static void put_shape(struct buf *out, const char *title, const char *shape)
{
    buf_printf(out, "<h4>%s</h4><pre class=\"shape\">", title);
    put_text(out, str_of(shape));
    buf_add_c(out, "</pre>\n");
}

static void put_route(struct buf *out, const struct route *r)
{
    buf_printf(out,
               "<details><summary><b class=\"%s\">%s</b> <code>%s</code> <span>%s</span>"
               "<i>%s</i></summary>\n",
               r->method, r->method, r->path, r->summary, route_role_name(r->role));
    if (r->query != NULL || r->headers != NULL || r->members != NULL)
        put_lines(out, r);
    buf_printf(out, "<p>Answers %d %s%s%s%s%s.</p>\n", openapi_status(r),
               httpd_status_text(openapi_status(r)), r->answer_type ? " as " : "",
               r->answer_type ? r->answer_type : "", r->also ? "; also " : "",
               r->also ? r->also : "");
    if (r->answer != NULL)
        put_shape(out, "Answer", r->answer);
    if (strcmp(r->method, "GET") == 0)
        put_form(out, r);
    buf_add_c(out, "</details>\n");
}

static void put_routes(struct buf *out)
{
    size_t count;
    const struct route *const *table = route_table(&count);
    struct str tag = STR("");

    for (size_t i = 0; i < count; i++) {
        struct str own = openapi_tag(i);

        if (!openapi_has(table[i]))
            continue;
        if (!str_eq(own, tag)) {
            buf_add_c(out, "<h2>");
            put_text(out, own);
            buf_add_c(out, "</h2>\n");
            tag = own;
        }
        put_route(out, table[i]);
    }
}

static enum err_code page(struct api_call *call, struct err *e)
{
    struct buf *out = &call->resp->body;

    call->resp->status = 200;
    call->resp->content_type = "text/html; charset=utf-8";
    buf_add_c(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                   "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                   "<title>pga: the API</title><link rel=\"icon\" href=\"/favicon.svg\">"
                   "<link rel=\"stylesheet\" href=\"/swagger.css\">"
                   "<script src=\"/swagger.js\" defer></script></head><body>\n"
                   "<h1>pga: the API</h1>\n<p>Version " PGA_VERSION ". Programs read "
                   "<a href=\"/openapi.json\">/openapi.json</a> (OpenAPI 3.1). "
                   "A <b>*</b> marks what must be given; in a shape <code>?</code> means "
                   "“may be null” and <code>~</code> “may be absent”. "
                   "Errors are <code>application/problem+json</code>.</p>\n");
    put_routes(out);
    buf_add_c(out, "<h2>Shapes</h2>\n");
    for (size_t i = 0; i < shape_list_count; i++)
        put_shape(out, shape_list[i].name, shape_list[i].shape);
    buf_add_c(out, "</body></html>\n");
    return buf_check(out, e);
}

const struct route route_openapi_page = {
    .method = "GET",
    .path = "/swagger",
    .role = ROUTE_LOCAL,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = page,
    .summary = "This description as a page.",
    .answer_type = "text/html",
};
