/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_audit_read.c: reading the audit: pages for people, and following the chain.
 *
 * The chain is read a page at a time, so that the reading connection is free in between; rows are
 * only ever added behind. The first finding ends the walk.
 */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "store/store_audit_part.h"
#include "tls/crypto.h"

#define PAGE       1000
#define HEADS_SIZE ((size_t)64 * 1024 * 1024) /* of a head an hour: some centuries */

void store_audit_raw_read(struct sqldb_stmt *q, struct store_audit_raw *row)
{
    row->number = store_i64(q, "number");
    row->at_ms = store_i64(q, "at_ms");
    row->actor = sqldb_get_text(q, sqldb_column(q, "actor"));
    row->action = sqldb_get_text(q, sqldb_column(q, "action"));
    row->object = sqldb_get_text(q, sqldb_column(q, "object"));
    row->detail = sqldb_get_text(q, sqldb_column(q, "detail"));
    row->address = sqldb_get_text(q, sqldb_column(q, "address"));
    row->request = sqldb_get_text(q, sqldb_column(q, "request"));
}

/* --- pages --- */

static void take_row(struct sqldb_stmt *q, struct arena *a, struct store_audit_row *out)
{
    *out = (struct store_audit_row){
        .number = store_i64(q, "number"),
        .at_ms = store_i64(q, "at_ms"),
        .actor = store_text(q, a, "actor"),
        .action = store_text(q, a, "action"),
        .object = store_text(q, a, "object"),
        .detail = store_text(q, a, "detail"),
        .address = store_text(q, a, "address"),
        .request = store_text(q, a, "request"),
        .hash = store_text(q, a, "hash"),
    };
}

static enum err_code take_rows(struct sqldb_stmt *q, struct arena *a, struct store_audit_page *page,
                               struct err *e)
{
    bool more = true;
    enum err_code rc = ERR_OK;

    page->count = 0;
    page->rows = arena_array(a, page->limit + 1, sizeof(*page->rows));
    while (rc == ERR_OK && more && page->rows != NULL && page->count < page->limit) {
        rc = sqldb_step(q, &more, e);
        if (rc == ERR_OK && more)
            take_row(q, a, &page->rows[page->count++]);
    }
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

enum err_code store_audit_list(struct store *s, struct arena *a, struct store_audit_page *page,
                               struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_query(
        store_read_begin(s), "audit_list",
        SQLDB_ARGS(sqldb_i64(page->before > 0 ? page->before : INT64_MAX), sqldb_i64(page->from_ms),
                   sqldb_i64(page->to_ms), sqldb_text(page->actor), sqldb_text(page->action),
                   sqldb_text(page->object), sqldb_text(page->request),
                   sqldb_i64((int64_t)page->limit)),
        &q, e);

    if (rc == ERR_OK)
        rc = take_rows(q, a, page, e);
    sqldb_end(q);
    store_read_end(s);
    return rc;
}

enum err_code store_audit_read(struct store *s, struct arena *a, struct store_audit_page *page,
                               struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_query(
        store_read_begin(s), "audit_walk",
        SQLDB_ARGS(sqldb_i64(page->before), sqldb_i64((int64_t)page->limit)), &q, e);

    if (rc == ERR_OK)
        rc = take_rows(q, a, page, e);
    sqldb_end(q);
    store_read_end(s);
    return rc;
}

/* --- the chain --- */

struct head {
    struct head *next;
    struct store_audit_head h;
};

struct walk {
    const unsigned char *key; /* NULL = signatures are not looked at */
    struct arena arena;       /* of the heads */
    struct head *heads;       /* that are to come, in the order of the rows */
    struct store_audit_verdict *verdict;
    int64_t signed_before; /* number of the head before the next one */
    char before[HASH_HEX_SIZE];
};

__attribute__((format(printf, 3, 4))) static void find(struct walk *w, int64_t row, const char *fmt,
                                                       ...)
{
    va_list ap;

    w->verdict->bad = row;
    va_start(ap, fmt);
    (void)vsnprintf(w->verdict->finding, sizeof(w->verdict->finding), fmt, ap);
    va_end(ap);
}

/* All heads first: they are few, and rows come in pages. Empty without a key. */
static enum err_code load_heads(struct walk *w, struct sqldb *db, struct err *e)
{
    struct head **end = &w->heads;
    struct sqldb_stmt *q = NULL;
    bool more = true;
    enum err_code rc = sqldb_query(db, "audit_head_list", SQLDB_NO_ARGS, &q, e);

