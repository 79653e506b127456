/* SPDX-License-Identifier: PostgreSQL */
/*
 * process.c: starting, awaiting and stopping children.
 *
 * Between fork and exec only async-signal-safe calls are made: everything that allocates happens
 * before. A close-on-exec pipe brings back the errno of a failed exec. A child gets a process group
 * of its own, so that Ctrl-C reaches us alone and we stop things in order.
 */
#include "os/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/num.h"
#include "base/str.h"
#include "os/clock.h"
#include "os/file.h"

#define PROCESS_POLL_MS      10
#define PROCESS_PASSWD_BYTES ((size_t)4 * 1024 * 1024)

extern char **environ;

/* Whether `added` sets the variable of `entry`. */
static bool process_overrides(const char *const *added, const char *entry)
{
    size_t name = strcspn(entry, "=");

    for (; added && *added; added++) {
        if (strncmp(*added, entry, name) == 0 && (*added)[name] == '=')
            return true;
    }
    return false;
}

static char **process_make_env(const char *const *added)
{
    size_t count = 0, extra = 0, at = 0;
    char **env;

    while (environ[count])
        count++;
    while (added && added[extra])
        extra++;
    env = alloc_array(count + extra + 1, sizeof(*env));
    for (size_t i = 0; i < count; i++) {
        if (!process_overrides(added, environ[i]))
            env[at++] = environ[i];
    }
    for (size_t i = 0; i < extra; i++)
        env[at++] = (char *)(uintptr_t)added[i];
    return env;
}

/* What a child needs, made ready before fork. */
struct process_child {
    const struct process_spec *spec;
    char **env;
    int log_fd, null_fd, report_fd;
    pid_t parent;
};

static int process_drop_ids(const struct process_spec *spec)
{
    if (spec->uid == 0 && spec->gid == 0)
        return 0;
    if (setgroups(0, NULL) != 0 && errno != EPERM)
        return -1;
    if (setgid(spec->gid) != 0)
        return -1;
    return setuid(spec->uid);
}

static int process_redirect(const struct process_child *c)
{
    if (dup2(c->null_fd, STDIN_FILENO) < 0)
        return -1;
    if (c->log_fd < 0)
        return 0;
    if (dup2(c->log_fd, STDOUT_FILENO) < 0)
        return -1;
    return dup2(c->log_fd, STDERR_FILENO) < 0 ? -1 : 0;
}

