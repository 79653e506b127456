/* SPDX-License-Identifier: PostgreSQL */
/* test_tls.c: two ends in memory; who is let in and who is not (T1, T2, T4 at the level of TLS). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mbedtls/ssl.h>

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "os/entropy.h"
#include "tls/crypto.h"
#include "tls_fixture.h"

static struct fixture_cert ca, other_ca, server_cert, agent_cert;

struct ends {
    struct fixture_pair pair;
    struct tls_session *client, *server;
    enum tls_step client_step, server_step;
};

static struct tls_config *config_of(enum tls_side side, const struct fixture_cert *own,
                                    const struct fixture_cert *root)
{
    struct tls_config_spec spec = {.side = side};
    struct tls_config *c = NULL;
    struct err e;

    if (side == TLS_SERVER)
        spec.peer = root != NULL ? TLS_PEER_AGENT : TLS_PEER_UNKNOWN;
    if (own != NULL) {
        spec.chain_pem = str_of(own->crt);
        spec.key_pem = str_of(own->pem);
    }
    if (root != NULL)
        spec.ca_pem = str_of(root->crt);
    if (tls_config_new(&spec, &c, &e) != ERR_OK)
        fail_msg("%s", e.text);
    return c;
}

/* The sessions hold the configurations from here on. */
static void meet(struct ends *x, struct tls_config *client, struct tls_config *server,
                 const char *name)
{
    struct tls_io up = fixture_io(&x->pair.client), down = fixture_io(&x->pair.server);

    assert_int_equal(tls_session_new(client, &up, name, &x->client, NULL), ERR_OK);
    assert_int_equal(tls_session_new(server, &down, NULL, &x->server, NULL), ERR_OK);
    tls_config_unref(client);
    tls_config_unref(server);
    fixture_shake(x->client, x->server, &x->client_step, &x->server_step);
}

static void part(struct ends *x)
{
    tls_session_free(x->client);
    tls_session_free(x->server);
}

static void shake(struct ends *x, const struct fixture_cert *client, size_t piece)
{
    fixture_pair_init(&x->pair, piece);
    meet(x, config_of(TLS_CLIENT, client, &ca),
         config_of(TLS_SERVER, &server_cert, client ? &ca : NULL), "monitor.example");
}

static void send_all(struct tls_session *s, const char *text)
{
    size_t at = 0, len = strlen(text), put;

    while (at < len) {
        enum tls_step step = tls_session_write(s, text + at, len - at, &put);

        assert_true(step == TLS_DONE || step == TLS_WANT_WRITE);
        at += put;
    }
}

static void expect(struct tls_session *s, const char *text)
{
    size_t at = 0, len = strlen(text), got;
    char byte[64];

    for (int i = 0; at < len && i < 100000; i++) {
        enum tls_step step = tls_session_read(s, byte, sizeof(byte), &got);

        assert_true(step == TLS_DONE || step == TLS_WANT_READ);
        assert_memory_equal(byte, text + at, got);
        at += got;
    }
    assert_int_equal(at, len);
}

static void both_sides_know_each_other(void **state)
{
    static struct ends x;
    struct str der;

    (void)state;
    shake(&x, &agent_cert, 0);
    assert_int_equal(x.client_step, TLS_DONE);
    assert_int_equal(x.server_step, TLS_DONE);
    assert_string_equal(tls_session_version(x.server), "TLSv1.3");
    assert_string_equal(tls_session_suite(x.server), "TLS1-3-AES-256-GCM-SHA384");
    der = tls_session_peer(x.server);
    assert_true(der.len > 200 && (unsigned char)der.ptr[0] == 0x30);
    assert_true(tls_session_peer(x.client).len > 200);
    send_all(x.client, "hello");
    expect(x.server, "hello");
    send_all(x.server, "good day");
    expect(x.client, "good day");
    part(&x);
}

