/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_x509.c: our authority: what it issues, what it takes in, what it vouches for. What is issued
 * is judged by openssl too, which shares no code with us.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/entropy.h"
#include "os/file.h"
#include "tls/x509_csr.h"
#include "tls/x509_issue.h"

#define NOW INT64_C(1790000000) /* 2026-09-21; the tests of openssl name the same moment */

static const struct uuid deployment = {{0xd0, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9}};
static const struct uuid agent_id = {{0xa0, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9}};
static const struct x509_authority first = {NULL, &deployment, 1};
static struct x509_key *root_key, *issuing_key, *agent_key;
static struct x509_public issuing_public, agent_public;
static struct buf root, issuing, agent, bundle;
static struct arena arena;
static struct err e;
static char dir[] = "/tmp/pga-test-x509-XXXXXX";

static void must(enum err_code rc)
{
    if (rc != ERR_OK)
        fprintf(stderr, "%s\n", e.text);
    assert_int_equal(rc, ERR_OK);
}

static struct x509_issuer by_issuing(void)
{
    return (struct x509_issuer){issuing_key, buf_view(&issuing)};
}

static void issue_agent(struct buf *pem, int64_t now_s)
{
    struct x509_issuer by = by_issuing();

    buf_init(pem, X509_CERTIFICATE_MAX);
    must(x509_issue_agent(&by, &(struct x509_agent){&agent_public, &deployment, &agent_id}, now_s,
                          pem, &e));
}

static void make_authority(void)
{
    struct x509_issuer by;

    must(x509_key_make(&root_key, &e));
    must(x509_key_make(&issuing_key, &e));
    x509_key_public(issuing_key, &issuing_public);
    must(x509_issue_root(root_key, &first, NOW, &root, &e));
    by = (struct x509_issuer){root_key, buf_view(&root)};
    must(x509_issue_authority(&by, &(struct x509_authority){&issuing_public, &deployment, 1}, NOW,
                              &issuing, &e));
    buf_add_str(&bundle, buf_view(&issuing));
    buf_add_str(&bundle, buf_view(&root));
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, "test", 1 << 20);
    buf_init(&root, X509_CERTIFICATE_MAX);
    buf_init(&issuing, X509_CERTIFICATE_MAX);
    buf_init(&bundle, X509_BUNDLE_MAX);
    make_authority();
    must(x509_key_make(&agent_key, &e));
    x509_key_public(agent_key, &agent_public);
    issue_agent(&agent, NOW);
    return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&agent);
    buf_fini(&bundle);
    buf_fini(&issuing);
    buf_fini(&root);
    x509_key_free(agent_key);
    x509_key_free(issuing_key);
    x509_key_free(root_key);
    arena_fini(&arena);
    return file_remove_tree(dir, &e) != ERR_OK;
}

static enum err_code verify(struct str certificate, enum x509_use use, int64_t now_s)
{
    return x509_verify(&(struct x509_check){certificate, buf_view(&bundle), use, now_s, 0}, &e);
}

/* --- openssl --- */

static const char *in_dir(const char *name)
{
    return arena_printf(&arena, "%s/%s", dir, name);
}

static void put_file(const char *name, struct str bytes)
{
    must(file_write_atomic(in_dir(name), bytes, 0600, &e));
}

/* What `openssl ARGS` prints, run in the folder of the test. */
static const char *openssl(const char *args)
{
    const char *command = arena_printf(&arena, "cd %s && { openssl %s; } 2>&1", dir, args);
    char *out = arena_alloc(&arena, 16384);
    FILE *pipe = popen(command, "r");
    size_t len;

    assert_non_null(pipe);
    len = fread(out, 1, 16383, pipe);
    out[len] = '\0';
    (void)pclose(pipe);
    return out;
}

static void has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fprintf(stderr, "'%s' is not in:\n%s\n", part, text);
    assert_non_null(strstr(text, part));
}

static void put_files(void)
{
    put_file("root.pem", buf_view(&root));
    put_file("issuing.pem", buf_view(&issuing));
    put_file("agent.pem", buf_view(&agent));
}

