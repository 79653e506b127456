/* SPDX-License-Identifier: PostgreSQL */
/*
 * alloc.h: the only place that calls malloc, behind a replaceable table.
 *
 * alloc_new/alloc_array/alloc_resize abort the process when memory is exhausted: they are for small
 * internal things. Anything sized by outside data is bounded first by base/limits.h, and may use
 * alloc_try, which returns NULL.
 *
 * Threads: any. alloc_ops_set only before threads start (tests, library hooks).
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>

struct alloc_ops {
    void *(*resize)(void *old, size_t size_bytes); /* as realloc; NULL = exhausted */
    void (*release)(void *ptr);                    /* NULL allowed */
};

/* Replace the allocator; NULL restores the system's. Returns the table that was in force. */
const struct alloc_ops *alloc_ops_set(const struct alloc_ops *ops);

/*
 * Between the two, whatever this thread gives back is wiped first: for work through which secrets
 * pass, of which copies stay in documents, arenas and buffers. May be nested.
 */
void alloc_wipe_begin(void);
void alloc_wipe_end(void);

#define ALLOC_NEVER_NULL __attribute__((returns_nonnull))

ALLOC_NEVER_NULL void *alloc_new(size_t size_bytes);                 /* zeroed */
ALLOC_NEVER_NULL void *alloc_array(size_t count, size_t size_bytes); /* zeroed; overflow-checked */
ALLOC_NEVER_NULL void *alloc_resize(void *old, size_t size_bytes);   /* not zeroed */
void *alloc_try(void *old, size_t size_bytes); /* not zeroed; NULL when exhausted (old stays) */
char *alloc_strdup(const char *text);          /* NULL gives NULL */
char *alloc_strndup(const char *text, size_t len);
void alloc_free(void *ptr);                           /* NULL allowed */
void alloc_free_secret(void *ptr, size_t size_bytes); /* wipes before freeing; NULL allowed */

#endif
