/* SPDX-License-Identifier: PostgreSQL */
/*
 * spool.h: the agent's queue on disk: what was collected and not yet acknowledged, and a little
 * more.
 *
 *     DIR/lock            held while a process has the spool open
 *     DIR/reserve         64 KiB that are given up to write a gap when the disk is full
 *     DIR/bad/            damaged bytes, capped
 *     DIR/stream-N/       one stream; the highest N is live, the others are backlog
 *         identity        UUID on the wire, and the base that is subtracted from numbers
 *         cursor          first number that is not acknowledged
 *         gaps            numbers that will never carry data, and why
 *         seg-FIRST.pgs   records, numbered from FIRST on
 *
 * Invariants:
 * (1) a record counts as taken only after fdatasync: spool_append returning ERR_OK means it
 *     survives a power cut;
 * (2) in a stream every number below next_seq is in a segment, in a gap, or below the cursor and
 *     forgotten: nothing is ever missing silently;
 * (3) a gap is on disk before the bytes it stands for are removed;
 * (4) the cursor is on disk before an acknowledged segment is removed, and acknowledged segments
 *     stay for a while, because a restored server may ask again;
 * (5) numbers of a segment end where the next segment begins, whatever the file holds beyond;
 * (6) bytes on disk stay within the cap: acknowledged segments go first, then the oldest ones, with
 *     a gap.
 *
 * Threads: any; one lock inside, held over file operations (they are what it orders).
 */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/text.h"

#define SPOOL_HASH_BYTES  32
#define SPOOL_REASON_MAX  32
#define SPOOL_STREAMS_MAX 256

struct spool;

struct spool_config {
    const char *dir;
    struct uuid agent;  /* written into segment headers */
    uint64_t max_bytes; /* 0 = min(256 MiB, 1 % of the free space), at least 8 MiB */
    int64_t max_age_ms; /* 0 = none */
    int64_t keep_ms;    /* after acknowledgement */
    uint64_t keep_bytes;
    uint64_t segment_bytes; /* 0 = 4 MiB */
};

/* What a stream looks like from outside; numbers as on the wire. */
struct spool_stream {
    struct uuid id;
    bool live;
    uint64_t cursor;   /* next to send */
    uint64_t next_seq; /* of the next record */
    int64_t oldest_ms; /* wall time of the oldest record that is not acknowledged; 0 = none */
};

/* One entry of a reading: a record or a gap. */
struct spool_entry {
    uint64_t seq;
    uint64_t span; /* 1 for records */
    bool is_gap;
    struct str json;                      /* of a record; in the arena */
    unsigned char hash[SPOOL_HASH_BYTES]; /* SHA-256 of json */
    char reason[SPOOL_REASON_MAX];        /* of a gap */
    int64_t from_ms, to_ms;
};

/* What to read, and what was read. */
struct spool_reading {
    struct arena *arena; /* texts of records go here */
    size_t max_entries, max_bytes;
    struct spool_entry *entries; /* room for max_entries */
    size_t count;
};

struct spool_stats {
    uint64_t generated;    /* handed to spool_append */
    uint64_t spooled;      /* taken */
    uint64_t acknowledged; /* records, not gaps */
    uint64_t gaps;         /* numbers that became gaps */
    uint64_t bytes;
    uint64_t waiting; /* numbers not acknowledged, over all streams */
};

/* Life cycle */

/*
 * ERR_CONFLICT when another process has it; ERR_IO, ERR_DENIED. Damage inside is repaired,
 * never an error.
 */
enum err_code spool_open(const struct spool_config *config, struct spool **out,
                         struct err *e) ERR_MUST_CHECK;
void spool_close(struct spool *s); /* NULL allowed */

/* Use */

/*
 * Append a record to the live stream. ERR_IO when it could not be kept: its number is then a gap.
 * mono_ms and wall_ms: when it was made.
 */
enum err_code spool_append(struct spool *s, struct str json, int64_t wall_ms, int64_t mono_ms,
                           struct err *e) ERR_MUST_CHECK;
/*
 * The record that was appended last, as the next life can ask for it with spool_made. false = none
 * since spool_open.
 */
bool spool_last(struct spool *s, struct uuid *stream, uint64_t *seq);
/* Whether the stream is (still) here and has made that number. */
bool spool_made(struct spool *s, const struct uuid *stream, uint64_t seq);
/* The streams, oldest first; the last one is live. Returns how many were written to `out`. */
size_t spool_streams(struct spool *s, struct spool_stream *out, size_t max);
/*
 * Entries from the cursor of a stream on: at most max_entries, and records until max_bytes of JSON
 * are passed (at least one). They stay on disk until spool_unpin or spool_ack.
 */
enum err_code spool_read(struct spool *s, const struct uuid *stream, struct spool_reading *reading,
                         struct err *e) ERR_MUST_CHECK;
void spool_unpin(struct spool *s);
/* Everything below next_seq is safe with the server. */
enum err_code spool_ack(struct spool *s, const struct uuid *stream, uint64_t next_seq,
                        struct err *e) ERR_MUST_CHECK;
/*
 * The server expects next_seq: go back (what is gone becomes a gap "server_restored") or forward.
 * ERR_CONFLICT when it is beyond what was ever made.
 */
enum err_code spool_rewind(struct spool *s, const struct uuid *stream, uint64_t next_seq,
                           struct err *e) ERR_MUST_CHECK;
/* The record at the cursor cannot be delivered: it becomes a gap, its bytes go to bad/. */
enum err_code spool_quarantine(struct spool *s, const struct uuid *stream,
                               struct err *e) ERR_MUST_CHECK;
/*
 * What is not acknowledged goes under a new UUID, numbered from 1 (the server knows other
 * records there).
 */
enum err_code spool_rename_stream(struct spool *s, const struct uuid *stream,
                                  struct err *e) ERR_MUST_CHECK;
/* Records from now on go into a new stream; the present one becomes backlog. */
enum err_code spool_split(struct spool *s, struct err *e) ERR_MUST_CHECK;

/* Query */
void spool_stats(struct spool *s, struct spool_stats *out);
/*
 * A number that changes when descriptions that were sent earlier may be lost or when the live
 * stream is another one: the next record should describe everything again.
 */
uint64_t spool_generation(struct spool *s);

#endif
