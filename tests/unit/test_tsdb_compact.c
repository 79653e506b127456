/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_compact.c: compaction changes how readings lie on the disk, never what is read.
 *
 * Real files. Before and after, everything that the store holds is written down as text and
 * compared. A crash is a child that dies at a fault point.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "os/file.h"
#include "sqldb/sqldb.h"
#include "tsdb_fixture.h"

#define WAIT_US  30000000LL
#define DUMP_MAX (32UL * 1024 * 1024)

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

/* --- readings --- */

static void put_begin(struct buf *out, const struct tsdb_fixture *f, const char *relation,
                      int64_t t_ms)
{
    char target[TEXT_UUID_SIZE];

    text_uuid(&f->target, target);
    buf_printf(out,
               "{\"relation\":\"%s\",\"target\":\"%s\",\"scope\":\"\",\"t\":%lld,"
               "\"from_t\":%lld,\"every_ms\":10000,",
               relation, target, (long long)t_ms, (long long)t_ms - 10000);
}

/* Rows of objects that come and go: i64 beyond 2^53, f64, text, NULL, gone, resets, failures. */
static void put_things(struct buf *out, const struct tsdb_fixture *f, int64_t t_ms, int n)
{
    put_begin(out, f, "thing", t_ms);
    if (n % 7 == 3) {
        buf_printf(out,
                   "\"flags\":[\"failed\"],\"reason\":\"n %d\",\"rows\":0,\"keys\":{\"k\":[]},"
                   "\"columns\":{}}",
                   n);
        return;
    }
    buf_printf(out,
               "\"flags\":[\"complete\"],\"rows\":3,\"keys\":{\"k\":[\"a\",\"b%d\",\"c\"]},"
               "\"columns\":{\"big\":[9007199254740993,%d,null],\"load\":[%d.125,null,1e300]",
               n / 5, n * n, n);
    if (n % 2) {
        buf_printf(out, ",\"state\":[\"on %d\",\"\",null]", n / 4);
    }
    buf_add_c(out, "}");
    if (n % 5 == 0 && n > 0) {
        buf_printf(out, ",\"gone\":[[\"b%d\"]]", n / 5 - 1);
    }
    if (n % 6 == 1) {
        buf_add_c(out, ",\"reset\":[0]");
    }
    buf_add_c(out, "}");
}

/* A relation whose keys are columns of the block. */
static void put_facts(struct buf *out, const struct tsdb_fixture *f, int64_t t_ms, int n)
{
    put_begin(out, f, "fact", t_ms);
    buf_printf(out, "\"flags\":[\"complete\"],\"rows\":%d,\"keys\":{\"wait\":[", n % 4);
    for (int i = 0; i < n % 4; i++) {
        buf_printf(out, "%s\"w%d\"", i ? "," : "", (n + i) % 5);
    }
    buf_add_c(out, "]},\"columns\":{\"count\":[");
    for (int i = 0; i < n % 4; i++) {
        buf_printf(out, "%s%d", i ? "," : "", n + i);
    }
    buf_add_c(out, "]}}");
}

static const char relations[] =
    "\"relations\":[{\"name\":\"fact\",\"help\":\"h\",\"shape\":\"fact\",\"sparse\":false,\"keys\":"
    "[{\"name\":\"wait\",\"help\":\"w\"}],\"columns\":[{\"name\":\"count\",\"kind\":\"gauge\","
    "\"type\":\"i64\",\"unit\":\"1\",\"help\":\"c\"}]}],";

static void send(struct tsdb_sender *s, int64_t t_ms, int n)
{
    struct buf out;

    buf_init(&out, 1 << 20);
    buf_printf(&out, "{\"made_ms\":1,%s\"slices\":[", relations);
    put_things(&out, s->f, t_ms, n);
    buf_add_c(&out, ",");
    put_facts(&out, s->f, t_ms, n);
    buf_add_c(&out, "]}");
    tsdb_send_ok(s, out.ptr);
    buf_fini(&out);
}

