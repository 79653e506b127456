/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_spool.c: nothing that the spool took is lost without a gap that says so.
 *
 * Each test works in a folder of its own below /tmp; damage is done to the files behind the
 * spool's back.
 */
#include "spool/spool.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/file.h"
#include "tls/hash.h"

#define ENTRIES 1000

struct fixture {
    char dir[64];
    struct spool_config config;
    struct spool *spool;
    struct arena arena;
    struct spool_entry entries[ENTRIES];
    size_t count;
};

static void open_spool(struct fixture *f)
{
    struct err e = {0};
    if (spool_open(&f->config, &f->spool, &e)) {
        fail_msg("open: %s", e.text);
    }
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "/tmp/pga-spool-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->config = (struct spool_config){
        .dir = f->dir, .max_bytes = 64 << 20, .keep_ms = 3600000, .keep_bytes = 32 << 20};
    arena_init(&f->arena, "test", 64 << 20);
    open_spool(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    spool_close(f->spool);
    arena_fini(&f->arena);
    assert_int_equal(file_remove_tree(f->dir, NULL), ERR_OK);
    free(f);
    return 0;
}

static void reopen(struct fixture *f)
{
    spool_close(f->spool);
    f->spool = NULL;
    open_spool(f);
}

/* Record n: its number, and noise that does not compress, so that sizes are as written. */
static void record_text(unsigned n, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, "{\"n\":%u,\"x\":\"", n);
    uint32_t x = n * 2654435761u + 1;
    while (len + 4 < size) {
        x = x * 1664525u + 1013904223u;
        out[len++] = (char)('a' + (x >> 24) % 26);
    }
    snprintf(out + len, size - len, "\"}");
}

static void append(struct fixture *f, unsigned from, unsigned to)
{
    char text[1000];
    struct err e = {0};
    for (unsigned n = from; n <= to; n++) {
        record_text(n, text, sizeof(text));
        if (spool_append(f->spool, str_of(text), 1000000 + n, n, &e)) {
            fail_msg("append: %s", e.text);
        }
    }
}

static struct uuid live(struct fixture *f, struct spool_stream *out)
{
    struct spool_stream all[SPOOL_STREAMS_MAX];
    size_t n = spool_streams(f->spool, all, SPOOL_STREAMS_MAX);
    assert_true(n > 0);
    assert_true(all[n - 1].live);
    if (out) {
        *out = all[n - 1];
    }
    return all[n - 1].id;
}

static void read_all(struct fixture *f, const struct uuid *id)
{
    struct err e = {0};
    arena_reset(&f->arena);
    struct spool_reading reading = {&f->arena, ENTRIES, SIZE_MAX, f->entries, 0};
    if (spool_read(f->spool, id, &reading, &e)) {
        fail_msg("read: %s", e.text);
    }
    f->count = reading.count;
    spool_unpin(f->spool);
}

/* Every number from `from` to `to` is there once, in order; returns how many are gaps. */
static uint64_t check_complete(struct fixture *f, uint64_t from, uint64_t to)
{
    uint64_t next = from, gaps = 0;
    char text[1000];
    for (size_t i = 0; i < f->count; i++) {
        const struct spool_entry *x = &f->entries[i];
        assert_int_equal(x->seq, next);
        next += x->span;
        if (x->is_gap) {
            gaps += x->span;
            assert_true(x->reason[0] != '\0');
            continue;
        }
        unsigned char hash[32];
        record_text((unsigned)x->seq, text, sizeof(text));
        assert_true(str_eq_c(x->json, text));
        hash_sha256(x->json, hash);
        assert_memory_equal(hash, x->hash, 32);
    }
    assert_int_equal(next, to + 1);
    return gaps;
}

static void gives_back_what_it_took_after_a_restart(void **state)
{
    struct fixture *f = *state;
    append(f, 1, 50);
    struct uuid id = live(f, NULL);
    read_all(f, &id);
    assert_int_equal(check_complete(f, 1, 50), 0);
    assert_int_equal(spool_ack(f->spool, &id, 21, NULL), ERR_OK);
    reopen(f);
    struct spool_stream s;
    struct uuid again = live(f, &s);
    assert_true(text_uuid_eq(&id, &again));
    assert_int_equal(s.cursor, 21);
    assert_int_equal(s.next_seq, 51);
    assert_int_equal(s.oldest_ms, 1000021);
    append(f, 51, 60);
    read_all(f, &id);
    assert_int_equal(check_complete(f, 21, 60), 0);
}

