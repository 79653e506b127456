/* SPDX-License-Identifier: PostgreSQL */
/*
 * alloc.c: the allocator behind its table.
 *
 * Blocks of 1 kB to 4 MB are what one request after the other takes and gives back: bodies,
 * documents, arenas. The C library returns them to the kernel each time, and mapping, faulting in
 * and unmapping them again cost more than reading a push. So some are kept, by powers of two.
 * Threads: alloc_table is set before threads start and only read afterwards; the kept blocks have a
 * lock a size.
 */
#include "base/alloc.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ALLOC_KEEPS_NONE 1 /* they are to see every block come and go */
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ALLOC_KEEPS_NONE 1
#endif

#define KEEP_FIRST \
    10 /* 1 kB: the C library maps such blocks in groups of a few, and unmaps those */
#define KEEP_LAST  22 /* 4 MB */
#define KEEP_SIZES (KEEP_LAST - KEEP_FIRST + 1)
#define KEEP_BYTES ((size_t)8 << 20) /* in all: a bound on what an idle process holds */

struct alloc_kept {
    struct alloc_kept *next;
};

static struct alloc_shelf {
    pthread_mutex_t lock;
    struct alloc_kept *first;
} alloc_shelves[KEEP_SIZES] = {[0 ... KEEP_SIZES - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};

static atomic_size_t alloc_kept_bytes;

/* The power of two that a block of this size is kept under, or -1. */
static int alloc_size_up(size_t size)
{
    if (size < (size_t)1 << KEEP_FIRST || size > (size_t)1 << KEEP_LAST)
        return -1;
    return 64 - __builtin_clzll(size - 1);
}

static int alloc_size_down(size_t size)
{
    if (size < (size_t)1 << KEEP_FIRST || size >= (size_t)2 << KEEP_LAST)
        return -1;
    return 63 - __builtin_clzll(size);
}

static struct alloc_shelf *alloc_shelf_of(int power)
{
    return &alloc_shelves[(unsigned)(power - KEEP_FIRST) % KEEP_SIZES];
}

static void *alloc_take(size_t size)
{
    int power = alloc_size_up(size);

    if (power < 0)
        return malloc(size);
    struct alloc_shelf *shelf = alloc_shelf_of(power);
    pthread_mutex_lock(&shelf->lock);
    struct alloc_kept *block = shelf->first;
    if (block)
        shelf->first = block->next;
    pthread_mutex_unlock(&shelf->lock);
    if (!block)
        return malloc((size_t)1 << power);
    atomic_fetch_sub(&alloc_kept_bytes, (size_t)1 << power);
    return block;
}

/* Whether the block was kept. */
static bool alloc_keep(struct alloc_kept *block, int power)
{
    size_t size = (size_t)1 << power;
    struct alloc_shelf *shelf = alloc_shelf_of(power);

    if (atomic_fetch_add(&alloc_kept_bytes, size) + size > KEEP_BYTES) {
        atomic_fetch_sub(&alloc_kept_bytes, size);
        return false;
    }
    pthread_mutex_lock(&shelf->lock);
    block->next = shelf->first;
    shelf->first = block;
    pthread_mutex_unlock(&shelf->lock);
    return true;
}

/* --- secrets --- */

static _Thread_local unsigned alloc_wiping;

void alloc_wipe_begin(void)
{
    alloc_wiping++;
}

void alloc_wipe_end(void)
{
    alloc_wiping--;
}

static void alloc_wipe(void *ptr)
{
    if (ptr && alloc_wiping > 0)
        explicit_bzero(ptr, malloc_usable_size(ptr));
}

/* What realloc would leave behind cannot be wiped. */
static void *alloc_move_wiped(void *old, size_t size)
{
    size_t have = malloc_usable_size(old);
    void *ptr = malloc(size);

    if (!ptr)
        return NULL;
    memcpy(ptr, old, have < size ? have : size);
    alloc_wipe(old);
    free(old);
    return ptr;
}

/* --- keeping --- */

static void alloc_give(void *ptr)
{
    int power = ptr ? alloc_size_down(malloc_usable_size(ptr)) : -1;

    alloc_wipe(ptr);
    if (power < 0 || !alloc_keep(ptr, power))
        free(ptr);
}

static void *alloc_move(void *old, size_t size)
{
    size_t have = old ? malloc_usable_size(old) : 0;
    void *ptr;

    if (!old)
        return alloc_take(size);
    if (alloc_size_up(size) < 0 && alloc_size_down(have) < 0)
        return alloc_wiping > 0 ? alloc_move_wiped(old, size) : realloc(old, size);
    if (size <= have && size >= have / 2)
        return old;
    ptr = alloc_take(size);
    if (ptr) {
        memcpy(ptr, old, have < size ? have : size);
        alloc_give(old);
    }
    return ptr;
}

#ifdef ALLOC_KEEPS_NONE
static void *alloc_plain_move(void *old, size_t size)
{
    return old && alloc_wiping > 0 ? alloc_move_wiped(old, size) : realloc(old, size);
}

static void alloc_plain_give(void *ptr)
{
    alloc_wipe(ptr);
    free(ptr);
}

static const struct alloc_ops alloc_system = {alloc_plain_move, alloc_plain_give};
static const struct alloc_ops alloc_keeping __attribute__((unused)) = {alloc_move, alloc_give};
#else
static const struct alloc_ops alloc_system = {.resize = alloc_move, .release = alloc_give};
#endif
static const struct alloc_ops *alloc_table = &alloc_system;

/* The one sanctioned exit below app/: systemd restarts us (STYLE 4). */
static void alloc_die(void)
{
    static const char text[] = "pga: out of memory\n";

    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    abort();
}

const struct alloc_ops *alloc_ops_set(const struct alloc_ops *ops)
{
    const struct alloc_ops *old = alloc_table;

    alloc_table = ops ? ops : &alloc_system;
    return old;
}

void *alloc_try(void *old, size_t size_bytes)
{
    return alloc_table->resize(old, size_bytes ? size_bytes : 1);
}

void *alloc_resize(void *old, size_t size_bytes)
{
    void *ptr = alloc_try(old, size_bytes);

    if (!ptr)
        alloc_die();
    return ptr;
}

void *alloc_new(size_t size_bytes)
{
    return memset(alloc_resize(NULL, size_bytes), 0, size_bytes);
}

void *alloc_array(size_t count, size_t size_bytes)
{
    size_t total;

    if (__builtin_mul_overflow(count, size_bytes, &total))
        alloc_die();
    return alloc_new(total);
}

char *alloc_strdup(const char *text)
{
    return text ? alloc_strndup(text, strlen(text)) : NULL;
}

char *alloc_strndup(const char *text, size_t len)
{
    char *copy = alloc_resize(NULL, len + 1);

    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

void alloc_free(void *ptr)
{
    alloc_table->release(ptr);
}

void alloc_free_secret(void *ptr, size_t size_bytes)
{
    if (!ptr)
        return;
    explicit_bzero(ptr, size_bytes);
    alloc_free(ptr);
}
