/* SPDX-License-Identifier: PostgreSQL */
/*
 * ingest.c: resolves the names of a record by its stream's cache, and encodes its slices.
 *
 * A record is first resolved as a whole, without any lasting effect; only then are its slices
 * encoded, so that the writer can do the same again for a record that named something new.
 * What is over a cap of its collector (caps.h) is left out and counted: a slice, a column, or rows
 * (ingest_rows.c). A push that only looks up leaves out what is over a cap by itself, so that a
 * collector that goes on naming new things does not keep the writer busy.
 */
#include "store/tsdb/ingest_private.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/varint.h"
#include "os/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOB_MAX     (64UL * 1024 * 1024)
#define META_MAX     (64UL * 1024 * 1024)
#define EXACT_DOUBLE (1LL << 53)

/* How long a group stays with its collector after its last reading. */
#define LEASE_READINGS 3
#define LEASE_MIN_MS   60000LL
#define LEASE_MAX_MS   3600000LL   /* of one reading */
#define TELL_US        600000000LL /* an event a stream at most this often */

/* --- names --- */

static bool is_dropped(const struct stream_entry *n)
{
    return n->group && atomic_load(&n->group->dropped);
}

static uint64_t count_cells(const struct slice *s)
{
    uint64_t samples = 0;
    for (size_t c = 0; c < s->column_count; c++) {
        for (size_t i = 0; i < s->row_count; i++) {
            samples += s->columns[c].cells[i].tag != CELL_NULL;
        }
    }
    return samples;
}

static struct cap_use *use_of(struct preparing *p)
{
    struct stream *s = p->job->stream;

    if (!s->use) {
        s->use = caps_of(p->db->caps, &s->collector);
    }
    return s->use;
}

bool ingest_may_add(struct preparing *p, enum tsdb_cap cap)
{
    struct cap_use *u = use_of(p);

    return p->mode == INGEST_LOOKUP ? !cap_is_full(u, cap) : cap_take(u, cap, 1);
}

void ingest_over_cap(struct preparing *p, enum tsdb_cap cap, uint64_t values)
{
    p->record->rejected_cap += values;
    cap_refuse(use_of(p), cap, values);
}

/* A name that the slice cannot do without is over a cap. */
static bool is_capped(struct preparing *p, struct work *w, enum tsdb_cap cap)
{
    w->capped = !ingest_may_add(p, cap);
    w->why = cap;
    return w->capped;
}

static enum err_code resolve_group(struct preparing *p, struct work *w, struct err *e)
{
    struct catalog *c = p->db->catalog;
    struct catalog_relation *r = catalog_find_relation(c, w->slice->relation);
    enum err_code code = ERR_OK;

    if (!r && is_capped(p, w, TSDB_CAP_RELATIONS)) {
        return code;
    }
    if (!r && p->mode == INGEST_CREATE) {
        code = catalog_add_relation(c, w->slice->relation, RELATION_OBJECT, &r, e);
    }
    if (!r) {
        p->missing = true;
        return code;
    }
    struct catalog_group_key key = {r, w->slice->target, w->slice->scope, p->job->push->collector};
    w->entry->group = catalog_find_group(c, &key);
    if (w->entry->group || is_capped(p, w, TSDB_CAP_GROUPS)) {
        return code;
    }
    if (p->mode == INGEST_CREATE) {
        code = catalog_add_group(c, &key, &w->entry->group, e);
    }
    p->missing |= !w->entry->group;
    return code;
}

static enum err_code resolve_key(struct preparing *p, struct work *w, size_t k, struct err *e)
{
    struct catalog_relation *r = w->entry->group->relation;
    struct str name = w->slice->key_names[k];
    struct catalog_column *found = catalog_find_key(p->db->catalog, r, name);
    enum err_code code = ERR_OK;

    if (!found && r->key_count >= LIMIT_RELATION_KEYS) { /* rows could not be told apart */
        w->capped = true;
        w->why = TSDB_CAP_COLUMNS;
        return code;
    }
    if (!found && p->mode == INGEST_CREATE) {
        code = catalog_add_key(p->db->catalog, r, name, &found, e);
    }
    p->missing |= !found;
    w->entry->keys[k] = found;
    return code;
}

static enum err_code resolve_keys(struct preparing *p, struct work *w, struct err *e)
{
    struct stream_entry *n = w->entry;
    enum err_code code = ERR_OK;

