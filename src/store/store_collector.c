/* SPDX-License-Identifier: PostgreSQL */
/* store_collector.c: see the header. */
#include "store/store_collector.h"

#include <stdio.h>
#include <string.h>

#include "os/clock.h"
#include "os/entropy.h"
#include "store/store_audit.h"
#include "store/store_secret.h"
#include "tls/hash.h"

#define SLOT_MS    (5 * 60 * (int64_t)1000)
#define SLOTS_DAY  288
#define SLOTS_KEPT (2 * SLOTS_DAY)

/* The first slot of the last day: the one under way and the 287 before it. */
static int64_t first_slot(void)
{
    return clock_wall_ms() / SLOT_MS - (SLOTS_DAY - 1);
}

/* --- enrolment --- */

struct enrolment {
    struct sqldb *db;
    struct arena *a;
    const struct store_actor *who;
    const struct store_collector_new *c;
    struct store_collector_identity *out;
    int64_t secret_id;
    struct str group;       /* of the secret */
    bool manual;            /* a person lets in who uses the secret */
    bool expired;           /* the secret */
    int64_t last_secret_id; /* of the identity that exists; 0 = none */
    struct store_trust trust;
    bool has_trust; /* it showed a key, or waits */
    char *id;
    bool again;
};

static enum err_code find_secret(struct enrolment *n, struct err *e)
{
    char hash[HASH_HEX_SIZE];
    struct sqldb_stmt *q = NULL;
    struct str ranges;
    enum err_code rc;

    hash_sha256_hex(n->c->secret, hash);
    rc = sqldb_row(n->db, "secret_by_hash", SQLDB_ARGS(sqldb_text_c(hash)), &q, e);
    if (rc == ERR_OK) {
        n->secret_id = store_i64(q, "id");
        n->expired = store_ms(q, "expires_ms") <= clock_wall_ms();
        n->group = arena_str(n->a, sqldb_get_text(q, sqldb_column(q, "group_name")));
        n->manual = str_eq_c(sqldb_get_text(q, sqldb_column(q, "approval")), "manual");
        ranges = sqldb_get_text(q, sqldb_column(q, "allowed"));
        if (!store_secret_allows(ranges, n->who->address))
            rc = err_set(e, ERR_DENIED, "the registration secret is not for this address");
    }
    sqldb_end(q);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_DENIED, "the registration secret is not valid");
    return rc;
}

static enum err_code find_trust(struct enrolment *n, struct err *e)
{
    enum err_code rc = ERR_NOT_FOUND;

