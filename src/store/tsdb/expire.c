/* SPDX-License-Identifier: PostgreSQL */
/*
 * expire.c: what of event.db and text.db goes, for its age or because the quota asks.
 *
 * Once a day: events older than event_days; texts that came more than text_days ago and that no
 * object of their target names by one of its keys. An object is there as long as a reading names
 * it, so a text of a statement goes with its last reading; one that only events or facts name goes
 * text_days after it came. When the quota asks: the oldest plans and bodies of events, but for the
 * last days. All in transactions of some thousand rows, and what can be given back of the files is.
 * Threads: the applier, which alone writes both files.
 */
#include "store/tsdb/engine.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "os/clock.h"
#include "store/tsdb/codec/codec.h"

#include <string.h>

#define EVENTS_AT_ONCE 2000
#define TEXTS_AT_ONCE  2000
#define LOOK_DAYS      7 /* a text that is still named is looked at again so much later */
#define SPARE_DAYS     3 /* the quota leaves these */
#define SHRINK_PAGES   2000
#define MERGE_PAGES    500 /* of the index, in one transaction */
#define MERGE_STEPS    8   /* a day */
#define RETRY_US       60000000LL

static const struct log_ctx expire_log = {.component = "tsdb"};

bool expire_is_due(struct tsdb *db)
{
    const struct applier *a = &db->applier;

    if (clock_mono_us() < a->expire_us) {
        return false;
    }
    return a->expire_more || atomic_load(&db->spare) == SPARE_ASKED ||
           a->expire_day != days_of_ms(clock_wall_ms());
}

/* Statements that change rows of one file, in one transaction; how many the last one changed. */
static enum err_code run_all(struct sqldb *file, const char *const *names, struct sqldb_args args,
                             int64_t *changed, struct err *e)
{
    enum err_code code = sqldb_begin(file, e);

    if (code) {
        return code;
    }
    for (size_t i = 0; code == ERR_OK && names[i]; i++) {
        code = sqldb_run(file, names[i], args, e);
    }
    *changed = sqldb_changes(file);
    if (code) {
        sqldb_rollback(file);
        return code;
    }
    return sqldb_commit(file, e);
}

static enum err_code shrink(struct sqldb *file, struct err *e)
{
    bool more = true;
    enum err_code code = ERR_OK;

    while (code == ERR_OK && more) {
        code = sqldb_shrink(file, 0, SHRINK_PAGES, &more, e);
    }
    return code ? code : sqldb_checkpoint(file, e);
}

/* --- events --- */

static enum err_code expire_events(struct tsdb *db, int64_t now_ms, bool *more, struct err *e)
{
    static const char *const names[] = {"tsdb_event_old_search", "tsdb_event_old", NULL};
    int64_t before = now_ms - db->config.event_days * TSDB_DAY_MS;
    int64_t changed = 0;
    enum err_code code = run_all(db->applier.event, names,
                                 SQLDB_ARGS(sqldb_i64(before), sqldb_i64(EVENTS_AT_ONCE)), &changed,
                                 e);

    if (code == ERR_OK) {
        atomic_fetch_add(&db->count.expired_events, (uint64_t)changed);
        db->applier.index_is_stale |= changed > 0;
        *more |= changed == EVENTS_AT_ONCE;
    }
    return code;
}

/*
 * The index keeps what was deleted until parts of it are merged: without this it would grow for
 * ever. A large one takes more than a day for it.
 */
static enum err_code merge_index(struct sqldb *file, struct err *e)
{
    int64_t pages = -MERGE_PAGES;
    enum err_code code = ERR_OK;

    for (int i = 0; code == ERR_OK && i < MERGE_STEPS; i++) {
        code = sqldb_run(file, "tsdb_event_search_merge", SQLDB_ARGS(sqldb_i64(pages)), e);
        pages = MERGE_PAGES;
        if (code == ERR_OK) {
            code = sqldb_checkpoint(file, e);
        }
    }
    return code;
}

/* --- texts --- */

/* A name of a text that is old enough to go. */
struct old_text {
    struct uuid target;
    struct str kind, key;
    bool named;
};

struct old_texts {
    struct old_text list[TEXTS_AT_ONCE];
    size_t count;
    struct arena arena;
};

