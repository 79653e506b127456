/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_damage.c: what cannot be read stops nothing else, is kept, and can be mended.
 *
 * Bytes of journal rows, blocks and whole files are other than they were. Afterwards the store
 * starts, what is whole is read, and the rest is in damaged.db or damaged/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "os/clock.h"
#include "sqldb/sqldb.h"
#include "tsdb_fixture.h"

static int set_up(void **state)
{
    struct tsdb_fixture *f = alloc_new(sizeof(*f));
    tsdb_fixture_init(f);
    tsdb_fixture_start(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    tsdb_fixture_fini(*state);
    alloc_free(*state);
    return 0;
}

/* Text that does not get smaller, so that a file has some pages. */
static int noise;

static void put_noise(struct buf *out, uint64_t seed)
{
    buf_add_c(out, "\"");
    for (int i = 0; i < noise; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        buf_add_char(out, (char)('0' + (seed >> 33) % 70 % 43));
    }
    buf_add_c(out, "\"");
}

/* One record of two readings, of groups a and b, and an event; every count rises by one. */
static void send(struct tsdb_sender *s, int n)
{
    char target[TEXT_UUID_SIZE];
    int64_t t_ms = s->f->now_ms / 86400000 * 86400000 + n * 1000;
    struct buf out;

    text_uuid(&s->f->target, target);
    buf_init(&out, 1 << 16);
    buf_printf(&out,
               "{\"made_ms\":1,\"events\":[{\"t\":%lld,\"kind\":\"x\",\"severity\":\"info\","
               "\"title\":\"event %d\"}],\"slices\":[",
               (long long)t_ms, n);
    for (int i = 0; i < 2; i++) {
        buf_printf(&out,
                   "%s{\"relation\":\"r%d\",\"target\":\"%s\",\"scope\":\"\",\"t\":%lld,"
                   "\"every_ms\":10000,\"flags\":[\"complete\"],\"rows\":2,\"keys\":{\"k\":[\"a\","
                   "\"b\"]},\"columns\":{\"v\":[%d,7],\"w\":[1.5,%d.25],\"x\":[null,",
                   i ? "," : "", i, target, (long long)t_ms, n, n);
        put_noise(&out, (uint64_t)(2 * n + i));
        buf_add_c(&out, "]}}");
    }
    buf_add_c(&out, "]}");
    tsdb_send_ok(s, out.ptr);
    buf_fini(&out);
}

static enum err_code count_slice(void *arg, const struct tsdb_slice *s, struct err *e)
{
    size_t *slices = arg;
    (void)s;
    (void)e;
    ++*slices;
    return ERR_OK;
}

static size_t slices_of(struct tsdb_fixture *f, const char *relation)
{
    const struct tsdb_scan_spec spec = {
        .target = f->target, .relation = str_of(relation), .to_ms = INT64_MAX / 2};
    struct tsdb_reader *r = tsdb_borrow(f);
    struct err e = {0};
    size_t slices = 0;

    if (tsdb_scan(r, &spec, count_slice, &slices, &e)) {
        fail_msg("scan of %s: %s", relation, e.text);
    }
    tsdb_reader_return(r);
    return slices;
}

static struct sqldb *open_db(struct tsdb_fixture *f, const char *name)
{
    char url[256];
    struct sqldb *db = NULL;
    struct err e = {0};

    (void)snprintf(url, sizeof(url), "sqlite:%s/%s", f->dir, name);
    if (sqldb_open(url, NULL, &db, &e)) {
        fail_msg("%s: %s", name, e.text);
    }
    return db;
}

static void script(struct tsdb_fixture *f, const char *name, const char *sql)
{
    struct sqldb *db = open_db(f, name);
    struct err e = {0};
    if (sqldb_script(db, sql, &e)) {
        fail_msg("%s: %s", sql, e.text);
    }
    sqldb_close(db);
}

/* The one day file, below the store. */
static void day_name(struct tsdb_fixture *f, char *out, size_t size)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "cd %s; ls raw/fast/*.db", f->dir);
    FILE *p = popen(command, "r");
    assert_non_null(fgets(out, (int)size, p));
    assert_int_equal(pclose(p), 0);
    out[strlen(out) - 1] = '\0';
}

