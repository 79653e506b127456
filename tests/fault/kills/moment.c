/* SPDX-License-Identifier: PostgreSQL */
/*
 * moment.c: the moment at which a process is killed, within a phase of its work.
 */
#include "moment.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"

static struct {
    pthread_mutex_t lock;
    struct moment *m; /* NULL = in no process that is to die */
    timer_t timer;
    _Atomic uint64_t ops, die_at; /* die_at 0: not by a number of changes */
    uint64_t skip;                /* phases to let pass */
    int64_t begun_us;
} moment = {.lock = PTHREAD_MUTEX_INITIALIZER};

uint64_t moment_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int64_t now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void set_timer(uint64_t us)
{
    const struct itimerspec at = {
        .it_value = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000}};

    (void)timer_settime(moment.timer, 0, &at, NULL);
}

/* --- phases --- */

static void choose(struct moment *m)
{
    uint64_t random = moment_random(&m->random);
    bool by_time = random % 2 == 0 || m->usual_ops == 0;

    if (by_time) {
        uint64_t us = 1 + (random >> 8) % (m->usual_us + m->usual_us / 8 + 20);
        (void)snprintf(m->text, sizeof(m->text), "%llu us of about %llu", (unsigned long long)us,
                       (unsigned long long)m->usual_us);
        set_timer(us);
    } else {
        uint64_t at = 1 + (random >> 8) % m->usual_ops;
        (void)snprintf(m->text, sizeof(m->text), "change %llu of about %llu",
                       (unsigned long long)at, (unsigned long long)m->usual_ops);
        atomic_store(&moment.die_at, at);
    }
}

static void begin(struct moment *m)
{
    atomic_store(&moment.ops, 0);
    moment.begun_us = now_us();
    atomic_store(&m->inside, true);
    if (m->usual_us > 0 && atomic_load(&m->passed) >= moment.skip) {
        choose(m);
    }
}

static void end(struct moment *m)
{
    set_timer(0);
    atomic_store(&moment.die_at, 0);
    atomic_store(&m->inside, false);
    m->usual_ops = atomic_load(&moment.ops);
    m->usual_us = (uint64_t)(now_us() - moment.begun_us) + 1;
    (void)atomic_fetch_add(&m->passed, 1);
}

void moment_pass(const char *point)
{
    struct moment *m = moment.m;

    if (!m) {
        return;
    }
    (void)pthread_mutex_lock(&moment.lock);
    atomic_store(&m->point, point);
    bool inside = atomic_load(&m->inside);
    if (!inside && strcmp(point, m->phase.first) == 0) {
        begin(m);
    } else if (inside && strcmp(point, m->phase.last) == 0) {
        end(m);
    }
    (void)pthread_mutex_unlock(&moment.lock);
}

void moment_init(struct moment *m)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};

    if (timer_create(CLOCK_MONOTONIC, &event, &moment.timer) != 0) {
        _exit(9);
    }
    moment.m = m;
    moment.skip = moment_random(&m->random) % (m->phase.passed_most + 1);
    m->text[0] = m->file[0] = '\0';
    atomic_store(&m->passed, 0);
    atomic_store(&m->inside, false);
    fault_watch(moment_pass);
}

/* --- changes of files --- */

static void note_file(struct moment *m, const char *what, int fd, const char *path)
{
    char link[64];
    char name[256] = "";

    if (!path) {
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, name, sizeof(name) - 1);
        name[n > 0 ? n : 0] = '\0';
        path = name;
    }
    const char *slash = strrchr(path, '/');
    (void)snprintf(m->file, sizeof(m->file), "%s %.40s", what, slash ? slash + 1 : path);
}

/* Called before a change; perhaps it is the one. */
static void change(const char *what, int fd, const char *path)
{
    struct moment *m = moment.m;

    if (!m || !atomic_load(&m->inside)) {
        return;
    }
    uint64_t number = atomic_fetch_add(&moment.ops, 1) + 1;
    if (number == atomic_load(&moment.die_at)) {
        note_file(m, what, fd, path);
        (void)kill(getpid(), SIGKILL);
        (void)pause();
    }
}

static int do_open(const char *path, int flags, mode_t mode)
{
    if (flags & (O_CREAT | O_TRUNC)) {
        change("open", -1, path);
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return do_open(path, flags, mode);
}

int open64(const char *path, int flags, ...);
int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return do_open(path, flags, mode);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    change("write", fd, NULL);
    return syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at);
ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    change("write", fd, NULL);
    return syscall(SYS_pwrite64, fd, p, n, at);
}

int ftruncate(int fd, off_t len)
{
    change("truncate", fd, NULL);
    return (int)syscall(SYS_ftruncate, fd, len);
}

int ftruncate64(int fd, off64_t len);
int ftruncate64(int fd, off64_t len)
{
    change("truncate", fd, NULL);
    return (int)syscall(SYS_ftruncate, fd, len);
}

int fsync(int fd)
{
    change("sync", fd, NULL);
    return 0;
}

int fdatasync(int fd)
{
    change("sync", fd, NULL);
    return 0;
}

int rename(const char *from, const char *to)
{
    change("rename to", -1, to);
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path)
{
    change("unlink", -1, path);
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

/* What is said to a database. */
ssize_t send(int fd, const void *p, size_t n, int flags)
{
    change("send", fd, NULL);
    return syscall(SYS_sendto, fd, p, n, flags, NULL, 0);
}
