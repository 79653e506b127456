/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgclient_error.c: what an SQLSTATE means for the caller.
 *
 * The text of the server is untrusted: it is cut to one line and bounded by struct err.
 * Threads: no shared state.
 */
#include "pgclient/pgclient_internal.h"

#include <ctype.h>
#include <string.h>

struct state_code {
    const char *prefix; /* a whole SQLSTATE, or its class */
    enum err_code code;
};

/* The longest match stands first. */
static const struct state_code STATES[] = {
    {"0A000", ERR_UNSUPPORTED}, /* feature not supported */
    {"22", ERR_INVALID},        /* data exception */
    {"23", ERR_CONFLICT},       /* integrity constraint */
    {"25006", ERR_DENIED},      /* read-only transaction */
    {"28", ERR_DENIED},         /* authorisation */
    {"3D000", ERR_NOT_FOUND},   /* database */
    {"3F000", ERR_NOT_FOUND},   /* schema */
    {"40", ERR_CONFLICT},       /* serialisation, deadlock */
    {"42501", ERR_DENIED},      /* privilege */
    {"42P01", ERR_NOT_FOUND},   /* relation */
    {"42703", ERR_NOT_FOUND},   /* column */
    {"42704", ERR_NOT_FOUND},   /* object */
    {"42883", ERR_NOT_FOUND},   /* function */
    {"42P04", ERR_CONFLICT},    /* database exists */
    {"42P07", ERR_CONFLICT},    /* relation exists */
    {"42710", ERR_CONFLICT},    /* object exists */
    {"42", ERR_INVALID},        /* syntax, access rule */
    {"53100", ERR_IO},          /* disk full */
    {"53", ERR_UNREACHABLE},    /* too many connections, out of memory */
    {"54", ERR_LIMIT},          /* program limit */
    {"55P03", ERR_TIMEOUT},     /* lock_timeout */
    {"55", ERR_UNSUPPORTED},    /* object not in the state needed */
    {"57014", ERR_TIMEOUT},     /* statement_timeout or cancel */
    {"57", ERR_UNREACHABLE},    /* shutdown, starting up, idle timeout */
    {"58", ERR_IO},
    {"08", ERR_UNREACHABLE},
    {"XX001", ERR_CORRUPT},
    {"XX002", ERR_CORRUPT},
};

enum err_code pgclient_classify(const char *sqlstate)
{
    for (size_t i = 0; i < sizeof(STATES) / sizeof(STATES[0]); i++) {
        if (strncmp(sqlstate, STATES[i].prefix, strlen(STATES[i].prefix)) == 0) {
            return STATES[i].code;
        }
    }
    return ERR_IO;
}

static void keep_state(struct err *e, const char *sqlstate)
{
    if (e) {
        memcpy(e->sqlstate, sqlstate, 5);
        e->sqlstate[5] = '\0';
    }
}

/* The first line of a message, without blanks at its end. */
static struct str first_line(const char *text)
{
    struct str s = str_make(text, strcspn(text, "\n"));
    return str_trim(s);
}

/* PgBouncer says "protocol violation" of all that keeps it from serving, and hangs up. */
#define POOLER_STATE "08P01"
#define LOST_STATE   "08006"

static bool is_fatal(const PGresult *res)
{
    const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);

    severity = severity ? severity : PQresultErrorField(res, PG_DIAG_SEVERITY);
    return severity && strcmp(severity, "FATAL") == 0;
}

enum err_code pgclient_fail(const PGresult *res, struct err *e)
{
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    if (!state || strlen(state) != 5) {
        struct str line = first_line(PQresultErrorMessage(res));
        return err_set(e, ERR_UNREACHABLE, "%.*s", STR_ARG(line));
    }
    if (strcmp(state, POOLER_STATE) == 0 && is_fatal(res)) {
        state = LOST_STATE;
    }
    struct str line = first_line(text ? text : "");
    enum err_code code = err_set(e, pgclient_classify(state), "%.*s", STR_ARG(line));
    keep_state(e, state);
    return code;
}

/*
 * Find "FATAL:  28P01: " in the verbose message: two blanks, five capitals or digits, a colon. The
 * word in front may be in the server's language. `*after` gets the text behind it.
 */
static const char *find_state(const char *message, const char **after)
{
    for (const char *p = strstr(message, ":  "); p; p = strstr(p + 1, ":  ")) {
        const char *s = p + 3;
        size_t n = 0;
        while (n < 5 && (isdigit((unsigned char)s[n]) || isupper((unsigned char)s[n]))) {
            n++;
        }
        if (n == 5 && s[5] == ':' && s[6] == ' ') {
            *after = s + 7;
            return s;
        }
    }
    return NULL;
}

enum err_code pgclient_fail_connect(const char *message, struct err *e)
{
    const char *after = NULL;
    const char *state = find_state(message, &after);
    if (state) {
        struct str line = first_line(after);
        enum err_code code = err_set(e, pgclient_classify(state), "%.*s", STR_ARG(line));
        keep_state(e, strncmp(state, POOLER_STATE, 5) == 0 ? LOST_STATE : state);
        return code;
    }
    struct str line = first_line(message);
    bool wants_password = strstr(message, "no password supplied") != NULL ||
                          strstr(message, "authentication method requirement") != NULL;
    return err_set(e, wants_password ? ERR_DENIED : ERR_UNREACHABLE, "%.*s", STR_ARG(line));
}