static void openssl_reads_an_agents_certificate_as_designed(void **state)
{
    const char *text;

    (void)state;
    put_files();
    text = openssl("x509 -in agent.pem -noout -text");
    has(text, "Version: 3 (0x2)");
    has(text, "Signature Algorithm: ecdsa-with-SHA256");
    has(text, "Issuer: CN = pga issuing 1 d0010203-0405-4607-8809-000000000000");
    has(text, "Not Before: Sep 21 14:08:20 2026 GMT"); /* five minutes before */
    has(text, "Not After : Sep 22 14:13:20 2026 GMT"); /* 24 hours after */
    has(text, "Subject: CN = a0010203-0405-4607-8809-000000000000");
    has(text, "ASN1 OID: prime256v1");
    has(text, "X509v3 Basic Constraints: \n                CA:FALSE");
    has(text, "X509v3 Key Usage: critical\n                Digital Signature\n");
    has(text, "X509v3 Extended Key Usage: critical\n                "
              "TLS Web Client Authentication\n");
    has(text, "URI:pga://d0010203-0405-4607-8809-000000000000/agent/"
              "a0010203-0405-4607-8809-000000000000\n");
}

static void openssl_verifies_the_chain(void **state)
{
    const char *base = "verify -x509_strict -purpose sslclient -CAfile root.pem -untrusted "
                       "issuing.pem -attime";

    (void)state;
    put_files();
    has(openssl(arena_printf(&arena, "%s 1790000000 agent.pem", base)), "agent.pem: OK");
    has(openssl(arena_printf(&arena, "%s 1790086300 agent.pem", base)), "agent.pem: OK");
    has(openssl(arena_printf(&arena, "%s 1790086500 agent.pem", base)), "certificate has expired");
    has(openssl("verify -x509_strict -purpose sslserver -CAfile root.pem -untrusted issuing.pem "
                "-attime 1790000000 agent.pem"),
        "unsuitable certificate purpose");
    /* An agent's certificate issues nothing, and the issuing authority no further authority. */
    has(openssl("x509 -in issuing.pem -noout -text"), "CA:TRUE, pathlen:0");
    has(openssl("x509 -in root.pem -noout -text"), "CA:TRUE, pathlen:2");
    has(openssl("x509 -in root.pem -noout -enddate"), "notAfter=Sep 18 14:13:20 2036 GMT");
    has(openssl("x509 -in issuing.pem -noout -enddate"), "notAfter=Sep 21 14:13:20 2027 GMT");
}

static void openssl_reads_and_checks_our_keys_and_requests(void **state)
{
    struct buf key, csr;

    (void)state;
    buf_init(&key, X509_KEY_PEM_MAX);
    buf_init(&csr, X509_CSR_MAX);
    must(x509_key_write(agent_key, &key, &e));
    must(x509_csr_make(agent_key, &csr, &e));
    put_file("key.pem", buf_view(&key));
    put_file("csr.pem", buf_view(&csr));
    has(openssl("pkey -in key.pem -noout -check"), "Key is valid");
    has(openssl("req -in csr.pem -noout -verify"), "verify OK");
    buf_fini(&key);
    buf_fini(&csr);
}

static void a_servers_certificate_has_its_names(void **state)
{
    static const struct str names[] = {STR("pga.example.org"), STR("*.pga.example.org"),
                                       STR("127.0.0.1"), STR("::1")};
    struct x509_issuer by = by_issuing();
    struct x509_facts facts;
    struct buf pem;

    (void)state;
    buf_init(&pem, X509_CERTIFICATE_MAX);
    must(x509_issue_server(&by, &(struct x509_server){&agent_public, names, 4}, NOW, &pem, &e));
    must(x509_read(&arena, buf_view(&pem), &facts, &e));
    assert_int_equal(facts.uses, X509_SERVER | X509_SIGNS);
    assert_int_equal(facts.dns_count, 2);
    assert_true(str_eq_c(facts.dns[1], "*.pga.example.org"));
    assert_int_equal(facts.ip_count, 2);
    assert_true(str_eq(facts.ip[0], str_make("\x7f\0\0\1", 4)));
    put_files();
    put_file("server.pem", buf_view(&pem));
    has(openssl("x509 -in server.pem -noout -text"),
        "DNS:pga.example.org, DNS:*.pga.example.org, IP Address:127.0.0.1, IP "
        "Address:0:0:0:0:0:0:0:1");
    has(openssl("verify -x509_strict -purpose sslserver -verify_hostname pga.example.org -CAfile "
                "root.pem -untrusted issuing.pem -attime 1790000000 server.pem"),
        "server.pem: OK");
    assert_int_equal(verify(buf_view(&pem), X509_SERVER, NOW), ERR_OK);
    assert_int_equal(verify(buf_view(&pem), X509_CLIENT, NOW), ERR_DENIED);
    buf_fini(&pem);
}

