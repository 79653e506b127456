/* SPDX-License-Identifier: PostgreSQL */
/*
 * host.c: parsers of /proc/stat, /proc/meminfo, /proc/loadavg and their readers.
 *
 * Source: proc(5). Fields that a kernel does not have stay 0.
 */
#include "os/host.h"
#include "os/host_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/num.h"
#include "os/file.h"

struct str host_word(struct str *s)
{
    struct str word;

    *s = str_trim(*s);
    for (size_t i = 0; i < s->len; i++) {
        if (s->ptr[i] == ' ' || s->ptr[i] == '\t') {
            word = str_make(s->ptr, i);
            *s = str_make(s->ptr + i, s->len - i);
            return word;
        }
    }
    word = *s;
    *s = (struct str){NULL, 0};
    return word;
}

size_t host_numbers(struct str line, uint64_t *out, size_t max)
{
    size_t count = 0;

    while (count < max) {
        struct str word = host_word(&line);

        if (word.len == 0 || num_parse_u64(word, UINT64_MAX, &out[count], NULL) != ERR_OK)
            break;
        count++;
    }
    return count;
}

static bool host_stat_cpu(struct str line, struct host_cpu *out)
{
    uint64_t n[8] = {0};

    if (host_numbers(line, n, 8) < 4)
        return false;
    out->user = n[0];
    out->nice = n[1];
    out->sys = n[2];
    out->idle = n[3];
    out->iowait = n[4];
    out->irq = n[5];
    out->softirq = n[6];
    out->steal = n[7];
    return true;
}

static void host_stat_line(struct str name, struct str line, struct host_cpu *out)
{
    uint64_t value;

    if (host_numbers(line, &value, 1) != 1)
        return;
    if (str_eq_c(name, "ctxt"))
        out->context_switches = value;
    else if (str_eq_c(name, "btime"))
        out->boot_time_s = value;
    else if (str_eq_c(name, "processes"))
        out->forks = value;
    else if (str_eq_c(name, "procs_running"))
        out->procs_running = (uint32_t)value;
    else if (str_eq_c(name, "procs_blocked"))
        out->procs_blocked = (uint32_t)value;
}

enum err_code host_parse_stat(struct str text, struct host_cpu *out, struct err *e)
{
    long hz = sysconf(_SC_CLK_TCK);
    struct host_cpu got = {.hz = hz > 0 ? (uint32_t)hz : 100};
    bool has_cpu = false;

    while (text.len > 0) {
        struct str line = str_split(&text, '\n');
        struct str name = host_word(&line);

        if (str_eq_c(name, "cpu"))
            has_cpu = host_stat_cpu(line, &got);
        else if (str_starts(name, STR("cpu")))
            got.online++;
        else
            host_stat_line(name, line, &got);
    }
    if (!has_cpu)
        return err_set(e, ERR_INVALID, "/proc/stat has no cpu line");
    *out = got;
    return ERR_OK;
}

struct host_memory_key {
    const char *name;
    size_t offset;
};

static const struct host_memory_key host_memory_keys[] = {
    {"MemTotal:", offsetof(struct host_memory, total)},
    {"MemFree:", offsetof(struct host_memory, free)},
    {"MemAvailable:", offsetof(struct host_memory, available)},
    {"Buffers:", offsetof(struct host_memory, buffers)},
    {"Cached:", offsetof(struct host_memory, cached)},
    {"Slab:", offsetof(struct host_memory, slab)},
    {"SwapTotal:", offsetof(struct host_memory, swap_total)},
    {"SwapFree:", offsetof(struct host_memory, swap_free)},
    {"Dirty:", offsetof(struct host_memory, dirty)},
    {"Writeback:", offsetof(struct host_memory, writeback)},
    {"HugePages_Total:", offsetof(struct host_memory, huge_total)},
    {"HugePages_Free:", offsetof(struct host_memory, huge_free)},
};

/* "MemTotal:  16314680 kB"; numbers without unit are counts. False when it is no such line. */
static bool host_memory_line(struct str line, struct str *name, uint64_t *value)
{
    struct str number, unit;

    *name = host_word(&line);
    number = host_word(&line);
    unit = host_word(&line);
    if (num_parse_u64(number, UINT64_MAX / 1024, value, NULL) != ERR_OK)
        return false;
    if (str_eq_c(unit, "kB"))
        *value *= 1024;
    return true;
}