static enum err_code list_old(struct sqldb *file, int64_t day, struct old_texts *old, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(file, "tsdb_text_key_old",
                                     SQLDB_ARGS(sqldb_i64(day), sqldb_i64(TEXTS_AT_ONCE)), &s, e);

    while (code == ERR_OK && old->count < TEXTS_AT_ONCE &&
           (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        struct old_text *t = &old->list[old->count++];
        struct str target = sqldb_get_blob(s, 0);
        if (target.len == sizeof(t->target.bytes)) {
            memcpy(t->target.bytes, target.ptr, target.len);
        }
        t->kind = arena_str(&old->arena, sqldb_get_text(s, 1));
        t->key = arena_str(&old->arena, sqldb_get_text(s, 2));
    }
    sqldb_end(s);
    return code ? code : arena_check(&old->arena, e);
}

/* Mark the texts whose key is one of an object's. */
static void mark_named(struct map *by_key, struct str keys)
{
    struct str key;

    while (keys.len && codec_take_bytes(&keys, &key)) {
        struct old_text *t = key.len ? map_get(by_key, key) : NULL;
        if (t) {
            t->named = true;
        }
    }
}

/* Texts of one target. Two kinds may have one key: then both stay or go as the last one does. */
static enum err_code look_at_objects(struct tsdb *db, struct old_text *list, size_t count,
                                     struct err *e)
{
    const struct uuid *target = &list[0].target;
    struct map *by_key = map_new();
    struct sqldb_stmt *s = NULL;
    bool row = true;

    for (size_t i = 0; i < count; i++) {
        (void)map_put(by_key, list[i].key, &list[i]);
    }
    enum err_code code = sqldb_query(db->applier.ingest, "tsdb_object_of_target",
                                     SQLDB_ARGS(sqldb_blob(target->bytes, sizeof(target->bytes))),
                                     &s, e);
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        mark_named(by_key, sqldb_get_blob(s, 0));
    }
    sqldb_end(s);
    for (size_t i = 0; i < count; i++) {
        const struct old_text *of_key = map_get(by_key, list[i].key);
        list[i].named |= of_key->named;
    }
    map_free(by_key, NULL);
    return code;
}

static enum err_code find_named(struct tsdb *db, struct old_texts *old, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t at = 0; code == ERR_OK && at < old->count;) {
        size_t end = at + 1;
        while (end < old->count && text_uuid_eq(&old->list[end].target, &old->list[at].target)) {
            end++;
        }
        code = look_at_objects(db, old->list + at, end - at, e);
        at = end;
    }
    return code;
}

/* Names go, or are looked at again some days later. */
static enum err_code settle(struct sqldb *file, const struct old_texts *old, int64_t day,
                            uint64_t *gone, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < old->count; i++) {
        const struct old_text *t = &old->list[i];
        const struct sqldb_value id = sqldb_blob(t->target.bytes, sizeof(t->target.bytes));
        code = t->named ? sqldb_run(file, "tsdb_text_key_touch",
                                    SQLDB_ARGS(id, sqldb_text(t->kind), sqldb_text(t->key),
                                               sqldb_i64(day + LOOK_DAYS)),
                                    e)
                        : sqldb_run(file, "tsdb_text_key_delete",
                                    SQLDB_ARGS(id, sqldb_text(t->kind), sqldb_text(t->key)), e);
        *gone += !t->named;
    }
    return code;
}

/* In one transaction with the texts that have no name any more. */
static enum err_code write_settled(struct tsdb *db, const struct old_texts *old, int64_t day,
                                   struct err *e)
{
    struct sqldb *file = db->applier.text;
    uint64_t gone = 0;
    enum err_code code = sqldb_begin(file, e);

    if (code) {
        return code;
    }
    code = settle(file, old, day, &gone, e);
    if (code == ERR_OK && gone) {
        code = sqldb_run(file, "tsdb_text_content_drop", SQLDB_NO_ARGS, e);
    }
    if (code) {
        sqldb_rollback(file);
        return code;
    }
    code = sqldb_commit(file, e);
    if (code == ERR_OK && gone) {
        atomic_fetch_add(&db->count.expired_texts, gone);
        code = caps_count_texts(db->caps, file, e);
    }
    return code;
}

static enum err_code expire_texts(struct tsdb *db, int64_t now_ms, bool *more, struct err *e)
{
    int64_t day = days_of_ms(now_ms) - db->config.text_days;
    struct old_texts *old = alloc_new(sizeof(*old));

