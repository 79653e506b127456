/* SPDX-License-Identifier: PostgreSQL */
/*
 * locked.c: pages by mmap(2), mlock(2) and madvise(2).
 *
 * MADV_DONTDUMP and MADV_WIPEONFORK are hints that every Linux we run on has (3.4, 4.14); one that
 * has not leaves an area that is merely locked.
 */
#include "os/locked.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static atomic_bool not_locked;

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t whole_pages(size_t size)
{
    size_t page = page_size();

    return (size + page - 1) / page * page;
}

enum err_code locked_new(size_t size, void **out, struct err *e)
{
    size_t inner = whole_pages(size), page = page_size();
    char *area = mmap(NULL, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (area == MAP_FAILED)
        return err_set_errno(e, ERR_LIMIT, errno, "no memory for keys");
    if (mprotect(area + page, inner, PROT_READ | PROT_WRITE) != 0) {
        enum err_code rc = err_set_errno(e, ERR_LIMIT, errno, "no memory for keys");

        (void)munmap(area, inner + 2 * page);
        return rc;
    }
    if (mlock(area + page, inner) != 0)
        atomic_store(&not_locked, true);
    (void)madvise(area + page, inner, MADV_DONTDUMP);
    (void)madvise(area + page, inner, MADV_WIPEONFORK);
    *out = area + page;
    return ERR_OK;
}

void locked_free(void *area, size_t size)
{
    size_t inner = whole_pages(size), page = page_size();

    if (area == NULL)
        return;
    explicit_bzero(area, inner);
    (void)munmap((char *)area - page, inner + 2 * page);
}

bool locked_is_locked(void)
{
    return !atomic_load(&not_locked);
}
