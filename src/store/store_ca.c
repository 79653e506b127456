/* SPDX-License-Identifier: PostgreSQL */
/* store_ca.c: see the header. */
#include "store/store_ca.h"

#include <stdio.h>
#include <string.h>

#include "os/clock.h"
#include "os/entropy.h"
#include "store/store_audit.h"
#include "store/store_setting.h"
#include "tls/crypto.h"

#define DEPLOYMENT     "deployment"
#define ARENA_BYTES    ((size_t)512 * 1024)
#define NAME_SIZE      32
#define SEALED_MAX     (X509_KEY_PEM_MAX + STORE_SEAL_OVERHEAD)
#define AUTHORITY_MAX  32 /* trusted at once: two generations of each kind in ordinary times */
#define ROOT_ROTATE_MS (X509_ROOT_S / 2 * 1000)
#define KEEP_ENDED_MS  (367 * 86400 * (int64_t)1000) /* the database keeps 366 days, by its clock */
#define PURGE_AT_ONCE  5000
#define KIND_ROOT      "root"
#define KIND_ISSUING   "issuing"

/* A row with its private key still sealed. Lives in an arena. */
struct row {
    const char *name, *kind, *certificate, *cross;
    struct str sealed;
    int64_t generation, not_before_ms, not_after_ms, retire_ms;
};

static const struct store_actor self = {"authority", "", ""};

/* --- rows --- */

static void read_row(struct sqldb_stmt *q, struct arena *a, struct row *out)
{
    out->name = store_text(q, a, "name");
    out->kind = store_text(q, a, "kind");
    out->certificate = store_text(q, a, "certificate");
    out->cross = store_text(q, a, "cross_certificate");
    out->sealed = arena_str(a, sqldb_get_blob(q, sqldb_column(q, "sealed_key")));
    out->generation = store_i64(q, "generation");
    out->not_before_ms = store_ms(q, "not_before_ms");
    out->not_after_ms = store_ms(q, "not_after_ms");
    out->retire_ms = store_ms(q, "retire_ms");
}

/* ERR_NOT_FOUND when there is none yet. */
static enum err_code newest(struct sqldb *db, struct arena *a, const char *kind, struct row *out,
                            struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "authority_newest", SQLDB_ARGS(sqldb_text_c(kind)), &q, e);

    if (rc == ERR_OK)
        read_row(q, a, out);
    sqldb_end(q);
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

