/* SPDX-License-Identifier: PostgreSQL */
/*
 * fingerprint.h: 128 bits by which two long texts are told apart, at several bytes a cycle.
 *
 * Keyed, and no cryptographic hash: who knows the key can make two texts with one fingerprint. To
 * all others two texts look alike with a chance of about 2^-128 for each pair. A text that comes in
 * pieces has another fingerprint for each way to cut it: the pieces are framed by their length.
 * Invariant: the same on every machine and in every version, for fingerprints are stored.
 * Threads: any; no shared state.
 */
#ifndef BASE_FINGERPRINT_H
#define BASE_FINGERPRINT_H

#include <stdint.h>

#include "base/str.h"

struct fingerprint {
    uint64_t word[2];
};

struct fingerprint_key {
    uint64_t word[4];
};

/* The key that 16 bytes give: an id, or random ones. */
void fingerprint_key_of(const unsigned char bytes[16], struct fingerprint_key *out);

struct fingerprint fingerprint_begin(const struct fingerprint_key *key);
void fingerprint_add(struct fingerprint *f, const struct fingerprint_key *key, struct str piece);
/* Nothing is added after it. */
void fingerprint_end(struct fingerprint *f, const struct fingerprint_key *key);

/* Of a text in one piece. */
struct fingerprint fingerprint_of(const struct fingerprint_key *key, struct str text);

static inline bool fingerprint_eq(struct fingerprint a, struct fingerprint b)
{
    return a.word[0] == b.word[0] && a.word[1] == b.word[1];
}

#endif
