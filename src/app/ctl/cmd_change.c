/* SPDX-License-Identifier: PostgreSQL */
/* cmd_change.c: see the header. */
#include "app/ctl/cmd_change.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/num.h"

static void put_words(struct str text, const char *member, struct json_writer *w)
{
    if (str_eq_c(text, "all")) {
        json_member_null(w, member);
        return;
    }
    json_key(w, member);
    json_array_begin(w);
    while (text.ptr && !str_eq_c(text, "none")) {
        json_put_str(w, str_trim(str_split(&text, ',')));
    }
    json_array_end(w);
}

static enum err_code put_field(struct ctl *ctl, const struct cmd_field *f, struct json_writer *w,
                               struct err *e)
{
    const char *text = ctl_option(ctl, f->option);
    int64_t n = 0;
    enum err_code rc = ERR_OK;

    if (!text) {
        return ERR_OK;
    }
    switch (f->kind) {
    case CMD_TEXT:
        json_member_c(w, f->member, text);
        return ERR_OK;
    case CMD_INTEGER:
        rc = num_parse_i64(str_of(text), INT64_MIN, INT64_MAX, &n, e);
        json_member_i64(w, f->member, n);
        break;
    case CMD_SECONDS:
        rc = num_parse_duration_ms(str_of(text), &n, e);
        json_member_i64(w, f->member, n / 1000);
        break;
    case CMD_WORDS:
        put_words(str_of(text), f->member, w);
        return ERR_OK;
    case CMD_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
            return err_set(e, ERR_INVALID, "--%s: true or false", f->option);
        }
        json_member_bool(w, f->member, text[0] == 't');
        return ERR_OK;
    }
    return rc ? err_wrap(e, "--%s", f->option) : ERR_OK;
}

static enum err_code put_password(struct ctl *ctl, const char *member, struct json_writer *w,
                                  struct err *e)
{
    struct buf password;
    enum err_code rc = ctl_read_password(ctl_option(ctl, "password-file"), "password", &password,
                                         e);

    if (rc == ERR_OK) {
        json_member_str(w, member, str_trim(buf_view(&password)));
    }
    if (password.ptr) {
        explicit_bzero(password.ptr, password.len);
    }
    buf_fini(&password);
    return rc;
}

static enum err_code write_body(struct ctl *ctl, const struct cmd_call *call, struct buf *body,
                                struct err *e)
{
    struct json_writer w;
    size_t count = call->fields ? call->field_count : 0;
    enum err_code rc = ERR_OK;

    if (!call->fields && !call->password) {
        return ERR_OK;
    }
    json_writer_init(&w, body);
    json_object_begin(&w);
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        rc = put_field(ctl, &call->fields[i], &w, e);
    }
    if (rc == ERR_OK && call->password) {
        rc = put_password(ctl, call->password, &w, e);
    }
    json_object_end(&w);
    return rc;
}

static bool is_id(const struct json *value, const char *name)
{
    char text[24];

    if (json_type(value) == JSON_STR) {
        return str_eq_c(json_str(value), name);
    }
    snprintf(text, sizeof(text), "%lld", (long long)json_i64(value, -1));
    return strcmp(text, name) == 0;
}

enum err_code cmd_change_find(struct ctl *ctl, const struct cmd_call *call, const char *name,
                              const char **id, struct err *e)
{
    const struct json *root, *found = NULL;
    const char *path = arena_printf(&ctl->arena, "%s?limit=1000", call->path);
    struct ctl_call list = {.method = "GET", .path = path};
    enum err_code rc = ctl_request(ctl, &list, &root, e);
    size_t matches = 0;

    if (rc) {
        return rc;
    }
    for (struct json_iter it = json_iter(json_get(root, "data")); json_next(&it);) {
        if (is_id(json_get(it.value, "id"), name)) {
            found = it.value;
            matches = 1;
            break;
        }
        if (str_eq_c(json_str(json_get(it.value, call->name_member)), name)) {
            found = it.value;
            matches++;
        }
    }
    if (matches == 0) {
        return err_set(e, ERR_NOT_FOUND,
                       "there is no %s %.80s: pga ctl %s list shows what there is",
                       ctl->command->noun, name, ctl->command->noun);
    }
    if (matches > 1) {
        return err_set(e, ERR_INVALID, "%zu of them are called %.80s: give the id", matches, name);
    }
    const struct json *value = json_get(found, "id");
    *id = json_type(value) == JSON_STR
              ? arena_cstr(&ctl->arena, json_str(value))
              : arena_printf(&ctl->arena, "%lld", (long long)json_i64(value, 0));
    return ERR_OK;
}

static enum err_code write_path(struct ctl *ctl, const struct cmd_call *call, struct buf *path,
                                struct err *e)
{
    const char *id = NULL;

    buf_add_c(path, call->path);
    if (!call->name_member) {
        return buf_check(path, e);
    }
    if (cmd_change_find(ctl, call, ctl->arguments[0], &id, e)) {
        return e->code;
    }
    buf_add_char(path, '/');
    ctl_path_add(path, id);
    if (call->suffix) {
        buf_add_c(path, call->suffix);
    }
    return buf_check(path, e);
}

int cmd_change_run(struct ctl *ctl, const struct cmd_call *call)
{
    struct err e;
    struct buf body, path;
    const struct json *root = NULL;

    err_clear(&e);
    if (call->name_member && ctl->argument_count != 1) {
        err_set(&e, ERR_INVALID, "which %s? Give its name or id", ctl->command->noun);
        (void)ctl_fail(ctl, &e);
        return CTL_USAGE;
    }
    buf_init(&body, LIMIT_JSON_BODY_BYTES);
    buf_init(&path, 4096);
    enum err_code rc = write_path(ctl, call, &path, &e);
    rc = rc ? rc : write_body(ctl, call, &body, &e);
    struct ctl_call request = {.method = call->method, .path = path.ptr, .body = buf_view(&body)};
    rc = rc ? rc : ctl_request(ctl, &request, &root, &e);
    if (body.ptr) {
        explicit_bzero(body.ptr, body.len);
    }
    buf_fini(&body);
    buf_fini(&path);
    if (rc) {
        return ctl_fail(ctl, &e);
    }
    if (root && call->columns) {
        const struct json *rows = call->rows ? json_get(root, call->rows) : root;
        ctl->output->list(root, rows, call->columns, call->column_count);
    } else if (call->done) {
        ctl->output->message("message", call->done);
    }
    return CTL_OK;
}

enum err_code cmd_change_confirm(struct ctl *ctl, const char *question, struct err *e)
{
    char answer[16] = "";

    if (ctl_option(ctl, "yes")) {
        return ERR_OK;
    }
    if (!isatty(STDIN_FILENO)) {
        return err_set(e, ERR_INVALID, "%s There is nobody to ask: give --yes", question);
    }
    fprintf(stderr, "%s [y/N] ", question);
    if (!fgets(answer, sizeof(answer), stdin) || (answer[0] | 0x20) != 'y') {
        return err_set(e, ERR_CANCELLED, "nothing was changed");
    }
    return ERR_OK;
}
