/* SPDX-License-Identifier: PostgreSQL */
/*
 * file.c: one file at a time: open, read, write, sync, replace.
 *
 * Every call goes through file_table, so that a fault test can fail the Nth one.
 */
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/num.h"

#define FILE_PATH_MAX   4096
#define FILE_READ_STEP  ((size_t)16 * 1024)
#define FILE_NAME_EXTRA 32 /* ".tmp.<pid>" */
#define FILE_LOCKS_MAX  ((size_t)1024 * 1024)

static int file_system_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

static int file_system_fstat(int fd, struct stat *st)
{
    return fstat(fd, st);
}

static const struct file_ops file_system = {
    .open = file_system_open,
    .close = close,
    .pread = pread,
    .pwrite = pwrite,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .ftruncate = ftruncate,
    .rename = rename,
    .unlink = unlink,
    .mkdir = mkdir,
    .fstat = file_system_fstat,
};
static const struct file_ops *file_table = &file_system;

const struct file_ops *file_ops_set(const struct file_ops *ops)
{
    const struct file_ops *old = file_table;

    file_table = ops ? ops : &file_system;
    return old;
}

static enum err_code file_code(int os_errno)
{
    if (os_errno == ENOENT || os_errno == ENOTDIR)
        return ERR_NOT_FOUND;
    if (os_errno == EACCES || os_errno == EPERM || os_errno == EROFS)
        return ERR_DENIED;
    return ERR_IO;
}

enum err_code file_open(const char *path, int flags, mode_t mode, int *fd, struct err *e)
{
    int got;

    do {
        got = file_table->open(path, flags | O_CLOEXEC, mode);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_set_errno(e, file_code(errno), errno, "open %s", path);
    *fd = got;
    return ERR_OK;
}

void file_close(int fd)
{
    if (fd >= 0)
        (void)file_table->close(fd);
}

enum err_code file_read_at(int fd, void *to, size_t len, uint64_t at, struct err *e)
{
    char *p = to;

    while (len > 0) {
        ssize_t got = file_table->pread(fd, p, len, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set_errno(e, ERR_IO, errno, "read at %llu", (unsigned long long)at);
        if (got == 0)
            return err_set(e, ERR_CORRUPT, "the file ends at %llu, %zu bytes too early",
                           (unsigned long long)at, len);
        p += got;
        at += (uint64_t)got;
        len -= (size_t)got;
    }
    return ERR_OK;
}

enum err_code file_write_at(int fd, const void *from, size_t len, uint64_t at, struct err *e)
{
    const char *p = from;

    while (len > 0) {
        ssize_t put = file_table->pwrite(fd, p, len, (off_t)at);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return err_set_errno(e, ERR_IO, put < 0 ? errno : EIO, "write at %llu",
                                 (unsigned long long)at);
        p += put;
        at += (uint64_t)put;
        len -= (size_t)put;
    }
    return ERR_OK;
}

enum err_code file_sync_data(int fd, struct err *e)
{
    if (file_table->fdatasync(fd) != 0)
        return err_set_errno(e, ERR_IO, errno, "fdatasync");
    return ERR_OK;
}

enum err_code file_size(int fd, uint64_t *out, struct err *e)
{
    struct stat st;

    if (file_table->fstat(fd, &st) != 0)
        return err_set_errno(e, ERR_IO, errno, "fstat");
    *out = (uint64_t)st.st_size;
    return ERR_OK;
}

enum err_code file_truncate(int fd, uint64_t len, struct err *e)
{
    int rc;

    do {
        rc = file_table->ftruncate(fd, (off_t)len);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0)
        return err_set_errno(e, ERR_IO, errno, "truncate to %llu", (unsigned long long)len);
    return ERR_OK;
}

enum err_code file_remove(const char *path, struct err *e)
{
    if (file_table->unlink(path) != 0 && errno != ENOENT)
        return err_set_errno(e, file_code(errno), errno, "remove %s", path);
    return ERR_OK;
}

enum err_code file_rename(const char *from, const char *to, struct err *e)
{
    if (file_table->rename(from, to) != 0)
        return err_set_errno(e, file_code(errno), errno, "rename %s to %s", from, to);
    return ERR_OK;
}

enum err_code file_sync_dir(const char *path, struct err *e)
{
    enum err_code rc;
    int fd = -1;

    rc = file_open(path, O_RDONLY | O_DIRECTORY, 0, &fd, e);
    if (rc != ERR_OK)
        return rc;
    if (file_table->fsync(fd) != 0)
        rc = err_set_errno(e, ERR_IO, errno, "fsync directory %s", path);
    file_close(fd);
    return rc;
}

/* Append what the descriptor gives until its end; /proc files say 0 for their size. */
static enum err_code file_read_fd(int fd, const char *path, struct buf *out, struct err *e)
{
    size_t start = out->len;

