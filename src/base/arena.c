/* SPDX-License-Identifier: PostgreSQL */
/*
 * arena.c: chunks of growing size, blocks cut from the newest one.
 *
 * A block that is large for the current chunk gets a chunk of its own, put behind the current one,
 * so that no big tail is wasted. Under the address sanitizer the unused bytes and a gap behind each
 * block are poisoned: an overrun between two blocks is then seen.
 */
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define ARENA_RED_ZONE       16
#define ARENA_HIDE(ptr, len) ASAN_POISON_MEMORY_REGION(ptr, len)
#define ARENA_SHOW(ptr, len) ASAN_UNPOISON_MEMORY_REGION(ptr, len)
#else
#define ARENA_RED_ZONE       0
#define ARENA_HIDE(ptr, len) ((void)(ptr), (void)(len))
#define ARENA_SHOW(ptr, len) ((void)(ptr), (void)(len))
#endif

#define ARENA_ALIGN     ((size_t)16)
#define ARENA_CHUNK_MIN ((size_t)4096)
#define ARENA_CHUNK_MAX ((size_t)1024 * 1024)

struct arena_chunk {
    struct arena_chunk *next; /* older */
    size_t cap, used;
    size_t pad; /* keeps `bytes` on 16 */
    unsigned char bytes[];
};

_Static_assert(offsetof(struct arena_chunk, bytes) % 16 == 0, "blocks are 16-byte aligned");

void arena_init(struct arena *a, const char *name, size_t cap_bytes)
{
    *a = (struct arena){.name = name, .cap_bytes = cap_bytes};
}

static void arena_chunk_free(struct arena_chunk *chunk)
{
    ARENA_SHOW(chunk->bytes, chunk->cap);
    alloc_free(chunk);
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *keep = a->chunks;

    a->used_bytes = 0;
    a->overflow = false;
    if (!keep)
        return;
    while (keep->next) {
        struct arena_chunk *old = keep->next;

        keep->next = old->next;
        arena_chunk_free(old);
    }
    keep->used = 0;
    ARENA_HIDE(keep->bytes, keep->cap);
}

void arena_fini(struct arena *a)
{
    arena_reset(a);
    if (a->chunks)
        arena_chunk_free(a->chunks);
    a->chunks = NULL;
}

static struct arena_chunk *arena_chunk_new(size_t cap)
{
    struct arena_chunk *chunk = alloc_try(NULL, sizeof(*chunk) + cap);

    if (!chunk)
        return NULL;
    *chunk = (struct arena_chunk){.cap = cap};
    ARENA_HIDE(chunk->bytes, cap);
    return chunk;
}

/* A chunk with room for `need` bytes; NULL when memory is exhausted. */
static struct arena_chunk *arena_chunk_for(struct arena *a, size_t need)
{
    struct arena_chunk *current = a->chunks, *chunk;
    size_t cap;

    if (current && current->cap - current->used >= need)
        return current;
    cap = current ? current->cap * 2 : ARENA_CHUNK_MIN;
    if (cap > ARENA_CHUNK_MAX)
        cap = ARENA_CHUNK_MAX;
    if (current && need > cap / 4) {
        chunk = arena_chunk_new(need);
        if (chunk) {
            chunk->next = current->next;
            current->next = chunk;
        }
        return chunk;
    }
    chunk = arena_chunk_new(need > cap ? need : cap);
    if (chunk) {
        chunk->next = current;
        a->chunks = chunk;
    }
    return chunk;
}

void arena_reserve(struct arena *a, size_t size_bytes)
{
    struct arena_chunk *chunk = NULL;

    if (!a->chunks || a->chunks->cap < size_bytes)
        chunk = arena_chunk_new(size_bytes);
    if (!chunk)
        return;
    chunk->next = a->chunks;
    a->chunks = chunk;
}

/* As arena_alloc, not zeroed. */
static void *arena_take(struct arena *a, size_t size_bytes)
{
    struct arena_chunk *chunk;
    size_t need;
    void *block;

    if (a->overflow)
        return NULL;
    if (size_bytes > a->cap_bytes || size_bytes > SIZE_MAX / 2)
        goto overflow;
    need = size_bytes ? (size_bytes + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1) : ARENA_ALIGN;
    if (need > a->cap_bytes - a->used_bytes)
        goto overflow;
    chunk = arena_chunk_for(a, need + ARENA_RED_ZONE);
    if (!chunk)
        goto overflow;
    block = chunk->bytes + chunk->used;
    chunk->used += need + ARENA_RED_ZONE;
    a->used_bytes += need;
    ARENA_SHOW(block, size_bytes);
    return block;
overflow:
    a->overflow = true;
    return NULL;
}

void *arena_alloc(struct arena *a, size_t size_bytes)
{
    void *block = arena_take(a, size_bytes);

    return block ? memset(block, 0, size_bytes) : NULL;
}

void *arena_room(struct arena *a, size_t count, size_t size_bytes)
{
    size_t total;

    if (__builtin_mul_overflow(count, size_bytes, &total)) {
        a->overflow = true;
        return NULL;
    }
    return arena_take(a, total);
}

void *arena_array(struct arena *a, size_t count, size_t size_bytes)
{
    size_t total;

    if (__builtin_mul_overflow(count, size_bytes, &total)) {
        a->overflow = true;
        return NULL;
    }
    return arena_alloc(a, total);
}

char *arena_strndup(struct arena *a, const char *text, size_t len)
{
    char *copy = len < SIZE_MAX ? arena_take(a, len + 1) : NULL;

    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *arena_cstr(struct arena *a, struct str s)
{
    return arena_strndup(a, s.ptr, s.len);
}

struct str arena_str(struct arena *a, struct str s)
{
    char *copy = arena_strndup(a, s.ptr, s.len);

    return copy ? str_make(copy, s.len) : (struct str){NULL, 0};
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    va_list again;
    char *text = NULL;
    int len;

    va_copy(again, ap);
    len = vsnprintf(NULL, 0, fmt, ap);
    if (len >= 0)
        text = arena_take(a, (size_t)len + 1);
    if (text)
        (void)vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    return text;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return text;
}

enum err_code arena_check(const struct arena *a, struct err *e)
{
    return a->overflow ? arena_fail(a, e) : ERR_OK;
}
