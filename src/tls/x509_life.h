/* SPDX-License-Identifier: PostgreSQL */
/*
 * x509_life.h: when the holder of a certificate renews it, and in which way.
 *
 *     FRESH --half of its life, give or take a tenth of that--> DUE --its end--> LATE --> LOST
 *
 * Two clocks are asked. The wall clock may be wrong: when it is before the certificate's begin it
 * says nothing, and what the monotonic clock counted since the certificate was taken decides. When
 * either says that it is time, it is: to renew too early does no harm.
 */
#ifndef TLS_X509_LIFE_H
#define TLS_X509_LIFE_H

#include <stdint.h>

#include "tls/x509.h"

enum x509_life_state {
    X509_LIFE_FRESH,
    X509_LIFE_DUE,  /* renew with it */
    X509_LIFE_LATE, /* it has expired: renew by a signed request */
    X509_LIFE_LOST  /* beyond the grace: enrol again */
};

struct x509_life {
    int64_t not_before_s, not_after_s;
    int64_t due_after_s; /* seconds from its begin on */
    int64_t taken_mono_s;
    int64_t age_at_taking_s; /* how old it was then, by the wall clock; 0 = unknown */
};

/* The moment of renewal is chosen here, at random. */
void x509_life_init(struct x509_life *life, const struct x509_facts *facts, int64_t now_s,
                    int64_t mono_s);
enum x509_life_state x509_life_at(const struct x509_life *life, int64_t now_s, int64_t mono_s,
                                  int64_t grace_s);
const char *x509_life_name(enum x509_life_state state);

#endif
