/* SPDX-License-Identifier: PostgreSQL */
/*
 * api_rate.h: how many requests one client may make: a token bucket each.
 *
 * A bucket belongs to an agent, to a session, or, for requests without a valid credential, to an
 * address: so a stranger uses up nothing of those who share the address with him and are known.
 * It holds ten seconds' worth of requests. Its whole state is one number, the moment at which it
 * will be full again (the generic cell rate algorithm), so 65536 of them take a few MB.
 * Owner:   api_rate_free
 * Threads: any; one lock, rank 54
 */
#ifndef API_API_RATE_H
#define API_API_RATE_H

#include <stdint.h>

#include "base/str.h"

enum api_rate_kind { API_RATE_ADDRESS, API_RATE_SESSION, API_RATE_COLLECTOR };
#define API_RATE_KINDS 3

struct api_rate_limits {
    int64_t per_s[API_RATE_KINDS]; /* 0 = no limit */
};

struct api_rate;

struct api_rate *api_rate_new(const struct api_rate_limits *limits);
void api_rate_free(struct api_rate *r); /* NULL allowed */
/*
 * Take one request out of the bucket of `who` at mono_us.
 * Returns 0 when it may be served, else in how many ms one more may (rounded up, at least 1).
 */
int64_t api_rate_take(struct api_rate *r, enum api_rate_kind kind, struct str who, int64_t mono_us);

#endif
