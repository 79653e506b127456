/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_web.c: the web interface, out of the executable.
 *
 * Files go out gzipped as they are embedded when the client takes that. The shell answers for
 * every address of the interface, which reads the address itself.
 */
#include <string.h>

#include "api/api_call.h"
#include "base/embed.h"

#define SHELL "index.html"

static bool takes_gzip(const struct httpd_request *r)
{
    struct str accept = httpd_header(r, "Accept-Encoding");

    return str_find(accept, STR("gzip"), &(size_t){0});
}

static void send_file(struct api_call *call, const struct embed_file *f)
{
    struct httpd_response *w = call->resp;

    httpd_add_header(w, "ETag", f->etag);
    w->cache_control = f->cache == EMBED_CACHE_IMMUTABLE ? "public, max-age=31536000, immutable"
                                                         : "no-cache";
    if (httpd_matches_etag(call->req, f->etag)) {
        w->status = 304;
        return;
    }
    w->content_type = f->mime;
    if (f->gz != NULL && takes_gzip(call->req)) {
        w->fixed = str_make(f->gz, f->gz_len);
        w->encoding = "gzip";
    } else {
        w->fixed = str_make(f->data, f->len);
    }
}

static enum err_code send_named(struct api_call *call, const char *name)
{
    const struct embed_file *f = embed_find(embed_web, embed_web_count, name);

    if (f == NULL)
        return api_problem(call, 404, "%s",
                           embed_web_count == 0 ? "the web interface is not in this build"
                                                : "there is nothing at this address");
    send_file(call, f);
    return ERR_OK;
}

static enum err_code shell(struct api_call *call, struct err *e)
{
    (void)e;
    return send_named(call, SHELL);
}

static enum err_code file(struct api_call *call, struct err *e)
{
    struct str path;
    enum err_code rc = httpd_decode(call->arena, call->req->path, &path, e);

    if (rc != ERR_OK)
        return rc;
    if (path.len < 2 || str_starts(path, STR("/api/")))
        return api_problem(call, 404, "there is nothing at this address");
    return send_named(call, arena_cstr(call->arena, str_make(path.ptr + 1, path.len - 1)));
}

const struct route route_web_root = {
    .method = "GET",
    .path = "/",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = shell,
    .summary = "The web interface.",
    .answer_type = "text/html",
};

const struct route route_web_login = {
    .method = "GET",
    .path = "/login",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = shell,
    .summary = "The web interface: signing in.",
    .answer_type = "text/html",
};

const struct route route_web_setup = {
    .method = "GET",
    .path = "/setup",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = shell,
    .summary = "The web interface: the first owner.",
    .answer_type = "text/html",
};

const struct route route_web_server = {
    .method = "GET",
    .path = "/s/{id}",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = shell,
    .summary = "The web interface: one target.",
    .answer_type = "text/html",
};

const struct route route_web_queries = {
    .method = "GET",
    .path = "/s/{id}/queries",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = shell,
    .summary = "The web interface: the queries of a target.",
    .answer_type = "text/html",
};

const struct route route_web_query = {
    .method = "GET",
    .path = "/s/{id}/queries/{query}",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = shell,
    .summary = "The web interface: one query.",
    .answer_type = "text/html",
};

const struct route route_web_data = {
    .method = "GET",
    .path = "/s/{id}/data",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = shell,
    .summary = "The web interface: what is stored of a target.",
    .answer_type = "text/html",
};

const struct route route_web_rows = {
    .method = "GET",
    .path = "/s/{id}/data/{relation}",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = shell,
    .summary = "The web interface: the newest rows of a relation.",
    .answer_type = "text/html",
};

const struct route route_web_sessions = {
    .method = "GET",
    .path = "/s/{id}/sessions",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = shell,
    .summary = "The web interface: sessions and locks of a target.",
    .answer_type = "text/html",
};

const struct route route_web_collectors = {
    .method = "GET",
    .path = "/collectors",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = shell,
    .summary = "The web interface: the enrolled agents.",
    .answer_type = "text/html",
};

const struct route route_web_managed = {
    .method = "GET",
    .path = "/managed",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = shell,
    .summary = "The web interface: managed instances.",
    .answer_type = "text/html",
};

const struct route route_web_secrets = {
    .method = "GET",
    .path = "/secrets",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = shell,
    .summary = "The web interface: registration secrets.",
    .answer_type = "text/html",
};

const struct route route_web_users = {
    .method = "GET",
    .path = "/users",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = shell,
    .summary = "The web interface: accounts.",
    .answer_type = "text/html",
};

const struct route route_web_account = {
    .method = "GET",
    .path = "/account",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = shell,
    .summary = "The web interface: one's own password, tokens and sessions.",
    .answer_type = "text/html",
};

const struct route route_web_audit = {
    .method = "GET",
    .path = "/audit",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = shell,
    .summary = "The web interface: who did what.",
    .answer_type = "text/html",
};

const struct route route_web_about = {
    .method = "GET",
    .path = "/about",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = shell,
    .summary = "The web interface: the monitoring about itself.",
    .answer_type = "text/html",
};

const struct route route_web_file = {
    .method = "GET",
    .path = "/*",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = file,
    .summary = "Files of the web interface.",
    .answer_type = "text/html",
};