/* Those that are trusted now. rows: AUTHORITY_MAX of them. */
static enum err_code trusted(const struct store_ca *ca, struct arena *a, struct row *rows,
                             size_t *count, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    bool more = true;
    enum err_code rc = sqldb_query(store_read_begin(ca->store), "authority_list",
                                   SQLDB_ARGS(sqldb_i64(clock_wall_ms())), &q, e);

    *count = 0;
    while (rc == ERR_OK && more && *count < AUTHORITY_MAX) {
        rc = sqldb_step(q, &more, e);
        if (rc == ERR_OK && more)
            read_row(q, a, &rows[(*count)++]);
    }
    sqldb_end(q);
    store_read_end(ca->store);
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

/* --- private keys at rest --- */

static struct store_seal_place place_of(const char *name)
{
    return (struct store_seal_place){STORE_SEAL_CA, "authority", "sealed_key", name};
}

/* Appended to `out`; between store_begin and store_end. */
static enum err_code seal(const struct store_ca *ca, const char *name, const struct x509_key *key,
                          struct buf *out, struct err *e)
{
    struct store_seal_place place = place_of(name);
    struct buf pem;
    enum err_code rc;

    buf_init(&pem, X509_KEY_PEM_MAX);
    rc = x509_key_write(key, &pem, e);
    if (rc == ERR_OK)
        rc = store_seal(ca->seal, &place, buf_view(&pem), out, e);
    crypto_wipe(pem.ptr, pem.len);
    buf_fini(&pem);
    return rc;
}

static enum err_code unseal(const struct store_ca *ca, const struct row *row, struct x509_key **out,
                            struct err *e)
{
    struct store_seal_place place = place_of(row->name);
    struct buf pem;
    enum err_code rc;

    buf_init(&pem, X509_KEY_PEM_MAX);
    rc = store_unseal(ca->seal, &place, row->sealed, &pem, e);
    if (rc == ERR_OK)
        rc = x509_key_read(buf_view(&pem), out, e);
    crypto_wipe(pem.ptr, pem.len);
    buf_fini(&pem);
    return rc == ERR_OK ? ERR_OK : err_wrap(e, "the key of authority %s", row->name);
}

/* --- writing down --- */

struct issued {
    const char *kind, *subject, *authority;
    const struct x509_facts *facts;
};

static enum err_code write_down(struct sqldb *db, const struct issued *i, struct err *e)
{
    return sqldb_run(
        db, "issued_certificate_insert",
        SQLDB_ARGS(sqldb_text_c(i->facts->serial), sqldb_text_c(i->kind), sqldb_text_c(i->subject),
                   sqldb_text_c(i->authority), sqldb_text_c(i->facts->fingerprint),
                   sqldb_i64(i->facts->not_before_s * 1000),
                   sqldb_i64(i->facts->not_after_s * 1000), sqldb_i64(clock_wall_ms())),
        e);
}

/* --- a new generation --- */

/* What is being made, in one transaction. */
struct making {
    const struct store_ca *ca;
    struct sqldb *db;
    struct arena *a;
    const struct store_actor *who;
    char name[NAME_SIZE];
    struct x509_key *key;
    struct x509_public public;
    struct buf pem, cross;
};

static enum err_code begin_making(struct making *m, const char *kind, int64_t generation,
                                  struct err *e)
{
    snprintf(m->name, sizeof(m->name), "%s:%lld", kind, (long long)generation);
    buf_init(&m->pem, X509_CERTIFICATE_MAX);
    buf_init(&m->cross, X509_CERTIFICATE_MAX);
    enum err_code rc = x509_key_make(&m->key, e);

    if (rc == ERR_OK)
        x509_key_public(m->key, &m->public);
    return rc;
}

static void end_making(struct making *m)
{
    x509_key_free(m->key);
    m->key = NULL;
    buf_fini(&m->pem);
    buf_fini(&m->cross);
}

static enum err_code keep(struct making *m, const char *kind, int64_t generation,
                          const char *signer, struct err *e)
{
    struct x509_facts facts;
    struct buf sealed;
    enum err_code rc = x509_read(m->a, buf_view(&m->pem), &facts, e);

    buf_init(&sealed, SEALED_MAX);
    if (rc == ERR_OK)
        rc = seal(m->ca, m->name, m->key, &sealed, e);
    if (rc == ERR_OK)
        rc = sqldb_run(m->db, "authority_insert",
                       SQLDB_ARGS(sqldb_text_c(m->name), sqldb_text_c(kind), sqldb_i64(generation),
                                  sqldb_text(buf_view(&m->pem)), sqldb_text(buf_view(&m->cross)),
                                  sqldb_blob(sealed.ptr, sealed.len),
                                  sqldb_i64(facts.not_before_s * 1000),
                                  sqldb_i64(facts.not_after_s * 1000), sqldb_i64(clock_wall_ms())),
                       e);
    buf_fini(&sealed);
    if (rc == ERR_OK)
        rc = write_down(m->db, &(struct issued){kind, m->name, signer, &facts}, e);
    if (rc == ERR_OK)
        rc = store_audit_add(
            m->db, m->who, (struct store_audit_entry){"authority.make", m->name, facts.fingerprint},
            e);
    return rc;
}

/* old: NULL = this is the first */
static enum err_code sign_cross(struct making *m, const struct row *old, int64_t generation,
                                struct err *e)
{
    struct x509_authority what = {&m->public, &m->ca->deployment, (unsigned)generation};
    struct x509_issuer by = {NULL, str_of(old->certificate)};
    struct x509_facts facts;
    enum err_code rc = unseal(m->ca, old, &by.key, e);

    if (rc == ERR_OK)
        rc = x509_issue_cross(&by, &what, clock_wall_ms() / 1000, &m->cross, e);
    x509_key_free(by.key);
    if (rc == ERR_OK)
        rc = x509_read(m->a, buf_view(&m->cross), &facts, e);
    return rc == ERR_OK
               ? write_down(m->db, &(struct issued){"cross", m->name, old->name, &facts}, e)
               : rc;
}

static enum err_code make_root(struct making *m, struct err *e)
{
    struct row old;
    enum err_code rc = newest(m->db, m->a, KIND_ROOT, &old, e);
    bool first = rc == ERR_NOT_FOUND;
    int64_t generation;

    if (rc != ERR_OK && !first)
        return rc;
    generation = first ? 1 : old.generation + 1;
    rc = begin_making(m, KIND_ROOT, generation, e);
    if (rc == ERR_OK)
        rc = x509_issue_root(
            m->key, &(struct x509_authority){NULL, &m->ca->deployment, (unsigned)generation},
            clock_wall_ms() / 1000, &m->pem, e);
    if (rc == ERR_OK && !first)
        rc = sign_cross(m, &old, generation, e);
    if (rc == ERR_OK)
        rc = keep(m, KIND_ROOT, generation, m->name, e);
    end_making(m);
    return rc;
}

static enum err_code sign_issuing(struct making *m, const struct row *root, int64_t generation,
                                  struct err *e)
{
    struct x509_authority what = {&m->public, &m->ca->deployment, (unsigned)generation};
    struct x509_issuer by = {NULL, str_of(root->certificate)};
    enum err_code rc = unseal(m->ca, root, &by.key, e);

    if (rc == ERR_OK)
        rc = x509_issue_authority(&by, &what, clock_wall_ms() / 1000, &m->pem, e);
    x509_key_free(by.key);
    return rc;
}

static enum err_code make_issuing(struct making *m, struct err *e)
{
    struct row root, old;
    enum err_code rc = newest(m->db, m->a, KIND_ISSUING, &old, e);
    int64_t generation = rc == ERR_OK ? old.generation + 1 : 1;

    if (rc != ERR_OK && rc != ERR_NOT_FOUND)
        return rc;
    rc = newest(m->db, m->a, KIND_ROOT, &root, e);
    if (rc != ERR_OK)
        return rc;
    rc = begin_making(m, KIND_ISSUING, generation, e);
    if (rc == ERR_OK)
        rc = sign_issuing(m, &root, generation, e);
    if (rc == ERR_OK)
        rc = keep(m, KIND_ISSUING, generation, root.name, e);
    end_making(m);
    return rc;
}

/* What came before the newest of a kind is trusted for a while more. */
static enum err_code retire(struct making *m, const char *kind, struct err *e)
{
    struct row now;
    enum err_code rc = newest(m->db, m->a, kind, &now, e);

    if (rc != ERR_OK)
        return rc;
    return sqldb_run(m->db, "authority_retire",
                     SQLDB_ARGS(sqldb_text_c(kind), sqldb_i64(now.generation),
                                sqldb_i64(clock_wall_ms() + STORE_CA_OVERLAP_MS)),
                     e);
}

static enum err_code make(struct making *m, enum store_ca_kind kind, struct err *e)
{
    enum err_code rc = ERR_OK;

    if (kind == STORE_CA_ROOT)
        rc = make_root(m, e);
    if (rc == ERR_OK)
        rc = make_issuing(m, e);
    if (rc == ERR_OK && kind == STORE_CA_ROOT)
        rc = retire(m, KIND_ROOT, e);
    return rc == ERR_OK ? retire(m, KIND_ISSUING, e) : rc;
}

/* Whether to make anything is decided under the write lock: another server may be faster. */
typedef enum err_code decide(struct making *m, enum store_ca_kind *kind, bool *wanted,
                             struct err *e);
struct wish {
    decide *whether;
    enum store_ca_kind kind;
};

static enum err_code in_transaction(const struct store_ca *ca, const struct store_actor *who,
                                    struct wish wish, bool *did, struct err *e)
{
    struct making m = {.ca = ca, .who = who};
    struct arena arena;
    enum err_code rc = store_begin(ca->store, &m.db, e);

    *did = false;
    if (rc != ERR_OK)
        return rc;
    arena_init(&arena, "authority", ARENA_BYTES);
    m.a = &arena;
    rc = wish.whether(&m, &wish.kind, did, e);
    if (rc == ERR_OK && *did)
        rc = make(&m, wish.kind, e);
    rc = store_end(ca->store, rc, e);
    arena_fini(&arena);
    return rc;
}

/* --- opening --- */

static enum err_code is_new(struct making *m, enum store_ca_kind *kind, bool *wanted, struct err *e)
{
    struct row row;
    enum err_code rc = newest(m->db, m->a, KIND_ISSUING, &row, e);

    *kind = STORE_CA_ROOT;
    *wanted = rc == ERR_NOT_FOUND;
    return *wanted ? ERR_OK : rc;
}

static enum err_code read_deployment(struct store_ca *ca, struct err *e)
{
    const char *text = NULL;
    struct arena arena;
    enum err_code rc;

    arena_init(&arena, "deployment", 4096);
    rc = store_setting_get(ca->store, &arena, DEPLOYMENT, &text, e);
    if (rc == ERR_OK && !text_parse_uuid(str_of(text), &ca->deployment))
        rc = err_set(e, ERR_CORRUPT, "the id of the installation is damaged");
    arena_fini(&arena);
    return rc;
}

static enum err_code make_deployment(struct store_ca *ca, struct err *e)
{
    char text[TEXT_UUID_SIZE];
    struct sqldb *db;
    struct sqldb_stmt *q = NULL;
    enum err_code rc = store_begin(ca->store, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = sqldb_row(db, "setting_get", SQLDB_ARGS(sqldb_text_c(DEPLOYMENT)), &q, e);
    sqldb_end(q);
    if (rc == ERR_NOT_FOUND) {
        entropy_uuid(&ca->deployment);
        text_uuid(&ca->deployment, text);
        rc = store_setting_put(db, DEPLOYMENT, text, e);
    }
    rc = store_end(ca->store, rc, e);
    return rc == ERR_OK ? read_deployment(ca, e) : rc;
}

enum err_code store_ca_open(struct store *s, struct store_seal_ctx *seal_ctx, struct store_ca *out,
                            struct err *e)
{
    bool made;
    enum err_code rc;

    *out = (struct store_ca){.store = s, .seal = seal_ctx};
    rc = read_deployment(out, e);
    if (rc == ERR_NOT_FOUND)
        rc = make_deployment(out, e);
    if (rc == ERR_OK)
        rc = in_transaction(out, &self, (struct wish){is_new, STORE_CA_ROOT}, &made, e);
    return rc == ERR_OK ? ERR_OK : err_wrap(e, "certificate authority");
}

/* --- rotation --- */

static enum err_code always(struct making *m, enum store_ca_kind *kind, bool *wanted, struct err *e)
{
    (void)m;
    (void)kind;
    (void)e;
    *wanted = true;
    return ERR_OK;
}

enum err_code store_ca_rotate(const struct store_ca *ca, const struct store_actor *who,
                              enum store_ca_kind kind, struct err *e)
{
    bool made;

    return in_transaction(ca, who, (struct wish){always, kind}, &made, e);
}

static bool is_half_over(const struct row *row)
{
    return clock_wall_ms() - row->not_before_ms > (row->not_after_ms - row->not_before_ms) / 2;
}

static enum err_code is_time(struct making *m, enum store_ca_kind *kind, bool *wanted,
                             struct err *e)
{
    struct row root, issuing;
    enum err_code rc = newest(m->db, m->a, KIND_ROOT, &root, e);

    if (rc == ERR_OK)
        rc = newest(m->db, m->a, KIND_ISSUING, &issuing, e);
    if (rc != ERR_OK)
        return rc;
    *kind = is_half_over(&root) ? STORE_CA_ROOT : STORE_CA_ISSUING;
    *wanted = is_half_over(&root) || is_half_over(&issuing);
    return ERR_OK;
}

/* Most calls end here, without the write lock. */
static enum err_code look(const struct store_ca *ca, bool *wanted, struct err *e)
{
    struct making m = {.ca = ca, .who = &self};
    enum store_ca_kind kind;
    struct arena arena;
    enum err_code rc;

    arena_init(&arena, "authority", ARENA_BYTES);
    m.a = &arena;
    m.db = store_read_begin(ca->store);
    rc = is_time(&m, &kind, wanted, e);
    store_read_end(ca->store);
    arena_fini(&arena);
    return rc;
}

enum err_code store_ca_tick(const struct store_ca *ca, bool *rotated, struct err *e)
{
    enum err_code rc = look(ca, rotated, e);

    if (rc != ERR_OK || !*rotated)
        return rc;
    return in_transaction(ca, &self, (struct wish){is_time, STORE_CA_ISSUING}, rotated, e);
}

/* --- issuing --- */

static enum err_code issue_agent(const struct store_ca *ca, struct arena *a, const struct row *by,
                                 struct store_ca_agent *what, struct err *e)
{
    struct x509_issuer issuer = {NULL, str_of(by->certificate)};
    struct x509_agent order = {what->key, &ca->deployment, NULL};
    struct uuid id;
    enum err_code rc = unseal(ca, by, &issuer.key, e);

    if (rc == ERR_OK && !text_parse_uuid(str_of(what->id), &id))
        rc = err_set(e, ERR_INVALID, "this is no agent's id");
    order.id = &id;
    if (rc == ERR_OK)
        rc = x509_issue_agent(&issuer, &order, clock_wall_ms() / 1000, what->pem, e);
    x509_key_free(issuer.key);
    return rc == ERR_OK ? x509_read(a, buf_view(what->pem), &what->facts, e) : rc;
}

enum err_code store_ca_issue_agent(const struct store_ca *ca, struct sqldb *db, struct arena *a,
                                   struct store_ca_agent *what, struct err *e)
{
    struct row by;
    enum err_code rc = newest(db, a, KIND_ISSUING, &by, e);

    if (rc == ERR_OK)
        rc = issue_agent(ca, a, &by, what, e);
    if (rc == ERR_OK)
        rc = write_down(db, &(struct issued){"agent", what->id, by.name, &what->facts}, e);
    return rc;
}

static enum err_code issue_server(const struct store_ca *ca, const struct row *by,
                                  const struct store_ca_server *what, struct buf *pem,
                                  struct err *e)
{
    struct x509_issuer issuer = {NULL, str_of(by->certificate)};
    struct x509_server order = {what->key, what->names, what->name_count};
    enum err_code rc = unseal(ca, by, &issuer.key, e);

    if (rc == ERR_OK)
        rc = x509_issue_server(&issuer, &order, clock_wall_ms() / 1000, pem, e);
    x509_key_free(issuer.key);
    return rc;
}

/* The leaf, its authority, and the newest root under the one before it. */
static enum err_code put_chain(struct sqldb *db, struct arena *a, const struct row *by,
                               struct buf *chain, struct err *e)
{
    struct row root;
    enum err_code rc = newest(db, a, KIND_ROOT, &root, e);

    if (rc != ERR_OK)
        return rc;
    buf_add_c(chain, by->certificate);
    buf_add_c(chain, root.cross);
    return buf_check(chain, e);
}

static enum err_code server_certificate(struct making *m, const struct store_ca_server *what,
                                        struct buf *chain, struct err *e)
{
    struct sqldb *db = m->db;
    struct arena *a = m->a;
    struct x509_facts facts;
    struct row by;
    enum err_code rc = newest(db, a, KIND_ISSUING, &by, e);

    if (rc == ERR_OK)
        rc = issue_server(m->ca, &by, what, chain, e);
    if (rc == ERR_OK)
        rc = x509_read(a, buf_view(chain), &facts, e);
    if (rc == ERR_OK)
        rc = write_down(db, &(struct issued){"server", "server", by.name, &facts}, e);
    return rc == ERR_OK ? put_chain(db, a, &by, chain, e) : rc;
}

enum err_code store_ca_issue_server(const struct store_ca *ca, const struct store_actor *who,
                                    const struct store_ca_server *what, struct buf *chain,
                                    struct err *e)
{
    struct making m = {.ca = ca, .who = who};
    struct arena arena;
    enum err_code rc = store_begin(ca->store, &m.db, e);

    if (rc != ERR_OK)
        return rc;
    arena_init(&arena, "authority", ARENA_BYTES);
    m.a = &arena;
    rc = server_certificate(&m, what, chain, e);
    if (rc == ERR_OK)
        rc = store_audit_add(m.db, who,
                             (struct store_audit_entry){"certificate.issue", "server", ""}, e);
    rc = store_end(ca->store, rc, e);
    arena_fini(&arena);
    return rc;
}

/* --- what ended long ago --- */

static enum err_code purge_in(struct sqldb *db, int64_t *ended, struct err *e)
{
    const struct sqldb_args args = SQLDB_ARGS(sqldb_i64(clock_wall_ms() - KEEP_ENDED_MS),
                                              sqldb_i64(PURGE_AT_ONCE));
    const struct store_actor who = {"server", "", ""};
    struct sqldb_stmt *q = NULL;
    char detail[32];
    enum err_code rc = sqldb_row(db, "issued_certificate_ended", args, &q, e);

    if (rc == ERR_OK)
        *ended = store_i64(q, "ended");
    sqldb_end(q);
    if (rc != ERR_OK || *ended == 0)
        return rc;
    rc = sqldb_run(db, "issued_certificate_purge", args, e);
    snprintf(detail, sizeof(detail), "%lld", (long long)*ended);
    return rc == ERR_OK
               ? store_audit_add(
                     db, &who, (struct store_audit_entry){"certificate.purge", "ended", detail}, e)
               : rc;
}

enum err_code store_ca_purge(struct store *s, struct err *e)
{
    int64_t ended = PURGE_AT_ONCE;
    enum err_code rc = ERR_OK;
    struct sqldb *db;

    while (rc == ERR_OK && ended == PURGE_AT_ONCE) {
        rc = store_begin(s, &db, e);
        if (rc == ERR_OK)
            rc = store_end(s, purge_in(db, &ended, e), e);
    }
    return rc;
}

/* --- what is trusted --- */

enum err_code store_ca_bundle(const struct store_ca *ca, struct buf *pem, struct err *e)
{
    struct row *rows;
    struct arena arena;
    size_t count = 0;
    enum err_code rc;

    arena_init(&arena, "bundle", ARENA_BYTES);
    rows = arena_array(&arena, AUTHORITY_MAX, sizeof(*rows));
    rc = rows ? trusted(ca, &arena, rows, &count, e) : arena_fail(&arena, e);
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        buf_add_c(pem, rows[i].cross);
        buf_add_c(pem, rows[i].certificate);
    }
    arena_fini(&arena);
    return rc == ERR_OK ? buf_check(pem, e) : rc;
}

enum err_code store_ca_fingerprint(const struct store_ca *ca, char out[X509_FINGERPRINT_SIZE],
                                   struct err *e)
{
    struct row root;
    struct arena arena;
    enum err_code rc;

    arena_init(&arena, "root", ARENA_BYTES);
    rc = newest(store_read_begin(ca->store), &arena, KIND_ROOT, &root, e);
    store_read_end(ca->store);
    if (rc == ERR_OK)
        rc = x509_fingerprint(str_of(root.certificate), out, e);
    arena_fini(&arena);
    return rc;
}

static enum err_code describe(struct arena *a, const struct row *row, struct store_authority *out,
                              struct err *e)
{
    char fingerprint[X509_FINGERPRINT_SIZE];
    enum err_code rc = x509_fingerprint(str_of(row->certificate), fingerprint, e);

    if (rc != ERR_OK)
        return rc;
    *out = (struct store_authority){
        .name = row->name,
        .fingerprint = arena_cstr(a, str_of(fingerprint)),
        .generation = row->generation,
        .not_before_ms = row->not_before_ms,
        .not_after_ms = row->not_after_ms,
        .retire_ms = row->retire_ms,
        .is_root = strcmp(row->kind, KIND_ROOT) == 0,
    };
    return ERR_OK;
}

enum err_code store_ca_list(const struct store_ca *ca, struct arena *a,
                            struct store_authority **rows, size_t *count, struct err *e)
{
    struct row *found = arena_array(a, AUTHORITY_MAX, sizeof(*found));
    struct store_authority *list = arena_array(a, AUTHORITY_MAX, sizeof(*list));
    enum err_code rc;

    if (found == NULL || list == NULL)
        return arena_fail(a, e);
    rc = trusted(ca, a, found, count, e);
    for (size_t i = 0; rc == ERR_OK && i < *count; i++)
        rc = describe(a, &found[i], &list[i], e);
    *rows = list;
    return rc;
}
