/* SPDX-License-Identifier: PostgreSQL */
/* store_trust.c: see the header. */
#include "store/store_trust.h"

#include <stdio.h>
#include <string.h>

#include "os/clock.h"
#include "store/store_audit.h"
#include "tls/hash.h"
#include "tls/x509_csr.h"
#include "tls/x509_renewal.h"

#define ARENA_BYTES ((size_t)256 * 1024)

/* --- rows --- */

void store_trust_key_hash(const struct x509_public *key, char out[X509_FINGERPRINT_SIZE])
{
    hash_sha256_hex(str_make(key->der, sizeof(key->der)), out);
}

static void read_trust(struct sqldb_stmt *q, struct arena *a, struct store_trust *out)
{
    out->key_hash = store_text(q, a, "key_hash");
    out->certificate = store_text(q, a, "certificate");
    out->fingerprint = store_text(q, a, "fingerprint");
    out->previous = store_text(q, a, "previous");
    out->not_after_ms = store_ms(q, "not_after_ms");
    out->issued_ms = store_ms(q, "issued_ms");
    out->used_ms = store_ms(q, "used_ms");
    out->previous_not_after_ms = store_ms(q, "previous_not_after_ms");
    out->pending_ms = store_ms(q, "pending_ms");
    out->suspended_ms = store_ms(q, "suspended_ms");
}

enum err_code store_trust_get(struct sqldb *db, struct arena *a, const char *collector,
                              struct store_trust *out, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "trust_by_collector", SQLDB_ARGS(sqldb_text_c(collector)), &q,
                                 e);

    if (rc == ERR_OK)
        read_trust(q, a, out);
    sqldb_end(q);
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

enum err_code store_trust_shown(struct store *s, struct arena *a, const char *collector,
                                struct store_trust_shown *out, struct err *e)
{
    struct store_trust trust = {.fingerprint = "", .previous = ""};
    enum err_code rc = store_trust_get(store_read_begin(s), a, collector, &trust, e);

    store_read_end(s);
    snprintf(out->fingerprints[0], X509_FINGERPRINT_SIZE, "%s", trust.fingerprint);
    snprintf(out->fingerprints[1], X509_FINGERPRINT_SIZE, "%s", trust.previous);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/* before: NULL = none counts any more */
static enum err_code put(struct sqldb *db, const struct store_ca_agent *made,
                         const struct store_trust *before, struct err *e)
{
    char hash[X509_FINGERPRINT_SIZE];

    store_trust_key_hash(made->key, hash);
    return sqldb_run(
        db, "trust_put",
        SQLDB_ARGS(sqldb_text_c(made->id), sqldb_text_c(hash), sqldb_text(buf_view(made->pem)),
                   sqldb_text_c(made->facts.fingerprint), sqldb_i64(made->facts.not_after_s * 1000),
                   sqldb_i64(clock_wall_ms()),
                   before ? sqldb_text_c(before->fingerprint) : sqldb_null(),
                   before ? sqldb_i64(before->not_after_ms) : sqldb_null()),
        e);
}

enum err_code store_trust_wait(struct sqldb *db, const char *collector,
                               const struct x509_public *key, struct err *e)
{
    char hash[X509_FINGERPRINT_SIZE];

    if (key != NULL)
        store_trust_key_hash(key, hash);
    return sqldb_run(db, "trust_pending",
                     SQLDB_ARGS(sqldb_text_c(collector), key ? sqldb_text_c(hash) : sqldb_null(),
                                sqldb_i64(clock_wall_ms())),
                     e);
}

enum err_code store_trust_issue(const struct store_ca *ca, struct sqldb *db,
                                const struct store_trust_renewal *first, struct buf *pem,
                                struct err *e)
{
    struct store_ca_agent agent = {.key = first->key, .id = first->collector, .pem = pem};
    struct arena arena;
    enum err_code rc;

    arena_init(&arena, "certificate", ARENA_BYTES);
    rc = store_ca_issue_agent(ca, db, &arena, &agent, e);
    if (rc == ERR_OK)
        rc = put(db, &agent, NULL, e);
    arena_fini(&arena);
    return rc;
}

/* --- use --- */

struct use {
    const struct store_actor *who;
    const char *fingerprint;
    struct store_trust_holder *out;
    bool current;
    int64_t not_after_ms, used_ms, pending_ms, suspended_ms;
};

static void read_use(struct sqldb_stmt *q, struct use *u)
{
    struct str id = sqldb_get_text(q, sqldb_column(q, "id"));
    struct str current = sqldb_get_text(q, sqldb_column(q, "fingerprint"));

    if (id.len == TEXT_UUID_LEN)
        memcpy(u->out->id, id.ptr, id.len);
    u->out->config_version = store_i64(q, "config_version");
    u->current = str_eq_c(current, u->fingerprint);
    u->out->previous = !u->current;
    u->not_after_ms = store_ms(q, u->current ? "not_after_ms" : "previous_not_after_ms");
    u->used_ms = store_ms(q, "used_ms");
    u->pending_ms = store_ms(q, "pending_ms");
    u->suspended_ms = store_ms(q, "suspended_ms");
}

static enum err_code find_use(struct sqldb *db, struct use *u, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "trust_by_fingerprint",
                                 SQLDB_ARGS(sqldb_text_c(u->fingerprint)), &q, e);