    if (n->key_count != w->slice->key_count || !n->keys) {
        alloc_free(n->keys);
        n->keys = alloc_array(w->slice->key_count + 1, sizeof(struct catalog_column *));
        n->key_count = w->slice->key_count;
        n->row_count = 0;
    }
    for (size_t k = 0; code == ERR_OK && !w->capped && k < n->key_count; k++) {
        if (!n->keys[k] || !str_eq(n->keys[k]->name, w->slice->key_names[k])) {
            n->row_count = 0;
            code = resolve_key(p, w, k, e);
        }
    }
    return code;
}

/* Take the columns that the relation has no room for out of the slice. */
static void drop_columns(struct preparing *p, struct work *w)
{
    struct catalog_relation *r = w->entry->group->relation;
    struct slice *s = w->slice;
    size_t room = LIMIT_RELATION_COLUMNS - r->column_count;
    size_t kept = 0;

    for (size_t c = 0; c < s->column_count; c++) {
        bool known = catalog_find_column(p->db->catalog, r, s->columns[c].name) != NULL;
        if (!known && room == 0) {
            ingest_over_cap(p, TSDB_CAP_COLUMNS, s->row_count);
            continue;
        }
        room -= !known;
        s->columns[kept++] = s->columns[c];
    }
    s->column_count = kept;
}

static enum err_code resolve_column(struct preparing *p, struct work *w, size_t c, struct err *e)
{
    struct catalog_relation *r = w->entry->group->relation;
    struct str name = w->slice->columns[c].name;
    struct catalog_column *found = catalog_find_column(p->db->catalog, r, name);
    enum err_code code = ERR_OK;

    if (!found && p->mode == INGEST_CREATE) {
        code = catalog_add_column(p->db->catalog, r, name, &found, e);
    }
    p->missing |= !found;
    w->entry->columns[c] = found;
    if (found) {
        lock_take(&p->db->catalog->lock);
        w->entry->types[c] = found->described ? found->type : RELATION_STR;
        lock_release(&p->db->catalog->lock);
    }
    return code;
}

static enum err_code resolve_columns(struct preparing *p, struct work *w, struct err *e)
{
    struct stream_entry *n = w->entry;
    enum err_code code = ERR_OK;

    if (n->group->relation->column_count + w->slice->column_count > LIMIT_RELATION_COLUMNS) {
        drop_columns(p, w);
    }
    size_t count = w->slice->column_count;
    if (n->column_count != count || !n->columns || p->record->batch.relation_count) {
        alloc_free(n->columns);
        alloc_free(n->types);
        n->columns = alloc_array(count + 1, sizeof(struct catalog_column *));
        n->types = alloc_array(count + 1, sizeof(*n->types));
        n->column_count = count;
    }
    for (size_t c = 0; code == ERR_OK && c < count; c++) {
        if (!n->columns[c] || !str_eq(n->columns[c]->name, w->slice->columns[c].name)) {
            code = resolve_column(p, w, c, e);
        }
    }
    return code;
}

static enum err_code keep_names(struct preparing *p, struct work *w, struct err *e)
{
    const struct stream_entry *n = w->entry;

    w->keys = arena_array(p->job->arena, n->key_count, sizeof(*w->keys));
    w->columns = arena_array(p->job->arena, n->column_count, sizeof(*w->columns));
    w->types = arena_array(p->job->arena, n->column_count, sizeof(*w->types));
    if (!w->keys || !w->columns || !w->types) {
        return arena_check(p->job->arena, e);
    }
    for (size_t k = 0; k < n->key_count; k++) {
        w->keys[k] = n->keys[k]->id;
    }
    for (size_t c = 0; c < n->column_count; c++) {
        w->columns[c] = n->columns[c]->id;
        w->types[c] = n->types[c];
    }
    return ERR_OK;
}

static enum err_code resolve_slice(struct preparing *p, struct work *w, struct err *e)
{
    enum err_code code = ERR_OK;

    w->entry = stream_entry_of(p->job->stream, w->slice);
    if (is_dropped(w->entry)) { /* the target comes again: it is a new one */
        w->entry->group = NULL;
        w->entry->row_count = 0;
    }
    if (!w->slice->keys && w->slice->row_count && !ingest_knows_rows(w->entry, w->slice)) {
        return err_set(e, ERR_NOT_FOUND, "rows without keys that are not those of before");
    }
    if (!w->entry->group) {
        code = resolve_group(p, w, e);
    }
    if (w->capped) { /* no memory for what is not there */
        stream_drop_entry(p->job->stream, w->slice);
        w->entry = NULL;
    }
    if (code || p->missing || w->capped) {
        return code;
    }
    code = resolve_keys(p, w, e);
    if (code == ERR_OK && !w->capped) {
        code = resolve_columns(p, w, e);
    }
    if (w->capped) {
        return code;
    }
    bool fact = w->entry->group->relation->shape == RELATION_FACT;
    if (code == ERR_OK && !p->missing && !fact) {
        code = ingest_resolve_rows(p, w, e);
    }
    return code == ERR_OK && !p->missing ? keep_names(p, w, e) : code;
}

