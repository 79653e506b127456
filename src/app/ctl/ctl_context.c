/* SPDX-License-Identifier: PostgreSQL */
/*
 * ctl_context.c: which server, and the tokens for it: contexts.toml, readable by its owner only.
 *
 * Order: --server or PGA_SERVER with PGA_TOKEN or PGA_TOKEN_FILE, else --context, else the current
 * context of the file.
 */
#include "app/ctl/ctl.h"

#include "base/limits.h"
#include "conf/conf.h"
#include "os/clock.h"
#include "os/file.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXTS_MAX 64
#define TOKEN_MAX    4096
#define LOCK_WAIT_MS 50
#define LOCK_TRIES   600 /* a call has 30 seconds */
#define CA_MAX       ((size_t)1 << 20)

struct stored {
    const char *current;
    struct ctl_context *rows;
    size_t count;
};

static const struct conf_key keys[] = {
    {.section = "",
     .name = "current",
     .type = CONF_STRING,
     .offset = offsetof(struct stored, current),
     .help = "Name of the context in use."},
    {.section = "context[]",
     .name = "name",
     .type = CONF_STRING,
     .offset = offsetof(struct ctl_context, name),
     .flags = CONF_REQUIRED,
     .help = "Its name."},
    {.section = "context[]",
     .name = "server",
     .type = CONF_STRING,
     .offset = offsetof(struct ctl_context, server),
     .flags = CONF_REQUIRED,
     .help = "Address of the server."},
    {.section = "context[]",
     .name = "token",
     .type = CONF_STRING,
     .offset = offsetof(struct ctl_context, token),
     .flags = CONF_SECRET,
     .help = "Access token."},
    {.section = "context[]",
     .name = "refresh_token",
     .type = CONF_STRING,
     .offset = offsetof(struct ctl_context, refresh_token),
     .flags = CONF_SECRET,
     .help = "Token for a new access token."},
    {.section = "context[]",
     .name = "ca_file",
     .type = CONF_STRING,
     .offset = offsetof(struct ctl_context, ca_file),
     .help = "File with the authorities by which the server is verified."},
};

static const struct conf_array arrays[] = {
    {.section = "context[]",
     .offset = offsetof(struct stored, rows),
     .count_offset = offsetof(struct stored, count),
     .row_size = sizeof(struct ctl_context),
     .max_rows = CONTEXTS_MAX},
};

static const struct conf_schema schema = {
    .title = "pga ctl contexts",
    .keys = keys,
    .key_count = sizeof(keys) / sizeof(keys[0]),
    .arrays = arrays,
    .array_count = 1,
    .struct_size = sizeof(struct stored),
};

static enum err_code directory(struct ctl *ctl, const char **out, struct err *e)
{
    const char *base = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    if (base && base[0] == '/') {
        *out = arena_printf(&ctl->arena, "%s/pga", base);
    } else if (home && home[0] == '/') {
        *out = arena_printf(&ctl->arena, "%s/.config/pga", home);
    } else {
        return err_set(e, ERR_INVALID, "neither XDG_CONFIG_HOME nor HOME is set");
    }
    return ERR_OK;
}

static enum err_code load_file(struct ctl *ctl, struct stored **out, struct err *e)
{
    const char *dir;
    struct buf text;
    void *loaded = NULL;
    enum err_code rc = directory(ctl, &dir, e);

    if (rc) {
        return rc;
    }
    buf_init(&text, LIMIT_CONFIG_BYTES);
    const char *path = arena_printf(&ctl->arena, "%s/contexts.toml", dir);
    rc = file_read_secret(path, &text, e);
    if (rc == ERR_NOT_FOUND) {
        err_clear(e);
        rc = conf_load(&ctl->arena, &schema, (struct str){NULL, 0}, path, &loaded, e);
    } else if (rc == ERR_OK) {
        rc = conf_load(&ctl->arena, &schema, arena_str(&ctl->arena, buf_view(&text)), path, &loaded,
                       e);
    }
    *out = loaded;
    buf_fini(&text);
    return rc;
}

