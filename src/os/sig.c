/* SPDX-License-Identifier: PostgreSQL */
/*
 * sig.c: a pipe between handlers and the main thread; one byte an event.
 *
 * A full pipe loses further reloads and child notices, which then wait already; a stop is kept in a
 * flag as well and cannot be lost.
 */
#include "os/sig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "os/clock.h"

static int sig_pipe[2] = {-1, -1};
static atomic_bool sig_stop_seen;

static void sig_send(char event)
{
    int saved = errno;

    (void)!write(sig_pipe[1], &event, 1);
    errno = saved;
}

static void sig_handle(int number)
{
    if (number == SIGHUP) {
        sig_send((char)SIG_EVENT_RELOAD);
    } else if (number == SIGUSR1) {
        sig_send((char)SIG_EVENT_REOPEN);
    } else if (number == SIGCHLD) {
        sig_send((char)SIG_EVENT_CHILD);
    } else {
        atomic_store(&sig_stop_seen, true);
        sig_send((char)SIG_EVENT_STOP);
    }
}

enum err_code sig_setup(struct err *e)
{
    static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD};
    struct sigaction action = {.sa_handler = sig_handle, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    if (sig_pipe[0] < 0 && pipe2(sig_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return err_set_errno(e, ERR_IO, errno, "signal pipe");
    (void)sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
        if (sigaction(handled[i], &action, NULL) != 0)
            return err_set_errno(e, ERR_IO, errno, "signal %d", handled[i]);
    }
    if (sigaction(SIGPIPE, &ignore, NULL) != 0)
        return err_set_errno(e, ERR_IO, errno, "signal %d", SIGPIPE);
    return ERR_OK;
}

/* Milliseconds for poll(2), rounded up; -1 = for ever. */
static int sig_poll_ms(int64_t mono_us)
{
    int64_t left_ms;

    if (mono_us == INT64_MAX)
        return -1;
    left_ms = (mono_us - clock_mono_us() + 999) / 1000;
    if (left_ms <= 0)
        return 0;
    return left_ms < 1000000 ? (int)left_ms : 1000000;
}

enum sig_event sig_wait(int64_t mono_us)
{
    struct pollfd fd = {.fd = sig_pipe[0], .events = POLLIN};
    char event;
    int wait_ms;

    do {
        if (read(sig_pipe[0], &event, 1) == 1)
            return (enum sig_event)event;
        wait_ms = sig_poll_ms(mono_us);
        (void)poll(&fd, 1, wait_ms);
    } while (wait_ms != 0);
    return SIG_EVENT_NONE;
}

int sig_fd(void)
{
    return sig_pipe[0];
}

bool sig_stopping(void)
{
    return atomic_load(&sig_stop_seen);
}

void sig_stop(void)
{
    atomic_store(&sig_stop_seen, true);
    sig_send((char)SIG_EVENT_STOP);
}

void sig_reload(void)
{
    if (sig_pipe[1] >= 0)
        sig_send((char)SIG_EVENT_RELOAD);
}
