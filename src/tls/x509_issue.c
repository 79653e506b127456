/* SPDX-License-Identifier: PostgreSQL */
/* x509_issue.c: see the header. */
#include "tls/x509_issue.h"

#include <mbedtls/asn1write.h>
#include <mbedtls/oid.h>

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "os/entropy.h"
#include "tls/x509_internal.h"

#define SERIAL_BYTES 16
#define TIME_SIZE    15 /* YYYYMMDDhhmmss */
#define URI_FORM     "pga://%s/agent/%s"
#define URI_SIZE     96

/* All that differs between the kinds. */
struct order {
    const char *subject; /* "CN=..." */
    mbedtls_pk_context *key;
    int path_length; /* of an authority; -1 = none */
    unsigned key_usage;
    const char *purpose; /* OID; NULL = none */
    size_t purpose_len;
    const mbedtls_x509_san_list *names;
    int64_t from_s, to_s;
};

/* --- parts --- */

static void format_time(int64_t at_s, char out[TIME_SIZE])
{
    char text[NUM_TIME_TEXT_MAX];
    size_t len = 0;

    num_format_time(at_s * 1000, text);
    for (size_t i = 0; text[i] != '\0' && text[i] != '.' && len < TIME_SIZE - 1; i++) {
        if (text[i] >= '0' && text[i] <= '9')
            out[len++] = text[i];
    }
    out[len] = '\0';
}

/* 01 in front: positive, not zero, and no leading zeros that would make it shorter. */
static void make_serial(unsigned char out[SERIAL_BYTES])
{
    entropy_fill(out, SERIAL_BYTES);
    out[0] = (unsigned char)((out[0] & 0x3f) | 0x40);
}

static int set_times(mbedtls_x509write_cert *crt, const struct order *o)
{
    char from[TIME_SIZE], to[TIME_SIZE];

    format_time(o->from_s, from);
    format_time(o->to_s, to);
    return mbedtls_x509write_crt_set_validity(crt, from, to);
}

static int set_purpose(mbedtls_x509write_cert *crt, const struct order *o)
{
    mbedtls_asn1_sequence purpose = {0};

    if (o->purpose == NULL)
        return 0;
    purpose.buf.tag = MBEDTLS_ASN1_OID;
    purpose.buf.p = (unsigned char *)(uintptr_t)o->purpose;
    purpose.buf.len = o->purpose_len;
    return mbedtls_x509write_crt_set_ext_key_usage(crt, &purpose);
}

static int set_extensions(mbedtls_x509write_cert *crt, const struct order *o)
{
    int result = mbedtls_x509write_crt_set_basic_constraints(crt, o->path_length >= 0,
                                                             o->path_length);

    if (result == 0)
        result = mbedtls_x509write_crt_set_key_usage(crt, o->key_usage);
    if (result == 0)
        result = set_purpose(crt, o);
    if (result == 0 && o->names != NULL)
        result = mbedtls_x509write_crt_set_subject_alternative_name(crt, o->names);
    if (result == 0)
        result = mbedtls_x509write_crt_set_subject_key_identifier(crt);
    if (result == 0)
        result = mbedtls_x509write_crt_set_authority_key_identifier(crt);
    return result;
}

static enum err_code write_pem(mbedtls_x509write_cert *crt, struct buf *pem, struct err *e)
{
    unsigned char text[X509_CERTIFICATE_MAX];
    int result = mbedtls_x509write_crt_pem(crt, text, sizeof(text), x509_key_random, NULL);

    if (result != 0)
        return err_set(e, ERR_BUG, "a certificate cannot be written (%d)", result);
    buf_add_c(pem, (const char *)text);
    return buf_check(pem, e);
}

/* issuer: "CN=..." */
static enum err_code issue(struct x509_key *signer, const char *issuer, const struct order *o,
                           struct buf *pem, struct err *e)
{
    unsigned char serial[SERIAL_BYTES];
    mbedtls_x509write_cert crt;
    enum err_code rc;
    int result;

    make_serial(serial);
    mbedtls_x509write_crt_init(&crt);
    mbedtls_x509write_crt_set_version(&crt, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&crt, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&crt, o->key);
    mbedtls_x509write_crt_set_issuer_key(&crt, &signer->pk);
    result = mbedtls_x509write_crt_set_serial_raw(&crt, serial, sizeof(serial));
    if (result == 0)
        result = mbedtls_x509write_crt_set_subject_name(&crt, o->subject);
    if (result == 0)
        result = mbedtls_x509write_crt_set_issuer_name(&crt, issuer);
    if (result == 0)
        result = set_times(&crt, o);
    if (result == 0)
        result = set_extensions(&crt, o);
    rc = result == 0 ? write_pem(&crt, pem, e)
                     : err_set(e, ERR_BUG, "a certificate cannot be made (%d)", result);
    mbedtls_x509write_crt_free(&crt);
    return rc;
}

/* --- under an authority of ours --- */