    for (;;) {
        size_t left = out->max - out->len;
        char probe;
        char *to = left > 0 ? buf_room(out, left < FILE_READ_STEP ? left : FILE_READ_STEP) : &probe;
        size_t room = left == 0 ? 1 : left < FILE_READ_STEP ? left : FILE_READ_STEP;
        ssize_t got;

        if (!to)
            return err_set(e, ERR_LIMIT, "read %s: out of memory", path);
        got = file_table->pread(fd, to, room, (off_t)(out->len - start));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set_errno(e, file_code(errno), errno, "read %s", path);
        if (got == 0)
            return ERR_OK;
        if (left == 0)
            return err_set(e, ERR_LIMIT, "%s is longer than %zu bytes", path, out->max);
        buf_grew(out, (size_t)got);
    }
}

enum err_code file_read_all(const char *path, struct buf *out, struct err *e)
{
    enum err_code rc;
    int fd = -1;

    rc = file_open(path, O_RDONLY, 0, &fd, e);
    if (rc != ERR_OK)
        return rc;
    rc = file_read_fd(fd, path, out, e);
    file_close(fd);
    return rc;
}

/* The directory part of a path: "." when there is none. */
static enum err_code file_dir_of(const char *path, char *out, size_t size, struct err *e)
{
    const char *slash = strrchr(path, '/');
    size_t len = !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);

    if (len + 2 > size)
        return err_set(e, ERR_LIMIT, "path longer than %zu bytes", size);
    memcpy(out, len > 0 ? path : ".", len > 0 ? len : 1);
    out[len > 0 ? len : 1] = '\0';
    return ERR_OK;
}

/* Make `temp` with the bytes in it, safe on disk. The mode is set apart: umask must not cut it. */
static enum err_code file_write_new(const char *temp, struct str bytes, mode_t mode, struct err *e)
{
    enum err_code rc;
    int fd = -1;

    rc = file_remove(temp, e);
    if (rc == ERR_OK)
        rc = file_open(temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, &fd, e);
    if (rc == ERR_OK)
        rc = file_write_at(fd, bytes.ptr, bytes.len, 0, e);
    if (rc == ERR_OK && fchmod(fd, mode) != 0)
        rc = err_set_errno(e, ERR_IO, errno, "chmod %s", temp);
    if (rc == ERR_OK)
        rc = file_sync_data(fd, e);
    file_close(fd);
    return rc;
}

enum err_code file_write_atomic(const char *path, struct str bytes, mode_t mode, struct err *e)
{
    char temp[FILE_PATH_MAX], dir[FILE_PATH_MAX];
    enum err_code rc;

    if (strlen(path) + FILE_NAME_EXTRA > sizeof(temp))
        return err_set(e, ERR_LIMIT, "path longer than %zu bytes", sizeof(temp) - FILE_NAME_EXTRA);
    (void)snprintf(temp, sizeof(temp), "%s.tmp.%ld", path, (long)getpid());
    rc = file_dir_of(path, dir, sizeof(dir), e);
    if (rc == ERR_OK)
        rc = file_write_new(temp, bytes, mode, e);
    FAULT_POINT("file.before_rename");
    if (rc == ERR_OK)
        rc = file_rename(temp, path, e);
    if (rc != ERR_OK) {
        (void)file_table->unlink(temp);
        (void)err_wrap(e, "write %s", path);
        return rc;
    }
    FAULT_POINT("file.after_rename");
    return file_sync_dir(dir, e);
}

/*
 * What systemd hands to the service in $CREDENTIALS_DIRECTORY: root's, readable by us through an
 * access list, which shows as a right of the group.
 */
static bool file_is_credential(const char *path, const struct stat *st)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    size_t len = dir ? strlen(dir) : 0;

    return len > 0 && strncmp(path, dir, len) == 0 && path[len] == '/' && st->st_uid == 0 &&
           (st->st_mode & 0037) == 0;
}

static enum err_code file_check_secret(int fd, const char *path, struct err *e)
{
    struct stat st;

    if (file_table->fstat(fd, &st) != 0)
        return err_set_errno(e, ERR_IO, errno, "fstat %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_DENIED, "%s is no regular file", path);
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return err_set(e, ERR_DENIED, "%s belongs to user %lu, not to us or root", path,
                       (unsigned long)st.st_uid);
    if ((st.st_mode & 077) && !file_is_credential(path, &st))
        return err_set(e, ERR_DENIED, "%s is open to others (mode %04o); run: chmod 600 %s", path,
                       (unsigned)st.st_mode & 07777, path);
    return ERR_OK;
}

enum err_code file_read_secret(const char *path, struct buf *out, struct err *e)
{
    enum err_code rc;
    int fd = -1;

