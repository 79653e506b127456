/* SPDX-License-Identifier: PostgreSQL */
/*
 * x509.h: what a certificate says, and whether a chain of ours vouches for it.
 *
 * Reading takes PEM or DER of at most X509_CERTIFICATE_MAX bytes. Only X.509 version 3 with ECDSA
 * on P-256 and SHA-256 counts here: our authority issues nothing else. (Links to PostgreSQL and to
 * webhooks have rules of their own.)
 * Owner:   facts live in the arena.
 * Threads: any; no shared state.
 * Errors:  ERR_INVALID for bytes that are no such certificate, ERR_DENIED for one that is not
 *          vouched for; the text says why and holds no byte of the input.
 */
#ifndef TLS_X509_H
#define TLS_X509_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define X509_CERTIFICATE_MAX  (8 * 1024)  /* ours have about 1 kB as PEM */
#define X509_BUNDLE_MAX       (64 * 1024) /* some roots and some issuing authorities */
#define X509_SERIAL_BYTES     20          /* RFC 5280 4.1.2.2 */
#define X509_SERIAL_SIZE      (2 * X509_SERIAL_BYTES + 1)
#define X509_HASH_BYTES       32
#define X509_FINGERPRINT_SIZE (2 * X509_HASH_BYTES + 1)
#define X509_PUBLIC_BYTES     91 /* SubjectPublicKeyInfo of a P-256 key, uncompressed point */
#define X509_NAMES_MAX        16 /* alternative names; ours have up to 8 */

/* A public key on P-256. */
struct x509_public {
    unsigned char der[X509_PUBLIC_BYTES];
};

/* What a certificate is good for, bits of `uses`. */
enum x509_use {
    X509_CLIENT = 1, /* extended key usage clientAuth */
    X509_SERVER = 2, /* serverAuth */
    X509_SIGNS = 4,  /* key usage digitalSignature */
    X509_ISSUES = 8, /* CA:TRUE and keyCertSign */
    X509_IS_CA = 16, /* CA:TRUE */
    X509_OTHER = 32, /* any other extended use */
};

struct x509_facts {
    char serial[X509_SERIAL_SIZE]; /* lower-case hexadecimal */
    unsigned char sha256[X509_HASH_BYTES];
    char fingerprint[X509_FINGERPRINT_SIZE]; /* the same as text */
    int64_t not_before_s, not_after_s;
    unsigned uses; /* enum x509_use */
    struct x509_public key;
    const char *subject, *issuer; /* common names; "" = none */
    bool self_issued;             /* subject and issuer are the same name */
    struct str dns[X509_NAMES_MAX], ip[X509_NAMES_MAX], uri[X509_NAMES_MAX]; /* ip: 4 or 16 bytes */
    size_t dns_count, ip_count, uri_count;
    size_t other_count; /* alternative names of other kinds */
};

/* Of one certificate, PEM or DER. */
enum err_code x509_read(struct arena *a, struct str certificate, struct x509_facts *out,
                        struct err *e) ERR_MUST_CHECK;
/* Append the DER form of one certificate given as PEM or DER. */
enum err_code x509_der(struct str certificate, struct buf *out, struct err *e) ERR_MUST_CHECK;
/* SHA-256 of the DER form, in hexadecimal. */
enum err_code x509_fingerprint(struct str certificate, char out[X509_FINGERPRINT_SIZE],
                               struct err *e) ERR_MUST_CHECK;
/* Read "AB:CD:..." or "abcd..." (with or without "sha256:" in front) into the form above. */
enum err_code x509_parse_fingerprint(struct str text, char out[X509_FINGERPRINT_SIZE],
                                     struct err *e) ERR_MUST_CHECK;

struct x509_check {
    struct str certificate; /* the leaf */
    struct str bundle; /* PEM: issuing authorities and roots; each self-issued one is trusted */
    enum x509_use use; /* X509_CLIENT, X509_SERVER, or X509_ISSUES for an authority */
    int64_t now_s;
    /* How long after its end, and before its begin (by an issuer whose clock was ahead), the leaf
     * itself is taken; 0 but for renewal. */
    int64_t grace_s;
};
/*
 * Whether a chain leads from the certificate to a root of the bundle, every link in its time by
 * now_s (never by the system's clock), and the certificate is good for `use`.
 */
enum err_code x509_verify(const struct x509_check *check, struct err *e) ERR_MUST_CHECK;
/*
 * Append, as PEM, the root of the bundle that has this fingerprint, and before it those of the
 * other certificates that it vouches for. ERR_DENIED when no root has it.
 */
enum err_code x509_pin(struct str bundle, const char *fingerprint, int64_t now_s, struct buf *out,
                       struct err *e) ERR_MUST_CHECK;

#endif
