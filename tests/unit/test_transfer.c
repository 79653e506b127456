/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_transfer.c: a store copied into another: the same bits, names, streams, events and texts;
 * what is refused; what is damaged. With PGA_TEST_PG=postgres://... also through PostgreSQL.
 * tests/scenario/migrate_copy.sh kills copies.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "dialect_fixture.h"
#include "os/clock.h"
#include "os/file.h"
#include "store/store_setting.h"
#include "store/transfer/transfer_part.h"
#include "store/tsdb/codec/codec.h"
#include "store/tsdb/rollup/tier.h"
#include "tsdb_fixture.h"

#define ROWS 9

static struct err e;

/* Two SQLite stores, a source and a destination; and perhaps a database between them. */
struct places {
    struct tsdb_fixture from, to;
    char from_url[80], to_url[80];
    struct dialect_fixture pg;
    struct tsdb_sender sender;
    struct arena result; /* of the last copy */
    char losses[8192];
    size_t loss_count;
};

static void on_loss(void *arg, const char *text)
{
    struct places *p = arg;
    size_t used = strlen(p->losses);

    p->loss_count++;
    (void)snprintf(p->losses + used, sizeof(p->losses) - used, "%s\n", text);
}

static enum err_code copy(struct places *p, const char *from, const char *to,
                          struct transfer_result *out)
{
    const struct transfer_config config = {.from = from, .to = to, .loss = on_loss, .arg = p};

    p->loss_count = 0;
    p->losses[0] = '\0';
    err_clear(&e);
    arena_reset(&p->result);
    enum err_code code = transfer_run(&config, &p->result, out, &e);
    for (size_t i = 0; code == ERR_OK && i < out->count; i++) {
        const struct transfer_compared *c = &out->list[i];
        if (!transfer_same(c)) {
            print_message("%.*s: %llu %llx, %llu %llx\n", STR_ARG(c->name),
                          (unsigned long long)c->from.cells, (unsigned long long)c->from.hash,
                          (unsigned long long)c->to.cells, (unsigned long long)c->to.hash);
        }
    }
    return code;
}

static void copy_ok(struct places *p, const char *from, const char *to)
{
    struct transfer_result r;

    if (copy(p, from, to, &r)) {
        fail_msg("copy: %s", e.text);
    }
    assert_int_equal(r.different, 0);
    assert_int_equal(r.losses, p->loss_count);
}

static int set_up(void **state)
{
    struct places *p = alloc_new(sizeof(*p));
    struct store *store = NULL;

    arena_init(&p->result, "test", 64 << 20);
    tsdb_fixture_init(&p->from);
    tsdb_fixture_init(&p->to);
    p->to.collector = p->from.collector;
    p->to.target = p->from.target;
    p->to.now_ms = p->from.now_ms;
    (void)snprintf(p->from_url, sizeof(p->from_url), "sqlite:%s", p->from.dir);
    (void)snprintf(p->to_url, sizeof(p->to_url), "sqlite:%s", p->to.dir);
    if (store_open(p->from_url, &store, &e)) {
        fail_msg("store: %s", e.text);
    }
    store_close(store);
    tsdb_sender_init(&p->sender, &p->from);
    if (dialect_fixture_has_pg()) {
        dialect_fixture_begin(&p->pg, SQLDB_PG);
    }
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct places *p = *state;

    tsdb_fixture_fini(&p->from);
    tsdb_fixture_fini(&p->to);
    if (dialect_fixture_has_pg()) {
        dialect_fixture_end(&p->pg);
    }
    arena_fini(&p->result);
    alloc_free(p);
    return 0;
}

/* --- what is in the source --- */

