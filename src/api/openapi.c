/* SPDX-License-Identifier: PostgreSQL */
/*
 * openapi.c: the OpenAPI 3.1 document. Everything in it comes from the route table and from
 * shape_list.c, so that a route that is served is a route that is described.
 */
#include "api/openapi.h"

#include <stdio.h>
#include <string.h>

#include "api/shape.h"
#include "httpd/httpd.h"

bool openapi_has(const struct route *r)
{
    return r->answer_type == NULL || strcmp(r->answer_type, "text/html") != 0;
}

struct str openapi_tag(size_t index)
{
    struct str rest = str_of(route_name(index));

    (void)str_split(&rest, '_');
    return str_split(&rest, '_');
}

int openapi_status(const struct route *r)
{
    if (r->status != 0)
        return r->status;
    return r->answer == NULL && r->answer_type == NULL ? 204 : 200;
}

/* --- parameters --- */

static void put_path_parameters(struct json_writer *w, const char *path)
{
    struct str rest = str_of(path);

    while (rest.ptr != NULL) {
        struct str part = str_split(&rest, '/');

        if (part.len < 3 || part.ptr[0] != '{')
            continue;
        json_object_begin(w);
        json_member_str(w, "name", str_make(part.ptr + 1, part.len - 2));
        json_member_c(w, "in", "path");
        json_member_bool(w, "required", true);
        json_key(w, "schema");
        json_put_raw(w, STR("{\"type\":\"string\"}"));
        json_object_end(w);
    }
}

static enum err_code put_lines(struct json_writer *w, const char *const *lines, const char *in,
                               struct err *e)
{
    enum err_code rc = ERR_OK;

    for (; rc == ERR_OK && lines != NULL && *lines != NULL; lines++) {
        struct shape_line line;

        rc = shape_read_line(*lines, &line, e);
        if (rc != ERR_OK)
            return rc;
        json_object_begin(w);
        json_member_str(w, "name", line.name);
        json_member_c(w, "in", in);
        if (line.required)
            json_member_bool(w, "required", true);
        json_member_str(w, "description", line.help);
        json_key(w, "schema");
        rc = shape_write_line(w, &line, e);
        json_object_end(w);
    }
    return rc;
}

/* --- bodies --- */

static enum err_code put_members(struct json_writer *w, const struct route *r, struct err *e)
{
    const char *const *lines = r->members;
    struct shape_line line;
    enum err_code rc = ERR_OK;

    json_member_c(w, "type", "object");
    json_key(w, "properties");
    json_object_begin(w);
    for (size_t i = 0; rc == ERR_OK && lines[i] != NULL; i++) {
        rc = shape_read_line(lines[i], &line, e);
        if (rc != ERR_OK)
            break;
        json_key_str(w, line.name);
        rc = shape_write_line(w, &line, e);
    }
    json_object_end(w);
    if (rc != ERR_OK)
        return rc;
    json_key(w, "required");
    json_array_begin(w);
    for (size_t i = 0; lines[i] != NULL; i++) {
        if (shape_read_line(lines[i], &line, e) == ERR_OK && line.required)
            json_put_str(w, line.name);
    }
    json_array_end(w);
    json_member_bool(w, "additionalProperties", r->body == ROUTE_RAW);
    return ERR_OK;
}

static enum err_code put_body(struct json_writer *w, const struct route *r, struct err *e)
{
    enum err_code rc = ERR_OK;

    if (r->body == ROUTE_NO_BODY)
        return ERR_OK;
    json_key(w, "requestBody");
    json_object_begin(w);
    json_member_bool(w, "required", true);
    json_key(w, "content");
    json_object_begin(w);
    json_key(w, r->body == ROUTE_JSON ? "application/json" : r->accepts);
    json_object_begin(w);
    json_key(w, "schema");
    json_object_begin(w);
    if (r->members != NULL)
        rc = put_members(w, r, e);
    else if (strcmp(r->accepts, "application/json") != 0)
        json_member_c(w, "type", "string");
    json_object_end(w);
    json_object_end(w);
    json_object_end(w);
    json_object_end(w);
    return rc;
}

