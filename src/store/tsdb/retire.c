/* SPDX-License-Identifier: PostgreSQL */
/*
 * retire.c: objects that nothing names any more.
 *
 * An object is a candidate when it rested, was not seen since before the oldest slice of the heads,
 * and so can be in files only. Whoever is named by no head of a block, as a row or as gone, in no
 * day file and no file of roll-ups, is dead. Files of a flush that goes on name what was seen.
 */
#include "store/tsdb/retire.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "base/log.h"
#include "os/clock.h"
#include "store/tsdb/codec/block.h"
#include "store/tsdb/ingest.h"
#include "store/tsdb/read/reader.h"
#include "store/tsdb/retire_waste.h"
#include "store/tsdb/rollup/tier.h"

#include <limits.h>
#include <stdlib.h>

#define AT_ONCE    256 /* objects a transaction: no push is taken meanwhile */
#define HEAD_ARENA (512UL * 1024 * 1024)
#define LOOK_MS    600000 /* how often a pass is thought of */
#define LATE_MS    600000 /* between the reading of a push and the head, at most */

static const struct log_ctx retire_log = {.component = "tsdb"};

struct candidate {
    uint64_t id, group;
    bool named;
};

/* Handed over to the writer. */
struct retire_list {
    struct candidate *items;
    size_t count;
    int64_t before_ms; /* who was seen since is not dead */
};

struct retire {
    struct tsdb *db;
    uint64_t removed; /* files, when the last pass began */
    int64_t look_ms;  /* monotonic: not before */
    bool under_way;
    struct candidate *items; /* by id */
    size_t count;
    int64_t before_ms;
    struct day_file *days;
    struct tier_file *tiers;
    size_t day_count, tier_count, next; /* days, then tiers */
    struct arena arena;
};

struct retire *retire_new(struct tsdb *db)
{
    struct retire *r = alloc_new(sizeof(*r));

    r->db = db;
    r->removed = UINT64_MAX;
    arena_init(&r->arena, "tsdb retire", HEAD_ARENA);
    return r;
}

static void end_pass(struct retire *r)
{
    alloc_free(r->items);
    alloc_free(r->days);
    alloc_free(r->tiers);
    arena_reset(&r->arena);
    r->items = NULL;
    r->days = NULL;
    r->tiers = NULL;
    r->under_way = false;
}

void retire_free(struct retire *r)
{
    end_pass(r);
    arena_fini(&r->arena);
    alloc_free(r);
}

/* --- candidates --- */

static uint64_t files_removed(const struct tsdb *db)
{
    uint64_t n = 0;

    for (int i = 0; i < TSDB_REMOVED_KINDS; i++) {
        n += atomic_load(&db->count.removed[i]);
    }
    return n;
}

/*
 * Who was seen before is in files at most; 0 = nobody is. Pushes note it seldom (catalog_note), and
 * what they note is linked a little later. Caller holds state.
 */
static int64_t rested_before(const struct tsdb *db)
{
    int64_t before = clock_mono_ms() - db->config.object_rest_ms;
    int64_t oldest = head_oldest_mono_us(db->active) / 1000;

    if (db->frozen || db->retired || db->copying) {
        return 0;
    }
    if (db->busy_streams && db->config.object_rest_ms < LATE_MS) {
        return 0; /* what a push saw may not be linked yet; only tests have so short a time */
    }
    before = oldest && oldest - LATE_MS < before ? oldest - LATE_MS : before;
    return before - 2 * catalog_note_ms(db->config.object_rest_ms);
}