static void send_record(struct places *p, int i)
{
    char target[TEXT_UUID_SIZE];
    char text[4096];
    long long t = p->from.now_ms - 7200000 + i * 60000LL;

    text_uuid(&p->from.target, target);
    (void)snprintf(
        text, sizeof(text),
        "{%s\"slices\":["
        "{\"relation\":\"mixed\",\"target\":\"%s\",\"scope\":\"%s\",\"t\":%lld,\"from_t\":%lld,"
        "\"every_ms\":%d,\"flags\":[\"complete\"],\"rows\":3,"
        "\"keys\":{\"a\":[\"x\",\"y%d\",\"\"]},\"columns\":{\"n\":[%d,9007199254740993,null],"
        "\"big\":[18446744073709551615,-9223372036854775808,%d.5],\"s\":[\"up\",null,\"a\\nb\"]},"
        "\"reset\":[%d]},"
        "{\"relation\":\"history\",\"target\":\"%s\",\"scope\":\"\",\"t\":%lld,\"from_t\":%lld,"
        "\"every_ms\":60000,\"flags\":[\"complete\"],\"rows\":2,\"keys\":{\"wait\":[\"IO\",\"\"],"
        "\"user\":[\"u%d\",\"u\"]},\"columns\":{\"samples\":[%d,1]}},"
        "{\"relation\":\"mixed\",\"target\":\"%s\",\"scope\":\"down\",\"t\":%lld,\"from_t\":%lld,"
        "\"every_ms\":10000,\"flags\":[\"failed\"],\"rows\":0,\"reason\":\"no\\tway\"}],"
        "\"events\":[{\"t\":%lld,\"target\":\"%s\",\"kind\":\"k\",\"severity\":\"info\","
        "\"title\":\"number %d\",\"body\":{\"word\":\"zebra%d\"}}],"
        "\"texts\":[{\"target\":\"%s\",\"kind\":\"query\",\"key\":\"q%d\","
        "\"text\":\"SELECT %d %0300d\"}]}",
        i ? ""
          : "\"relations\":[{\"name\":\"history\",\"help\":\"Facts.\",\"shape\":\"fact\","
            "\"sparse\":false,\"keys\":[{\"name\":\"wait\",\"help\":\"\"},{\"name\":\"user\","
            "\"help\":\"\"}],\"columns\":[{\"name\":\"samples\",\"kind\":\"delta\",\"type\":"
            "\"i64\",\"unit\":\"1\",\"help\":\"\"}]}],",
        target, i % 2 ? "app" : "", t, t - 60000, i % 3 ? 60000 : 10000, i % 5, i, i, i % 3, target,
        t, t - 60000, i % 7, i, target, t, t, t, target, i, i % 3, target, i % 4, i, i);
    tsdb_send_ok(&p->sender, text);
}

/* Bits that no JSON text gives. */
static const uint64_t odd_bits[ROWS] = {
    UINT64_C(0x8000000000000000),                               /* -0 */
    UINT64_C(0x0000000000000001),                               /* the smallest denormal */
    UINT64_C(0x7ff0000000000000),                               /* infinities */
    UINT64_C(0xfff0000000000000), UINT64_C(0x7ff8000000000000), /* NaN with payloads */
    UINT64_C(0x7ff80000deadbeef), UINT64_C(0xfff4000000000001),
    UINT64_C(0x3fb999999999999a), /* 0.1 */
    UINT64_C(0x4340000000000001)  /* above 2^53 */
};
static const int64_t odd_whole[ROWS] = {
    INT64_MIN,           INT64_MAX, -1, 0, 1, INT64_C(1) << 53, (INT64_C(1) << 53) + 1,
    -(INT64_C(1) << 62), 7};

static void fill_cells(struct cell cells[3][ROWS], int shift)
{
    for (int i = 0; i < ROWS; i++) {
        int at = (i + shift) % ROWS;
        cells[0][i].tag = CELL_F64;
        memcpy(&cells[0][i].f64, &odd_bits[at], sizeof(double));
        cells[1][i] = i == 4 ? (struct cell){.tag = CELL_NULL} : cell_i64(odd_whole[at]);
        cells[2][i] = (struct cell){.tag = CELL_U64, .u64 = UINT64_MAX - (uint64_t)at};
    }
}

