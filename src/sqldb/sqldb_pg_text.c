/* SPDX-License-Identifier: PostgreSQL */
/*
 * sqldb_pg_text.c: values as PostgreSQL's text, and what its error codes mean to sqldb.
 *
 * Threads: no shared state.
 */
#include "sqldb/sqldb_pg.h"

#include "base/num.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

#define NUMBER_TEXT_BYTES 40

struct state_code {
    const char *prefix; /* a whole SQLSTATE, or its class */
    enum err_code code;
};

/*
 * What differs from pgclient's view: to a caller of sqldb ERR_NOT_FOUND means "no row" and
 * ERR_CONFLICT a violated constraint. The longest match stands first.
 */
static const struct state_code states[] = {
    {"08P01", ERR_BUG},         /* protocol: a wrong number of parameters */
    {"0A", ERR_INVALID},        /* feature not supported */
    {"25006", ERR_DENIED},      /* read-only transaction */
    {"25P02", ERR_CONFLICT},    /* an earlier statement of the transaction failed */
    {"25P03", ERR_TIMEOUT},     /* idle in transaction for too long */
    {"25", ERR_INVALID},        /* transaction state */
    {"40", ERR_TIMEOUT},        /* serialisation, deadlock: trying again helps */
    {"42501", ERR_DENIED},      /* privilege */
    {"42", ERR_INVALID},        /* bad SQL, also what exists already or does not exist */
    {"3F000", ERR_INVALID},     /* schema */
    {"53300", ERR_UNREACHABLE}, /* too many connections */
    {"53", ERR_IO},             /* disk full, out of memory */
    {"55P03", ERR_TIMEOUT},     /* lock_timeout */
};

enum err_code sqldb_pg_error(struct err *e)
{
    for (size_t i = 0; e->sqlstate[0] && i < sizeof(states) / sizeof(states[0]); i++) {
        if (strncmp(e->sqlstate, states[i].prefix, strlen(states[i].prefix)) == 0) {
            e->code = states[i].code;
            break;
        }
    }
    return err_wrap(e, "postgresql");
}

size_t sqldb_pg_parameters(const char *sql)
{
    size_t highest = 0;

    for (const char *p = sql; *p; p++) {
        if (p[0] == '-' && p[1] == '-') {
            p += strcspn(p, "\n");
            if (!*p) {
                break;
            }
        }
        size_t number = 0;
        if (*p == '$') {
            for (const char *q = p + 1; *q >= '0' && *q <= '9' && number < 1000; q++) {
                number = number * 10 + (size_t)(*q - '0');
            }
        }
        highest = number > highest ? number : highest;
    }
    return highest;
}

static struct str f64_text(struct arena *a, double value)
{
    char text[NUMBER_TEXT_BYTES];

    if (isnan(value)) {
        return STR("NaN");
    }
    if (isinf(value)) {
        return value > 0 ? STR("Infinity") : STR("-Infinity");
    }
    num_format_f64(value, text, sizeof(text));
    return arena_str(a, str_of(text));
}

static struct str blob_text(struct arena *a, struct str bytes)
{
    char *text = arena_alloc(a, 2 + 2 * bytes.len + 1);

    if (!text) {
        return (struct str){NULL, 0};
    }
    memcpy(text, "\\x", 2);
    text_hex(bytes.ptr, bytes.len, text + 2);
    return str_make(text, 2 + 2 * bytes.len);
}

struct str sqldb_pg_text(struct arena *a, const struct sqldb_value *v)
{
    switch (v->type) {
    case SQLDB_NULL:
        break;
    case SQLDB_I64:
        return str_of(arena_printf(a, "%lld", (long long)v->i64));
    case SQLDB_F64:
        return f64_text(a, v->f64);
    case SQLDB_TEXT:
        return v->bytes.ptr ? v->bytes : STR("");
    case SQLDB_BLOB:
        return blob_text(a, v->bytes);
    }
    return (struct str){NULL, 0};
}

struct str sqldb_pg_blob(struct arena *a, struct str text)
{
    if (!str_starts(text, STR("\\x"))) {
        return (struct str){NULL, 0};
    }
    size_t len = (text.len - 2) / 2;
    char *bytes = arena_alloc(a, len);
    if (!bytes || !text_unhex(str_make(text.ptr + 2, text.len - 2), bytes, len)) {
        return (struct str){NULL, 0};
    }
    return str_make(bytes, len);
}

double sqldb_pg_f64(struct str text)
{
    double value = 0;

    if (str_eq_c(text, "NaN")) {
        return NAN;
    }
    if (str_eq_c(text, "Infinity") || str_eq_c(text, "-Infinity")) {
        return text.ptr[0] == '-' ? -INFINITY : INFINITY;
    }
    return num_parse_f64(text, &value, NULL) == ERR_OK ? value : 0;
}

int64_t sqldb_pg_i64(struct str text)
{
    int64_t value = 0;

    if (num_parse_i64(text, INT64_MIN, INT64_MAX, &value, NULL) == ERR_OK) {
        return value;
    }
    double wide = sqldb_pg_f64(text); /* as SQLite has it: a fraction is cut off */
    return wide > -9.2e18 && wide < 9.2e18 ? (int64_t)wide : 0;
}
