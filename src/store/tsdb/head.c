/* SPDX-License-Identifier: PostgreSQL */
/*
 * head.c: slices in memory: per group a list of bundles and one of pieces.
 *
 * Bundles have memory of their own, so that folding gives it back; pieces are packed one after the
 * other, since they go with the head.
 */
#include "store/tsdb/head.h"

#include "base/alloc.h"
#include "base/map.h"
#include "os/clock.h"

#include <string.h>

#define PIECE_CHUNK  (256 * 1024)
#define BUNDLE_CHUNK (16 * 1024)
#define BUNDLE_FIRST 512
#define BUNDLE_BYTES (256 * 1024) /* a bundle is closed sooner when it has that much */
#define BUNDLE_LEAST 8            /* slices that are worth it even then */

struct head_chunk {
    struct head_chunk *next;
    size_t used, size;
    char bytes[];
};

struct list {
    uint64_t group;
    size_t bundle_count, bundle_cap;
    struct head_bundle **bundles; /* in order of lsn; only the last one may be open */
    size_t piece_count, piece_cap;
    struct head_piece **pieces;
};

struct head {
    int pins;
    size_t bytes, loose, count;
    int64_t oldest_mono_us;
    int64_t first_ms;
    struct head_chunk *chunks; /* of pieces */
    struct map *lists;         /* group id -> struct list */
    struct head_bundle *queue_first, *queue_last;
};

struct head *head_new(void)
{
    struct head *h = alloc_new(sizeof(*h));
    h->pins = 1;
    h->first_ms = INT64_MAX;
    h->lists = map_new();
    return h;
}

void head_pin(struct head *h)
{
    h->pins++;
}

bool head_unpin(struct head *h)
{
    return --h->pins == 0;
}

static void free_chunks(struct head_chunk *c)
{
    while (c) {
        struct head_chunk *next = c->next;
        alloc_free(c);
        c = next;
    }
}

static void drop_bundle(struct head_bundle *b)
{
    if (--b->holds == 0) {
        free_chunks(b->chunks);
        alloc_free(b->slices);
        alloc_free(b);
    }
}

static void free_list(void *value)
{
    struct list *l = value;
    for (size_t i = 0; i < l->bundle_count; i++) {
        drop_bundle(l->bundles[i]);
    }
    alloc_free(l->bundles);
    alloc_free(l->pieces);
    alloc_free(l);
}

void head_free(struct head *h)
{
    if (!h) {
        return;
    }
    map_free(h->lists, free_list);
    free_chunks(h->chunks);
    alloc_free(h);
}

/* Room for bytes that never move; a new chunk of about `size` when the newest one is full. */
static char *take_room(struct head_chunk **chunks, size_t len, size_t size)
{
    struct head_chunk *c = *chunks;

    if (!c || c->size - c->used < len) {
        size = len + sizeof(*c) > size ? len + sizeof(*c) : size;
        c = alloc_resize(NULL, size);
        c->next = *chunks;
        c->used = 0;
        c->size = size - sizeof(*c);
        *chunks = c;
    }
    char *at = c->bytes + c->used;
    c->used += len;
    return at;
}

static struct list *list_of(struct head *h, uint64_t group)
{
    struct str key = str_make(&group, sizeof(group));
    struct list *l = map_get(h->lists, key);

    if (!l) {
        l = alloc_new(sizeof(*l));
        l->group = group;
        (void)map_put(h->lists, key, l);
        h->bytes += sizeof(*l) + 64;
    }
    return l;
}

static struct head_bundle *open_bundle(struct list *l)
{
    struct head_bundle *b = l->bundle_count ? l->bundles[l->bundle_count - 1] : NULL;

    if (b && !b->closed) {
        return b;
    }
    if (l->bundle_count == l->bundle_cap) {
        l->bundle_cap = l->bundle_cap ? 2 * l->bundle_cap : 2;
        l->bundles = alloc_resize(l->bundles, l->bundle_cap * sizeof(struct head_bundle *));
    }
    b = alloc_new(sizeof(*b));
    b->group = l->group;
    b->holds = 1;
    l->bundles[l->bundle_count++] = b;
    return b;
}

