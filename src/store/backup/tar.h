/* SPDX-License-Identifier: PostgreSQL */
/*
 * tar.h: tape archives of plain files (POSIX ustar; sizes over 8 GiB in base 256, as GNU tar).
 *
 * Writing goes to a sink, block by block. Reading is strict, since the file may come from anywhere:
 * only plain files with plain relative names of at most 99 bytes are taken.
 * Threads: any; no shared state.
 */
#ifndef STORE_BACKUP_TAR_H
#define STORE_BACKUP_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TAR_BLOCK     512
#define TAR_NAME_SIZE 100

/* Takes bytes of the archive in order. */
typedef enum err_code tar_write(void *arg, const void *bytes, size_t len, struct err *e);

struct tar_sink {
    tar_write *write;
    void *arg;
};

struct tar_entry {
    char name[TAR_NAME_SIZE];
    uint64_t size;
    uint64_t at;     /* of its bytes in the archive */
    int64_t mtime_s; /* since 1970 */
};

/* The head of a file; then its bytes, then tar_put_padding. ERR_LIMIT when the name is too long. */
enum err_code tar_put_head(const struct tar_sink *to, const struct tar_entry *entry,
                           struct err *e) ERR_MUST_CHECK;
enum err_code tar_put_padding(const struct tar_sink *to, uint64_t size,
                              struct err *e) ERR_MUST_CHECK;
enum err_code tar_put_end(const struct tar_sink *to, struct err *e) ERR_MUST_CHECK;
/*
 * The entry at *at of a file; moves *at behind it. *end: the archive ends here.
 * Errors: ERR_CORRUPT cut short or damaged, ERR_INVALID no archive of plain files
 */
enum err_code tar_next(int fd, uint64_t *at, struct tar_entry *out, bool *end,
                       struct err *e) ERR_MUST_CHECK;

#endif
