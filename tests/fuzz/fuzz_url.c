/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_url.c: any bytes as a host, a URL, an address range and a listen address; what is taken has
 * one reading, and a policy that opens nothing lets no address through but public ones.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "os/net_dial.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t no_names(const char *name, struct net_address *out, size_t max)
{
    (void)name;
    (void)out;
    (void)max;
    return 0;
}

/* A host that was taken is taken again as it was written down, and as the same. */
static void check_host(const struct net_host *host)
{
    static const struct net_ports ports[] = {{1, 65535}};
    const struct net_dial_policy policy = {.ports = ports, .port_count = 1};
    struct net_dial_route route;
    struct net_host again;

    if (strlen(host->text) == 0 || strpbrk(host->text, "@/\\#?% []") != NULL)
        abort();
    if (net_host_parse(str_of(host->text), &again, NULL) != ERR_OK ||
        strcmp(again.text, host->text) != 0 || again.is_address != host->is_address ||
        !net_address_eq(&again.address, &host->address))
        abort();
    if (net_dial_resolve(&policy, host, 5432, &route, NULL) == ERR_OK &&
        net_address_kind(&host->address) != NET_PUBLIC)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct net_dial_ops ops = {.look_up = no_names};
    struct str text = str_make(data, size);
    struct net_endpoint at;
    struct net_range range;
    struct net_host host;
    struct net_url url;

    net_dial_ops_set(&ops);
    if (net_host_parse(text, &host, NULL) == ERR_OK)
        check_host(&host);
    if (net_url_parse(text, &url, NULL) == ERR_OK) {
        check_host(&url.host);
        if (url.port == 0 || (url.rest.len > 0 && url.rest.ptr[0] != '/' && url.rest.ptr[0] != '?'))
            abort();
    }
    if (net_range_parse(text, &range, NULL) == ERR_OK && !net_range_has(&range, &range.base))
        abort();
    if (net_parse_endpoint(text, &at, NULL) == ERR_OK && (at.port == 0 || at.host[0] == '\0'))
        abort();
    return 0;
}