static void a_second_process_is_refused(void **state)
{
    struct fixture *f = *state;
    struct spool *second = NULL;
    struct err e = {0};
    assert_int_equal(spool_open(&f->config, &second, &e), ERR_CONFLICT);
}

static void only_segment(struct fixture *f, char *path, size_t size)
{
    snprintf(path, size, "%s/stream-0000000001/seg-%020d.pgs", f->dir, 1);
}

static void a_torn_tail_is_cut(void **state)
{
    struct fixture *f = *state;
    char path[200];
    struct stat st;
    append(f, 1, 10);
    only_segment(f, path, sizeof(path));
    assert_int_equal(stat(path, &st), 0);
    off_t whole = st.st_size;
    append(f, 11, 11);
    spool_close(f->spool);
    assert_int_equal(truncate(path, whole + 100), 0);
    open_spool(f);
    struct uuid id = live(f, NULL);
    append(f, 11, 12); /* the number is used again: it never counted as taken */
    read_all(f, &id);
    assert_int_equal(check_complete(f, 1, 12), 0);
}

static void damage_costs_only_the_damaged_record(void **state)
{
    struct fixture *f = *state;
    char path[200], byte;
    struct stat st;
    only_segment(f, path, sizeof(path));
    append(f, 1, 40);
    assert_int_equal(stat(path, &st), 0);
    spool_close(f->spool);
    int fd = open(path, O_RDWR);
    off_t at = 64 + (st.st_size - 64) / 40 * 20 + 100;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte = (char)~byte;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
    open_spool(f);
    struct uuid id = live(f, NULL);
    read_all(f, &id);
    assert_int_equal(check_complete(f, 1, 40), 1);
    reopen(f); /* the gap is remembered */
    read_all(f, &id);
    assert_int_equal(check_complete(f, 1, 40), 1);
}

/* Random damage of every kind: the spool opens, and no number is missing without a gap. */
static void any_damage_is_survived(void **state)
{
    struct fixture *f = *state;
    f->config.segment_bytes = 4096;
    reopen(f);
    uint32_t seed = 1;
    for (int round = 0; round < 60; round++) {
        struct spool_stream s;
        struct uuid id = live(f, &s);
        append(f, (unsigned)s.next_seq, (unsigned)s.next_seq + 12);
        spool_close(f->spool);
        char command[400];
        seed = seed * 1664525u + 1013904223u;
        static const char *const KINDS[] = {"flip", "truncate", "zero"};
        snprintf(command, sizeof(command), "%u", seed >> 8);
        char pattern[200];
        snprintf(pattern, sizeof(pattern), "%s/stream-0000000001", f->dir);
        /* pick a segment: the one that holds a number in reach */
        uint64_t first = 1 + (seed >> 10) % (s.next_seq + 5);
        char path[300];
        int fd = -1;
        for (uint64_t n = first; n > 0 && fd < 0; n--) {
            snprintf(path, sizeof(path), "%s/seg-%020llu.pgs", pattern, (unsigned long long)n);
            fd = open(path, O_RDWR);
        }
        assert_true(fd >= 0);
        struct stat st;
        assert_int_equal(fstat(fd, &st), 0);
        off_t at = st.st_size ? (off_t)(seed >> 4) % st.st_size : 0;
        char zeros[64] = {0}, byte = 0;
        const char *kind = KINDS[(seed >> 20) % 3];
        if (strcmp(kind, "flip") == 0 && pread(fd, &byte, 1, at) == 1) {
            byte = (char)(byte ^ 0x40);
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        } else if (strcmp(kind, "truncate") == 0) {
            assert_int_equal(ftruncate(fd, at), 0);
        } else {
            assert_int_equal(pwrite(fd, zeros, sizeof(zeros), at), (int)sizeof(zeros));
        }
        close(fd);
        open_spool(f);
        struct spool_stream after;
        live(f, &after);
        read_all(f, &id);
        check_complete(f, 1, after.next_seq - 1);
    }
}

static void a_full_spool_drops_the_oldest_with_a_gap(void **state)
{
    struct fixture *f = *state;
    f->config.segment_bytes = 16 * 1024;
    f->config.max_bytes = 64 * 1024;
    reopen(f);
    append(f, 1, 300);
    struct uuid id = live(f, NULL);
    struct spool_stats stats;
    spool_stats(f->spool, &stats);
    assert_true(stats.bytes <= 64 * 1024 + 16 * 1024);
    assert_true(stats.gaps > 0);
    read_all(f, &id);
    uint64_t gaps = check_complete(f, 1, 300);
    assert_int_equal(gaps, stats.gaps);
    assert_string_equal(f->entries[0].reason, "spool_full");
    reopen(f);
    read_all(f, &id);
    assert_int_equal(check_complete(f, 1, 300), gaps);
}

