/* SPDX-License-Identifier: PostgreSQL */
/* crc32c.h: the Castagnoli CRC (RFC 3720), in software with slicing. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continue from `crc` (0 to begin). */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

#endif
