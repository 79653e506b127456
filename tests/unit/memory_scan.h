/* SPDX-License-Identifier: PostgreSQL */
/*
 * memory_scan.h: looks for a secret in all memory of this process that can be written, as a core
 * dump would show it. The secret is given masked, so that the search does not find itself.
 */
#ifndef TEST_MEMORY_SCAN_H
#define TEST_MEMORY_SCAN_H

#include <stddef.h>

#define MEMORY_SCAN_MASK 0xa5

/* How many copies there are; masked: each byte XOR MEMORY_SCAN_MASK; at least 8 bytes. */
size_t memory_scan_count(const unsigned char *masked, size_t len);

#endif
