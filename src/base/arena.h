/* SPDX-License-Identifier: PostgreSQL */
/*
 * arena.h: memory with one lifetime, freed as a whole (a cycle, a request, a command, a load).
 *
 * Invariants: (1) an arena never hands out more than its cap; (2) once an allocation did not
 * fit, the overflow flag stays set and each later allocation returns NULL, so a caller may check
 * once at the end; (3) blocks are 16-byte aligned and zeroed.
 * Threads: one owner at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct arena {
    const char *name; /* for messages; static text */
    size_t cap_bytes;
    size_t used_bytes;
    bool overflow;
    struct arena_chunk *chunks; /* private */
};

/* Life cycle */
void arena_init(struct arena *a, const char *name, size_t cap_bytes);
void arena_reset(struct arena *a); /* all blocks are gone; keeps one chunk for reuse */
void arena_fini(struct arena *a);
/*
 * Have one chunk of this size, which a reset keeps as long as what is taken in between fits: for
 * who fills and resets an arena many times. No more than a hint.
 */
void arena_reserve(struct arena *a, size_t size_bytes);

/* Use: all return NULL (or the empty view) after an overflow; size 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t size_bytes);
void *arena_array(struct arena *a, size_t count, size_t size_bytes);
/* Not zeroed: for large arrays that are filled at once. */
void *arena_room(struct arena *a, size_t count, size_t size_bytes);
char *arena_strndup(struct arena *a, const char *text, size_t len);
char *arena_cstr(struct arena *a, struct str s);     /* NUL-terminated copy */
struct str arena_str(struct arena *a, struct str s); /* copy */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap);

/* Query: ERR_LIMIT naming the arena and its cap after an overflow. */
enum err_code arena_check(const struct arena *a, struct err *e) ERR_MUST_CHECK;
/* The same for one who was given NULL: never ERR_OK. Inline, so that analysers see that too. */
static inline enum err_code arena_fail(const struct arena *a, struct err *e)
{
    return err_set(e, ERR_LIMIT, "%s: the memory limit of %zu bytes was reached", a->name,
                   a->cap_bytes);
}

#endif
