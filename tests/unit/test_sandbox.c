/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_sandbox.c: in a process of its own, what is allowed works and what is not is refused.
 *
 * What the kernel cannot do (Landlock before 5.13) and what a sanitizer does not let us do is
 * skipped, by what sandbox_describe says is in force.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/thread.h"
#include "os/net.h"
#include "os/sandbox.h"

#define SKIPPED 99

static char place[64]; /* a folder of this run */

static bool in_force(const char *what)
{
    struct buf text;
    bool found;

    buf_init(&text, 512);
    sandbox_describe(&text);
    found = strstr(text.ptr, what) != NULL;
    buf_fini(&text);
    return found;
}

/* Enter with the folder "own" to write and "read" to read, and two ports. */
static bool enter(const uint16_t *ports)
{
    struct sandbox *s = calloc(1, sizeof(*s));
    char own[80], read[80];
    struct err e;
    bool good;

    snprintf(own, sizeof(own), "%s/own", place);
    snprintf(read, sizeof(read), "%s/read", place);
    sandbox_init(s, SANDBOX_AGENT);
    sandbox_path(s, own, SANDBOX_WRITE);
    sandbox_path(s, read, SANDBOX_READ);
    sandbox_path(s, "/nonexistent", SANDBOX_WRITE);
    sandbox_path(s, "/proc", SANDBOX_READ);
    if (ports != NULL) {
        sandbox_port(s, ports[0], SANDBOX_BIND);
        sandbox_port(s, ports[1], SANDBOX_CONNECT);
    }
    good = sandbox_enter(s, &e) == ERR_OK;
    free(s);
    return good;
}

/* Runs `body` in a process; it returns 0 when all was right, else the number of its line. */
static void run(int (*body)(void))
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(body());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        skip();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        print_message("status %x\n", (unsigned)status);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define WANT(condition)            \
    do {                           \
        if (!(condition))          \
            return __LINE__ % 251; \
    } while (0)

static int open_in(const char *name, int flags)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", place, name);
    fd = open(path, flags, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0 ? 0 : errno;
}

