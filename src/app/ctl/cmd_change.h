/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_change.h: what the commands share that show one thing, or make, change or remove one.
 */
#ifndef APP_CTL_CMD_CHANGE_H
#define APP_CTL_CMD_CHANGE_H

#include "app/ctl/ctl.h"
#include "app/ctl/output.h"

/* An option that becomes a member of the body. */
/* CMD_WORDS: a list with commas; "none" is an empty one, "all" is null. */
enum cmd_field_kind { CMD_TEXT, CMD_INTEGER, CMD_BOOL, CMD_SECONDS, CMD_WORDS };
struct cmd_field {
    const char *option, *member;
    enum cmd_field_kind kind;
};

struct cmd_call {
    const char *method, *path; /* the path of the collection: "/api/v1/users" */
    const char
        *name_member;   /* the operand is an id or this member: "username"; NULL = no operand */
    const char *suffix; /* behind the id: "/reset-password"; NULL = none */
    const struct cmd_field *fields; /* ends with {NULL} */
    size_t field_count;
    const struct output_column *columns; /* of the answer; NULL = nothing is shown */
    size_t column_count;
    const char *rows;     /* member of the answer that is shown; NULL = the answer itself */
    const char *password; /* member whose value comes from --password-file or the terminal */
    const char *done;     /* said when the answer is empty */
};

/* Do the call and show its answer. Gives the exit code. */
int cmd_change_run(struct ctl *ctl, const struct cmd_call *call);
/*
 * Whether a person means it: --yes, or "y" on the terminal. ERR_INVALID when there is none to ask.
 */
enum err_code cmd_change_confirm(struct ctl *ctl, const char *question,
                                 struct err *e) ERR_MUST_CHECK;
/* The id of what is named `name` (or has this id) in a list of the server. */
enum err_code cmd_change_find(struct ctl *ctl, const struct cmd_call *call, const char *name,
                              const char **id, struct err *e) ERR_MUST_CHECK;

#define CMD_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