static int by_id(const void *a, const void *b)
{
    const struct candidate *x = a;
    const struct candidate *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void find_candidates(struct retire *r)
{
    struct catalog *c = r->db->catalog;
    size_t cap = 0;

    r->count = 0;
    lock_take(&c->lock);
    for (size_t i = 0; i < c->group_count; i++) {
        const struct catalog_group *g = c->all_groups[i];
        for (size_t o = 0; o < g->object_count && !atomic_load(&g->dropped); o++) {
            if (atomic_load_explicit(&g->objects[o]->seen_ms, memory_order_relaxed) >=
                r->before_ms) {
                continue;
            }
            if (r->count == cap) {
                cap = cap ? 2 * cap : 256;
                r->items = alloc_resize(r->items, cap * sizeof(*r->items));
            }
            r->items[r->count++] = (struct candidate){g->objects[o]->id, g->id, false};
        }
    }
    lock_release(&c->lock);
    if (r->count) {
        qsort(r->items, r->count, sizeof(*r->items), by_id);
    }
}

static void list_files(struct retire *r)
{
    struct tsdb *db = r->db;

    lock_take(&db->state);
    r->day_count = db->day_count;
    r->tier_count = db->tier_count;
    r->days = alloc_array(db->day_count + 1, sizeof(*r->days));
    r->tiers = alloc_array(db->tier_count + 1, sizeof(*r->tiers));
    for (size_t i = 0; i < db->day_count; i++) {
        r->days[i] = db->days[i];
    }
    for (size_t i = 0; i < db->tier_count; i++) {
        r->tiers[i] = db->tiers[i];
    }
    lock_release(&db->state);
    r->next = 0;
}

static bool begin(struct retire *r)
{
    uint64_t removed = files_removed(r->db);
    int64_t rest = r->db->config.object_rest_ms;
    int64_t now = clock_mono_ms();

    if (removed == r->removed || now < r->look_ms) {
        return false;
    }
    r->look_ms = now + (rest < LOOK_MS ? rest : LOOK_MS);
    lock_take(&r->db->state);
    r->before_ms = rested_before(r->db);
    lock_release(&r->db->state);
    if (r->before_ms <= 0) {
        return false; /* later */
    }
    find_candidates(r);
    if (r->count) {
        r->removed = removed;
        list_files(r);
        r->under_way = true;
    }
    return r->under_way;
}

/* --- files --- */

static void is_named(struct retire *r, uint64_t id)
{
    const struct candidate key = {.id = id};
    struct candidate *found = bsearch(&key, r->items, r->count, sizeof(*r->items), by_id);

    if (found) {
        found->named = true;
    }
}

static enum err_code read_head(struct retire *r, struct str head, struct err *e)
{
    struct block_view v;

    arena_reset(&r->arena);
    enum err_code code = block_open_by_object(arena_str(&r->arena, head), &r->arena, &v, e);
    if (code || v.fact) {
        return code;
    }
    for (size_t i = 0; i < v.runs.count; i++) {
        is_named(r, v.objects[i]);
    }
    for (size_t s = 0; s < v.slice_count; s++) {
        for (size_t i = 0; i < v.slices[s].gone_count; i++) {
            is_named(r, v.slices[s].gone[i]);
        }
    }
    return ERR_OK;
}

static enum err_code read_file(struct retire *r, struct sqldb *file, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(file, "tsdb_block_heads", SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        code = read_head(r, sqldb_get_blob(s, 0), e);
    }
    sqldb_end(s);
    return code;
}

static enum err_code read_next(struct retire *r, struct err *e)
{
    struct sqldb *file = NULL;
    char path[PATH_MAX];
    enum err_code code = ERR_OK;

    if (r->next < r->day_count) {
        days_path(r->db, &r->days[r->next], path, sizeof(path));
        code = days_open(path, SQLDB_READ_ONLY, &file, e);
    } else {
        const struct tier_file *t = &r->tiers[r->next - r->day_count];
        tier_path(r->db, t->tier, t->month, path, sizeof(path));
        code = tier_open(path, SQLDB_READ_ONLY, &file, e);
    }
    r->next++;
    code = code ? code : read_file(r, file, e);
    sqldb_close(file);
    return code ? err_wrap(e, "%s", path) : ERR_OK;
}

/* Give the dead to the writer. */
static void hand_over(struct retire *r)
{
    struct retire_list *list = alloc_new(sizeof(*list));

    for (size_t i = 0; i < r->count; i++) {
        if (!r->items[i].named) {
            r->items[list->count++] = r->items[i];
        }
    }
    list->items = r->items;
    list->before_ms = r->before_ms;
    r->items = NULL;
    lock_take(&r->db->state);
    bool any = list->count && !r->db->retired && r->db->run == RUN_OPEN;
    if (any) {
        r->db->retired = list;
        cond_signal(&r->db->wake_writer);
    }
    lock_release(&r->db->state);
    if (!any) {
        alloc_free(list->items);
        alloc_free(list);
    }
}

bool retire_step(struct retire *r)
{
    struct err e;

    retire_waste_free(r->db);
    if (!r->under_way && !begin(r)) {
        return false;
    }
    err_clear(&e);
    if (r->next < r->day_count + r->tier_count) {
        if (read_next(r, &e)) {
            log_warn(&retire_log, "names of objects are kept: %s", e.text);
            end_pass(r);
        }
        return r->under_way;
    }
    hand_over(r);
    end_pass(r);
    return false;
}

/* --- the writer --- */

/* Whether no push is under way now, and none begins; only when there is something to do. */
static bool may_begin(struct tsdb *db, struct retire_list **out)
{
    lock_take(&db->state);
    bool held = db->holding;
    bool any = db->retired || db->groups_over;
    db->holding = any && db->run == RUN_OPEN && !db->copying;
    bool now = db->holding && db->busy_streams == 0 && !db->queue_first;
    *out = now ? db->retired : NULL;
    if (held && !db->holding) {
        cond_broadcast(&db->stream_free);
    }
    lock_release(&db->state);
    return now;
}

static enum err_code delete_rows(struct tsdb *db, const struct candidate *items, size_t count,
                                 struct err *e)
{
    enum err_code code = sqldb_begin(db->ingest, e);

    if (code) {
        return code;
    }
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        code = sqldb_run(db->ingest, "tsdb_object_delete",
                         SQLDB_ARGS(sqldb_i64((int64_t)items[i].id)), e);
    }
    if (code) {
        sqldb_rollback(db->ingest);
        return code;
    }
    FAULT_POINT("tsdb.retire_commit");
    return sqldb_commit(db->ingest, e);
}

