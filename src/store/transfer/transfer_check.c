/* SPDX-License-Identifier: PostgreSQL */
/*
 * transfer_check.c: reads both stores anew and compares what they amount to.
 *
 * Of each relation: readings, rows, values, the sum of its integers in 128 bits, and a hash of
 * every bit of it that is a sum as well, so that the order does not matter. Of each table rows and
 * a hash. Nothing is taken from the copy itself: what a scan of SQLite decodes is not coded again
 * for it. Ids are the same in both, and tables of names are compared, too.
 */
#include "store/transfer/transfer_part.h"

#include "base/alloc.h"
#include "store/tsdb/postgres/pgstore.h"

#include <stdio.h>
#include <string.h>

#define ROW_BYTES  ((size_t)256 * 1024 * 1024)
#define CELL_BYTES ((size_t)512 * 1024 * 1024)

/* --- sums --- */

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t transfer_join(uint64_t a, uint64_t b)
{
    return mix(a ^ mix(b + UINT64_C(0x9e3779b97f4a7c15)));
}

static void add_whole(struct transfer_sum *s, uint64_t low, uint64_t high)
{
    s->whole_low += low;
    s->whole_high += high + (s->whole_low < low);
}

void transfer_whole(const struct transfer_sum *s, char out[TRANSFER_WHOLE_SIZE])
{
    uint64_t low = s->whole_low;
    uint64_t high = s->whole_high;
    bool negative = (int64_t)high < 0;
    char digits[TRANSFER_WHOLE_SIZE];
    size_t at = sizeof(digits) - 1;

    if (negative) {
        low = ~low + 1;
        high = ~high + (low == 0);
    }
    digits[at] = '\0';
    do { /* long division by ten, 32 bits at a time */
        uint64_t rest = 0;
        uint32_t part[4] = {(uint32_t)(high >> 32), (uint32_t)high, (uint32_t)(low >> 32),
                            (uint32_t)low};
        for (size_t i = 0; i < 4; i++) {
            rest = rest << 32 | part[i];
            part[i] = (uint32_t)(rest / 10);
            rest %= 10;
        }
        high = (uint64_t)part[0] << 32 | part[1];
        low = (uint64_t)part[2] << 32 | part[3];
        digits[--at] = (char)('0' + rest);
    } while (high || low);
    (void)snprintf(out, TRANSFER_WHOLE_SIZE, "%s%s", negative ? "-" : "", digits + at);
}

bool transfer_same(const struct transfer_compared *c)
{
    return memcmp(&c->from, &c->to, sizeof(c->from)) == 0;
}

/* --- tables --- */

struct transfer_checking {
    struct transfer *t;
    struct transfer_result *out;
    size_t cap;
    uint64_t cut; /* texts with bytes that PostgreSQL cannot hold */
};

struct transfer_compared *transfer_compare(struct transfer_checking *c, struct str name,
                                           enum transfer_what what)
{
    struct transfer_result *r = c->out;

    if (r->count == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 64;
        struct transfer_compared *longer = arena_array(c->t->arena, cap, sizeof(*longer));
        if (!longer) {
            return NULL;
        }
        if (r->count) {
            memcpy(longer, r->list, r->count * sizeof(*longer));
        }
        r->list = longer;
        c->cap = cap;
    }
    r->list[r->count] = (struct transfer_compared){.name = name,
                                                   .is_table = what == TRANSFER_TABLE};
    return &r->list[r->count++];
}

static void put_text(struct transfer_checking *c, struct arena *a, struct buf *out, struct str text,
                     bool counts)
{
    bool pg = c->t->from.pg || c->t->to.pg;
    struct str clean = pg ? pgstore_clean(a, text) : text;

    c->cut += counts && clean.len != text.len;
    codec_put_bytes(out, clean);
}

struct row_hash {
    struct transfer_checking *c;
    struct arena *arena;
    const struct sqldb_value *values;
    size_t count;
    bool counts; /* texts that are cut: once a copy */
};

