/* SPDX-License-Identifier: PostgreSQL */
/* agent_certificate.c: see the header. */
#include "app/agent/agent_certificate.h"

#include <stdio.h>

#include "os/clock.h"
#include "os/file.h"
#include "tls/crypto.h"
#include "tls/x509_csr.h"
#include "tls/x509_renewal.h"

#define PATH_SIZE     1100
#define FILE_MAX      (X509_CERTIFICATE_MAX + X509_KEY_PEM_MAX)
#define ARENA_BYTES   (64 * 1024)
#define CLOCK_SLACK_S 301 /* certificates begin five minutes before they are made */
#define CA_FILE       "ca.pem"
#define OWN_FILE      "agent.pem"
#define NEW_FILE      "agent.new"

void agent_certificate_init(struct agent_certificate *c, const char *state_dir)
{
    *c = (struct agent_certificate){.state_dir = state_dir};
    buf_init(&c->certificate, X509_CERTIFICATE_MAX);
    buf_init(&c->key, X509_KEY_PEM_MAX);
    buf_init(&c->ca, X509_BUNDLE_MAX);
}

void agent_certificate_fini(struct agent_certificate *c)
{
    crypto_wipe(c->key.ptr, c->key.len);
    buf_fini(&c->certificate);
    buf_fini(&c->key);
    buf_fini(&c->ca);
}

/* --- files --- */

static const char *path_of(const struct agent_certificate *c, const char *name, char *out)
{
    snprintf(out, PATH_SIZE, "%s/%s", c->state_dir, name);
    return out;
}

