/* SPDX-License-Identifier: PostgreSQL */
/*
 * tsdb_fixture.h: a store in a folder of its own, its three threads, and pushes made of JSON text.
 */
#ifndef TSDB_FIXTURE_H
#define TSDB_FIXTURE_H

#include "base/thread.h"
#include "store/tsdb/tsdb.h"

struct tsdb_fixture {
    char dir[64];
    struct tsdb_config config;
    struct tsdb *db;
    struct thread threads[3];
    struct uuid collector, target;
    int64_t now_ms; /* whole second, about now */
    uint64_t targets_seen;
};

void tsdb_fixture_init(struct tsdb_fixture *f);
void tsdb_fixture_start(struct tsdb_fixture *f); /* open and start the threads */
void tsdb_fixture_stop(struct tsdb_fixture *f);  /* flush, end, close */
void tsdb_fixture_kill(struct tsdb_fixture *f);  /* end without flush: as after a crash */
void tsdb_fixture_fini(struct tsdb_fixture *f);  /* stop if open; remove the folder */

/* One stream of records; text of a record is built by the caller. */
struct tsdb_sender {
    struct tsdb_fixture *f;
    struct uuid stream;
    uint64_t seq; /* of the next record */
};

void tsdb_sender_init(struct tsdb_sender *s, struct tsdb_fixture *f);
/* Push one record as s->seq (which rises when it is taken). */
enum err_code tsdb_send(struct tsdb_sender *s, const char *record, struct tsdb_ack *ack,
                        struct err *e);
/* Sequence numbers of a push. */
struct tsdb_span {
    uint64_t seq, count;
};
/* Push a whole envelope's "records" text that covers these numbers. */
enum err_code tsdb_send_at(struct tsdb_sender *s, struct tsdb_span span, const char *records,
                           struct tsdb_ack *ack, struct err *e);
void tsdb_send_ok(struct tsdb_sender *s, const char *record);
void tsdb_flush_ok(struct tsdb_fixture *f);
struct tsdb_reader *tsdb_borrow(struct tsdb_fixture *f);

#endif