static uint64_t hash_row(const struct row_hash *r, struct buf *text)
{
    buf_reset(text);
    for (size_t i = 0; i < r->count; i++) {
        const struct sqldb_value *v = &r->values[i];
        buf_add_char(text, (char)('0' + (int)v->type));
        if (v->type == SQLDB_I64) {
            buf_add(text, &v->i64, sizeof(v->i64));
        } else if (v->type == SQLDB_F64) {
            buf_add(text, &v->f64, sizeof(v->f64));
        } else if (v->type == SQLDB_TEXT) {
            put_text(r->c, r->arena, text, v->bytes, r->counts);
        } else if (v->type == SQLDB_BLOB) {
            codec_put_bytes(text, v->bytes);
        }
    }
    return mix(str_hash(buf_view(text)));
}

static size_t compared_columns(const struct transfer *t, const struct transfer_table *table)
{
    bool pg = t->from.pg || t->to.pg;
    return pg || table->lite < table->common ? table->common : table->lite;
}

static enum err_code sum_table(struct transfer_checking *c, const struct transfer_side *side,
                               const struct transfer_table *table, struct transfer_sum *sum,
                               struct err *e)
{
    struct transfer_pages pages;
    struct transfer_rows rows;
    struct buf text;
    enum err_code code = ERR_OK;

    buf_init(&text, ROW_BYTES);
    transfer_pages_begin(&pages, side, table);
    pages.teller = side == &c->t->from ? c->t : NULL;
    do {
        code = transfer_pages_next(&pages, &rows, e);
        for (size_t i = 0; code == ERR_OK && i < rows.count; i++) {
            const struct row_hash r = {c, &pages.arena, rows.rows[i], compared_columns(c->t, table),
                                       side == &c->t->from};
            sum->hash += hash_row(&r, &text);
            sum->readings++;
        }
        code = code ? code : arena_check(&pages.arena, e);
        code = code ? code : buf_check(&text, e);
        c->t->progress.done += rows.count;
        transfer_tell(c->t);
    } while (code == ERR_OK && rows.count);
    transfer_pages_end(&pages);
    buf_fini(&text);
    return code;
}

static enum err_code check_tables(struct transfer_checking *c, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < transfer_table_count; i++) {
        const struct transfer_table *table = &transfer_tables[i];
        struct transfer_compared *n = transfer_compare(c, str_of(table->name), TRANSFER_TABLE);
        if (!n) {
            return arena_check(c->t->arena, e);
        }
        c->t->progress = (struct transfer_progress){.step = "check of tables"};
        code = sum_table(c, &c->t->from, table, &n->from, e);
        code = code ? code : sum_table(c, &c->t->to, table, &n->to, e);
    }
    if (code == ERR_OK && c->cut) {
        transfer_lose(c->t,
                      "%llu texts of tables have NUL bytes, which PostgreSQL does not hold: these "
                      "bytes",
                      (unsigned long long)c->cut);
    }
    return code;
}

/* --- names --- */

struct names {
    const char *shown, *list, *types;
};

static const struct names names[] = {
    {"relation", "tsdb_relation_list", "ittiii"},
    {"relation_column", "tsdb_column_list", "iiitiittfi"},
    {"group", "tsdb_group_list", "ibit"},
    {"object", "tsdb_object_list", "iib"},
};

static struct sqldb_value value_of(struct sqldb_stmt *s, int column, char type)
{
    if (sqldb_is_null(s, column)) {
        return sqldb_null();
    }
    if (type == 'i') {
        return sqldb_i64(sqldb_get_i64(s, column));
    }
    if (type == 'f') {
        return sqldb_f64(sqldb_get_f64(s, column));
    }
    struct str bytes = type == 't' ? sqldb_get_text(s, column) : sqldb_get_blob(s, column);
    return (struct sqldb_value){.type = type == 't' ? SQLDB_TEXT : SQLDB_BLOB, .bytes = bytes};
}

