/* SPDX-License-Identifier: PostgreSQL */
/*
 * logfile.h: the file that the log is written to, and opening it again after it was moved away.
 *
 * The descriptor stays the same number when the file is opened again, so that other threads write
 * on without knowing. When the new file cannot be opened, the old one is written on.
 * Threads: the main thread alone calls these.
 */
#ifndef OS_LOGFILE_H
#define OS_LOGFILE_H

#include "base/err.h"

#define LOGFILE_PATH_MAX 1024

struct logfile {
    int fd;                      /* -1 = there never was one */
    char path[LOGFILE_PATH_MAX]; /* "" = standard error */
};

#define LOGFILE_NONE ((struct logfile){.fd = -1})

/*
 * Point to `path` (NULL = standard error) and say in *fd where lines go now. The file is made with
 * mode 0640 and appended to.
 * Errors: ERR_DENIED, ERR_NOT_FOUND (folder), ERR_IO; *fd is then where lines went before.
 */
enum err_code logfile_point(struct logfile *l, const char *path, int *fd,
                            struct err *e) ERR_MUST_CHECK;
/* The same path again: what a rotation moved away is left alone. Errors: as logfile_point. */
enum err_code logfile_reopen(struct logfile *l, struct err *e) ERR_MUST_CHECK;

#endif
