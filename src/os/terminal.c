/* SPDX-License-Identifier: PostgreSQL */
/*
 * terminal.c: see the header.
 *
 * The handler of an ending signal does only what is allowed in one: write, tcsetattr, sigaction,
 * raise.
 */
#include "os/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "os/clock.h"

static const char enter_text[] = "\033[?1049h\033[?25l\033[2J";
static const char leave_text[] = "\033[0m\033[?25h\033[?1049l";
static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV, SIGBUS, SIGABRT, SIGFPE};

static struct termios before;
static volatile sig_atomic_t entered;

bool terminal_is_there(void)
{
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

void terminal_write(struct str text)
{
    while (text.len > 0) {
        ssize_t done = write(STDOUT_FILENO, text.ptr, text.len);

        if (done < 0 && errno != EINTR && errno != EAGAIN)
            return; /* terminal_key will say that it is gone */
        if (done > 0)
            text = str_make(text.ptr + done, text.len - (size_t)done);
    }
}

void terminal_leave(void)
{
    if (!entered)
        return;
    entered = 0;
    terminal_write(STR(leave_text));
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
}

static void on_end(int signal)
{
    struct sigaction usual = {.sa_handler = SIG_DFL};

    terminal_leave();
    (void)sigaction(signal, &usual, NULL);
    (void)raise(signal);
}

static void on_resize(int signal)
{
    (void)signal; /* poll returns: that is all */
}

enum err_code terminal_enter(struct err *e)
{
    struct sigaction end = {.sa_handler = on_end}, resize = {.sa_handler = on_resize};
    struct termios raw;

    if (!terminal_is_there() || tcgetattr(STDIN_FILENO, &before) != 0)
        return err_set(e, ERR_IO, "this is no terminal");
    raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* a stopped program would leave the screen as it is */
    for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
        (void)sigaction(ending[i], &end, NULL);
    (void)sigaction(SIGWINCH, &resize, NULL);
    (void)atexit(terminal_leave);
    entered = 1;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) != 0) {
        entered = 0;
        return err_set(e, ERR_IO, "the terminal cannot be set: %s", strerror(errno));
    }
    terminal_write(STR(enter_text));
    return ERR_OK;
}

void terminal_size(int *columns, int *rows)
{
    struct winsize size = {0};

    *columns = 80;
    *rows = 24;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        *columns = size.ws_col;
        *rows = size.ws_row;
    }
}

/* The rest of an escape sequence comes at once; a bare Escape has none. */
static int read_escape(void)
{
    struct pollfd in = {STDIN_FILENO, POLLIN, 0};
    char rest[16];

    if (poll(&in, 1, 20) <= 0)
        return TERMINAL_ESCAPE;
    (void)!read(STDIN_FILENO, rest, sizeof(rest));
    return TERMINAL_OTHER;
}

int terminal_key(int64_t mono_us)
{
    struct pollfd in = {STDIN_FILENO, POLLIN, 0};
    int64_t left_ms = (mono_us - clock_mono_us()) / 1000;
    unsigned char c;
    int got = poll(&in, 1, left_ms < 0 ? 0 : (int)left_ms + 1);

    if (got <= 0)
        return TERMINAL_NONE;
    if (read(STDIN_FILENO, &c, 1) != 1)
        return TERMINAL_GONE;
    return c == TERMINAL_ESCAPE ? read_escape() : c;
}

bool terminal_has_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') && term != NULL &&
           strcmp(term, "dumb") != 0;
}
