/* SPDX-License-Identifier: PostgreSQL */
/* entropy.c: getrandom(2), which needs no file and so works in an empty chroot. */
#include "os/entropy.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static void entropy_system_fill(void *out, size_t len)
{
    unsigned char *to = out;

    while (len > 0) {
        ssize_t got = getrandom(to, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort(); /* weak randomness is worse than no process */
        to += got;
        len -= (size_t)got;
    }
}

static const struct entropy_ops entropy_system = {.fill = entropy_system_fill};
static const struct entropy_ops *entropy_table = &entropy_system;

const struct entropy_ops *entropy_ops_set(const struct entropy_ops *ops)
{
    const struct entropy_ops *old = entropy_table;

    entropy_table = ops ? ops : &entropy_system;
    return old;
}

void entropy_fill(void *out, size_t len)
{
    entropy_table->fill(out, len);
}

void entropy_uuid(struct uuid *out)
{
    unsigned char random[16];

    entropy_fill(random, sizeof(random));
    text_uuid_v4(out, random);
}
