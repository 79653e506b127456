/* SPDX-License-Identifier: PostgreSQL */
/*
 * ingest.c: resolves the names of a record by its stream's cache, and encodes its slices.
 *
 * A record is first resolved as a whole, without any lasting effect; only then are its slices
 * encoded, so that the writer can do the same again for a record that named something new.
 * Invariants: (1) a steady push compares each row's keys with those of the last push and hashes
 *             none; (2) an object is in a slice at most once.
 */
#include "store/tsdb/ingest.h"

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
#define OWNER_TELL_US  600000000LL /* an event a stream at most this often */

/* One slice on its way: names resolved. */
struct work {
    struct slice *slice;
    struct stream_entry *entry;
    /* What its names are. The entry has those of the last slice of the group in the record. */
    uint32_t *keys, *columns;
    enum relation_type *types;
    bool skip;    /* outside the clock window */
    bool deleted; /* went with its target */
    uint64_t *objects;
    uint64_t *gone;
    size_t gone_count;
};

struct preparing {
    struct tsdb *db;
    struct ingest_job *job;
    struct ingest_record *record;
    enum ingest_mode mode;
    bool missing; /* INGEST_LOOKUP met a new name */
    int64_t now_ms;
};

/* --- names --- */

static bool is_dropped(const struct stream_entry *n)
{
    return n->group && atomic_load(&n->group->dropped);
}

static enum err_code resolve_group(struct preparing *p, struct work *w, struct err *e)
{
    struct catalog *c = p->db->catalog;
    struct catalog_relation *r = catalog_find_relation(c, w->slice->relation);
    enum err_code code = ERR_OK;

