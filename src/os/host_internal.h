/* SPDX-License-Identifier: PostgreSQL */
/*
 * host_internal.h: what the readers of /proc and of control groups share.
 */
#ifndef OS_HOST_INTERNAL_H
#define OS_HOST_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define HOST_FILE_BYTES ((size_t)1024 * 1024) /* the intr line of /proc/stat can be long */
#define HOST_PATH_MAX   512
#define CGROUP_PATH_MAX 1024

/* The next word of `*s`; empty at the end. */
struct str host_word(struct str *s);
/* How many numbers of `line` went into `out`. */
size_t host_numbers(struct str line, uint64_t *out, size_t max);
/* The file root + path, appended. */
enum err_code host_read(const char *root, const char *path, struct buf *out,
                        struct err *e) ERR_MUST_CHECK;

/* One hierarchy of control groups: the folder it is mounted at and our group in it. */
struct cgroup_place {
    const char *root;
    char mount[64];
    char group[CGROUP_PATH_MAX / 2]; /* starts with '/', or is empty for the root */
    bool found;
};

struct cgroup_places {
    struct cgroup_place unified; /* version 2 */
    struct cgroup_place cpu, cpuacct, memory, blkio, pids;
};

/* Where our groups are, from /proc/self/cgroup; a kernel without control groups finds none. */
enum err_code host_cgroup_find(const char *root, struct cgroup_places *out,
                               struct err *e) ERR_MUST_CHECK;
/* A file of a group of that hierarchy; false when it is not there. */
bool host_cgroup_read(const struct cgroup_place *at, const char *group, const char *file,
                      struct buf *out);

#endif