    if (rc == ERR_OK)
        read_use(q, u);
    sqldb_end(q);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_DENIED, "the certificate is of no agent, was replaced or revoked");
    return rc;
}

static bool is_clone(const struct use *u)
{
    return !u->current && u->used_ms != 0 && clock_wall_ms() > u->used_ms + STORE_TRUST_OVERLAP_MS;
}

static enum err_code judge(const struct use *u, struct err *e)
{
    if (u->suspended_ms != 0)
        return err_set(e, ERR_DENIED, "the agent %s is suspended", u->out->id);
    if (u->pending_ms != 0)
        return err_set(e, ERR_DENIED, "the agent %s waits for approval", u->out->id);
    if (u->not_after_ms < clock_wall_ms())
        return err_set(e, ERR_DENIED, "the certificate of agent %s has expired", u->out->id);
    return ERR_OK;
}

static enum err_code suspend(struct sqldb *db, const struct store_actor *who, const char *collector,
                             const char *why, struct err *e)
{
    enum err_code rc = sqldb_run(
        db, "trust_suspend", SQLDB_ARGS(sqldb_text_c(collector), sqldb_i64(clock_wall_ms())), e);

    if (rc != ERR_OK || sqldb_changes(db) == 0)
        return rc;
    return store_audit_add(db, who, (struct store_audit_entry){"collector.suspend", collector, why},
                           e);
}

/* What a use changes, if anything: again from the start, under the write lock. */
static enum err_code note_use(struct store *s, struct use *u, bool *clone, struct err *e)
{
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = find_use(db, u, e);
    *clone = rc == ERR_OK && is_clone(u);
    if (*clone)
        rc = suspend(db, u->who, u->out->id, "its certificate is used by two", e);
    else if (rc == ERR_OK && u->current)
        rc = sqldb_run(db, "trust_used",
                       SQLDB_ARGS(sqldb_text_c(u->out->id), sqldb_text_c(u->fingerprint),
                                  sqldb_i64(clock_wall_ms())),
                       e);
    return store_end(s, rc, e);
}

enum err_code store_trust_use(struct store *s, const struct store_actor *who,
                              const char *fingerprint, struct store_trust_holder *out,
                              struct err *e)
{
    struct use u = {.who = who, .fingerprint = fingerprint, .out = out};
    bool clone = false;
    enum err_code rc;

    *out = (struct store_trust_holder){0};
    rc = find_use(store_read_begin(s), &u, e);
    store_read_end(s);
    if (rc == ERR_OK)
        rc = judge(&u, e);
    if (rc == ERR_OK && (is_clone(&u) || (u.current && u.used_ms == 0)))
        rc = note_use(s, &u, &clone, e);
    if (rc == ERR_OK && clone)
        return err_set(e, ERR_DENIED, "two parties use certificates of agent %s: it is suspended",
                       out->id);
    return rc;
}

/* --- renewal --- */

struct renewing {
    const struct store_ca *ca;
    struct sqldb *db;
    struct arena *a;
    const struct store_actor *who;
    const struct store_trust_renewal *r;
    struct store_trust old;
    char key_hash[X509_FINGERPRINT_SIZE];
};

static enum err_code is_alive(struct renewing *n, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(n->db, "collector_alive",
                                 SQLDB_ARGS(sqldb_text_c(n->r->collector)), &q, e);

    sqldb_end(q);
    if (rc == ERR_OK)
        rc = store_trust_get(n->db, n->a, n->r->collector, &n->old, e);
    return rc == ERR_NOT_FOUND ? err_set(e, ERR_DENIED, "the agent may not renew") : rc;
}

/* The answer to the first question was lost, and it is asked again. */
static bool was_answered(const struct renewing *n)
{
    return strcmp(n->old.key_hash, n->key_hash) == 0 && n->old.previous[0] != '\0' &&
           clock_wall_ms() - n->old.issued_ms <= STORE_TRUST_AGAIN_MS;
}

static enum err_code may_renew(const struct renewing *n, struct err *e)
{
    bool current = strcmp(n->r->fingerprint, n->old.fingerprint) == 0;
    bool before = strcmp(n->r->fingerprint, n->old.previous) == 0;

    if (!current && !before)
        return err_set(e, ERR_DENIED, "the certificate was replaced");
    if (before && n->old.used_ms != 0)
        return err_set(e, ERR_DENIED, "the certificate was replaced, and its successor is in use");
    if (strcmp(n->old.key_hash, n->key_hash) == 0)
        return err_set(e, ERR_INVALID, "a renewal takes a new key");
    if (clock_wall_ms() - n->old.issued_ms < STORE_TRUST_RENEW_MS &&
        clock_wall_ms() >= n->old.issued_ms)
        return err_set(e, ERR_LIMIT, "the certificate is new: renewing is for later");
    return ERR_OK;
}

