/* SPDX-License-Identifier: PostgreSQL */
/* startup.c: see the header. */
#include "app/startup.h"

#include <errno.h>
#include <stdio.h>

#include "os/clock.h"
#include "os/net.h"

const char *startup_hint(const struct err *e)
{
    switch (e->os_errno) {
    case EADDRINUSE:
        return ": end the other program, or listen on another port";
    case EADDRNOTAVAIL:
        return ": this host has no such address";
    case EACCES:
    case EPERM:
        return ": the user that pga runs as needs the right to it";
    case ENOSPC:
    case EDQUOT:
        return ": free space on that file system, or put state_dir on another one";
    case EROFS:
        return ": the file system is mounted read-only";
    case EMFILE:
    case ENFILE:
        return ": raise the limit of open files (LimitNOFILE=)";
    default:
        return "";
    }
}

void startup_notify_reload(void)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
                   (long long)clock_mono_us());
    net_notify(text);
}
