/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_x509.c: any bytes as a certificate, a request, a key and a bundle. Nothing of it may be
 * vouched for by an authority that was made a moment ago.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tls/x509_csr.h"
#include "tls/x509_issue.h"
#include "tls/x509_renewal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1790000000)

static struct buf root;

static void make_root(void)
{
    static const struct uuid deployment = {{1}};
    struct x509_key *key;
    struct err e;

    buf_init(&root, X509_CERTIFICATE_MAX);
    if (x509_key_make(&key, &e) != ERR_OK ||
        x509_issue_root(key, &(struct x509_authority){NULL, &deployment, 1}, NOW, &root, &e) !=
            ERR_OK)
        abort();
    x509_key_free(key);
}

static void check_facts(struct arena *arena, struct str in, const struct x509_facts *facts)
{
    char fingerprint[X509_FINGERPRINT_SIZE];
    struct x509_facts again;
    struct buf der;
    struct err e;

    if (facts->serial[0] == '\0' || facts->dns_count > X509_NAMES_MAX ||
        facts->uri_count > X509_NAMES_MAX || facts->ip_count > X509_NAMES_MAX)
        abort();
    buf_init(&der, X509_CERTIFICATE_MAX);
    if (x509_fingerprint(in, fingerprint, &e) != ERR_OK ||
        strcmp(fingerprint, facts->fingerprint) != 0 || x509_der(in, &der, &e) != ERR_OK ||
        x509_read(arena, buf_view(&der), &again, &e) != ERR_OK ||
        strcmp(again.serial, facts->serial) != 0)
        abort();
    buf_fini(&der);
}

static void try_certificate(struct str in)
{
    struct x509_check check = {in, buf_view(&root), X509_CLIENT, NOW, 0};
    static const struct uuid deployment = {{1}};
    struct x509_facts facts;
    struct arena arena;
    struct uuid id;
    struct err e;

    arena_init(&arena, "fuzz", 1 << 20);
    if (x509_read(&arena, in, &facts, &e) == ERR_OK) {
        check_facts(&arena, in, &facts);
        (void)!x509_issue_agent_of(&facts, &deployment, &id, &e);
    }
    if (x509_verify(&check, &e) == ERR_OK)
        abort();
    arena_fini(&arena);
}

static void try_others(struct str in)
{
    char fingerprint[X509_FINGERPRINT_SIZE];
    struct x509_public public;
    struct x509_key *key = NULL;
    struct buf out;
    struct err e;

    if (x509_csr_read(in, &public, &e) == ERR_OK &&
        x509_key_check(&public, STR("x"), STR(""), &e) == ERR_OK)
        abort();
    if (x509_key_read(in, &key, &e) == ERR_OK)
        x509_key_free(key);
    buf_init(&out, X509_BUNDLE_MAX);
    if (x509_fingerprint(buf_view(&root), fingerprint, &e) != ERR_OK ||
        x509_pin(in, fingerprint, NOW, &out, &e) == ERR_OK || out.len != 0)
        abort();
    buf_fini(&out);
    (void)!x509_parse_fingerprint(in, fingerprint, &e);
}

static void try_renewal(struct str in)
{
    struct x509_renewal renewal;
    struct arena arena;
    struct err e;

    arena_init(&arena, "fuzz", 1 << 20);
    if (x509_renewal_read(&arena, in, &renewal, &e) == ERR_OK && renewal.facts.serial[0] == '\0')
        abort();
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_make(data, size);

    if (root.max == 0)
        make_root();
    try_certificate(in);
    try_others(in);
    try_renewal(in);
    return 0;
}