/* Our own names hold letters, digits, blanks and hyphens; anything else is not of our making. */
static bool is_plain_name(const char *name)
{
    for (const char *at = name; *at != '\0'; at++) {
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -", *at) == NULL)
            return false;
    }
    return name[0] != '\0';
}

static enum err_code read_issuer(struct arena *a, const struct x509_issuer *by,
                                 struct x509_facts *facts, struct err *e)
{
    enum err_code rc = x509_read(a, by->certificate, facts, e);

    if (rc != ERR_OK)
        return rc;
    if (!(facts->uses & X509_ISSUES) || !x509_key_fits(by->key, facts))
        return err_set(e, ERR_INVALID, "the authority's certificate does not fit its key");
    if (!is_plain_name(facts->subject))
        return err_set(e, ERR_INVALID, "the authority's name is not one of ours");
    return ERR_OK;
}

static enum err_code issue_under(const struct x509_issuer *by, struct order *o, struct buf *pem,
                                 struct err *e)
{
    struct x509_facts facts;
    struct arena arena;
    char issuer[128];
    enum err_code rc;

    arena_init(&arena, "issuer", 4 * X509_CERTIFICATE_MAX);
    rc = read_issuer(&arena, by, &facts, e);
    if (rc == ERR_OK) {
        snprintf(issuer, sizeof(issuer), "CN=%s", facts.subject);
        if (o->from_s < facts.not_before_s)
            o->from_s = facts.not_before_s;
        if (o->to_s > facts.not_after_s)
            o->to_s = facts.not_after_s;
        rc = o->to_s > o->from_s ? issue(by->key, issuer, o, pem, e)
                                 : err_set(e, ERR_DENIED, "the authority is out of its time");
    }
    arena_fini(&arena);
    return rc;
}

static enum err_code issue_for(const struct x509_issuer *by, const struct x509_public *key,
                               struct order *o, struct buf *pem, struct err *e)
{
    mbedtls_pk_context pk;
    enum err_code rc;

    mbedtls_pk_init(&pk);
    rc = x509_key_of_public(key, &pk, e);
    o->key = &pk;
    if (rc == ERR_OK)
        rc = issue_under(by, o, pem, e);
    o->key = NULL;
    mbedtls_pk_free(&pk);
    return rc;
}

/* --- the kinds --- */

#define NAME_SIZE 80

/* kind: "root", "issuing" */
static void authority_name(const struct x509_authority *what, const char *kind, char out[NAME_SIZE])
{
    char id[TEXT_UUID_SIZE];

    text_uuid(what->deployment, id);
    snprintf(out, NAME_SIZE, "CN=pga %s %u %s", kind, what->generation, id);
}

static struct order authority_order(const char *name, int path_length, int64_t now_s,
                                    int64_t life_s)
{
    return (struct order){
        .subject = name,
        .path_length = path_length,
        .key_usage = MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN,
        .from_s = now_s - X509_BACKDATE_S,
        .to_s = now_s + life_s,
    };
}

enum err_code x509_issue_root(struct x509_key *key, const struct x509_authority *what,
                              int64_t now_s, struct buf *pem, struct err *e)
{
    char name[NAME_SIZE];
    struct order o = authority_order(name, 2, now_s, X509_ROOT_S);

    authority_name(what, "root", name);
    o.key = &key->pk;
    return issue(key, name, &o, pem, e);
}

enum err_code x509_issue_cross(const struct x509_issuer *older, const struct x509_authority *newer,
                               int64_t now_s, struct buf *pem, struct err *e)
{
    char name[NAME_SIZE];
    struct order o = authority_order(name, 1, now_s, X509_ROOT_S);

    authority_name(newer, "root", name);
    return issue_for(older, newer->key, &o, pem, e);
}

enum err_code x509_issue_authority(const struct x509_issuer *root,
                                   const struct x509_authority *what, int64_t now_s,
                                   struct buf *pem, struct err *e)
{
    char name[NAME_SIZE];
    struct order o = authority_order(name, 0, now_s, X509_ISSUING_S);

    authority_name(what, "issuing", name);
    return issue_for(root, what->key, &o, pem, e);
}

enum err_code x509_issue_agent(const struct x509_issuer *by, const struct x509_agent *what,
                               int64_t now_s, struct buf *pem, struct err *e)
{
    char deployment[TEXT_UUID_SIZE], id[TEXT_UUID_SIZE], name[64], uri[URI_SIZE];
    mbedtls_x509_san_list names = {0};
    struct order o = {
        .subject = name,
        .path_length = -1,
        .key_usage = MBEDTLS_X509_KU_DIGITAL_SIGNATURE,
        .purpose = MBEDTLS_OID_CLIENT_AUTH,
        .purpose_len = MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH),
        .names = &names,
        .from_s = now_s - X509_BACKDATE_S,
        .to_s = now_s + X509_AGENT_S,
    };

    text_uuid(what->deployment, deployment);
    text_uuid(what->id, id);
    snprintf(name, sizeof(name), "CN=%s", id);
    snprintf(uri, sizeof(uri), URI_FORM, deployment, id);
    names.node.type = MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER;
    names.node.san.unstructured_name.p = (unsigned char *)uri;
    names.node.san.unstructured_name.len = strlen(uri);
    return issue_for(by, what->key, &o, pem, e);
}

