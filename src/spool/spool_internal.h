/* SPDX-License-Identifier: PostgreSQL */
/*
 * spool_internal.h: what the files of spool/ share. Not for other folders.
 *
 * Numbers in here are file numbers; on the wire a stream's base is subtracted.
 */
#ifndef SPOOL_SPOOL_INTERNAL_H
#define SPOOL_SPOOL_INTERNAL_H

#include "base/list.h"
#include "base/thread.h"
#include "spool/spool.h"

#define SPOOL_ROOT_MAX     800 /* the folder of the spool */
#define SPOOL_DIR_MAX      840 /* that of a stream */
#define SPOOL_PATH_MAX     1024
#define SPOOL_HEADER_BYTES 64
#define SPOOL_RECORD_HEAD  32 /* len, type, flags, mark, seq, wall_ms, mono_ms */
#define SPOOL_RECORD_MARK  0x4750
#define SPOOL_PAYLOAD_MAX  (16 * 1024 * 1024)
#define SPOOL_GAPS_MAX     4096

enum spool_record_type { SPOOL_RECORD_DATA = 1 };

/* Head of a record as it stands in the file. */
struct spool_record {
    uint32_t payload_len;
    uint64_t seq;
    int64_t wall_ms, mono_ms;
    uint64_t total; /* bytes in the file, padding included */
};

struct spool_gap {
    uint64_t seq, span;
    int64_t from_ms, to_ms;
    char reason[SPOOL_REASON_MAX];
};

struct spool_segment {
    uint64_t first_seq;
    uint64_t bytes;
    int64_t first_ms;      /* wall time of its first record */
    int64_t last_ms;       /* of its last, as far as known */
    int64_t acked_mono_ms; /* since when all of it is acknowledged; 0 = it is not */
};

struct spool_dir {
    struct list_node node; /* in spool->streams, oldest first */
    char path[SPOOL_DIR_MAX];
    uint64_t ordinal;
    struct uuid id;
    uint64_t base; /* wire number = file number - base */
    uint64_t cursor, next_seq;
    struct spool_segment *segments; /* rising */
    size_t segment_count, segment_cap;
    struct spool_gap *gaps; /* rising, not overlapping */
    size_t gap_count, gap_cap;
    uint64_t hint_seq, hint_at; /* where record hint_seq begins in its segment; 0 = unknown */
    int fd;                     /* of the last segment of the live stream; -1 = none open */
    int64_t opened_mono_ms;     /* when that segment was begun */
    bool suspect;               /* where it ends is not known for sure: nothing is appended */
    bool cursor_dirty;          /* the cursor on disk is older */
    bool gaps_dirty;            /* so are the gaps */
    unsigned read_failures;     /* in a row, of the record at hand */
};

struct spool {
    struct lock lock;
    struct spool_config config;
    char dir[SPOOL_ROOT_MAX];
    uint64_t cap_bytes;
    int lock_fd;
    bool has_reserve;
    struct list_node streams;
    struct spool_stats stats;
    uint64_t generation;
    struct spool_dir *pin_dir; /* numbers in [pin_from, pin_to) of it are being sent */
    uint64_t pin_from, pin_to;
    uint64_t bad_bytes;
    struct uuid last_stream; /* of the last record, as on the wire */
    uint64_t last_seq;       /* 0 = none */
};

#define SPOOL_DIR_OF(n) LIST_ENTRY(n, struct spool_dir, node)

/* spool_segment.c: the format of segments */
void spool_segment_path(const struct spool_dir *d, uint64_t first_seq, char *out);
/* Make the file with its header and open it. */
enum err_code spool_segment_create(struct spool *s, struct spool_dir *d,
                                   struct err *e) ERR_MUST_CHECK;
enum err_code spool_segment_write(int fd, uint64_t at, struct spool_record *r, struct str payload,
                                  struct err *e) ERR_MUST_CHECK;
/* What is looked through for records. */
struct spool_file {
    int fd;
    uint64_t size;
    bool failed; /* a read failed: what was not found may be there all the same */
};

/* Read head and check the CRC of the record at `at`. false = no valid record there. */
bool spool_segment_check(struct spool_file *f, uint64_t at, struct spool_record *out);
/* The first valid record at or after `at`; false = none. */
bool spool_segment_resync(struct spool_file *f, uint64_t at, uint64_t *found,
                          struct spool_record *out);
enum err_code spool_segment_payload(int fd, uint64_t at, const struct spool_record *r, void *to,
                                    struct err *e) ERR_MUST_CHECK;
/* After a restart: cut a torn tail; set d->next_seq. */
enum err_code spool_segment_recover(struct spool *s, struct spool_dir *d,
                                    struct err *e) ERR_MUST_CHECK;
/* Copy bytes of a segment to bad/, within its cap; failures are ignored. */
void spool_keep_bad(struct spool *s, int fd, uint64_t from, uint64_t to);

/* spool_stream.c: a stream's small files */
enum err_code spool_stream_load(struct spool *s, const char *name, struct err *e) ERR_MUST_CHECK;
enum err_code spool_stream_new(struct spool *s, struct err *e) ERR_MUST_CHECK;
void spool_stream_free(struct spool_dir *d);
enum err_code spool_stream_save_identity(struct spool_dir *d, struct err *e) ERR_MUST_CHECK;
enum err_code spool_stream_save_cursor(struct spool_dir *d, struct err *e) ERR_MUST_CHECK;
/*
 * Add what is new of a gap and write the file (gives up the reserve when the disk is full); when
 * it cannot be written nothing is added.
 */
enum err_code spool_stream_add_gap(struct spool *s, struct spool_dir *d,
                                   const struct spool_gap *gap, struct err *e) ERR_MUST_CHECK;
/* The same, but kept in memory when it cannot be written; it goes out with the next save. */
void spool_stream_keep_gap(struct spool *s, struct spool_dir *d, const struct spool_gap *gap);
/* Nothing is told to the server that a restart would not know: write what is in memory only. */
enum err_code spool_stream_settle_gaps(struct spool *s, struct spool_dir *d,
                                       struct err *e) ERR_MUST_CHECK;
/* The gap that covers `seq`, or NULL. */
const struct spool_gap *spool_stream_gap_at(const struct spool_dir *d, uint64_t seq);
struct spool_segment *spool_stream_add_segment(struct spool_dir *d, uint64_t first_seq);
/* First number after segment i. */
uint64_t spool_stream_segment_end(const struct spool_dir *d, size_t i);
enum err_code spool_stream_remove_segment(struct spool *s, struct spool_dir *d, size_t i,
                                          struct err *e) ERR_MUST_CHECK;

/* spool.c */
void spool_settle_cursor(struct spool_dir *d); /* the cursor is on disk: what is below may go */
struct spool_dir *spool_live(struct spool *s);
struct spool_dir *spool_find(struct spool *s, const struct uuid *stream);

/* spool_limit.c: keeping within the caps */
void spool_limit_prune(struct spool *s); /* acknowledged segments whose time is over */
void spool_limit_enforce(struct spool *s);
/* Free something because the disk is full; false = nothing can go. */
bool spool_limit_make_room(struct spool *s);

#endif
