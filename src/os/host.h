/* SPDX-License-Identifier: PostgreSQL */
/*
 * host.h: what Linux says of CPU and memory: /proc/stat, /proc/meminfo, /proc/loadavg, cgroup
 * v1/v2.
 *
 * The parsers take text, so that tests and fuzzers feed them; the readers take a root directory
 * ("" in production) so that tests bring their own /proc.
 */
#ifndef OS_HOST_H
#define OS_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* Ticks since boot by mode, as /proc/stat counts them; `hz` ticks are one second. */
struct host_cpu {
    uint64_t user, nice, sys, idle, iowait, irq, softirq, steal; /* guest is inside user */
    uint64_t context_switches, forks, boot_time_s;
    uint32_t procs_running, procs_blocked;
    uint32_t online; /* cpuN lines */
    uint32_t hz;
};

struct host_memory { /* bytes */
    uint64_t total, free, available, buffers, cached, slab, swap_total, swap_free, dirty, writeback;
    uint64_t huge_total, huge_free;
    bool has_available; /* Linux >= 3.14 */
};

struct host_load {
    double load1, load5, load15;
};

/* What the container may use; has_* false = no limit found. */
struct host_limits {
    bool has_cpu, has_memory;
    double cpus;
    uint64_t memory_bytes;
    uint64_t memory_used_bytes; /* 0 when unknown */
};

enum err_code host_parse_stat(struct str text, struct host_cpu *out, struct err *e) ERR_MUST_CHECK;
enum err_code host_parse_meminfo(struct str text, struct host_memory *out,
                                 struct err *e) ERR_MUST_CHECK;
enum err_code host_parse_loadavg(struct str text, struct host_load *out,
                                 struct err *e) ERR_MUST_CHECK;

enum err_code host_read_cpu(const char *root, struct host_cpu *out, struct err *e) ERR_MUST_CHECK;
enum err_code host_read_memory(const char *root, struct host_memory *out,
                               struct err *e) ERR_MUST_CHECK;
enum err_code host_read_load(const char *root, struct host_load *out, struct err *e) ERR_MUST_CHECK;
enum err_code host_read_limits(const char *root, struct host_limits *out,
                               struct err *e) ERR_MUST_CHECK;
/* Host name and boot id (36 characters). */
enum err_code host_read_name(const char *root, char *out, size_t size,
                             struct err *e) ERR_MUST_CHECK;
enum err_code host_read_boot_id(const char *root, char *out, size_t size,
                                struct err *e) ERR_MUST_CHECK;

#endif
