/* SPDX-License-Identifier: PostgreSQL */
/*
 * net_host.c: host names and URLs as strictly as security S5 wants them: a text that two readers
 * could understand in two ways is refused.
 */
#include "os/net_dial.h"

#include <string.h>

#include "base/num.h"

#define HOST_LABEL_MAX      63
#define HOST_NAME_MAX_BYTES 253

static enum err_code refuse(struct str s, const char *why, struct err *e)
{
    char shown[64];
    size_t len = 0;

    for (; len < s.len && len < sizeof(shown) - 1; len++)
        shown[len] = s.ptr[len] > ' ' && s.ptr[len] < 0x7f ? s.ptr[len] : '?';
    shown[len] = '\0';
    return err_set(e, ERR_INVALID, "host \"%s\": %s", shown, why);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What makes a text no host, or NULL. */
static const char *find_foreign(struct str s)
{
    static const struct {
        char c;
        const char *why;
    } known[] = {
        {'@', "a user does not belong here"},
        {'\\', "a backslash is not taken"},
        {'/', "a path (or a Unix socket) is not taken"},
        {'?', "a query does not belong here"},
        {'#', "a fragment does not belong here"},
        {'%', "percent signs and zones are not taken"},
    };

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c <= ' ' || c == 0x7f)
            return "blanks and control characters are not taken";
        if (c > 0x7f)
            return "write an international name in its ASCII form (xn--...)";
        for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
            if (s.ptr[i] == known[k].c)
                return known[k].why;
        }
    }
    return NULL;
}

/* Whether some reader takes a label for a number: digits alone, or 0x and hexadecimal digits. */
static bool is_number_like(struct str label)
{
    bool digits = label.len > 0;

    for (size_t i = 0; digits && i < label.len; i++)
        digits = is_digit(label.ptr[i]);
    return digits || (label.len >= 2 && label.ptr[0] == '0' && (label.ptr[1] | 0x20) == 'x');
}

static const char *check_label(struct str label)
{
    if (label.len == 0)
        return "a label is empty (two dots, or one at an end)";
    if (label.len > HOST_LABEL_MAX)
        return "a label is longer than 63 characters";
    for (size_t i = 0; i < label.len; i++) {
        if (!is_alnum(label.ptr[i]) && label.ptr[i] != '-' && label.ptr[i] != '_')
            return "a character that no host name has";
    }
    if (label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
        return "a label begins or ends with a hyphen";
    return NULL;
}

static enum err_code read_name(struct str s, struct net_host *out, struct err *e)
{
    struct str rest = s, label = {NULL, 0};
    const char *why = NULL;

    if (s.len > HOST_NAME_MAX_BYTES)
        return refuse(s, "longer than 253 characters", e);
    while (rest.ptr && !why) {
        label = str_split(&rest, '.');
        why = check_label(label);
    }
    if (why)
        return refuse(s, why, e);
    if (is_number_like(label)) {
        if (net_address_parse(s, &out->address, NULL) != ERR_OK)
            return refuse(s, "an IPv4 address is four decimal numbers without leading zeros", e);
        out->is_address = true;
        return ERR_OK;
    }
    for (size_t i = 0; i < s.len; i++)
        out->text[i] = (char)(s.ptr[i] >= 'A' && s.ptr[i] <= 'Z' ? s.ptr[i] | 0x20 : s.ptr[i]);
    return ERR_OK;
}

static enum err_code read_v6(struct str s, struct net_host *out, struct err *e)
{
    if (net_address_parse(s, &out->address, NULL) != ERR_OK || !out->address.is_v6)
        return refuse(s, "no IPv6 address", e);
    out->is_address = true;
    return ERR_OK;
}

enum err_code net_host_parse(struct str s, struct net_host *out, struct err *e)
{
    struct net_host got = {0};
    const char *why = s.len == 0 ? "it is empty" : find_foreign(s);
    enum err_code rc;

    if (why)
        return refuse(s, why, e);
    if (s.ptr[0] == '[') {
        if (s.len < 3 || s.ptr[s.len - 1] != ']')
            return refuse(s, "brackets stand around an IPv6 address and nothing else", e);
        rc = read_v6(str_make(s.ptr + 1, s.len - 2), &got, e);
    } else if (memchr(s.ptr, ':', s.len)) {
        rc = read_v6(s, &got, e);
    } else {
        rc = read_name(s, &got, e);
    }
    if (rc != ERR_OK)
        return rc;
    if (got.is_address)
        net_address_text(&got.address, got.text);
    *out = got;
    return ERR_OK;
}

/* --- URLs --- */

static enum err_code refuse_url(const char *why, struct err *e)
{
    return err_set(e, ERR_INVALID, "the URL is not taken: %s", why);
}

static const char *find_foreign_in_url(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c <= ' ' || c >= 0x7f)
            return "blanks, control characters and bytes beyond ASCII are percent-encoded";
        if (c == '\\')
            return "a backslash is not taken";
        if (c == '#')
            return "a fragment is not sent to anybody";
    }
    return NULL;
}

/* Cut "host[:port]" in two; the port stays empty when there is none. */
static void cut_port(struct str authority, struct str *host, struct str *port)
{
    size_t from = 0;

    while (authority.ptr[0] == '[' && from < authority.len && authority.ptr[from] != ']')
        from++;
    *host = authority;
    *port = (struct str){NULL, 0};
    for (size_t i = from; i < authority.len; i++) {
        if (authority.ptr[i] == ':') {
            *host = str_make(authority.ptr, i);
            *port = str_make(authority.ptr + i + 1, authority.len - i - 1);
            return;
        }
    }
}

static enum err_code read_authority(struct str authority, struct net_url *out, struct err *e)
{
    struct str host, port;
    int64_t number = out->is_https ? 443 : 80;

    if (authority.len == 0)
        return refuse_url("the host is missing", e);
    if (memchr(authority.ptr, '@', authority.len))
        return refuse_url("a user does not belong here", e);
    cut_port(authority, &host, &port);
    if (port.ptr && (port.len == 0 || port.len > 5 || !is_digit(port.ptr[0]) ||
                     num_parse_i64(port, 1, 65535, &number, NULL) != ERR_OK))
        return refuse_url("the port is no number from 1 to 65535", e);
    out->port = (uint16_t)number;
    if (host.ptr[0] != '[' && memchr(host.ptr, ':', host.len))
        return refuse_url("an IPv6 address needs brackets", e);
    return net_host_parse(host, &out->host, e);
}

enum err_code net_url_parse(struct str s, struct net_url *out, struct err *e)
{
    struct net_url got = {0};
    const char *why = s.len > NET_URL_TEXT ? "it is too long" : find_foreign_in_url(s);
    size_t skip, end = 0;
    enum err_code rc;

    if (why)
        return refuse_url(why, e);
    got.is_https = str_starts(s, STR("https://"));
    if (!got.is_https && !str_starts(s, STR("http://")))
        return refuse_url("it begins with http:// or https://", e);
    skip = got.is_https ? sizeof("https://") - 1 : sizeof("http://") - 1;
    s = str_make(s.ptr + skip, s.len - skip);
    while (end < s.len && s.ptr[end] != '/' && s.ptr[end] != '?')
        end++;
    rc = read_authority(str_make(s.ptr, end), &got, e);
    if (rc != ERR_OK)
        return rc;
    got.rest = str_make(s.ptr + end, s.len - end);
    *out = got;
    return ERR_OK;
}
