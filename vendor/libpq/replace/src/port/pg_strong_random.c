/* SPDX-License-Identifier: PostgreSQL */
/*
 * pg_strong_random.c: libpq's randomness from getrandom(2).
 *
 * Upstream's opens /dev/urandom when it is built without OpenSSL; an empty chroot has none.
 */
#include "c.h"

#include <errno.h>
#include <sys/random.h>

void pg_strong_random_init(void)
{
}

bool pg_strong_random(void *buf, size_t len)
{
    unsigned char *at = buf;

    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        len -= (size_t)got;
    }
    return true;
}
