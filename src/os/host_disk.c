/* SPDX-License-Identifier: PostgreSQL */
/*
 * host_disk.c: /proc/diskstats.
 *
 * Source: Documentation/admin-guide/iostats.rst. A sector is 512 bytes there whatever the device
 * has. Kernels before 4.18 tell 11 numbers, before 5.5 15, later ones 17.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "os/host.h"
#include "os/host_internal.h"

#define SECTOR_BYTES 512
#define DISK_NUMBERS 17

static uint64_t sectors(uint64_t n)
{
    return n > UINT64_MAX / SECTOR_BYTES ? UINT64_MAX : n * SECTOR_BYTES;
}

static void disk_fill(struct host_disk *d, const uint64_t *n, size_t count)
{
    d->reads = n[0];
    d->reads_merged = n[1];
    d->read_bytes = sectors(n[2]);
    d->read_ms = n[3];
    d->writes = n[4];
    d->writes_merged = n[5];
    d->written_bytes = sectors(n[6]);
    d->write_ms = n[7];
    d->in_flight = n[8];
    d->io_ms = n[9];
    d->weighted_io_ms = n[10];
    d->has_discards = count >= 15;
    if (d->has_discards) {
        d->discards = n[11];
        d->discards_merged = n[12];
        d->discarded_bytes = sectors(n[13]);
        d->discard_ms = n[14];
    }
    d->has_flushes = count >= 17;
    if (d->has_flushes) {
        d->flushes = n[15];
        d->flush_ms = n[16];
    }
}

/* "   8  0 sda 1 2 3 ..." */
static bool disk_line(struct str line, struct host_disk *out)
{
    uint64_t number[2], n[DISK_NUMBERS];
    size_t count;
    struct str major = host_word(&line), minor = host_word(&line), name = host_word(&line);

    if (host_numbers(major, &number[0], 1) != 1 || host_numbers(minor, &number[1], 1) != 1 ||
        name.len == 0 || name.len >= sizeof(out->name))
        return false;
    count = host_numbers(line, n, DISK_NUMBERS);
    if (count < 11) /* a partition of Linux 2.6 has 4 */
        return false;
    if (str_starts(name, STR("ram")) || str_starts(name, STR("loop")))
        return false;
    memset(out, 0, sizeof(*out));
    memcpy(out->name, name.ptr, name.len);
    disk_fill(out, n, count);
    return out->reads || out->writes || out->discards || out->flushes;
}

size_t host_parse_diskstats(struct str text, struct host_disk *out, size_t max)
{
    size_t count = 0;

    while (text.len > 0) {
        struct host_disk disk;

        if (!disk_line(str_split(&text, '\n'), &disk))
            continue;
        if (count < max)
            out[count] = disk;
        count++;
    }
    return count;
}

/* sda1, vdb2, xvda1, hda3; nvme0n1p1, mmcblk0p2, nbd0p1, md0p1. */
bool host_is_partition_name(const char *name)
{
    size_t len = strlen(name), digits = len;

    while (digits > 0 && isdigit((unsigned char)name[digits - 1]))
        digits--;
    if (digits == len || digits == 0)
        return false;
    if (strncmp(name, "sd", 2) == 0 || strncmp(name, "hd", 2) == 0 || strncmp(name, "vd", 2) == 0 ||
        strncmp(name, "xvd", 3) == 0)
        return true;
    return name[digits - 1] == 'p' && digits >= 2 && isdigit((unsigned char)name[digits - 2]);
}

/* A whole device has a folder of its name in /sys/block, where '/' is written '!'. */
static bool disk_is_whole(const char *root, bool has_sys, const char *name)
{
    char path[HOST_PATH_MAX];
    struct stat st;
    size_t at;
    int len;

    if (!has_sys)
        return !host_is_partition_name(name);
    len = snprintf(path, sizeof(path), "%s/sys/block/", root);
    if (len < 0 || (size_t)len + strlen(name) >= sizeof(path))
        return false;
    for (at = 0; name[at]; at++)
        path[(size_t)len + at] = (char)(name[at] == '/' ? '!' : name[at]);
    path[(size_t)len + at] = '\0';
    return stat(path, &st) == 0;
}

enum err_code host_read_disks(const char *root, struct host_disk *out, size_t max, size_t *count,
                              struct err *e)
{
    char sys[HOST_PATH_MAX];
    struct stat st;
    struct buf text;
    enum err_code rc;
    bool has_sys;
    int len = snprintf(sys, sizeof(sys), "%s/sys/block", root);

    *count = 0;
    has_sys = len > 0 && (size_t)len < sizeof(sys) && stat(sys, &st) == 0;
    buf_init(&text, HOST_FILE_BYTES);
    rc = host_read(root, "/proc/diskstats", &text, e);
    for (struct str rest = buf_view(&text); rc == ERR_OK && rest.len > 0;) {
        struct host_disk disk;

        if (!disk_line(str_split(&rest, '\n'), &disk) || !disk_is_whole(root, has_sys, disk.name))
            continue;
        if (*count < max)
            out[*count] = disk;
        (*count)++;
    }
    buf_fini(&text);
    return rc;
}