/* Rows of streams' caches that may be what was taken out. Nobody pushes. Caller holds state. */
static void forget_rows(struct tsdb *db)
{
    struct str key;
    void *value = NULL;

    for (size_t pos = 0; map_next(db->streams, &pos, &key, &value);) {
        const struct stream *s = value;
        for (size_t at = 0; s->cache && map_next(s->cache, &at, &key, &value);) {
            struct stream_entry *n = value;
            n->row_count = 0;
            n->rows_like = 0;
        }
    }
}

/* Take objects whose rows are gone out of memory; what readers may look at is freed later. */
static void take_out(struct tsdb *db, const struct candidate *items, size_t count)
{
    struct retire_waste *w = retire_waste_open(db, count);

    lock_take(&db->state);
    forget_rows(db);
    lock_release(&db->state);
    for (size_t i = 0; i < count; i++) {
        struct catalog_group *g = catalog_group_by_id(db->catalog, items[i].group);
        if (g && retire_waste_take(db, w, g, items[i].id)) {
            cap_give(caps_of(db->caps, &g->maker), TSDB_CAP_OBJECTS, 1);
        }
    }
    retire_waste_close(db, w);
}

/* The next ones of a list that are still dead, to its end. Returns how many. */
static size_t next_dead(struct tsdb *db, struct retire_list *list)
{
    size_t n = list->count < AT_ONCE ? list->count : AT_ONCE;
    struct candidate *from = list->items + list->count - n;
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        struct catalog_group *g = catalog_group_by_id(db->catalog, from[i].group);
        const struct catalog_object *o = g && !atomic_load(&g->dropped)
                                             ? catalog_object_by_id(db->catalog, g, from[i].id)
                                             : NULL;
        if (o && atomic_load(&o->seen_ms) < list->before_ms) {
            from[kept++] = from[i];
        }
    }
    list->count -= n;
    return kept;
}

static void release(struct tsdb *db, struct retire_list *list, bool over)
{
    lock_take(&db->state);
    if (over) {
        db->retired = NULL;
    }
    db->holding = false;
    cond_broadcast(&db->stream_free);
    lock_release(&db->state);
    if (over && list) {
        alloc_free(list->items);
        alloc_free(list);
    }
}

static enum err_code write_list(struct tsdb *db, struct retire_list *list, struct err *e)
{
    size_t count = next_dead(db, list);
    const struct candidate *dead = list->items + list->count;
    enum err_code code = count ? delete_rows(db, dead, count, e) : ERR_OK;

    if (code == ERR_OK && count) {
        take_out(db, dead, count);
        FAULT_POINT("tsdb.retire_done");
        atomic_fetch_add(&db->count.retired, count);
    }
    return code;
}

enum err_code retire_write(struct tsdb *db, struct err *e)
{
    struct retire_list *list = NULL;
    enum err_code code = ERR_OK;

    if (!may_begin(db, &list)) {
        return ERR_OK;
    }
    if (db->groups_over) {
        (void)retire_waste_groups(db);
        db->groups_over = false;
    }
    if (list) {
        code = write_list(db, list, e);
    }
    release(db, list, list && (code || list->count == 0));
    return code;
}

void retire_fini(struct tsdb *db)
{
    retire_waste_fini(db);
    if (db->retired) {
        alloc_free(db->retired->items);
        alloc_free(db->retired);
    }
}