    if (n->again)
        rc = store_trust_get(n->db, n->a, n->id, &n->trust, e);
    n->has_trust = rc == ERR_OK;
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/* The key that the row knows, or none where it knows none. */
static bool is_same_key(const struct enrolment *n)
{
    char hash[X509_FINGERPRINT_SIZE] = "";

    if (n->c->key != NULL)
        store_trust_key_hash(n->c->key, hash);
    return strcmp(n->has_trust ? n->trust.key_hash : "", hash) == 0;
}

/* The same question as before, which takes no further use of the secret. */
static bool is_repeated(const struct enrolment *n)
{
    if (!n->again || n->last_secret_id != n->secret_id || !is_same_key(n))
        return false;
    if (n->c->key == NULL || n->trust.pending_ms != 0 || n->trust.certificate[0] == '\0')
        return true;
    return n->trust.previous[0] == '\0' && n->trust.suspended_ms == 0 &&
           clock_wall_ms() - n->trust.issued_ms <= STORE_TRUST_AGAIN_MS;
}

/* Who waits may go on to wait after the end of the secret. */
static bool may_be_late(const struct enrolment *n)
{
    return is_repeated(n) && n->has_trust &&
           (n->trust.pending_ms != 0 || n->trust.certificate[0] == '\0');
}

static enum err_code find_identity(struct enrolment *n, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(n->db, "collector_by_host",
                                 SQLDB_ARGS(sqldb_text(n->c->hostname), sqldb_text(n->c->name)), &q,
                                 e);

    if (rc == ERR_OK) {
        struct str id = sqldb_get_text(q, sqldb_column(q, "id"));

        n->again = id.len == TEXT_UUID_LEN;
        if (n->again)
            memcpy(n->id, id.ptr, id.len);
        n->id[TEXT_UUID_LEN] = '\0';
        n->last_secret_id = store_i64(q, "secret_id");
    }
    sqldb_end(q);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/* Who was revoked and tries again has to be told apart from who comes too late. */
static enum err_code refuse_used_up(struct enrolment *n, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(n->db, "collector_revoked",
                                 SQLDB_ARGS(sqldb_text(n->c->hostname), sqldb_text(n->c->name)), &q,
                                 NULL);

    sqldb_end(q);
    if (rc == ERR_OK)
        return err_set(e, ERR_DENIED,
                       "the collector of this name and host was revoked, and the registration "
                       "secret is used up: a new secret lets it in as a new one");
    return err_set(e, ERR_DENIED, "the registration secret is used up");
}

static enum err_code consume(struct enrolment *n, struct err *e)
{
    enum err_code rc;

    if (n->expired && !may_be_late(n))
        return err_set(e, ERR_DENIED, "the registration secret is not valid");
    if (is_repeated(n))
        return ERR_OK;
    rc = sqldb_run(n->db, "secret_consume",
                   SQLDB_ARGS(sqldb_i64(n->secret_id), sqldb_i64(clock_wall_ms())), e);
    if (rc == ERR_OK && sqldb_changes(n->db) == 0)
        return refuse_used_up(n, e);
    return rc;
}

static enum err_code keep(struct enrolment *n, struct err *e)
{
    const struct store_collector_new *c = n->c;
    struct uuid id;

    if (n->again)
        return sqldb_run(n->db, "collector_again",
                         SQLDB_ARGS(sqldb_text_c(n->id), sqldb_text(c->address),
                                    sqldb_text(c->version), sqldb_i64(n->secret_id)),
                         e);
    entropy_uuid(&id);
    text_uuid(&id, n->id);
    return sqldb_run(n->db, "collector_insert",
                     SQLDB_ARGS(sqldb_text_c(n->id), sqldb_text(c->name), sqldb_text(c->hostname),
                                sqldb_text(c->address), sqldb_text(c->version),
                                sqldb_i64(n->secret_id), sqldb_i64(clock_wall_ms()),
                                sqldb_text(n->group)),
                     e);
}

/* Whether it waits, its certificate, or neither for an agent of the older kind. */
static enum err_code give_trust(struct enrolment *n, bool repeated, struct err *e)
{
    const struct store_trust_renewal first = {.collector = n->id, .key = n->c->key};

    if (n->c->key == NULL && n->has_trust && n->trust.certificate[0] != '\0')
        return err_set(e, ERR_DENIED, "this agent has a certificate: it enrols with a request");
    n->out->pending = repeated && n->has_trust ? n->trust.pending_ms != 0 : n->manual;
    if (n->out->pending)
        return repeated && n->has_trust ? ERR_OK : store_trust_wait(n->db, n->id, n->c->key, e);
    if (n->c->key == NULL)
        return sqldb_run(n->db, "trust_approve", SQLDB_ARGS(sqldb_text_c(n->id)), e);
    if (repeated && n->trust.certificate[0] != '\0') {
        buf_add_c(n->out->certificate, n->trust.certificate);
        return buf_check(n->out->certificate, e);
    }
    return store_trust_issue(n->c->ca, n->db, &first, n->out->certificate, e);
}

static enum err_code enrol(struct enrolment *n, struct err *e)
{
    char detail[64];
    bool repeated;
    enum err_code rc = find_secret(n, e);

    if (rc == ERR_OK)
        rc = find_identity(n, e);
    if (rc == ERR_OK)
        rc = find_trust(n, e);
    if (rc != ERR_OK)
        return rc;
    repeated = is_repeated(n);
    rc = consume(n, e);
    if (rc == ERR_OK)
        rc = keep(n, e);
    if (rc == ERR_OK)
        rc = give_trust(n, repeated, e);
    if (rc != ERR_OK)
        return rc;
    snprintf(detail, sizeof(detail), "secret:%lld%s%s", (long long)n->secret_id,
             n->again ? " again" : "", n->out->pending ? " waits" : "");
    return store_audit_add(n->db, n->who,
                           (struct store_audit_entry){"collector.register", n->id, detail}, e);
}

enum err_code store_collector_register(struct store *s, const struct store_actor *who,
                                       const struct store_collector_new *c,
                                       struct store_collector_identity *out, struct err *e)
{
    struct enrolment n = {.who = who, .c = c, .out = out, .id = out->id};
    struct arena arena;
    enum err_code rc = store_begin(s, &n.db, e);

    out->again = out->pending = false;
    out->id[0] = '\0';
    if (rc != ERR_OK)
        return rc;
    arena_init(&arena, "enrolment", 65536);
    n.a = &arena;
    rc = enrol(&n, e);
    out->again = n.again;
    rc = store_end(s, rc, e);
    arena_fini(&arena);
    return rc;
}

/* --- reading --- */

enum err_code store_collector_check(struct store *s, const char *id, int64_t *config_version,
                                    struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(store_read_begin(s), "collector_alive",
                                 SQLDB_ARGS(sqldb_text_c(id)), &q, e);

    if (rc == ERR_OK && config_version != NULL)
        *config_version = store_i64(q, "config_version");
    sqldb_end(q);
    store_read_end(s);
    return rc;
}

static void read_collector(struct sqldb_stmt *q, struct arena *a, struct store_collector *out)
{
    out->id = store_text(q, a, "id");
    out->name = store_text(q, a, "name");
    out->hostname = store_text(q, a, "hostname");
    out->address = store_text(q, a, "address");
    out->version = store_text(q, a, "version");
    out->group = store_text(q, a, "group_name");
    out->samples_total = store_i64(q, "samples_total");
    out->samples_day = store_i64(q, "samples_day");
    out->last_seen_ms = store_ms(q, "last_seen_ms");
    out->created_ms = store_ms(q, "created_ms");
    out->revoked_ms = store_ms(q, "revoked_ms");
    out->offline_ms = store_ms(q, "offline_ms");
    out->config_version = store_i64(q, "config_version");
    out->config_applied = store_i64(q, "config_applied");
    out->config_failed = store_i64(q, "config_failed");
    out->config_error = store_text(q, a, "config_error");
    out->fingerprint = store_text(q, a, "fingerprint");
    out->certificate_ms = store_ms(q, "not_after_ms");
    out->pending_ms = store_ms(q, "pending_ms");
    out->suspended_ms = store_ms(q, "suspended_ms");
}

enum err_code store_collector_get(struct store *s, struct arena *a, const char *id,
                                  struct store_collector *out, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(store_read_begin(s), "collector_by_id",
                                 SQLDB_ARGS(sqldb_text_c(id), sqldb_i64(first_slot())), &q, e);

    if (rc == ERR_OK)
        read_collector(q, a, out);
    sqldb_end(q);
    store_read_end(s);
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

enum err_code store_collector_list(struct store *s, struct arena *a,
                                   struct store_collector_page *page, struct err *e)
{
    struct store_collector *rows = arena_array(a, page->limit + 1, sizeof(*rows));
    struct sqldb_stmt *q = NULL;
    bool more = rows != NULL;
    enum err_code rc = sqldb_query(store_read_begin(s), "collector_list",
                                   SQLDB_ARGS(sqldb_text_c(page->after),
                                              sqldb_i64((int64_t)page->limit),
                                              sqldb_i64(first_slot()), sqldb_i64(page->offset),
                                              store_sight_value(&page->sight)),
                                   &q, e);

    page->count = 0;
    while (rc == ERR_OK && more && page->count < page->limit) {
        rc = sqldb_step(q, &more, e);
        if (rc == ERR_OK && more)
            read_collector(q, a, &rows[page->count++]);
    }
    sqldb_end(q);
    store_read_end(s);
    page->rows = rows;
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

/* --- changes --- */

enum err_code store_collector_revoke(struct store *s, const struct store_actor *who, const char *id,
                                     struct err *e)
{
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = sqldb_run(db, "collector_revoke", SQLDB_ARGS(sqldb_text_c(id), sqldb_i64(clock_wall_ms())),
                   e);
    if (rc == ERR_OK && sqldb_changes(db) == 0)
        rc = err_set(e, ERR_NOT_FOUND, "no such collector");
    if (rc == ERR_OK)
        rc = store_audit_add(db, who, (struct store_audit_entry){"collector.revoke", id, ""}, e);
    return store_end(s, rc, e);
}

static enum err_code add_seen(struct sqldb *db, const struct store_collector_seen *row,
                              struct err *e)
{
    struct sqldb_value id = sqldb_text_c(row->id);
    enum err_code rc = sqldb_run(
        db, "collector_seen", SQLDB_ARGS(id, sqldb_i64(row->last_seen_ms), sqldb_i64(row->samples)),
        e);

    if (rc != ERR_OK || row->samples == 0)
        return rc;
    return sqldb_run(
        db, "collector_slot_add",
        SQLDB_ARGS(id, sqldb_i64(row->last_seen_ms / SLOT_MS), sqldb_i64(row->samples)), e);
}

enum err_code store_collector_seen(struct store *s, const struct store_collector_seen *rows,
                                   size_t count, struct err *e)
{
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; rc == ERR_OK && i < count; i++)
        rc = add_seen(db, &rows[i], e);
    if (rc == ERR_OK)
        rc = sqldb_run(db, "collector_slot_purge",
                       SQLDB_ARGS(sqldb_i64(clock_wall_ms() / SLOT_MS - SLOTS_KEPT)), e);
    return store_end(s, rc, e);
}

/* --- who is silent --- */

static void read_turned(struct sqldb_stmt *q, struct arena *a, struct store_collector_turned *out)
{
    out->id = store_text(q, a, "id");
    out->name = store_text(q, a, "name");
    out->hostname = store_text(q, a, "hostname");
    out->last_seen_ms = store_ms(q, "last_seen_ms");
    out->offline_ms = store_ms(q, "offline_ms");
}

enum err_code store_collector_turned(struct store *s, struct arena *a,
                                     struct store_collector_turns *turns, struct err *e)
{
    struct store_collector_turned *rows = arena_array(a, STORE_COLLECTOR_TURNS_MAX + 1,
                                                      sizeof(*rows));
    struct sqldb_stmt *q = NULL;
    bool more = rows != NULL;
    enum err_code rc = sqldb_query(store_read_begin(s), "collector_turned",
                                   SQLDB_ARGS(sqldb_i64(turns->silent_before_ms),
                                              sqldb_i64(turns->back_since_ms),
                                              sqldb_i64(STORE_COLLECTOR_TURNS_MAX)),
                                   &q, e);

    turns->count = 0;
    while (rc == ERR_OK && more && turns->count < STORE_COLLECTOR_TURNS_MAX) {
        rc = sqldb_step(q, &more, e);
        if (rc == ERR_OK && more)
            read_turned(q, a, &rows[turns->count++]);
    }
    sqldb_end(q);
    store_read_end(s);
    turns->rows = rows;
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

enum err_code store_collector_set_offline(struct store *s, const char *id, int64_t since_ms,
                                          struct err *e)
{
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = sqldb_run(db, "collector_offline",
                   SQLDB_ARGS(sqldb_text_c(id), since_ms != 0 ? sqldb_i64(since_ms) : sqldb_null()),
                   e);
    return store_end(s, rc, e);
}