/* --- what the store holds, as text --- */

static void dump_cell(struct buf *out, const struct cell *c)
{
    uint64_t bits = 0;

    switch (c->tag) {
    case CELL_STR:
        buf_printf(out, " '%.*s'", STR_ARG(c->str));
        return;
    case CELL_F64:
        memcpy(&bits, &c->f64, sizeof(bits));
        buf_printf(out, " f%llx", (unsigned long long)bits);
        return;
    case CELL_I64:
        buf_printf(out, " %lld", (long long)c->i64);
        return;
    default:
        buf_printf(out, " t%d", (int)c->tag);
    }
}

static enum err_code dump_slice(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct buf *out = arg;

    (void)e;
    buf_printf(out, "g%llu t%lld f%lld e%lld %x '%.*s' rows %zu", (unsigned long long)s->group,
               (long long)s->t_ms, (long long)s->from_ms, (long long)s->every_ms, s->flags,
               STR_ARG(s->reason), s->row_count);
    for (size_t i = 0; i < s->row_count; i++) {
        buf_printf(out, " [%llu", s->objects ? (unsigned long long)s->objects[i] : 0ULL);
        for (size_t k = 0; k < s->key_count; k++) {
            buf_printf(out, " %.*s", STR_ARG(s->keys[k][i]));
        }
        for (size_t c = 0; c < s->column_count; c++) {
            dump_cell(out, &s->cells[c][i]);
        }
        buf_add_c(out, "]");
    }
    for (size_t i = 0; i < s->gone_count; i++) {
        buf_printf(out, " gone %llu", (unsigned long long)s->gone[i]);
    }
    for (size_t i = 0; i < s->reset_count; i++) {
        buf_printf(out, " reset %u", s->resets[i]);
    }
    buf_add_c(out, "\n");
    return ERR_OK;
}

static void dump_relation(struct tsdb_reader *r, const struct uuid *target, const char *name,
                          struct buf *out)
{
    const struct tsdb_scan_spec spec = {
        .target = *target, .relation = str_of(name), .to_ms = INT64_MAX / 2};
    struct err e = {0};
    enum err_code code = tsdb_scan(r, &spec, dump_slice, out, &e);

    if (code && code != ERR_NOT_FOUND) {
        fail_msg("scan of %s: %s", name, e.text);
    }
}

static char *dump(struct tsdb_fixture *f)
{
    struct tsdb_reader *r = tsdb_borrow(f);
    struct buf out;

    buf_init(&out, DUMP_MAX);
    buf_add_c(&out, "");
    dump_relation(r, &f->target, "thing", &out);
    dump_relation(r, &f->target, "fact", &out);
    tsdb_reader_return(r);
    return buf_take(&out, NULL);
}

static void check_same(struct tsdb_fixture *f, const char *before, const char *when)
{
    char *now = dump(f);
    if (strcmp(before, now) != 0) {
        fail_msg("%s: other readings:\n%.3000s\nwere:\n%.3000s", when, now, before);
    }
    alloc_free(now);
}

static void compact_ok(struct tsdb_fixture *f)
{
    struct err e = {0};
    if (tsdb_compact(f->db, clock_mono_us() + WAIT_US, &e)) {
        fail_msg("compact: %s", e.text);
    }
}

static void on_finding(void *arg, const char *file, const char *text)
{
    (void)arg;
    print_message("%s: %s\n", file, text);
}

/* Of a closed store: it is whole. Gives its blocks. */
static uint64_t verify(struct tsdb_fixture *f)
{
    struct tsdb_verify v = {.finding = on_finding};
    struct err e = {0};

    if (tsdb_verify(f->dir, &v, &e)) {
        fail_msg("verify: %s", e.text);
    }
    return v.blocks;
}

static uint64_t compactions(struct tsdb_fixture *f)
{
    struct tsdb_stats stats;
    tsdb_stats(f->db, &stats);
    assert_int_equal(stats.compact_errors, 0);
    return stats.compactions;
}