static void names_that_are_none_get_into_no_certificate(void **state)
{
    static const struct str bad[] = {STR(""),     STR("a..b"), STR(".a"),          STR("a,CN=b"),
                                     STR("a b"),  STR("a*"),   STR("x.*.y"),       STR("-a"),
                                     STR("a\0b"), STR("*"),    STR("256.1.1.1\n"), STR("a/b")};
    struct x509_issuer by = by_issuing();
    struct buf pem;

    (void)state;
    buf_init(&pem, X509_CERTIFICATE_MAX);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(
            x509_issue_server(&by, &(struct x509_server){&agent_public, &bad[i], 1}, NOW, &pem, &e),
            ERR_INVALID);
    assert_int_equal(
        x509_issue_server(&by, &(struct x509_server){&agent_public, bad, 0}, NOW, &pem, &e),
        ERR_INVALID);
    assert_int_equal(pem.len, 0);
    buf_fini(&pem);
}

/* --- facts --- */

static void facts_of_an_agents_certificate(void **state)
{
    char fingerprint[X509_FINGERPRINT_SIZE];
    struct x509_facts facts;
    struct uuid id;

    (void)state;
    must(x509_read(&arena, buf_view(&agent), &facts, &e));
    assert_int_equal(facts.not_before_s, NOW - 300);
    assert_int_equal(facts.not_after_s, NOW + 86400);
    assert_int_equal(facts.uses, X509_CLIENT | X509_SIGNS);
    assert_int_equal(strlen(facts.serial), 32);
    assert_string_equal(facts.issuer, "pga issuing 1 d0010203-0405-4607-8809-000000000000");
    assert_true(x509_key_fits(agent_key, &facts));
    assert_false(x509_key_fits(root_key, &facts));
    must(x509_fingerprint(buf_view(&agent), fingerprint, &e));
    assert_string_equal(fingerprint, facts.fingerprint);
    put_files();
    has(openssl("x509 -in agent.pem -outform DER -out agent.der"), "");
    has(openssl("dgst -sha256 agent.der"), fingerprint);
    must(x509_issue_agent_of(&facts, &deployment, &id, &e));
    assert_true(text_uuid_eq(&id, &agent_id));
    assert_int_equal(x509_issue_agent_of(&facts, &agent_id, &id, &e), ERR_DENIED);
    must(x509_read(&arena, buf_view(&issuing), &facts, &e));
    assert_int_equal(facts.uses, X509_ISSUES | X509_IS_CA);
    assert_int_equal(x509_issue_agent_of(&facts, &deployment, &id, &e), ERR_DENIED);
}

static void k7_serials_are_random_positive_and_of_128_bits(void **state)
{
    char seen[32][X509_SERIAL_SIZE];
    struct x509_facts facts;
    struct buf pem;

    (void)state;
    for (size_t i = 0; i < 32; i++) {
        issue_agent(&pem, NOW);
        must(x509_read(&arena, buf_view(&pem), &facts, &e));
        assert_int_equal(strlen(facts.serial), 32);
        assert_in_range(facts.serial[0], '4', '7');
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(seen[k], facts.serial);
        memcpy(seen[i], facts.serial, sizeof(seen[i]));
        buf_fini(&pem);
    }
}

/* Only the bytes of a serial are fixed: signing needs random ones. */
static void fill_serial(void *out, size_t len, int byte)
{
    if (len == 16)
        memset(out, byte, len);
    else
        assert_int_equal(getentropy(out, len), 0);
}

static void fill_zero(void *out, size_t len)
{
    fill_serial(out, len, 0);
}

static void fill_ones(void *out, size_t len)
{
    fill_serial(out, len, 0xff);
}

static void k7_serials_are_positive_for_any_random_bytes(void **state)
{
    static const struct entropy_ops fixed[] = {{fill_zero}, {fill_ones}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct entropy_ops *old = entropy_ops_set(&fixed[i]);
        struct x509_facts facts;
        struct buf pem;

        issue_agent(&pem, NOW);
        (void)entropy_ops_set(old);
        must(x509_read(&arena, buf_view(&pem), &facts, &e));
        assert_int_equal(strlen(facts.serial), 32);
        assert_true(facts.serial[0] == (i == 0 ? '4' : '7'));
        buf_fini(&pem);
    }
}

