/* SPDX-License-Identifier: PostgreSQL */
/*
 * apply.c: events, texts and targets of the journal's rows go where they are read.
 *
 * A batch of rows is taken in lsn order: first the caller's targets, then event.db, then text.db,
 * each durable before the next. Both files keep `applied` in the transaction that wrote, so a row
 * that comes again after a crash changes nothing.
 * Threads: the applier.
 */
#include "store/tsdb/engine.h"
#include "store/tsdb/quarantine.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/pack.h"
#include "os/clock.h"
#include "tls/hash.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define BATCH_ROWS       200
#define BATCH_BYTES      (8UL * 1024 * 1024)
#define META_MAX         (64UL * 1024 * 1024)
#define LOOK_US          1000000LL
#define RETRY_MS         2000
#define TEXT_HASH_BYTES  16
#define TEXT_PACK_MIN    256
#define TEXT_PACK_LEVEL  3
#define CHECKPOINT_PAGES 256
#define FILE_FLAGS       (SQLDB_OWN_CHECKPOINT | SQLDB_SHRINKS)

static const struct log_ctx apply_log = {.component = "tsdb"};

struct row {
    uint64_t lsn;
    struct uuid collector;
    struct json_doc *doc;
    struct batch batch;
    const struct json *drop; /* {"target", "by"} of a deletion; else NULL */
    struct uuid dropped;
};

struct rows {
    struct arena arena;
    struct row list[BATCH_ROWS];
    size_t count;
    uint64_t last_lsn; /* everything up to here is in `list` or needs nothing */
};

static enum err_code open_one(struct tsdb *db, const char *name, unsigned flags, struct sqldb **out,
                              struct err *e)
{
    char url[PATH_MAX];
    struct sqldb_options o = {.flags = flags, .cache_kib = 1024};

    (void)snprintf(url, sizeof(url), "sqlite:%s/%s.db", db->dir, name);
    return sqldb_open(url, &o, out, e);
}

static enum err_code read_applied(struct sqldb *file, uint64_t *out, struct err *e)
{
    return days_read_applied(file, out, e); /* the same table */
}

enum err_code apply_open(struct tsdb *db, struct err *e)
{
    struct applier *a = &db->applier;
    enum err_code code = open_one(db, "text", FILE_FLAGS, &a->text, e);

    if (code == ERR_OK) {
        code = sqldb_schema(a->text, "tsdb_text", TSDB_SCHEMA_TEXT, e);
    }
    if (code == ERR_OK) {
        code = open_one(db, "event", FILE_FLAGS, &a->event, e);
    }
    if (code == ERR_OK) {
        code = sqldb_schema(a->event, "tsdb_event", TSDB_SCHEMA_EVENT, e);
    }
    if (code == ERR_OK) {
        code = open_one(db, "ingest", SQLDB_READ_ONLY, &a->ingest, e);
    }
    if (code == ERR_OK) {
        code = read_applied(a->text, &a->text_applied, e);
    }
    if (code == ERR_OK) {
        code = read_applied(a->event, &a->event_applied, e);
    }
    return code ? code : caps_count_texts(db->caps, a->text, e);
}

void apply_close(struct tsdb *db)
{
    sqldb_close(db->applier.ingest);
    sqldb_close(db->applier.event);
    sqldb_close(db->applier.text);
    memset(&db->applier, 0, sizeof(db->applier));
}

/* --- taking rows --- */

/* Only the server itself deletes: an agent's rows have a collector. */
static void take_drop(struct row *row)
{
    static const struct uuid none;
    const struct json *drop = json_get(json_root(row->doc), "drop");

    if (text_uuid_eq(&row->collector, &none) &&
        text_parse_uuid(json_str(json_get(drop, "target")), &row->dropped)) {
        row->drop = drop;
    }
}

static enum err_code set_aside(struct tsdb *db, uint64_t lsn, struct str meta,
                               const struct err *why, struct err *e)
{
    const struct quarantine_item q = {.file = "ingest.db",
                                      .what = "events and texts",
                                      .key = (int64_t)lsn,
                                      .reason = why->text,
                                      .data = meta};
    enum err_code code = quarantine_put(db->dir, &q, 1, e);

    if (code == ERR_OK) {
        atomic_fetch_add(&db->count.quarantined, 1);
        log_error(&apply_log,
                  "journal row %llu: events and texts cannot be read, damaged.db has "
                  "them: %s",
                  (unsigned long long)lsn, why->text);
    }
    return code;
}