static int privileges(void)
{
    struct rlimit core;
    char status[8192];
    ssize_t len;
    int fd;

    WANT(enter(NULL));
    WANT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    WANT(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
    WANT((fd = open("/proc/self/status", O_RDONLY)) >= 0);
    WANT((len = read(fd, status, sizeof(status) - 1)) > 0);
    status[len] = '\0';
    WANT(strstr(status, "CapEff:\t0000000000000000\n") != NULL);
    WANT(strstr(status, "CapPrm:\t0000000000000000\n") != NULL);
    WANT(!in_force("(seccomp)") || strstr(status, "Seccomp:\t2\n") != NULL);
    return 0;
}

static int files(void)
{
    WANT(open_in("foreign/a", O_RDONLY) == 0);
    WANT(enter(NULL));
    if (!in_force("Landlock"))
        return SKIPPED;
    WANT(open_in("own/new", O_RDWR | O_CREAT) == 0 && open_in("own/new", O_RDWR | O_TRUNC) == 0);
    WANT(open_in("read/a", O_RDONLY) == 0 && open_in("read/a", O_RDWR) == EACCES);
    WANT(open_in("read/new", O_RDWR | O_CREAT) == EACCES);
    WANT(open_in("foreign/a", O_RDONLY) == EACCES);
    WANT(open_in("foreign/new", O_RDWR | O_CREAT) == EACCES);
    WANT(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
    return 0;
}

static int calls(void)
{
    char *const argv[] = {"/bin/true", NULL};
    int last;

    WANT(enter(NULL));
    if (!in_force("(seccomp)"))
        return SKIPPED;
    WANT(sandbox_refused(&last) == 0);
    WANT(execve(argv[0], argv, NULL) < 0 && errno == EPERM);
    WANT(sandbox_refused(&last) == 1 && last == SYS_execve);
    WANT(ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 && errno == EPERM);
    WANT(syscall(SYS_mount, "x", "/", "x", 0, NULL) < 0 && errno == EPERM);
    WANT(syscall(SYS_unshare, 0x10000000) < 0 && errno == EPERM);
    WANT(syscall(SYS_io_uring_setup, 1, NULL) < 0 && errno == EPERM);
    WANT(syscall(SYS_bpf, 0, NULL, 0) < 0 && errno == EPERM);
    WANT(syscall(SYS_kill, getppid(), 0) < 0 && errno == EPERM);
    WANT(sandbox_refused(&last) == 7 && last == SYS_kill);
    WANT(fork() < 0 && errno == EPERM);
    return 0;
}

static void body_of_thread(void *arg)
{
    char *const argv[] = {"/bin/true", NULL};

    if (execve(argv[0], argv, NULL) < 0 && errno == EPERM)
        *(int *)arg = 1;
}

static int threads(void)
{
    struct thread t = {0};
    int refused = 0;

    WANT(enter(NULL));
    if (!in_force("(seccomp)"))
        return SKIPPED;
    WANT(thread_start(&t, "test", body_of_thread, &refused, NULL) == ERR_OK);
    thread_join(&t);
    WANT(refused == 1);
    return 0;
}

static int try_port(uint16_t port, int (*call)(int, const struct sockaddr *, socklen_t))
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), why;

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    why = call(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 ? 0 : errno;
    close(fd);
    return why;
}

static int ports(void)
{
    uint16_t port[3];
    struct err e;

    for (int i = 0; i < 3; i++)
        WANT(net_free_port(&port[i], &e) == ERR_OK);
    WANT(enter(port));
    if (!in_force("TCP ports"))
        return SKIPPED;
    WANT(try_port(port[0], bind) == 0 && try_port(port[2], bind) == EACCES);
    WANT(try_port(port[1], connect) == ECONNREFUSED && try_port(port[2], connect) == EACCES);
    return 0;
}

static void gives_up_privileges_and_cores(void **state)
{
    (void)state;
    run(privileges);
}

static void opens_its_own_files_alone(void **state)
{
    (void)state;
    run(files);
}

static void refuses_and_counts_other_calls(void **state)
{
    (void)state;
    run(calls);
}

static void holds_in_threads(void **state)
{
    (void)state;
    run(threads);
}

static void reaches_its_ports_alone(void **state)
{
    (void)state;
    run(ports);
}

static void is_off_until_entered(void **state)
{
    int last;

    (void)state;
    assert_true(in_force("off"));
    assert_int_equal(sandbox_refused(&last), 0);
    assert_false(sandbox_limits_connect());
}

/* cmocka wants int (void **). */
static int make_place(void **state)
{
    static const char *const names[] = {"own", "read", "foreign"};
    char path[128];

    (void)state;
    strcpy(place, "/tmp/pga-sandbox.XXXXXX");
    if (mkdtemp(place) == NULL)
        return -1;
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", place, names[i]);
        if (mkdir(path, 0700) != 0)
            return -1;
        snprintf(path, sizeof(path), "%s/a", names[i]);
        if (open_in(path, O_RDWR | O_CREAT) != 0)
            return -1;
    }
    return 0;
}

static int remove_place(void **state)
{
    static const char *const names[] = {"own/a", "own/new",   "own",     "read/a",
                                        "read",  "foreign/a", "foreign", ""};
    char path[128];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", place, names[i]);
        (void)remove(path);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_off_until_entered),
        cmocka_unit_test(gives_up_privileges_and_cores),
        cmocka_unit_test(opens_its_own_files_alone),
        cmocka_unit_test(refuses_and_counts_other_calls),
        cmocka_unit_test(holds_in_threads),
        cmocka_unit_test(reaches_its_ports_alone),
    };

    return cmocka_run_group_tests_name("sandbox", tests, make_place, remove_place);
}