/* For a relation that is new its collector must have room. */
static bool may_describe(struct preparing *p, const struct relation *d)
{
    return catalog_find_relation(p->db->catalog, d->name) || ingest_may_add(p, TSDB_CAP_RELATIONS);
}

static enum err_code resolve_relations(struct preparing *p, struct err *e)
{
    const struct batch *b = &p->record->batch;
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < b->relation_count; i++) {
        const struct relation *d = &b->relations[i];
        if (catalog_knows(p->db->catalog, d) || !may_describe(p, d)) {
            continue;
        }
        if (p->mode == INGEST_LOOKUP) {
            p->missing = true;
            return ERR_OK;
        }
        code = catalog_describe(p->db->catalog, &b->relations[i], e);
    }
    return code;
}

/* --- encoding --- */

/* Whole numbers of a float column come from JSON as integers; as doubles they stay as exact. */
static uint64_t settle_cells(struct work *w)
{
    uint64_t samples = 0;

    for (size_t c = 0; c < w->slice->column_count; c++) {
        struct cell *cells = w->slice->columns[c].cells;
        bool is_float = w->types[c] == RELATION_F64;
        for (size_t i = 0; i < w->slice->row_count; i++) {
            samples += cells[i].tag != CELL_NULL;
            if (is_float && cells[i].tag == CELL_I64 && cells[i].i64 < EXACT_DOUBLE &&
                cells[i].i64 > -EXACT_DOUBLE) {
                cells[i] = cell_f64((double)cells[i].i64);
            }
        }
    }
    return samples;
}

static bool add_key_cells(struct preparing *p, struct work *w, struct codec_slice *out)
{
    const struct slice *s = w->slice;

    out->fact = true;
    out->key_count = s->key_count;
    out->keys = arena_array(p->job->arena, s->key_count, sizeof(*out->keys));
    for (size_t k = 0; out->keys && k < s->key_count; k++) {
        struct cell *cells = arena_array(p->job->arena, s->row_count, sizeof(*cells));
        for (size_t i = 0; cells && i < s->row_count; i++) {
            cells[i] = cell_str(s->keys[k][i]);
        }
        out->keys[k] = (struct codec_column){.id = w->keys[k], .cells = cells};
    }
    return !p->job->arena->overflow;
}

static bool fill_slice(struct preparing *p, struct work *w, struct codec_slice *out)
{
    const struct slice *s = w->slice;

    *out = (struct codec_slice){
        .group = w->entry->group->id,
        .t_ms = s->t_ms,
        .from_ms = s->from_ms < s->t_ms ? s->from_ms : s->t_ms,
        .every_ms = s->every_ms,
        .flags = s->flags,
        .reason = s->reason,
        .row_count = s->row_count,
        .objects = w->objects,
        .column_count = s->column_count,
        .gone_count = w->gone_count,
        .gone = w->gone,
        .reset_count = s->reset_count,
        .resets = s->resets,
    };
    out->columns = arena_array(p->job->arena, s->column_count, sizeof(*out->columns));
    for (size_t c = 0; out->columns && c < s->column_count; c++) {
        out->columns[c] = (struct codec_column){.id = w->columns[c], .cells = s->columns[c].cells};
    }
    if (w->entry->group->relation->shape == RELATION_FACT) {
        return add_key_cells(p, w, out);
    }
    return !p->job->arena->overflow;
}

/*
 * Whether t rises in this stream's group; what does not is dropped and counted. Older forms tell
 * whole seconds, and may tell of one second in several pushes: those are a millisecond apart.
 */
static bool take_time(struct preparing *p, struct work *w)
{
    struct stream_entry *n = w->entry;
    struct slice *s = w->slice;

    if (n->push_no != p->job->stream->push_no) {
        n->push_no = p->job->stream->push_no;
        n->push_t_ms = n->last_t_ms;
    }
    if (p->job->push->unnumbered && s->t_ms <= n->push_t_ms && s->t_ms > n->push_t_ms - 1000) {
        s->t_ms = n->push_t_ms + 1;
    }
    if (s->t_ms <= n->push_t_ms) {
        return false;
    }
    n->push_t_ms = s->t_ms;
    return true;
}

