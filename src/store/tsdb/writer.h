/* SPDX-License-Identifier: PostgreSQL */
/*
 * writer.h: what the writers of the engines have in common: batches of jobs. Private to store/tsdb.
 *
 * Threads: the writer; `state` is held where it is said.
 */
#ifndef STORE_TSDB_WRITER_H
#define STORE_TSDB_WRITER_H

#include "store/tsdb/ingest.h"

#define WRITER_BATCH_JOBS 64

/* What one transaction stores. */
struct batch_of_jobs {
    struct ingest_job *jobs[WRITER_BATCH_JOBS];
    size_t count;
};

/* What the stream will be when the transaction is durable. */
struct stream_state {
    uint64_t next_seq, stored, samples;
};

/* A deletion is a batch of its own. Caller holds state. */
void writer_take_jobs(struct tsdb *db, struct batch_of_jobs *b);
void writer_fail_job(struct ingest_job *job, enum err_code code, const struct err *e);
struct stream_state writer_after(const struct ingest_job *job);
/* After the commit. Caller holds state. */
void writer_advance_stream(struct ingest_job *job);
void writer_count_record(struct tsdb *db, const struct ingest_record *r);
void writer_note_last(struct tsdb *db, const struct ingest_record *r);
/* Wake those who wait for the jobs. */
void writer_finish_jobs(struct tsdb *db, struct batch_of_jobs *b);

#endif