/* The one that was shown stays until its successor has been used. */
static enum err_code issue_next(struct renewing *n, struct buf *pem, struct err *e)
{
    struct store_ca_agent agent = {.key = n->r->key, .id = n->r->collector, .pem = pem};
    struct store_trust shown = n->old;
    enum err_code rc = store_ca_issue_agent(n->ca, n->db, n->a, &agent, e);

    if (strcmp(n->r->fingerprint, n->old.fingerprint) != 0) {
        shown.fingerprint = n->old.previous;
        shown.not_after_ms = n->old.previous_not_after_ms;
    }
    if (rc == ERR_OK)
        rc = put(n->db, &agent, &shown, e);
    if (rc == ERR_OK)
        rc = store_audit_add(n->db, n->who,
                             (struct store_audit_entry){"collector.renew", agent.id, n->r->how}, e);
    return rc;
}

static enum err_code renew(struct renewing *n, struct buf *pem, struct err *e)
{
    enum err_code rc = is_alive(n, e);

    if (rc != ERR_OK)
        return rc;
    store_trust_key_hash(n->r->key, n->key_hash);
    if (was_answered(n) && (strcmp(n->r->fingerprint, n->old.previous) == 0 ||
                            strcmp(n->r->fingerprint, n->old.fingerprint) == 0)) {
        buf_add_c(pem, n->old.certificate);
        return buf_check(pem, e);
    }
    rc = may_renew(n, e);
    return rc == ERR_OK ? issue_next(n, pem, e) : rc;
}

enum err_code store_trust_renew(const struct store_ca *ca, const struct store_actor *who,
                                const struct store_trust_renewal *renewal, struct buf *pem,
                                struct err *e)
{
    struct renewing n = {.ca = ca, .who = who, .r = renewal};
    struct arena arena;
    enum err_code rc = store_begin(ca->store, &n.db, e);

    if (rc != ERR_OK)
        return rc;
    arena_init(&arena, "renewal", ARENA_BYTES);
    n.a = &arena;
    rc = renew(&n, pem, e);
    rc = store_end(ca->store, rc, e);
    arena_fini(&arena);
    return rc;
}

/* --- after its end --- */

static enum err_code check_late(const struct store_ca *ca, struct str certificate, int64_t grace_s,
                                struct err *e)
{
    struct x509_check check = {.certificate = certificate,
                               .use = X509_CLIENT,
                               .now_s = clock_wall_ms() / 1000,
                               .grace_s = grace_s};
    struct buf bundle;
    enum err_code rc;

    buf_init(&bundle, X509_BUNDLE_MAX);
    rc = store_ca_bundle(ca, &bundle, e);
    check.bundle = buf_view(&bundle);
    if (rc == ERR_OK)
        rc = x509_verify(&check, e);
    buf_fini(&bundle);
    return rc;
}

static enum err_code renew_late(struct renewing *n, const struct x509_renewal *r,
                                struct store_trust_late *late, struct buf *pem, struct err *e)
{
    struct store_trust_renewal next = {late->id, r->facts.fingerprint, NULL, "expired"};
    struct x509_public key;
    struct uuid id;
    enum err_code rc = check_late(n->ca, r->certificate, late->grace_s, e);

    if (rc == ERR_OK)
        rc = x509_issue_agent_of(&r->facts, &n->ca->deployment, &id, e);
    if (rc == ERR_OK)
        rc = x509_csr_read(r->csr, &key, e);
    if (rc != ERR_OK)
        return rc;
    text_uuid(&id, late->id);
    next.key = &key;
    return store_trust_renew(n->ca, n->who, &next, pem, e);
}

enum err_code store_trust_renew_late(const struct store_ca *ca, const struct store_actor *who,
                                     struct store_trust_late *late, struct buf *pem, struct err *e)
{
    struct renewing n = {.ca = ca, .who = who};
    struct x509_renewal r;
    struct arena arena;
    enum err_code rc;

    late->id[0] = '\0';
    arena_init(&arena, "late renewal", ARENA_BYTES);
    rc = x509_renewal_read(&arena, late->signed_text, &r, e);
    if (rc == ERR_OK)
        rc = renew_late(&n, &r, late, pem, e);
    arena_fini(&arena);
    return rc;
}

/* --- by people --- */

enum err_code store_trust_approve(struct store *s, const struct store_actor *who,
                                  const char *collector, struct err *e)
{
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = sqldb_run(db, "trust_approve", SQLDB_ARGS(sqldb_text_c(collector)), e);
    if (rc == ERR_OK && sqldb_changes(db) == 0)
        rc = err_set(e, ERR_NOT_FOUND, "no such collector waits or is suspended");
    if (rc == ERR_OK)
        rc = store_audit_add(db, who,
                             (struct store_audit_entry){"collector.approve", collector, ""}, e);
    return store_end(s, rc, e);
}

enum err_code store_trust_suspend(struct store *s, const struct store_actor *who,
                                  const char *collector, const char *why, struct err *e)
{
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = suspend(db, who, collector, why, e);
    return store_end(s, rc, e);
}