/* What was accepted once must not stop the line: a row that cannot be read goes into quarantine. */
static enum err_code take_row(struct tsdb *db, struct rows *rows, struct sqldb_stmt *s,
                              struct err *e)
{
    const struct json_limits limits = {META_MAX, LIMIT_JSON_DEPTH, false};
    struct row *row = &rows->list[rows->count];
    struct str collector = sqldb_get_blob(s, 2);
    struct str meta = sqldb_get_blob(s, 1);
    enum err_code code = ERR_OK;
    struct err why;

    memset(row, 0, sizeof(*row));
    row->lsn = (uint64_t)sqldb_get_i64(s, 0);
    if (collector.len == sizeof(row->collector.bytes)) {
        memcpy(row->collector.bytes, collector.ptr, sizeof(row->collector.bytes));
    }
    if (json_parse(meta, &limits, &row->doc, &why) ||
        batch_read(&rows->arena, json_root(row->doc), &row->batch, &why)) {
        code = set_aside(db, row->lsn, meta, &why, e);
        json_doc_free(row->doc);
        row->doc = NULL;
        memset(&row->batch, 0, sizeof(row->batch));
    } else {
        take_drop(row);
    }
    rows->count++;
    return code;
}

static enum err_code take_rows(struct tsdb *db, struct rows *rows, uint64_t from, uint64_t to,
                               struct err *e)
{
    struct sqldb_stmt *s = NULL;
    size_t bytes = 0;
    bool row = true;
    enum err_code code = sqldb_query(db->applier.ingest, "tsdb_journal_meta",
                                     SQLDB_ARGS(sqldb_i64((int64_t)from), sqldb_i64((int64_t)to)),
                                     &s, e);

    rows->count = 0;
    rows->last_lsn = to;
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        code = take_row(db, rows, s, e);
        if (code) {
            break;
        }
        bytes += sqldb_get_blob(s, 1).len;
        if (rows->count == BATCH_ROWS || bytes > BATCH_BYTES) {
            rows->last_lsn = rows->list[rows->count - 1].lsn;
            break;
        }
    }
    sqldb_end(s);
    return code;
}

static void free_rows(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        json_doc_free(rows->list[i].doc);
    }
    rows->count = 0;
    arena_reset(&rows->arena);
}

/* --- applying them --- */

static enum err_code apply_targets(struct tsdb *db, const struct rows *rows, struct err *e)
{
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < rows->count; i++) {
        const struct row *r = &rows->list[i];
        if (r->batch.target_count && db->config.target_sink) {
            code = db->config.target_sink(db->config.target_arg, r->lsn, &r->collector, &r->batch,
                                          e);
        }
        if (code == ERR_OK && r->drop && db->config.drop_sink) {
            code = db->config.drop_sink(db->config.target_arg, r->lsn, &r->dropped,
                                        json_get(r->drop, "by"), e);
        }
    }
    return code;
}

static enum err_code drop_events(struct sqldb *db, const struct uuid *target, struct err *e)
{
    struct sqldb_value id = sqldb_blob(target->bytes, sizeof(target->bytes));
    enum err_code code = sqldb_run(db, "tsdb_event_search_drop", SQLDB_ARGS(id), e);

    return code ? code : sqldb_run(db, "tsdb_event_drop", SQLDB_ARGS(id), e);
}

static enum err_code drop_texts(struct sqldb *db, const struct uuid *target, struct err *e)
{
    struct sqldb_value id = sqldb_blob(target->bytes, sizeof(target->bytes));
    enum err_code code = sqldb_run(db, "tsdb_text_key_drop", SQLDB_ARGS(id), e);

    return code ? code : sqldb_run(db, "tsdb_text_content_drop", SQLDB_NO_ARGS, e);
}

