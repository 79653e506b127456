/* SPDX-License-Identifier: PostgreSQL */
/*
 * blocks.c: blocks as rows of a day file.
 */
#include "store/tsdb/blocks.h"

#include "base/alloc.h"

enum err_code blocks_insert(const struct blocks_new *n, size_t *bytes, struct err *e)
{
    const struct block_input *in = n->input;
    const struct block_packed *b = n->packed;
    struct sqldb *to = n->to;
    const struct codec_slice *first = &in->slices[0];
    const struct codec_slice *last = &in->slices[in->count - 1];
    struct sqldb_stmt *s = NULL;
    size_t rows = 0;

    for (size_t i = 0; i < in->count; i++) {
        rows += in->slices[i].row_count;
    }
    enum err_code code = sqldb_row(
        to, "tsdb_block_insert",
        SQLDB_ARGS(sqldb_i64((int64_t)first->group), sqldb_i64((int64_t)n->lsn),
                   sqldb_i64(first->t_ms), sqldb_i64(last->t_ms), sqldb_i64(last->every_ms),
                   sqldb_i64(last->flags),
                   last->reason.len ? sqldb_text(last->reason) : sqldb_null(),
                   sqldb_i64((int64_t)in->count), sqldb_i64((int64_t)rows),
                   sqldb_blob(b->head.ptr, b->head.len)),
        &s, e);
    if (code) {
        return code;
    }
    int64_t id = sqldb_get_i64(s, 0);
    sqldb_end(s);
    *bytes += b->head.len;
    for (size_t i = 0; code == ERR_OK && i < b->part_count; i++) {
        code = sqldb_run(to, "tsdb_part_insert",
                         SQLDB_ARGS(sqldb_i64(id * BLOCK_PARTS_MAX + (int64_t)i),
                                    sqldb_blob(b->parts[i].ptr, b->parts[i].len)),
                         e);
        *bytes += b->parts[i].len;
    }
    return code;
}

/* The row of a block as it is; gives the id of the copy. */
static enum err_code copy_row(const struct blocks_copy *c, int64_t *id, size_t *bytes,
                              struct err *e)
{
    struct sqldb_stmt *q = NULL;
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(c->from, "tsdb_block_get", SQLDB_ARGS(sqldb_i64(c->id)), &q, e);

    if (code == ERR_OK) {
        struct str head = sqldb_get_blob(q, 9);
        code = sqldb_row(
            c->to, "tsdb_block_insert",
            SQLDB_ARGS(sqldb_i64(sqldb_get_i64(q, 0)), sqldb_i64(sqldb_get_i64(q, 1)),
                       sqldb_i64(sqldb_get_i64(q, 2)), sqldb_i64(sqldb_get_i64(q, 3)),
                       sqldb_i64(sqldb_get_i64(q, 4)), sqldb_i64(sqldb_get_i64(q, 5)),
                       sqldb_is_null(q, 6) ? sqldb_null() : sqldb_text(sqldb_get_text(q, 6)),
                       sqldb_i64(sqldb_get_i64(q, 7)), sqldb_i64(sqldb_get_i64(q, 8)),
                       sqldb_blob(head.ptr, head.len)),
            &s, e);
        *bytes += head.len;
    }
    if (code == ERR_OK) {
        *id = sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    sqldb_end(q);
    return code;
}

static enum err_code copy_part(const struct blocks_copy *c, int64_t to_id, struct str data,
                               size_t *bytes, struct err *e)
{
    *bytes += data.len;
    return sqldb_run(c->to, "tsdb_part_insert",
                     SQLDB_ARGS(sqldb_i64(to_id), sqldb_blob(data.ptr, data.len)), e);
}

static enum err_code copy_counted(const struct blocks_copy *c, int64_t to_id, size_t *bytes,
                                  struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < c->parts; i++) {
        struct sqldb_stmt *q = NULL;
        code = sqldb_row(c->from, "tsdb_part_get",
                         SQLDB_ARGS(sqldb_i64(c->id * BLOCK_PARTS_MAX + (int64_t)i)), &q, e);
        if (code == ERR_OK) {
            code = copy_part(c, to_id + (int64_t)i, sqldb_get_blob(q, 0), bytes, e);
        }
        sqldb_end(q);
    }
    return code;
}

enum err_code blocks_copy(const struct blocks_copy *c, size_t *bytes, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    int64_t id = 0;
    bool row = true;
    enum err_code code = copy_row(c, &id, bytes, e);

    if (code || c->counted) {
        return code ? code : copy_counted(c, id * BLOCK_PARTS_MAX, bytes, e);
    }
    code = sqldb_query(c->from, "tsdb_part_list", SQLDB_ARGS(sqldb_i64(c->id)), &q, e);
    while (code == ERR_OK && (code = sqldb_step(q, &row, e)) == ERR_OK && row) {
        code = copy_part(c, id * BLOCK_PARTS_MAX + sqldb_get_i64(q, 0), sqldb_get_blob(q, 1), bytes,
                         e);
    }
    sqldb_end(q);
    return code;
}

enum err_code blocks_remove_group(struct sqldb *file, uint64_t group, struct err *e)
{
    struct sqldb_value id = sqldb_i64((int64_t)group);
    enum err_code code = sqldb_run(file, "tsdb_day_purge_parts", SQLDB_ARGS(id), e);

    return code ? code : sqldb_run(file, "tsdb_day_purge_blocks", SQLDB_ARGS(id), e);
}

enum err_code blocks_of_group(struct sqldb *file, uint64_t group, uint64_t applied,
                              struct blocks_list *out, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    struct merge_block *list = NULL;
    size_t n = 0;
    size_t cap = 0;
    bool row = true;
    enum err_code code = sqldb_query(
        file, "tsdb_block_of_group",
        SQLDB_ARGS(sqldb_i64((int64_t)group), sqldb_i64((int64_t)applied)), &q, e);

    while (code == ERR_OK && (code = sqldb_step(q, &row, e)) == ERR_OK && row) {
        if (n == cap) {
            cap = cap ? 2 * cap : 16;
            list = alloc_resize(list, cap * sizeof(*list));
        }
        list[n++] = (struct merge_block){
            .id = sqldb_get_i64(q, 0),
            .order = (uint64_t)sqldb_get_i64(q, 1),
            .t_min = sqldb_get_i64(q, 2),
            .t_max = sqldb_get_i64(q, 3),
            .slices = (size_t)sqldb_get_i64(q, 4),
            .rows = (size_t)sqldb_get_i64(q, 5),
        };
    }
    sqldb_end(q);
    *out = (struct blocks_list){list, n};
    return code;
}

enum err_code blocks_next_group(struct sqldb *file, uint64_t *group, bool *found, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code code = sqldb_row(file, "tsdb_block_next_group",
                                   SQLDB_ARGS(sqldb_i64((int64_t)*group)), &q, e);

    *found = code == ERR_OK && !sqldb_is_null(q, 0);
    if (*found) {
        *group = (uint64_t)sqldb_get_i64(q, 0);
    }
    sqldb_end(q);
    return code;
}
