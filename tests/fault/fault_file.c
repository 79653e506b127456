/* SPDX-License-Identifier: PostgreSQL */
/*
 * fault_file.c: counting and failing operations on files.
 *
 * SQLite does its own file operations: a VFS over its usual one, which becomes the default, counts
 * them in the same row. Shared memory of the WAL index is let through: it is no file operation that
 * can fail alone.
 * Threads: any; the row of numbers is one.
 */
#include "fault_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/file.h"

static struct {
    pthread_mutex_t lock;
    struct fault_plan plan;
    uint64_t calls, hits;
    bool next_write_fails;
} row = {.lock = PTHREAD_MUTEX_INITIALIZER};

enum need { NEEDS_NOTHING, NEEDS_ROOM, WRITES };

enum verdict { GO_ON, FAIL, HALF };

static enum verdict judge(enum need need)
{
    enum verdict v = GO_ON;

    pthread_mutex_lock(&row.lock);
    row.calls++;
    bool due = row.plan.at &&
               (row.plan.for_good ? row.calls >= row.plan.at : row.calls == row.plan.at);
    if (row.next_write_fails && need == WRITES) {
        row.next_write_fails = row.plan.for_good;
        v = FAIL;
    } else if (due && row.plan.kind == FAULT_EIO) {
        v = FAIL;
    } else if (due && row.plan.kind == FAULT_ENOSPC && need != NEEDS_NOTHING) {
        v = FAIL;
    } else if (due && row.plan.kind == FAULT_SHORT && need == WRITES) {
        row.next_write_fails = true;
        v = HALF;
    }
    row.hits += v != GO_ON;
    pthread_mutex_unlock(&row.lock);
    return v;
}

static bool refuse(enum need need)
{
    if (judge(need) == GO_ON) {
        return false;
    }
    errno = row.plan.kind == FAULT_EIO ? EIO : ENOSPC;
    return true;
}

const char *fault_kind_name(enum fault_kind kind)
{
    static const char *const names[FAULT_KINDS] = {"EIO", "ENOSPC", "short write"};
    return names[kind];
}

void fault_file_arm(const struct fault_plan *plan)
{
    pthread_mutex_lock(&row.lock);
    row.plan = *plan;
    row.calls = row.hits = 0;
    row.next_write_fails = false;
    pthread_mutex_unlock(&row.lock);
}

uint64_t fault_file_disarm(void)
{
    pthread_mutex_lock(&row.lock);
    uint64_t calls = row.calls;
    row.plan.at = 0;
    row.next_write_fails = false;
    pthread_mutex_unlock(&row.lock);
    return calls;
}

uint64_t fault_file_hits(void)
{
    pthread_mutex_lock(&row.lock);
    uint64_t hits = row.hits;
    pthread_mutex_unlock(&row.lock);
    return hits;
}

/* --- the table of os/file.h --- */

static int do_open(const char *path, int flags, mode_t mode)
{
    return refuse(flags & O_CREAT ? NEEDS_ROOM : NEEDS_NOTHING) ? -1 : open(path, flags, mode);
}

static ssize_t do_pread(int fd, void *to, size_t len, off_t at)
{
    return refuse(NEEDS_NOTHING) ? -1 : pread(fd, to, len, at);
}

static ssize_t do_pwrite(int fd, const void *from, size_t len, off_t at)
{
    switch (judge(WRITES)) {
    case GO_ON:
        return pwrite(fd, from, len, at);
    case HALF:
        if (len > 1) {
            return pwrite(fd, from, len / 2, at);
        }
        break;
    case FAIL:
        break;
    }
    errno = row.plan.kind == FAULT_EIO ? EIO : ENOSPC;
    return -1;
}

static int do_fdatasync(int fd)
{
    return refuse(NEEDS_ROOM) ? -1 : fdatasync(fd);
}

static int do_fsync(int fd)
{
    return refuse(NEEDS_ROOM) ? -1 : fsync(fd);
}

static int do_ftruncate(int fd, off_t len)
{
    return refuse(NEEDS_NOTHING) ? -1 : ftruncate(fd, len);
}

static int do_rename(const char *from, const char *to)
{
    return refuse(NEEDS_ROOM) ? -1 : rename(from, to);
}

static int do_unlink(const char *path)
{
    return refuse(NEEDS_NOTHING) ? -1 : unlink(path);
}

static int do_mkdir(const char *path, mode_t mode)
{
    return refuse(NEEDS_ROOM) ? -1 : mkdir(path, mode);
}