int64_t ingest_lease_ms(int64_t every_ms)
{
    int64_t lease = LEASE_READINGS * (every_ms < LEASE_MAX_MS ? every_ms : LEASE_MAX_MS);
    return lease < LEASE_MIN_MS ? LEASE_MIN_MS : lease;
}

static bool claim(struct preparing *p, const struct work *w)
{
    return catalog_claim(p->db->catalog, w->entry->group, &p->job->push->collector,
                         ingest_lease_ms(w->slice->every_ms), clock_mono_us());
}

static void note_slice(struct ingest_record *r, const struct work *w, size_t offset, size_t len)
{
    const struct slice *s = w->slice;

    r->slices[r->slice_count++] = (struct ingest_slice){
        .group = w->entry->group->id,
        .t_ms = s->t_ms,
        .every_ms = s->every_ms,
        .flags = s->flags,
        .reason = s->reason,
        .offset = offset,
        .len = len,
        .entry = w->entry,
    };
    if (r->slice_count == 1 || s->t_ms < r->t_min_ms) {
        r->t_min_ms = s->t_ms;
    }
    if (r->slice_count == 1 || s->t_ms > r->t_max_ms) {
        r->t_max_ms = s->t_ms;
    }
}

static enum err_code encode_slice(struct preparing *p, struct work *w, struct buf *one,
                                  struct err *e)
{
    struct ingest_record *r = p->record;
    struct codec_slice coded;

    if (!claim(p, w)) {
        r->rejected_owner += count_cells(w->slice);
        return ERR_OK;
    }
    if (!take_time(p, w)) {
        r->rejected_order += count_cells(w->slice);
        return ERR_OK;
    }
    uint64_t samples = settle_cells(w);
    if (!cap_take(use_of(p), TSDB_CAP_CELLS, samples)) {
        ingest_over_cap(p, TSDB_CAP_CELLS, samples);
        return ERR_OK;
    }
    if (!fill_slice(p, w, &coded)) {
        return arena_check(p->job->arena, e);
    }
    buf_reset(one);
    codec_put_slice(one, p->job->arena, &coded);
    enum err_code code = buf_check(one, e);
    if (code) {
        return code;
    }
    varint_put(&r->blob, one->len);
    note_slice(r, w, r->blob.len, one->len);
    buf_add_str(&r->blob, buf_view(one));
    r->samples += samples;
    return buf_check(&r->blob, e);
}

/* --- events, texts, targets --- */

static void put_gap_event(struct preparing *p, struct json_writer *w, const char *reason,
                          uint64_t samples)
{
    const char *what = strcmp(reason, "clock") == 0
                           ? "outside the clock window, or of a day whose readings went"
                       : strcmp(reason, "cap") == 0 ? "over a cap of their collector"
                                                    : "of a target another collector delivers";
    char title[120];

    (void)snprintf(title, sizeof(title), "%llu samples %s were not stored",
                   (unsigned long long)samples, what);
    json_object_begin(w);
    json_member_i64(w, "t", p->now_ms);
    json_member_c(w, "kind", "gap");
    json_member_c(w, "severity", "warning");
    json_member_c(w, "title", title);
    json_key(w, "body");
    json_object_begin(w);
    json_member_c(w, "reason", reason);
    json_member_u64(w, "samples", samples);
    json_member_u64(w, "seq", p->record->seq);
    json_object_end(w);
    json_object_end(w);
}

/* What is refused now will be refused for as long as the collector runs: one event now and then. */
static bool is_news(uint64_t refused, int64_t *told_us)
{
    int64_t now = clock_mono_us();

    if (!refused || (*told_us && now - *told_us < TELL_US)) {
        return false;
    }
    *told_us = now;
    return true;
}

static enum err_code put_meta(struct preparing *p, struct err *e)
{
    const struct batch *b = &p->record->batch;
    bool owner = is_news(p->record->rejected_owner, &p->job->stream->owner_told_us);
    bool cap = is_news(p->record->rejected_cap, &p->job->stream->cap_told_us);
    struct json_writer w;

