/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_net_dial.c: which hosts and URLs are read, which addresses are dialled (security S1, S2,
 * S5). The hook records every address that a socket was pointed at.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/clock.h"
#include "os/net_dial.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- a resolver with a few names, and the record of what was dialled --- */

static const struct {
    const char *name;
    const char *addresses[3];
} zone[] = {
    {"db.example.com", {"93.184.216.34"}},
    {"db10.example.com", {"10.1.2.3"}},
    {"mixed.example.com", {"93.184.216.34", "169.254.169.254"}},
    {"localhost", {"127.0.0.1", "::1"}},
    {"loop.example.com", {"127.0.0.1"}},
    {"loop6.example.com", {"::1"}},
    {"mapped.example.com", {"::ffff:127.0.0.1"}},
    {"nat64.example.com", {"64:ff9b::7f00:1"}},
    {"meta.example.com", {"169.254.169.254"}},
    {"xn--bcher-kva.example", {"93.184.216.34"}},
};

static struct net_address dialled[64];
static size_t dialled_count, look_ups;

static size_t look_up(const char *name, struct net_address *out, size_t max)
{
    size_t count = 0;

    look_ups++;
    if (strcmp(name, "many.example.com") == 0)
        return max + 1;
    for (size_t i = 0; i < COUNT(zone); i++) {
        if (strcmp(zone[i].name, name) != 0)
            continue;
        for (; count < 3 && zone[i].addresses[count]; count++)
            assert_int_equal(net_address_parse(str_of(zone[i].addresses[count]), &out[count], NULL),
                             ERR_OK);
    }
    return count;
}

static void note(const struct net_address *a, uint16_t port)
{
    (void)port;
    if (dialled_count < COUNT(dialled))
        dialled[dialled_count++] = *a;
}

static const struct net_dial_ops recording = {.look_up = look_up, .dialled = note};
static const struct net_ports any_port[] = {{1, 65535}};
static const struct net_ports postgres_ports[] = {{5432, 5433}, {6432, 6432}};

static struct net_address address(const char *text)
{
    struct net_address a;
    struct err e;

    if (net_address_parse(str_of(text), &a, &e) != ERR_OK)
        fail_msg("%s", e.text);
    return a;
}

static struct net_range range(const char *text)
{
    struct net_range r;
    struct err e;

    if (net_range_parse(str_of(text), &r, &e) != ERR_OK)
        fail_msg("%s", e.text);
    return r;
}

/* --- addresses and ranges --- */

static void ranges_are_read(void **state)
{
    static const char *const good[] = {"10.0.0.0/8", "10.1.2.3", "10.1.2.3/32", "0.0.0.0/0",
                                       "fd00::/8",   "::/0",     "::1/128",     "192.168.4.0/22",
                                       "10.0.0.0/9", "fe80::/10"};
    static const char *const bad[] = {
        "",           "10.0.0.0/",  "10.0.0.0/33", "10.0.0.0/-1",  "10.0.0.0/08", "10.0.0.0/+8",
        "10.0.0.1/8", "10.0.0/8",   "10/8",        "fd00::/129",   "fd00::1/8",   "10.0.0.0/8/8",
        "/8",         "a.b.c.d/8",  "010.0.0.0/8", "10.0.0.0 /8",  "10.0.0.0/8 ", "[fd00::]/8",
        "fe80::1%lo", "::ffff:/96", "1.2.3.4.5/8", "10.0.0.0/0x8", "256.0.0.0/8"};
    struct net_range r;
    struct err e;

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_int_equal(net_range_parse(str_of(good[i]), &r, &e), ERR_OK);
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (net_range_parse(str_of(bad[i]), &r, &e) != ERR_INVALID)
            fail_msg("taken: %s", bad[i]);
    }
}

