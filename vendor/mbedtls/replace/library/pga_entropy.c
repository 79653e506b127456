/* SPDX-License-Identifier: PostgreSQL */
/*
 * pga_entropy.c: the only entropy source of Mbed TLS in pga, getrandom(2).
 *
 * Upstream uses getrandom only where __GLIBC__ is defined and opens /dev/urandom elsewhere, which
 * an empty chroot does not have. The call blocks until the kernel's pool is initialised.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/random.h>

#include "mbedtls/entropy.h"

int mbedtls_hardware_poll(void *data, unsigned char *output, size_t len, size_t *olen);

int mbedtls_hardware_poll(void *data, unsigned char *output, size_t len, size_t *olen)
{
    size_t done = 0;

    (void)data;
    while (done < len) {
        ssize_t got = getrandom(output + done, len - done, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
        done += (size_t)got;
    }
    *olen = len;
    return 0;
}