static uint64_t quarantined(struct tsdb_fixture *f)
{
    struct tsdb_stats stats;
    tsdb_stats(f->db, &stats);
    return stats.quarantined;
}

static void shell(struct tsdb_fixture *f, const char *text)
{
    char command[1024];
    (void)snprintf(command, sizeof(command), "set -e; cd %s; %s", f->dir, text);
    if (system(command) != 0) {
        fail_msg("%s", command);
    }
}

static int repairs;

static void on_repaired(void *arg, const char *file, const char *text)
{
    (void)arg;
    print_message("repaired %s: %s\n", file, text);
    repairs++;
}

static void on_finding(void *arg, const char *file, const char *text)
{
    (void)arg;
    print_message("%s: %s\n", file, text);
}

static enum err_code verify(struct tsdb_fixture *f, bool repair, uint64_t *blocks)
{
    struct tsdb_verify v = {.finding = on_finding, .repaired = on_repaired, .repair = repair};
    struct err e = {0};
    enum err_code code = tsdb_verify(f->dir, &v, &e);

    *blocks = v.blocks;
    return code;
}

/* Damage is found, mended, and then nothing is found any more. */
static uint64_t repair(struct tsdb_fixture *f)
{
    uint64_t blocks = 0;

    repairs = 0;
    assert_int_equal(verify(f, false, &blocks), ERR_CORRUPT);
    assert_int_equal(verify(f, true, &blocks), ERR_CORRUPT);
    assert_true(repairs > 0);
    assert_int_equal(verify(f, false, &blocks), ERR_OK);
    return blocks;
}

/* --- the journal --- */

static void test_a_journal_row_that_cannot_be_read_does_not_stop_the_start(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;

    tsdb_sender_init(&s, f);
    for (int n = 0; n < 5; n++) {
        send(&s, n);
    }
    tsdb_fixture_kill(f);
    /* the version of the first reading, which is of r0; and a length that goes too far */
    script(f, "ingest.db",
           "UPDATE journal SET slices = substr(slices, 1, 1) || x'7f' || substr(slices, 3) WHERE "
           "lsn = 2; UPDATE journal SET slices = x'7f' || substr(slices, 2) WHERE lsn = 4");
    tsdb_fixture_start(f);
    assert_int_equal(quarantined(f), 2);
    assert_int_equal(slices_of(f, "r0"), 3);
    assert_int_equal(slices_of(f, "r1"), 4);
    send(&s, 5); /* the stream goes on */
    tsdb_fixture_kill(f);
    tsdb_fixture_start(f);
    assert_int_equal(quarantined(f), 0); /* once */
    assert_int_equal(slices_of(f, "r0"), 4);
    tsdb_flush_ok(f);
    assert_int_equal(slices_of(f, "r1"), 5);
    tsdb_fixture_stop(f);
    uint64_t blocks = 0;
    assert_int_equal(verify(f, false, &blocks), ERR_OK);
    shell(f, "test $(python3 -c 'import sqlite3; print(*sqlite3.connect(\"damaged.db\").execute("
             "\"select count(*), min(key), max(key) from damaged\").fetchone(), sep=\",\")') "
             "= 2,2,4");
}

/* Whatever byte of it is another one. */
static void test_any_byte_of_a_journal_row(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    char sql[256];

    tsdb_sender_init(&s, f);
    for (int n = 0; n < 3; n++) {
        send(&s, n);
    }
    tsdb_fixture_kill(f);
    shell(f, "cp ingest.db ingest.keep; cp ingest.db-wal wal.keep 2>/dev/null || true");
    for (int at = 1; at < 100; at += 11) {
        shell(f, "rm -rf raw text.db* event.db* damaged.db* ingest.db*; cp ingest.keep ingest.db; "
                 "test ! -e wal.keep || cp wal.keep ingest.db-wal");
        (void)snprintf(sql, sizeof(sql),
                       "UPDATE journal SET slices = substr(slices, 1, %d) || x'%02x' || "
                       "substr(slices, %d) WHERE lsn = 2 AND length(slices) > %d",
                       at - 1, (at * 37) & 0xff, at + 1, at);
        script(f, "ingest.db", sql);
        tsdb_fixture_start(f);
        tsdb_flush_ok(f); /* the body of a reading is decoded here at the latest */
        tsdb_fixture_stop(f);
    }
}

