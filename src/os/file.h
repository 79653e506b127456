/* SPDX-License-Identifier: PostgreSQL */
/*
 * file.h: files and directories, behind a replaceable table (fault tests fail the Nth call).
 *
 * Every write that must survive a power cut says so by file_sync_data / file_sync_dir.
 * Threads: any; a descriptor has one owner.
 */
#ifndef OS_FILE_H
#define OS_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct file_ops {
    int (*open)(const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*pread)(int fd, void *to, size_t len, off_t at);
    ssize_t (*pwrite)(int fd, const void *from, size_t len, off_t at);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*ftruncate)(int fd, off_t len);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*mkdir)(const char *path, mode_t mode);
    int (*fstat)(int fd, struct stat *st);
};

const struct file_ops *file_ops_set(
    const struct file_ops *ops); /* NULL = the system's; returns the old */

/*
 * flags as open(2); O_CLOEXEC is added. ERR_NOT_FOUND, ERR_DENIED, ERR_IO; the text names the
 * path.
 */
enum err_code file_open(const char *path, int flags, mode_t mode, int *fd,
                        struct err *e) ERR_MUST_CHECK;
void file_close(int fd); /* -1 allowed */
/* Exactly `len` bytes at `at`; a short file is ERR_CORRUPT. */
enum err_code file_read_at(int fd, void *to, size_t len, uint64_t at, struct err *e) ERR_MUST_CHECK;
enum err_code file_write_at(int fd, const void *from, size_t len, uint64_t at,
                            struct err *e) ERR_MUST_CHECK;
enum err_code file_sync_data(int fd, struct err *e) ERR_MUST_CHECK;
enum err_code file_size(int fd, uint64_t *out, struct err *e) ERR_MUST_CHECK;
enum err_code file_truncate(int fd, uint64_t len, struct err *e) ERR_MUST_CHECK;
enum err_code file_remove(const char *path, struct err *e) ERR_MUST_CHECK; /* absent is ERR_OK */
enum err_code file_rename(const char *from, const char *to, struct err *e) ERR_MUST_CHECK;
enum err_code file_sync_dir(const char *path, struct err *e) ERR_MUST_CHECK;
enum err_code file_make_dirs(const char *path, mode_t mode,
                             struct err *e) ERR_MUST_CHECK; /* as mkdir -p */
/* Whole file into `out` (appended), at most out->max. Works for /proc. */
enum err_code file_read_all(const char *path, struct buf *out, struct err *e) ERR_MUST_CHECK;
/* Replace a file as a whole: write beside it, fdatasync, rename, sync the directory. */
enum err_code file_write_atomic(const char *path, struct str bytes, mode_t mode,
                                struct err *e) ERR_MUST_CHECK;
/*
 * Read a secret file: refuses symbolic links, files of other owners (than root and us) and files
 * that group or others may read (ERR_DENIED says chmod 600; of root's files in
 * $CREDENTIALS_DIRECTORY the group may). The trailing newline is cut.
 */
enum err_code file_read_secret(const char *path, struct buf *out, struct err *e) ERR_MUST_CHECK;
/* Call `visit(arg, name)` for each entry but . and .., in byte order of the names. */
enum err_code file_list(const char *dir, void (*visit)(void *arg, const char *name), void *arg,
                        struct err *e) ERR_MUST_CHECK;
/*
 * An exclusive lock on a file, held until file_close(*fd). ERR_CONFLICT when another process has
 * it.
 */
enum err_code file_lock(const char *path, int *fd, struct err *e) ERR_MUST_CHECK;
/* Remove a directory tree; absent is ERR_OK. Never follows links. */
enum err_code file_remove_tree(const char *path, struct err *e) ERR_MUST_CHECK;
/* Bytes free for us on the file system that holds `path`, and its size. */
enum err_code file_space(const char *path, uint64_t *free_bytes, uint64_t *size_bytes,
                         struct err *e) ERR_MUST_CHECK;

#endif
