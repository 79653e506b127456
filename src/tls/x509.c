/* SPDX-License-Identifier: PostgreSQL */
/*
 * x509.c: facts of certificates and chains over Mbed TLS.
 *
 * The library judges validity by the system's clock. Here time is an argument: the callback of the
 * verification takes the library's two flags away and sets its own, so that one clock decides
 * (os/clock.h, which tests replace), and a grace can hold for the leaf alone.
 */
#include "tls/x509.h"

#include <mbedtls/oid.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/num.h"
#include "base/text.h"
#include "tls/hash.h"
#include "tls/x509_internal.h"

#define SAN_DNS 2 /* choices of GeneralName, RFC 5280 4.2.1.6 */
#define SAN_URI 6
#define SAN_IP  7

int64_t x509_time(const mbedtls_x509_time *t)
{
    char text[NUM_TIME_TEXT_MAX + 64];
    int64_t ms;

    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", t->year, t->mon, t->day, t->hour,
             t->min, t->sec);
    return num_parse_time_ms(str_of(text), &ms, NULL) == ERR_OK ? ms / 1000 : INT64_MIN;
}

/* --- one certificate --- */

static enum err_code check_kind(const mbedtls_x509_crt *crt, struct err *e)
{
    if (crt->version != 3)
        return err_set(e, ERR_INVALID, "the certificate is not of version 3");
    if (crt->MBEDTLS_PRIVATE(sig_pk) != MBEDTLS_PK_ECDSA ||
        crt->MBEDTLS_PRIVATE(sig_md) != MBEDTLS_MD_SHA256)
        return err_set(e, ERR_INVALID, "the certificate is not signed by ECDSA with SHA-256");
    if (!x509_key_is_p256(&crt->pk))
        return err_set(e, ERR_INVALID, "the certificate's key is not on P-256");
    return ERR_OK;
}

enum err_code x509_parse(struct str certificate, mbedtls_x509_crt *out, struct err *e)
{
    struct buf copy;
    enum err_code rc;

    buf_init(&copy, X509_CERTIFICATE_MAX + 64);
    rc = x509_key_input(certificate, X509_CERTIFICATE_MAX, &copy, e);
    if (rc == ERR_OK &&
        (mbedtls_x509_crt_parse(out, (const unsigned char *)copy.ptr, copy.len) != 0 ||
         out->next != NULL))
        rc = err_set(e, ERR_INVALID, "this is not one certificate");
    buf_fini(&copy);
    return rc == ERR_OK ? check_kind(out, e) : rc;
}

static enum err_code read_serial(const mbedtls_x509_buf *serial, char out[X509_SERIAL_SIZE],
                                 struct err *e)
{
    const unsigned char *at = serial->p;
    size_t len = serial->len;

    if (len == 0 || (at[0] & 0x80) != 0)
        return err_set(e, ERR_INVALID, "the certificate's serial number is not positive");
    while (len > 0 && at[0] == 0) {
        at++;
        len--;
    }
    if (len == 0 || len > X509_SERIAL_BYTES)
        return err_set(e, ERR_INVALID, "the certificate's serial number has a wrong size");
    text_hex(at, len, out);
    return ERR_OK;
}

/* The common name; bytes that are no printable ASCII become '?', so that none gets through. */
static const char *common_name(struct arena *a, const mbedtls_x509_name *name)
{
    const mbedtls_asn1_named_data *found = mbedtls_asn1_find_named_data(
        name, MBEDTLS_OID_AT_CN, MBEDTLS_OID_SIZE(MBEDTLS_OID_AT_CN));
    char *text;

    if (found == NULL)
        return "";
    text = arena_strndup(a, (const char *)found->val.p, found->val.len);
    for (size_t i = 0; text != NULL && i < found->val.len; i++) {
        if (text[i] < ' ' || text[i] > '~')
            text[i] = '?';
    }
    return text;
}

static unsigned extended_uses(const mbedtls_x509_crt *crt)
{
    unsigned uses = 0;

    for (const mbedtls_x509_sequence *at = &crt->ext_key_usage; at && at->buf.p; at = at->next) {
        if (MBEDTLS_OID_CMP(MBEDTLS_OID_CLIENT_AUTH, &at->buf) == 0)
            uses |= X509_CLIENT;
        else if (MBEDTLS_OID_CMP(MBEDTLS_OID_SERVER_AUTH, &at->buf) == 0)
            uses |= X509_SERVER;
        else
            uses |= X509_OTHER;
    }
    return uses;
}

static unsigned uses_of(const mbedtls_x509_crt *crt)
{
    unsigned uses = extended_uses(crt);
    unsigned plain = crt->MBEDTLS_PRIVATE(key_usage);

    if (!mbedtls_x509_crt_has_ext_type(crt, MBEDTLS_X509_EXT_KEY_USAGE))
        plain = 0;
    if (plain & MBEDTLS_X509_KU_DIGITAL_SIGNATURE)
        uses |= X509_SIGNS;
    if (crt->MBEDTLS_PRIVATE(ca_istrue))
        uses |= X509_IS_CA | (plain & MBEDTLS_X509_KU_KEY_CERT_SIGN ? X509_ISSUES : 0);
    return uses;
}