static void link_odd_slice(struct head *h, struct catalog_group *g, struct head_slice slice,
                           int shift)
{
    struct cell cells[3][ROWS];
    uint64_t objects[ROWS];
    uint32_t resets[] = {2, 5};
    struct codec_column columns[] = {
        {.id = 0, .cells = cells[0]}, {.id = 1, .cells = cells[1]}, {.id = 2, .cells = cells[2]}};
    const struct codec_slice s = {.group = g->id,
                                  .t_ms = slice.t_ms,
                                  .from_ms = slice.t_ms - 999,
                                  .every_ms = 1000,
                                  .flags = SLICE_COMPLETE | (shift ? 0 : SLICE_KEYFRAME),
                                  .row_count = ROWS,
                                  .objects = objects,
                                  .column_count = 3,
                                  .columns = columns,
                                  .gone_count = 1,
                                  .gone = (uint64_t[]){g->objects[ROWS]->id},
                                  .reset_count = 2,
                                  .resets = resets};
    struct arena scratch;
    struct buf bytes;

    fill_cells(cells, shift);
    for (int i = 0; i < ROWS; i++) {
        objects[i] = g->objects[i]->id;
    }
    arena_init(&scratch, "test", 1 << 20);
    buf_init(&bytes, 1 << 20);
    codec_put_slice(&bytes, &scratch, &s);
    slice.bytes = buf_view(&bytes);
    head_link(h, g->id, &slice);
    buf_fini(&bytes);
    arena_fini(&scratch);
}

static struct catalog_group *odd_names(struct places *p, struct catalog *c)
{
    static const char *const columns[] = {"f", "i", "u"};
    struct catalog_relation *r = NULL;
    struct catalog_column *col = NULL;
    struct catalog_group *g = NULL;

    c->next_group += 1000; /* ids with gaps, as after deletions */
    c->next_object += 5000;
    assert_int_equal(catalog_add_relation(c, STR("odd"), RELATION_OBJECT, &r, &e), ERR_OK);
    assert_int_equal(catalog_add_key(c, r, STR("k"), &col, &e), ERR_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(catalog_add_column(c, r, str_of(columns[i]), &col, &e), ERR_OK);
    }
    const struct catalog_group_key key = {
        .relation = r, .target = p->from.target, .maker = p->from.collector};
    assert_int_equal(catalog_add_group(c, &key, &g, &e), ERR_OK);
    for (int i = 0; i <= ROWS; i++) {
        const char name[] = {1, (char)('a' + i)};
        struct catalog_object *o = NULL;
        assert_int_equal(catalog_add_object(c, g, str_make(name, 2), &o, &e), ERR_OK);
    }
    return g;
}

/* A reading each second over the end of a day, written as the flusher does. */
static void add_odd(struct places *p, int slices)
{
    int64_t first = p->from.now_ms / TSDB_DAY_MS * TSDB_DAY_MS - 5000;
    struct tsdb *db = NULL;
    struct head *h = head_new();

    assert_int_equal(tsdb_open(&p->from.config, &db, &e), ERR_OK);
    struct catalog_group *g = odd_names(p, db->catalog);
    assert_int_equal(sqldb_begin(db->ingest, &e), ERR_OK);
    assert_int_equal(catalog_save(db->catalog, db->ingest, &e), ERR_OK);
    assert_int_equal(sqldb_commit(db->ingest, &e), ERR_OK);
    uint64_t lsn = db->next_lsn;
    for (int i = 0; i < slices; i++) {
        const struct head_slice s = {.lsn = lsn, .t_ms = first + i * 1000, .every_ms = 1000};
        link_odd_slice(h, g, s, i);
    }
    if (flush_head(db, h, lsn, &e)) {
        fail_msg("flush: %s", e.text);
    }
    head_free(h);
    tsdb_close(db);
}