static void a_restored_server_gets_what_is_still_held(void **state)
{
    struct fixture *f = *state;
    append(f, 1, 30);
    struct uuid id = live(f, NULL);
    assert_int_equal(spool_ack(f->spool, &id, 31, NULL), ERR_OK);
    assert_int_equal(spool_rewind(f->spool, &id, 11, NULL), ERR_OK);
    read_all(f, &id);
    assert_int_equal(check_complete(f, 11, 30), 0);
    assert_int_equal(spool_rewind(f->spool, &id, 99, NULL), ERR_CONFLICT);
}

static void what_is_no_longer_held_becomes_a_gap(void **state)
{
    struct fixture *f = *state;
    f->config.segment_bytes = 8 * 1024;
    f->config.keep_ms = 0;
    f->config.keep_bytes = 0;
    reopen(f);
    append(f, 1, 100);
    struct uuid id = live(f, NULL);
    assert_int_equal(spool_ack(f->spool, &id, 81, NULL), ERR_OK);
    append(f, 101, 101);
    assert_int_equal(spool_rewind(f->spool, &id, 1, NULL), ERR_OK);
    read_all(f, &id);
    assert_true(check_complete(f, 1, 101) >= 60);
    assert_string_equal(f->entries[0].reason, "server_restored");
}

static void quarantine_keeps_the_number(void **state)
{
    struct fixture *f = *state;
    append(f, 1, 5);
    struct uuid id = live(f, NULL);
    assert_int_equal(spool_ack(f->spool, &id, 3, NULL), ERR_OK);
    assert_int_equal(spool_quarantine(f->spool, &id, NULL), ERR_OK);
    read_all(f, &id);
    assert_int_equal(check_complete(f, 3, 5), 1);
    assert_string_equal(f->entries[0].reason, "quarantined");
}

static void a_split_sends_live_data_in_a_new_stream(void **state)
{
    struct fixture *f = *state;
    struct spool_stream all[8];
    append(f, 1, 5);
    struct uuid old = live(f, NULL);
    assert_int_equal(spool_split(f->spool, NULL), ERR_OK);
    append(f, 1, 3);
    assert_int_equal(spool_streams(f->spool, all, 8), 2);
    assert_true(text_uuid_eq(&all[0].id, &old));
    assert_false(all[0].live);
    struct uuid id = live(f, NULL);
    read_all(f, &id);
    assert_int_equal(check_complete(f, 1, 3), 0);
    reopen(f);
    read_all(f, &old);
    assert_int_equal(check_complete(f, 1, 5), 0);
    f->config.keep_bytes = 0;
    f->config.keep_ms = 0;
    reopen(f);
    assert_int_equal(spool_ack(f->spool, &old, 6, NULL), ERR_OK);
    assert_int_equal(spool_streams(f->spool, all, 8), 1); /* drained and forgotten */
}

static void a_renamed_stream_starts_at_one(void **state)
{
    struct fixture *f = *state;
    append(f, 1, 9);
    struct uuid old = live(f, NULL);
    assert_int_equal(spool_ack(f->spool, &old, 6, NULL), ERR_OK);
    assert_int_equal(spool_rename_stream(f->spool, &old, NULL), ERR_OK);
    struct spool_stream s;
    reopen(f);
    struct uuid id = live(f, &s);
    assert_false(text_uuid_eq(&id, &old));
    assert_int_equal(s.cursor, 1);
    assert_int_equal(s.next_seq, 5);
    read_all(f, &id);
    assert_int_equal(f->count, 4);
    assert_int_equal(f->entries[0].seq, 1);
}

#define TEST(x) cmocka_unit_test_setup_teardown(x, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gives_back_what_it_took_after_a_restart),
        TEST(a_second_process_is_refused),
        TEST(a_torn_tail_is_cut),
        TEST(damage_costs_only_the_damaged_record),
        TEST(any_damage_is_survived),
        TEST(a_full_spool_drops_the_oldest_with_a_gap),
        TEST(a_restored_server_gets_what_is_still_held),
        TEST(what_is_no_longer_held_becomes_a_gap),
        TEST(quarantine_keeps_the_number),
        TEST(a_split_sends_live_data_in_a_new_stream),
        TEST(a_renamed_stream_starts_at_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