static int files(struct tsdb_fixture *f, const char *pattern)
{
    char command[256];
    int n = -1;

    (void)snprintf(command, sizeof(command), "exit $(ls %s/raw/*/%s 2>/dev/null | wc -l)", f->dir,
                   pattern);
    int status = system(command);
    if (WIFEXITED(status)) {
        n = WEXITSTATUS(status);
    }
    return n;
}

/* Within one UTC day, and within what is taken of the past. */
static int64_t start_of_day(const struct tsdb_fixture *f)
{
    return (f->now_ms - 20 * 3600000LL) / 86400000 * 86400000 + 3600000;
}

/*
 * Ten flushes of one day by two streams, whose times cross and in part are the same: the first
 * acknowledged counts.
 */
static void fill(struct tsdb_fixture *f)
{
    struct tsdb_sender s[2];
    int64_t start = start_of_day(f);

    tsdb_sender_init(&s[0], f);
    tsdb_sender_init(&s[1], f);
    for (int flush = 0; flush < 10; flush++) {
        for (int i = 0; i < 4; i++) {
            int n = flush * 4 + i;
            send(&s[0], start + n * 20000, n);
            send(&s[1], start + n * 30000, 1000 + n);
        }
        tsdb_flush_ok(f);
    }
}

static void test_nothing_else_is_read_afterwards(void **state)
{
    struct tsdb_fixture *f = *state;

    fill(f);
    char *before = dump(f);
    compact_ok(f);
    check_same(f, before, "compacted");
    assert_int_equal(compactions(f), 1);
    assert_int_equal(files(f, "*.db"), 1);
    assert_int_equal(files(f, "*-1.db"), 1);
    tsdb_fixture_stop(f);
    assert_int_equal(verify(f), 2); /* one of each group */
    tsdb_fixture_start(f);
    check_same(f, before, "started again");
    compact_ok(f);
    assert_int_equal(compactions(f), 0); /* there is nothing to do */
    alloc_free(before);
}

/* Late data of a day that was compacted. */
static void test_late_data_is_merged_once_more(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender late;

    fill(f);
    compact_ok(f);
    tsdb_sender_init(&late, f);
    for (int n = 0; n < 30; n++) {
        send(&late, start_of_day(f) + n * 27000, 2000 + n); /* in between, and in part the same */
        if (n % 10 == 9) {
            tsdb_flush_ok(f);
        }
    }
    char *before = dump(f);
    compact_ok(f);
    check_same(f, before, "compacted again");
    assert_int_equal(compactions(f), 2);
    assert_int_equal(files(f, "*-2.db"), 1);
    assert_int_equal(files(f, "*.db"), 1);
    tsdb_fixture_stop(f);
    assert_int_equal(verify(f), 2);
    alloc_free(before);
}

static void test_small_blocks_that_pile_up_are_merged(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    char *before = NULL;

    tsdb_sender_init(&s, f);
    for (int n = 0; n < 18; n++) {
        send(&s, f->now_ms + n * 1000, n); /* of today, which is open */
        tsdb_flush_ok(f);
        before = n == 17 ? dump(f) : NULL;
    }
    for (int i = 0; i < 1000 && compactions(f) == 0; i++) {
        clock_sleep_ms(50);
    }
    assert_true(compactions(f) >= 1);
    check_same(f, before, "merged");
    tsdb_fixture_stop(f);
    assert_in_range(verify(f), 2, 20);
    alloc_free(before);
}

/* --- when --- */

/* Give the one day file the date of a day that many days ago. */
static void rename_day(struct tsdb_fixture *f, int days_ago)
{
    char command[512];
    (void)snprintf(command, sizeof(command),
                   "set -e; cd %s/raw/fast; for i in *.db; do mv $i $(date -u -d '%d days ago' "
                   "+%%Y%%m%%d).db; done",
                   f->dir, days_ago);
    assert_int_equal(system(command), 0);
}