static void fingerprints_are_read_in_usual_forms(void **state)
{
    char out[X509_FINGERPRINT_SIZE], shown[256], want[X509_FINGERPRINT_SIZE];
    size_t len = 0;

    (void)state;
    must(x509_fingerprint(buf_view(&root), want, &e));
    for (size_t i = 0; i < 64; i += 2)
        len += (size_t)snprintf(shown + len, sizeof(shown) - len, "%s%.2s", i ? ":" : "", want + i);
    must(x509_parse_fingerprint(str_of(shown), out, &e));
    assert_string_equal(out, want);
    must(x509_parse_fingerprint(str_of(arena_printf(&arena, "sha256:%s\n", want)), out, &e));
    assert_string_equal(out, want);
    assert_int_equal(x509_parse_fingerprint(STR("abcd"), out, &e), ERR_INVALID);
    assert_int_equal(x509_parse_fingerprint(str_make(want, 63), out, &e), ERR_INVALID);
    assert_int_equal(x509_parse_fingerprint(str_of(arena_printf(&arena, "%s0", want)), out, &e),
                     ERR_INVALID);
}

/* --- chains --- */

static void chains_hold_in_their_time_and_for_their_use(void **state)
{
    struct x509_check grace = {buf_view(&agent), buf_view(&bundle), X509_CLIENT, NOW + 86400 + 3600,
                               7200};

    (void)state;
    assert_int_equal(verify(buf_view(&agent), X509_CLIENT, NOW), ERR_OK);
    assert_int_equal(verify(buf_view(&agent), X509_CLIENT, NOW - 300), ERR_OK);
    assert_int_equal(verify(buf_view(&agent), X509_CLIENT, NOW - 301), ERR_DENIED);
    assert_int_equal(verify(buf_view(&agent), X509_CLIENT, NOW + 86400), ERR_OK);
    assert_int_equal(verify(buf_view(&agent), X509_CLIENT, NOW + 86401), ERR_DENIED);
    assert_int_equal(verify(buf_view(&agent), X509_SERVER, NOW), ERR_DENIED);
    assert_int_equal(verify(buf_view(&issuing), X509_CLIENT, NOW), ERR_DENIED);
    must(x509_verify(&grace, &e));
    grace.now_s += 7200;
    assert_int_equal(x509_verify(&grace, &e), ERR_DENIED);
    has(e.text, "expired");
}

/* Another authority that uses the same names: only the keys differ. */
static void a_look_alike_authority_is_not_ours(void **state)
{
    struct x509_key *key;
    struct x509_public public;
    struct buf other_root, forged;

    (void)state;
    buf_init(&other_root, X509_CERTIFICATE_MAX);
    buf_init(&forged, X509_CERTIFICATE_MAX);
    must(x509_key_make(&key, &e));
    x509_key_public(key, &public);
    must(x509_issue_root(key, &first, NOW, &other_root, &e));
    must(x509_issue_agent(&(struct x509_issuer){key, buf_view(&other_root)},
                          &(struct x509_agent){&public, &deployment, &agent_id}, NOW, &forged, &e));
    assert_int_equal(verify(buf_view(&forged), X509_CLIENT, NOW), ERR_DENIED);
    has(e.text, "another authority");
    /* An agent's own key signs nothing that counts. */
    buf_reset(&forged);
    assert_int_equal(x509_issue_agent(&(struct x509_issuer){agent_key, buf_view(&agent)},
                                      &(struct x509_agent){&public, &deployment, &agent_id}, NOW,
                                      &forged, &e),
                     ERR_INVALID);
    buf_fini(&forged);
    buf_fini(&other_root);
    x509_key_free(key);
}

static void a_changed_byte_breaks_the_signature(void **state)
{
    struct buf der;
    unsigned taken = 0;

    (void)state;
    buf_init(&der, X509_CERTIFICATE_MAX);
    must(x509_der(buf_view(&agent), &der, &e));
    for (size_t i = 0; i < der.len; i += 7) {
        der.ptr[i] ^= 1;
        taken += verify(buf_view(&der), X509_CLIENT, NOW) == ERR_OK;
        der.ptr[i] ^= 1;
    }
    assert_int_equal(taken, 0);
    assert_int_equal(verify(buf_view(&der), X509_CLIENT, NOW), ERR_OK);
    buf_fini(&der);
}