static void fill(struct places *p, int records)
{
    tsdb_fixture_start(&p->from);
    for (int i = 0; i < records; i++) {
        send_record(p, i);
    }
    tsdb_fixture_stop(&p->from);
}

/* --- what is in a store, to the bit --- */

static enum err_code dump_slice(void *arg, const struct tsdb_slice *s, struct err *unused)
{
    struct buf *out = arg;

    (void)unused;
    buf_printf(out, "%llu '%.*s' t %lld %lld %lld flags %u '%.*s' gone %zu\n",
               (unsigned long long)s->group, STR_ARG(s->scope), (long long)s->t_ms,
               (long long)s->from_ms, (long long)s->every_ms, s->flags, STR_ARG(s->reason),
               s->gone_count);
    for (size_t row = 0; row < s->row_count; row++) {
        buf_printf(out, " %llu", (unsigned long long)(s->objects ? s->objects[row] : 0));
        for (size_t k = 0; k < s->key_count; k++) {
            buf_printf(out, "[%.*s]", STR_ARG(s->keys[k][row]));
        }
        for (size_t c = 0; c < s->column_count; c++) {
            const struct cell *cell = &s->cells[c][row];
            if (cell->tag == CELL_STR) {
                buf_printf(out, " '%.*s'", STR_ARG(cell->str));
            } else {
                buf_printf(out, " %d:%llx", (int)cell->tag,
                           (unsigned long long)(cell->tag == CELL_NULL ? 0 : cell->u64));
            }
        }
    }
    for (size_t i = 0; i < s->reset_count; i++) {
        buf_printf(out, " reset %u", s->resets[i]);
    }
    buf_add_c(out, "\n");
    return ERR_OK;
}

static void dump(struct tsdb_fixture *f, struct buf *out)
{
    static const char *const relations[] = {"mixed", "history", "odd"};
    struct tsdb_reader *r = tsdb_borrow(f);

    for (size_t i = 0; i < 3; i++) {
        const struct tsdb_scan_spec spec = {.target = f->target,
                                            .relation = str_of(relations[i]),
                                            .from_ms = 0,
                                            .to_ms = f->now_ms + TSDB_DAY_MS};
        enum err_code code = tsdb_scan(r, &spec, dump_slice, out, &e);
        if (code && code != ERR_NOT_FOUND) {
            fail_msg("scan: %s", e.text);
        }
    }
    tsdb_reader_return(r);
}

static void same_readings(struct places *p)
{
    struct buf from;
    struct buf to;

    buf_init(&from, 64 << 20);
    buf_init(&to, 64 << 20);
    tsdb_fixture_start(&p->from);
    tsdb_fixture_start(&p->to);
    dump(&p->from, &from);
    dump(&p->to, &to);
    assert_true(from.len > 1000);
    if (!str_eq(buf_view(&from), buf_view(&to))) {
        fail_msg("differs:\n%.1500s\n--- copy:\n%.1500s", from.ptr, to.ptr);
    }
    assert_false(text_uuid_eq(&p->from.db->epoch, &p->to.db->epoch));
    buf_fini(&to);
    buf_fini(&from);
}

/* An agent goes on with the copy: what it offers again is known, what is new is taken. */
static void same_streams(struct places *p, int records)
{
    struct tsdb_ack ack = {0};
    struct tsdb_sender s = p->sender;

    s.f = &p->to;
    s.seq = (uint64_t)records + 1;
    struct tsdb_sender again = s;
    again.seq = (uint64_t)records + 2;
    assert_int_equal(tsdb_send(&again, "{\"slices\":[]}", &ack, &e), ERR_CONFLICT); /* a gap */
    assert_int_equal(ack.next_seq, records + 1);
    p->sender = s;
    send_record(p, records);
    p->sender.f = &p->from;
    again.seq = (uint64_t)records + 1;
    assert_int_equal(tsdb_send(&again, "{\"slices\":[]}", &ack, &e), ERR_CONFLICT);
    assert_true(ack.mismatch); /* its hash is known */
}