static int do_fstat(int fd, struct stat *st)
{
    return refuse(NEEDS_NOTHING) ? -1 : fstat(fd, st);
}

static const struct file_ops counting = {
    .open = do_open,
    .close = close,
    .pread = do_pread,
    .pwrite = do_pwrite,
    .fdatasync = do_fdatasync,
    .fsync = do_fsync,
    .ftruncate = do_ftruncate,
    .rename = do_rename,
    .unlink = do_unlink,
    .mkdir = do_mkdir,
    .fstat = do_fstat,
};

/* --- SQLite --- */

struct lite_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs *below;
static sqlite3_vfs above;

static sqlite3_file *real_of(sqlite3_file *f)
{
    return ((struct lite_file *)f)->real;
}

static int lite_error(int eio)
{
    return row.plan.kind == FAULT_EIO ? eio : SQLITE_FULL;
}

static int lite_close(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}

static int lite_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    return refuse(NEEDS_NOTHING) ? SQLITE_IOERR_READ
                                 : real_of(f)->pMethods->xRead(real_of(f), to, n, at);
}

static int lite_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    enum verdict v = judge(WRITES);

    if (v == GO_ON) {
        return real_of(f)->pMethods->xWrite(real_of(f), from, n, at);
    }
    if (v == HALF) {
        (void)real_of(f)->pMethods->xWrite(real_of(f), from, n / 2, at);
    }
    return lite_error(SQLITE_IOERR_WRITE);
}

static int lite_truncate(sqlite3_file *f, sqlite3_int64 n)
{
    return refuse(NEEDS_NOTHING) ? SQLITE_IOERR_TRUNCATE
                                 : real_of(f)->pMethods->xTruncate(real_of(f), n);
}

static int lite_sync(sqlite3_file *f, int flags)
{
    return refuse(NEEDS_ROOM) ? lite_error(SQLITE_IOERR_FSYNC)
                              : real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int lite_size(sqlite3_file *f, sqlite3_int64 *n)
{
    return refuse(NEEDS_NOTHING) ? SQLITE_IOERR_FSTAT
                                 : real_of(f)->pMethods->xFileSize(real_of(f), n);
}

static int lite_lock(sqlite3_file *f, int kind)
{
    return real_of(f)->pMethods->xLock(real_of(f), kind);
}

static int lite_unlock(sqlite3_file *f, int kind)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), kind);
}

static int lite_reserved(sqlite3_file *f, int *out)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int lite_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int lite_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int lite_device(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int lite_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

static int lite_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void lite_shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int lite_shm_unmap(sqlite3_file *f, int remove_it)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), remove_it);
}

static const sqlite3_io_methods lite_methods = {
    .iVersion = 2, /* no memory mapping: every read is a call */
    .xClose = lite_close,
    .xRead = lite_read,
    .xWrite = lite_write,
    .xTruncate = lite_truncate,
    .xSync = lite_sync,
    .xFileSize = lite_size,
    .xLock = lite_lock,
    .xUnlock = lite_unlock,
    .xCheckReservedLock = lite_reserved,
    .xFileControl = lite_control,
    .xSectorSize = lite_sector,
    .xDeviceCharacteristics = lite_device,
    .xShmMap = lite_shm_map,
    .xShmLock = lite_shm_lock,
    .xShmBarrier = lite_shm_barrier,
    .xShmUnmap = lite_shm_unmap,
};

static int lite_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *f, int flags,
                     int *out_flags)
{
    struct lite_file *l = (struct lite_file *)f;

    (void)vfs;
    l->base.pMethods = NULL;
    l->real = (sqlite3_file *)(l + 1);
    if (refuse(flags & SQLITE_OPEN_CREATE ? NEEDS_ROOM : NEEDS_NOTHING)) {
        return SQLITE_CANTOPEN;
    }
    int rc = below->xOpen(below, name, l->real, flags, out_flags);
    if (l->real->pMethods) {
        l->base.pMethods = &lite_methods;
    }
    return rc;
}

static int lite_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    (void)vfs;
    return refuse(NEEDS_NOTHING) ? SQLITE_IOERR_DELETE : below->xDelete(below, name, sync_dir);
}

void fault_file_install(void)
{
    (void)file_ops_set(&counting);
    below = sqlite3_vfs_find(NULL);
    above = *below;
    above.zName = "fault";
    above.pNext = NULL;
    above.szOsFile = (int)sizeof(struct lite_file) + below->szOsFile;
    above.xOpen = lite_open;
    above.xDelete = lite_delete;
    if (sqlite3_vfs_register(&above, 1) != SQLITE_OK) {
        abort();
    }
}