static void ranges_hold_what_their_bits_say(void **state)
{
    static const struct {
        const char *range, *address;
        bool held;
    } rows[] = {
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.128.0.0/9", "10.128.0.0", true},
        {"10.128.0.0/9", "10.127.255.255", false},
        {"192.168.4.0/22", "192.168.7.255", true},
        {"192.168.4.0/22", "192.168.8.0", false},
        {"10.1.2.3", "10.1.2.3", true},
        {"10.1.2.3", "10.1.2.2", false},
        {"0.0.0.0/0", "255.1.2.3", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "ff02::1", true},
        {"::/0", "10.0.0.1", false},
        {"fd00::/8", "fdff::1", true},
        {"fd00::/8", "fc00::1", false},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"::1/128", "::1", true},
        {"::1/128", "::", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct net_range r = range(rows[i].range);
        struct net_address a = address(rows[i].address);

        if (net_range_has(&r, &a) != rows[i].held)
            fail_msg("%s and %s", rows[i].range, rows[i].address);
    }
}

static void addresses_have_kinds(void **state)
{
    static const struct {
        const char *text;
        enum net_kind kind;
    } rows[] = {
        {"8.8.8.8", NET_PUBLIC},
        {"93.184.216.34", NET_PUBLIC},
        {"2606:4700::1111", NET_PUBLIC},
        {"172.15.255.255", NET_PUBLIC},
        {"172.32.0.0", NET_PUBLIC},
        {"10.0.0.1", NET_PRIVATE},
        {"172.16.0.1", NET_PRIVATE},
        {"172.31.255.255", NET_PRIVATE},
        {"192.168.0.1", NET_PRIVATE},
        {"100.64.0.1", NET_PRIVATE},
        {"fd12::1", NET_PRIVATE},
        {"fec0::1", NET_PRIVATE},
        {"127.0.0.1", NET_LOOPBACK},
        {"127.255.255.254", NET_LOOPBACK},
        {"::1", NET_LOOPBACK},
        {"169.254.0.1", NET_LINK_LOCAL},
        {"169.254.169.254", NET_LINK_LOCAL},
        {"fe80::1", NET_LINK_LOCAL},
        {"fd00:ec2::254", NET_METADATA},
        {"100.100.100.200", NET_METADATA},
        {"168.63.129.16", NET_METADATA},
        {"0.0.0.0", NET_NOWHERE},
        {"0.1.2.3", NET_NOWHERE},
        {"::", NET_NOWHERE},
        {"::2", NET_NOWHERE},
        {"224.0.0.1", NET_NOWHERE},
        {"239.255.255.250", NET_NOWHERE},
        {"255.255.255.255", NET_NOWHERE},
        {"240.0.0.1", NET_NOWHERE},
        {"192.0.2.1", NET_NOWHERE},
        {"198.18.0.1", NET_NOWHERE},
        {"ff02::1", NET_NOWHERE},
        {"2001:db8::1", NET_NOWHERE},
        {"64:ff9b:1::7f00:1", NET_NOWHERE},
        {"4000::1", NET_NOWHERE},
        /* forms that carry one of these */
        {"::ffff:127.0.0.1", NET_LOOPBACK},
        {"::ffff:10.0.0.1", NET_PRIVATE},
        {"::ffff:8.8.8.8", NET_PUBLIC},
        {"::ffff:0:127.0.0.1", NET_LOOPBACK},
        {"::127.0.0.1", NET_LOOPBACK},
        {"64:ff9b::127.0.0.1", NET_LOOPBACK},
        {"64:ff9b::a9fe:a9fe", NET_LINK_LOCAL},
        {"64:ff9b::8.8.8.8", NET_PUBLIC},
        {"64:ff9b::e000:1", NET_NOWHERE},
        {"2002:7f00:1::", NET_LOOPBACK},
        {"2002:a9fe:a9fe::1", NET_LINK_LOCAL},
        {"2002:a00:1::1", NET_PRIVATE},
        {"2001:0:4136:e378:8000:63bf:80ff:fffe", NET_LOOPBACK},
        {"fe80::5efe:8.8.8.8", NET_NOWHERE},
        {"2a00::200:5efe:127.0.0.1", NET_NOWHERE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct net_address a = address(rows[i].text);

        if (net_address_kind(&a) != rows[i].kind)
            fail_msg("%s is %s", rows[i].text, net_kind_name(net_address_kind(&a)));
    }
}

/* --- S5: what is a host --- */

/* What each text leads to: an address that is dialled, or "" for none. */
static const struct {
    const char *host, *address;
} hosts[] = {
    {"db.example.com", "93.184.216.34"},
    {"DB.Example.COM", "93.184.216.34"},
    {"93.184.216.34", "93.184.216.34"},
    {"2606:4700::1111", "2606:4700::1111"},
    {"[2606:4700::1111]", "2606:4700::1111"},
    {"xn--bcher-kva.example", "93.184.216.34"},
    {"db10.example.com", "10.1.2.3"},
    {"10.1.2.3", "10.1.2.3"},
    {"::ffff:10.1.2.3", "::ffff:10.1.2.3"},
    /* nothing at all, or too much of it */
    {"", ""},
    {".", ""},
    {"..", ""},
    {"a..b", ""},
    {".example.com", ""},
    {"db.example.com.", ""},
    {"127.0.0.1.", ""},
    {"-db.example.com", ""},
    {"db-.example.com", ""},
    {"many.example.com", ""},
    {"nowhere.example.com", ""},
    /* parts of a URL around it */
    {"user@db.example.com", ""},
    {"db.example.com@127.0.0.1", ""},
    {"db.example.com:5432", ""},
    {"127.0.0.1:5432", ""},
    {"db.example.com/x", ""},
    {"//127.0.0.1", ""},
    {"http://127.0.0.1", ""},
    {"postgres://127.0.0.1/x", ""},
    {"db.example.com#@127.0.0.1", ""},
    {"127.0.0.1#.example.com", ""},
    {"db.example.com?x", ""},
    {"127.0.0.1\\@db.example.com", ""},
    {"\\\\127.0.0.1", ""},
    {"db.example.com%2f@127.0.0.1", ""},
    {"%31%32%37.0.0.1", ""},
    {"db.example.com,127.0.0.1", ""},
    {"127.0.0.1 hostaddr=127.0.0.1", ""},
    {"db.example.com host=127.0.0.1", ""},
    {"db.example.com'", ""},
    {"db.example.com\t", ""},
    {" 127.0.0.1", ""},
    {"127.0.0.1\n", ""},
    {"127.0.0.1\r\nX: y", ""},
    /* Unix sockets */
    {"/var/run/postgresql", ""},
    {"/tmp", ""},
    {"@abstract", ""},
    {"./socket", ""},
    {"~/socket", ""},
    /* numbers that some readers take for 127.0.0.1 */
    {"2130706433", ""},
    {"0x7f000001", ""},
    {"0x7f.0.0.1", ""},
    {"0X7F.1", ""},
    {"017700000001", ""},
    {"0177.0.0.1", ""},
    {"127.1", ""},
    {"127.0.1", ""},
    {"127.0.0.01", ""},
    {"127.0.0.0x1", ""},
    {"127.000.000.001", ""},
    {"00127.0.0.1", ""},
    {"127.0.0.1.1", ""},
    {"127.0.0.256", ""},
    {"0", ""},
    {"1.2.3", ""},
    {"example.0x7f", ""},
    {"example.127", ""},
    /* other scripts */
    {"b\xc3\xbc"
     "cher.example",
     ""},
    {"\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", ""},
    {"127\xe3\x80\x82"
     "0\xe3\x80\x82"
     "0\xe3\x80\x82"
     "1",
     ""},
    {"\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1", ""},
    {"\xff\xfe", ""},
    /* addresses that are never dialled */
    {"127.0.0.1", ""},
    {"127.8.8.8", ""},
    {"localhost", ""},
    {"LOCALHOST", ""},
    {"loop.example.com", ""},
    {"loop6.example.com", ""},
    {"mapped.example.com", ""},
    {"nat64.example.com", ""},
    {"meta.example.com", ""},
    {"mixed.example.com", ""},
    {"169.254.169.254", ""},
    {"0.0.0.0", ""},
    {"255.255.255.255", ""},
    {"224.0.0.1", ""},
    {"192.168.1.1", ""},
    {"::1", ""},
    {"[::1]", ""},
    {"[::]", ""},
    {"::ffff:127.0.0.1", ""},
    {"[::ffff:7f00:1]", ""},
    {"[::ffff:169.254.169.254]", ""},
    {"::127.0.0.1", ""},
    {"64:ff9b::7f00:1", ""},
    {"64:ff9b:1::7f00:1", ""},
    {"2002:7f00:1::", ""},
    {"2001:0:4136:e378:8000:63bf:80ff:fffe", ""},
    {"fe80::1", ""},
    {"fe80::5efe:8.8.8.8", ""},
    {"fe80::1%lo", ""},
    {"fe80::1%25lo", ""},
    {"fd00:ec2::254", ""},
    {"ff02::1", ""},
    {"[127.0.0.1]", ""},
    {"[::1", ""},
    {"::1]", ""},
    {"[::1]:5432", ""},
    {"[]", ""},
    {"[[::1]]", ""},
    {"::ffff:0x7f.0.0.1", ""},
    {"1:2:3:4:5:6:7:8:9", ""},
};

/* As a managed instance goes: read, resolve, and what would be dialled is noted. */
static size_t go(const struct net_dial_policy *policy, const char *text, uint16_t port)
{
    struct net_host host;
    struct net_dial_route route;

    dialled_count = 0;
    if (net_host_parse(str_of(text), &host, NULL) != ERR_OK ||
        net_dial_resolve(policy, &host, port, &route, NULL) != ERR_OK)
        return 0;
    net_dial_note(&route);
    return dialled_count;
}

static void no_host_leads_where_it_should_not(void **state)
{
    struct net_range networks[] = {range("10.0.0.0/8")};
    const struct net_dial_policy policy = {
        .networks = networks, .network_count = 1, .ports = any_port, .port_count = 1};

    (void)state;
    assert_true(COUNT(hosts) >= 80);
    net_dial_ops_set(&recording);
    for (size_t i = 0; i < COUNT(hosts); i++) {
        size_t count = go(&policy, hosts[i].host, 5432);
        char text[NET_ADDRESS_TEXT] = "";

        if (count > 0)
            net_address_text(&dialled[0], text);
        if (count > 1 || strcmp(text, hosts[i].address) != 0)
            fail_msg("\"%s\" led to \"%s\" (%zu)", hosts[i].host, text, count);
    }
    net_dial_ops_set(NULL);
}

static void refusals_say_why_and_show_no_control_bytes(void **state)
{
    struct net_host host;
    struct err e;

    (void)state;
    assert_int_equal(net_host_parse(str_of("a\x1b[2Jb"), &host, &e), ERR_INVALID);
    assert_null(strchr(e.text, 0x1b));
    assert_int_equal(net_host_parse(str_of("127.1"), &host, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "four decimal numbers"));
    assert_int_equal(net_host_parse(str_make("127.0.0.1\0.example.com", 22), &host, &e),
                     ERR_INVALID);
    assert_int_equal(net_host_parse((struct str){NULL, 0}, &host, &e), ERR_INVALID);
}

static void long_names_are_refused(void **state)
{
    char name[300];
    struct net_host host;

    (void)state;
    memset(name, 'a', sizeof(name));
    assert_int_equal(net_host_parse(str_make(name, 64), &host, NULL), ERR_INVALID);
    assert_int_equal(net_host_parse(str_make(name, 63), &host, NULL), ERR_OK);
    for (size_t i = 50; i < sizeof(name); i += 50)
        name[i] = '.';
    assert_int_equal(net_host_parse(str_make(name, 254), &host, NULL), ERR_INVALID);
    assert_int_equal(net_host_parse(str_make(name, 253), &host, NULL), ERR_OK);
}

/* --- S5: URLs --- */

static const struct {
    const char *url, *host;
    uint16_t port;
    const char *rest;
} urls[] = {
    {"http://db.example.com", "db.example.com", 80, ""},
    {"https://db.example.com", "db.example.com", 443, ""},
    {"https://DB.example.com:8443/a/b?c=d@e", "db.example.com", 8443, "/a/b?c=d@e"},
    {"http://[2606:4700::1111]:8080/x", "2606:4700::1111", 8080, "/x"},
    {"http://127.0.0.1:8080?x=//y", "127.0.0.1", 8080, "?x=//y"},
    {"", NULL, 0, ""},
    {"db.example.com", NULL, 0, ""},
    {"HTTP://db.example.com", NULL, 0, ""},
    {"http:/db.example.com", NULL, 0, ""},
    {"http:db.example.com", NULL, 0, ""},
    {"http:///db.example.com", NULL, 0, ""},
    {"http://", NULL, 0, ""},
    {"http://:80", NULL, 0, ""},
    {"http://?x", NULL, 0, ""},
    {"ftp://db.example.com", NULL, 0, ""},
    {"file:///etc/passwd", NULL, 0, ""},
    {"gopher://127.0.0.1:5432/x", NULL, 0, ""},
    {"javascript:alert(1)", NULL, 0, ""},
    {" http://db.example.com", NULL, 0, ""},
    {"http://db.example.com ", NULL, 0, ""},
    {"http://db.example.com\n", NULL, 0, ""},
    {"http://a b", NULL, 0, ""},
    {"http://user@db.example.com", NULL, 0, ""},
    {"http://user:pw@db.example.com", NULL, 0, ""},
    {"http://db.example.com@127.0.0.1/", NULL, 0, ""},
    {"http://127.0.0.1\\@db.example.com/", NULL, 0, ""},
    {"http:\\\\127.0.0.1", NULL, 0, ""},
    {"http://db.example.com\\.127.0.0.1", NULL, 0, ""},
    {"http://db.example.com#@127.0.0.1", NULL, 0, ""},
    {"http://127.0.0.1#.example.com", NULL, 0, ""},
    {"http://127.1/", NULL, 0, ""},
    {"http://0x7f000001/", NULL, 0, ""},
    {"http://017700000001/", NULL, 0, ""},
    {"http://2130706433/", NULL, 0, ""},
    {"http://127.0.0.1./", NULL, 0, ""},
    {"http://db.example.com./", NULL, 0, ""},
    {"http://b\xc3\xbc"
     "cher.example/",
     NULL, 0, ""},
    {"http://db.example.com:/", NULL, 0, ""},
    {"http://db.example.com:0/", NULL, 0, ""},
    {"http://db.example.com:65536/", NULL, 0, ""},
    {"http://db.example.com:+80/", NULL, 0, ""},
    {"http://db.example.com:80:81/", NULL, 0, ""},
    {"http://db.example.com:8o/", NULL, 0, ""},
    {"http://::1/", NULL, 0, ""},
    {"http://[::1/", NULL, 0, ""},
    {"http://[::1]x/", NULL, 0, ""},
    {"http://[::1]:80x/", NULL, 0, ""},
    {"http://[::1%25lo]/", NULL, 0, ""},
    {"http://[::1]@db.example.com/", NULL, 0, ""},
    {"http://%31%32%37.0.0.1/", NULL, 0, ""},
    {"http://127.0.0.1%00.example.com/", NULL, 0, ""},
    {"http://db.example.com,127.0.0.1/", NULL, 0, ""},
};

static void urls_have_one_reading(void **state)
{
    (void)state;
    assert_true(COUNT(urls) + COUNT(hosts) >= 160);
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct net_url u;
        enum err_code rc = net_url_parse(str_of(urls[i].url), &u, NULL);

        if (rc != (urls[i].host ? ERR_OK : ERR_INVALID))
            fail_msg("\"%s\": %s", urls[i].url, err_code_name(rc));
        if (!urls[i].host)
            continue;
        assert_string_equal(u.host.text, urls[i].host);
        assert_int_equal(u.port, urls[i].port);
        assert_true(str_eq_c(u.rest, urls[i].rest));
    }
}