static void nothing_outlives_its_issuer(void **state)
{
    struct x509_facts facts;
    struct x509_issuer by = by_issuing();
    struct buf pem;

    (void)state;
    issue_agent(&pem, NOW + X509_ISSUING_S - 3600);
    must(x509_read(&arena, buf_view(&pem), &facts, &e));
    assert_int_equal(facts.not_after_s, NOW + X509_ISSUING_S);
    buf_reset(&pem);
    assert_int_equal(x509_issue_agent(&by,
                                      &(struct x509_agent){&agent_public, &deployment, &agent_id},
                                      NOW + X509_ISSUING_S + 400, &pem, &e),
                     ERR_DENIED);
    buf_fini(&pem);
}

static void pinning_takes_the_named_root_and_what_hangs_from_it(void **state)
{
    char fingerprint[X509_FINGERPRINT_SIZE];
    struct x509_key *key;
    struct buf other, both, out;

    (void)state;
    buf_init(&other, X509_CERTIFICATE_MAX);
    buf_init(&both, X509_BUNDLE_MAX);
    buf_init(&out, X509_BUNDLE_MAX);
    must(x509_key_make(&key, &e));
    must(x509_issue_root(key, &first, NOW, &other, &e));
    buf_add_str(&both, buf_view(&other));
    buf_add_str(&both, buf_view(&bundle));
    must(x509_fingerprint(buf_view(&root), fingerprint, &e));
    must(x509_pin(buf_view(&both), fingerprint, NOW, &out, &e));
    assert_true(str_eq(buf_view(&out), buf_view(&bundle)));
    buf_reset(&out);
    must(x509_fingerprint(buf_view(&other), fingerprint, &e));
    must(x509_pin(buf_view(&both), fingerprint, NOW, &out, &e));
    assert_true(str_eq(buf_view(&out), buf_view(&other)));
    buf_reset(&out);
    /* An issuing authority is no root; a fingerprint that is not there is refused. */
    must(x509_fingerprint(buf_view(&issuing), fingerprint, &e));
    assert_int_equal(x509_pin(buf_view(&both), fingerprint, NOW, &out, &e), ERR_DENIED);
    fingerprint[0] = fingerprint[0] == '0' ? '1' : '0';
    assert_int_equal(x509_pin(buf_view(&both), fingerprint, NOW, &out, &e), ERR_DENIED);
    assert_int_equal(out.len, 0);
    x509_key_free(key);
    buf_fini(&out);
    buf_fini(&both);
    buf_fini(&other);
}

/* Who knows only the older root follows the cross certificate; who knows the newer needs it not. */
static void a_newer_root_hangs_from_the_older(void **state)
{
    struct x509_issuer old = {root_key, buf_view(&root)}, next, by;
    struct x509_key *root2, *issuing2;
    struct x509_public root2_public, issuing2_public;
    struct buf root_pem, cross, issuing_pem, leaf, links;

    (void)state;
    buf_init(&root_pem, X509_CERTIFICATE_MAX);
    buf_init(&cross, X509_CERTIFICATE_MAX);
    buf_init(&issuing_pem, X509_CERTIFICATE_MAX);
    buf_init(&leaf, X509_CERTIFICATE_MAX);
    buf_init(&links, X509_BUNDLE_MAX);
    must(x509_key_make(&root2, &e));
    must(x509_key_make(&issuing2, &e));
    x509_key_public(root2, &root2_public);
    x509_key_public(issuing2, &issuing2_public);
    must(
        x509_issue_root(root2, &(struct x509_authority){NULL, &deployment, 2}, NOW, &root_pem, &e));
    must(x509_issue_cross(&old, &(struct x509_authority){&root2_public, &deployment, 2}, NOW,
                          &cross, &e));
    next = (struct x509_issuer){root2, buf_view(&root_pem)};
    must(x509_issue_authority(&next, &(struct x509_authority){&issuing2_public, &deployment, 2},
                              NOW, &issuing_pem, &e));
    by = (struct x509_issuer){issuing2, buf_view(&issuing_pem)};
    must(x509_issue_agent(&by, &(struct x509_agent){&agent_public, &deployment, &agent_id}, NOW,
                          &leaf, &e));
    assert_int_equal(verify(buf_view(&leaf), X509_CLIENT, NOW), ERR_DENIED);
    buf_add_str(&links, buf_view(&issuing_pem));
    buf_add_str(&links, buf_view(&cross));
    buf_add_str(&links, buf_view(&root));
    must(x509_verify(&(struct x509_check){buf_view(&leaf), buf_view(&links), X509_CLIENT, NOW, 0},
                     &e));
    put_file("links.pem", buf_view(&links));
    put_file("leaf.pem", buf_view(&leaf));
    put_files();
    has(openssl("verify -x509_strict -purpose sslclient -CAfile root.pem -untrusted links.pem "
                "-attime 1790000000 leaf.pem"),
        "leaf.pem: OK");
    buf_reset(&links);
    buf_add_str(&links, buf_view(&issuing_pem));
    buf_add_str(&links, buf_view(&root_pem));
    must(x509_verify(&(struct x509_check){buf_view(&leaf), buf_view(&links), X509_CLIENT, NOW, 0},
                     &e));
    x509_key_free(issuing2);
    x509_key_free(root2);
    buf_fini(&links);
    buf_fini(&leaf);
    buf_fini(&issuing_pem);
    buf_fini(&cross);
    buf_fini(&root_pem);
}