static void same_events_and_texts(struct places *p)
{
    const struct tsdb_event_spec spec = {.search = STR("zebra1"), .limit = 100};
    const struct tsdb_text_key key = {p->from.target, STR("query"), STR("q2")};
    struct tsdb_fixture *both[] = {&p->from, &p->to};
    size_t counts[2];
    struct str texts[2];
    struct arena a;

    arena_init(&a, "test", 16 << 20);
    for (size_t i = 0; i < 2; i++) {
        struct tsdb_reader *r = tsdb_borrow(both[i]);
        struct tsdb_event *events = NULL;
        assert_int_equal(tsdb_events(r, &a, &spec, &events, &counts[i], &e), ERR_OK);
        assert_int_equal(tsdb_text(r, &a, &key, &texts[i], &e), ERR_OK);
        tsdb_reader_return(r);
    }
    assert_true(counts[0] > 0);
    assert_int_equal(counts[0], counts[1]);
    assert_true(texts[0].len > 300 && str_eq(texts[0], texts[1]));
    arena_fini(&a);
}

static void same_all(struct places *p, int records)
{
    same_readings(p);
    same_events_and_texts(p);
    same_streams(p, records);
}

static void test_between_two_of_sqlite(void **state)
{
    struct places *p = *state;

    fill(p, 20);
    add_odd(p, 40);
    copy_ok(p, p->from_url, p->to_url);
    assert_int_equal(p->loss_count, 0);
    same_all(p, 20);
}

static void test_through_postgresql(void **state)
{
    struct places *p = *state;

    fill(p, 20);
    add_odd(p, 40);
    copy_ok(p, p->from_url, p->pg.url);
    assert_int_equal(p->loss_count, 0);
    copy_ok(p, p->pg.url, p->to_url);
    assert_int_equal(p->loss_count, 0);
    same_all(p, 20);
}

/* What the journal holds of a server that was killed comes along. */
static void test_a_source_that_was_killed(void **state)
{
    struct places *p = *state;

    tsdb_fixture_start(&p->from);
    for (int i = 0; i < 8; i++) {
        send_record(p, i);
    }
    tsdb_fixture_kill(&p->from);
    copy_ok(p, p->from_url, p->to_url);
    same_all(p, 8);
}

static void test_a_deleted_target_stays_away(void **state)
{
    struct places *p = *state;
    struct transfer_result r;

    tsdb_fixture_start(&p->from);
    send_record(p, 0);
    tsdb_flush_ok(&p->from);
    assert_int_equal(
        tsdb_target_drop(p->from.db, &p->from.target, STR("null"), clock_mono_us() + 60000000, &e),
        ERR_OK);
    tsdb_fixture_kill(&p->from);
    if (copy(p, p->from_url, p->to_url, &r)) {
        fail_msg("copy: %s", e.text);
    }
    assert_int_equal(r.different, 0);
    for (size_t i = 0; i < r.count; i++) {
        assert_true(r.list[i].is_table || r.list[i].to.readings == 0);
    }
}

/* --- what is refused --- */

static void refused(struct places *p, const char *from, const char *to, enum err_code code,
                    const char *why)
{
    struct transfer_result r;

    assert_int_equal(copy(p, from, to, &r), code);
    if (!strstr(e.text, why)) {
        fail_msg("\"%s\" does not say \"%s\"", e.text, why);
    }
}

static void send_new_relations(struct places *p)
{
    char target[TEXT_UUID_SIZE], text[400];

    text_uuid(&p->from.target, target);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(text, sizeof(text),
                       "{\"made_ms\":1,\"slices\":[{\"relation\":\"r%d\",\"target\":\"%s\",\"t\":"
                       "%lld,\"rows\":1,\"keys\":{\"k\":[\"a\"]},\"columns\":{\"v\":[1]}}]}",
                       i, target, (long long)p->from.now_ms);
        tsdb_send_ok(&p->sender, text);
    }
}