static void process_reset_signals(void)
{
    static const int reset[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE};
    sigset_t none;

    (void)sigemptyset(&none);
    for (size_t i = 0; i < sizeof(reset) / sizeof(reset[0]); i++)
        (void)signal(reset[i], SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child: becomes the program, or reports errno and ends. */
static void process_become(const struct process_child *c)
{
    int why;

    (void)setpgid(0, 0);
    process_reset_signals();
    if (process_redirect(c) == 0 && process_drop_ids(c->spec) == 0) {
        /* After setuid, which clears it. The parent may have died before. */
        if (c->spec->death_signal)
            (void)prctl(PR_SET_PDEATHSIG, c->spec->death_signal);
        if (!c->spec->death_signal || getppid() == c->parent)
            (void)execve(c->spec->argv[0], (char *const *)(uintptr_t)c->spec->argv, c->env);
    }
    why = errno;
    (void)!write(c->report_fd, &why, sizeof(why));
    _exit(127);
}

/* Wait for the exec: nothing comes when it worked, else its errno. */
static enum err_code process_await_exec(int fd, pid_t pid, const char *path, struct err *e)
{
    int why = 0;
    ssize_t got;

    do {
        got = read(fd, &why, sizeof(why));
    } while (got < 0 && errno == EINTR);
    if (got != sizeof(why))
        return ERR_OK;
    (void)waitpid(pid, NULL, 0);
    return err_set_errno(e, why == ENOENT ? ERR_NOT_FOUND : ERR_IO, why, "start %s", path);
}

enum err_code process_start(const struct process_spec *spec, pid_t *pid, struct err *e)
{
    struct process_child c = {
        .spec = spec, .log_fd = -1, .null_fd = -1, .report_fd = -1, .parent = getpid()};
    int report[2] = {-1, -1};
    enum err_code rc;
    pid_t child;

    c.env = process_make_env(spec->env);
    rc = file_open("/dev/null", O_RDONLY, 0, &c.null_fd, e);
    if (rc == ERR_OK && spec->log_path)
        rc = file_open(spec->log_path, O_WRONLY | O_CREAT | O_APPEND, 0600, &c.log_fd, e);
    if (rc == ERR_OK && pipe2(report, O_CLOEXEC) != 0)
        rc = err_set_errno(e, ERR_IO, errno, "pipe");
    if (rc != ERR_OK)
        goto out;
    c.report_fd = report[1];
    child = fork();
    if (child == 0)
        process_become(&c);
    if (child < 0) {
        rc = err_set_errno(e, ERR_IO, errno, "fork for %s", spec->argv[0]);
        goto out;
    }
    (void)close(report[1]);
    report[1] = -1;
    rc = process_await_exec(report[0], child, spec->argv[0], e);
    if (rc == ERR_OK)
        *pid = child;
out:
    file_close(report[0]);
    file_close(report[1]);
    file_close(c.log_fd);
    file_close(c.null_fd);
    alloc_free(c.env);
    return rc;
}

enum err_code process_wait(pid_t pid, int64_t mono_us, int *status, struct err *e)
{
    for (;;) {
        int got_status = 0;
        pid_t got = waitpid(pid, &got_status, WNOHANG);

        if (got == pid) {
            if (status)
                *status = got_status;
            return ERR_OK;
        }
        if (got < 0 && errno != EINTR)
            return err_set_errno(e, ERR_NOT_FOUND, errno, "process %ld", (long)pid);
        if (clock_mono_us() >= mono_us)
            return err_set(e, ERR_TIMEOUT, "process %ld still runs", (long)pid);
        clock_sleep_ms(PROCESS_POLL_MS);
    }
}

void process_stop(pid_t pid, int signal, int64_t grace_ms)
{
    enum err_code rc;

    if (pid <= 0)
        return;
    (void)kill(pid, signal);
    rc = process_wait(pid, clock_mono_us() + grace_ms * 1000, NULL, NULL);
    if (rc != ERR_TIMEOUT)
        return;
    (void)kill(pid, SIGKILL);
    rc = process_wait(pid, INT64_MAX, NULL, NULL);
    (void)rc;
}

enum err_code process_self_path(char *out, size_t size, struct err *e)
{
    ssize_t len = readlink("/proc/self/exe", out, size);

    if (len < 0)
        return err_set_errno(e, ERR_IO, errno, "readlink /proc/self/exe");
    if ((size_t)len >= size)
        return err_set(e, ERR_LIMIT, "own path longer than %zu bytes", size);
    out[len] = '\0';
    return ERR_OK;
}

/* The second number of /proc/self/statm counts resident pages. */
uint64_t process_rss_bytes(void)
{
    struct str rest, pages;
    uint64_t count = 0;
    struct buf text;

    buf_init(&text, 256);
    if (file_read_all("/proc/self/statm", &text, NULL) == ERR_OK) {
        rest = buf_view(&text);
        (void)str_split(&rest, ' ');
        pages = str_split(&rest, ' ');
        if (num_parse_u64(pages, UINT64_MAX, &count, NULL) != ERR_OK)
            count = 0;
    }
    buf_fini(&text);
    return count * (uint64_t)sysconf(_SC_PAGESIZE);
}

unsigned process_cores(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0 || CPU_COUNT(&set) < 1)
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

uint64_t process_open_files(void)
{
    uint64_t count = 0;
    DIR *dir = opendir("/proc/self/fd");

    if (dir == NULL)
        return 0;
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count - 1; /* without the one that reads the folder */
}

uint64_t process_max_files(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (uint64_t)limit.rlim_cur : 0;
}

static enum err_code process_read(pid_t pid, const char *file, struct buf *text, struct err *e)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    return file_read_all(path, text, NULL) ? err_set(e, ERR_NOT_FOUND, "%s cannot be read", path)
                                           : ERR_OK;
}

/* The first number of schedstat is the time on a CPU. */
enum err_code process_cpu_ns(pid_t pid, uint64_t *out, struct err *e)
{
    struct str rest;
    struct buf text;

    buf_init(&text, 256);
    enum err_code code = process_read(pid, "schedstat", &text, e);
    rest = buf_view(&text);
    if (code == ERR_OK)
        code = num_parse_u64(str_split(&rest, ' '), UINT64_MAX, out, e);
    buf_fini(&text);
    return code;
}

enum err_code process_title(pid_t pid, char *out, size_t size, struct err *e)
{
    struct buf text;

    buf_init(&text, 64 * 1024);
    enum err_code code = process_read(pid, "cmdline", &text, e);
    if (code == ERR_OK)
        (void)snprintf(out, size, "%s", text.len ? text.ptr : "");
    buf_fini(&text);
    return code;
}

uint64_t process_raise_files(uint64_t count)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < count) {
        limit.rlim_cur = limit.rlim_max < count ? limit.rlim_max : count;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    return process_max_files();
}

/* name:password:uid:gid:... */
static bool process_passwd_line(struct str line, const char *name, uid_t *uid, gid_t *gid)
{
    int64_t user, group;

    if (!str_eq_c(str_split(&line, ':'), name))
        return false;
    (void)str_split(&line, ':');
    if (num_parse_i64(str_split(&line, ':'), 0, UINT32_MAX, &user, NULL) != ERR_OK ||
        num_parse_i64(str_split(&line, ':'), 0, UINT32_MAX, &group, NULL) != ERR_OK)
        return false;
    *uid = (uid_t)user;
    *gid = (gid_t)group;
    return true;
}

enum err_code process_find_user(const char *const *names, uid_t *uid, gid_t *gid, struct err *e)
{
    struct buf text;
    enum err_code rc;
    bool found = false;

    buf_init(&text, PROCESS_PASSWD_BYTES);
    rc = file_read_all("/etc/passwd", &text, e);
    for (size_t i = 0; rc == ERR_OK && names[i] && !found; i++) {
        struct str rest = buf_view(&text);

        while (rest.len > 0 && !found)
            found = process_passwd_line(str_split(&rest, '\n'), names[i], uid, gid);
    }
    buf_fini(&text);
    if (rc == ERR_OK && !found)
        rc = err_set(e, ERR_NOT_FOUND, "none of the users %s ... exists", names[0]);
    return rc;
}
