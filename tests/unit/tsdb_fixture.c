/* SPDX-License-Identifier: PostgreSQL */
/*
 * tsdb_fixture.c: a store in a folder of its own, its three threads, and pushes made of JSON text.
 */
#include "tsdb_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "os/file.h"
#include "tls/hash.h"

static enum err_code sink(void *arg, uint64_t lsn, const struct uuid *collector,
                          const struct batch *targets, struct err *e)
{
    struct tsdb_fixture *f = arg;
    (void)lsn;
    (void)collector;
    (void)e;
    f->targets_seen += targets->target_count;
    return ERR_OK;
}

void tsdb_fixture_init(struct tsdb_fixture *f)
{
    memset(f, 0, sizeof(*f));
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/pga-tsdb-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->config.dir = f->dir;
    f->config.target_sink = sink;
    f->config.target_arg = f;
    f->now_ms = clock_wall_ms() / 1000 * 1000;
    entropy_uuid(&f->collector);
    entropy_uuid(&f->target);
}

static void run_writer(void *db)
{
    tsdb_run_writer(db);
}

static void run_flusher(void *db)
{
    tsdb_run_flusher(db);
}

static void run_applier(void *db)
{
    tsdb_run_applier(db);
}

void tsdb_fixture_start(struct tsdb_fixture *f)
{
    static void (*const bodies[3])(void *) = {run_writer, run_flusher, run_applier};
    struct err e = {0};

    if (tsdb_open(&f->config, &f->db, &e)) {
        fail_msg("open: %s", e.text);
    }
    for (int i = 0; i < 3; i++) {
        if (thread_start(&f->threads[i], "tsdb-test", bodies[i], f->db, &e)) {
            fail_msg("thread: %s", e.text);
        }
    }
}

static void end(struct tsdb_fixture *f)
{
    for (int i = 0; i < 3; i++) {
        thread_join(&f->threads[i]);
    }
    tsdb_close(f->db);
    f->db = NULL;
}

void tsdb_fixture_stop(struct tsdb_fixture *f)
{
    tsdb_stop(f->db);
    end(f);
}

void tsdb_fixture_kill(struct tsdb_fixture *f)
{
    tsdb_stop_fast(f->db);
    end(f);
}

void tsdb_fixture_fini(struct tsdb_fixture *f)
{
    struct err e;
    if (f->db) {
        tsdb_fixture_kill(f);
    }
    assert_int_equal(file_remove_tree(f->dir, &e), ERR_OK);
}

void tsdb_sender_init(struct tsdb_sender *s, struct tsdb_fixture *f)
{
    s->f = f;
    s->seq = 1;
    entropy_uuid(&s->stream);
}

enum err_code tsdb_send_at(struct tsdb_sender *s, struct tsdb_span span, const char *records,
                           struct tsdb_ack *ack, struct err *e)
{
    const struct json_limits limits = {LIMIT_PUSH_INFLATED_BYTES, LIMIT_JSON_DEPTH, false};
    char collector[TEXT_UUID_SIZE];
    char stream[TEXT_UUID_SIZE];
    struct json_doc *doc = NULL;
    struct arena a;
    struct push push;
    struct buf text;

    text_uuid(&s->f->collector, collector);
    text_uuid(&s->stream, stream);
    buf_init(&text, LIMIT_PUSH_INFLATED_BYTES);
    buf_printf(&text,
               "{\"collector_id\":\"%s\",\"stream\":\"%s\",\"seq\":%llu,\"count\":%llu,"
               "\"records\":[%s]}",
               collector, stream, (unsigned long long)span.seq, (unsigned long long)span.count,
               records);
    arena_init(&a, "push", LIMIT_REQUEST_ARENA_BYTES);
    if (json_parse(buf_view(&text), &limits, &doc, e) || push_read(&a, json_root(doc), &push, e)) {
        fail_msg("envelope: %s: %s", e->text, text.ptr);
    }
    enum err_code code = tsdb_push(s->f->db, &a, &push, ack, e);
    arena_fini(&a);
    json_doc_free(doc);
    buf_fini(&text);
    return code;
}

enum err_code tsdb_send(struct tsdb_sender *s, const char *record, struct tsdb_ack *ack,
                        struct err *e)
{
    char hash[HASH_HEX_SIZE];
    struct buf text;

    hash_sha256_hex(str_of(record), hash);
    buf_init(&text, LIMIT_PUSH_INFLATED_BYTES);
    buf_printf(&text, "{\"hash\":\"%s\",\"record\":%s}", hash, record);
    enum err_code code = tsdb_send_at(s, (struct tsdb_span){s->seq, 1}, text.ptr, ack, e);
    buf_fini(&text);
    if (code == ERR_OK) {
        s->seq = ack->next_seq;
    }
    return code;
}

void tsdb_send_ok(struct tsdb_sender *s, const char *record)
{
    struct tsdb_ack ack;
    struct err e = {0};
    if (tsdb_send(s, record, &ack, &e)) {
        fail_msg("push: %s: %s", e.text, record);
    }
}

void tsdb_flush_ok(struct tsdb_fixture *f)
{
    struct err e = {0};
    if (tsdb_flush(f->db, clock_mono_us() + 30000000, &e)) {
        fail_msg("flush: %s", e.text);
    }
}

struct tsdb_reader *tsdb_borrow(struct tsdb_fixture *f)
{
    struct tsdb_reader *r = NULL;
    struct err e = {0};
    if (f->config.url) {
        tsdb_flush_ok(f); /* there a push is seen once its journal row was moved */
    }
    if (tsdb_reader_borrow(f->db, clock_mono_us() + 10000000, &r, &e)) {
        fail_msg("borrow: %s", e.text);
    }
    return r;
}
