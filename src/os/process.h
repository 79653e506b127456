/* SPDX-License-Identifier: PostgreSQL */
/*
 * process.h: child processes of `pga demo` and the tests, and facts about our own process.
 */
#ifndef OS_PROCESS_H
#define OS_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct process_spec {
    const char *const *argv; /* argv[0] is the path; NULL-terminated */
    const char *const *env;  /* "NAME=value" added to ours; NULL-terminated or NULL */
    const char *log_path;    /* standard output and error go here (appended); NULL = inherited */
    uid_t uid;               /* 0 with gid 0 = stay as we are */
    gid_t gid;
    int death_signal; /* sent to the child when our process dies; 0 = none */
};

enum err_code process_start(const struct process_spec *spec, pid_t *pid,
                            struct err *e) ERR_MUST_CHECK;
/* Wait until mono_us; ERR_TIMEOUT while it still runs. *status as waitpid. */
enum err_code process_wait(pid_t pid, int64_t mono_us, int *status, struct err *e) ERR_MUST_CHECK;
/* Send `signal`, wait `grace_ms`, then SIGKILL and wait. */
void process_stop(pid_t pid, int signal, int64_t grace_ms);
/* Path of our own executable. */
enum err_code process_self_path(char *out, size_t size, struct err *e) ERR_MUST_CHECK;
uint64_t process_rss_bytes(void);
uint64_t process_open_files(void); /* 0 = not known */
uint64_t process_max_files(void);  /* the soft limit */
unsigned process_cores(void);      /* on which we may run; at least 1 */
/* CPU time of a process of this host, nanoseconds; ERR_NOT_FOUND when it cannot be seen. */
enum err_code process_cpu_ns(pid_t pid, uint64_t *out, struct err *e) ERR_MUST_CHECK;
/* Its command line as `ps` shows it, into `out`. */
enum err_code process_title(pid_t pid, char *out, size_t size, struct err *e) ERR_MUST_CHECK;
/* Raise the soft limit to `count`, or to the hard limit; returns what it is then. */
uint64_t process_raise_files(uint64_t count);
/*
 * First user of the list ("postgres", "nobody") that exists; reads /etc/passwd itself (static
 * binary).
 */
enum err_code process_find_user(const char *const *names, uid_t *uid, gid_t *gid,
                                struct err *e) ERR_MUST_CHECK;

#endif