static enum err_code sum_names(struct transfer_checking *c, const struct transfer_side *side,
                               const struct names *n, struct transfer_sum *sum, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    struct arena a;
    struct buf text;
    bool row = true;
    enum err_code code = sqldb_query(transfer_file_of(side, TRANSFER_INGEST), n->list,
                                     SQLDB_NO_ARGS, &s, e);

    arena_init(&a, "compared names", ROW_BYTES);
    buf_init(&text, ROW_BYTES);
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        struct sqldb_value values[TRANSFER_COLUMNS] = {0};
        size_t count = 0;
        arena_reset(&a);
        for (; n->types[count]; count++) {
            values[count] = value_of(s, (int)count, n->types[count]);
        }
        const struct row_hash r = {c, &a, values, count, false};
        sum->hash += hash_row(&r, &text);
        sum->readings++;
    }
    sqldb_end(s);
    buf_fini(&text);
    arena_fini(&a);
    return code;
}

static enum err_code check_names(struct transfer_checking *c, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < sizeof(names) / sizeof(names[0]); i++) {
        struct transfer_compared *n = transfer_compare(c, str_of(names[i].shown), TRANSFER_TABLE);
        if (!n) {
            return arena_check(c->t->arena, e);
        }
        code = sum_names(c, &c->t->from, &names[i], &n->from, e);
        code = code ? code : sum_names(c, &c->t->to, &names[i], &n->to, e);
    }
    return code;
}

/* --- readings --- */

struct summing {
    struct transfer *t;
    struct catalog *catalog;
    struct transfer_sum *sums; /* by id of the relation */
    struct arena arena;
    uint64_t *rows; /* of the reading: what a row is of */
};

static uint64_t cell_hash(struct transfer_sum *sum, const struct cell *c)
{
    uint64_t bits = 0;

    switch (c->tag) {
    case CELL_I64:
        add_whole(sum, (uint64_t)c->i64, c->i64 < 0 ? UINT64_MAX : 0);
        return transfer_join(c->i64 < 0 ? 1 : 2, (uint64_t)c->i64);
    case CELL_U64:
        add_whole(sum, c->u64, 0);
        return transfer_join(2, c->u64);
    case CELL_F64:
        memcpy(&bits, &c->f64, sizeof(bits));
        return transfer_join(3, bits);
    case CELL_STR:
        return transfer_join(4, str_hash(c->str));
    case CELL_NULL:
        break;
    }
    return 0;
}

/* A reading, however it was read: coded in PostgreSQL, decoded by a scan of SQLite. */
struct view {
    uint64_t group, seed;
    bool fact;
    size_t row_count, key_count, column_count, gone_count, reset_count;
    const uint64_t *objects, *gone;
    const uint32_t *resets;
    const struct codec_slice *coded;
    const struct tsdb_slice *decoded;
};

/* What is known before the rows. */
static uint64_t seed_of(const struct transfer_reading *r, int64_t from_ms, unsigned flags,
                        struct str reason)
{
    uint64_t seed = transfer_join(r->group, (uint64_t)r->t_ms);

    seed = transfer_join(transfer_join(seed, (uint64_t)from_ms), (uint64_t)r->every_ms);
    return transfer_join(transfer_join(seed, flags), str_hash(reason));
}

static struct view view_coded(const struct transfer_reading *r, const struct codec_slice *c)
{
    return (struct view){.group = r->group,
                         .seed = seed_of(r, c->from_ms, c->flags, c->reason),
                         .fact = c->fact,
                         .row_count = c->row_count,
                         .key_count = c->key_count,
                         .column_count = c->column_count,
                         .gone_count = c->gone_count,
                         .reset_count = c->reset_count,
                         .objects = c->objects,
                         .gone = c->gone,
                         .resets = c->resets,
                         .coded = c};
}