static enum err_code put_event(struct sqldb *db, const struct row *r, const struct batch_event *ev,
                               struct err *e)
{
    struct sqldb_stmt *s = NULL;
    struct str body = ev->body.len ? ev->body : STR("{}");
    enum err_code code = sqldb_row(
        db, "tsdb_event_insert",
        SQLDB_ARGS(sqldb_i64(ev->t_ms), sqldb_blob(r->collector.bytes, sizeof(r->collector.bytes)),
                   sqldb_blob(ev->target.bytes, sizeof(ev->target.bytes)), sqldb_text(ev->kind),
                   sqldb_i64(ev->severity), sqldb_text(ev->title), sqldb_text(body)),
        &s, e);
    if (code) {
        return code;
    }
    int64_t id = sqldb_get_i64(s, 0);
    sqldb_end(s);
    return sqldb_run(
        db, "tsdb_event_search_insert",
        SQLDB_ARGS(sqldb_i64(id), sqldb_text(ev->title), sqldb_text(ev->kind), sqldb_text(body)),
        e);
}

static enum err_code put_events(struct tsdb *db, const struct row *r, struct err *e)
{
    enum err_code code = r->drop ? drop_events(db->applier.event, &r->dropped, e) : ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < r->batch.event_count; i++) {
        const struct batch_event *event = &r->batch.events[i];
        if (!drop_covers(db, &event->target, event->t_ms)) {
            code = put_event(db->applier.event, r, event, e);
        }
    }
    return code;
}

/* One text on its way into the dictionary. */
struct text_put {
    struct sqldb *db;
    struct cap_use *use;
    const struct batch_text *text;
    unsigned char hash[HASH_BYTES];
    int64_t content;
    uint64_t bytes; /* that it takes; 0 = the dictionary had it */
    int64_t day;    /* when it came */
};

#define TEXT_ROW_BYTES 128 /* of a text beside itself: name, hash, their indexes */