    arena_init(&old->arena, "tsdb old texts", TSDB_ARENA_BYTES);
    enum err_code code = list_old(db->applier.text, day, old, e);
    if (code == ERR_OK && old->count) {
        code = find_named(db, old, e);
    }
    if (code == ERR_OK && old->count) {
        code = write_settled(db, old, day, e);
    }
    *more |= old->count == TEXTS_AT_ONCE;
    arena_fini(&old->arena);
    alloc_free(old);
    return code;
}

/* --- the quota --- */

static enum err_code spare_some(struct tsdb *db, int64_t now_ms, int64_t *given, struct err *e)
{
    static const char *const plans[] = {"tsdb_text_plan_drop", NULL};
    static const char *const bodies[] = {"tsdb_event_strip_search", "tsdb_event_strip_index",
                                         "tsdb_event_strip", NULL};
    int64_t before = now_ms - SPARE_DAYS * TSDB_DAY_MS;
    int64_t count = 0;
    enum err_code code = run_all(
        db->applier.text, plans,
        SQLDB_ARGS(sqldb_i64(days_of_ms(before)), sqldb_i64(TEXTS_AT_ONCE)), given, e);

    if (code == ERR_OK && *given) {
        code = sqldb_run(db->applier.text, "tsdb_text_content_drop", SQLDB_NO_ARGS, e);
    }
    if (code == ERR_OK && *given) {
        code = caps_count_texts(db->caps, db->applier.text, e);
    }
    if (code == ERR_OK) {
        code = run_all(db->applier.event, bodies,
                       SQLDB_ARGS(sqldb_i64(before), sqldb_i64(EVENTS_AT_ONCE)), &count, e);
    }
    *given += code == ERR_OK ? count : 0;
    return code;
}

/* Both files, as small as they get. */
static enum err_code shrink_both(struct tsdb *db, struct err *e)
{
    enum err_code code = shrink(db->applier.text, e);

    return code ? code : shrink(db->applier.event, e);
}

/* Answer the flusher, which measures again. */
static enum err_code answer_quota(struct tsdb *db, int64_t now_ms, struct err *e)
{
    int64_t given = 0;
    enum err_code code = spare_some(db, now_ms, &given, e);

    if (code == ERR_OK && given) {
        atomic_fetch_add(&db->count.stripped, (uint64_t)given);
        db->applier.index_is_stale = true;
        log_warn(&expire_log, "the quota took %lld plans and bodies of events", (long long)given);
        code = shrink_both(db, e);
    }
    lock_take(&db->state);
    atomic_store(&db->spare, code == ERR_OK && given ? SPARE_UNKNOWN : SPARE_NONE);
    atomic_store(&db->look_again, true);
    cond_signal(&db->wake_flusher);
    lock_release(&db->state);
    return code;
}

/* --- steps --- */

/* Some of what is too old; at the end of it, what the files have free goes back. */
static enum err_code expire_some(struct tsdb *db, int64_t now_ms, struct err *e)
{
    struct applier *a = &db->applier;
    bool more = false;
    enum err_code code = expire_events(db, now_ms, &more, e);

    if (code == ERR_OK) {
        code = expire_texts(db, now_ms, &more, e);
    }
    if (code == ERR_OK && !more && a->index_is_stale) {
        code = merge_index(a->event, e);
        a->index_is_stale = code != ERR_OK;
    }
    if (code == ERR_OK && !more) {
        code = shrink_both(db, e);
        a->expire_day = days_of_ms(now_ms);
        int none = SPARE_NONE; /* a day later there may be something */
        (void)atomic_compare_exchange_strong(&db->spare, &none, SPARE_UNKNOWN);
    }
    a->expire_more = more;
    return code;
}

void expire_step(struct tsdb *db)
{
    struct err e;

    err_clear(&e);
    enum err_code code = atomic_load(&db->spare) == SPARE_ASKED
                             ? answer_quota(db, clock_wall_ms(), &e)
                             : expire_some(db, clock_wall_ms(), &e);
    if (code) {
        log_warn(&expire_log, "retention of events and texts failed: %s", e.text);
        db->applier.expire_us = clock_mono_us() + RETRY_US;
    }
}