static struct view view_decoded(const struct transfer_reading *r, bool fact)
{
    const struct tsdb_slice *s = r->slice;
    return (struct view){.group = r->group,
                         .seed = seed_of(r, s->from_ms, s->flags, s->reason),
                         .fact = fact,
                         .row_count = s->row_count,
                         .key_count = s->key_count,
                         .column_count = s->column_count,
                         .gone_count = s->gone_count,
                         .reset_count = s->reset_count,
                         .objects = s->objects,
                         .gone = s->gone,
                         .resets = s->resets,
                         .decoded = s};
}

static uint32_t id_of(const struct view *v, size_t column)
{
    return v->decoded ? (uint32_t)column : v->coded->columns[column].id;
}

static enum err_code cells_of(struct summing *s, const struct view *v, size_t column,
                              const struct cell **out, struct err *e)
{
    struct cell *cells = NULL;

    if (v->decoded) {
        *out = v->decoded->cells[column];
        return ERR_OK;
    }
    enum err_code code = codec_get_column(v->coded->columns[column].stream, &s->arena, v->row_count,
                                          &cells, e);
    *out = cells;
    return code;
}

/* A key that is missing is as an empty one. */
static void add_key(struct summing *s, size_t row, uint32_t key, struct str value)
{
    if (value.len) {
        s->rows[row] += transfer_join(key, str_hash(value));
    }
}

static enum err_code hash_keys(struct summing *s, const struct view *v, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t k = 0; code == ERR_OK && k < v->key_count; k++) {
        struct cell *cells = NULL;
        if (v->coded) {
            code = codec_get_column(v->coded->keys[k].stream, &s->arena, v->row_count, &cells, e);
        }
        for (size_t i = 0; code == ERR_OK && i < v->row_count; i++) {
            if (v->decoded) {
                add_key(s, i, (uint32_t)k, v->decoded->keys[k][i]);
            } else if (cells[i].tag == CELL_STR) {
                add_key(s, i, v->coded->keys[k].id, cells[i].str);
            }
        }
    }
    return code;
}

static enum err_code name_rows(struct summing *s, const struct view *v, struct err *e)
{
    s->rows = arena_array(&s->arena, v->row_count, sizeof(*s->rows));
    if (!s->rows) {
        return arena_check(&s->arena, e);
    }
    for (size_t i = 0; i < v->row_count; i++) {
        s->rows[i] = v->fact ? 0 : v->objects[i];
    }
    return v->fact ? hash_keys(s, v, e) : ERR_OK;
}

static enum err_code sum_column(struct summing *s, const struct view *v, size_t column,
                                struct transfer_sum *sum, struct err *e)
{
    const struct cell *cells = NULL;
    uint32_t id = id_of(v, column);
    enum err_code code = cells_of(s, v, column, &cells, e);

    for (size_t i = 0; code == ERR_OK && i < v->row_count; i++) {
        if (cells[i].tag != CELL_NULL) {
            uint64_t place = transfer_join(transfer_join(v->seed, s->rows[i]), id + 1);
            sum->hash += transfer_join(place, cell_hash(sum, &cells[i]));
            sum->cells++;
        }
    }
    return code;
}

static enum err_code sum_reading(struct summing *s, const struct view *v, struct transfer_sum *sum,
                                 struct err *e)
{
    enum err_code code = name_rows(s, v, e);

    sum->readings++;
    sum->rows += v->row_count;
    sum->hash += v->seed;
    for (size_t i = 0; code == ERR_OK && i < v->row_count; i++) {
        sum->hash += transfer_join(transfer_join(v->seed, 'r'), s->rows[i]);
    }
    for (size_t i = 0; code == ERR_OK && i < v->gone_count; i++) {
        sum->hash += transfer_join(transfer_join(v->seed, 'g'), v->gone[i]);
    }
    for (size_t i = 0; code == ERR_OK && i < v->reset_count; i++) {
        bool there = v->resets[i] < v->row_count;
        sum->hash += transfer_join(transfer_join(v->seed, 's'),
                                   there ? s->rows[v->resets[i]] : UINT64_MAX);
    }
    for (size_t i = 0; code == ERR_OK && i < v->column_count; i++) {
        code = sum_column(s, v, i, sum, e);
    }
    return code;
}