struct name_list {
    struct str *names;
    size_t *count;
};

static struct name_list list_of(struct x509_facts *out, unsigned kind)
{
    switch (kind) {
    case SAN_DNS:
        return (struct name_list){out->dns, &out->dns_count};
    case SAN_URI:
        return (struct name_list){out->uri, &out->uri_count};
    case SAN_IP:
        return (struct name_list){out->ip, &out->ip_count};
    default:
        return (struct name_list){NULL, &out->other_count};
    }
}

static enum err_code read_names(struct arena *a, const mbedtls_x509_crt *crt,
                                struct x509_facts *out, struct err *e)
{
    for (const mbedtls_x509_sequence *at = &crt->subject_alt_names; at && at->buf.p;
         at = at->next) {
        struct name_list list = list_of(out, at->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK);

        if (*list.count == X509_NAMES_MAX)
            return err_set(e, ERR_LIMIT, "the certificate has too many alternative names");
        if (list.names != NULL)
            list.names[*list.count] = arena_str(a, str_make(at->buf.p, at->buf.len));
        (*list.count)++;
    }
    return ERR_OK;
}

static enum err_code read_facts(struct arena *a, const mbedtls_x509_crt *crt,
                                struct x509_facts *out, struct err *e)
{
    enum err_code rc = read_serial(&crt->serial, out->serial, e);

    if (rc == ERR_OK)
        rc = x509_key_to_public(&crt->pk, &out->key, e);
    if (rc == ERR_OK)
        rc = read_names(a, crt, out, e);
    if (rc != ERR_OK)
        return rc;
    hash_sha256(str_make(crt->raw.p, crt->raw.len), out->sha256);
    text_hex(out->sha256, sizeof(out->sha256), out->fingerprint);
    out->not_before_s = x509_time(&crt->valid_from);
    out->not_after_s = x509_time(&crt->valid_to);
    out->uses = uses_of(crt);
    out->subject = common_name(a, &crt->subject);
    out->issuer = common_name(a, &crt->issuer);
    out->self_issued = str_eq(str_make(crt->subject_raw.p, crt->subject_raw.len),
                              str_make(crt->issuer_raw.p, crt->issuer_raw.len));
    return arena_check(a, e);
}

enum err_code x509_read(struct arena *a, struct str certificate, struct x509_facts *out,
                        struct err *e)
{
    mbedtls_x509_crt crt;
    enum err_code rc;

    *out = (struct x509_facts){0};
    mbedtls_x509_crt_init(&crt);
    rc = x509_parse(certificate, &crt, e);
    if (rc == ERR_OK)
        rc = read_facts(a, &crt, out, e);
    mbedtls_x509_crt_free(&crt);
    return rc;
}

enum err_code x509_der(struct str certificate, struct buf *out, struct err *e)
{
    mbedtls_x509_crt crt;
    enum err_code rc;

    mbedtls_x509_crt_init(&crt);
    rc = x509_parse(certificate, &crt, e);
    if (rc == ERR_OK) {
        buf_add(out, crt.raw.p, crt.raw.len);
        rc = buf_check(out, e);
    }
    mbedtls_x509_crt_free(&crt);
    return rc;
}

enum err_code x509_fingerprint(struct str certificate, char out[X509_FINGERPRINT_SIZE],
                               struct err *e)
{
    struct buf der;
    enum err_code rc;

    buf_init(&der, X509_CERTIFICATE_MAX);
    rc = x509_der(certificate, &der, e);
    if (rc == ERR_OK)
        hash_sha256_hex(buf_view(&der), out);
    buf_fini(&der);
    return rc;
}

enum err_code x509_parse_fingerprint(struct str text, char out[X509_FINGERPRINT_SIZE],
                                     struct err *e)
{
    unsigned char bytes[X509_HASH_BYTES];
    char digits[X509_FINGERPRINT_SIZE];
    size_t len = 0;

    text = str_trim(text);
    if (str_starts(text, STR("sha256:")) || str_starts(text, STR("SHA256:")))
        text = str_make(text.ptr + 7, text.len - 7);
    for (size_t i = 0; i < text.len && len < sizeof(digits); i++) {
        if (text.ptr[i] != ':')
            digits[len++] = text.ptr[i];
    }
    if (len != sizeof(digits) - 1 || !text_unhex(str_make(digits, len), bytes, sizeof(bytes)))
        return err_set(e, ERR_INVALID, "a fingerprint is 64 hexadecimal digits (SHA-256)");
    text_hex(bytes, sizeof(bytes), out);
    return ERR_OK;
}