    buf_reset(&p->record->meta);
    if (!b->event_count && !b->text_count && !b->target_count && !p->record->rejected_clock &&
        !owner && !cap) {
        return ERR_OK;
    }
    json_writer_init(&w, &p->record->meta);
    json_object_begin(&w);
    batch_write_texts_and_targets(b, &w);
    json_key(&w, "events");
    json_array_begin(&w);
    for (size_t i = 0; i < b->event_count; i++) {
        batch_write_event(&b->events[i], &w);
    }
    if (p->record->rejected_clock) {
        put_gap_event(p, &w, "clock", p->record->rejected_clock);
    }
    if (cap) {
        put_gap_event(p, &w, "cap", p->record->rejected_cap);
    }
    if (owner) {
        put_gap_event(p, &w, "owner", p->record->rejected_owner);
    }
    json_array_end(&w);
    json_object_end(&w);
    return buf_check(&p->record->meta, e);
}

/* --- one record --- */

/* Of today everything is taken, also when a clock that was ahead had today's readings removed. */
static bool has_gone(const struct tsdb *db, const struct slice *s, int64_t now_ms)
{
    int64_t day = days_of_ms(s->t_ms);
    return day < atomic_load(&db->raw_day[days_class_of(s->every_ms)]) && day < days_of_ms(now_ms);
}

static enum err_code resolve_all(struct preparing *p, struct work *work, struct err *e)
{
    struct batch *b = &p->record->batch;
    enum err_code code = resolve_relations(p, e);

    for (size_t i = 0; code == ERR_OK && !p->missing && i < b->slice_count; i++) {
        struct slice *s = &b->slices[i];
        work[i].slice = s;
        work[i].skip = s->t_ms < p->now_ms - TSDB_CLOCK_PAST_MS ||
                       s->t_ms > p->now_ms + TSDB_CLOCK_AHEAD_MS || has_gone(p->db, s, p->now_ms);
        work[i].deleted = drop_covers(p->db, &s->target, s->t_ms);
        if (!work[i].skip && !work[i].deleted) {
            code = resolve_slice(p, &work[i], e);
        }
    }
    return code;
}

static enum err_code encode_all(struct preparing *p, struct work *work, struct err *e)
{
    struct ingest_record *r = p->record;
    enum err_code code = ERR_OK;
    struct buf one;

    buf_init(&one, BLOB_MAX);
    for (size_t i = 0; code == ERR_OK && i < r->batch.slice_count; i++) {
        if (work[i].skip) {
            r->rejected_clock += count_cells(work[i].slice);
        } else if (work[i].deleted) {
            r->rejected_deleted += count_cells(work[i].slice);
        } else if (work[i].capped) {
            ingest_over_cap(p, work[i].why, count_cells(work[i].slice));
        } else {
            code = encode_slice(p, &work[i], &one, e);
        }
    }
    buf_fini(&one);
    return code == ERR_OK ? put_meta(p, e) : code;
}

enum err_code ingest_prepare(struct tsdb *db, struct ingest_job *job, struct ingest_record *r,
                             enum ingest_mode mode, struct err *e)
{
    struct preparing p = {
        .db = db, .job = job, .record = r, .mode = mode, .now_ms = clock_wall_ms()};
    size_t count = r->batch.slice_count;

    buf_init(&r->blob, BLOB_MAX);
    buf_init(&r->meta, META_MAX);
    struct work *work = arena_array(job->arena, count, sizeof(*work));
    r->slices = arena_array(job->arena, count, sizeof(*r->slices));
    if (!work || !r->slices) {
        return arena_check(job->arena, e);
    }
    enum err_code code = resolve_all(&p, work, e);
    if (code || p.missing) {
        assert(code || mode == INGEST_LOOKUP);
        return code;
    }
    code = encode_all(&p, work, e);
    r->ready = code == ERR_OK;
    return code;
}

bool ingest_forget_stale(struct tsdb *db, struct stream *s)
{
    uint64_t generation = atomic_load(&db->catalog->generation);

    if (s->generation == generation) {
        return false;
    }
    stream_forget(s);
    s->generation = generation;
    return true;
}

bool ingest_is_stale(const struct ingest_record *r)
{
    for (size_t i = 0; i < r->slice_count; i++) {
        if (is_dropped(r->slices[i].entry)) {
            return true;
        }
    }
    return false;
}

void ingest_committed(const struct ingest_record *r)
{
    for (size_t i = 0; i < r->slice_count; i++) {
        struct stream_entry *n = r->slices[i].entry;
        n->last_t_ms = r->slices[i].t_ms > n->last_t_ms ? r->slices[i].t_ms : n->last_t_ms;
    }
}

void ingest_free_record(struct ingest_record *r)
{
    buf_fini(&r->blob);
    buf_fini(&r->meta);
}
