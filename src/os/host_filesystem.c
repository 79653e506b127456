/* SPDX-License-Identifier: PostgreSQL */
/*
 * host_filesystem.c: mounted file systems and how full they are.
 *
 * statvfs of a network file system whose server is gone never returns, and no deadline can end it.
 * So only types that live on local disks are asked; the list says yes, never no.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/buf.h"
#include "os/host.h"
#include "os/host_internal.h"

static const char *const LOCAL_TYPES[] = {
    "ext2",     "ext3", "ext4",   "xfs",  "btrfs", "zfs",   "f2fs", "bcachefs",
    "reiserfs", "jfs",  "nilfs2", "vfat", "exfat", "ntfs3", "ufs",  "hfsplus"};

static bool is_local(const struct host_filesystem *f)
{
    if (strcmp(f->type, "tmpfs") == 0)
        return strcmp(f->mountpoint, "/dev/shm") == 0;
    if (strcmp(f->type, "overlay") == 0)
        return strcmp(f->mountpoint, "/") == 0;
    for (size_t i = 0; i < sizeof(LOCAL_TYPES) / sizeof(LOCAL_TYPES[0]); i++) {
        if (strcmp(f->type, LOCAL_TYPES[i]) == 0)
            return true;
    }
    return false;
}

static int octal(struct str s, size_t at)
{
    int value = 0;

    for (size_t i = at + 1; i < at + 4; i++) {
        if (i >= s.len || s.ptr[i] < '0' || s.ptr[i] > '7')
            return -1;
        value = value * 8 + (s.ptr[i] - '0');
    }
    return value > 0 && value < 256 ? value : -1;
}

/* The kernel writes blanks and backslashes as \040. False when it does not fit. */
static bool unescape(struct str s, char *out, size_t size)
{
    size_t len = 0;

    for (size_t i = 0; i < s.len; i++) {
        int code = s.ptr[i] == '\\' ? octal(s, i) : -1;

        if (len + 1 >= size)
            return false;
        out[len++] = code > 0 ? (char)code : s.ptr[i];
        i += code > 0 ? 3 : 0;
    }
    out[len] = '\0';
    return len > 0;
}

/*
 * proc(5): "36 35 8:1 /root /data rw,noatime shared:1 - xfs /dev/sda1 rw,errors=continue". Options
 * of the place come first, those of the file system last: a service may see everything read-only.
 */
static bool mount_line(struct str line, struct host_filesystem *out)
{
    struct str number, point, word, type, device, options;

    memset(out, 0, sizeof(*out));
    (void)host_word(&line);
    (void)host_word(&line);
    number = host_word(&line);
    (void)host_word(&line);
    point = host_word(&line);
    do {
        word = host_word(&line);
    } while (word.len > 0 && !str_eq_c(word, "-"));
    type = host_word(&line);
    device = host_word(&line);
    options = host_word(&line);
    out->read_only = str_eq_c(str_split(&options, ','), "ro");
    return unescape(number, out->number, sizeof(out->number)) &&
           unescape(point, out->mountpoint, sizeof(out->mountpoint)) &&
           unescape(type, out->type, sizeof(out->type)) &&
           unescape(device, out->device, sizeof(out->device)) && out->mountpoint[0] == '/';
}

/* What was mounted in this place before is hidden now. */
static size_t mount_hide(struct host_filesystem *list, size_t count, const char *mountpoint)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].mountpoint, mountpoint) == 0) {
            memmove(&list[i], &list[i + 1], (count - i - 1) * sizeof(*list));
            return count - 1;
        }
    }
    return count;
}

/* The same file system in a place with a longer name is told under the shorter one. */
static bool mount_merge(struct host_filesystem *list, size_t count, const struct host_filesystem *f)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].number, f->number) == 0) {
            if (strlen(f->mountpoint) < strlen(list[i].mountpoint))
                list[i] = *f;
            return true;
        }
    }
    return false;
}

size_t host_parse_mountinfo(struct str text, struct host_filesystem *out, size_t max)
{
    size_t count = 0, more = 0;

    while (text.len > 0) {
        struct host_filesystem f;

        if (!mount_line(str_split(&text, '\n'), &f))
            continue;
        count = mount_hide(out, count, f.mountpoint);
        if (!is_local(&f) || mount_merge(out, count, &f))
            continue;
        if (count < max)
            out[count++] = f;
        else
            more++;
    }
    return count + more;
}

static void measure(const char *root, struct host_filesystem *f)
{
    char path[HOST_PATH_MAX];
    struct statvfs st;
    int len = snprintf(path, sizeof(path), "%s%s", root, f->mountpoint);

    if (len < 0 || (size_t)len >= sizeof(path) || statvfs(path, &st) != 0)
        return;
    f->measured = true;
    f->size_bytes = (uint64_t)st.f_blocks * st.f_frsize;
    f->free_bytes = (uint64_t)st.f_bfree * st.f_frsize;
    f->available_bytes = (uint64_t)st.f_bavail * st.f_frsize;
    f->inodes = st.f_files;
    f->inodes_free = st.f_ffree;
}

enum err_code host_read_filesystems(const char *root, struct host_filesystem *out, size_t max,
                                    size_t *count, struct err *e)
{
    struct buf text;
    enum err_code rc;

    *count = 0;
    buf_init(&text, HOST_FILE_BYTES);
    rc = host_read(root, "/proc/self/mountinfo", &text, e);
    if (rc == ERR_OK)
        *count = host_parse_mountinfo(buf_view(&text), out, max);
    for (size_t i = 0; i < *count && i < max; i++)
        measure(root, &out[i]);
    buf_fini(&text);
    return rc;
}