    while (rc == ERR_OK && more) {
        struct head *head;

        rc = sqldb_step(q, &more, e);
        if (rc != ERR_OK || !more)
            continue;
        head = arena_alloc(&w->arena, sizeof(*head));
        if (head == NULL)
            break;
        head->h.hour = store_i64(q, "hour");
        head->h.number = store_i64(q, "number");
        head->h.at_ms = store_i64(q, "at_ms");
        (void)snprintf(head->h.hash, sizeof(head->h.hash), "%s", store_text(q, &w->arena, "hash"));
        (void)snprintf(head->h.mac, sizeof(head->h.mac), "%s", store_text(q, &w->arena, "mac"));
        *end = head;
        end = &head->next;
    }
    sqldb_end(q);
    return rc == ERR_OK ? arena_check(&w->arena, e) : rc;
}

/* Into its place by number. */
static void add_head(struct walk *w, const struct store_audit_head *kept)
{
    struct head **at = &w->heads, *head = arena_alloc(&w->arena, sizeof(*head));

    while (*at != NULL && (*at)->h.number < kept->number)
        at = &(*at)->next;
    head->h = *kept;
    head->next = *at;
    *at = head;
}

static bool head_is_ours(const struct walk *w, const struct store_audit_head *h)
{
    char mac[HASH_HEX_SIZE];

    if (w->key == NULL)
        return true;
    store_audit_head_mac(w->key, h, mac);
    return crypto_equal(str_of(mac), str_of(h->mac));
}

/* Heads of the row that was just found right. */
static void check_heads(struct walk *w, int64_t number, const char *hash)
{
    while (w->verdict->bad == 0 && w->heads != NULL && w->heads->h.number <= number) {
        const struct store_audit_head *h = &w->heads->h;

        w->heads = w->heads->next;
        if (!head_is_ours(w, h))
            find(w, h->number, "the signed head of row %lld is not ours", (long long)h->number);
        else if (h->number != number || strcmp(h->hash, hash) != 0)
            find(w, w->signed_before + 1,
                 "of rows %lld to %lld some are not those that were signed",
                 (long long)w->signed_before + 1, (long long)h->number);
        w->signed_before = h->number;
        w->verdict->signed_to = h->number;
    }
}

static enum err_code check_row(struct walk *w, struct sqldb_stmt *q, struct err *e)
{
    struct str stored = sqldb_get_text(q, sqldb_column(q, "hash"));
    struct str mac = sqldb_get_text(q, sqldb_column(q, "mac"));
    char hash[HASH_HEX_SIZE], want[HASH_HEX_SIZE];
    struct store_audit_raw row;
    int64_t number = w->verdict->rows + 1;
    enum err_code rc;

    store_audit_raw_read(q, &row);
    if (row.number != number) {
        find(w, number, "row %lld is missing", (long long)number);
        return ERR_OK;
    }
    rc = store_audit_chain(str_of(w->before), &row, hash, e);
    if (rc != ERR_OK)
        return rc;
    store_audit_row_mac(w->key, number, hash, want);
    if (!str_eq_c(stored, hash))
        find(w, number, "row %lld does not fit the chain", (long long)number);
    else if (w->key != NULL && !crypto_equal(mac, str_of(want)))
        find(w, number, "row %lld was not signed by a server of this store", (long long)number);
    if (w->verdict->bad != 0)
        return ERR_OK;
    memcpy(w->before, hash, sizeof(w->before));
    w->verdict->rows = number;
    check_heads(w, number, hash);
    return ERR_OK;
}

static enum err_code walk_page(struct walk *w, struct sqldb *db, bool *more, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    int64_t from = w->verdict->rows;
    bool row = true;
    enum err_code rc = sqldb_query(db, "audit_walk", SQLDB_ARGS(sqldb_i64(from), sqldb_i64(PAGE)),
                                   &q, e);

    while (rc == ERR_OK && row && w->verdict->bad == 0) {
        rc = sqldb_step(q, &row, e);
        if (rc == ERR_OK && row)
            rc = check_row(w, q, e);
    }
    sqldb_end(q);
    *more = rc == ERR_OK && w->verdict->bad == 0 && w->verdict->rows == from + PAGE;
    return rc;
}

/* Heads of rows that are not there. */
static void check_end(struct walk *w)
{
    const struct head *last = w->heads;

    if (w->verdict->bad != 0 || last == NULL)
        return;
    while (last->next != NULL)
        last = last->next;
    w->verdict->signed_to = last->h.number;
    if (!head_is_ours(w, &last->h))
        find(w, w->verdict->rows + 1, "the signed head of row %lld is not ours",
             (long long)last->h.number);
    else
        find(w, w->verdict->rows + 1, "rows %lld to %lld are missing at the end",
             (long long)w->verdict->rows + 1, (long long)last->h.number);
}

static void walk_begin(struct walk *w, const unsigned char *key, struct store_audit_verdict *out)
{
    *w = (struct walk){.key = key, .verdict = out};
    *out = (struct store_audit_verdict){0};
    arena_init(&w->arena, "audit heads", HEADS_SIZE);
}

enum err_code store_audit_check(struct sqldb *db, const unsigned char *key,
                                struct store_audit_verdict *out, struct err *e)
{
    struct walk w;
    bool more = true;
    enum err_code rc;

    walk_begin(&w, key, out);
    rc = load_heads(&w, db, e);
    while (rc == ERR_OK && more)
        rc = walk_page(&w, db, &more, e);
    if (rc == ERR_OK)
        check_end(&w);
    arena_fini(&w.arena);
    return rc;
}

enum err_code store_audit_verify(struct store *s, const struct store_audit_head *kept,
                                 struct store_audit_verdict *out, struct err *e)
{
    struct walk w;
    bool more = true;
    enum err_code rc;

    walk_begin(&w, store_audit_key(s), out);
    rc = load_heads(&w, store_read_begin(s), e);
    store_read_end(s);
    if (rc == ERR_OK && kept != NULL)
        add_head(&w, kept);
    while (rc == ERR_OK && more) {
        rc = walk_page(&w, store_read_begin(s), &more, e);
        store_read_end(s);
    }
    if (rc == ERR_OK)
        check_end(&w);
    arena_fini(&w.arena);
    return rc;
}
