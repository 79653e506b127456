/* SPDX-License-Identifier: PostgreSQL */
/*
 * keep.h: what a reader must know in its next life, one small file for each target and reader.
 *
 * A file belongs to the record that the same reading yielded: it is removed, safe from a power cut,
 * before that record goes into the spool, and written anew when the spool has it. So a file that is
 * there is never older than the last record, and nothing is counted twice; a process that dies in
 * between leaves no file.
 *
 *     DIR/<target>-<name>.keep    magic, version, CRC32C of the rest, target, stream, seq, time,
 *                                 name, the bytes (zstd)
 *
 * Threads: one at a time for one file.
 */
#ifndef SPOOL_KEEP_H
#define SPOOL_KEEP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/text.h"

/* Which file. */
struct keep_place {
    const char *dir;
    struct uuid target;
    const char *name;
};

/* The record that the bytes belong to; numbers as on the wire. */
struct keep_mark {
    struct uuid stream;
    uint64_t seq;
    int64_t saved_ms;
};

/* Replace the file as a whole; mode 0600. */
enum err_code keep_save(const struct keep_place *place, const struct keep_mark *mark,
                        struct str bytes, struct err *e) ERR_MUST_CHECK;
/*
 * The bytes are appended to `out`, at most LIMIT_KEEP_BYTES. ERR_NOT_FOUND; ERR_CORRUPT when it is
 * damaged; ERR_CONFLICT when it is of another target, reader or version.
 */
enum err_code keep_load(const struct keep_place *place, struct keep_mark *mark, struct buf *out,
                        struct err *e) ERR_MUST_CHECK;
/* Remove the file so that no power cut brings it back; absent is ERR_OK. */
enum err_code keep_forget(const struct keep_place *place, struct err *e) ERR_MUST_CHECK;

#endif