static struct ctl_context *find(struct stored *stored, const char *name)
{
    for (size_t i = 0; name && i < stored->count; i++) {
        if (strcmp(stored->rows[i].name, name) == 0) {
            return &stored->rows[i];
        }
    }
    return NULL;
}

static enum err_code take_environment_token(struct ctl *ctl, struct err *e)
{
    const char *file = getenv("PGA_TOKEN_FILE");
    const char *token = getenv("PGA_TOKEN");
    struct buf text;
    enum err_code rc = ERR_OK;

    buf_init(&text, TOKEN_MAX);
    if (token && token[0]) {
        ctl->context.token = arena_strndup(&ctl->arena, token, strlen(token));
    } else if (file && file[0]) {
        rc = file_read_secret(file, &text, e);
        ctl->context.token = rc ? NULL : arena_cstr(&ctl->arena, buf_view(&text));
    }
    buf_fini(&text);
    return rc;
}

/* Whom to believe about an https server: an option, the environment, or the stored context. */
static enum err_code take_ca(struct ctl *ctl, struct err *e)
{
    const char *file = ctl_option_or(ctl, "ca-file", getenv("PGA_CA_FILE"));
    bool secure = ctl->context.server && strncmp(ctl->context.server, "https:", 6) == 0;
    struct buf pem;

    if (file && file[0]) {
        char whole[PATH_MAX]; /* what is stored holds in any folder */
        ctl->context.ca_file = arena_cstr(&ctl->arena,
                                          str_of(realpath(file, whole) ? whole : file));
    }
    if (!secure || ctl->command->needs == CTL_NEEDS_NOTHING) {
        return ERR_OK;
    }
    if (!ctl->context.ca_file) {
        return err_set(e, ERR_INVALID,
                       "%.100s: name the authority that vouches for it: --ca-file FILE",
                       ctl->context.server);
    }
    buf_init(&pem, CA_MAX);
    enum err_code rc = file_read_all(ctl->context.ca_file, &pem, e);
    if (rc == ERR_OK) {
        httpc_set_tls(ctl->client, &(struct httpc_tls){.ca = buf_view(&pem)});
    }
    buf_fini(&pem);
    return rc;
}

/* A stored context for this very server lends its tokens. */
static void borrow_tokens(struct ctl *ctl, struct stored *stored, const char *name)
{
    for (size_t i = 0; i < stored->count; i++) {
        if ((!name || strcmp(stored->rows[i].name, name) == 0) &&
            strcmp(stored->rows[i].server, ctl->context.server) == 0) {
            ctl->context = stored->rows[i];
            ctl->context_is_stored = true;
            return;
        }
    }
}

enum err_code ctl_context_load(struct ctl *ctl, const char *name, struct err *e)
{
    struct stored *stored;
    const char *server = ctl_option_or(ctl, "server", getenv("PGA_SERVER"));
    enum err_code rc = load_file(ctl, &stored, e);

    if (rc) {
        return rc;
    }
    if (server && server[0]) {
        ctl->context.name = arena_cstr(&ctl->arena, str_of(name ? name : "default"));
        ctl->context.server = arena_cstr(&ctl->arena, str_of(server));
        borrow_tokens(ctl, stored, name);
    } else {
        struct ctl_context *found = find(stored, name ? name : stored->current);
        if (name && !found && ctl->command->needs != CTL_NEEDS_NOTHING) {
            return err_set(e, ERR_NOT_FOUND, "there is no context \"%.60s\"", name);
        }
        if (found) {
            ctl->context = *found;
            ctl->context_is_stored = true;
        }
    }
    rc = take_environment_token(ctl, e);
    return rc ? rc : take_ca(ctl, e);
}

/* Only what can stand between TOML quotes as it is gets stored. */
static bool is_plain(const char *text)
{
    for (; text && *text; text++) {
        if (!isgraph((unsigned char)*text) || *text == '"' || *text == '\\') {
            return false;
        }
    }
    return true;
}

static void write_member(struct buf *out, const char *name, const char *value)
{
    if (value) {
        buf_printf(out, "%s = \"%s\"\n", name, value);
    }
}

