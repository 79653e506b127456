/* SPDX-License-Identifier: PostgreSQL */
/*
 * transfer_mark.c: how far a copy came, as the setting "copy" of the destination.
 *
 * "1 SOURCE-EPOCH STEP TABLE BATCHES READINGS BATCH-BYTES DAY GROUP T", all but the epoch numbers.
 */
#include "store/transfer/transfer_part.h"

#include "base/num.h"
#include "store/store_setting.h"

#include <inttypes.h>
#include <stdio.h>

#define MARK_FORM 1
#define MARK_SIZE 256

static enum err_code damaged(struct err *e)
{
    return err_set(e, ERR_CORRUPT, "the mark of the copy in the destination is damaged");
}

static bool take_i64(struct str *rest, int64_t *out)
{
    return num_parse_i64(str_split(rest, ' '), INT64_MIN, INT64_MAX, out, NULL) == ERR_OK;
}

static enum err_code parse(struct str text, struct transfer_mark *m, struct err *e)
{
    int64_t form = 0;
    int64_t n[8];

    if (!take_i64(&text, &form) || form != MARK_FORM) {
        return err_set(e, ERR_UNSUPPORTED, "another version of pga began this copy");
    }
    if (!text_parse_uuid(str_split(&text, ' '), &m->source)) {
        return damaged(e);
    }
    for (size_t i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
        if (!take_i64(&text, &n[i])) {
            return damaged(e);
        }
    }
    if (n[0] < 0 || n[0] >= TRANSFER_STEPS || n[1] < 0) {
        return damaged(e);
    }
    m->step = (enum transfer_step)n[0];
    m->table = (size_t)n[1];
    m->batches = (uint64_t)n[2];
    m->readings = (uint64_t)n[3];
    m->batch_bytes = (size_t)n[4];
    m->place = (struct transfer_place){.day = n[5], .group = (uint64_t)n[6], .t_ms = n[7]};
    return ERR_OK;
}

enum err_code transfer_mark_read(struct sqldb *control, struct transfer_mark *out, bool *found,
                                 struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(control, "setting_get",
                                   SQLDB_ARGS(sqldb_text_c(STORE_COPY_MARK)), &s, e);

    *found = code == ERR_OK;
    if (code == ERR_OK) {
        code = parse(sqldb_get_text(s, 0), out, e);
    }
    sqldb_end(s);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

enum err_code transfer_mark_of(struct sqldb *control, const struct uuid *source, bool *out,
                               struct err *e)
{
    struct sqldb_stmt *s = NULL;
    struct uuid found;
    enum err_code code = sqldb_row(control, "setting_get", SQLDB_ARGS(sqldb_text_c(STORE_COPY_OF)),
                                   &s, e);

    *out = code == ERR_OK && text_parse_uuid(sqldb_get_text(s, 0), &found) &&
           text_uuid_eq(&found, source);
    sqldb_end(s);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

enum err_code transfer_mark_end(struct sqldb *control, const struct transfer_mark *m, struct err *e)
{
    char source[TEXT_UUID_SIZE];

    text_uuid(&m->source, source);
    return sqldb_run(control, "transfer_mark_delete", SQLDB_ARGS(sqldb_text_c(source)), e);
}

enum err_code transfer_mark_put(struct sqldb *control, const struct transfer_mark *m, struct err *e)
{
    char source[TEXT_UUID_SIZE];
    char text[MARK_SIZE];

    text_uuid(&m->source, source);
    (void)snprintf(text, sizeof(text),
                   "%d %s %d %zu %" PRIu64 " %" PRIu64 " %zu %" PRId64 " %" PRIu64 " %" PRId64,
                   MARK_FORM, source, (int)m->step, m->table, m->batches, m->readings,
                   m->batch_bytes, m->place.day, m->place.group, m->place.t_ms);
    return store_setting_put(control, STORE_COPY_MARK, text, e);
}

enum err_code transfer_mark_save(struct transfer *t, struct err *e)
{
    enum err_code code = sqldb_begin(t->to.control, e);

    if (code) {
        return code;
    }
    code = transfer_mark_put(t->to.control, &t->mark, e);
    if (code) {
        sqldb_rollback(t->to.control);
        return code;
    }
    return sqldb_commit(t->to.control, e);
}
