/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_text.c: query texts and plans of journal rows go into ts_text, within the caps of their
 * collector.
 *
 * As apply.c has it: a text counts for who sent it last, one that was there already takes nothing,
 * and one that is replaced goes unless it has another name. Each node counts by itself what it
 * adds, and counts anew from the tables every ten minutes and after a transaction that failed: two
 * nodes may pass a cap by what one collector sends to both meanwhile.
 * Threads: the mover.
 */
#include "store/tsdb/postgres/pgstore_move.h"

#include "tls/hash.h"

#define TEXT_HASH_BYTES 16
#define TEXT_ROW_BYTES  128 /* of a text beside itself: name, hash, their indexes */

/* One text on its way into the dictionary. */
struct put {
    struct move *m;
    struct sqldb *db;
    struct cap_use *use;
    const struct uuid *collector;
    const struct batch_text *text;
    struct str body;
    unsigned char hash[HASH_BYTES];
    int64_t content;
    uint64_t bytes; /* that it takes; 0 = the dictionary had it */
};

static struct sqldb_value uuid_value(const struct uuid *u)
{
    return sqldb_blob(u->bytes, sizeof(u->bytes));
}

static struct sqldb_value clean(const struct put *p, struct str text)
{
    return sqldb_text(pgstore_clean(&p->m->arena, text));
}

/* content stays 0 when there is no room for it */
static enum err_code add_content(struct put *p, struct err *e)
{
    uint64_t bytes = p->body.len + TEXT_ROW_BYTES;
    struct sqldb_stmt *s = NULL;

    if (!cap_take(p->use, TSDB_CAP_TEXT_BYTES, bytes)) {
        cap_refuse(p->use, TSDB_CAP_TEXT_BYTES, 1);
        return ERR_OK;
    }
    p->bytes = bytes;
    enum err_code code = sqldb_row(
        p->db, "tsdb_text_content_insert",
        SQLDB_ARGS(sqldb_blob(p->hash, TEXT_HASH_BYTES), sqldb_text(p->body)), &s, e);
    if (code == ERR_OK) {
        p->content = sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code;
}

static enum err_code find_content(struct put *p, struct err *e)
{
    struct sqldb_stmt *s = NULL;

    hash_sha256(p->text->text, p->hash);
    enum err_code code = sqldb_row(p->db, "tsdb_text_content_get",
                                   SQLDB_ARGS(sqldb_blob(p->hash, TEXT_HASH_BYTES)), &s, e);
    if (code == ERR_OK) {
        p->content = sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code == ERR_NOT_FOUND ? add_content(p, e) : code;
}

/* What the name stood for until now; 0 = it is new. */
static enum err_code find_name(const struct put *p, int64_t *content, uint64_t *bytes,
                               struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(
        p->db, "tsdb_text_key_get",
        SQLDB_ARGS(uuid_value(&p->text->target), clean(p, p->text->kind), clean(p, p->text->key)),
        &s, e);

    *content = 0;
    *bytes = 0;
    if (code == ERR_OK) {
        *content = sqldb_get_i64(s, 0);
        *bytes = (uint64_t)sqldb_get_i64(s, 1);
    }
    sqldb_end(s);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

static enum err_code put_name(const struct put *p, struct err *e)
{
    return sqldb_run(p->db, "tsdb_text_key_put",
                     SQLDB_ARGS(uuid_value(&p->text->target), clean(p, p->text->kind),
                                clean(p, p->text->key), sqldb_i64(p->content),
                                uuid_value(p->collector), sqldb_i64((int64_t)p->bytes)),
                     e);
}

/* The text that a name had before goes, unless another name has it. */
static enum err_code release(const struct put *p, int64_t content, uint64_t bytes, struct err *e)
{
    enum err_code code = sqldb_run(p->db, "tsdb_text_content_release",
                                   SQLDB_ARGS(sqldb_i64(content)), e);

    if (code == ERR_OK) {
        cap_give(p->use, TSDB_CAP_TEXT_BYTES, bytes);
    }
    return code;
}

enum err_code move_text(struct move *m, const struct uuid *collector, const struct batch_text *t,
                        struct err *e)
{
    struct put p = {.m = m,
                    .db = m->store->move,
                    .use = caps_of(m->store->front.caps, collector),
                    .collector = collector,
                    .text = t,
                    .body = pgstore_clean(&m->arena, t->text)};
    int64_t before = 0;
    uint64_t bytes = 0;
    enum err_code code = find_name(&p, &before, &bytes, e);

    if (code == ERR_OK && !before && cap_is_full(p.use, TSDB_CAP_TEXTS)) {
        cap_refuse(p.use, TSDB_CAP_TEXTS, 1);
        return ERR_OK;
    }
    code = code ? code : find_content(&p, e);
    if (code || !p.content || p.content == before) {
        return code;
    }
    code = put_name(&p, e);
    if (code == ERR_OK && !before) {
        (void)cap_take(p.use, TSDB_CAP_TEXTS, 1);
    }
    return code || !before ? code : release(&p, before, bytes, e);
}

enum err_code move_count_texts(struct pgstore *p, struct err *e)
{
    enum err_code code = caps_count_texts(p->front.caps, p->move, e);

    p->texts_lost = code != ERR_OK;
    return code;
}