/* Absent: empty. */
static enum err_code read_file(const struct agent_certificate *c, const char *name, struct buf *out,
                               struct err *e)
{
    char path[PATH_SIZE];
    enum err_code code = file_read_secret(path_of(c, name, path), out, e);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

static enum err_code write_file(const struct agent_certificate *c, const char *name,
                                struct str bytes, struct err *e)
{
    char path[PATH_SIZE];
    return file_write_atomic(path_of(c, name, path), bytes, 0600, e);
}

/* --- a certificate in memory --- */

/* The key and the certificate behind it belong together. */
static enum err_code check_pair(struct arena *a, struct str certificate, struct str key,
                                struct x509_facts *facts, struct err *e)
{
    struct x509_key *k = NULL;
    enum err_code code = x509_read(a, certificate, facts, e);
    code = code ? code : x509_key_read(key, &k, e);
    if (!code && !x509_key_fits(k, facts)) {
        code = err_set(e, ERR_INVALID, "the certificate is not of the agent's key");
    }
    x509_key_free(k);
    return code;
}

static void use(struct agent_certificate *c, struct str certificate, struct str key,
                const struct x509_facts *facts, int64_t now_s)
{
    crypto_wipe(c->key.ptr, c->key.len);
    buf_reset(&c->certificate);
    buf_reset(&c->key);
    buf_add_str(&c->certificate, certificate);
    buf_add_str(&c->key, key);
    snprintf(c->fingerprint, sizeof(c->fingerprint), "%s", facts->fingerprint);
    x509_life_init(&c->life, facts, now_s, clock_mono_ms() / 1000);
    c->has = true;
}

static enum err_code use_file(struct agent_certificate *c, struct str text, int64_t now_s,
                              struct err *e)
{
    size_t at = 0;
    struct x509_facts facts;
    struct arena arena;
    if (!str_find(text, STR("-----BEGIN CERTIFICATE-----"), &at)) {
        return err_set(e, ERR_CORRUPT, OWN_FILE " holds no certificate");
    }
    struct str key = str_make(text.ptr, at);
    struct str certificate = str_make(text.ptr + at, text.len - at);
    arena_init(&arena, "certificate", ARENA_BYTES);
    enum err_code code = check_pair(&arena, certificate, key, &facts, e);
    if (!code) {
        use(c, certificate, key, &facts, now_s);
    }
    arena_fini(&arena);
    return code ? err_wrap(e, OWN_FILE) : ERR_OK;
}

enum err_code agent_certificate_load(struct agent_certificate *c, int64_t now_s, struct err *e)
{
    struct buf text;
    buf_init(&text, FILE_MAX);
    buf_reset(&c->ca);
    enum err_code code = read_file(c, CA_FILE, &c->ca, e);
    code = code ? code : read_file(c, OWN_FILE, &text, e);
    if (!code && text.len) {
        code = use_file(c, buf_view(&text), now_s, e);
    }
    crypto_wipe(text.ptr, text.len);
    buf_fini(&text);
    return code;
}

enum err_code agent_certificate_trust(struct agent_certificate *c, struct str ca, struct err *e)
{
    if (str_eq(ca, buf_view(&c->ca))) {
        return ERR_OK;
    }
    enum err_code code = write_file(c, CA_FILE, ca, e);
    if (!code) {
        buf_reset(&c->ca);
        buf_add_str(&c->ca, ca);
        code = buf_check(&c->ca, e);
    }
    return code;
}

/* --- requests --- */

static enum err_code next_key(struct agent_certificate *c, struct x509_key **out, struct err *e)
{
    struct buf pem;
    buf_init(&pem, X509_KEY_PEM_MAX);
    enum err_code code = read_file(c, NEW_FILE, &pem, e);
    /* The key in use: its certificate came, and the file was about to be removed. */
    bool in_use = str_eq(str_trim(buf_view(&pem)), str_trim(buf_view(&c->key)));
    if (in_use) {
        buf_reset(&pem);
    }
    if (!code && pem.len) {
        code = x509_key_read(buf_view(&pem), out, e);
    } else if (!code) {
        code = x509_key_make(out, e);
        code = code ? code : x509_key_write(*out, &pem, e);
        code = code ? code : write_file(c, NEW_FILE, buf_view(&pem), e);
    }
    crypto_wipe(pem.ptr, pem.len);
    buf_fini(&pem);
    return code;
}

enum err_code agent_certificate_request(struct agent_certificate *c, struct buf *csr, struct err *e)
{
    struct x509_key *key = NULL;
    enum err_code code = next_key(c, &key, e);
    code = code ? code : x509_csr_make(key, csr, e);
    x509_key_free(key);
    return code;
}

enum err_code agent_certificate_sign_renewal(struct agent_certificate *c, struct buf *text,
                                             struct err *e)
{
    struct x509_key *key = NULL;
    struct buf csr;
    buf_init(&csr, X509_CSR_MAX);
    enum err_code code = agent_certificate_request(c, &csr, e);
    code = code ? code : x509_key_read(buf_view(&c->key), &key, e);
    code = code ? code
                : x509_renewal_write(key, buf_view(&c->certificate), buf_view(&csr), text, e);
    x509_key_free(key);
    buf_fini(&csr);
    return code;
}

/* --- answers --- */

static enum err_code check_answer(struct arena *a, const struct agent_certificate_answer *answer,
                                  struct str key, struct x509_facts *facts, struct err *e)
{
    struct x509_check check = {answer->certificate, answer->ca, X509_CLIENT, 0, 0};
    struct uuid id;
    enum err_code code = check_pair(a, answer->certificate, key, facts, e);
    /* By the server's time: ours may be wrong, and then it is not the certificate's fault. */
    check.now_s = facts->not_before_s + CLOCK_SLACK_S;
    code = code ? code : x509_verify(&check, e);
    if (!code &&
        (!text_parse_uuid(str_of(facts->subject), &id) || !text_uuid_eq(&id, answer->collector))) {
        code = err_set(e, ERR_INVALID, "the certificate is of another agent");
    }
    return code;
}

static enum err_code keep(struct agent_certificate *c, struct str certificate, struct str key,
                          struct err *e)
{
    char path[PATH_SIZE];
    struct buf text;
    buf_init(&text, FILE_MAX);
    buf_add_str(&text, key);
    buf_add_char(&text, '\n');
    buf_add_str(&text, certificate);
    enum err_code code = buf_check(&text, e);
    code = code ? code : write_file(c, OWN_FILE, buf_view(&text), e);
    code = code ? code : file_remove(path_of(c, NEW_FILE, path), e);
    crypto_wipe(text.ptr, text.len);
    buf_fini(&text);
    return code;
}

enum err_code agent_certificate_take(struct agent_certificate *c,
                                     const struct agent_certificate_answer *answer, int64_t now_s,
                                     struct err *e)
{
    struct x509_facts facts = {0};
    struct arena arena;
    struct buf key;
    buf_init(&key, X509_KEY_PEM_MAX);
    arena_init(&arena, "certificate", ARENA_BYTES);
    enum err_code code = read_file(c, NEW_FILE, &key, e);
    code = code ? code : check_answer(&arena, answer, buf_view(&key), &facts, e);
    code = code ? code : agent_certificate_trust(c, answer->ca, e);
    code = code ? code : keep(c, answer->certificate, buf_view(&key), e);
    if (!code) {
        use(c, answer->certificate, buf_view(&key), &facts, now_s);
    }
    arena_fini(&arena);
    crypto_wipe(key.ptr, key.len);
    buf_fini(&key);
    return code ? err_wrap(e, "the server's certificate for us") : ERR_OK;
}