static void one_byte_at_a_time_is_enough(void **state)
{
    static struct ends x;

    (void)state;
    shake(&x, &agent_cert, 1);
    assert_int_equal(x.client_step, TLS_DONE);
    assert_int_equal(x.server_step, TLS_DONE);
    send_all(x.client, "slow but sure");
    expect(x.server, "slow but sure");
    part(&x);
}

static void bytes_that_no_socket_tells_of_are_counted(void **state)
{
    static struct ends x;
    char three[3];
    size_t got;

    (void)state;
    shake(&x, NULL, 0);
    send_all(x.client, "0123456789");
    assert_int_equal(tls_session_pending(x.server), 0);
    assert_int_equal(tls_session_read(x.server, three, 3, &got), TLS_DONE);
    assert_int_equal(tls_session_pending(x.server), 7);
    expect(x.server, "3456789");
    assert_int_equal(tls_session_pending(x.server), 0);
    part(&x);
}

/* What the transport did not take is neither lost nor told twice, though the caller has more. */
static void a_retried_write_tells_the_truth(void **state)
{
    static struct ends x;
    static char text[5001];
    size_t put;

    (void)state;
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        text[i] = (char)('a' + i % 23);
    shake(&x, NULL, 0);
    x.pair.up.room = 100;
    assert_int_equal(tls_session_write(x.client, text, 1000, &put), TLS_WANT_WRITE);
    x.pair.up.room = SIZE_MAX;
    assert_int_equal(tls_session_write(x.client, text, 4000, &put), TLS_DONE);
    assert_int_equal(put, 1000);
    send_all(x.client, text + put);
    expect(x.server, text);
    part(&x);
}

static void the_end_is_told_from_a_cut(void **state)
{
    static struct ends x;
    struct err e;
    char byte;
    size_t got;

    (void)state;
    shake(&x, NULL, 0);
    assert_int_equal(tls_session_end(x.client), TLS_DONE);
    assert_int_equal(tls_session_read(x.server, &byte, 1, &got), TLS_END);
    x.pair.down.closed = true;
    assert_int_equal(tls_session_read(x.client, &byte, 1, &got), TLS_FAILED);
    assert_int_equal(tls_session_why(x.client, &e), ERR_UNREACHABLE);
    part(&x);
}

/* A reload lets go of a configuration while connections made of it live. */
static void a_session_outlives_its_configuration(void **state)
{
    static struct ends x, y;
    struct tls_config *old = config_of(TLS_SERVER, &server_cert, NULL);

    (void)state;
    fixture_pair_init(&x.pair, 0);
    meet(&x, config_of(TLS_CLIENT, NULL, &ca), old, "monitor.example"); /* the last reference */
    shake(&y, NULL, 0);
    send_all(x.client, "old");
    expect(x.server, "old");
    send_all(y.client, "new");
    expect(y.server, "new");
    part(&x);
    part(&y);
}

/* --- servers that a client refuses (T4) --- */

