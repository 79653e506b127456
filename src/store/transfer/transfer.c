/* SPDX-License-Identifier: PostgreSQL */
/*
 * transfer.c: the steps of a copy, one after the other, from where it came to.
 */
#include "store/transfer/transfer_part.h"

#include "base/alloc.h"
#include "base/fault.h"

#include <stdarg.h>
#include <stdio.h>

#define LOSS_BYTES 512

void transfer_tell(struct transfer *t)
{
    if (t->config->progress) {
        t->config->progress(t->config->arg, &t->progress);
    }
}

void transfer_lose(struct transfer *t, const char *fmt, ...)
{
    char text[LOSS_BYTES];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    t->losses++;
    if (t->config->loss) {
        t->config->loss(t->config->arg, text);
    }
}

static enum err_code run_step(struct transfer *t, struct err *e)
{
    switch (t->mark.step) {
    case TRANSFER_TABLES:
        return transfer_tables_copy(t, e);
    case TRANSFER_NAMES:
        return transfer_names_copy(t, e);
    case TRANSFER_READINGS:
        return transfer_readings_copy(t, e);
    case TRANSFER_ROLLUPS:
        return transfer_rollups_copy(t, e);
    case TRANSFER_CHECK:
    case TRANSFER_STEPS:
        break;
    }
    return err_set(e, ERR_BUG, "no such step");
}

static enum err_code copy(struct transfer *t, struct err *e)
{
    enum err_code code = ERR_OK;

    while (code == ERR_OK && t->mark.step < TRANSFER_CHECK) {
        code = run_step(t, e);
        if (code == ERR_OK) {
            t->mark.step = (enum transfer_step)(t->mark.step + 1);
            FAULT_POINT("transfer.step");
            code = transfer_mark_save(t, e);
        }
    }
    return code;
}

static enum err_code run(struct transfer *t, struct transfer_result *out, struct err *e)
{
    enum err_code code = transfer_open(t, e);

    code = code ? code : copy(t, e);
    code = code ? code : transfer_check(t, out, e);
    code = code ? code : transfer_still_alone(t, e);
    if (code == ERR_OK && t->finished && out->different) {
        code = err_set(e, ERR_CONFLICT,
                       "the destination: it is not empty: a copy of the source that was finished, "
                       "and is not the same any more");
    }
    if (code == ERR_OK && !t->finished && out->different == 0) {
        code = transfer_finish(t, e);
    }
    return code;
}

enum err_code transfer_run(const struct transfer_config *config, struct arena *a,
                           struct transfer_result *out, struct err *e)
{
    struct transfer *t = alloc_new(sizeof(*t));

    *out = (struct transfer_result){0};
    t->config = config;
    t->arena = a;
    enum err_code code = run(t, out, e);
    out->resumed = t->resumed;
    out->losses = t->losses;
    transfer_close(t);
    alloc_free(t);
    return code;
}
