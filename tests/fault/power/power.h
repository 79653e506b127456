/* SPDX-License-Identifier: PostgreSQL */
/*
 * power.h: power cuts, simulated: what a disk may hold after one.
 *
 * The calls of the C library that change files are replaced in the test's own executable, for
 * SQLite and for os/file alike. While recording, those below a folder are noted and done.
 * Afterwards any moment can be chosen: what was synced before it is there; of what was not, each
 * write may be there, lost or torn at 512 bytes, in any order; names (made, renamed, removed) that
 * their folder's sync does not cover are there up to some point.
 * Threads: recording from any; the rest from one, while nothing is recorded.
 */
#ifndef POWER_H
#define POWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct power_note {
    uint64_t submitted, acknowledged; /* as the test told, up to the moment */
};

void power_record(const char *dir); /* its files are noted from now on; it is empty */
void power_submit(uint64_t number); /* the test is about to ask for this one */
void power_acknowledge(uint64_t number);
void power_stop(void);
size_t power_moments(void); /* how many there are to choose from */
/* Put what the disk may hold at the moment into `dir`, which is made. Moments only rise. */
void power_cut(size_t moment, uint64_t *random, const char *dir, struct power_note *note);
/* While true, syncs take no time: the machine that runs the test will not fail. */
void power_trust_machine(bool trust);
void power_forget(void);

#endif