static void test_a_reading_that_only_the_flush_finds_damaged(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;

    tsdb_sender_init(&s, f);
    for (int n = 0; n < 5; n++) {
        send(&s, n);
    }
    tsdb_fixture_kill(f);
    script(f, "ingest.db", /* its last bytes: the end of r1's last column */
           "UPDATE journal SET slices = substr(slices, 1, length(slices) - 3) || x'ffffff' WHERE "
           "lsn = 3");
    tsdb_fixture_start(f);
    tsdb_flush_ok(f);
    assert_int_equal(quarantined(f), 1);
    assert_int_equal(slices_of(f, "r0"), 5);
    assert_int_equal(slices_of(f, "r1"), 4);
    tsdb_fixture_stop(f);
    uint64_t blocks = 0;
    assert_int_equal(verify(f, false, &blocks), ERR_OK);
}

static void test_events_that_cannot_be_read_are_kept(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;

    tsdb_sender_init(&s, f);
    send(&s, 0);
    tsdb_flush_ok(f);
    tsdb_fixture_stop(f);
    script(f, "ingest.db",
           "INSERT INTO journal (lsn, stream, seq, span, slice_count, sample_count, meta) VALUES "
           "(50, 1, 2, 1, 0, 0, x'7b7b')");
    tsdb_fixture_start(f);
    tsdb_flush_ok(f);
    assert_int_equal(quarantined(f), 1);
    tsdb_fixture_stop(f);
    uint64_t blocks = 0;
    assert_int_equal(verify(f, false, &blocks), ERR_OK);
}

static void test_repair_of_the_journal(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;

    tsdb_sender_init(&s, f);
    for (int n = 0; n < 5; n++) {
        send(&s, n);
    }
    tsdb_fixture_kill(f);
    script(f, "ingest.db",
           "UPDATE journal SET slices = substr(slices, 1, length(slices) - 3) || x'ffffff' WHERE "
           "lsn = 3");
    (void)repair(f);
    tsdb_fixture_start(f);
    assert_int_equal(slices_of(f, "r0"), 5);
    assert_int_equal(slices_of(f, "r1"), 4);
}

static void test_repair_of_the_search_of_events(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    uint64_t blocks = 0;

    tsdb_sender_init(&s, f);
    send(&s, 0);
    tsdb_flush_ok(f);
    tsdb_fixture_stop(f);
    repairs = 0;
    assert_int_equal(verify(f, true, &blocks), ERR_OK);
    assert_int_equal(repairs, 0); /* nothing is to be done */
    shell(f, "python3 -c 'import sqlite3; db = sqlite3.connect(\"event.db\");"
             "db.execute(\"delete from event_search_data where id > 10\"); db.commit()'");
    assert_int_equal(verify(f, true, &blocks), ERR_CORRUPT);
    assert_int_equal(repairs, 1);
    assert_int_equal(verify(f, true, &blocks), ERR_OK);
}

/* --- day files --- */

/* Several blocks of both groups in one day file; the store is closed. */
static void fill(struct tsdb_fixture *f, char *name, size_t size)
{
    struct tsdb_sender s;

    tsdb_sender_init(&s, f);
    noise = 1500;
    for (int n = 0; n < 8; n++) {
        send(&s, n);
        tsdb_flush_ok(f);
    }
    noise = 0;
    tsdb_fixture_stop(f);
    day_name(f, name, size);
}

static void test_repair_moves_blocks_out(void **state)
{
    struct tsdb_fixture *f = *state;
    char name[64];

    fill(f, name, sizeof(name));
    script(f, name,
           "UPDATE block SET head = substr(head, 1, 9) || x'ffffff' || substr(head, 13) "
           "WHERE id = 3; UPDATE part SET data = x'0102' WHERE id / 4096 = 6; "
           "DELETE FROM part WHERE id / 4096 = 9");
    assert_int_equal(repair(f), 13);
    tsdb_fixture_start(f);
    assert_int_equal(slices_of(f, "r0") + slices_of(f, "r1"), 13);
    tsdb_fixture_stop(f);
    shell(f, "test $(python3 -c 'import sqlite3; print(*[k for k, in sqlite3.connect("
             "\"damaged.db\").execute(\"select key from damaged where what = \\\"block\\\" order "
             "by key\")], sep=\",\")') = 3,6,9");
}