static enum err_code insert_content(struct text_put *p, struct str data, bool packed, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(
        p->db, "tsdb_text_content_insert",
        SQLDB_ARGS(sqldb_blob(p->hash, TEXT_HASH_BYTES), sqldb_i64(packed),
                   sqldb_i64((int64_t)p->text->text.len), sqldb_blob(data.ptr, data.len)),
        &s, e);

    if (code == ERR_OK) {
        p->content = sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code;
}

/* content stays 0 when there is no room for it */
static enum err_code add_content(struct text_put *p, struct err *e)
{
    struct str text = p->text->text;
    struct buf packed;
    bool pack = text.len >= TEXT_PACK_MIN;
    enum err_code code = ERR_OK;

    buf_init(&packed, 2 * LIMIT_TEXT_BYTES);
    if (pack) {
        code = pack_zstd(text, TEXT_PACK_LEVEL, &packed, e);
    }
    struct str data = pack ? buf_view(&packed) : text;
    if (code == ERR_OK && cap_take(p->use, TSDB_CAP_TEXT_BYTES, data.len + TEXT_ROW_BYTES)) {
        p->bytes = data.len + TEXT_ROW_BYTES;
        code = insert_content(p, data, pack, e);
    } else if (code == ERR_OK) {
        cap_refuse(p->use, TSDB_CAP_TEXT_BYTES, 1);
    }
    buf_fini(&packed);
    return code;
}

static enum err_code find_content(struct text_put *p, struct err *e)
{
    struct sqldb_stmt *s = NULL;

    hash_sha256(p->text->text, p->hash);
    enum err_code code = sqldb_row(p->db, "tsdb_text_content_get",
                                   SQLDB_ARGS(sqldb_blob(p->hash, TEXT_HASH_BYTES)), &s, e);
    if (code == ERR_OK) {
        p->content = sqldb_get_i64(s, 0);
        sqldb_end(s);
    }
    return code == ERR_NOT_FOUND ? add_content(p, e) : code;
}

/* What the name stood for until now; 0 = it is new. */
static enum err_code find_name(struct text_put *p, int64_t *content, uint64_t *bytes, struct err *e)
{
    const struct batch_text *t = p->text;
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(p->db, "tsdb_text_key_get",
                                   SQLDB_ARGS(sqldb_blob(t->target.bytes, sizeof(t->target.bytes)),
                                              sqldb_text(t->kind), sqldb_text(t->key)),
                                   &s, e);

    *content = 0;
    *bytes = 0;
    if (code == ERR_OK) {
        *content = sqldb_get_i64(s, 0);
        *bytes = (uint64_t)sqldb_get_i64(s, 1);
        sqldb_end(s);
    }
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

static enum err_code put_name(struct text_put *p, const struct uuid *collector, struct err *e)
{
    const struct batch_text *t = p->text;

    return sqldb_run(p->db, "tsdb_text_key_put",
                     SQLDB_ARGS(sqldb_blob(t->target.bytes, sizeof(t->target.bytes)),
                                sqldb_text(t->kind), sqldb_text(t->key), sqldb_i64(p->content),
                                sqldb_blob(collector->bytes, sizeof(collector->bytes)),
                                sqldb_i64((int64_t)p->bytes), sqldb_i64(p->day)),
                     e);
}

/* A text that comes again is as young as a new one. */
static enum err_code touch_name(struct text_put *p, struct err *e)
{
    const struct batch_text *t = p->text;

    return sqldb_run(p->db, "tsdb_text_key_touch",
                     SQLDB_ARGS(sqldb_blob(t->target.bytes, sizeof(t->target.bytes)),
                                sqldb_text(t->kind), sqldb_text(t->key), sqldb_i64(p->day)),
                     e);
}

/* The text that a name had before goes, unless another name has it. */
static enum err_code release(struct text_put *p, int64_t content, uint64_t bytes, struct err *e)
{
    enum err_code code = sqldb_run(p->db, "tsdb_text_content_release",
                                   SQLDB_ARGS(sqldb_i64(content)), e);

    if (code == ERR_OK) {
        cap_give(p->use, TSDB_CAP_TEXT_BYTES, bytes);
    }
    return code;
}

static enum err_code put_text(struct text_put *p, const struct uuid *collector, struct err *e)
{
    int64_t before = 0;
    uint64_t bytes = 0;
    enum err_code code = find_name(p, &before, &bytes, e);

    if (code == ERR_OK && !before && cap_is_full(p->use, TSDB_CAP_TEXTS)) {
        cap_refuse(p->use, TSDB_CAP_TEXTS, 1);
        return ERR_OK;
    }
    if (code == ERR_OK) {
        code = find_content(p, e);
    }
    if (code == ERR_OK && p->content && p->content == before) {
        return touch_name(p, e);
    }
    if (code || !p->content) {
        return code;
    }
    code = put_name(p, collector, e);
    if (code == ERR_OK && !before) {
        (void)cap_take(p->use, TSDB_CAP_TEXTS, 1);
    }
    return code || !before ? code : release(p, before, bytes, e);
}

static enum err_code put_texts(struct tsdb *db, const struct row *r, struct err *e)
{
    struct sqldb *file = db->applier.text;
    enum err_code code = r->drop ? drop_texts(file, &r->dropped, e) : ERR_OK;

    if (code == ERR_OK && r->drop) {
        code = caps_count_texts(db->caps, file, e);
    }
    for (size_t i = 0; code == ERR_OK && i < r->batch.text_count; i++) {
        struct text_put put = {.db = file,
                               .use = caps_of(db->caps, &r->collector),
                               .text = &r->batch.texts[i],
                               .day = days_of_ms(clock_wall_ms())};
        code = put_text(&put, &r->collector, e);
    }
    return code;
}

/* One file's share of the batch, with its watermark, in one transaction. */
struct share {
    struct sqldb *file;
    uint64_t *applied;
    enum err_code (*put)(struct tsdb *db, const struct row *r, struct err *e);
    void (*fault)(void);
};

static void fault_event(void)
{
    FAULT_POINT("tsdb.apply_event");
}

static void fault_text(void)
{
    FAULT_POINT("tsdb.apply_text");
}

static enum err_code apply_share(struct tsdb *db, const struct rows *rows, const struct share *s,
                                 struct err *e)
{
    uint64_t last = rows->list[rows->count - 1].lsn;
    enum err_code code = ERR_OK;

    if (*s->applied >= last) {
        return ERR_OK;
    }
    code = sqldb_begin(s->file, e);
    if (code) {
        return code;
    }
    for (size_t i = 0; code == ERR_OK && i < rows->count; i++) {
        if (rows->list[i].lsn > *s->applied) {
            code = s->put(db, &rows->list[i], e);
        }
    }
    if (code == ERR_OK) {
        code = sqldb_run(s->file, "tsdb_day_set_applied", SQLDB_ARGS(sqldb_i64((int64_t)last)), e);
    }
    if (code) {
        sqldb_rollback(s->file);
    } else {
        s->fault();
        code = sqldb_commit(s->file, e);
    }
    if (code == ERR_OK) {
        *s->applied = last;
    } else if (s->file == db->applier.text) { /* what it counted is not there */
        struct err ignored;
        (void)!caps_count_texts(db->caps, s->file, &ignored);
    }
    return code;
}

static enum err_code apply_rows(struct tsdb *db, const struct rows *rows, struct err *e)
{
    struct applier *a = &db->applier;
    const struct share events = {a->event, &a->event_applied, put_events, fault_event};
    const struct share texts = {a->text, &a->text_applied, put_texts, fault_text};
    enum err_code code = apply_targets(db, rows, e);

    if (code == ERR_OK) {
        code = apply_share(db, rows, &events, e);
    }
    if (code == ERR_OK) {
        code = apply_share(db, rows, &texts, e);
    }
    return code;
}

static enum err_code apply_once(struct tsdb *db, struct rows *rows, uint64_t from, uint64_t to,
                                struct err *e)
{
    enum err_code code = take_rows(db, rows, from, to, e);

    if (code == ERR_OK && rows->count) {
        code = apply_rows(db, rows, e);
    }
    free_rows(rows);
    return code;
}

static void upkeep(struct tsdb *db)
{
    struct applier *a = &db->applier;
    struct err e;
    if ((sqldb_wal_pages(a->text) >= CHECKPOINT_PAGES && sqldb_checkpoint(a->text, &e)) ||
        (sqldb_wal_pages(a->event) >= CHECKPOINT_PAGES && sqldb_checkpoint(a->event, &e))) {
        log_warn(&apply_log, "checkpoint failed: %s", e.text);
    }
}

/* Wait for work; false at the end. */
static bool next_range(struct tsdb *db, uint64_t *from, uint64_t *to)
{
    lock_take(&db->state);
    while (db->run == RUN_OPEN && db->linked_lsn <= db->applied_lsn && !expire_is_due(db)) {
        (void)cond_wait_until(&db->wake_applier, &db->state, clock_mono_us() + LOOK_US);
    }
    while (db->run != RUN_OPEN && db->queued > 0) {
        (void)cond_wait_until(&db->wake_applier, &db->state, clock_mono_us() + LOOK_US);
    }
    bool fast = db->run == RUN_STOPPING_FAST;
    bool work = db->linked_lsn > db->applied_lsn;
    if (work && db->meta_lsn <= db->applied_lsn) { /* rows without events, texts, targets */
        db->applied_lsn = db->linked_lsn;
    }
    *from = db->applied_lsn;
    *to = db->linked_lsn;
    bool over = db->run != RUN_OPEN && (fast || *from >= *to);
    lock_release(&db->state);
    return !over;
}

static void set_applied(struct tsdb *db, uint64_t lsn)
{
    lock_take(&db->state);
    db->applied_lsn = lsn > db->applied_lsn ? lsn : db->applied_lsn;
    cond_signal(&db->wake_writer);
    cond_broadcast(&db->done);
    lock_release(&db->state);
}

void tsdb_sqlite_run_applier(struct tsdb *db)
{
    static const int give_up_at_stop = 3;
    struct rows *rows = alloc_new(sizeof(*rows));
    uint64_t from = 0;
    uint64_t to = 0;
    int failures = 0;

    arena_init(&rows->arena, "tsdb applier", TSDB_ARENA_BYTES);
    while (next_range(db, &from, &to)) {
        struct err e;
        err_clear(&e);
        if (expire_is_due(db)) {
            expire_step(db);
            upkeep(db);
        }
        if (from >= to) {
            continue;
        }
        if (apply_once(db, rows, from, to, &e) == ERR_OK) {
            set_applied(db, rows->last_lsn);
            upkeep(db);
            failures = 0;
            continue;
        }
        log_error(&apply_log, "events and texts could not be applied: %s", e.text);
        lock_take(&db->state);
        bool stopping = db->run != RUN_OPEN;
        lock_release(&db->state);
        if (stopping && ++failures >= give_up_at_stop) {
            break; /* the journal keeps them for the next start */
        }
        clock_sleep_ms(RETRY_MS);
    }
    arena_fini(&rows->arena);
    alloc_free(rows);
    lock_take(&db->state);
    db->applier_over = true;
    cond_broadcast(&db->done);
    cond_signal(&db->wake_writer);
    lock_release(&db->state);
}
