/* SPDX-License-Identifier: PostgreSQL */
/*
 * sandbox_linux.c: the sandbox by prctl, capset, seccomp and Landlock.
 *
 * The lists of system calls are what the scenario tests need, and what is near: another kernel,
 * libc or path through an error may use the sister of a call. One that is missing shows itself in
 * every scenario: lib.sh fails it when the log tells of a refused call. Not in them: making
 * processes, running programs, mounting, tracing, modules, keys, namespaces, io_uring, bpf,
 * userfaultfd.
 *
 * This file alone is compiled with the system's kernel headers. Constants that those of Debian 12
 * lack are written out here.
 */
#include "os/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static struct {
    bool entered, calls;
    int files_abi; /* of Landlock; 0 = not in force */
    bool tcp, connect;
} state;
static atomic_ullong refused;
static atomic_int refused_last;

/* --- what is needed --- */

void sandbox_init(struct sandbox *s, enum sandbox_profile profile)
{
    memset(s, 0, sizeof(*s));
    s->profile = profile;
}

void sandbox_path(struct sandbox *s, const char *path, enum sandbox_right right)
{
    if (path == NULL || path[0] == '\0')
        return;
    if (s->path_count == SANDBOX_PATHS) {
        s->overflow = true;
        return;
    }
    s->paths[s->path_count].path = path;
    s->paths[s->path_count++].right = right;
}

void sandbox_port(struct sandbox *s, uint16_t port, enum sandbox_port use)
{
    for (size_t i = 0; i < s->port_count; i++) {
        if (s->ports[i].port == port && s->ports[i].use == use)
            return;
    }
    if (s->port_count == SANDBOX_PORTS) {
        s->overflow = true;
        return;
    }
    s->ports[s->port_count].port = port;
    s->ports[s->port_count++].use = use;
}

/* --- privileges --- */

/* Ports below 1024 are bound later, by the same threads: the right to it stays for those alone. */
static bool needs_low_port(const struct sandbox *s)
{
    for (size_t i = 0; i < s->port_count; i++) {
        if (s->ports[i].use == SANDBOX_BIND && s->ports[i].port > 0 && s->ports[i].port < 1024)
            return true;
    }
    return false;
}

static enum err_code drop_capabilities(const struct sandbox *s, struct err *e)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct have[2] = {{0}}, want[2] = {{0}};

    if (syscall(SYS_capget, &header, have) != 0)
        return err_set_errno(e, ERR_IO, errno, "sandbox: capget");
    if (needs_low_port(s)) {
        want[0].effective = have[0].effective & 1U << CAP_NET_BIND_SERVICE;
        want[0].permitted = have[0].permitted & 1U << CAP_NET_BIND_SERVICE;
    }
    for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
        (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* works for root alone, who alone needs it */
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &header, want) != 0)
        return err_set_errno(e, ERR_IO, errno, "sandbox: capset");
    return ERR_OK;
}

static enum err_code drop_privileges(const struct sandbox *s, struct err *e)
{
    const struct rlimit none = {0, 0};

    (void)umask(077);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_set_errno(e, ERR_IO, errno, "sandbox: no_new_privs");
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return err_set_errno(e, ERR_IO, errno, "sandbox: core dumps");
    return drop_capabilities(s, e);
}

/* --- files and ports (Landlock) --- */

#define NET_ABI          4
#define SCOPE_ABI        6
#define ACCESS_REFER     (1ULL << 13) /* ABI 2 */
#define ACCESS_TRUNCATE  (1ULL << 14) /* ABI 3 */
#define ACCESS_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#define NET_BIND         (1ULL << 0)
#define NET_CONNECT      (1ULL << 1)
#define SCOPE_SIGNAL     (1ULL << 1)
#define RULE_NET_PORT    2
#define ACCESS_READ      (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ACCESS_WRITE                                                                              \
    (ACCESS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
     LANDLOCK_ACCESS_FS_MAKE_SYM | ACCESS_REFER | ACCESS_TRUNCATE)
/* What a rule about a single file may hold. */
#define ACCESS_OF_FILE \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE)

