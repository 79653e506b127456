/* SPDX-License-Identifier: PostgreSQL */
/*
 * host_network.c: /proc/net/dev and /proc/pressure.
 *
 * Sources: proc(5), Documentation/accounting/psi.rst. Columns are named as in
 * /sys/class/net/NAME/statistics; frame, fifo and carrier errors are sums there as here.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/num.h"
#include "os/host.h"
#include "os/host_internal.h"

#define NET_NUMBERS 16

/* The name ends at the last colon: an alias has one of its own, and a number may follow at once. */
static bool net_name(struct str *line, char *out, size_t size)
{
    size_t colon = line->len;
    struct str name;

    while (colon > 0 && line->ptr[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    name = str_trim(str_make(line->ptr, colon - 1));
    if (name.len == 0 || name.len >= size)
        return false;
    memcpy(out, name.ptr, name.len);
    out[name.len] = '\0';
    *line = str_make(line->ptr + colon, line->len - colon);
    return true;
}

static bool net_line(struct str line, struct host_network *out)
{
    uint64_t n[NET_NUMBERS];

    memset(out, 0, sizeof(*out));
    if (!net_name(&line, out->name, sizeof(out->name)) ||
        host_numbers(line, n, NET_NUMBERS) != NET_NUMBERS || strncmp(out->name, "veth", 4) == 0)
        return false;
    out->rx_bytes = n[0];
    out->rx_packets = n[1];
    out->rx_errors = n[2];
    out->rx_dropped = n[3];
    out->rx_fifo_errors = n[4];
    out->rx_frame_errors = n[5];
    out->multicast = n[7];
    out->tx_bytes = n[8];
    out->tx_packets = n[9];
    out->tx_errors = n[10];
    out->tx_dropped = n[11];
    out->tx_fifo_errors = n[12];
    out->collisions = n[13];
    out->tx_carrier_errors = n[14];
    return out->rx_packets || out->tx_packets || out->rx_errors || out->tx_errors;
}

size_t host_parse_net_dev(struct str text, struct host_network *out, size_t max)
{
    size_t count = 0;

    while (text.len > 0) {
        struct host_network net;

        if (!net_line(str_split(&text, '\n'), &net))
            continue;
        if (count < max)
            out[count] = net;
        count++;
    }
    return count;
}

enum err_code host_read_network(const char *root, struct host_network *out, size_t max,
                                size_t *count, struct err *e)
{
    struct buf text;
    enum err_code rc;

    *count = 0;
    buf_init(&text, HOST_FILE_BYTES);
    rc = host_read(root, "/proc/net/dev", &text, e);
    if (rc == ERR_OK)
        *count = host_parse_net_dev(buf_view(&text), out, max);
    buf_fini(&text);
    return rc;
}

/* "avg10=0.12": the value when the name fits. */
static bool stall_value(struct str *line, const char *name, struct str *out)
{
    struct str word = host_word(line);
    struct str found = str_split(&word, '=');

    *out = word;
    return str_eq_c(found, name) && word.len > 0;
}

static bool stall_line(struct str line, struct host_stall *out)
{
    struct str avg10, avg60, avg300, total;

    if (!stall_value(&line, "avg10", &avg10) || !stall_value(&line, "avg60", &avg60) ||
        !stall_value(&line, "avg300", &avg300) || !stall_value(&line, "total", &total) ||
        num_parse_f64(avg10, &out->avg10, NULL) || num_parse_f64(avg60, &out->avg60, NULL) ||
        num_parse_f64(avg300, &out->avg300, NULL) ||
        num_parse_u64(total, UINT64_MAX, &out->total_us, NULL))
        return false;
    out->known = true;
    return true;
}

enum err_code host_parse_pressure(struct str text, struct host_pressure *out, struct err *e)
{
    memset(out, 0, sizeof(*out));
    while (text.len > 0) {
        struct str line = str_split(&text, '\n');
        struct str kind = host_word(&line);
        struct host_stall stall = {0};

        if (!stall_line(line, &stall))
            continue;
        if (str_eq_c(kind, "some"))
            out->some = stall;
        else if (str_eq_c(kind, "full"))
            out->full = stall;
    }
    if (!out->some.known && !out->full.known)
        return err_set(e, ERR_INVALID, "no line of pressure");
    return ERR_OK;
}

enum err_code host_read_pressure(const char *root, const char *resource, struct host_pressure *out,
                                 struct err *e)
{
    char path[64];
    struct buf text;
    enum err_code rc;

    (void)snprintf(path, sizeof(path), "/proc/pressure/%s", resource);
    buf_init(&text, HOST_FILE_BYTES);
    rc = host_read(root, path, &text, e);
    if (rc != ERR_OK) /* absent, or it is there and cannot be read: psi=0 */
        rc = err_set(e, ERR_UNSUPPORTED,
                     "the kernel tells no pressure (CONFIG_PSI, Linux 4.20; boot with psi=1)");
    else
        rc = host_parse_pressure(buf_view(&text), out, e);
    buf_fini(&text);
    return rc;
}
