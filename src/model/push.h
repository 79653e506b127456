/* SPDX-License-Identifier: PostgreSQL */
/*
 * push.h: the envelope of a push and its answer.
 *
 * A push carries consecutive records of one stream: the first sequence number, and per record a
 * hash and the record itself, or a gap that covers a span of numbers.
 */
#ifndef MODEL_PUSH_H
#define MODEL_PUSH_H

#include "model/batch.h"

#define PUSH_HASH_BYTES 32 /* SHA-256 of the record's JSON text as spooled */

struct push_record {
    uint64_t seq;
    unsigned char hash[PUSH_HASH_BYTES];
    bool is_gap;
    struct batch_gap gap;
    const struct json *json;   /* of a record; read it with batch_read; */
    const struct batch *batch; /* or it is read already (older forms), within the same bounds */
};

struct push {
    struct uuid collector;
    struct uuid stream;
    uint64_t seq;             /* of the first record */
    uint64_t count;           /* sequence numbers covered */
    bool backlog;             /* older than the live stream */
    bool closes;              /* final_seq: nothing follows in this stream */
    bool unnumbered;          /* of an older form: one record, to which the store gives a number */
    int64_t wall_ms, mono_ms; /* the agent's clocks when it sent */
    struct str version, hostname;
    struct push_record *records;
    size_t record_count;
};

/* What the agent reads of an answer; unknown members are ignored. */
struct push_answer {
    uint64_t next_seq;
    struct uuid store_epoch;
    int64_t server_ms;
    int64_t config_version;
    int64_t next_check_s;
};

/* The envelope around records that are JSON text already (from the spool). */
struct push_text_record {
    struct str json; /* empty = gap */
    unsigned char hash[PUSH_HASH_BYTES];
    struct batch_gap gap;
};
void push_write(const struct push *head, const struct push_text_record *records, size_t count,
                struct json_writer *w);
/* ERR_INVALID, ERR_LIMIT with the place. Does not read the records' contents. */
enum err_code push_read(struct arena *a, const struct json *root, struct push *out,
                        struct err *e) ERR_MUST_CHECK;
/* ERR_INVALID when it is no acknowledgement (no next_seq, no epoch). */
enum err_code push_answer_read(const struct json *root, struct push_answer *out,
                               struct err *e) ERR_MUST_CHECK;

#endif