static void test_what_is_refused(void **state)
{
    struct places *p = *state;
    struct sqldb *db = NULL;
    struct store *store = NULL;

    fill(p, 2);
    refused(p, p->from_url, p->from_url, ERR_CONFLICT, "the same store");
    refused(p, p->to_url, p->from_url, ERR_NOT_FOUND, "there is no store in");
    tsdb_fixture_start(&p->from);
    refused(p, p->from_url, p->to_url, ERR_CONFLICT, "is in use");
    tsdb_fixture_stop(&p->from);
    copy_ok(p, p->from_url, p->to_url);
    copy_ok(p, p->from_url, p->to_url); /* a kill may have come when it was all done */
    tsdb_fixture_start(&p->to);
    p->sender.f = &p->to;
    send_record(p, 2);
    send_new_relations(p);
    tsdb_fixture_stop(&p->to);
    refused(p, p->from_url, p->to_url, ERR_CONFLICT, "is not the same any more");
    assert_int_equal(sqldb_open(p->to_url, NULL, &db, &e), ERR_OK);
    assert_int_equal(store_setting_put(db, STORE_COPY_MARK,
                                       "1 00000000-0000-4000-8000-000000000000 2 0 0 0 1 0 0 0",
                                       &e),
                     ERR_OK);
    sqldb_close(db);
    refused(p, p->from_url, p->to_url, ERR_CONFLICT, "copy of another store");
    assert_int_equal(store_open(p->to_url, &store, &e), ERR_CONFLICT);
    assert_non_null(strstr(e.text, "run pga migrate copy again"));
}

/* --- damage --- */

/* Bytes of one block, that of relation history: what lies in others is copied. */
static void damage(struct places *p)
{
    struct tsdb *db = NULL;
    struct sqldb *file = NULL;
    char path[4096] = "";

    assert_int_equal(tsdb_open(&p->from.config, &db, &e), ERR_OK);
    for (size_t i = 0; i < db->day_count; i++) {
        if (db->days[i].class == DAY_SLOW) {
            days_path(db, &db->days[i], path, sizeof(path));
        }
    }
    tsdb_close(db);
    assert_int_equal(days_open(path, 0, &file, &e), ERR_OK);
    if (sqldb_script(file,
                     "UPDATE part SET data = zeroblob(length(data)) WHERE id / 4096 = "
                     "(SELECT id FROM block WHERE grp = 2)",
                     &e)) {
        fail_msg("damage: %s", e.text);
    }
    sqldb_close(file);
}

static void test_what_is_damaged_is_said(void **state)
{
    struct places *p = *state;
    struct transfer_result r;

    fill(p, 10);
    damage(p);
    if (copy(p, p->from_url, p->to_url, &r)) {
        fail_msg("copy: %s", e.text);
    }
    assert_int_equal(r.different, 0);
    assert_int_equal(p->loss_count, 1);
    assert_non_null(strstr(p->losses, "readings of history, group 2, "));
    uint64_t readings = 0;
    for (size_t i = 0; i < r.count; i++) {
        readings += r.list[i].is_table ? 0 : r.list[i].to.readings;
    }
    assert_int_equal(readings, 20); /* of 30 */
}

/* --- roll-ups --- */

static void remove_readings(struct places *p)
{
    static const char *const classes[] = {"fast", "slow"};
    char path[128];

    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof(path), "%s/raw/%s", p->from.dir, classes[i]);
        assert_int_equal(file_remove_tree(path, &e), ERR_OK);
    }
}

