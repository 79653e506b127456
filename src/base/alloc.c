/* SPDX-License-Identifier: PostgreSQL */
/*
 * alloc.c: the allocator behind its table.
 *
 * Threads: alloc_table is set before threads start and only read afterwards.
 */
#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct alloc_ops alloc_system = {.resize = realloc, .release = free};
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