/* --- S1, S2: the policy --- */

static enum err_code judge(const struct net_dial_policy *p, const char *text, uint16_t port)
{
    struct net_address a = address(text);

    return net_dial_judge(p, &a, port, NULL);
}

static void private_networks_are_closed_until_named(void **state)
{
    struct net_range networks[] = {range("10.0.0.0/8"), range("fd12::/16"), range("0.0.0.0/0")};
    struct net_dial_policy p = {.ports = any_port, .port_count = 1, .networks = networks};

    (void)state;
    assert_int_equal(judge(&p, "10.1.2.3", 5432), ERR_DENIED);
    assert_int_equal(judge(&p, "fd12::1", 5432), ERR_DENIED);
    p.network_count = 2;
    assert_int_equal(judge(&p, "10.1.2.3", 5432), ERR_OK);
    assert_int_equal(judge(&p, "::ffff:10.1.2.3", 5432), ERR_OK);
    assert_int_equal(judge(&p, "64:ff9b::10.1.2.3", 5432), ERR_OK);
    assert_int_equal(judge(&p, "fd12::1", 5432), ERR_OK);
    assert_int_equal(judge(&p, "fd13::1", 5432), ERR_DENIED);
    assert_int_equal(judge(&p, "192.168.0.1", 5432), ERR_DENIED);
    p.network_count = 3; /* everything: what is always refused stays refused */
    assert_int_equal(judge(&p, "192.168.0.1", 5432), ERR_OK);
    assert_int_equal(judge(&p, "127.0.0.1", 5432), ERR_DENIED);
    assert_int_equal(judge(&p, "169.254.169.254", 5432), ERR_DENIED);
    assert_int_equal(judge(&p, "100.100.100.200", 5432), ERR_DENIED);
    assert_int_equal(judge(&p, "0.0.0.0", 5432), ERR_DENIED);
    assert_int_equal(judge(&p, "::ffff:127.0.0.1", 5432), ERR_DENIED);
}