/* A store of which the hours that are over were rolled up. */
static void fill_rolled(struct places *p)
{
    struct tsdb_stats stats;

    tsdb_fixture_start(&p->from);
    for (int i = 0; i < 60; i++) {
        send_record(p, i);
    }
    tsdb_flush_ok(&p->from);
    for (int i = 0; i < 600; i++) {
        tsdb_stats(p->from.db, &stats);
        if (stats.rolled_up_ms && !stats.rollup_files) {
            break;
        }
        clock_sleep_ms(100);
    }
    assert_true(stats.rolled_up_ms > 0);
    tsdb_fixture_stop(&p->from);
}

/* Buckets of all relations of a tier, or readings when the name is that of a relation. */
static uint64_t compared(const struct transfer_result *r, const char *end)
{
    uint64_t found = 0;

    for (size_t i = 0; i < r->count; i++) {
        if (str_ends(r->list[i].name, str_of(end))) {
            found += r->list[i].to.readings;
        }
    }
    return found;
}

/* What a store says of hours that are not rolled up, and of those that are. */
static void dump_rollups(struct places *p, const char *url, struct buf *out)
{
    struct tsdb_fixture *f = strcmp(url, p->from_url) == 0 ? &p->from : &p->to;
    struct tsdb *db = NULL;

    assert_int_equal(tsdb_open(&f->config, &db, &e), ERR_OK);
    buf_printf(out, "watermarks %lld %lld\n", (long long)tier_watermark(db, TSDB_TIER_5M),
               (long long)tier_watermark(db, TSDB_TIER_1H));
    for (size_t i = 0; i < db->day_count; i++) {
        struct sqldb *file = NULL;
        struct sqldb_stmt *s = NULL;
        char path[4096];
        bool row = true;
        days_path(db, &db->days[i], path, sizeof(path));
        assert_int_equal(days_open(path, SQLDB_READ_ONLY, &file, &e), ERR_OK);
        assert_int_equal(sqldb_query(file, "tsdb_dirty_all", SQLDB_NO_ARGS, &s, &e), ERR_OK);
        while (sqldb_step(s, &row, &e) == ERR_OK && row) {
            buf_printf(out, "%lld %lld\n", (long long)sqldb_get_i64(s, 0),
                       (long long)sqldb_get_i64(s, 1));
        }
        sqldb_end(s);
        sqldb_close(file);
    }
    tsdb_close(db);
}

static void same_rollups(struct places *p)
{
    struct buf from;
    struct buf to;

    buf_init(&from, 1 << 20);
    buf_init(&to, 1 << 20);
    dump_rollups(p, p->from_url, &from);
    dump_rollups(p, p->to_url, &to);
    assert_string_equal(from.ptr, to.ptr);
    buf_fini(&to);
    buf_fini(&from);
}

static void copy_rollups(struct places *p, const char *from, const char *to, bool readings)
{
    struct transfer_result r;
    struct arena a;
    const struct transfer_config config = {.from = from, .to = to, .loss = on_loss, .arg = p};

    p->loss_count = 0;
    arena_init(&a, "test", 64 << 20);
    if (transfer_run(&config, &a, &r, &e)) {
        fail_msg("copy: %s", e.text);
    }
    assert_int_equal(r.different, 0);
    assert_int_equal(p->loss_count, 0);
    assert_true(compared(&r, ", roll-ups of 1 h") > 0);
    assert_true(compared(&r, ", roll-ups of 5 min") > 0);
    assert_int_equal(compared(&r, "history") > 0, readings);
    arena_fini(&a);
}

/* --- kills while roll-ups are copied --- */

static const char *deadly;

static void die_at(const char *point)
{
    if (strcmp(point, deadly) == 0) {
        (void)raise(SIGKILL);
    }
}

/* Somebody else copies, and dies at a point of the way. */
static void copy_killed(struct places *p, const char *from, const char *to, const char *point)
{
    const struct transfer_config config = {.from = from, .to = to, .loss = on_loss, .arg = p};
    int status = 0;

    deadly = point;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct transfer_result r;
        struct arena a;
        fault_watch(die_at);
        arena_init(&a, "test", 64 << 20);
        _exit(transfer_run(&config, &a, &r, &e) == ERR_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        fail_msg("%s: the copy came to status %d", point, status);
    }
}