static void test_repair_builds_indexes(void **state)
{
    struct tsdb_fixture *f = *state;
    char name[64];

    fill(f, name, sizeof(name));
    script(f, name, /* the index lacks a row */
           "PRAGMA writable_schema=ON");
    shell(f, "python3 - <<'PY'\n"
             "import glob, sqlite3\n"
             "name = glob.glob('raw/fast/*.db')[0]\n"
             "db = sqlite3.connect(name)\n"
             "page, = db.execute(\"select rootpage from sqlite_schema where name = "
             "'block_by_group'\").fetchone()\n"
             "size, = db.execute('pragma page_size').fetchone()\n"
             "db.close()\n"
             "with open(name, 'r+b') as f:\n"
             "    f.seek((page - 1) * size + 3)\n"
             "    n = int.from_bytes(f.read(2), 'big')\n"
             "    f.seek((page - 1) * size + 3)\n"
             "    f.write((n - 1).to_bytes(2, 'big'))\n"
             "PY\n");
    assert_int_equal(repair(f), 16);
    tsdb_fixture_start(f);
    assert_int_equal(slices_of(f, "r0"), 8);
    assert_int_equal(slices_of(f, "r1"), 8);
}

/* A page of the table of parts, or of blocks, is noise: the rest is saved. */
static void damage_page(struct tsdb_fixture *f, const char *table)
{
    char text[900];

    (void)snprintf(text, sizeof(text),
                   "python3 - <<'PY'\n"
                   "import glob, sqlite3\n"
                   "name = glob.glob('raw/fast/*.db')[0]\n"
                   "db = sqlite3.connect(name)\n"
                   "root, = db.execute(\"select rootpage from sqlite_schema where name = '%s'\")"
                   ".fetchone()\n"
                   "size, = db.execute('pragma page_size').fetchone()\n"
                   "db.close()\n"
                   "with open(name, 'r+b') as f:\n"
                   "    f.seek((root - 1) * size)\n"
                   "    page = f.read(size)\n"
                   "    if page[0] == 5: root = int.from_bytes(page[8:12], 'big')\n"
                   "    f.seek((root - 1) * size)\n"
                   "    f.write(bytes(range(40, 120)))\n"
                   "PY\n",
                   table);
    shell(f, text);
}

static void test_repair_saves_what_a_damaged_file_still_has(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    char name[64];

    fill(f, name, sizeof(name));
    damage_page(f, "part");
    uint64_t blocks = repair(f);
    assert_in_range(blocks, 6, 15);
    shell(f, "ls damaged/raw-fast-*.db raw/fast/*-1.db >/dev/null");
    tsdb_fixture_start(f);
    assert_int_equal(slices_of(f, "r0") + slices_of(f, "r1"), blocks);
    tsdb_sender_init(&s, f);
    send(&s, 100); /* and the day goes on */
    tsdb_flush_ok(f);
    assert_int_equal(slices_of(f, "r0") + slices_of(f, "r1"), blocks + 2);
}

static void test_repair_of_a_file_that_is_none(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb *db = NULL;
    struct err e = {0};
    char name[64];
    char text[256];

    fill(f, name, sizeof(name));
    /* with its WAL: within the first hour of a day that holds whole pages, which are saved */
    (void)snprintf(text, sizeof(text), "rm -f %s-*; head -c 8192 /dev/zero | tr '\\0' x >%s", name,
                   name);
    shell(f, text);
    assert_int_equal(tsdb_open(&f->config, &db, &e), ERR_CORRUPT);
    assert_non_null(strstr(e.text, "--repair"));
    assert_int_equal(repair(f), 0);
    shell(f, "ls damaged/raw-fast-*.db >/dev/null");
    tsdb_fixture_start(f);
    assert_int_equal(slices_of(f, "r0"), 0);
}

