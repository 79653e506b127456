/* SPDX-License-Identifier: PostgreSQL */
/*
 * entropy.h: random bytes from the kernel (getrandom(2)), behind a replaceable table for tests.
 */
#ifndef OS_ENTROPY_H
#define OS_ENTROPY_H

#include <stddef.h>

#include "base/text.h"

struct entropy_ops {
    void (*fill)(void *out, size_t len); /* never fails: aborts instead */
};

const struct entropy_ops *entropy_ops_set(const struct entropy_ops *ops);
void entropy_fill(void *out, size_t len);
void entropy_uuid(struct uuid *out);

#endif
