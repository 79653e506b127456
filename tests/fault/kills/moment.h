/* SPDX-License-Identifier: PostgreSQL */
/*
 * moment.h: the moment at which a process is killed, within a phase of its work.
 *
 * A phase begins at one fault point and ends at another (base/fault.h). Within it the process dies
 * by SIGKILL before the nth change of a file or message to a database, of any thread, or a time
 * after the beginning, by a timer of the kernel's. How long phases are is learnt from those that
 * were passed. The calls of the C library that change files or send are replaced in the test's
 * executable; they sync nothing: a kill loses nothing that was written.
 * Threads: any; moment_init before there are others.
 */
#ifndef MOMENT_H
#define MOMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct moment_phase {
    const char *name;
    const char *first, *last; /* fault points, or what the test passes itself */
    uint64_t passed_most;     /* of them a process comes through up to so many before it dies */
};

/* In memory that the process shares with the one that waits for its death. */
struct moment {
    struct moment_phase phase;
    uint64_t random;
    uint64_t usual_ops, usual_us; /* of a phase; 0 = none was passed yet */
    _Atomic uint64_t passed;      /* phases that this process came through */
    char text[160];               /* the moment that was chosen, and of how many */
    char file[64];                /* what was to be done to which file, if it was before a change */
    const char *_Atomic point;    /* the newest one that was passed */
    _Atomic bool inside;
};

void moment_init(struct moment *m); /* in the process that is to die */
void moment_pass(const char *point);
uint64_t moment_random(uint64_t *state); /* splitmix64 */

#endif
