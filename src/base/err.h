/* SPDX-License-Identifier: PostgreSQL */
/*
 * err.h: how a function says that it failed, and why.
 *
 * Every fallible function returns `enum err_code` (must be checked) and takes `struct err *e` last.
 * The code answers "what may the caller do"; the text answers "what happened" for a person.
 * Libraries never log an error they return and never exit; boundaries (route wrapper, worker loop,
 * main) decide.
 *
 * Threads: a struct err belongs to one caller; no shared state.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

enum err_code {
    ERR_OK = 0,
    ERR_TIMEOUT,     /* a deadline passed; trying again later may help */
    ERR_UNREACHABLE, /* the peer could not be reached; trying again later may help */
    ERR_DENIED,      /* not allowed: credentials, grants, role */
    ERR_NOT_FOUND,   /* the named thing does not exist */
    ERR_CONFLICT,    /* the state of the thing forbids it (exists already, wrong sequence) */
    ERR_INVALID,     /* the input is wrong; trying again unchanged cannot help */
    ERR_UNSUPPORTED, /* known, and not offered here */
    ERR_LIMIT,       /* a bound of base/limits.h or of the configuration was hit */
    ERR_IO,          /* the operating system refused: disk full, I/O error */
    ERR_CORRUPT,     /* stored data is damaged */
    ERR_CANCELLED,   /* somebody asked to stop */
    ERR_BUG,         /* our own mistake */
};

#define ERR_TEXT_MAX 256

struct err {
    enum err_code code;
    int os_errno;            /* 0 = none */
    char sqlstate[6];        /* "" = none */
    char text[ERR_TEXT_MAX]; /* always terminated; no secrets; may be cut */
};

#define ERR_MUST_CHECK __attribute__((warn_unused_result))

/* Make `e` say "no error". */
void err_clear(struct err *e);

/*
 * Set code and text; returns `code`, so that `return err_set(e, ERR_INVALID, "...")` works.
 * e: NULL allowed (the text is then lost). os_errno and sqlstate are cleared.
 */
enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, and keep `os_errno` and append ": <strerror>" to the text. */
enum err_code err_set_errno(struct err *e, enum err_code code, int os_errno, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Put "<fmt>: " in front of the text, adding what the caller knows. Returns e->code (ERR_BUG if e
 * is NULL).
 */
enum err_code err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The lower-case name of a code, e.g. "not_found". Never NULL. */
const char *err_code_name(enum err_code code);

#endif
