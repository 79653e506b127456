/* SPDX-License-Identifier: PostgreSQL */
/*
 * host_limits.c: what the control group lets us use, versions 1 and 2.
 *
 * /proc/self/cgroup names our group per hierarchy. Its limits and those of all groups above hold:
 * the smallest on the way to the root counts. Inside a container that path may not be visible below
 * /sys/fs/cgroup: the files of the mount's own root are then ours.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/num.h"
#include "os/file.h"
#include "os/host.h"
#include "os/host_internal.h"

#define CGROUP_FILE_BYTES ((size_t)64 * 1024)
#define CGROUP_UNLIMITED  (UINT64_C(1) << 60) /* version 1 says "no limit" with a huge number */

bool host_cgroup_read(const struct cgroup_place *at, const char *group, const char *file,
                      struct buf *out)
{
    char path[CGROUP_PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/sys/fs/cgroup%s%s/%s", at->root, at->mount, group,
                       file);

    buf_reset(out);
    if (len < 0 || (size_t)len >= sizeof(path))
        return false;
    return file_read_all(path, out, NULL) == ERR_OK;
}

/* Read `file` of our group and of each above it; `take` sees every text that exists. */
static void cgroup_walk(const struct cgroup_place *at, const char *file,
                        void (*take)(struct str text, struct host_limits *out),
                        struct host_limits *out)
{
    char group[CGROUP_PATH_MAX / 2];
    struct buf text;

    if (!at->found)
        return;
    buf_init(&text, CGROUP_FILE_BYTES);
    memcpy(group, at->group, sizeof(group));
    for (;;) {
        char *slash = strrchr(group, '/');

        if (host_cgroup_read(at, group, file, &text))
            take(str_trim(buf_view(&text)), out);
        if (!slash)
            break;
        *slash = '\0';
    }
    buf_fini(&text);
}

static void cgroup_take_memory(struct str text, struct host_limits *out)
{
    uint64_t bytes;

    if (num_parse_u64(text, UINT64_MAX, &bytes, NULL) != ERR_OK || bytes >= CGROUP_UNLIMITED)
        return; /* "max" is no number */
    if (!out->has_memory || bytes < out->memory_bytes)
        out->memory_bytes = bytes;
    out->has_memory = true;
}

static void cgroup_take_quota(double quota_us, double period_us, struct host_limits *out)
{
    if (quota_us <= 0 || period_us <= 0)
        return;
    if (!out->has_cpu || quota_us / period_us < out->cpus)
        out->cpus = quota_us / period_us;
    out->has_cpu = true;
}

/* Version 2, cpu.max: "max 100000" or "50000 100000". */
static void cgroup_take_cpu_max(struct str text, struct host_limits *out)
{
    struct str quota = str_split(&text, ' ');
    double quota_us, period_us;

    if (num_parse_f64(quota, &quota_us, NULL) == ERR_OK &&
        num_parse_f64(text, &period_us, NULL) == ERR_OK)
        cgroup_take_quota(quota_us, period_us, out);
}

/* Version 1: quota and period are two files of one group. */
static void cgroup_walk_cfs(const struct cgroup_place *at, struct host_limits *out)
{
    char group[CGROUP_PATH_MAX / 2];
    struct buf quota, period;

    if (!at->found)
        return;
    buf_init(&quota, CGROUP_FILE_BYTES);
    buf_init(&period, CGROUP_FILE_BYTES);
    memcpy(group, at->group, sizeof(group));
    for (;;) {
        char *slash = strrchr(group, '/');
        double quota_us, period_us;

        if (host_cgroup_read(at, group, "cpu.cfs_quota_us", &quota) &&
            host_cgroup_read(at, group, "cpu.cfs_period_us", &period) &&
            num_parse_f64(str_trim(buf_view(&quota)), &quota_us, NULL) == ERR_OK &&
            num_parse_f64(str_trim(buf_view(&period)), &period_us, NULL) == ERR_OK)
            cgroup_take_quota(quota_us, period_us, out);
        if (!slash)
            break;
        *slash = '\0';
    }
    buf_fini(&quota);
    buf_fini(&period);
}

