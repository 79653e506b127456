/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_top.c: `pga ctl top`: one target on a whole screen, refreshed.
 *
 * Into a pipe it writes one frame without escapes. While a read is under way keys wait; a read has
 * READ_MS and a failed one leaves the screen with the reason on it.
 */
#include <stdio.h>
#include <string.h>

#include "app/ctl/output.h"
#include "app/ctl/top.h"
#include "base/alloc.h"
#include "base/num.h"
#include "os/clock.h"
#include "os/terminal.h"

#define READ_MS   5000
#define FRAME_MAX ((size_t)1024 * 1024)
#define STEP_MS   60000
#define BACK_MAX  (24 * 3600 * (int64_t)1000)

static void draw(struct top *t)
{
    struct buf out;

    buf_init(&out, FRAME_MAX);
    top_draw(t, &out, TOP_SCREEN);
    terminal_write(buf_view(&out));
    buf_fini(&out);
}

static void type(struct top *t, int key)
{
    size_t len = strlen(t->filter);

    if (key == '\r' || key == '\n') {
        t->typing = false;
    } else if (key == TERMINAL_ESCAPE) {
        t->typing = false;
        t->filter[0] = '\0';
    } else if ((key == 127 || key == '\b') && len > 0) {
        t->filter[len - 1] = '\0';
    } else if (key >= ' ' && key < 127 && len + 1 < sizeof(t->filter)) {
        t->filter[len] = (char)key;
        t->filter[len + 1] = '\0';
    }
}

static void next_sort(struct top *t)
{
    t->sort[t->view]++;
    if (top_sort_name(t->view, t->sort[t->view]) == NULL)
        t->sort[t->view] = 0;
}

static void go_back(struct top *t, int64_t step_ms)
{
    t->back_ms += step_ms;
    if (t->back_ms < 0)
        t->back_ms = 0;
    if (t->back_ms > BACK_MAX)
        t->back_ms = BACK_MAX;
}

static void pace(struct top *t, bool slower)
{
    t->every_ms = slower ? t->every_ms * 2 : t->every_ms / 2;
    if (t->every_ms < 1000)
        t->every_ms = 1000;
    if (t->every_ms > 60000)
        t->every_ms = 60000;
}

/* Returns whether the data must be read again for it. */
static bool act(struct top *t, int key)
{
    switch (key) {
    case '1':
    case '2':
    case '3':
        t->view = (enum top_view)(key - '1');
        return true;
    case '\t':
        t->view = (enum top_view)((t->view + 1) % TOP_VIEWS);
        return true;
    case 's':
        next_sort(t);
        return true;
    case '[':
    case ']':
        go_back(t, key == '[' ? STEP_MS : -STEP_MS);
        return true;
    case 'r':
        return true;
    case ' ':
        t->paused = !t->paused;
        return !t->paused;
    case '+':
    case '-':
        pace(t, key == '+');
        return false;
    case '/':
        t->typing = true;
        return false;
    case '?':
        t->help = !t->help;
        return false;
    default:
        return false;
    }
}

static int show(struct top *t)
{
    int64_t due = 0;

    for (;;) {
        int columns = t->columns, key;

        terminal_size(&t->columns, &t->rows);
        if (clock_mono_us() >= due && !t->paused) {
            top_refresh(t);
            due = clock_mono_us() + t->every_ms * 1000;
        } else if (columns != t->columns) {
            terminal_write(STR("\033[2J"));
        }
        draw(t);
        key = terminal_key(t->paused ? clock_mono_us() + 3600 * (int64_t)1000000 : due);
        if (key == TERMINAL_GONE || (!t->typing && (key == 'q' || key == 'Q')))
            return CTL_OK;
        if (t->typing)
            type(t, key);
        else if (key != TERMINAL_NONE && act(t, key))
            due = 0;
        if (due == 0 && t->paused) { /* what was asked for is read, and the pause goes on */
            top_refresh(t);
            due = clock_mono_us();
        }
    }
}

static int print_once(struct top *t)
{
    struct buf out;

    terminal_size(&t->columns, &t->rows);
    t->columns = t->columns > 110 ? t->columns : 110;
    t->rows = 60;
    top_refresh(t);
    if (!t->data.good) {
        struct err e;

        err_clear(&e);
        err_set(&e, ERR_UNREACHABLE, "%s", t->data.error);
        return ctl_fail(t->ctl, &e);
    }
    buf_init(&out, FRAME_MAX);
    top_draw(t, &out, TOP_TEXT);
    output_flush(&out);
    buf_fini(&out);
    return CTL_OK;
}

static enum err_code start(struct ctl *ctl, struct top *t, struct err *e)
{
    const char *id, *every = ctl_option(ctl, "every");
    enum err_code rc = ctl_find_target(ctl, ctl_option(ctl, "target"), &id, e);

    if (rc)
        return rc;
    t->ctl = ctl;
    t->every_ms = 2000;
    snprintf(t->id, sizeof(t->id), "%s", id);
    if (every && (num_parse_duration_ms(str_of(every), &t->every_ms, e) || t->every_ms < 1000))
        return err_set(e, ERR_INVALID, "--every: a time of at least 1s");
    for (int i = 0; ctl_option(ctl, "view") && i < TOP_VIEWS; i++) {
        static const char *const names[] = {"sessions", "queries", "locks"};

        if (strcmp(names[i], ctl_option(ctl, "view")) == 0)
            t->view = (enum top_view)i;
    }
    ctl->timeout_ms = READ_MS;
    return ERR_OK;
}

static int run(struct ctl *ctl)
{
    struct top *t = alloc_new(sizeof(*t));
    struct err e;
    int rc;

    err_clear(&e);
    if (start(ctl, t, &e) != ERR_OK) {
        rc = ctl_fail(ctl, &e);
    } else if (!terminal_is_there()) {
        rc = print_once(t);
    } else if (terminal_enter(&e) != ERR_OK) {
        rc = ctl_fail(ctl, &e);
    } else {
        t->colour = terminal_has_colour();
        rc = show(t);
        terminal_leave();
    }
    alloc_free(t);
    return rc;
}

static const struct ctl_option options[] = {
    {"target", "NAME", "name or id of the target (default: the only one)"},
    {"every", "TIME", "how often it is read (default 2s)"},
    {"view", "VIEW", "sessions (default), queries or locks"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_top = {
    .noun = "",
    .verb = "top",
    .summary = "watch one target: load by wait class, sessions, queries, who blocks whom",
    .options = options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run,
};