    rc = file_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, e);
    if (rc != ERR_OK && e && e->os_errno == ELOOP)
        return err_set(e, ERR_DENIED, "%s is a symbolic link", path);
    if (rc == ERR_OK)
        rc = file_check_secret(fd, path, e);
    if (rc == ERR_OK)
        rc = file_read_fd(fd, path, out, e);
    file_close(fd);
    if (rc == ERR_OK && out->len > 0 && out->ptr[out->len - 1] == '\n')
        buf_truncate(out, out->len - 1);
    if (rc == ERR_OK && out->len > 0 && out->ptr[out->len - 1] == '\r')
        buf_truncate(out, out->len - 1);
    return rc;
}

/* "1: FLOCK  ADVISORY  WRITE 4711 08:01:393217 0 EOF": the process, when it is of this file. */
static int64_t holder_in(struct str line, struct str inode)
{
    int64_t pid = 0;
    size_t at;

    if (!str_find(line, STR(" FLOCK "), &at) || !str_find(line, inode, &at) ||
        !str_find(line, STR(" WRITE "), &at))
        return 0;
    line = str_make(line.ptr + at + 7, line.len - at - 7);
    return num_parse_i64(str_split(&line, ' '), 1, INT32_MAX, &pid, NULL) == ERR_OK ? pid : 0;
}

/* The process that has the lock on an open file; 0 = it cannot be seen from here. */
static int64_t lock_holder(int fd)
{
    struct buf text;
    struct stat st;
    int64_t pid = 0;
    char inode[40];
    struct err unused;

    if (file_table->fstat(fd, &st) != 0)
        return 0;
    snprintf(inode, sizeof(inode), ":%llu ", (unsigned long long)st.st_ino);
    buf_init(&text, FILE_LOCKS_MAX);
    if (file_read_all("/proc/locks", &text, &unused) == ERR_OK) {
        struct str rest = buf_view(&text);
        while (rest.len > 0 && pid == 0)
            pid = holder_in(str_split(&rest, '\n'), str_of(inode));
    }
    buf_fini(&text);
    return pid;
}

enum err_code file_lock(const char *path, int *fd, struct err *e)
{
    enum err_code rc;
    int got = -1;

    rc = file_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, &got, e);
    if (rc != ERR_OK)
        return rc;
    if (flock(got, LOCK_EX | LOCK_NB) == 0) {
        *fd = got;
        return ERR_OK;
    }
    if (errno == EWOULDBLOCK) {
        int64_t pid = lock_holder(got);
        rc = pid ? err_set(e, ERR_CONFLICT, "another process holds %s (process %lld)", path,
                           (long long)pid)
                 : err_set(e, ERR_CONFLICT, "another process holds %s", path);
    } else
        rc = err_set_errno(e, ERR_IO, errno, "lock %s", path);
    file_close(got);
    return rc;
}

enum err_code file_space(const char *path, uint64_t *free_bytes, uint64_t *size_bytes,
                         struct err *e)
{
    struct statvfs st;

    if (statvfs(path, &st) != 0)
        return err_set_errno(e, file_code(errno), errno, "statvfs %s", path);
    *free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
    *size_bytes = (uint64_t)st.f_blocks * st.f_frsize;
    return ERR_OK;
}

static enum err_code file_make_dir(const char *path, mode_t mode, struct err *e)
{
    struct stat st;

    if (file_table->mkdir(path, mode) == 0)
        return ERR_OK;
    if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return ERR_OK;
    return err_set_errno(e, file_code(errno), errno, "make directory %s", path);
}

enum err_code file_make_dirs(const char *path, mode_t mode, struct err *e)
{
    char part[FILE_PATH_MAX];
    size_t len = strlen(path);
    enum err_code rc;

    if (len == 0 || len >= sizeof(part))
        return err_set(e, ERR_INVALID, "a directory path of %zu bytes", len);
    memcpy(part, path, len + 1);
    for (size_t i = 1; i < len; i++) {
        struct stat st;

        if (part[i] != '/')
            continue;
        part[i] = '\0';
        if (stat(part, &st) != 0) { /* what exists may be closed to us, and need not be made */
            rc = file_make_dir(part, mode, e);
            if (rc != ERR_OK)
                return rc;
        }
        part[i] = '/';
    }
    return file_make_dir(part, mode, e);
}