/* --- answers --- */

static enum err_code put_success(struct json_writer *w, const struct route *r, int status,
                                 struct err *e)
{
    enum err_code rc = ERR_OK;
    char key[8];

    snprintf(key, sizeof(key), "%d", status);
    json_key(w, key);
    json_object_begin(w);
    json_member_c(w, "description", httpd_status_text(status));
    if (status != 204 && status != 304) {
        json_key(w, "content");
        json_object_begin(w);
        json_key(w, r->answer_type ? r->answer_type : "application/json");
        json_object_begin(w);
        json_key(w, "schema");
        if (r->answer != NULL)
            rc = shape_write(w, r->answer, e);
        else
            json_put_raw(w, STR("{\"type\":\"string\"}"));
        json_object_end(w);
        json_object_end(w);
    }
    json_object_end(w);
    return rc;
}

static void put_problem(struct json_writer *w, const char *key, const char *text)
{
    json_key(w, key);
    json_object_begin(w);
    json_member_c(w, "description", text);
    json_key(w, "content");
    json_put_raw(w, STR("{\"application/problem+json\":{\"schema\":"
                        "{\"$ref\":\"#/components/schemas/Problem\"}}}"));
    json_object_end(w);
}

/* The statuses that the dispatcher gives by what the route declares. */
static bool has_status(const struct route *r, int status)
{
    switch (status) {
    case 400:
        return r->query != NULL || r->body != ROUTE_NO_BODY;
    case 401:
    case 403:
        return r->role != ROUTE_ANYONE;
    case 404:
        return strchr(r->path, '{') != NULL;
    case 413:
        return r->body != ROUTE_NO_BODY;
    case 415:
    case 422:
        return r->body == ROUTE_JSON;
    default:
        return false;
    }
}

static bool is_also(const struct route *r, int status)
{
    char text[8];

    snprintf(text, sizeof(text), "%d", status);
    return r->also != NULL && strstr(r->also, text) != NULL;
}

static enum err_code put_answers(struct json_writer *w, const struct route *r, struct err *e)
{
    enum err_code rc = ERR_OK;

    json_key(w, "responses");
    json_object_begin(w);
    for (int status = 200; rc == ERR_OK && status < 400; status++) {
        if (status == openapi_status(r) || is_also(r, status))
            rc = put_success(w, r, status, e);
    }
    for (int status = 400; status < 600; status++) {
        char key[8];

        if (!has_status(r, status) && !is_also(r, status))
            continue;
        snprintf(key, sizeof(key), "%d", status);
        put_problem(w, key, httpd_status_text(status));
    }
    put_problem(w, "default", "Any other error");
    json_object_end(w);
    return rc;
}

/* --- operations --- */

static void put_security(struct json_writer *w, const struct route *r)
{
    enum route_role role = r->role;
    char who[64];

    snprintf(who, sizeof(who), "%s%s", route_role_name(role), r->own_agent ? " or agent" : "");
    json_member_c(w, "x-pga-role", who);
    if (r->step_up || r->in_person)
        json_member_c(w, "x-pga-proof", r->step_up ? "fresh" : "session");
    if (r->enrols)
        json_member_bool(w, "x-pga-enrols", true);
    json_key(w, "security");
    if (role == ROUTE_ANYONE || role == ROUTE_LOCAL)
        json_put_raw(w, STR("[]"));
    else if (r->own_agent)
        json_put_raw(w, STR("[{\"token\":[]},{\"cookie\":[]},{\"agent\":[]}]"));
    else if (role == ROUTE_COLLECTOR)
        json_put_raw(w, STR("[{\"agent\":[]}]"));
    else
        json_put_raw(w, STR("[{\"token\":[]},{\"cookie\":[]}]"));
}

static enum err_code put_operation(struct json_writer *w, const struct route *r, size_t index,
                                   struct err *e)
{
    enum err_code rc;