/* Bytes in chunks that double: a group of few small slices takes little. */
static void add_slice(struct head_bundle *b, const struct head_slice *s)
{
    size_t chunk = b->bytes < BUNDLE_FIRST ? BUNDLE_FIRST : 2 * b->bytes;

    if (b->count == b->cap) {
        b->cap = b->cap ? 2 * b->cap : 4;
        b->slices = alloc_resize(b->slices, b->cap * sizeof(*b->slices));
    }
    char *at = take_room(&b->chunks, s->bytes.len, chunk < BUNDLE_CHUNK ? chunk : BUNDLE_CHUNK);
    if (s->bytes.len) {
        memcpy(at, s->bytes.ptr, s->bytes.len);
    }
    b->slices[b->count] = *s;
    b->slices[b->count++].bytes = str_make(at, s->bytes.len);
    b->bytes += s->bytes.len + sizeof(*s);
}

static void close_bundle(struct head *h, struct head_bundle *b)
{
    b->closed = true;
    if (h->queue_last) {
        h->queue_last->next = b;
    } else {
        h->queue_first = b;
    }
    h->queue_last = b;
}

void head_link(struct head *h, uint64_t group, const struct head_slice *s)
{
    struct head_bundle *b = open_bundle(list_of(h, group));
    size_t before = b->bytes;

    add_slice(b, s);
    h->bytes += b->bytes - before;
    h->loose += b->bytes - before;
    h->count++;
    h->first_ms = s->t_ms < h->first_ms ? s->t_ms : h->first_ms;
    if (h->oldest_mono_us == 0) {
        h->oldest_mono_us = clock_mono_us();
    }
    if (b->count == HEAD_BUNDLE_SLICES || (b->bytes > BUNDLE_BYTES && b->count >= BUNDLE_LEAST)) {
        close_bundle(h, b);
    }
}

size_t head_bytes(const struct head *h)
{
    return h->bytes;
}

size_t head_loose_bytes(const struct head *h)
{
    return h->loose;
}

size_t head_count(const struct head *h)
{
    return h->count;
}

int64_t head_oldest_mono_us(const struct head *h)
{
    return h->oldest_mono_us;
}

int64_t head_first_ms(const struct head *h)
{
    return h->first_ms;
}

/* --- all of it --- */

static size_t count_items(const struct head *h)
{
    struct str key;
    void *value = NULL;
    size_t n = 0;

    for (size_t pos = 0; map_next(h->lists, &pos, &key, &value);) {
        const struct list *l = value;
        n += l->piece_count;
        for (size_t i = 0; i < l->bundle_count; i++) {
            n += l->bundles[i]->count;
        }
    }
    return n;
}

static struct head_item piece_item(const struct head_piece *p)
{
    return (struct head_item){
        p->group,
        {.lsn = p->lsn, .t_ms = p->t_min, .every_ms = p->every_ms, .bytes = {NULL, 0}},
        p};
}

struct head_item *head_items(const struct head *h, struct arena *a, size_t *count)
{
    struct head_item *items = arena_array(a, count_items(h), sizeof(*items));
    struct str key;
    void *value = NULL;
    size_t n = 0;

    for (size_t pos = 0; items && map_next(h->lists, &pos, &key, &value);) {
        const struct list *l = value;
        for (size_t i = 0; i < l->piece_count; i++) {
            items[n++] = piece_item(l->pieces[i]);
        }
        for (size_t i = 0; i < l->bundle_count; i++) {
            for (size_t s = 0; s < l->bundles[i]->count; s++) {
                items[n++] = (struct head_item){l->group, l->bundles[i]->slices[s], NULL};
            }
        }
    }
    *count = n;
    return items;
}

/* --- reading --- */

static void look_at_bundle(struct head_bundle *b, const struct head_window *w,
                           struct head_view *out)
{
    size_t before = out->slice_count;

    for (size_t i = 0; i < b->count; i++) {
        const struct head_slice *s = &b->slices[i];
        if (s->lsn <= w->lsn && s->t_ms > w->from_ms && s->t_ms <= w->to_ms) {
            out->slices[out->slice_count++] = *s;
        }
    }
    if (out->slice_count > before) {
        b->holds++;
        out->bundles[out->bundle_count++] = b;
    }
}

