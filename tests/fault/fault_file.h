/* SPDX-License-Identifier: PostgreSQL */
/*
 * fault_file.h: the Nth operation on a file fails: those of os/file.h and those of SQLite.
 *
 * Operations are counted from fault_file_arm on; what fails is chosen by its number, so a scenario
 * that is run once for every number meets each failure once.
 */
#ifndef FAULT_FILE_H
#define FAULT_FILE_H

#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
    FAULT_EIO,    /* the call does nothing and says EIO */
    FAULT_ENOSPC, /* likewise, of what needs room: others are let through */
    FAULT_SHORT,  /* a write does half of its work, and the next one says ENOSPC */
    FAULT_KINDS
};

struct fault_plan {
    enum fault_kind kind;
    uint64_t at;   /* number of the operation, from 1; 0 = none */
    bool for_good; /* it and all after it, until fault_file_disarm */
};

const char *fault_kind_name(enum fault_kind kind);
/* Put the counting tables in place; once a process, before SQLite is used. */
void fault_file_install(void);
void fault_file_arm(const struct fault_plan *plan);
/* No more failures; returns how many operations there were since fault_file_arm. */
uint64_t fault_file_disarm(void);
/* How many of them failed. */
uint64_t fault_file_hits(void);

#endif