    if (!r && p->mode == INGEST_CREATE) {
        code = catalog_add_relation(c, w->slice->relation, RELATION_OBJECT, &r, e);
    }
    if (!r) {
        p->missing = true;
        return code;
    }
    struct catalog_group_key key = {r, w->slice->target, w->slice->scope};
    w->entry->group = catalog_find_group(c, &key);
    if (!w->entry->group && p->mode == INGEST_CREATE) {
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
    for (size_t k = 0; code == ERR_OK && k < n->key_count; k++) {
        if (!n->keys[k] || !str_eq(n->keys[k]->name, w->slice->key_names[k])) {
            n->row_count = 0;
            code = resolve_key(p, w, k, e);
        }
    }
    return code;
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
    size_t count = w->slice->column_count;
    enum err_code code = ERR_OK;

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

/* --- objects --- */

/* Where each key of the relation stands in the slice; -1 = it has none. */
static size_t key_places(const struct stream_entry *n, int places[LIMIT_RELATION_KEYS])
{
    size_t count = 0;

    for (size_t k = 0; k < LIMIT_RELATION_KEYS; k++) {
        places[k] = -1;
    }
    for (size_t k = 0; k < n->key_count; k++) {
        uint32_t id = n->keys[k]->id;
        places[id] = (int)k;
        count = id + 1 > count ? id + 1 : count;
    }
    return count;
}

/* Identity of a row: its key values in the relation's order; empty ones at the end are cut. */
struct identity {
    unsigned char bytes[CATALOG_KEYS_MAX];
    size_t len;
};

static void identity_add(struct identity *id, struct str value, size_t *end)
{
    size_t len = value.len < LIMIT_KEY_BYTES ? value.len : LIMIT_KEY_BYTES;
    unsigned char *p = id->bytes + *end;

    if (len >= 0x80) {
        *p++ = (unsigned char)(len | 0x80);
        *p++ = (unsigned char)(len >> 7);
    } else {
        *p++ = (unsigned char)len;
    }
    if (len) {
        memcpy(p, value.ptr, len);
    }
    *end = (size_t)(p - id->bytes) + len;
    if (len) {
        id->len = *end;
    }
}

static enum err_code resolve_object(struct preparing *p, struct work *w, struct str keys,
                                    struct catalog_object **out, struct err *e)
{
    *out = catalog_find_object(p->db->catalog, w->entry->group, keys);
    if (*out) {
        return ERR_OK;
    }
    if (p->mode == INGEST_LOOKUP) {
        p->missing = true;
        return ERR_OK;
    }
    return catalog_add_object(p->db->catalog, w->entry->group, keys, out, e);
}

static void fit_rows(struct stream_entry *n, size_t count)
{
    if (n->row_count < count) {
        n->rows = alloc_resize(n->rows, count * sizeof(struct catalog_object *));
        memset(n->rows + n->row_count, 0, (count - n->row_count) * sizeof(struct catalog_object *));
        n->row_count = count;
    }
}

/* Fills w->objects; *moved says whether a row was not the one of the last slice. */
static enum err_code resolve_rows(struct preparing *p, struct work *w, bool *moved, struct err *e)
{
    struct stream_entry *n = w->entry;
    const struct slice *s = w->slice;
    int places[LIMIT_RELATION_KEYS];
    size_t keys = key_places(n, places);
    enum err_code code = ERR_OK;

    fit_rows(n, s->row_count);
    for (size_t row = 0; code == ERR_OK && row < s->row_count; row++) {
        struct identity id;
        size_t end = 0;
        id.len = 0;
        for (size_t k = 0; k < keys; k++) {
            struct str none = {NULL, 0};
            identity_add(&id, places[k] >= 0 ? s->keys[places[k]][row] : none, &end);
        }
        struct catalog_object *o = n->rows[row];
        if (!o || o->len != id.len || memcmp(o->keys, id.bytes, id.len) != 0) {
            *moved = true;
            code = resolve_object(p, w, str_make(id.bytes, id.len), &o, e);
        }
        n->rows[row] = o;
        w->objects[row] = o ? o->id : 0;
    }
    if (n->row_count > s->row_count) {
        n->row_count = s->row_count; /* rows of older slices say nothing about the next one */
    }
    return code;
}

static void resolve_gone(struct preparing *p, struct work *w)
{
    const struct slice *s = w->slice;
    int places[LIMIT_RELATION_KEYS];
    size_t keys = key_places(w->entry, places);

    for (size_t i = 0; i < s->gone_count; i++) {
        struct identity id;
        size_t end = 0;
        id.len = 0;
        for (size_t k = 0; k < keys; k++) {
            struct str none = {NULL, 0};
            identity_add(&id, places[k] >= 0 ? s->gone[i][places[k]] : none, &end);
        }
        const struct catalog_object *o = catalog_find_object(p->db->catalog, w->entry->group,
                                                             str_make(id.bytes, id.len));
        if (o) { /* what was never seen cannot end */
            w->gone[w->gone_count++] = o->id;
        }
    }
}

/* --- rows that occur twice: the first one counts --- */

struct id_row {
    uint64_t id;
    size_t row;
};

static int compare_id_row(const void *a, const void *b)
{
    const struct id_row *x = a;
    const struct id_row *y = b;
    if (x->id != y->id) {
        return x->id < y->id ? -1 : 1;
    }
    return x->row < y->row ? -1 : x->row > y->row;
}

static void drop_rows(struct work *w, const bool *drop)
{
    struct slice *s = w->slice;
    size_t kept = 0;
    size_t reset = 0;
    size_t resets = 0;

    for (size_t row = 0; row < s->row_count; row++) {
        bool is_reset = reset < s->reset_count && s->resets[reset] == row;
        reset += is_reset;
        if (drop[row]) {
            continue;
        }
        for (size_t c = 0; c < s->column_count; c++) {
            s->columns[c].cells[kept] = s->columns[c].cells[row];
        }
        for (size_t k = 0; k < s->key_count; k++) { /* the writer may read them once more */
            s->keys[k][kept] = s->keys[k][row];
        }
        if (is_reset) {
            s->resets[resets++] = (uint32_t)kept;
        }
        w->entry->rows[kept] = w->entry->rows[row];
        w->objects[kept++] = w->objects[row];
    }
    s->row_count = w->entry->row_count = kept;
    s->reset_count = resets;
}

static enum err_code drop_repeated(struct preparing *p, struct work *w, struct err *e)
{
    size_t n = w->slice->row_count;
    struct id_row *ids = arena_array(p->job->arena, n, sizeof(*ids));
    bool *drop = arena_array(p->job->arena, n, sizeof(*drop));
    size_t dropped = 0;

    if (!ids || !drop) {
        return arena_check(p->job->arena, e);
    }
    for (size_t i = 0; i < n; i++) {
        ids[i] = (struct id_row){w->objects[i], i};
    }
    qsort(ids, n, sizeof(*ids), compare_id_row);
    for (size_t i = 1; i < n; i++) {
        if (ids[i].id == ids[i - 1].id) {
            drop[ids[i].row] = true;
            dropped++;
        }
    }
    if (dropped) {
        p->record->rejected_cap += dropped * w->slice->column_count;
        drop_rows(w, drop);
    }
    return ERR_OK;
}

static bool ids_rise(const uint64_t *ids, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (ids[i] <= ids[i - 1]) {
            return false;
        }
    }
    return true;
}

static enum err_code resolve_objects(struct preparing *p, struct work *w, struct err *e)
{
    bool moved = false;

