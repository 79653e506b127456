/* SPDX-License-Identifier: PostgreSQL */
/* test_httpd_gate.c: which request heads are refused before anything reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "httpd/httpd_private.h"

#define HEAD(text) httpd_gate_raw(text, sizeof(text) - 1)
#define GOOD       "GET / HTTP/1.1\r\nHost: a\r\n"

static void takes_well_formed_heads(void **state)
{
    (void)state;
    assert_true(HEAD(GOOD "\r\n"));
    assert_true(HEAD("GET /a?b=%20 HTTP/1.0\r\nHost:a\r\nX-A:\r\nX-B: \t b \r\n\r\n"));
    assert_true(HEAD(GOOD "X: \xc3\xa4\r\n\r\n"));
}

static void refuses_what_two_readers_could_read_differently(void **state)
{
    (void)state;
    assert_false(HEAD(GOOD));
    assert_false(HEAD("GET / HTTP/1.1\nHost: a\n\n"));
    assert_false(HEAD(GOOD "X: a\n\r\n"));
    assert_false(HEAD(GOOD "X: a\rb\r\n\r\n"));
    assert_false(HEAD(GOOD "X : a\r\n\r\n"));
    assert_false(HEAD(GOOD "X: a\r\n b\r\n\r\n"));
    assert_false(HEAD(GOOD "X: \0\r\n\r\n"));
    assert_false(HEAD(GOOD "no colon\r\n\r\n"));
    assert_false(HEAD(GOOD ": a\r\n\r\n"));
    assert_false(HEAD(GOOD "X: \x7f\r\n\r\n"));
    assert_false(HEAD("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_false(HEAD("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"));
    assert_false(HEAD("GET / HTTP/2.0\r\nHost: a\r\n\r\n"));
    assert_false(HEAD("GET /\r\n\r\n"));
    assert_false(HEAD("G@T / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_false(HEAD("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_false(HEAD("GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_false(HEAD("GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_false(HEAD("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_false(HEAD("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_false(HEAD(GOOD "Content_Length: 2\r\n\r\n"));
    assert_false(HEAD(GOOD "transfer_encoding: chunked\r\n\r\n"));
    assert_true(HEAD(GOOD "X_Y: 2\r\n\r\n"));
}

static size_t small_body(const char *rest)
{
    char head[512];

    strcpy(head, GOOD);
    strcat(head, rest);
    strcat(head, "\r\n");
    return httpd_gate_small_body(head, strlen(head));
}

static void tells_the_small_bodies_that_come_unasked(void **state)
{
    (void)state;
    assert_int_equal(small_body("Content-Length: 12\r\n"), 12);
    assert_int_equal(small_body("content-length:\t32768 \r\n"), 32768);
    assert_int_equal(small_body("Content-Length: 32769\r\n"), 0);
    assert_int_equal(small_body(""), 0);
    assert_int_equal(small_body("Content-Length: 12\r\nExpect: 100-continue\r\n"), 0);
    assert_int_equal(small_body("Content-Length: 12\r\nTransfer-Encoding: chunked\r\n"), 0);
    assert_int_equal(small_body("Content-Length: 12\r\nContent-Length: 12\r\n"), 0);
    assert_int_equal(small_body("Content-Length: x\r\n"), 0);
    assert_int_equal(small_body("Content-Length : 12\r\n"), 0);
}

static void a_chunk_size_is_a_few_digits(void **state)
{
    (void)state;
    assert_int_equal(httpd_body_chunk_size(STR("0")), 0);
    assert_int_equal(httpd_body_chunk_size(STR("1aF")), 0x1af);
    assert_int_equal(httpd_body_chunk_size(STR("ffffffff")), 0xffffffff);
    assert_int_equal(httpd_body_chunk_size(STR("")), -1);
    assert_int_equal(httpd_body_chunk_size(STR("000000000")), -1);
    assert_int_equal(httpd_body_chunk_size(STR("-1")), -1);
    assert_int_equal(httpd_body_chunk_size(STR("0x1")), -1);
    assert_int_equal(httpd_body_chunk_size(STR("1 ")), -1);
    assert_int_equal(httpd_body_chunk_size(STR("1;a")), -1);
    assert_int_equal(httpd_body_chunk_size(STR("g")), -1);
}

static void refuses_too_many_headers(void **state)
{
    char head[4096] = "GET / HTTP/1.1\r\n";

    (void)state;
    for (int i = 0; i < 64; i++)
        strcat(head, "X-A: b\r\n");
    strcat(head, "\r\n");
    assert_true(httpd_gate_raw(head, strlen(head)));
    head[strlen(head) - 2] = '\0';
    strcat(head, "X-A: b\r\n\r\n");
    assert_false(httpd_gate_raw(head, strlen(head)));
}

/* --- the meaning --- */

