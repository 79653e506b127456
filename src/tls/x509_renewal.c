/* SPDX-License-Identifier: PostgreSQL */
/* x509_renewal.c: see the header. */
#include "tls/x509_renewal.h"

#include "base/json.h"
#include "base/text.h"

#define HEADER "{\"alg\":\"ES256\",\"typ\":\"pga-renewal\"}"

static void put_payload(struct str certificate, struct str csr, struct buf *out)
{
    struct json_writer w;
    struct buf json;

    buf_init(&json, X509_RENEWAL_MAX);
    json_writer_init(&w, &json);
    json_object_begin(&w);
    json_member_str(&w, "certificate", certificate);
    json_member_str(&w, "csr", csr);
    json_object_end(&w);
    text_base64url(out, json.ptr, json.len);
    out->failed = out->failed || json.failed;
    buf_fini(&json);
}

enum err_code x509_renewal_write(struct x509_key *key, struct str certificate, struct str csr,
                                 struct buf *out, struct err *e)
{
    unsigned char signature[X509_SIGNATURE_BYTES];
    size_t start = out->len;
    enum err_code rc;

    text_base64url(out, HEADER, sizeof(HEADER) - 1);
    buf_add_char(out, '.');
    put_payload(certificate, csr, out);
    rc = buf_check(out, e);
    if (rc == ERR_OK)
        rc = x509_key_sign(key, str_make(out->ptr + start, out->len - start), signature, e);
    if (rc != ERR_OK)
        return rc;
    buf_add_char(out, '.');
    text_base64url(out, signature, sizeof(signature));
    return buf_check(out, e);
}

static enum err_code decode(struct arena *a, struct str part, struct str *out, struct err *e)
{
    struct buf bytes;
    enum err_code rc;

    buf_init(&bytes, X509_RENEWAL_MAX);
    rc = text_unbase64url(part, &bytes, e);
    if (rc == ERR_OK)
        *out = arena_str(a, buf_view(&bytes));
    buf_fini(&bytes);
    return rc == ERR_OK ? arena_check(a, e) : err_set(e, ERR_INVALID, "no signed renewal");
}

static enum err_code read_payload(struct arena *a, struct str json, struct x509_renewal *out,
                                  struct err *e)
{
    static const struct json_limits limits = {X509_RENEWAL_MAX, 2, true};
    struct json_doc *doc = NULL;
    enum err_code rc = json_parse(json, &limits, &doc, e);

    if (rc == ERR_OK) {
        out->certificate = arena_str(a, json_str(json_get(json_root(doc), "certificate")));
        out->csr = arena_str(a, json_str(json_get(json_root(doc), "csr")));
        rc = arena_check(a, e);
    }
    json_doc_free(doc);
    return rc == ERR_OK ? ERR_OK : err_set(e, ERR_INVALID, "no signed renewal");
}

enum err_code x509_renewal_read(struct arena *a, struct str text, struct x509_renewal *out,
                                struct err *e)
{
    struct str rest = text, header, payload, json, signature, plain;
    enum err_code rc;

    *out = (struct x509_renewal){0};
    if (text.len > X509_RENEWAL_MAX)
        return err_set(e, ERR_INVALID, "the signed renewal is too long");
    header = str_split(&rest, '.');
    payload = str_split(&rest, '.');
    rc = decode(a, header, &plain, e);
    if (rc == ERR_OK && !str_eq_c(plain, HEADER))
        rc = err_set(e, ERR_INVALID, "no signed renewal");
    if (rc == ERR_OK)
        rc = decode(a, payload, &json, e);
    if (rc == ERR_OK)
        rc = decode(a, rest, &signature, e);
    if (rc == ERR_OK)
        rc = read_payload(a, json, out, e);
    if (rc == ERR_OK)
        rc = x509_read(a, out->certificate, &out->facts, e);
    if (rc != ERR_OK)
        return rc;
    return x509_key_check(&out->facts.key, str_make(text.ptr, header.len + 1 + payload.len),
                          signature, e);
}