static void host_memory_set(struct host_memory *out, struct str name, uint64_t value)
{
    for (size_t i = 0; i < sizeof(host_memory_keys) / sizeof(host_memory_keys[0]); i++) {
        if (str_eq_c(name, host_memory_keys[i].name))
            memcpy((char *)out + host_memory_keys[i].offset, &value, sizeof(value));
    }
}

enum err_code host_parse_meminfo(struct str text, struct host_memory *out, struct err *e)
{
    struct host_memory got = {0};
    uint64_t huge_page = 0;
    bool has_total = false;

    while (text.len > 0) {
        struct str name;
        uint64_t value;

        if (!host_memory_line(str_split(&text, '\n'), &name, &value))
            continue;
        host_memory_set(&got, name, value);
        if (str_eq_c(name, "MemTotal:"))
            has_total = true;
        else if (str_eq_c(name, "MemAvailable:"))
            got.has_available = true;
        else if (str_eq_c(name, "Hugepagesize:"))
            huge_page = value;
    }
    if (!has_total)
        return err_set(e, ERR_INVALID, "/proc/meminfo has no MemTotal");
    if (__builtin_mul_overflow(got.huge_total, huge_page, &got.huge_total) ||
        __builtin_mul_overflow(got.huge_free, huge_page, &got.huge_free))
        return err_set(e, ERR_INVALID, "/proc/meminfo has impossible huge pages");
    *out = got;
    return ERR_OK;
}

enum err_code host_parse_loadavg(struct str text, struct host_load *out, struct err *e)
{
    struct host_load got = {0};

    if (num_parse_f64(host_word(&text), &got.load1, NULL) != ERR_OK ||
        num_parse_f64(host_word(&text), &got.load5, NULL) != ERR_OK ||
        num_parse_f64(host_word(&text), &got.load15, NULL) != ERR_OK)
        return err_set(e, ERR_INVALID, "/proc/loadavg does not begin with three numbers");
    *out = got;
    return ERR_OK;
}

enum err_code host_read(const char *root, const char *path, struct buf *out, struct err *e)
{
    char full[HOST_PATH_MAX];
    int len = snprintf(full, sizeof(full), "%s%s", root, path);

    if (len < 0 || (size_t)len >= sizeof(full))
        return err_set(e, ERR_LIMIT, "path longer than %zu bytes", sizeof(full));
    return file_read_all(full, out, e);
}

enum err_code host_read_cpu(const char *root, struct host_cpu *out, struct err *e)
{
    struct buf text;
    enum err_code rc;

    buf_init(&text, HOST_FILE_BYTES);
    rc = host_read(root, "/proc/stat", &text, e);
    if (rc == ERR_OK)
        rc = host_parse_stat(buf_view(&text), out, e);
    buf_fini(&text);
    return rc;
}

enum err_code host_read_memory(const char *root, struct host_memory *out, struct err *e)
{
    struct buf text;
    enum err_code rc;

    buf_init(&text, HOST_FILE_BYTES);
    rc = host_read(root, "/proc/meminfo", &text, e);
    if (rc == ERR_OK)
        rc = host_parse_meminfo(buf_view(&text), out, e);
    buf_fini(&text);
    return rc;
}

enum err_code host_read_load(const char *root, struct host_load *out, struct err *e)
{
    struct buf text;
    enum err_code rc;

    buf_init(&text, HOST_FILE_BYTES);
    rc = host_read(root, "/proc/loadavg", &text, e);
    if (rc == ERR_OK)
        rc = host_parse_loadavg(buf_view(&text), out, e);
    buf_fini(&text);
    return rc;
}

/* A file of one short line, without the line's end. */
static enum err_code host_read_line(const char *root, const char *path, char *out, size_t size,
                                    struct err *e)
{
    struct buf text;
    struct str line;
    enum err_code rc;

    buf_init(&text, HOST_FILE_BYTES);
    rc = host_read(root, path, &text, e);
    line = str_trim(buf_view(&text));
    if (rc == ERR_OK && (line.len == 0 || line.len >= size))
        rc = err_set(e, ERR_INVALID, "%s%s holds %zu bytes", root, path, line.len);
    if (rc == ERR_OK) {
        memcpy(out, line.ptr, line.len);
        out[line.len] = '\0';
    }
    buf_fini(&text);
    return rc;
}

enum err_code host_read_name(const char *root, char *out, size_t size, struct err *e)
{
    return host_read_line(root, "/proc/sys/kernel/hostname", out, size, e);
}

enum err_code host_read_boot_id(const char *root, char *out, size_t size, struct err *e)
{
    return host_read_line(root, "/proc/sys/kernel/random/boot_id", out, size, e);
}
