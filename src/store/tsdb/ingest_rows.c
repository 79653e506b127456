/* SPDX-License-Identifier: PostgreSQL */
/*
 * ingest_rows.c: the rows of a slice become objects.
 *
 * Invariants: (1) a steady push compares each row's keys with those of the last push, or one number
 *             for all of them (slice.rows_like), and hashes none; (2) an object is in a slice at
 *             most once; (3) a row over a cap is left out; (4) the objects of an entry whose group
 *             was not dropped are in memory as long as the entry is.
 */
#include "store/tsdb/ingest_private.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "os/clock.h"

#include <stdlib.h>
#include <string.h>

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

/* A row that may not be added is left out: its object stays NULL, and nothing is missing. */
static bool may_add_object(struct preparing *p, struct work *w)
{
    w->why = TSDB_CAP_OBJECTS;
    if (!ingest_may_add(p, TSDB_CAP_OBJECTS)) {
        return false;
    }
    w->why = TSDB_CAP_NEW_OBJECTS;
    bool may = ingest_may_add(p, TSDB_CAP_NEW_OBJECTS);
    if (!may && p->mode == INGEST_CREATE) {
        cap_give(p->job->stream->use, TSDB_CAP_OBJECTS, 1);
    }
    return may;
}

static enum err_code resolve_object(struct preparing *p, struct work *w, struct str keys,
                                    struct catalog_object **out, struct err *e)
{
    *out = catalog_find_object(p->db->catalog, w->entry->group, keys);
    if (*out || !may_add_object(p, w)) {
        return ERR_OK;
    }
    if (p->mode == INGEST_LOOKUP) {
        p->missing = true;
        return ERR_OK;
    }
    return catalog_add_object(p->db->catalog, w->entry->group, keys, out, e);
}

bool ingest_knows_rows(const struct stream_entry *n, const struct slice *s)
{
    return s->rows_like != 0 && n->rows_like == s->rows_like && n->group &&
           n->group->relation->shape != RELATION_FACT && n->row_count == s->row_count &&
           n->key_count == s->key_count;
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
    int64_t now = clock_mono_ms();
    int64_t note = catalog_note_ms(p->db->config.object_rest_ms);

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
        if (o) {
            catalog_note(o, now, note);
        }
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
        struct catalog_object *o = catalog_find_object(p->db->catalog, w->entry->group,
                                                       str_make(id.bytes, id.len));
        if (o) { /* what was never seen cannot end */
            catalog_note(o, clock_mono_ms(), catalog_note_ms(p->db->config.object_rest_ms));
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

/* Rows over a cap. A reading without them is not complete: what it lacks has not ended. */
static enum err_code drop_capped(struct preparing *p, struct work *w, struct err *e)
{
    size_t n = w->slice->row_count;
    bool *drop = arena_array(p->job->arena, n, sizeof(*drop));
    size_t dropped = 0;

    for (size_t i = 0; drop && i < n; i++) {
        drop[i] = !w->objects[i];
        dropped += drop[i];
    }
    if (dropped) {
        ingest_over_cap(p, w->why, dropped * w->slice->column_count);
        w->slice->flags &= ~(unsigned)SLICE_COMPLETE;
        drop_rows(w, drop);
    }
    return arena_check(p->job->arena, e);
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

/* The rows of the last slice again. */
static void repeat_rows(const struct preparing *p, struct work *w)
{
    int64_t now = clock_mono_ms();
    int64_t note = catalog_note_ms(p->db->config.object_rest_ms);

    for (size_t row = 0; row < w->slice->row_count; row++) {
        struct catalog_object *o = w->entry->rows[row];
        w->objects[row] = o->id;
        catalog_note(o, now, note);
    }
}

enum err_code ingest_resolve_rows(struct preparing *p, struct work *w, struct err *e)
{
    bool moved = false;
    size_t count = w->slice->row_count;

    w->objects = arena_array(p->job->arena, w->slice->row_count, sizeof(*w->objects));
    w->gone = arena_array(p->job->arena, w->slice->gone_count, sizeof(*w->gone));
    w->gone_count = 0;
    if (!w->objects || !w->gone) {
        return arena_check(p->job->arena, e);
    }
    if (ingest_knows_rows(w->entry, w->slice)) {
        repeat_rows(p, w);
        resolve_gone(p, w);
        return ERR_OK;
    }
    w->entry->rows_like = 0;
    enum err_code code = resolve_rows(p, w, &moved, e);
    if (code == ERR_OK && !p->missing && moved) {
        code = drop_capped(p, w, e);
    }
    if (code == ERR_OK && !p->missing) {
        resolve_gone(p, w);
        if (moved && !ids_rise(w->objects, w->slice->row_count)) {
            code = drop_repeated(p, w, e);
        }
    }
    if (code == ERR_OK && !p->missing && w->slice->row_count == count) {
        w->entry->rows_like = w->slice->rows_like;
    }
    return code;
}
