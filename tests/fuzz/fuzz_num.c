/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_num.c: numbers, durations, sizes, times, endpoints and /proc texts from any bytes. */
#include <stdint.h>
#include <stdlib.h>

#include "base/num.h"
#include "os/host.h"
#include "os/net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void durations_and_times(struct str in)
{
    char text[64];
    int64_t ms, back;
    double number;

    if (num_parse_duration_ms(in, &ms, NULL) == ERR_OK) {
        num_format_duration(ms, text, sizeof(text));
        if (num_parse_duration_ms(str_of(text), &back, NULL) != ERR_OK || back != ms)
            abort();
    }
    if (num_parse_time_ms(in, &ms, NULL) == ERR_OK && ms >= 0) {
        num_format_time(ms, text);
        if (num_parse_time_ms(str_of(text), &back, NULL) != ERR_OK || back != ms)
            abort();
    }
    if (num_parse_f64(in, &number, NULL) == ERR_OK) {
        double again;

        num_format_f64(number, text, sizeof(text));
        if (num_parse_f64(str_of(text), &again, NULL) != ERR_OK || again != number)
            abort();
    }
}

static void lists_of_the_host(struct str in)
{
    struct host_disk disks[2];
    struct host_filesystem systems[2];
    struct host_network interfaces[2];
    struct host_pressure pressure;
    struct host_cgroup cgroup = {0};

    (void)host_parse_diskstats(in, disks, 2);
    (void)host_parse_mountinfo(in, systems, 2);
    (void)host_parse_net_dev(in, interfaces, 2);
    (void)!host_parse_pressure(in, &pressure, NULL);
    host_parse_flat(in, "nr_throttled", &cgroup.cpu_throttled);
    host_parse_io_stat(in, &cgroup);
    host_parse_blkio(in, &cgroup.io_reads, &cgroup.io_writes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_make(data, size);
    struct net_endpoint endpoint;
    struct host_memory memory;
    struct host_load load;
    struct host_cpu cpu;
    uint64_t bytes;
    int64_t value;

    durations_and_times(in);
    (void)!num_parse_i64(in, -5, 5, &value, NULL);
    (void)!num_parse_size_bytes(in, &bytes, NULL);
    (void)!net_parse_endpoint(in, &endpoint, NULL);
    (void)!host_parse_stat(in, &cpu, NULL);
    (void)!host_parse_meminfo(in, &memory, NULL);
    (void)!host_parse_loadavg(in, &load, NULL);
    lists_of_the_host(in);
    return 0;
}