/* --- keys and requests --- */

static void keys_are_read_back_and_only_on_p256(void **state)
{
    struct x509_key *again = NULL;
    struct x509_public public;
    struct buf pem;
    const char *foreign;

    (void)state;
    buf_init(&pem, X509_KEY_PEM_MAX);
    must(x509_key_write(agent_key, &pem, &e));
    must(x509_key_read(buf_view(&pem), &again, &e));
    x509_key_public(again, &public);
    assert_memory_equal(public.der, agent_public.der, sizeof(public.der));
    x509_key_free(again);
    foreign = openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null");
    must(x509_key_read(str_of(foreign), &again, &e));
    x509_key_free(again);
    foreign = openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 2>/dev/null");
    assert_int_equal(x509_key_read(str_of(foreign), &again, &e), ERR_INVALID);
    assert_int_equal(x509_key_read(STR("-----BEGIN EC PRIVATE KEY-----"), &again, &e), ERR_INVALID);
    assert_int_equal(x509_key_read(STR(""), &again, &e), ERR_INVALID);
    buf_fini(&pem);
}

static void signatures_hold_for_their_bytes_and_key(void **state)
{
    unsigned char raw[X509_SIGNATURE_BYTES] = {0};
    struct str signature = str_make(raw, sizeof(raw));

    (void)state;
    must(x509_key_sign(agent_key, STR("renew me"), raw, &e));
    must(x509_key_check(&agent_public, STR("renew me"), signature, &e));
    assert_int_equal(x509_key_check(&agent_public, STR("renew him"), signature, &e), ERR_DENIED);
    assert_int_equal(x509_key_check(&issuing_public, STR("renew me"), signature, &e), ERR_DENIED);
    raw[10] ^= 1;
    assert_int_equal(x509_key_check(&agent_public, STR("renew me"), signature, &e), ERR_DENIED);
    memset(raw, 0, sizeof(raw));
    assert_int_equal(x509_key_check(&agent_public, STR("renew me"), signature, &e), ERR_DENIED);
    assert_int_equal(x509_key_check(&agent_public, STR("renew me"), str_make(raw, 63), &e),
                     ERR_DENIED);
}

static void a_request_gives_its_key_and_nothing_else(void **state)
{
    struct x509_public public;
    struct buf csr;
    const char *foreign;

    (void)state;
    buf_init(&csr, X509_CSR_MAX);
    must(x509_csr_make(agent_key, &csr, &e));
    must(x509_csr_read(buf_view(&csr), &public, &e));
    assert_memory_equal(public.der, agent_public.der, sizeof(public.der));
    foreign = openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem "
                      "-subj '/CN=root/O=evil' -addext 'subjectAltName=DNS:pga.example.org' "
                      "-addext basicConstraints=CA:TRUE 2>/dev/null");
    must(x509_csr_read(str_of(foreign), &public, &e));
    assert_memory_not_equal(public.der, agent_public.der, sizeof(public.der));
    buf_fini(&csr);
}

