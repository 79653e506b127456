/* SPDX-License-Identifier: PostgreSQL */
/*
 * err.c: filling in the error record.
 *
 * strerror is used on purpose: musl's returns constant text, glibc's (2.32 and later) text of the
 * calling thread, while strerror_r has two incompatible forms.
 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void err_clear(struct err *e)
{
    if (e)
        memset(e, 0, sizeof(*e));
}

enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    va_list ap;

    if (!e)
        return code;
    va_start(ap, fmt);
    err_clear(e);
    e->code = code;
    (void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    return code;
}

enum err_code err_set_errno(struct err *e, enum err_code code, int os_errno, const char *fmt, ...)
{
    va_list ap;
    size_t len;

    if (!e)
        return code;
    va_start(ap, fmt);
    err_clear(e);
    e->code = code;
    e->os_errno = os_errno;
    (void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    len = strlen(e->text);
    (void)snprintf(e->text + len, sizeof(e->text) - len, ": %s", strerror(os_errno));
    return code;
}

enum err_code err_wrap(struct err *e, const char *fmt, ...)
{
    char old[ERR_TEXT_MAX];
    va_list ap;
    size_t len;

    if (!e)
        return ERR_BUG;
    memcpy(old, e->text, sizeof(old));
    va_start(ap, fmt);
    (void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    len = strlen(e->text);
    (void)snprintf(e->text + len, sizeof(e->text) - len, ": %s", old);
    return e->code;
}

const char *err_code_name(enum err_code code)
{
    switch (code) {
    case ERR_OK:
        return "ok";
    case ERR_TIMEOUT:
        return "timeout";
    case ERR_UNREACHABLE:
        return "unreachable";
    case ERR_DENIED:
        return "denied";
    case ERR_NOT_FOUND:
        return "not_found";
    case ERR_CONFLICT:
        return "conflict";
    case ERR_INVALID:
        return "invalid";
    case ERR_UNSUPPORTED:
        return "unsupported";
    case ERR_LIMIT:
        return "limit";
    case ERR_IO:
        return "io";
    case ERR_CORRUPT:
        return "corrupt";
    case ERR_CANCELLED:
        return "cancelled";
    case ERR_BUG:
        return "bug";
    }
    return "unknown";
}
