/* SPDX-License-Identifier: PostgreSQL */
/* test_net.c: endpoints as text, loopback, listening, systemd's socket; entropy and clocks. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/clock.h"
#include "os/entropy.h"
#include "os/net.h"

static void endpoints_are_read(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {{"127.0.0.1:8080", "127.0.0.1", 8080},
                {"[::1]:1", "::1", 1},
                {"localhost:65535", "localhost", 65535},
                {"db-1.example.com:5432", "db-1.example.com", 5432}};
    static const char *const bad[] = {
        "",       ":",        ":8080",   "host",      "host:", "host:0",        "host:65536",
        "host:x", "::1:8080", "[::1]",   "[::1]8080", "[x]:1", "[127.0.0.1]:1", "[::1:1",
        "a b:1",  "a/b:1",    "host:-1", "host:+1",   "[]:1"};
    struct net_endpoint at;
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(net_parse_endpoint(str_of(good[i].text), &at, &e), ERR_OK);
        assert_string_equal(at.host, good[i].host);
        assert_int_equal(at.port, good[i].port);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(net_parse_endpoint(str_of(bad[i]), &at, &e), ERR_INVALID);
        assert_non_null(strstr(e.text, "address"));
    }
    assert_int_equal(net_parse_endpoint((struct str){NULL, 0}, &at, &e), ERR_INVALID);
}

static void loopback_is_a_literal_or_localhost(void **state)
{
    (void)state;
    assert_true(net_is_loopback("127.0.0.1"));
    assert_true(net_is_loopback("127.255.0.3"));
    assert_true(net_is_loopback("::1"));
    assert_true(net_is_loopback("LocalHost"));
    assert_false(net_is_loopback("128.0.0.1"));
    assert_false(net_is_loopback("0.0.0.0"));
    assert_false(net_is_loopback("::"));
    assert_false(net_is_loopback("localhost.example.com"));
    assert_false(net_is_loopback("127.0.0.1.example.com"));
    assert_false(net_is_loopback(""));
}

static void listening_is_probed(void **state)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    struct net_endpoint at = {.host = "127.0.0.1"};
    struct err e;
    int fd;

    (void)state;
    assert_int_equal(net_free_port(&at.port, &e), ERR_OK);
    assert_true(at.port > 0);
    assert_int_equal(net_probe_listen(&at, &e), ERR_OK);
    addr.sin_port = htons(at.port);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(net_probe_listen(&at, &e), ERR_CONFLICT);
    assert_non_null(strstr(e.text, "in use"));
    (void)close(fd);
    (void)snprintf(at.host, sizeof(at.host), "192.0.2.1"); /* TEST-NET: not ours */
    assert_int_equal(net_probe_listen(&at, &e), ERR_INVALID);
}

static void systemd_is_told(void **state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char got[64] = "", name[64];
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    size_t len;

    (void)state;
    (void)unsetenv("NOTIFY_SOCKET");
    net_notify("READY=1");
    len = (size_t)snprintf(name, sizeof(name), "@pga-test-%ld", (long)getpid());
    memcpy(addr.sun_path, name, len);
    addr.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&addr,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    (void)setenv("NOTIFY_SOCKET", name, 1);
    net_notify("READY=1");
    assert_int_equal(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 7);
    assert_string_equal(got, "READY=1");
    (void)close(fd);
    net_notify("STOPPING=1"); /* nobody listens: harmless */
    (void)unsetenv("NOTIFY_SOCKET");
}

static void random_bytes_differ(void **state)
{
    struct uuid a, b;
    char text[TEXT_UUID_SIZE];

    (void)state;
    entropy_uuid(&a);
    entropy_uuid(&b);
    assert_false(text_uuid_eq(&a, &b));
    text_uuid(&a, text);
    assert_int_equal(text[14], '4');
}

static int64_t fake_us(void)
{
    return 42000000;
}

static void clocks_run_and_can_be_replaced(void **state)
{
    struct clock_ops ops;
    int64_t before = clock_mono_us();

    (void)state;
    clock_sleep_ms(2);
    assert_true(clock_mono_us() - before >= 2000);
    assert_true(clock_wall_ms() > INT64_C(1600000000000));
    assert_true(clock_process_cpu_us() > 0 && clock_thread_cpu_us() > 0);
    ops = *clock_ops_set(NULL);
    ops.wall_us = fake_us;
    (void)clock_ops_set(&ops);
    assert_int_equal(clock_wall_ms(), 42000);
    (void)clock_ops_set(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_are_read),  cmocka_unit_test(loopback_is_a_literal_or_localhost),
        cmocka_unit_test(listening_is_probed), cmocka_unit_test(systemd_is_told),
        cmocka_unit_test(random_bytes_differ), cmocka_unit_test(clocks_run_and_can_be_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