static void requests_of_other_kinds_are_refused(void **state)
{
    static const char *const commands[] = {
        "req -new -newkey rsa:2048 -nodes -keyout k.pem -subj /CN=a 2>/dev/null",
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout k.pem -subj /CN=a "
        "2>/dev/null",
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha512 -nodes -keyout k.pem -subj "
        "/CN=a 2>/dev/null",
        "req -new -newkey ed25519 -nodes -keyout k.pem -subj /CN=a 2>/dev/null",
        /* It says that it must be obeyed, and it is not. */
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -subj /CN=a "
        "-addext basicConstraints=critical,CA:TRUE 2>/dev/null",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null",
    };
    struct x509_public public;

    (void)state;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        assert_int_equal(x509_csr_read(str_of(openssl(commands[i])), &public, &e), ERR_INVALID);
    assert_int_equal(x509_csr_read(STR(""), &public, &e), ERR_INVALID);
    assert_int_equal(x509_csr_read(buf_view(&agent), &public, &e), ERR_INVALID);
    assert_int_equal(x509_csr_read(str_make(arena_alloc(&arena, 5000), 5000), &public, &e),
                     ERR_LIMIT);
}

/* The key of another in a request: who signs it does not hold that key. */
static void a_request_with_anothers_key_is_refused(void **state)
{
    struct x509_key *other;
    struct x509_public theirs, public;
    const char *der_file = in_dir("csr.der");
    struct buf csr, der;
    size_t at;

    (void)state;
    must(x509_key_make(&other, &e));
    x509_key_public(other, &theirs);
    buf_init(&csr, X509_CSR_MAX);
    buf_init(&der, X509_CSR_MAX);
    must(x509_csr_make(agent_key, &csr, &e));
    put_file("csr.pem", buf_view(&csr));
    (void)openssl("req -in csr.pem -outform DER -out csr.der");
    must(file_read_all(der_file, &der, &e));
    must(x509_csr_read(buf_view(&der), &public, &e));
    assert_true(str_find(buf_view(&der), str_make(agent_public.der, X509_PUBLIC_BYTES), &at));
    memcpy(der.ptr + at, theirs.der, X509_PUBLIC_BYTES);
    assert_int_equal(x509_csr_read(buf_view(&der), &public, &e), ERR_DENIED);
    x509_key_free(other);
    buf_fini(&der);
    buf_fini(&csr);
}

static void certificates_of_other_kinds_are_refused(void **state)
{
    static const char *const commands[] = {
        "req -x509 -newkey rsa:2048 -nodes -keyout k.pem -subj /CN=a 2>/dev/null",
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout k.pem -subj /CN=a "
        "2>/dev/null",
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha384 -nodes -keyout k.pem -subj "
        "/CN=a 2>/dev/null",
    };
    struct x509_facts facts;

    (void)state;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        assert_int_equal(x509_read(&arena, str_of(openssl(commands[i])), &facts, &e), ERR_INVALID);
    assert_int_equal(x509_read(&arena, buf_view(&bundle), &facts, &e), ERR_INVALID);
    assert_int_equal(x509_read(&arena, STR("hello"), &facts, &e), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssl_reads_an_agents_certificate_as_designed),
        cmocka_unit_test(openssl_verifies_the_chain),
        cmocka_unit_test(openssl_reads_and_checks_our_keys_and_requests),
        cmocka_unit_test(a_servers_certificate_has_its_names),
        cmocka_unit_test(names_that_are_none_get_into_no_certificate),
        cmocka_unit_test(facts_of_an_agents_certificate),
        cmocka_unit_test(k7_serials_are_random_positive_and_of_128_bits),
        cmocka_unit_test(k7_serials_are_positive_for_any_random_bytes),
        cmocka_unit_test(fingerprints_are_read_in_usual_forms),
        cmocka_unit_test(chains_hold_in_their_time_and_for_their_use),
        cmocka_unit_test(a_look_alike_authority_is_not_ours),
        cmocka_unit_test(a_changed_byte_breaks_the_signature),
        cmocka_unit_test(nothing_outlives_its_issuer),
        cmocka_unit_test(pinning_takes_the_named_root_and_what_hangs_from_it),
        cmocka_unit_test(a_newer_root_hangs_from_the_older),
        cmocka_unit_test(keys_are_read_back_and_only_on_p256),
        cmocka_unit_test(signatures_hold_for_their_bytes_and_key),
        cmocka_unit_test(a_request_gives_its_key_and_nothing_else),
        cmocka_unit_test(requests_of_other_kinds_are_refused),
        cmocka_unit_test(a_request_with_anothers_key_is_refused),
        cmocka_unit_test(certificates_of_other_kinds_are_refused),
    };

    return cmocka_run_group_tests_name("x509", tests, setup, teardown);
}