/* Open the store; the flusher has looked whether something is due. */
static void start_and_look(struct tsdb_fixture *f)
{
    tsdb_fixture_start(f);
    for (int i = 0; i < 10; i++) { /* the flusher looks at once */
        clock_sleep_ms(50);
        if (compactions(f)) {
            break;
        }
    }
}

static void test_a_closed_day_is_compacted_and_again_when_late(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;

    tsdb_sender_init(&s, f);
    for (int n = 0; n < 3; n++) {
        send(&s, f->now_ms + n * 1000, n);
        tsdb_flush_ok(f);
    }
    tsdb_fixture_stop(f);
    rename_day(f, 1);
    start_and_look(f);
    assert_int_equal(compactions(f), 0); /* late data may still come */
    tsdb_fixture_stop(f);
    rename_day(f, 3);
    start_and_look(f);
    assert_int_equal(compactions(f), 1);
    assert_int_equal(files(f, "*-1.db"), 1);
    tsdb_fixture_stop(f);
}

/* --- beside everything else --- */

struct scanner {
    struct tsdb_fixture *f;
    atomic_bool stop;
    size_t scans, slices;
};

static enum err_code count_slice(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct scanner *c = arg;
    (void)s;
    (void)e;
    c->slices++;
    return ERR_OK;
}

/* What was there at the start is in every version, exactly once; nothing is ever less. */
static void scan_on(void *arg)
{
    struct scanner *c = arg;
    size_t least = 0;

    while (!atomic_load(&c->stop)) {
        const struct tsdb_scan_spec spec = {
            .target = c->f->target, .relation = STR("thing"), .to_ms = INT64_MAX / 2};
        struct tsdb_reader *r = tsdb_borrow(c->f);
        struct err e = {0};
        c->slices = 0;
        if (tsdb_scan(r, &spec, count_slice, c, &e)) {
            fail_msg("scan: %s", e.text);
        }
        size_t first = c->slices;
        c->slices = 0;
        assert_int_equal(tsdb_scan(r, &spec, count_slice, c, &e), ERR_OK);
        tsdb_reader_return(r);
        if (first != c->slices || first < least) {
            fail_msg("%zu, then %zu slices, before %zu", first, c->slices, least);
        }
        least = first;
        c->scans++;
    }
}

static void test_readers_see_each_slice_once_all_the_time(void **state)
{
    struct tsdb_fixture *f = *state;
    struct scanner c[2] = {{.f = f}, {.f = f}};
    struct thread threads[2];
    struct tsdb_sender s;
    struct err e = {0};
    int sent = 0;

    tsdb_sender_init(&s, f);
    send(&s, f->now_ms - 60000, sent++);
    tsdb_flush_ok(f); /* a file that comes after a reader shows what is newer than the reader */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(thread_start(&threads[i], "scanner", scan_on, &c[i], &e), ERR_OK);
    }
    for (int round = 0; round < 25; round++) {
        for (int i = 0; i < 3; i++, sent++) {
            send(&s, f->now_ms - 60000 + sent * 1000, sent);
        }
        tsdb_flush_ok(f);
        send(&s, f->now_ms - 60000 + sent * 1000, sent); /* this one is in the head */
        sent++;
        compact_ok(f);
    }
    for (int i = 0; i < 2; i++) {
        atomic_store(&c[i].stop, true);
        thread_join(&threads[i]);
        assert_true(c[i].scans > 10);
    }
    c[0].slices = 0;
    const struct tsdb_scan_spec spec = {
        .target = f->target, .relation = STR("thing"), .to_ms = INT64_MAX / 2};
    struct tsdb_reader *r = tsdb_borrow(f);
    assert_int_equal(tsdb_scan(r, &spec, count_slice, &c[0], &e), ERR_OK);
    tsdb_reader_return(r);
    assert_int_equal(c[0].slices, sent);
    assert_in_range(compactions(f), 20, 30);
}

/* --- flushes into a file that is being compacted --- */

#define SCOPES 12