    w->objects = arena_array(p->job->arena, w->slice->row_count, sizeof(*w->objects));
    w->gone = arena_array(p->job->arena, w->slice->gone_count, sizeof(*w->gone));
    w->gone_count = 0;
    if (!w->objects || !w->gone) {
        return arena_check(p->job->arena, e);
    }
    enum err_code code = resolve_rows(p, w, &moved, e);
    if (code == ERR_OK && !p->missing) {
        resolve_gone(p, w);
        if (moved && !ids_rise(w->objects, w->slice->row_count)) {
            code = drop_repeated(p, w, e);
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
    if (!w->entry->group) {
        code = resolve_group(p, w, e);
    }
    if (code || p->missing) {
        return code;
    }
    code = resolve_keys(p, w, e);
    if (code == ERR_OK) {
        code = resolve_columns(p, w, e);
    }
    bool fact = w->entry->group->relation->shape == RELATION_FACT;
    if (code == ERR_OK && !p->missing && !fact) {
        code = resolve_objects(p, w, e);
    }
    return code == ERR_OK && !p->missing ? keep_names(p, w, e) : code;
}

static enum err_code resolve_relations(struct preparing *p, struct err *e)
{
    const struct batch *b = &p->record->batch;
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < b->relation_count; i++) {
        if (catalog_knows(p->db->catalog, &b->relations[i])) {
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

static bool claim(struct preparing *p, const struct work *w)
{
    int64_t every = w->slice->every_ms < LEASE_MAX_MS ? w->slice->every_ms : LEASE_MAX_MS;
    int64_t lease = LEASE_READINGS * every;

    if (lease < LEASE_MIN_MS) {
        lease = LEASE_MIN_MS;
    }
    return catalog_claim(p->db->catalog, w->entry->group, &p->job->push->collector, lease,
                         clock_mono_us());
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
    bool clock = strcmp(reason, "clock") == 0;
    char title[120];

    (void)snprintf(title, sizeof(title), "%llu samples %s were not stored",
                   (unsigned long long)samples,
                   clock ? "outside the clock window" : "of a target another collector delivers");
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

/* A second collector goes on for as long as it runs: one event now and then says it all. */
static bool owner_is_news(struct preparing *p)
{
    struct stream *s = p->job->stream;
    int64_t now = clock_mono_us();

    if (!p->record->rejected_owner ||
        (s->owner_told_us && now - s->owner_told_us < OWNER_TELL_US)) {
        return false;
    }
    s->owner_told_us = now;
    return true;
}

static enum err_code put_meta(struct preparing *p, struct err *e)
{
    const struct batch *b = &p->record->batch;
    bool owner = owner_is_news(p);
    struct json_writer w;

    buf_reset(&p->record->meta);
    if (!b->event_count && !b->text_count && !b->target_count && !p->record->rejected_clock &&
        !owner) {
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
    if (owner) {
        put_gap_event(p, &w, "owner", p->record->rejected_owner);
    }
    json_array_end(&w);
    json_object_end(&w);
    return buf_check(&p->record->meta, e);
}

/* --- one record --- */

static enum err_code resolve_all(struct preparing *p, struct work *work, struct err *e)
{
    struct batch *b = &p->record->batch;
    enum err_code code = resolve_relations(p, e);

    for (size_t i = 0; code == ERR_OK && !p->missing && i < b->slice_count; i++) {
        struct slice *s = &b->slices[i];
        work[i].slice = s;
        work[i].skip = s->t_ms < p->now_ms - TSDB_CLOCK_PAST_MS ||
                       s->t_ms > p->now_ms + TSDB_CLOCK_AHEAD_MS;
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
