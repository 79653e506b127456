/* SPDX-License-Identifier: PostgreSQL */
/*
 * object_memo.c: a short table of lists; the oldest ones make room.
 *
 * There are few questions, each of a dashboard's: a search through their hashes costs nothing
 * beside what is read then.
 */
#include "store/tsdb/read/object_memo.h"

#include <string.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "store/tsdb/engine.h"

#define QUESTIONS 128

struct kept {
    uint64_t hash, used; /* used: by the clock of the table */
    char *question;      /* NULL = free */
    size_t question_len;
    uint64_t through;
    size_t count;
    uint64_t *ids;
};

struct object_memo {
    struct lock lock;
    size_t bytes, max_bytes;
    uint64_t clock;
    struct kept kept[QUESTIONS];
};

struct object_memo *object_memo_new(size_t bytes)
{
    struct object_memo *m = alloc_new(sizeof(*m));

    lock_init(&m->lock, "tsdb object memo", TSDB_LOCK_MEMO);
    m->max_bytes = bytes;
    return m;
}

static size_t size_of(size_t question_len, size_t count)
{
    return question_len + count * sizeof(uint64_t);
}

static void forget(struct object_memo *m, struct kept *k)
{
    if (k->question) {
        m->bytes -= size_of(k->question_len, k->count);
        alloc_free(k->question);
        alloc_free(k->ids);
        memset(k, 0, sizeof(*k));
    }
}

void object_memo_free(struct object_memo *m)
{
    if (m) {
        for (size_t i = 0; i < QUESTIONS; i++) {
            forget(m, &m->kept[i]);
        }
        lock_fini(&m->lock);
        alloc_free(m);
    }
}

static struct kept *find(struct object_memo *m, struct str question, uint64_t hash)
{
    for (size_t i = 0; i < QUESTIONS; i++) {
        struct kept *k = &m->kept[i];
        if (k->question && k->hash == hash &&
            str_eq(str_make(k->question, k->question_len), question)) {
            return k;
        }
    }
    return NULL;
}

/* The one to be used for a new list: a free one, or the one that was asked for least lately. */
static struct kept *oldest(struct object_memo *m)
{
    struct kept *found = &m->kept[0];

    for (size_t i = 1; i < QUESTIONS && found->question; i++) {
        struct kept *k = &m->kept[i];
        found = !k->question || k->used < found->used ? k : found;
    }
    return found;
}

/* The least lately used one that is there. */
static void make_room(struct object_memo *m, size_t need)
{
    while (m->bytes + need > m->max_bytes) {
        struct kept *found = NULL;
        for (size_t i = 0; i < QUESTIONS; i++) {
            struct kept *k = &m->kept[i];
            found = k->question && (!found || k->used < found->used) ? k : found;
        }
        if (!found) {
            return;
        }
        forget(m, found);
    }
}

static void *copy_of(const void *bytes, size_t len)
{
    void *copy = alloc_resize(NULL, len ? len : 1);

    if (len) {
        memcpy(copy, bytes, len);
    }
    return copy;
}

bool object_memo_get(struct object_memo *m, struct str question, struct arena *a,
                     struct object_list *out)
{
    uint64_t hash = str_hash(question);
    uint64_t *ids = NULL;

    lock_take(&m->lock);
    struct kept *k = find(m, question, hash);
    if (k) {
        k->used = ++m->clock;
        ids = arena_room(a, k->count, sizeof(*ids));
        if (ids && k->count) {
            memcpy(ids, k->ids, k->count * sizeof(*ids));
        }
        *out = (struct object_list){k->through, k->count, ids};
    }
    lock_release(&m->lock);
    return ids;
}

void object_memo_put(struct object_memo *m, struct str question, const struct object_list *list)
{
    uint64_t hash = str_hash(question);
    size_t need = size_of(question.len, list->count);

    if (need > m->max_bytes / 4) {
        return;
    }
    lock_take(&m->lock);
    struct kept *k = find(m, question, hash);
    if (!k || k->through < list->through) {
        if (k) {
            forget(m, k);
        }
        make_room(m, need);
        k = oldest(m);
        forget(m, k);
        *k = (struct kept){.hash = hash,
                           .used = ++m->clock,
                           .question = copy_of(question.ptr, question.len),
                           .question_len = question.len,
                           .through = list->through,
                           .count = list->count,
                           .ids = copy_of(list->ids, list->count * sizeof(*list->ids))};
        m->bytes += need;
    }
    lock_release(&m->lock);
}

size_t object_memo_bytes(struct object_memo *m)
{
    lock_take(&m->lock);
    size_t bytes = m->bytes;
    lock_release(&m->lock);
    return bytes;
}
