/* SPDX-License-Identifier: PostgreSQL */
/*
 * fault.h: named points at which a test build kills the process or fails a call.
 *
 * FAULT_POINT("spool.after_append") does nothing in a release build. With -DPGA_FAULTS the
 * environment variable PGA_FAULT=name[:nth] makes the nth passage (default 1) end the process with
 * SIGKILL; with PGA_FAULT_STOP set it stops instead, until somebody sends SIGCONT. Every name also
 * stands in fault.c's table, which `pga --fault-points` prints, so that a test can prove that all
 * were hit; an unlisted name aborts in test builds.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stddef.h>

#ifdef PGA_FAULTS
#define FAULT_POINT(name) fault_hit(name)
#else
#define FAULT_POINT(name) ((void)0)
#endif

void fault_hit(const char *name);
/* Test builds: call `saw` at each passage of a point, from whichever thread; NULL = nobody. */
void fault_watch(void (*saw)(const char *name));
/* The table of names, `*count` of them (0 in release builds). */
const char *const *fault_names(size_t *count);

#endif
