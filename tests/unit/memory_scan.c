/* SPDX-License-Identifier: PostgreSQL */
/* memory_scan.c: see the header. */
#include "memory_scan.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WINDOW   ((size_t)1024 * 1024)
#define TOO_LONG ((unsigned long)1 << 30) /* a sanitizer's shadow */

static size_t count_in(const unsigned char *p, size_t n, const unsigned char *masked, size_t len)
{
    const unsigned char first = masked[0] ^ MEMORY_SCAN_MASK;
    size_t found = 0;

    for (size_t i = 0; i + len <= n; i++) {
        size_t k = 0;
        const unsigned char *hit = memchr(p + i, first, n - len - i + 1);

        if (hit == NULL)
            return found;
        i = (size_t)(hit - p);
        while (k < len && (unsigned char)(p[i + k] ^ MEMORY_SCAN_MASK) == masked[k])
            k++;
        found += k == len;
    }
    return found;
}

struct scan {
    int fd;
    unsigned char *window; /* a mapping of its own, which is left out */
    const unsigned char *masked;
    size_t len;
};

/* Windows overlap by len - 1 bytes. */
static size_t count_between(const struct scan *s, unsigned long from, unsigned long to)
{
    size_t found = 0;

    while (from < to) {
        size_t want = to - from < WINDOW ? to - from : WINDOW;
        ssize_t got = pread(s->fd, s->window, want, (off_t)from);

        if (got < (ssize_t)s->len)
            return found;
        found += count_in(s->window, (size_t)got, s->masked, s->len);
        if ((size_t)got == to - from)
            return found;
        from += (size_t)got - (s->len - 1);
    }
    return found;
}

static size_t count_line(const struct scan *s, const char *line)
{
    char *rest;
    unsigned long from = strtoul(line, &rest, 16);
    unsigned long to = *rest == '-' ? strtoul(rest + 1, &rest, 16) : 0;

    if (strncmp(rest, " rw", 3) != 0 || to - from > TOO_LONG ||
        ((unsigned long)s->window >= from && (unsigned long)s->window < to))
        return 0;
    return count_between(s, from, to);
}

size_t memory_scan_count(const unsigned char *masked, size_t len)
{
    struct scan s = {.masked = masked, .len = len};
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    size_t found = 0;

    s.fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    /* shared, so that the kernel does not join it with its neighbours */
    s.window = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (maps == NULL || s.fd < 0 || s.window == MAP_FAILED)
        abort();
    while (fgets(line, sizeof(line), maps))
        found += count_line(&s, line);
    (void)fclose(maps);
    close(s.fd);
    (void)munmap(s.window, WINDOW);
    return found;
}