static void loopback_is_open_only_when_it_is_said(void **state)
{
    struct net_dial_policy p = {.ports = any_port, .port_count = 1, .allow_loopback = true};

    (void)state;
    assert_int_equal(judge(&p, "127.0.0.1", 5432), ERR_OK);
    assert_int_equal(judge(&p, "::1", 5432), ERR_OK);
    assert_int_equal(judge(&p, "169.254.169.254", 5432), ERR_DENIED);
    assert_int_equal(judge(&p, "0.0.0.0", 5432), ERR_DENIED);
    assert_int_equal(judge(&p, "10.0.0.1", 5432), ERR_DENIED);
    p.allow_loopback = false;
    assert_int_equal(judge(&p, "127.0.0.1", 5432), ERR_DENIED);
}

static void other_ports_are_closed_before_the_name_is_asked_for(void **state)
{
    const struct net_dial_policy p = {.ports = postgres_ports, .port_count = 2};
    struct net_dial_route route;
    struct net_host host;
    struct err e;

    (void)state;
    net_dial_ops_set(&recording);
    assert_int_equal(net_host_parse(STR("db.example.com"), &host, &e), ERR_OK);
    look_ups = 0;
    assert_int_equal(net_dial_resolve(&p, &host, 22, &route, &e), ERR_DENIED);
    assert_int_equal(net_dial_resolve(&p, &host, 5434, &route, &e), ERR_DENIED);
    assert_int_equal(look_ups, 0);
    assert_int_equal(net_dial_resolve(&p, &host, 5433, &route, &e), ERR_OK);
    assert_int_equal(net_dial_resolve(&p, &host, 6432, &route, &e), ERR_OK);
    assert_int_equal(look_ups, 2); /* once each */
    net_dial_ops_set(NULL);
}