/* Bytes of the file itself, anywhere: the repair never fails, and the store opens. */
static void test_repair_of_any_flipped_bytes(void **state)
{
    struct tsdb_fixture *f = *state;
    uint64_t blocks = 0;
    char name[64];
    char text[400];

    fill(f, name, sizeof(name));
    (void)snprintf(text, sizeof(text), "cp %s keep", name);
    shell(f, text);
    for (int seed = 1; seed <= 4; seed++) {
        (void)snprintf(text, sizeof(text),
                       "rm -rf damaged* raw/fast/*; cp keep %s; python3 -c 'import random\n"
                       "random.seed(%d)\n"
                       "d = bytearray(open(\"keep\", \"rb\").read())\n"
                       "for i in range(20): d[random.randrange(4096, len(d))] ^= 1 << (i %% 8)\n"
                       "open(\"%s\", \"wb\").write(d)'",
                       name, seed, name);
        shell(f, text);
        (void)verify(f, true, &blocks);
        assert_int_equal(verify(f, false, &blocks), ERR_OK);
        tsdb_fixture_start(f);
        assert_true(slices_of(f, "r0") + slices_of(f, "r1") <= 16);
        tsdb_fixture_stop(f);
    }
}

static enum err_code note_taken(void *arg, const char *name, const char *path, struct err *e)
{
    bool *half = arg;
    (void)path;
    (void)e;
    *half |= strstr(name, "20260101") != NULL;
    return ERR_OK;
}

/* A day file that has no tables yet: what belongs into it is still in the journal. */
static void test_a_backup_does_without_a_file_that_is_being_made(void **state)
{
    struct tsdb_fixture *f = *state;
    bool half = false;
    const struct tsdb_copy to = {.take = note_taken, .arg = &half};
    struct err e = {0};

    shell(f, "touch raw/fast/20260101.db");
    assert_int_equal(tsdb_copy(f->db, &to, &e), ERR_OK);
    assert_false(half);
    tsdb_fixture_stop(f);
    assert_int_equal(tsdb_restored(f->dir, 0, &e), ERR_OK); /* one of an older program has it */
}

static void change(const struct tsdb_fixture *f, const char *file, const char *sql)
{
    char url[160];
    struct sqldb *db = NULL;
    struct err e = {0};

    (void)snprintf(url, sizeof(url), "sqlite:%s/%s", f->dir, file);
    assert_int_equal(sqldb_open(url, NULL, &db, &e), ERR_OK);
    assert_int_equal(sqldb_script(db, sql, &e), ERR_OK);
    sqldb_close(db);
}

/* What a kill leaves of a file, or of a whole store, that was being made. */
static void test_what_a_kill_left_empty_is_no_damage(void **state)
{
    struct tsdb_fixture *f = *state;
    uint64_t blocks = 0;

    tsdb_fixture_stop(f);
    shell(f, "touch raw/fast/20260101.db raw/slow/20260101-1.db tier5m/202601.db");
    /* and while it was still written without a WAL: two pages, and the journal of none before */
    shell(
        f,
        "head -c 8192 ingest.db >raw/fast/20260102.db; (printf '\\331\\325\\005\\371\\040\\241"
        "\\143\\327\\0\\0\\0\\0abcd\\0\\0\\0\\0\\0\\0\\2\\0\\0\\0\\020\\0'; head -c 484 /dev/zero) "
        ">raw/fast/20260102.db-journal");
    assert_int_equal(verify(f, false, &blocks), ERR_OK);
    assert_int_equal(verify(f, true, &blocks), ERR_OK);
    shell(f, "rm -r raw tier5m tier1h text.db* event.db*");
    assert_int_equal(verify(f, false, &blocks), ERR_OK);
    change(f, "ingest.db", "DELETE FROM state");
    assert_int_equal(verify(f, false, &blocks), ERR_OK);
    tsdb_fixture_start(f);
    struct tsdb_sender s;
    tsdb_sender_init(&s, f);
    send(&s, 1);
    tsdb_fixture_stop(f);
    shell(f, "rm text.db*"); /* now it says what was acknowledged */
    assert_int_equal(verify(f, false, &blocks), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_a_journal_row_that_cannot_be_read_does_not_stop_the_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any_byte_of_a_journal_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_reading_that_only_the_flush_finds_damaged, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_events_that_cannot_be_read_are_kept, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_repair_of_the_journal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_repair_of_the_search_of_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_repair_moves_blocks_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_repair_builds_indexes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_repair_saves_what_a_damaged_file_still_has, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_repair_of_a_file_that_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_repair_of_any_flipped_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_backup_does_without_a_file_that_is_being_made,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_a_kill_left_empty_is_no_damage, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
