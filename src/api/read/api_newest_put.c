/* SPDX-License-Identifier: PostgreSQL */
/* api_newest_put.c: newest rows as an answer: parameters, pages, members. */
#include "api/read/api_newest.h"
#include "base/limits.h"

enum err_code api_newest_params(struct api_newest *n, struct api_newest_page *page, struct err *e)
{
    enum err_code rc = api_param_i64(n->call, "limit", (struct api_bounds){100, 1, LIMIT_LIST_PAGE},
                                     &page->limit, e);

    if (rc == ERR_OK)
        rc = api_param_i64(n->call, "offset", (struct api_bounds){0, 0, INT32_MAX}, &page->offset,
                           e);
    return rc == ERR_OK ? api_param(n->call, "database", &n->database, e) : rc;
}

static void put_reading(struct json_writer *w, const struct api_newest_reading *r)
{
    json_key(w, "reading");
    json_object_begin(w);
    json_member_c(w, "target_id", r->target->id);
    json_member_c(w, "target_name", r->target->name);
    json_member_str(w, "relation", r->relation);
    if (r->scope.len > 0)
        json_member_str(w, "scope", r->scope);
    api_member_time(w, "t", r->t_ms);
    json_member_i64(w, "t_ms", r->t_ms);
    if (r->from_ms < r->t_ms)
        json_member_i64(w, "from_ms", r->from_ms);
    json_member_bool(w, "complete", r->complete);
    if (r->sums)
        json_member_c(w, "sums", r->sums);
    json_object_end(w);
}

void api_newest_put_cell(struct json_writer *w, struct str name, struct cell cell)
{
    json_key_str(w, name);
    switch (cell.tag) {
    case CELL_I64:
        json_put_i64(w, cell.i64);
        break;
    case CELL_U64:
        json_put_u64(w, cell.u64);
        break;
    case CELL_F64:
        json_put_f64(w, cell.f64);
        break;
    case CELL_STR:
        json_put_str(w, cell.str);
        break;
    case CELL_NULL:
        json_put_null(w);
        break;
    }
}

/* The member that has the text of a statement whose key is `name`; empty = it is no such key. */
static struct str text_member(struct str name)
{
    if (str_eq_c(name, "hash") || str_eq_c(name, "queryid") || str_eq_c(name, "query_id"))
        return STR("text");
    if (str_ends(name, STR("query_hash")))
        return str_make(name.ptr, name.len - 5);
    return (struct str){NULL, 0};
}

static bool is_column(const struct api_newest_reading *r, struct str name)
{
    for (size_t c = 0; c < r->column_count; c++) {
        if (str_eq(r->columns[c], name))
            return true;
    }
    return false;
}

static enum err_code put_text(struct api_newest *n, struct json_writer *w,
                              const struct api_newest_row *row, size_t k, struct err *e)
{
    const struct api_newest_reading *r = row->reading;
    struct tsdb_text_key key = {r->target_id, STR("query"), row->keys[k]};
    struct str member = text_member(r->keys[k]), text;
    enum err_code rc;

    if (member.len == 0 || row->keys[k].len == 0 || is_column(r, member))
        return ERR_OK;
    rc = tsdb_text(n->call->reader, n->call->arena, &key, &text, e);
    json_key_str(w, member);
    if (rc == ERR_OK)
        json_put_str(w, text);
    else
        json_put_null(w);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err_code put_row(struct api_newest *n, struct json_writer *w,
                             const struct api_newest_row *row, struct err *e)
{
    const struct api_newest_reading *r = row->reading;
    enum err_code rc = ERR_OK;

    json_object_begin(w);
    put_reading(w, r);
    for (size_t k = 0; rc == ERR_OK && k < r->key_count; k++) {
        if (!r->key_used[k])
            continue;
        json_key_str(w, r->keys[k]);
        json_put_str(w, row->keys[k]);
        rc = put_text(n, w, row, k, e);
    }
    for (size_t c = 0; c < r->column_count; c++) {
        if (r->column_used[c])
            api_newest_put_cell(w, r->columns[c], row->cells[c]);
    }
    if (row->mean >= 0)
        json_member_f64(w, "mean_exec_time", row->mean);
    json_object_end(w);
    return rc;
}

enum err_code api_newest_put(struct api_newest *n, const struct api_newest_page *page,
                             struct json_writer *w, struct err *e)
{
    size_t first = (size_t)page->offset < n->count ? (size_t)page->offset : n->count;
    size_t count = n->count - first;
    int64_t newest = 0;
    enum err_code rc = ERR_OK;

    if (count > (size_t)page->limit)
        count = (size_t)page->limit;
    for (size_t i = 0; i < n->count; i++) {
        if (n->rows[i].reading->t_ms > newest)
            newest = n->rows[i].reading->t_ms;
    }
    json_member_u64(w, "count", count);
    json_member_u64(w, "total", n->count);
    json_member_i64(w, "limit", page->limit);
    json_member_i64(w, "offset", page->offset);
    api_member_time(w, "timestamp", newest);
    json_key(w, "data");
    json_array_begin(w);
    for (size_t i = first; rc == ERR_OK && i < first + count; i++)
        rc = put_row(n, w, &n->rows[i], e);
    json_array_end(w);
    return rc;
}