/* What our own group uses; nearest file that exists. */
static void cgroup_read_used(const struct cgroup_place *at, const char *file,
                             struct host_limits *out)
{
    struct buf text;
    uint64_t bytes;

    if (!at->found || out->memory_used_bytes > 0)
        return;
    buf_init(&text, CGROUP_FILE_BYTES);
    if ((host_cgroup_read(at, at->group, file, &text) || host_cgroup_read(at, "", file, &text)) &&
        num_parse_u64(str_trim(buf_view(&text)), UINT64_MAX, &bytes, NULL) == ERR_OK)
        out->memory_used_bytes = bytes;
    buf_fini(&text);
}

static void cgroup_set(struct cgroup_place *at, struct str controllers, struct str group)
{
    int len;

    if (group.len >= sizeof(at->group) || group.len == 0 || group.ptr[0] != '/')
        return;
    len = snprintf(at->mount, sizeof(at->mount), "%s%.*s", controllers.len > 0 ? "/" : "",
                   STR_ARG(controllers));
    if (len < 0 || (size_t)len >= sizeof(at->mount))
        return;
    memcpy(at->group, group.ptr, group.len);
    at->group[group.len] = '\0';
    if (group.len == 1)
        at->group[0] = '\0';
    at->found = true;
}

static bool cgroup_has(struct str controllers, const char *name)
{
    while (controllers.len > 0) {
        if (str_eq_c(str_split(&controllers, ','), name))
            return true;
    }
    return false;
}

/* Lines "hierarchy:controllers:group"; version 2 is "0::group". */
static void cgroup_find(struct str text, struct cgroup_places *out)
{
    while (text.len > 0) {
        struct str line = str_split(&text, '\n');
        struct str hierarchy = str_split(&line, ':');
        struct str controllers = str_split(&line, ':');

        if (str_eq_c(hierarchy, "0") && controllers.len == 0)
            cgroup_set(&out->unified, controllers, line);
        if (cgroup_has(controllers, "cpu"))
            cgroup_set(&out->cpu, controllers, line);
        if (cgroup_has(controllers, "cpuacct"))
            cgroup_set(&out->cpuacct, controllers, line);
        if (cgroup_has(controllers, "memory"))
            cgroup_set(&out->memory, controllers, line);
        if (cgroup_has(controllers, "blkio"))
            cgroup_set(&out->blkio, controllers, line);
        if (cgroup_has(controllers, "pids"))
            cgroup_set(&out->pids, controllers, line);
    }
}

enum err_code host_cgroup_find(const char *root, struct cgroup_places *out, struct err *e)
{
    const struct cgroup_place none = {.root = root};
    struct buf text;
    enum err_code rc;

    *out = (struct cgroup_places){none, none, none, none, none, none};
    buf_init(&text, CGROUP_FILE_BYTES);
    rc = host_read(root, "/proc/self/cgroup", &text, e);
    if (rc == ERR_NOT_FOUND) {
        rc = ERR_OK; /* a kernel without control groups limits nothing */
        if (e)
            err_clear(e);
    }
    if (rc == ERR_OK)
        cgroup_find(buf_view(&text), out);
    buf_fini(&text);
    return rc;
}

enum err_code host_read_limits(const char *root, struct host_limits *out, struct err *e)
{
    struct cgroup_places at;
    struct host_limits got = {0};
    enum err_code rc = host_cgroup_find(root, &at, e);

    if (rc != ERR_OK)
        return rc;
    cgroup_walk(&at.unified, "memory.max", cgroup_take_memory, &got);
    cgroup_walk(&at.unified, "cpu.max", cgroup_take_cpu_max, &got);
    cgroup_read_used(&at.unified, "memory.current", &got);
    cgroup_walk(&at.memory, "memory.limit_in_bytes", cgroup_take_memory, &got);
    cgroup_read_used(&at.memory, "memory.usage_in_bytes", &got);
    cgroup_walk_cfs(&at.cpu, &got);
    *out = got;
    return ERR_OK;
}