    json_member_c(w, "operationId", route_name(index));
    json_key(w, "tags");
    json_array_begin(w);
    json_put_str(w, openapi_tag(index));
    json_array_end(w);
    json_member_c(w, "summary", r->summary);
    put_security(w, r);
    json_key(w, "parameters");
    json_array_begin(w);
    put_path_parameters(w, r->path);
    rc = put_lines(w, r->query, "query", e);
    if (rc == ERR_OK)
        rc = put_lines(w, r->headers, "header", e);
    json_array_end(w);
    if (rc == ERR_OK)
        rc = put_body(w, r, e);
    return rc == ERR_OK ? put_answers(w, r, e) : rc;
}

static void put_method(struct json_writer *w, const char *method)
{
    char lower[8] = "";

    for (size_t i = 0; i + 1 < sizeof(lower) && method[i] != '\0'; i++)
        lower[i] = (char)(method[i] | 0x20);
    json_key(w, lower);
}

/* All operations of the path of table[first]. */
static enum err_code put_path(struct json_writer *w, size_t first, struct err *e)
{
    size_t count;
    const struct route *const *table = route_table(&count);
    enum err_code rc = ERR_OK;

    json_key(w, table[first]->path);
    json_object_begin(w);
    for (size_t i = first; rc == ERR_OK && i < count; i++) {
        if (strcmp(table[i]->path, table[first]->path) != 0 || !openapi_has(table[i]))
            continue;
        put_method(w, table[i]->method);
        json_object_begin(w);
        rc = put_operation(w, table[i], i, e);
        json_object_end(w);
        if (rc != ERR_OK)
            return err_wrap(e, "%s", route_name(i));
    }
    json_object_end(w);
    return rc;
}

static enum err_code put_paths(struct json_writer *w, struct err *e)
{
    size_t count;
    const struct route *const *table = route_table(&count);
    enum err_code rc = ERR_OK;

    json_key(w, "paths");
    json_object_begin(w);
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        bool seen = !openapi_has(table[i]);

        for (size_t j = 0; j < i && !seen; j++)
            seen = openapi_has(table[j]) && strcmp(table[i]->path, table[j]->path) == 0;
        if (!seen)
            rc = put_path(w, i, e);
    }
    json_object_end(w);
    return rc;
}

static enum err_code put_components(struct json_writer *w, struct err *e)
{
    enum err_code rc = ERR_OK;

    json_key(w, "components");
    json_object_begin(w);
    json_key(w, "securitySchemes");
    json_put_raw(w, STR("{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":"
                        "\"what the login answered\"},"
                        "\"cookie\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":"
                        "\"pga_session\",\"description\":\"over TLS __Host-pga; changes also need "
                        "X-CSRF-Token\"},"
                        "\"agent\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":"
                        "\"the token of an enrolled agent\"}}"));
    json_key(w, "schemas");
    json_object_begin(w);
    for (size_t i = 0; rc == ERR_OK && i < shape_list_count; i++) {
        json_key(w, shape_list[i].name);
        rc = shape_write(w, shape_list[i].shape, e);
    }
    json_object_end(w);
    json_object_end(w);
    return rc;
}

enum err_code openapi_write(struct buf *out, struct err *e)
{
    struct json_writer w;
    enum err_code rc;

    json_writer_init(&w, out);
    json_object_begin(&w);
    json_member_c(&w, "openapi", "3.1.0");
    json_key(&w, "info");
    json_object_begin(&w);
    json_member_c(&w, "title", "pga");
    json_member_c(&w, "version", PGA_VERSION);
    json_member_c(&w, "summary", "Monitoring of PostgreSQL.");
    json_key(&w, "license");
    json_put_raw(&w, STR("{\"name\":\"PostgreSQL\",\"identifier\":\"PostgreSQL\"}"));
    json_object_end(&w);
    json_key(&w, "servers");
    json_put_raw(&w, STR("[{\"url\":\"/\"}]"));
    rc = put_paths(&w, e);
    if (rc == ERR_OK)
        rc = put_components(&w, e);
    json_object_end(&w);
    return rc == ERR_OK ? buf_check(out, e) : rc;
}
