/* SPDX-License-Identifier: PostgreSQL */
/*
 * host.h: what Linux says of CPU, memory, disks, file systems, network, pressure and control
 * groups (v1 and v2).
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

#define HOST_NAME_MAX  128 /* of a device, an interface */
#define HOST_MOUNT_MAX 256 /* of a mount point: it becomes a key */

/* One line of /proc/diskstats; what an older kernel does not tell stays 0 and has_* false. */
struct host_disk {
    char name[HOST_NAME_MAX];
    uint64_t reads, reads_merged, read_bytes, read_ms;
    uint64_t writes, writes_merged, written_bytes, write_ms;
    uint64_t in_flight, io_ms, weighted_io_ms;
    uint64_t discards, discards_merged, discarded_bytes, discard_ms; /* Linux >= 4.18 */
    uint64_t flushes, flush_ms;                                      /* Linux >= 5.5 */
    bool has_discards, has_flushes;
};

/* A mounted file system of a kind that is measured. */
struct host_filesystem {
    char number[24]; /* "8:1", what tells two of them apart */
    char device[HOST_NAME_MAX], type[32];
    char mountpoint[HOST_MOUNT_MAX];
    bool read_only; /* as a whole, not in this place alone */
    bool measured;  /* statvfs answered: the numbers below are known */
    uint64_t size_bytes, free_bytes, available_bytes, inodes, inodes_free;
};

/* One line of /proc/net/dev. */
struct host_network {
    char name[HOST_NAME_MAX];
    uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped, rx_fifo_errors, rx_frame_errors,
        multicast;
    uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped, tx_fifo_errors, collisions,
        tx_carrier_errors;
};

/* One kind of line ("some", "full") of a file of /proc/pressure. */
struct host_stall {
    bool known;
    double avg10, avg60, avg300; /* percent of the time */
    uint64_t total_us;
};

struct host_pressure {
    struct host_stall some, full;
};

/* What the control group that we run in uses; has false = its kernel or version does not tell. */
struct host_count {
    bool has;
    uint64_t value;
};

struct host_cgroup {
    int version; /* 2, 1, or 0 when there is none */
    struct host_count memory_current, memory_max, memory_oom_kills;
    struct host_count cpu_usage_us, cpu_periods, cpu_throttled, cpu_throttled_us;
    double cpu_max; /* CPUs; 0 = no limit */
    struct host_count pids_current, pids_max;
    struct host_count io_read_bytes, io_written_bytes, io_reads, io_writes; /* of all devices */
};

/*
 * Parsers of lists fill up to `max` places and return how many there would be; broken lines and
 * lines that the rule named at each leaves out do not count.
 */
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
/* Every device but ram and loop devices and those that never did anything. */
size_t host_parse_diskstats(struct str text, struct host_disk *out, size_t max);
/* Whether the name follows the pattern of a partition: sda1, nvme0n1p2. For hosts without /sys. */
bool host_is_partition_name(const char *name);
/* As host_parse_diskstats, without partitions: what /sys/block does not list. */
enum err_code host_read_disks(const char *root, struct host_disk *out, size_t max, size_t *count,
                              struct err *e) ERR_MUST_CHECK;
/*
 * File systems of local disks by type (ext4, xfs, btrfs, zfs ...), tmpfs at /dev/shm, overlay at /.
 * Network and FUSE types are not named here, so that one that hangs is never touched. A file
 * system that is mounted in several places counts once, at the shortest one; one that another
 * mount hides does not count.
 */
size_t host_parse_mountinfo(struct str text, struct host_filesystem *out, size_t max);
enum err_code host_read_filesystems(const char *root, struct host_filesystem *out, size_t max,
                                    size_t *count, struct err *e) ERR_MUST_CHECK;
/* Every interface but the host's ends of containers (veth) and those that carried nothing. */
size_t host_parse_net_dev(struct str text, struct host_network *out, size_t max);
enum err_code host_read_network(const char *root, struct host_network *out, size_t max,
                                size_t *count, struct err *e) ERR_MUST_CHECK;
enum err_code host_parse_pressure(struct str text, struct host_pressure *out,
                                  struct err *e) ERR_MUST_CHECK;
/* resource: "cpu", "io", "memory", "irq". ERR_UNSUPPORTED when the kernel does not tell. */
enum err_code host_read_pressure(const char *root, const char *resource, struct host_pressure *out,
                                 struct err *e) ERR_MUST_CHECK;
/* The lines "name value" of cpu.stat, memory.events; `name` absent leaves `out` as it is. */
void host_parse_flat(struct str text, const char *name, struct host_count *out);
/* io.stat of version 2, one line a device. */
void host_parse_io_stat(struct str text, struct host_cgroup *out);
/* blkio.throttle.io_service_bytes and io_serviced of version 1. */
void host_parse_blkio(struct str text, struct host_count *reads, struct host_count *writes);
enum err_code host_read_cgroup(const char *root, struct host_cgroup *out,
                               struct err *e) ERR_MUST_CHECK;
/* Host name and boot id (36 characters). */
enum err_code host_read_name(const char *root, char *out, size_t size,
                             struct err *e) ERR_MUST_CHECK;
enum err_code host_read_boot_id(const char *root, char *out, size_t size,
                                struct err *e) ERR_MUST_CHECK;

#endif