struct ruleset_attr {
    uint64_t files, net, scoped;
};
struct port_attr {
    uint64_t access, port;
};

/* All that this ABI can deny, so that what no rule allows is denied. */
static uint64_t files_handled(int abi)
{
    uint64_t all = (1ULL << 13) - 1; /* ABI 1 */

    if (abi >= 2)
        all |= ACCESS_REFER;
    if (abi >= 3)
        all |= ACCESS_TRUNCATE;
    if (abi >= 5)
        all |= ACCESS_IOCTL_DEV;
    return all;
}

static enum err_code allow_path(int ruleset, uint64_t handled, const struct sandbox *s, size_t at,
                                struct err *e)
{
    struct landlock_path_beneath_attr rule = {
        .allowed_access = s->paths[at].right == SANDBOX_WRITE ? ACCESS_WRITE : ACCESS_READ,
        .parent_fd = open(s->paths[at].path, O_PATH | O_CLOEXEC)};
    enum err_code rc = ERR_OK;
    struct stat st;

    if (rule.parent_fd < 0)
        return ERR_OK;
    if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rule.allowed_access &= ACCESS_OF_FILE;
    rule.allowed_access &= handled;
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        rc = err_set_errno(e, ERR_IO, errno, "sandbox: the rule for %s", s->paths[at].path);
    (void)close(rule.parent_fd);
    return rc;
}

static enum err_code allow_port(int ruleset, uint64_t handled, const struct sandbox *s, size_t at,
                                struct err *e)
{
    struct port_attr rule = {.port = s->ports[at].port};

    rule.access = handled & (s->ports[at].use == SANDBOX_BIND ? NET_BIND : NET_CONNECT);
    if (rule.access != 0 && syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) != 0)
        return err_set_errno(e, ERR_IO, errno, "sandbox: the rule for port %u", s->ports[at].port);
    return ERR_OK;
}

static enum err_code restrict_files(const struct sandbox *s, int abi, struct err *e)
{
    struct ruleset_attr attr = {.files = files_handled(abi)};
    size_t size = abi >= SCOPE_ABI ? 24 : abi >= NET_ABI ? 16 : 8;
    enum err_code rc = ERR_OK;
    int ruleset;