static enum err_code take_reading(void *arg, const struct transfer_reading *r, struct err *e)
{
    struct summing *s = arg;
    const struct catalog_group *g = catalog_group_by_id(s->catalog, r->group);
    struct codec_slice c;
    struct view v = {0};
    enum err_code code = ERR_OK;

    if (!g) {
        return ERR_OK; /* its target was deleted */
    }
    arena_reset(&s->arena);
    if (r->slice) {
        v = view_decoded(r, g->relation->shape == RELATION_FACT);
    } else {
        code = codec_get_slice(r->bytes, &s->arena, &c, e);
        if (code == ERR_OK) {
            v = view_coded(r, &c);
        }
    }
    code = code ? code : sum_reading(s, &v, &s->sums[g->relation->id], e);
    s->t->progress.done++;
    s->t->progress.rows += r->row_count;
    transfer_tell(s->t);
    return code;
}

static enum err_code sum_side(struct transfer *t, const struct transfer_side *side,
                              struct transfer_sum *sums, struct err *e)
{
    struct summing s = {.t = t, .catalog = side->series->catalog, .sums = sums};
    const struct transfer_reader reader = {.t = t,
                                           .side = side,
                                           .visit = take_reading,
                                           .arg = &s,
                                           .says_losses = side == &t->from,
                                           .decoded = true};
    int64_t *days = NULL;
    size_t count = 0;
    uint64_t total = 0;
    enum err_code code = transfer_days(side, &days, &count, &total, e);

    t->progress = (struct transfer_progress){
        .step = side == &t->from ? "check of the source" : "check of the copy", .total = total};
    arena_init(&s.arena, "compared reading", CELL_BYTES);
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        t->progress.day_ms = days[i] * TSDB_DAY_MS;
        code = transfer_read_day(&reader, &(struct transfer_place){days[i], 0, INT64_MIN}, e);
    }
    arena_fini(&s.arena);
    alloc_free(days);
    return code;
}

static enum err_code check_readings(struct transfer_checking *c, struct err *e)
{
    const struct catalog *names_of = c->t->from.series->catalog;
    uint64_t more = c->t->to.series->catalog->next_relation; /* a server may have gone on with it */
    size_t count = (size_t)(more > names_of->next_relation ? more : names_of->next_relation) + 1;
    struct transfer_sum *from = alloc_array(count, sizeof(*from));
    struct transfer_sum *to = alloc_array(count, sizeof(*to));
    enum err_code code = sum_side(c->t, &c->t->from, from, e);

    code = code ? code : sum_side(c->t, &c->t->to, to, e);
    for (size_t i = 0; code == ERR_OK && i < names_of->relation_count; i++) {
        const struct catalog_relation *r = names_of->by_id[i];
        struct transfer_compared *n = transfer_compare(c, arena_str(c->t->arena, r->name),
                                                       TRANSFER_RELATION);
        if (!n) {
            code = arena_check(c->t->arena, e);
            break;
        }
        n->from = from[r->id];
        n->to = to[r->id];
    }
    alloc_free(to);
    alloc_free(from);
    return code;
}

enum err_code transfer_check(struct transfer *t, struct transfer_result *out, struct err *e)
{
    struct transfer_checking c = {.t = t, .out = out};
    enum err_code code = check_tables(&c, e);

    code = code ? code : check_names(&c, e);
    code = code ? code : transfer_check_rollups(t, &c, e);
    code = code ? code : check_readings(&c, e);
    for (size_t i = 0; code == ERR_OK && i < out->count; i++) {
        out->different += !transfer_same(&out->list[i]);
    }
    return code;
}