static void our_own_listeners_are_never_dialled(void **state)
{
    const struct net_endpoint own[] = {{"127.0.0.1", 8080}, {"0.0.0.0", 8443}, {"localhost", 81}};
    const struct net_dial_policy p = {
        .ports = any_port, .port_count = 1, .own = own, .own_count = 3, .allow_loopback = true};

    (void)state;
    assert_int_equal(judge(&p, "127.0.0.1", 8080), ERR_DENIED);
    assert_int_equal(judge(&p, "::ffff:127.0.0.1", 8080), ERR_DENIED);
    assert_int_equal(judge(&p, "127.0.0.1", 8081), ERR_OK);
    assert_int_equal(judge(&p, "127.0.0.1", 8443), ERR_DENIED);
    assert_int_equal(judge(&p, "127.9.9.9", 8443), ERR_DENIED);
    assert_int_equal(judge(&p, "8.8.8.8", 8443), ERR_OK);
    assert_int_equal(judge(&p, "127.0.0.1", 81), ERR_DENIED);
}

/* --- real sockets --- */

static int listen_here(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static void what_was_judged_is_what_is_dialled(void **state)
{
    const struct net_dial_policy p = {.ports = any_port, .port_count = 1, .allow_loopback = true};
    const struct net_address first = address("127.0.0.1");
    struct net_dial_route route;
    struct net_host host;
    struct err e;
    uint16_t port;
    int listener = listen_here(&port), fd = -1;

    (void)state;
    net_dial_ops_set(&recording);
    look_ups = dialled_count = 0;
    assert_int_equal(net_host_parse(STR("loop.example.com"), &host, &e), ERR_OK);
    assert_int_equal(net_dial_resolve(&p, &host, port, &route, &e), ERR_OK);
    assert_int_equal(net_dial_connect(&route, clock_mono_us() + 60000000, &fd, &e), ERR_OK);
    assert_int_equal(look_ups, 1);
    assert_int_equal(dialled_count, 1);
    assert_true(net_address_eq(&dialled[0], &first));
    (void)close(fd);
    (void)close(listener); /* nobody listens there now */
    assert_int_equal(net_dial_connect(&route, clock_mono_us() + 60000000, &fd, &e),
                     ERR_UNREACHABLE);
    assert_int_equal(look_ups, 1);
    net_dial_ops_set(NULL);
}

static void the_systems_resolver_is_asked(void **state)
{
    const struct net_dial_policy p = {.ports = any_port, .port_count = 1};
    struct net_dial_route route = {0};
    struct net_host host;
    struct err e;

    (void)state;
    assert_int_equal(net_host_parse(STR("localhost"), &host, &e), ERR_OK);
    assert_int_equal(net_dial_resolve(&p, &host, 5432, &route, &e), ERR_DENIED);
    assert_int_equal(route.count, 0);
    assert_int_equal(net_host_parse(STR("127.0.0.1"), &host, &e), ERR_OK);
    assert_int_equal(net_dial_resolve(&p, &host, 5432, &route, &e), ERR_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_read),
        cmocka_unit_test(ranges_hold_what_their_bits_say),
        cmocka_unit_test(addresses_have_kinds),
        cmocka_unit_test(no_host_leads_where_it_should_not),
        cmocka_unit_test(refusals_say_why_and_show_no_control_bytes),
        cmocka_unit_test(long_names_are_refused),
        cmocka_unit_test(urls_have_one_reading),
        cmocka_unit_test(private_networks_are_closed_until_named),
        cmocka_unit_test(loopback_is_open_only_when_it_is_said),
        cmocka_unit_test(other_ports_are_closed_before_the_name_is_asked_for),
        cmocka_unit_test(our_own_listeners_are_never_dialled),
        cmocka_unit_test(what_was_judged_is_what_is_dialled),
        cmocka_unit_test(the_systems_resolver_is_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