static void refuse_server(const struct fixture_want *want, const struct fixture_cert *issuer,
                          const char *name, const char *why)
{
    static struct ends x;
    struct fixture_cert cert;
    struct err e;

    fixture_make(&cert, want, issuer);
    fixture_pair_init(&x.pair, 0);
    meet(&x, config_of(TLS_CLIENT, NULL, &ca), config_of(TLS_SERVER, &cert, NULL), name);
    assert_int_equal(x.client_step, TLS_FAILED);
    assert_int_equal(x.server_step, TLS_FAILED);
    if (tls_session_why(x.client, &e) != ERR_DENIED)
        fail_msg("%s", e.text);
    if (strstr(e.text, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", e.text, why);
    assert_int_equal(tls_session_shake(x.client), TLS_FAILED); /* for good */
    part(&x);
    fixture_free(&cert);
}

static void wrong_servers_are_refused(void **state)
{
    const struct fixture_want good = {.name = "m", .use = FIXTURE_SERVER, .dns = "monitor.example"};
    struct fixture_want want = good;

    (void)state;
    refuse_server(&good, &other_ca, "monitor.example", "not correctly signed");
    refuse_server(&good, NULL, "monitor.example", "not correctly signed");
    refuse_server(&good, &ca, "other.example", "Common Name (CN) does not match");
    want.to = "20210101000000";
    refuse_server(&want, &ca, "monitor.example", "expired");
    want = good;
    want.from = "20980101000000";
    refuse_server(&want, &ca, "monitor.example", "future");
}

/* --- clients that a server refuses (T2) --- */

static void refuse_agent(const struct fixture_want *want, const struct fixture_cert *issuer,
                         const char *why)
{
    static struct ends x;
    struct fixture_cert cert;
    struct err e;

    if (want != NULL)
        fixture_make(&cert, want, issuer);
    fixture_pair_init(&x.pair, 0);
    meet(&x, config_of(TLS_CLIENT, want ? &cert : NULL, &ca),
         config_of(TLS_SERVER, &server_cert, &ca), "monitor.example");
    assert_int_equal(x.server_step, TLS_FAILED);
    assert_int_equal(tls_session_why(x.server, &e), ERR_DENIED);
    assert_int_equal(tls_session_peer(x.server).len, 0);
    if (strstr(e.text, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", e.text, why);
    part(&x);
    if (want != NULL)
        fixture_free(&cert);
}

static void wrong_agents_are_refused(void **state)
{
    const struct fixture_want good = {.name = "a", .use = FIXTURE_CLIENT};
    struct fixture_want want = good;

    (void)state;
    refuse_agent(NULL, NULL, "no certificate");
    refuse_agent(&good, &other_ca, "not correctly signed");
    refuse_agent(&good, NULL, "not correctly signed");
    refuse_agent(&good, &agent_cert, "not correctly signed"); /* an agent signs another */
    want.to = "20210101000000";
    refuse_agent(&want, &ca, "expired");
    want = good;
    want.from = "20980101000000";
    refuse_agent(&want, &ca, "future");
    want = good;
    want.use = FIXTURE_SERVER;
    refuse_agent(&want, &ca, "clientAuth");
    want.use = FIXTURE_ANY;
    refuse_agent(&want, &ca, "clientAuth");
    want = good;
    want.ca = true;
    refuse_agent(&want, &ca, "authority");
    want = good;
    want.version = 1;
    refuse_agent(&want, &ca, "version 3");
}

static enum err_code knows_nobody(void *arg, struct str der, struct err *e)
{
    *(size_t *)arg = der.len;
    return err_set(e, ERR_DENIED, "this agent is revoked");
}

static void the_verify_hook_has_the_last_word(void **state)
{
    static struct ends x;
    size_t seen = 0;
    struct tls_config_spec spec = {.side = TLS_SERVER,
                                   .peer = TLS_PEER_AGENT,
                                   .chain_pem = str_of(server_cert.crt),
                                   .key_pem = str_of(server_cert.pem),
                                   .ca_pem = str_of(ca.crt),
                                   .verify = knows_nobody,
                                   .verify_arg = &seen};
    struct tls_config *server;
    struct err e;

    (void)state;
    assert_int_equal(tls_config_new(&spec, &server, &e), ERR_OK);
    fixture_pair_init(&x.pair, 0);
    meet(&x, config_of(TLS_CLIENT, &agent_cert, &ca), server, "monitor.example");
    assert_int_equal(x.server_step, TLS_FAILED);
    assert_int_equal(tls_session_why(x.server, &e), ERR_DENIED);
    assert_string_equal(e.text, "this agent is revoked");
    assert_true(seen > 200);
    part(&x);
}

/* --- versions (T1); the other end is the library itself, with our rules switched off --- */

struct raw {
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    mbedtls_x509_crt crt;
    mbedtls_pk_context key;
    struct tls_io io;
};

static int raw_random(void *arg, unsigned char *out, size_t len)
{
    (void)arg;
    entropy_fill(out, len);
    return 0;
}

static int raw_give(void *arg, const unsigned char *from, size_t len)
{
    const struct tls_io *io = arg;
    ssize_t n = io->write(io->arg, from, len);

    return n < 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : (int)n;
}

static int raw_get(void *arg, unsigned char *to, size_t len)
{
    const struct tls_io *io = arg;
    ssize_t n = io->read(io->arg, to, len);

    return n < 0 ? MBEDTLS_ERR_SSL_WANT_READ : (int)n;
}

/* An end that speaks TLS 1.2 only. */
static void raw_open(struct raw *r, int side, struct fixture_end *end)
{
    mbedtls_ssl_config_init(&r->config);
    mbedtls_ssl_init(&r->ssl);
    mbedtls_x509_crt_init(&r->crt);
    mbedtls_pk_init(&r->key);
    r->io = fixture_io(end);
    mbedtls_ssl_config_defaults(&r->config, side, MBEDTLS_SSL_TRANSPORT_STREAM,
                                MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_max_tls_version(&r->config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_authmode(&r->config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_rng(&r->config, raw_random, NULL);
    assert_int_equal(mbedtls_x509_crt_parse(&r->crt, (unsigned char *)server_cert.crt,
                                            strlen(server_cert.crt) + 1),
                     0);
    assert_int_equal(mbedtls_pk_parse_key(&r->key, (unsigned char *)server_cert.pem,
                                          strlen(server_cert.pem) + 1, NULL, 0, raw_random, NULL),
                     0);
    if (side == MBEDTLS_SSL_IS_SERVER)
        mbedtls_ssl_conf_own_cert(&r->config, &r->crt, &r->key);
    assert_int_equal(mbedtls_ssl_setup(&r->ssl, &r->config), 0);
    if (side == MBEDTLS_SSL_IS_CLIENT)
        mbedtls_ssl_set_hostname(&r->ssl, NULL);
    mbedtls_ssl_set_bio(&r->ssl, &r->io, raw_give, raw_get, NULL);
}

static void raw_close(struct raw *r)
{
    mbedtls_ssl_free(&r->ssl);
    mbedtls_ssl_config_free(&r->config);
    mbedtls_x509_crt_free(&r->crt);
    mbedtls_pk_free(&r->key);
}

static enum tls_step raw_shake(struct raw *r, struct tls_session *ours)
{
    enum tls_step step = TLS_WANT_READ;

    for (int i = 0; i < 50 && step != TLS_FAILED; i++) {
        (void)mbedtls_ssl_handshake(&r->ssl);
        if (step != TLS_DONE)
            step = tls_session_shake(ours);
    }
    return step;
}

static void a_server_refuses_tls_1_2(void **state)
{
    static struct fixture_pair pair;
    struct tls_config *c = config_of(TLS_SERVER, &server_cert, NULL);
    struct tls_session *s;
    struct tls_io io;
    struct raw raw;
    struct err e;

    (void)state;
    fixture_pair_init(&pair, 0);
    io = fixture_io(&pair.server);
    raw_open(&raw, MBEDTLS_SSL_IS_CLIENT, &pair.client);
    assert_int_equal(tls_session_new(c, &io, NULL, &s, &e), ERR_OK);
    assert_int_equal(raw_shake(&raw, s), TLS_FAILED);
    assert_int_equal(tls_session_why(s, &e), ERR_INVALID);
    tls_session_free(s);
    tls_config_unref(c);
    raw_close(&raw);
}

static void a_client_takes_tls_1_2_only_when_asked_to(void **state)
{
    static struct fixture_pair pair;
    struct raw raw;

    (void)state;
    for (enum tls_floor floor = TLS_FLOOR_1_3; floor <= TLS_FLOOR_1_2; floor++) {
        struct tls_config_spec spec = {
            .side = TLS_CLIENT, .floor = floor, .ca_pem = str_of(ca.crt)};
        struct tls_config *c;
        struct tls_session *s;
        struct tls_io io;

        fixture_pair_init(&pair, 0);
        io = fixture_io(&pair.client);
        raw_open(&raw, MBEDTLS_SSL_IS_SERVER, &pair.server);
        assert_int_equal(tls_config_new(&spec, &c, NULL), ERR_OK);
        assert_int_equal(tls_session_new(c, &io, "monitor.example", &s, NULL), ERR_OK);
        assert_int_equal(raw_shake(&raw, s), floor == TLS_FLOOR_1_2 ? TLS_DONE : TLS_FAILED);
        if (floor == TLS_FLOOR_1_2)
            assert_string_equal(tls_session_version(s), "TLSv1.2");
        tls_session_free(s);
        tls_config_unref(c);
        raw_close(&raw);
    }
}

/* --- configurations that make no sense --- */

static void refuse_config(const char *crt, const char *key, const char *root, const char *why)
{
    struct tls_config_spec spec = {.side = TLS_SERVER,
                                   .peer = TLS_PEER_AGENT,
                                   .chain_pem = str_of(crt),
                                   .key_pem = str_of(key),
                                   .ca_pem = str_of(root)};
    struct tls_config *c = NULL;
    struct err e;

    assert_int_equal(tls_config_new(&spec, &c, &e), ERR_INVALID);
    assert_null(c);
    if (strstr(e.text, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", e.text, why);
}

static void wrong_files_are_named(void **state)
{
    static char many[40 * sizeof(server_cert.crt)];

    (void)state;
    for (int i = 0; i < 40; i++)
        strcat(many, server_cert.crt);
    refuse_config(many, server_cert.pem, ca.crt, "more than 7936 bytes");
    refuse_config("", "", ca.crt, "needs a certificate");
    refuse_config("-----BEGIN", server_cert.pem, ca.crt, "certificate cannot be read");
    refuse_config(server_cert.crt, "", ca.crt, "private key cannot be read");
    refuse_config(server_cert.crt, agent_cert.pem, ca.crt, "does not belong");
    refuse_config(server_cert.crt, server_cert.pem, "", "no certificate authority");
    refuse_config(server_cert.crt, server_cert.pem, "hello", "authority cannot be read");
}

static int make_certificates(void **state)
{
    const struct fixture_want root = {.name = "root", .ca = true};
    const struct fixture_want server = {
        .name = "m", .use = FIXTURE_SERVER, .dns = "monitor.example"};
    const struct fixture_want agent = {.name = "a", .use = FIXTURE_CLIENT};

    (void)state;
    assert_int_equal(crypto_init(NULL), ERR_OK);
    fixture_make(&ca, &root, NULL);
    fixture_make(&other_ca, &root, NULL); /* of the same name */
    fixture_make(&server_cert, &server, &ca);
    fixture_make(&agent_cert, &agent, &ca);
    return 0;
}

static int free_certificates(void **state)
{
    (void)state;
    fixture_free(&ca);
    fixture_free(&other_ca);
    fixture_free(&server_cert);
    fixture_free(&agent_cert);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_know_each_other),
        cmocka_unit_test(one_byte_at_a_time_is_enough),
        cmocka_unit_test(bytes_that_no_socket_tells_of_are_counted),
        cmocka_unit_test(a_retried_write_tells_the_truth),
        cmocka_unit_test(the_end_is_told_from_a_cut),
        cmocka_unit_test(a_session_outlives_its_configuration),
        cmocka_unit_test(wrong_servers_are_refused),
        cmocka_unit_test(wrong_agents_are_refused),
        cmocka_unit_test(the_verify_hook_has_the_last_word),
        cmocka_unit_test(a_server_refuses_tls_1_2),
        cmocka_unit_test(a_client_takes_tls_1_2_only_when_asked_to),
        cmocka_unit_test(wrong_files_are_named),
    };

    return cmocka_run_group_tests(tests, make_certificates, free_certificates);
}