static enum err_code write_file(struct ctl *ctl, const char *current, const struct stored *stored,
                                struct err *e)
{
    const char *dir;
    struct buf text;
    enum err_code rc = directory(ctl, &dir, e);

    buf_init(&text, LIMIT_CONFIG_BYTES);
    rc = rc ? rc : file_make_dirs(dir, 0700, e);
    write_member(&text, "current", current);
    for (size_t i = 0; i < stored->count; i++) {
        const struct ctl_context *c = &stored->rows[i];
        buf_add_c(&text, "\n[[context]]\n");
        write_member(&text, "name", c->name);
        write_member(&text, "server", c->server);
        write_member(&text, "token", c->token);
        write_member(&text, "refresh_token", c->refresh_token);
        write_member(&text, "ca_file", c->ca_file);
    }
    rc = rc ? rc : buf_check(&text, e);
    if (rc == ERR_OK) {
        rc = file_write_atomic(arena_printf(&ctl->arena, "%s/contexts.toml", dir), buf_view(&text),
                               0600, e);
    }
    buf_fini(&text);
    return rc;
}

enum err_code ctl_context_save(struct ctl *ctl, struct err *e)
{
    struct stored *stored;
    const struct ctl_context *c = &ctl->context;
    enum err_code rc = load_file(ctl, &stored, e);

    if (rc) {
        return rc;
    }
    if (!is_plain(c->name) || !is_plain(c->server) || !is_plain(c->token) ||
        !is_plain(c->refresh_token) || !is_plain(c->ca_file)) {
        return err_set(e, ERR_INVALID,
                       "a context's name, address and file have no blanks or quotes");
    }
    struct ctl_context *row = find(stored, c->name);
    if (!row && stored->count == CONTEXTS_MAX) {
        return err_set(e, ERR_LIMIT, "there are %d contexts already", CONTEXTS_MAX);
    }
    if (!row) {
        struct ctl_context *rows = arena_array(&ctl->arena, stored->count + 1,
                                               sizeof(*stored->rows));
        if (stored->count > 0) {
            memcpy(rows, stored->rows, stored->count * sizeof(*rows));
        }
        stored->rows = rows;
        row = &rows[stored->count++];
    }
    *row = *c;
    return write_file(ctl, c->name, stored, e);
}

enum err_code ctl_context_hold(struct ctl *ctl, int *fd, struct err *e)
{
    struct stored *stored;
    const char *dir;
    enum err_code rc = directory(ctl, &dir, e);
    const char *path = rc ? NULL : arena_printf(&ctl->arena, "%s/contexts.lock", dir);

    rc = rc ? rc : file_lock(path, fd, e);
    for (int i = 0; rc == ERR_CONFLICT && i < LOCK_TRIES; i++) {
        clock_sleep_ms(LOCK_WAIT_MS);
        rc = file_lock(path, fd, e);
    }
    if (rc) {
        return rc;
    }
    rc = load_file(ctl, &stored, e);
    struct ctl_context *found = rc ? NULL : find(stored, ctl->context.name);
    if (found) {
        ctl->context = *found;
    }
    if (rc) {
        file_close(*fd);
    }
    return rc;
}

enum err_code ctl_context_use(struct ctl *ctl, const char *name, struct err *e)
{
    struct stored *stored;
    enum err_code rc = load_file(ctl, &stored, e);
    if (rc) {
        return rc;
    }
    if (!find(stored, name)) {
        return err_set(e, ERR_NOT_FOUND, "there is no context \"%.60s\"", name);
    }
    return write_file(ctl, name, stored, e);
}

enum err_code ctl_context_each(struct ctl *ctl,
                               void (*visit)(void *arg, const struct ctl_context *c, int current),
                               void *arg, struct err *e)
{
    struct stored *stored;
    enum err_code rc = load_file(ctl, &stored, e);
    for (size_t i = 0; rc == ERR_OK && i < stored->count; i++) {
        visit(arg, &stored->rows[i],
              stored->current && strcmp(stored->rows[i].name, stored->current) == 0);
    }
    return rc;
}
