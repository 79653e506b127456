/* SPDX-License-Identifier: PostgreSQL */
/* batch.c: cells and severities. */
#include "model/batch.h"

#include <math.h>

static const char *const batch_severities[] = {
    [BATCH_DEBUG] = "debug", [BATCH_INFO] = "info",         [BATCH_WARNING] = "warning",
    [BATCH_ERROR] = "error", [BATCH_CRITICAL] = "critical",
};

const char *batch_severity_name(enum batch_severity s)
{
    return batch_severities[s];
}

bool batch_parse_severity(struct str s, enum batch_severity *out)
{
    for (size_t i = 0; i < sizeof(batch_severities) / sizeof(batch_severities[0]); i++) {
        if (str_eq_c(s, batch_severities[i])) {
            *out = (enum batch_severity)i;
            return true;
        }
    }
    return false;
}

struct cell cell_u64(uint64_t v)
{
    if (v <= INT64_MAX)
        return cell_i64((int64_t)v);
    return (struct cell){.tag = CELL_U64, .u64 = v};
}

double cell_to_f64(struct cell c)
{
    switch (c.tag) {
    case CELL_I64:
        return (double)c.i64;
    case CELL_U64:
        return (double)c.u64;
    case CELL_F64:
        return c.f64;
    case CELL_NULL:
    case CELL_STR:
        break;
    }
    return (double)NAN;
}

void cell_add(struct cell *sum, struct cell c)
{
    int64_t exact = 0;

    if (c.tag == CELL_NULL || c.tag == CELL_STR) {
        return;
    }
    if (sum->tag == CELL_NULL) {
        *sum = c;
    } else if (sum->tag == CELL_I64 && c.tag == CELL_I64 &&
               !__builtin_add_overflow(sum->i64, c.i64, &exact)) {
        sum->i64 = exact;
    } else {
        *sum = cell_f64(cell_to_f64(*sum) + cell_to_f64(c));
    }
}