static struct httpd_listener listener = {.at = {"127.0.0.1", 8080}, .classes = HTTPD_API};
static struct httpd server = {.config = {.public_host = "pga.example"}};

static enum err_code check(const char *version, const char *const (*headers)[2], int count)
{
    struct mg_request_info info = {.request_uri = "/", .http_version = version};
    struct err e;

    info.num_headers = count;
    for (int i = 0; i < count; i++) {
        info.http_headers[i].name = headers[i][0];
        info.http_headers[i].value = headers[i][1];
    }
    return httpd_gate_check(&server, &info, &listener, &e);
}

static enum err_code host(const char *value)
{
    const char *const headers[][2] = {{"Host", value}};

    return check("1.1", headers, 1);
}

static void the_host_must_be_ours(void **state)
{
    (void)state;
    assert_int_equal(host("127.0.0.1:8080"), ERR_OK);
    assert_int_equal(host("localhost:9999"), ERR_OK);
    assert_int_equal(host("[::1]:8080"), ERR_OK);
    assert_int_equal(host("PGA.example"), ERR_OK);
    assert_int_equal(host("evil.example"), ERR_DENIED);
    assert_int_equal(host("127.0.0.1.evil.example"), ERR_DENIED);
    assert_int_equal(host(""), ERR_INVALID);
    assert_int_equal(host("[::1"), ERR_INVALID);
    assert_int_equal(host("127.0.0.1:"), ERR_INVALID);
    assert_int_equal(host("127.0.0.1:80:80"), ERR_INVALID);
    assert_int_equal(host("127.0.0.1:80, a"), ERR_INVALID);
    assert_int_equal(host("[::1]x"), ERR_INVALID);
    assert_int_equal(host("127.0.0.1/x"), ERR_DENIED);
    assert_int_equal(check("1.1", NULL, 0), ERR_INVALID);
}

static enum err_code with(const char *version, const char *name, const char *value,
                          const char *second)
{
    const char *const headers[][2] = {
        {"Host", "localhost"}, {name, value}, {"Content-Length", "2"}};

    return check(version, headers, second ? 3 : 2);
}

static void the_length_is_given_once_and_plainly(void **state)
{
    (void)state;
    assert_int_equal(with("1.1", "Content-Length", "2", NULL), ERR_OK);
    assert_int_equal(with("1.1", "Transfer-Encoding", "chunked", NULL), ERR_OK);
    assert_int_equal(with("1.1", "Transfer-Encoding", "chunked", "both"), ERR_INVALID);
    assert_int_equal(with("1.1", "Content-Length", "2", "twice"), ERR_INVALID);
    assert_int_equal(with("1.0", "Transfer-Encoding", "chunked", NULL), ERR_INVALID);
    assert_int_equal(with("1.1", "Transfer-Encoding", "gzip, chunked", NULL), ERR_INVALID);
    assert_int_equal(with("1.1", "Content-Length", "+2", NULL), ERR_INVALID);
    assert_int_equal(with("1.1", "Content-Length", "-2", NULL), ERR_INVALID);
    assert_int_equal(with("1.1", "Content-Length", "0x2", NULL), ERR_INVALID);
    assert_int_equal(with("1.1", "Content-Length", "12345678901", NULL), ERR_INVALID);
    assert_int_equal(with("1.1", "Content-Length", "", NULL), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_well_formed_heads),
        cmocka_unit_test(refuses_what_two_readers_could_read_differently),
        cmocka_unit_test(tells_the_small_bodies_that_come_unasked),
        cmocka_unit_test(a_chunk_size_is_a_few_digits),
        cmocka_unit_test(refuses_too_many_headers),
        cmocka_unit_test(the_host_must_be_ours),
        cmocka_unit_test(the_length_is_given_once_and_plainly),
    };

    return cmocka_run_group_tests_name("httpd_gate", tests, NULL, NULL);
}