static void test_rollups_come_along_after_kills(void **state)
{
    struct places *p = *state;

    fill_rolled(p);
    copy_killed(p, p->from_url, p->to_url, "transfer.rollup");
    copy_killed(p, p->from_url, p->to_url, "transfer.rollup_mark");
    copy_killed(p, p->from_url, p->to_url, "transfer.dirty");
    copy_rollups(p, p->from_url, p->to_url, true);
    same_rollups(p);
}

/* With the readings that they are of, and when these are gone, as after retention. */
static void test_rollups_come_along(void **state)
{
    struct places *p = *state;

    fill_rolled(p);
    copy_rollups(p, p->from_url, p->to_url, true);
    same_rollups(p);
    assert_int_equal(file_remove_tree(p->to.dir, &e), ERR_OK);
    remove_readings(p);
    copy_rollups(p, p->from_url, p->to_url, false);
    same_rollups(p);
}

static void check_state(struct places *p, bool readings)
{
    struct tsdb_fixture *f = &p->from;
    struct sqldb *db = NULL;
    struct sqldb_stmt *s = NULL;
    struct tsdb *lite = NULL;

    assert_int_equal(tsdb_open(&f->config, &lite, &e), ERR_OK);
    assert_int_equal(sqldb_open(p->pg.url, NULL, &db, &e), ERR_OK);
    assert_int_equal(sqldb_row(db, "tsdb_rollup_state", SQLDB_NO_ARGS, &s, &e), ERR_OK);
    int64_t watermark = tier_watermark(lite, TSDB_TIER_1H);
    assert_int_equal(sqldb_get_i64(s, 0), watermark / TIER_HOUR_MS);
    assert_int_equal(sqldb_get_i64(s, 1), watermark);
    int64_t raw_day = sqldb_get_i64(s, 2);       /* 0 = none went */
    int64_t today = days_of_ms(clock_wall_ms()); /* of which readings may still come */
    int64_t first = days_of_ms(p->from.now_ms - 7200000);
    assert_int_equal(raw_day, !readings && first < today ? today : 0);
    sqldb_end(s);
    sqldb_close(db);
    tsdb_close(lite);
}

static void rollups_through_postgresql(struct places *p, bool readings)
{
    fill_rolled(p);
    if (!readings) {
        remove_readings(p);
    }
    copy_killed(p, p->from_url, p->pg.url, "transfer.rollup");
    copy_killed(p, p->from_url, p->pg.url, "transfer.dirty");
    copy_rollups(p, p->from_url, p->pg.url, readings);
    check_state(p, readings);
    copy_killed(p, p->pg.url, p->to_url, "transfer.rollup_mark");
    copy_rollups(p, p->pg.url, p->to_url, readings);
    same_rollups(p);
}

static void test_rollups_through_postgresql(void **state)
{
    rollups_through_postgresql(*state, true);
}

static void test_rollups_without_readings_through_postgresql(void **state)
{
    rollups_through_postgresql(*state, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_between_two_of_sqlite, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_source_that_was_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_deleted_target_stays_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_damaged_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rollups_come_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rollups_come_along_after_kills, set_up, tear_down),
    };
    const struct CMUnitTest more[] = {
        cmocka_unit_test_setup_teardown(test_through_postgresql, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rollups_through_postgresql, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rollups_without_readings_through_postgresql, set_up,
                                        tear_down),
    };
    if (!dialect_fixture_has_pg()) {
        print_message("PGA_TEST_PG is not set: no PostgreSQL to copy through\n");
        return cmocka_run_group_tests(tests, NULL, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL) + cmocka_run_group_tests(more, NULL, NULL);
}
