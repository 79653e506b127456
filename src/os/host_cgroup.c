/* SPDX-License-Identifier: PostgreSQL */
/*
 * host_cgroup.c: what the control group that we run in uses, versions 1 and 2.
 *
 * In a container the group's path may not be visible below /sys/fs/cgroup: the files of the
 * mount's own root are then ours. Limits are those of host_read_limits: the smallest on the way to
 * the root.
 */
#include <string.h>

#include "base/buf.h"
#include "base/num.h"
#include "os/host.h"
#include "os/host_internal.h"

#define CGROUP_BYTES     ((size_t)256 * 1024) /* io.stat has a line a device */
#define CGROUP_UNLIMITED (UINT64_C(1) << 60)
#define NS_PER_US        1000

static void count_set(struct host_count *out, uint64_t value)
{
    out->has = true;
    out->value = value;
}

static void count_add(struct host_count *out, uint64_t value)
{
    out->has = true;
    if (__builtin_add_overflow(out->value, value, &out->value))
        out->value = UINT64_MAX;
}

static bool number(struct str text, uint64_t *out)
{
    return num_parse_u64(str_trim(text), UINT64_MAX, out, NULL) == ERR_OK;
}

void host_parse_flat(struct str text, const char *name, struct host_count *out)
{
    while (text.len > 0) {
        struct str line = str_split(&text, '\n');
        uint64_t value;

        if (str_eq_c(host_word(&line), name) && number(line, &value))
            count_set(out, value);
    }
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0" */
void host_parse_io_stat(struct str text, struct host_cgroup *out)
{
    while (text.len > 0) {
        struct str line = str_split(&text, '\n');

        (void)host_word(&line);
        while (line.len > 0) {
            struct str word = host_word(&line);
            struct str name = str_split(&word, '=');
            uint64_t value;

            if (!number(word, &value))
                continue;
            if (str_eq_c(name, "rbytes"))
                count_add(&out->io_read_bytes, value);
            else if (str_eq_c(name, "wbytes"))
                count_add(&out->io_written_bytes, value);
            else if (str_eq_c(name, "rios"))
                count_add(&out->io_reads, value);
            else if (str_eq_c(name, "wios"))
                count_add(&out->io_writes, value);
        }
    }
}

/* "8:0 Read 123", "8:0 Write 4" ... "Total 127" */
void host_parse_blkio(struct str text, struct host_count *reads, struct host_count *writes)
{
    while (text.len > 0) {
        struct str line = str_split(&text, '\n');
        struct str kind;
        uint64_t value;

        (void)host_word(&line);
        kind = host_word(&line);
        if (!number(line, &value))
            continue;
        if (str_eq_c(kind, "Read"))
            count_add(reads, value);
        else if (str_eq_c(kind, "Write"))
            count_add(writes, value);
    }
}

/* A file of our group, or of the mount's root when our group is not to be seen. */
static bool ours(const struct cgroup_place *at, const char *file, struct buf *out)
{
    return at->found &&
           (host_cgroup_read(at, at->group, file, out) || host_cgroup_read(at, "", file, out));
}

/* A file of one number; "max" is no number and leaves `out` as it is. */
static void read_number(const struct cgroup_place *at, const char *file, struct buf *text,
                        struct host_count *out)
{
    uint64_t value;

    if (ours(at, file, text) && number(buf_view(text), &value) && value < CGROUP_UNLIMITED)
        count_set(out, value);
}

static bool read_version_2(const struct cgroup_place *at, struct buf *text, struct host_cgroup *out)
{
    if (!ours(at, "cpu.stat", text))
        return false; /* not mounted, or a hybrid whose controllers are all of version 1 */
    host_parse_flat(buf_view(text), "usage_usec", &out->cpu_usage_us);
    host_parse_flat(buf_view(text), "nr_periods", &out->cpu_periods);
    host_parse_flat(buf_view(text), "nr_throttled", &out->cpu_throttled);
    host_parse_flat(buf_view(text), "throttled_usec", &out->cpu_throttled_us);
    read_number(at, "memory.current", text, &out->memory_current);
    if (ours(at, "memory.events", text))
        host_parse_flat(buf_view(text), "oom_kill", &out->memory_oom_kills);
    read_number(at, "pids.current", text, &out->pids_current);
    read_number(at, "pids.max", text, &out->pids_max);
    if (ours(at, "io.stat", text))
        host_parse_io_stat(buf_view(text), out);
    out->version = 2;
    return true;
}

static void scale_ns(struct host_count *c)
{
    c->value /= NS_PER_US;
}

static void read_version_1(const struct cgroup_places *at, struct buf *text,
                           struct host_cgroup *out)
{
    if (ours(&at->cpu, "cpu.stat", text)) {
        host_parse_flat(buf_view(text), "nr_periods", &out->cpu_periods);
        host_parse_flat(buf_view(text), "nr_throttled", &out->cpu_throttled);
        host_parse_flat(buf_view(text), "throttled_time", &out->cpu_throttled_us);
        scale_ns(&out->cpu_throttled_us);
    }
    if (ours(&at->cpuacct, "cpuacct.usage", text)) {
        uint64_t ns;

        if (number(buf_view(text), &ns))
            count_set(&out->cpu_usage_us, ns / NS_PER_US);
    }
    read_number(&at->memory, "memory.usage_in_bytes", text, &out->memory_current);
    if (ours(&at->memory, "memory.oom_control", text))
        host_parse_flat(buf_view(text), "oom_kill", &out->memory_oom_kills);
    read_number(&at->pids, "pids.current", text, &out->pids_current);
    read_number(&at->pids, "pids.max", text, &out->pids_max);
    if (ours(&at->blkio, "blkio.throttle.io_service_bytes", text))
        host_parse_blkio(buf_view(text), &out->io_read_bytes, &out->io_written_bytes);
    if (ours(&at->blkio, "blkio.throttle.io_serviced", text))
        host_parse_blkio(buf_view(text), &out->io_reads, &out->io_writes);
    if (out->memory_current.has || out->cpu_usage_us.has || out->cpu_periods.has)
        out->version = 1;
}

enum err_code host_read_cgroup(const char *root, struct host_cgroup *out, struct err *e)
{
    struct cgroup_places at;
    struct host_limits limits;
    struct buf text;
    enum err_code rc = host_cgroup_find(root, &at, e);

    memset(out, 0, sizeof(*out));
    if (rc == ERR_OK)
        rc = host_read_limits(root, &limits, e);
    if (rc != ERR_OK)
        return rc;
    buf_init(&text, CGROUP_BYTES);
    if (!read_version_2(&at.unified, &text, out))
        read_version_1(&at, &text, out);
    buf_fini(&text);
    if (limits.has_memory)
        count_set(&out->memory_max, limits.memory_bytes);
    if (limits.has_cpu)
        out->cpu_max = limits.cpus;
    return ERR_OK;
}