static void send_scopes(struct tsdb_sender *s, int64_t t_ms, int n)
{
    char target[TEXT_UUID_SIZE];
    struct buf out;

    text_uuid(&s->f->target, target);
    buf_init(&out, 1 << 20);
    buf_add_c(&out, "{\"made_ms\":1,\"slices\":[");
    for (int i = 0; i < SCOPES; i++) {
        buf_printf(
            &out,
            "%s{\"relation\":\"thing\",\"target\":\"%s\",\"scope\":\"s%d\",\"t\":%lld,"
            "\"every_ms\":10000,\"flags\":[\"complete\"],\"rows\":1,\"keys\":{\"k\":[\"a\"]},"
            "\"columns\":{\"v\":[%d]}}",
            i ? "," : "", target, i, (long long)t_ms, n);
    }
    buf_add_c(&out, "]}");
    tsdb_send_ok(s, out.ptr);
    buf_fini(&out);
}

struct pusher {
    struct tsdb_fixture *f;
    int sent;
};

static void push_and_flush(void *arg)
{
    struct pusher *p = arg;
    struct tsdb_sender s;

    tsdb_sender_init(&s, p->f);
    for (; p->sent < 120; p->sent++) {
        send_scopes(&s, start_of_day(p->f) + p->sent * 1000, p->sent);
        p->sent % 3 ? (void)0 : tsdb_flush_ok(p->f);
    }
}

static void test_flushes_while_a_file_is_compacted(void **state)
{
    struct tsdb_fixture *f = *state;
    struct pusher p = {f, 0};
    struct scanner c = {.f = f};
    struct thread thread;
    struct err e = {0};

    assert_int_equal(thread_start(&thread, "pusher", push_and_flush, &p, &e), ERR_OK);
    for (int i = 0; i < 30; i++) {
        compact_ok(f);
    }
    thread_join(&thread);
    char *before = dump(f);
    compact_ok(f);
    check_same(f, before, "compacted at the end");
    tsdb_fixture_stop(f);
    (void)verify(f);
    tsdb_fixture_start(f);
    check_same(f, before, "started again");
    alloc_free(before);
    const struct tsdb_scan_spec spec = {
        .target = f->target, .relation = STR("thing"), .to_ms = INT64_MAX / 2};
    struct tsdb_reader *r = tsdb_borrow(f);
    assert_int_equal(tsdb_scan(r, &spec, count_slice, &c, &e), ERR_OK);
    tsdb_reader_return(r);
    assert_int_equal(c.slices, 120 * SCOPES);
}

/* A reader that began before goes on with what it had. */
static void test_a_pinned_version_stays(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct buf before;
    struct buf after;

    fill(f);
    struct tsdb_reader *r = tsdb_borrow(f);
    buf_init(&before, DUMP_MAX);
    buf_init(&after, DUMP_MAX);
    dump_relation(r, &f->target, "thing", &before);
    tsdb_sender_init(&s, f);
    send(&s, start_of_day(f) + 1500, 1);
    tsdb_flush_ok(f);
    compact_ok(f);
    dump_relation(r, &f->target, "thing", &after);
    tsdb_reader_return(r);
    assert_string_equal(before.ptr, after.ptr);
    buf_fini(&before);
    buf_fini(&after);
}

static void test_a_deleted_target_is_left_out(void **state)
{
    struct tsdb_fixture *f = *state;
    struct uuid gone = f->target;
    struct err e = {0};

    fill(f);
    entropy_uuid(&f->target);
    fill(f);
    char *before = dump(f);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tsdb_target_drop(f->db, &gone, STR("{}"), clock_mono_us() + WAIT_US, &e),
                         ERR_OK);
        compact_ok(f);
    }
    check_same(f, before, "the other target");
    tsdb_flush_ok(f);
    compact_ok(f);
    tsdb_fixture_stop(f);
    assert_int_equal(verify(f), 2);
    tsdb_fixture_start(f);
    check_same(f, before, "started again");
    f->target = gone;
    char *nothing = dump(f);
    assert_string_equal(nothing, "");
    alloc_free(nothing);
    alloc_free(before);
}

