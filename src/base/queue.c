/* SPDX-License-Identifier: PostgreSQL */
/* queue.c: a ring of pointers under one lock. */
#include "base/queue.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/thread.h"

struct queue {
    struct lock lock;
    struct cond filled;
    const char *name;
    size_t capacity;
    size_t head; /* of the oldest item */
    size_t length;
    bool closed;
    void *items[];
};

struct queue *queue_new(const char *name, int lock_rank, size_t capacity)
{
    struct queue *q;

    assert(capacity > 0 && capacity <= SIZE_MAX / 2 / sizeof(void *));
    q = alloc_new(sizeof(*q) + capacity * sizeof(q->items[0]));
    lock_init(&q->lock, name, lock_rank);
    cond_init(&q->filled);
    q->name = name;
    q->capacity = capacity;
    return q;
}

void queue_free(struct queue *q)
{
    if (!q)
        return;
    assert(q->length == 0);
    cond_fini(&q->filled);
    lock_fini(&q->lock);
    alloc_free(q);
}

enum err_code queue_put(struct queue *q, void *item, struct err *e)
{
    bool closed, full;

    assert(item);
    lock_take(&q->lock);
    closed = q->closed;
    full = q->length == q->capacity;
    if (!closed && !full) {
        q->items[(q->head + q->length) % q->capacity] = item;
        q->length++;
        cond_signal(&q->filled);
    }
    lock_release(&q->lock);
    if (closed)
        return err_set(e, ERR_CANCELLED, "queue %s is closed", q->name);
    if (full)
        return err_set(e, ERR_LIMIT, "queue %s is full (%zu items)", q->name, q->capacity);
    return ERR_OK;
}

void *queue_take(struct queue *q, int64_t mono_us)
{
    void *item = NULL;
    bool in_time = mono_us > 0;

    lock_take(&q->lock);
    while (q->length == 0 && !q->closed && in_time)
        in_time = cond_wait_until(&q->filled, &q->lock, mono_us);
    if (q->length > 0) {
        item = q->items[q->head];
        q->head = (q->head + 1) % q->capacity;
        q->length--;
    }
    lock_release(&q->lock);
    return item;
}

void queue_close(struct queue *q)
{
    lock_take(&q->lock);
    q->closed = true;
    cond_broadcast(&q->filled);
    lock_release(&q->lock);
}

size_t queue_length(struct queue *q)
{
    size_t length;

    lock_take(&q->lock);
    length = q->length;
    lock_release(&q->lock);
    return length;
}