    if (abi >= NET_ABI)
        attr.net = NET_BIND | (s->connects_anywhere ? 0 : NET_CONNECT);
    if (abi >= SCOPE_ABI)
        attr.scoped = SCOPE_SIGNAL;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (ruleset < 0)
        return err_set_errno(e, ERR_IO, errno, "sandbox: a ruleset of Landlock %d", abi);
    for (size_t i = 0; rc == ERR_OK && i < s->path_count; i++)
        rc = allow_path(ruleset, attr.files, s, i, e);
    for (size_t i = 0; rc == ERR_OK && i < s->port_count; i++)
        rc = allow_port(ruleset, attr.net, s, i, e);
    if (rc == ERR_OK && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        rc = err_set_errno(e, ERR_IO, errno, "sandbox: Landlock");
    (void)close(ruleset);
    state.files_abi = rc == ERR_OK ? abi : 0;
    state.tcp = rc == ERR_OK && (attr.net & NET_BIND) != 0;
    state.connect = rc == ERR_OK && (attr.net & NET_CONNECT) != 0;
    return rc;
}

/* --- system calls (seccomp) --- */

#ifdef __x86_64__
#define ARCH               AUDIT_ARCH_X86_64
#define REGISTER_RESULT(c) ((c)->uc_mcontext.gregs[REG_RAX])
#elif defined(__aarch64__)
#define ARCH               AUDIT_ARCH_AARCH64
#define REGISTER_RESULT(c) ((c)->uc_mcontext.regs[0])
#endif

#ifdef ARCH

/* Calls that only some architectures have: 0xffff is no number of any. */
#define NO_CALL 0xffff
#ifdef SYS_open
#define OLD(name) SYS_##name
#else
#define OLD(name) NO_CALL
#endif

/* Of both: the C library, threads, files, sockets, time. */
static const unsigned short calls_of_all[] = {
    /* memory */
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_madvise,
    SYS_mincore,
    SYS_mlock,
    SYS_mlock2,
    SYS_munlock,
    SYS_membarrier,
    /* threads and signals */
    SYS_futex,
    SYS_set_robust_list,
    SYS_set_tid_address,
    SYS_gettid,
    SYS_getpid,
    SYS_getppid,
    SYS_tgkill,
    SYS_tkill,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigtimedwait,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_exit,
    SYS_exit_group,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_sched_setscheduler,
    SYS_sched_getscheduler,
    SYS_sched_getparam,
    SYS_setpriority,
    SYS_getpriority,
    SYS_rseq,
    SYS_getcpu,
    SYS_getrusage,
    /* who we are */
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getresuid,
    SYS_getresgid,
    SYS_getgroups,
    SYS_uname,
    SYS_sysinfo,
    SYS_prlimit64,
    SYS_getrlimit,
    SYS_setrlimit,
    SYS_umask,
    SYS_getrandom,
    SYS_getcwd,
    SYS_prctl,
    /* time */
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    OLD(time),
    SYS_times,
    /* files */
    OLD(open),
    SYS_openat,
    SYS_close,
    SYS_close_range,
    SYS_read,
    SYS_readv,
    SYS_pread64,
    SYS_preadv,
    SYS_write,
    SYS_writev,
    SYS_pwrite64,
    SYS_pwritev,
    SYS_lseek,
    OLD(stat),
    SYS_fstat,
    OLD(lstat),
    SYS_newfstatat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    OLD(access),
    SYS_faccessat,
    SYS_faccessat2,
    SYS_ftruncate,
    SYS_truncate,
    SYS_fsync,
    SYS_fdatasync,
    SYS_sync_file_range,
    SYS_fallocate,
    SYS_fadvise64,
    OLD(rename),
    SYS_renameat,
    SYS_renameat2,
    OLD(unlink),
    SYS_unlinkat,
    OLD(rmdir),
    OLD(mkdir),
    SYS_mkdirat,
    OLD(chmod),
    SYS_fchmod,
    SYS_fchmodat,
    OLD(chown),
    SYS_fchown,
    SYS_fchownat,
    OLD(link),
    SYS_linkat,
    OLD(symlink),
    SYS_symlinkat,
    OLD(readlink),
    SYS_readlinkat,
    OLD(getdents),
    SYS_getdents64,
    SYS_fcntl,
    SYS_flock,
    SYS_dup,
    OLD(dup2),
    SYS_dup3,
    SYS_ioctl,
    SYS_utimensat,
    SYS_chdir,
    SYS_fchdir,
    SYS_copy_file_range,
    SYS_sendfile,
    /* waiting */
    OLD(poll),
    SYS_ppoll,
    OLD(select),
    SYS_pselect6,
    OLD(epoll_create),
    SYS_epoll_create1,
    SYS_epoll_ctl,
    OLD(epoll_wait),
    SYS_epoll_pwait,
    SYS_eventfd2,
    SYS_pipe2,
    OLD(pipe),
    SYS_timerfd_create,
    SYS_timerfd_settime,
    /* sockets */
    SYS_socket,
    SYS_socketpair,
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_connect,
    SYS_getsockname,
    SYS_getpeername,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_sendto,
    SYS_recvfrom,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_sendmmsg,
    SYS_recvmmsg,
    SYS_shutdown,
};

/* The server alone: it lowers its own priority for work behind the scenes. */
static const unsigned short calls_of_server[] = {SYS_ioprio_set, SYS_ioprio_get,
                                                 SYS_sched_setaffinity};

/* Making a process: refused at once, see the header. clone is looked at below. */
static const unsigned short calls_silent[] = {OLD(fork), OLD(vfork)};

#define CALLS(a)    (sizeof(a) / sizeof((a)[0]))
#define PROGRAM_MAX 512

struct program {
    struct sock_filter code[PROGRAM_MAX];
    size_t len;
};

static void put(struct program *p, struct sock_filter line)
{
    if (p->len < PROGRAM_MAX)
        p->code[p->len++] = line;
}

static void put_return(struct program *p, uint32_t what)
{
    put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

/* When the number loaded is one of these: return `what`. */
static void put_calls(struct program *p, const unsigned short *calls, size_t count, uint32_t what)
{
    for (size_t i = 0; i < count; i++) {
        if (calls[i] == NO_CALL)
            continue;
        put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1));
        put_return(p, what);
    }
}

