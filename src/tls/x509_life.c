/* SPDX-License-Identifier: PostgreSQL */
/* x509_life.c: see the header. */
#include "tls/x509_life.h"

#include "os/entropy.h"

#define TENTH 10

void x509_life_init(struct x509_life *life, const struct x509_facts *facts, int64_t now_s,
                    int64_t mono_s)
{
    int64_t half = (facts->not_after_s - facts->not_before_s) / 2;
    int64_t spread = half / TENTH;
    uint32_t random;

    entropy_fill(&random, sizeof(random));
    life->not_before_s = facts->not_before_s;
    life->not_after_s = facts->not_after_s;
    life->due_after_s = half - spread;
    if (spread > 0)
        life->due_after_s += (int64_t)(random % (uint64_t)(2 * spread + 1));
    life->taken_mono_s = mono_s;
    life->age_at_taking_s = now_s >= facts->not_before_s && now_s <= facts->not_after_s
                                ? now_s - facts->not_before_s
                                : 0;
}

enum x509_life_state x509_life_at(const struct x509_life *life, int64_t now_s, int64_t mono_s,
                                  int64_t grace_s)
{
    int64_t age_s = mono_s - life->taken_mono_s + life->age_at_taking_s;

    if (now_s > life->not_after_s + grace_s)
        return X509_LIFE_LOST;
    if (now_s > life->not_after_s)
        return X509_LIFE_LATE;
    if (now_s >= life->not_before_s && now_s - life->not_before_s >= life->due_after_s)
        return X509_LIFE_DUE;
    return age_s >= life->due_after_s ? X509_LIFE_DUE : X509_LIFE_FRESH;
}

const char *x509_life_name(enum x509_life_state state)
{
    static const char *const names[] = {"fresh", "due", "late", "lost"};

    return names[state];
}
