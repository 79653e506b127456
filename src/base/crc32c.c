/* SPDX-License-Identifier: PostgreSQL */
/* crc32c.c: eight bytes a step over tables that are made at first use. */
#include "base/crc32c.h"

#include <pthread.h>

#define CRC32C_POLYNOMIAL UINT32_C(0x82F63B78) /* reflected 0x1EDC6F41 */

static uint32_t crc32c_table[8][256];
static pthread_once_t crc32c_once = PTHREAD_ONCE_INIT;

static void crc32c_make_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;

        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) ? CRC32C_POLYNOMIAL : 0);
        crc32c_table[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int t = 1; t < 8; t++) {
            uint32_t before = crc32c_table[t - 1][i];

            crc32c_table[t][i] = (before >> 8) ^ crc32c_table[0][before & 0xFF];
        }
    }
}

static uint32_t crc32c_load(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;

    (void)pthread_once(&crc32c_once, crc32c_make_tables);
    crc = ~crc;
    for (; len >= 8; len -= 8, p += 8) {
        uint32_t low = crc ^ crc32c_load(p), high = crc32c_load(p + 4);

        crc = crc32c_table[7][low & 0xFF] ^ crc32c_table[6][(low >> 8) & 0xFF] ^
              crc32c_table[5][(low >> 16) & 0xFF] ^ crc32c_table[4][low >> 24] ^
              crc32c_table[3][high & 0xFF] ^ crc32c_table[2][(high >> 8) & 0xFF] ^
              crc32c_table[1][(high >> 16) & 0xFF] ^ crc32c_table[0][high >> 24];
    }
    for (; len > 0; len--, p++)
        crc = (crc >> 8) ^ crc32c_table[0][(crc ^ *p) & 0xFF];
    return ~crc;
}
