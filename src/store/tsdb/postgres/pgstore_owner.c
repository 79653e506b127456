/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_owner.c: one collector delivers a group at a time, over all nodes.
 *
 * A node decides by its own memory (catalog_claim); before it stores the first reading of a group,
 * and once in a while afterwards, its writer asks the database in the same transaction. Another
 * collector's group is told to the memory, and the push is encoded again without it.
 * Threads: the writer.
 */
#include "store/tsdb/postgres/pgstore.h"

#include "base/alloc.h"
#include "os/clock.h"

#include <string.h>

#define OWNER_BYTES (4UL * 1024 * 1024)
#define LEASES      2       /* of memory that the database's one lasts: it is renewed half-way */
#define ASK_MS      10000LL /* after that the database is asked again about another's group */

struct pgstore_claim {
    struct catalog_group *group;
    struct ingest_job *job;
    int64_t lease_ms;
    bool held;
};

static struct pgstore_claim *find(struct pgstore_claims *c, uint64_t group)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->list[i].group->id == group) {
            return &c->list[i];
        }
    }
    return NULL;
}

/* Groups of a job of which the database was not asked lately. */
static void collect(struct pgstore_claims *c, struct ingest_job *job, int64_t now)
{
    for (size_t r = 0; r < job->record_count; r++) {
        for (size_t i = 0; i < job->records[r].slice_count; i++) {
            const struct ingest_slice *s = &job->records[r].slices[i];
            struct catalog_group *g = s->entry->group;
            int64_t lease = ingest_lease_ms(s->every_ms);
            bool asked = g->shared_until_us > now + lease * 1000 &&
                         text_uuid_eq(&g->shared_owner, &job->push->collector);
            if (asked || find(c, g->id)) {
                continue;
            }
            if (c->count == c->cap) {
                c->cap = c->cap ? 2 * c->cap : 64;
                c->list = alloc_resize(c->list, c->cap * sizeof(*c->list));
            }
            c->list[c->count++] = (struct pgstore_claim){g, job, lease, false};
        }
    }
}

static enum err_code ask(struct pgstore *p, struct pgstore_claims *c, struct err *e)
{
    char hex[2 * sizeof(struct uuid) + 1];
    struct sqldb_stmt *s = NULL;
    struct buf text[3];
    bool row = true;

    for (int i = 0; i < 3; i++) {
        buf_init(&text[i], OWNER_BYTES);
        buf_add_char(&text[i], '{');
    }
    for (size_t i = 0; i < c->count; i++) {
        const struct pgstore_claim *claim = &c->list[i];
        const char *comma = i ? "," : "";
        text_hex(claim->job->push->collector.bytes, sizeof(struct uuid), hex);
        buf_printf(&text[0], "%s%lld", comma, (long long)claim->group->id);
        buf_printf(&text[1], "%s%s", comma, hex);
        buf_printf(&text[2], "%s%lld", comma, (long long)(LEASES * claim->lease_ms));
    }
    for (int i = 0; i < 3; i++) {
        buf_add_char(&text[i], '}');
    }
    enum err_code code = sqldb_query(p->write, "tsdb_owner_claim",
                                     SQLDB_ARGS(sqldb_text(buf_view(&text[0])),
                                                sqldb_text(buf_view(&text[1])),
                                                sqldb_text(buf_view(&text[2]))),
                                     &s, e);
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        struct pgstore_claim *claim = find(c, (uint64_t)sqldb_get_i64(s, 0));
        if (claim) {
            claim->held = true;
        }
    }
    sqldb_end(s);
    for (int i = 0; i < 3; i++) {
        buf_fini(&text[i]);
    }
    return code;
}

static enum err_code yield_group(struct pgstore *p, const struct pgstore_claim *claim,
                                 struct err *e)
{
    struct sqldb_stmt *s = NULL;
    struct uuid other = {{0}};
    enum err_code code = sqldb_row(p->write, "tsdb_owner_get",
                                   SQLDB_ARGS(sqldb_i64((int64_t)claim->group->id)), &s, e);

    if (code) {
        return code;
    }
    struct str bytes = sqldb_get_blob(s, 0);
    if (bytes.len == sizeof(other.bytes)) {
        memcpy(other.bytes, bytes.ptr, bytes.len);
    }
    sqldb_end(s);
    catalog_give(p->front.catalog, claim->group, &other, ASK_MS, clock_mono_us());
    claim->job->again = true;
    return ERR_OK;
}

enum err_code pgstore_owner_claim(struct pgstore *p, struct batch_of_jobs *b,
                                  struct pgstore_claims *c, struct err *e)
{
    int64_t now = clock_mono_us();

    for (size_t j = 0; j < b->count; j++) {
        struct ingest_job *job = b->jobs[j];
        if (job->code == ERR_OK && !job->load && !job->again && job->stream) {
            collect(c, job, now);
        }
    }
    enum err_code code = c->count ? ask(p, c, e) : ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < c->count; i++) {
        if (!c->list[i].held) {
            code = yield_group(p, &c->list[i], e);
        }
    }
    return code;
}

void pgstore_owner_committed(struct pgstore_claims *c)
{
    int64_t now = clock_mono_us();

    for (size_t i = 0; i < c->count; i++) {
        const struct pgstore_claim *claim = &c->list[i];
        claim->group->shared_owner = claim->job->push->collector;
        claim->group->shared_until_us = claim->held ? now + LEASES * claim->lease_ms * 1000 : 0;
    }
}

void pgstore_owner_fini(struct pgstore_claims *c)
{
    alloc_free(c->list);
    *c = (struct pgstore_claims){0};
}
