/* SPDX-License-Identifier: PostgreSQL */
/*
 * ctl_ask.c: what several commands need to find out first: a password, and which target is meant.
 */
#include "app/ctl/ctl.h"

#include "base/num.h"
#include "os/file.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_MAX 1024

static enum err_code read_line(int fd, struct buf *out, struct err *e)
{
    char c;
    ssize_t got;
    while ((got = read(fd, &c, 1)) == 1 && c != '\n') {
        buf_add_char(out, c);
    }
    return got < 0 ? err_set(e, ERR_IO, "reading the terminal failed") : buf_check(out, e);
}

static enum err_code ask_terminal(const char *prompt, struct buf *out, struct err *e)
{
    struct termios old, quiet;
    int fd = isatty(STDIN_FILENO) ? open("/dev/tty", O_RDWR | O_CLOEXEC) : -1;

    if (fd < 0 || tcgetattr(fd, &old) != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return err_set(e, ERR_INVALID, "there is no terminal to ask on: give --password-file");
    }
    quiet = old;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(fd, TCSAFLUSH, &quiet);
    fprintf(stderr, "%s: ", prompt);
    enum err_code rc = read_line(fd, out, e);
    tcsetattr(fd, TCSAFLUSH, &old);
    fprintf(stderr, "\n");
    close(fd);
    return rc;
}

enum err_code ctl_read_password(const char *file, const char *prompt, struct buf *out,
                                struct err *e)
{
    buf_init(out, PASSWORD_MAX);
    if (file && strcmp(file, "-") == 0) {
        return read_line(STDIN_FILENO, out, e);
    }
    if (file) {
        return file_read_secret(file, out, e);
    }
    return ask_terminal(prompt, out, e);
}

static bool is_named(const struct json *target, const char *name)
{
    return str_eq_c(json_str(json_get(target, "name")), name) ||
           str_eq_c(json_str(json_get(target, "id")), name);
}

static bool is_postgresql(const struct json *target)
{
    return str_eq_c(json_str(json_get(target, "kind")), "postgresql");
}

enum err_code ctl_find_target(struct ctl *ctl, const char *name, const char **id, struct err *e)
{
    const struct json *root;
    const struct json *found = NULL;
    size_t matches = 0;
    struct ctl_call call = {.method = "GET", .path = "/api/v1/servers?limit=1000"};
    enum err_code rc = ctl_request(ctl, &call, &root, e);

    if (rc) {
        return rc;
    }
    for (struct json_iter it = json_iter(json_get(root, "data")); json_next(&it);) {
        if (name ? is_named(it.value, name) : is_postgresql(it.value)) {
            found = it.value;
            matches++;
        }
    }
    if (matches == 0) {
        return err_set(e, ERR_NOT_FOUND, "there is no target%s%.80s", name ? " " : "",
                       name ? name : "");
    }
    if (matches > 1) {
        return err_set(e, ERR_INVALID,
                       "%zu targets fit: name one with --target (pga ctl target list)", matches);
    }
    *id = arena_cstr(&ctl->arena, json_str(json_get(found, "id")));
    return ERR_OK;
}

const char *ctl_time(struct ctl *ctl, const char *name, const char *fallback)
{
    int64_t ms;
    const char *text = ctl_option_or(ctl, name, fallback);
    size_t len = strlen(text);

    /* "30m" means half an hour ago; a bare number is a time since the epoch. */
    if (len > 0 && text[0] != '-' && !isdigit((unsigned char)text[len - 1]) &&
        num_parse_duration_ms(str_of(text), &ms, NULL) == ERR_OK) {
        return arena_printf(&ctl->arena, "-%s", text);
    }
    return text;
}
