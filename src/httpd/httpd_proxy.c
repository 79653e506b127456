/* SPDX-License-Identifier: PostgreSQL */
/*
 * httpd_proxy.c: what a reverse proxy in front of us may say: who the client is, and under which
 * path we are shown.
 *
 * X-Forwarded-For counts only when the connection comes from a trusted proxy. It is read from its
 * end, as each proxy appends whom it saw: the first address that is no trusted proxy is the client.
 * What stands before that was written by the client and means nothing.
 */
#include <string.h>
#include <strings.h>

#include "httpd/httpd_private.h"

static bool read_address(struct str text, struct net_address *out)
{
    if (net_address_parse(text, out, NULL) != ERR_OK)
        return false;
    net_address_unmap(out);
    return true;
}

static bool is_trusted(const struct httpd_config *c, const struct net_address *address)
{
    for (size_t i = 0; i < c->trusted_count; i++) {
        if (net_range_has(&c->trusted[i], address))
            return true;
    }
    return false;
}

/* Cut the last word off a list with commas. */
static struct str take_last(struct str *list)
{
    size_t at = list->len;
    struct str last;

    while (at > 0 && list->ptr[at - 1] != ',')
        at--;
    last = str_make(list->ptr + at, list->len - at);
    list->len = at > 0 ? at - 1 : 0;
    return str_trim(last);
}

/* "[v6]:port", "[v6]", "v4:port" or an address alone: some proxies add the port. */
static struct str without_port(struct str s)
{
    struct str rest = s, first;

    if (str_starts(s, STR("["))) {
        rest = str_make(s.ptr + 1, s.len - 1);
        return str_split(&rest, ']');
    }
    first = str_split(&rest, ':');
    return rest.ptr != NULL && memchr(rest.ptr, ':', rest.len) == NULL ? first : s;
}

/* Follow one header from its end; ERR_CANCELLED when all of it are trusted proxies. */
static enum err_code follow(const struct httpd_request *r, struct str list, struct str *client,
                            struct err *e)
{
    struct net_address address;

    while (list.len > 0) {
        *client = without_port(take_last(&list));
        if (!read_address(*client, &address))
            return err_set(e, ERR_INVALID, "X-Forwarded-For holds something that is no address");
        if (!is_trusted(&r->server->config, &address))
            return ERR_OK;
    }
    return err_set(e, ERR_CANCELLED, "only proxies");
}

enum err_code httpd_proxy_client(struct httpd_request *r, const struct mg_request_info *info,
                                 struct err *e)
{
    struct net_address address;
    enum err_code rc = ERR_CANCELLED;
    struct str client = str_of(r->peer);

    if (r->server->config.trusted_count == 0 || !read_address(client, &address) ||
        !is_trusted(&r->server->config, &address))
        return ERR_OK;
    for (int i = info->num_headers - 1; i >= 0 && rc == ERR_CANCELLED; i--) {
        if (strcasecmp(info->http_headers[i].name, "X-Forwarded-For") == 0)
            rc = follow(r, str_of(info->http_headers[i].value), &client, e);
    }
    if (rc == ERR_INVALID)
        return rc;
    r->peer = arena_cstr(r->arena, client);
    return r->peer != NULL ? ERR_OK : arena_fail(r->arena, e);
}

void httpd_proxy_path(struct httpd_request *r)
{
    struct str base = str_of(r->server->config.base_path);

    if (base.len == 0 || !str_starts(r->path, base))
        return;
    if (r->path.len == base.len)
        r->path = STR("/");
    else if (r->path.ptr[base.len] == '/')
        r->path = str_make(r->path.ptr + base.len, r->path.len - base.len);
}
