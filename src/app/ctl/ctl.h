/* SPDX-License-Identifier: PostgreSQL */
/*
 * ctl.h: the command line `pga ctl`: what a command is, and what it is given.
 *
 * A command is a constant `struct ctl_command` in its own file, named in commands.list. The
 * dispatcher parses options, loads the context (server and token) when the command needs it, and
 * turns errors into exit codes; a command starts with its own work.
 * Data goes to standard output, everything else to standard error.
 *
 * Threads: one.
 */
#ifndef APP_CTL_CTL_H
#define APP_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "httpc/httpc.h"

enum ctl_exit {
    CTL_OK = 0,
    CTL_FAILURE = 1,
    CTL_USAGE = 2,
    CTL_NOT_FOUND = 3,
    CTL_AUTH = 4,
    CTL_CONFLICT = 5,
    CTL_UNAVAILABLE = 6,
    CTL_PROBLEMS = 7, /* the check worked, and found problems */
};

struct ctl_option {
    const char *name;  /* without dashes */
    const char *value; /* what the value is called; NULL = a switch; "[=X]" = may be left out */
    const char *help;
};

/* Whether --watch makes sense; lists can always be watched. */
enum ctl_watch { CTL_ONCE, CTL_WATCHED };
enum ctl_need { CTL_NEEDS_NOTHING, CTL_NEEDS_SERVER, CTL_NEEDS_LOGIN };

struct ctl;

struct ctl_command {
    const char *noun;                 /* "target"; "" for a shortcut */
    const char *verb;                 /* "list" */
    const char *summary;              /* one line */
    const char *argument;             /* what operands are called; NULL = none are taken */
    const struct ctl_option *options; /* ends with {NULL}; NULL = none */
    enum ctl_need needs;
    enum ctl_watch watched;
    int (*run)(struct ctl *ctl); /* an enum ctl_exit */
};

#define CTL_OPTION_MAX   32
#define CTL_ARGUMENT_MAX 8
#define CTL_ANSWER_MAX   16 /* calls a command makes */

struct ctl_context {
    char *name;
    char *server;
    char *token;         /* NULL = not logged in */
    char *refresh_token; /* NULL = none */
    char *ca_file;       /* authorities by which an https server is verified; NULL = none */
};

struct ctl {
    const struct ctl_command *command;
    const struct output *output;
    struct arena arena;
    struct httpc *client;
    struct ctl_context context; /* strings live in the arena */
    bool context_is_stored;     /* false when it came from the environment or --server */
    const char *option_names[CTL_OPTION_MAX];
    const char *option_values[CTL_OPTION_MAX];
    size_t option_count;
    const char *arguments[CTL_ARGUMENT_MAX];
    size_t argument_count;
    struct json_doc *answers[CTL_ANSWER_MAX]; /* kept until the command ends */
    size_t answer_count;
    struct str text;    /* the last answer that is no JSON; in the arena */
    int64_t timeout_ms; /* of a call; 0 = the usual one */
};

/* Options and operands */
const char *ctl_option(const struct ctl *ctl,
                       const char *name); /* NULL = not given; "" for a switch */
const char *ctl_option_or(const struct ctl *ctl, const char *name, const char *fallback);
extern const struct ctl_command *const ctl_commands[];
extern const size_t ctl_command_count;
extern const struct ctl_option ctl_global_options[]; /* ends with {NULL} */

/* Contexts (ctl_context.c): $XDG_CONFIG_HOME/pga/contexts.toml, 0600. */
enum err_code ctl_context_load(struct ctl *ctl, const char *name, struct err *e) ERR_MUST_CHECK;
enum err_code ctl_context_save(struct ctl *ctl,
                               struct err *e) ERR_MUST_CHECK; /* and makes it current */
/*
 * Keep other commands of this user from renewing the login until file_close(*fd), and take the
 * tokens that one of them may have stored meanwhile: a refresh token works once, and the server
 * ends a session that shows one twice.
 */
enum err_code ctl_context_hold(struct ctl *ctl, int *fd, struct err *e) ERR_MUST_CHECK;
enum err_code ctl_context_use(struct ctl *ctl, const char *name, struct err *e) ERR_MUST_CHECK;
/* One line a context into the visitor; `current` marks the one in use. */
enum err_code ctl_context_each(struct ctl *ctl,
                               void (*visit)(void *arg, const struct ctl_context *c, int current),
                               void *arg, struct err *e) ERR_MUST_CHECK;

/* Requests (ctl_request.c) */
struct ctl_call {
    const char *method;
    const char *path; /* "/api/v1/servers?limit=10"; already encoded */
    struct str body;  /* empty = none */
    const char *type; /* of the body; NULL = application/json */
    /* Takes the body of a 200, as in httpc.h; NULL = none */
    enum err_code (*sink)(void *arg, struct str piece, struct err *e);
    void *sink_arg;
    int64_t stall_ms;
};
/*
 * Perform a call with the context's token; a token that has run out is renewed once.
 * *answer: root of the JSON answer, valid while the ctl lives; NULL for an empty answer.
 * Errors: ERR_DENIED 401/403, ERR_NOT_FOUND 404, ERR_CONFLICT 409/412, ERR_INVALID other 4xx,
 *         ERR_UNREACHABLE for 429, 5xx and no answer.
 */
enum err_code ctl_request(struct ctl *ctl, const struct ctl_call *call, const struct json **answer,
                          struct err *e) ERR_MUST_CHECK;
/* Append "name=value" with ? or & and percent-encoding; a NULL value appends nothing. */
void ctl_query_add(struct buf *path, const char *name, const char *value);
/* Append `text` percent-encoded, for a path segment. */
void ctl_path_add(struct buf *path, const char *text);
/* Keep what a login answered as the context's tokens. */
enum err_code ctl_take_tokens(struct ctl *ctl, const struct json *answer,
                              struct err *e) ERR_MUST_CHECK;

/* The option as the API takes times: "30m" becomes "-30m", the rest stays. Lives in the arena. */
const char *ctl_time(struct ctl *ctl, const char *name, const char *fallback);

/* Forget all answers and everything in the arena, and load the context again. */
enum err_code ctl_forget(struct ctl *ctl, struct err *e) ERR_MUST_CHECK;
/* Report an error in the form of the output in force, and give its exit code. */
int ctl_fail(const struct ctl *ctl, const struct err *e);
int ctl_exit_code(enum err_code code);
/* A password from `file`, or asked for on the terminal without echo. */
enum err_code ctl_read_password(const char *file, const char *prompt, struct buf *out,
                                struct err *e) ERR_MUST_CHECK;
/* The id of the target named (or with the id) `name`; the only one when `name` is NULL. */
enum err_code ctl_find_target(struct ctl *ctl, const char *name, const char **id,
                              struct err *e) ERR_MUST_CHECK;

#endif
