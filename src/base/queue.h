/* SPDX-License-Identifier: PostgreSQL */
/*
 * queue.h: bounded queue of pointers between threads; what is put in changes its owner.
 *
 * Threads: any number of producers and consumers. After queue_close, put fails with ERR_CANCELLED
 * and take drains what is left, then returns NULL.
 */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct queue;

struct queue *queue_new(const char *name, int lock_rank, size_t capacity);
void queue_free(struct queue *q); /* must be empty */
/*
 * ERR_LIMIT when full (never blocks), ERR_CANCELLED when closed; the caller then still owns
 * `item`.
 */
enum err_code queue_put(struct queue *q, void *item, struct err *e) ERR_MUST_CHECK;
/* Wait for an item until mono_us (absolute; INT64_MAX = for ever; 0 = do not wait). NULL = none. */
void *queue_take(struct queue *q, int64_t mono_us);
void queue_close(struct queue *q);
size_t queue_length(struct queue *q);

#endif
