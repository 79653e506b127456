/* SPDX-License-Identifier: PostgreSQL */
/* api_rate.c: see the header. */
#include "api/api_rate.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/thread.h"
#include "os/net_address.h"

#define BURST_S   10
#define KEY_BYTES 64 /* of what names a client; a longer name is cut */

struct bucket {
    int64_t full_us; /* when it will be full again; one that is need not be kept */
};

struct api_rate {
    struct api_rate_limits limits;
    struct lock lock; /* for all that follows */
    struct map *buckets;
    int64_t forgot_us; /* when full ones were last forgotten: it takes a walk over all */
    struct bucket crowd[API_RATE_KINDS]; /* shared by all for whom there is no place */
};

struct api_rate *api_rate_new(const struct api_rate_limits *limits)
{
    struct api_rate *r = alloc_new(sizeof(*r));

    r->limits = *limits;
    r->forgot_us = INT64_MIN / 2;
    r->buckets = map_new();
    lock_init(&r->lock, "api.rate", 54);
    return r;
}

void api_rate_free(struct api_rate *r)
{
    if (r == NULL)
        return;
    map_free(r->buckets, alloc_free);
    lock_fini(&r->lock);
    alloc_free(r);
}

/* An address as its bytes, however it was written; of IPv6 the /64, as one client has that many. */
static struct str address_key(struct str text, struct net_address *address)
{
    if (net_address_parse(text, address, NULL) != ERR_OK)
        return text;
    net_address_unmap(address);
    return str_make((const char *)address->bytes, address->is_v6 ? 8 : 4);
}

/* Kind and name. */
static struct str key_of(enum api_rate_kind kind, struct str who, char out[KEY_BYTES + 1])
{
    struct net_address address;

    if (kind == API_RATE_ADDRESS)
        who = address_key(who, &address);
    if (who.len > KEY_BYTES)
        who.len = KEY_BYTES;
    out[0] = (char)('a' + (int)kind);
    if (who.len > 0)
        memcpy(out + 1, who.ptr, who.len);
    return str_make(out, who.len + 1);
}

/* Forget the buckets that are full again. */
static void forget_full(struct api_rate *r, int64_t mono_us)
{
    struct map *kept = map_new();
    struct str key;
    size_t pos = 0;
    void *value;

    r->forgot_us = mono_us;
    while (map_next(r->buckets, &pos, &key, &value)) {
        struct bucket *b = value;

        if (b->full_us > mono_us)
            (void)map_put(kept, key, b);
        else
            alloc_free(b);
    }
    map_free(r->buckets, NULL);
    r->buckets = kept;
}

static struct bucket *bucket_of(struct api_rate *r, enum api_rate_kind kind, struct str key,
                                int64_t mono_us)
{
    struct bucket *b = map_get(r->buckets, key);

    if (b != NULL)
        return b;
    if (map_count(r->buckets) >= LIMIT_RATE_BUCKETS && mono_us - r->forgot_us >= 1000000)
        forget_full(r, mono_us);
    if (map_count(r->buckets) >= LIMIT_RATE_BUCKETS)
        return &r->crowd[kind];
    b = alloc_new(sizeof(*b));
    (void)map_put(r->buckets, key, b);
    return b;
}

int64_t api_rate_take(struct api_rate *r, enum api_rate_kind kind, struct str who, int64_t mono_us)
{
    int64_t per_s = r->limits.per_s[kind], step_us, late_us;
    char name[KEY_BYTES + 1];
    struct bucket *b;

    if (per_s <= 0)
        return 0;
    step_us = per_s > 1000000 ? 1 : 1000000 / per_s;
    lock_take(&r->lock);
    b = bucket_of(r, kind, key_of(kind, who, name), mono_us);
    if (b->full_us < mono_us)
        b->full_us = mono_us;
    late_us = b->full_us + step_us - mono_us - (int64_t)BURST_S * 1000000;
    if (late_us <= 0)
        b->full_us += step_us;
    lock_release(&r->lock);
    return late_us <= 0 ? 0 : (late_us + 999) / 1000;
}
