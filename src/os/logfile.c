/* SPDX-License-Identifier: PostgreSQL */
/* logfile.c: see the header. */
#include "os/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Takes `got` as the descriptor of the log, or puts it in the place of the one there is. */
static enum err_code logfile_take(struct logfile *l, int got, const char *path, struct err *e)
{
    enum err_code rc = ERR_OK;

    if (l->fd < 0) {
        l->fd = got;
        return ERR_OK;
    }
    if (dup3(got, l->fd, O_CLOEXEC) < 0)
        rc = err_set_errno(e, ERR_IO, errno, "log file %s", path);
    (void)close(got);
    return rc;
}

enum err_code logfile_point(struct logfile *l, const char *path, int *fd, struct err *e)
{
    enum err_code rc;
    int got;

    *fd = l->path[0] ? l->fd : STDERR_FILENO;
    if (!path) {
        *fd = STDERR_FILENO; /* the old descriptor stays: another thread may be writing to it */
        l->path[0] = '\0';
        return ERR_OK;
    }
    if (strlen(path) >= sizeof(l->path))
        return err_set(e, ERR_INVALID, "the path of the log file is too long");
    got = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (got < 0)
        return err_set_errno(e,
                             errno == ENOENT   ? ERR_NOT_FOUND
                             : errno == EACCES ? ERR_DENIED
                                               : ERR_IO,
                             errno, "log file %s", path);
    rc = logfile_take(l, got, path, e);
    if (rc != ERR_OK)
        return rc;
    if (path != l->path)
        (void)snprintf(l->path, sizeof(l->path), "%s", path);
    *fd = l->fd;
    return ERR_OK;
}

enum err_code logfile_reopen(struct logfile *l, struct err *e)
{
    int fd;

    return l->path[0] ? logfile_point(l, l->path, &fd, e) : ERR_OK;
}