/* Bytes of one block's head are other than they were; the block is kept as it is. */
static void test_a_block_that_cannot_be_read_is_kept(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_verify v = {0};
    struct sqldb *db = NULL;
    struct err e = {0};
    char command[256];
    char url[160] = "sqlite:";

    fill(f);
    tsdb_fixture_stop(f);
    (void)snprintf(command, sizeof(command), "ls %s/raw/fast/*.db", f->dir);
    FILE *p = popen(command, "r");
    assert_non_null(fgets(url + 7, sizeof(url) - 7, p));
    assert_int_equal(pclose(p), 0);
    url[strlen(url) - 1] = '\0';
    assert_int_equal(sqldb_open(url, NULL, &db, &e), ERR_OK);
    assert_int_equal(sqldb_script(db, "UPDATE block SET head = x'0100ffffffff' WHERE id = 3", &e),
                     ERR_OK);
    sqldb_close(db);
    assert_int_equal(tsdb_verify(f->dir, &v, &e), ERR_CORRUPT);
    uint64_t blocks = v.blocks;
    tsdb_fixture_start(f);
    compact_ok(f);
    assert_int_equal(compactions(f), 1);
    tsdb_fixture_stop(f);
    assert_int_equal(tsdb_verify(f->dir, &v, &e), ERR_CORRUPT);
    assert_string_equal(e.text, "1 findings");
    assert_int_equal(blocks, 20);
    assert_int_equal(v.blocks, 11); /* ten of the group with the bad one, one of the other */
}

/* --- deaths at named points --- */

/* This program again, as a process that shall die: argv is DIR. */
static int compact_once(const char *dir)
{
    struct tsdb_fixture f = {0};
    struct err e = {0};

    (void)snprintf(f.dir, sizeof(f.dir), "%s", dir);
    f.config.dir = f.dir;
    tsdb_fixture_start(&f);
    enum err_code code = tsdb_compact(f.db, clock_mono_us() + WAIT_US, &e);
    tsdb_fixture_stop(&f);
    return code != ERR_OK;
}

static void die_at(struct tsdb_fixture *f, const char *point)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        (void)setenv("PGA_FAULT", point, 1);
        execl("/proc/self/exe", "test_tsdb_compact", f->dir, (char *)NULL);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        fail_msg("it does not die at %s", point);
    }
}

static void test_a_death_at_any_moment_changes_nothing(void **state)
{
    static const char *const points[] = {
        "tsdb.compact_begun",   "tsdb.compact_part",   "tsdb.compact_written",
        "tsdb.compact_renamed", "tsdb.compact_listed", "tsdb.compact_unlinked",
    };
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;

    fill(f);
    tsdb_sender_init(&s, f);
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        for (int n = 0; n < 2; n++) { /* something to merge, and something in the journal */
            send(&s, start_of_day(f) + 1000 + (int64_t)(2 * i + (size_t)n) * 5000, n);
            n == 0 ? tsdb_flush_ok(f) : (void)0;
        }
        char *before = dump(f);
        tsdb_fixture_kill(f);
        die_at(f, points[i]);
        (void)verify(f);
        tsdb_fixture_start(f);
        check_same(f, before, points[i]);
        assert_int_equal(files(f, "*.new*"), 0);
        assert_int_equal(files(f, "*.db"), 1);
        compact_ok(f);
        check_same(f, before, "compacted after a death");
        alloc_free(before);
    }
    tsdb_fixture_stop(f);
    assert_int_equal(verify(f), 4);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_else_is_read_afterwards, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_late_data_is_merged_once_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_small_blocks_that_pile_up_are_merged, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_closed_day_is_compacted_and_again_when_late, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_readers_see_each_slice_once_all_the_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_flushes_while_a_file_is_compacted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_pinned_version_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_deleted_target_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_block_that_cannot_be_read_is_kept, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_death_at_any_moment_changes_nothing, set_up,
                                        tear_down),
    };
    if (argc == 2) {
        return compact_once(argv[1]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