bool head_look(const struct head *h, const struct head_window *w, struct arena *a,
               struct head_view *out)
{
    const struct list *l = map_get(h->lists, str_make(&w->group, sizeof(w->group)));
    size_t slices = 0;

    *out = (struct head_view){0};
    if (!l) {
        return true;
    }
    for (size_t i = 0; i < l->bundle_count; i++) {
        slices += l->bundles[i]->count;
    }
    out->slices = arena_array(a, slices, sizeof(*out->slices));
    out->pieces = arena_array(a, l->piece_count, sizeof(const struct head_piece *));
    out->bundles = arena_array(a, l->bundle_count, sizeof(struct head_bundle *));
    if (!out->slices || !out->pieces || !out->bundles) {
        return false;
    }
    for (size_t i = 0; i < l->bundle_count; i++) {
        look_at_bundle(l->bundles[i], w, out);
    }
    for (size_t i = 0; i < l->piece_count; i++) {
        if (l->pieces[i]->t_max > w->from_ms && l->pieces[i]->t_min <= w->to_ms) {
            out->pieces[out->piece_count++] = l->pieces[i];
        }
    }
    return true;
}

void head_release(struct head_view *v)
{
    for (size_t i = 0; i < v->bundle_count; i++) {
        drop_bundle(v->bundles[i]);
    }
    *v = (struct head_view){0};
}

/* --- folding --- */

bool head_fold_waits(const struct head *h)
{
    return h->queue_first != NULL;
}

struct head_bundle *head_fold_take(struct head *h, uint64_t lsn)
{
    struct head_bundle *b = h->queue_first;

    if (!b || b->slices[b->count - 1].lsn > lsn) {
        return NULL;
    }
    h->queue_first = b->next;
    h->queue_last = h->queue_first ? h->queue_last : NULL;
    b->next = NULL;
    b->holds++;
    return b;
}

static struct str keep_bytes(struct head *h, struct str s)
{
    char *at = take_room(&h->chunks, s.len, PIECE_CHUNK);

    if (s.len) {
        memcpy(at, s.ptr, s.len);
    }
    h->bytes += s.len;
    return str_make(at, s.len);
}

/* Aligned: a chunk holds bytes of any length beside it. */
static void *keep_struct(struct head *h, size_t size)
{
    const size_t to = _Alignof(max_align_t);
    char *at = take_room(&h->chunks, size + to - 1, PIECE_CHUNK);

    h->bytes += size + to - 1;
    return at + (to - (uintptr_t)at % to) % to;
}

static struct head_piece *keep_piece(struct head *h, const struct head_piece *from)
{
    struct head_piece *p = keep_struct(h, sizeof(*p));

    *p = *from;
    p->packed.parts = keep_struct(h, from->packed.part_count * sizeof(struct str));
    p->packed.head = keep_bytes(h, from->packed.head);
    for (size_t i = 0; i < from->packed.part_count; i++) {
        p->packed.parts[i] = keep_bytes(h, from->packed.parts[i]);
    }
    return p;
}

static void remove_bundle(struct head *h, struct list *l, struct head_bundle *b)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->bundle_count; i++) {
        if (l->bundles[i] != b) {
            l->bundles[kept++] = l->bundles[i];
        }
    }
    l->bundle_count = kept;
    h->bytes -= b->bytes;
    h->loose -= b->bytes;
    drop_bundle(b);
}

void head_fold_put(struct head *h, struct head_bundle *b, const struct head_piece *pieces,
                   size_t count)
{
    struct list *l = list_of(h, b->group);

    for (size_t i = 0; i < count; i++) {
        if (l->piece_count == l->piece_cap) {
            l->piece_cap = l->piece_cap ? 2 * l->piece_cap : 2;
            l->pieces = alloc_resize(l->pieces, l->piece_cap * sizeof(struct head_piece *));
        }
        l->pieces[l->piece_count++] = keep_piece(h, &pieces[i]);
    }
    remove_bundle(h, l, b);
    drop_bundle(b);
}

void head_fold_refuse(struct head_bundle *b)
{
    drop_bundle(b);
}
