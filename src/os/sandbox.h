/* SPDX-License-Identifier: PostgreSQL */
/*
 * sandbox.h: what our own process may still do once it has started: less than its user may.
 *
 * For good and for all threads: no new privileges, no capabilities, no core dumps and no debugger
 * of the same user, no other system calls than a program of ours needs (seccomp), no other files
 * than its own, no other TCP ports (Landlock). The last two depend on the kernel; what it does not
 * have is left out and sandbox_describe tells what is in force.
 *
 * A system call that is not on the list fails with EPERM and is counted. Making a process fails as
 * well but cannot be counted, as the C library blocks all signals around it.
 * Threads: sandbox_enter before any thread is started (Landlock and capabilities belong to a thread
 *          and what it starts); the queries from any.
 */
#ifndef OS_SANDBOX_H
#define OS_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SANDBOX_PATHS 96
#define SANDBOX_PORTS 96

/* Whose list of system calls. */
enum sandbox_profile { SANDBOX_SERVER, SANDBOX_AGENT };
enum sandbox_right { SANDBOX_READ, SANDBOX_WRITE };
enum sandbox_port { SANDBOX_BIND, SANDBOX_CONNECT };

struct sandbox {
    enum sandbox_profile profile;
    struct {
        const char *path; /* borrowed until sandbox_enter */
        enum sandbox_right right;
    } paths[SANDBOX_PATHS];
    size_t path_count;
    struct {
        uint16_t port;
        enum sandbox_port use;
    } ports[SANDBOX_PORTS];
    size_t port_count;
    bool connects_anywhere; /* else to the ports named alone */
    bool overflow;          /* more than fit were named: then no limit of that kind is made */
};

/* --- Before: what is needed --- */

void sandbox_init(struct sandbox *s, enum sandbox_profile profile);
/* A file, or a folder with all in it; NULL and what does not exist is left out. */
void sandbox_path(struct sandbox *s, const char *path, enum sandbox_right right);
void sandbox_port(struct sandbox *s, uint16_t port, enum sandbox_port use);

/* --- For good --- */

/* ERR_IO when a part that this kernel has could not be put in force. */
enum err_code sandbox_enter(const struct sandbox *s, struct err *e) ERR_MUST_CHECK;

/* --- Query --- */

/* "no new privileges, ..., files (Landlock 7)"; "off" when sandbox_enter was not called. */
void sandbox_describe(struct buf *out);
/* How many system calls were refused; *last: the number of the last one. */
uint64_t sandbox_refused(int *last);
bool sandbox_limits_connect(void);

#endif