enum err_code x509_issue_agent_of(const struct x509_facts *certificate,
                                  const struct uuid *deployment, struct uuid *id, struct err *e)
{
    const struct x509_facts *c = certificate;
    char text[TEXT_UUID_SIZE], uri[URI_SIZE];

    if ((c->uses & (X509_CLIENT | X509_SERVER | X509_IS_CA | X509_OTHER)) != X509_CLIENT)
        return err_set(e, ERR_DENIED, "the certificate is not an agent's");
    if (c->uri_count != 1 || c->dns_count + c->ip_count + c->other_count != 0)
        return err_set(e, ERR_DENIED, "the certificate does not name one agent");
    if (!text_parse_uuid(str_of(c->subject), id))
        return err_set(e, ERR_DENIED, "the certificate's name is no agent's id");
    text_uuid(deployment, text);
    snprintf(uri, sizeof(uri), URI_FORM, text, c->subject);
    if (!str_eq_c(c->uri[0], uri))
        return err_set(e, ERR_DENIED, "the certificate names an agent of another installation");
    return ERR_OK;
}

/* --- names of a server --- */

struct server_names {
    mbedtls_x509_san_list list[X509_SERVER_NAMES];
    unsigned char address[X509_SERVER_NAMES][16];
};

static bool is_label(struct str label)
{
    for (size_t i = 0; i < label.len; i++) {
        char c = label.ptr[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!word && (c != '-' || i == 0 || i == label.len - 1) && c != '_')
            return false;
    }
    return label.len > 0 && label.len <= 63;
}

static bool is_dns_name(struct str name)
{
    struct str rest = name;
    bool first = true;

    if (name.len == 0 || name.len > X509_DNS_MAX)
        return false;
    while (rest.ptr != NULL) {
        struct str label = str_split(&rest, '.');

        if (!is_label(label) && !(first && str_eq(label, STR("*")) && rest.ptr != NULL))
            return false;
        first = false;
    }
    return true;
}

static bool put_address(const char *text, unsigned char bytes[16], mbedtls_x509_buf *out)
{
    out->p = bytes;
    if (inet_pton(AF_INET, text, bytes) == 1)
        out->len = 4;
    else if (inet_pton(AF_INET6, text, bytes) == 1)
        out->len = 16;
    else
        return false;
    return true;
}

static enum err_code put_name(struct server_names *names, size_t i, struct str name, struct err *e)
{
    mbedtls_x509_subject_alternative_name *node;
    char text[X509_DNS_MAX + 1];

    if (i >= X509_SERVER_NAMES || name.len > X509_DNS_MAX ||
        memchr(name.ptr, '\0', name.len) != NULL)
        return err_set(e, ERR_INVALID, "a name of the server is too long");
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    node = &names->list[i].node;
    if (i > 0) /* the library writes a list from its end */
        names->list[i].next = &names->list[i - 1];
    node->type = MBEDTLS_X509_SAN_IP_ADDRESS;
    if (put_address(text, names->address[i], &node->san.unstructured_name))
        return ERR_OK;
    if (!is_dns_name(name))
        return err_set(e, ERR_INVALID, "'%s' is neither a host name nor an address", text);
    node->type = MBEDTLS_X509_SAN_DNS_NAME;
    node->san.unstructured_name.p = (unsigned char *)(uintptr_t)name.ptr;
    node->san.unstructured_name.len = name.len;
    return ERR_OK;
}

enum err_code x509_issue_server(const struct x509_issuer *by, const struct x509_server *what,
                                int64_t now_s, struct buf *pem, struct err *e)
{
    struct server_names names = {0};
    struct order o = {
        .subject = "CN=pga server",
        .path_length = -1,
        .key_usage = MBEDTLS_X509_KU_DIGITAL_SIGNATURE,
        .purpose = MBEDTLS_OID_SERVER_AUTH,
        .purpose_len = MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH),
        .from_s = now_s - X509_BACKDATE_S,
        .to_s = now_s + X509_SERVER_S,
    };
    enum err_code rc = ERR_OK;

    if (what->name_count == 0 || what->name_count > X509_SERVER_NAMES)
        return err_set(e, ERR_INVALID, "a server's certificate takes 1 to %d names",
                       X509_SERVER_NAMES);
    for (size_t i = 0; rc == ERR_OK && i < what->name_count; i++)
        rc = put_name(&names, i, what->names[i], e);
    o.names = &names.list[what->name_count - 1];
    return rc == ERR_OK ? issue_for(by, what->key, &o, pem, e) : rc;
}
