/* SPDX-License-Identifier: PostgreSQL */
/*
 * locked.h: memory for key material: never swapped, never in a core dump, wiped when given back.
 *
 * An area is whole pages between two pages that may not be touched, so that a read or a write past
 * its end ends the process. A child of fork finds zeros in it. Where the limit on locked memory is
 * too small the area is made all the same, and locked_is_locked tells.
 * Owner: caller frees with locked_free. Threads: any; an area is as shared as its owner makes it.
 */
#ifndef OS_LOCKED_H
#define OS_LOCKED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* `size` zero bytes. ERR_LIMIT when the system gives no memory. */
enum err_code locked_new(size_t size, void **out, struct err *e) ERR_MUST_CHECK;
void locked_free(void *area, size_t size); /* NULL allowed; size as in locked_new */
/* Whether all areas that there are could be locked into memory. */
bool locked_is_locked(void);

#endif