/* A clone that makes a thread is taken; the flags are its first argument on both architectures. */
static void put_clone(struct program *p)
{
    const uint32_t eperm = SECCOMP_RET_ERRNO | EPERM, enosys = SECCOMP_RET_ERRNO | ENOSYS;

    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1));
    put_return(p, enosys); /* its flags are in memory; callers fall back to clone */
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4));
    put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                        offsetof(struct seccomp_data, args[0])));
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x00010000, 0, 1));
    put_return(p, SECCOMP_RET_ALLOW); /* CLONE_THREAD */
    put_return(p, eperm);
}

static void make_program(struct program *p, enum sandbox_profile profile)
{
    p->len = 0;
    put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                        offsetof(struct seccomp_data, arch)));
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0));
    put_return(p, SECCOMP_RET_KILL_PROCESS);
    put(p,
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    put_clone(p);
    put_calls(p, calls_of_all, CALLS(calls_of_all), SECCOMP_RET_ALLOW);
    if (profile == SANDBOX_SERVER)
        put_calls(p, calls_of_server, CALLS(calls_of_server), SECCOMP_RET_ALLOW);
    put_calls(p, calls_silent, CALLS(calls_silent), SECCOMP_RET_ERRNO | EPERM);
    put_return(p, SECCOMP_RET_TRAP);
}

/* A refused call: it is counted and fails with EPERM. */
static void on_refused(int number, siginfo_t *info, void *context)
{
    ucontext_t *c = context;

    (void)number;
    atomic_fetch_add(&refused, 1);
    atomic_store(&refused_last, info->si_syscall);
    REGISTER_RESULT(c) = -EPERM;
}

static enum err_code restrict_calls(const struct sandbox *s, struct err *e)
{
    struct sigaction action = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct program program;
    struct sock_fprog filter = {.filter = program.code};
    long got;

    make_program(&program, s->profile);
    filter.len = (unsigned short)program.len;
    if (program.len == PROGRAM_MAX || sigaction(SIGSYS, &action, NULL) != 0)
        return err_set(e, ERR_BUG, "sandbox: the list of system calls is too long");
    got = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
    if (got != 0 && errno == ENOSYS)
        return ERR_OK;
    if (got != 0)
        return err_set_errno(e, ERR_IO, errno, "sandbox: seccomp");
    state.calls = true;
    return ERR_OK;
}

#else

static enum err_code restrict_calls(const struct sandbox *s, struct err *e)
{
    (void)s;
    (void)e;
    return ERR_OK;
}

#endif

/* --- the whole --- */

enum err_code sandbox_enter(const struct sandbox *s, struct err *e)
{
    enum err_code rc = drop_privileges(s, e);
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* tell the version */);

    state.entered = rc == ERR_OK;
    if (SANITIZED) /* its runtime opens and calls what it likes */
        return rc;
    if (rc == ERR_OK && abi > 0 && !s->overflow)
        rc = restrict_files(s, (int)abi, e);
    return rc == ERR_OK ? restrict_calls(s, e) : rc;
}

void sandbox_describe(struct buf *out)
{
    if (!state.entered) {
        buf_add_c(out, "off");
        return;
    }
    buf_add_c(out, "no new privileges, no core dumps");
    buf_add_c(out, state.calls ? ", system calls (seccomp)" : ", no limit on system calls");
    if (state.files_abi > 0)
        buf_printf(out, ", files%s (Landlock %d)",
                   state.connect ? " and TCP ports"
                   : state.tcp   ? " and TCP ports listened on"
                                 : "",
                   state.files_abi);
    else
        buf_add_c(out, ", no limit on files");
}

uint64_t sandbox_refused(int *last)
{
    *last = atomic_load(&refused_last);
    return atomic_load(&refused);
}

bool sandbox_limits_connect(void)
{
    return state.connect;
}
