/* SPDX-License-Identifier: PostgreSQL */
/*
 * spool_segment.c: the bytes of a segment.
 *
 *     header, 64 bytes: "PGASPOOL" version u32 reserved u32 agent 16 stream 16 first_seq u64
 *                       reserved u32 crc32c u32 of the 60 bytes before
 *     record:           len u32 | type u8 | flags u8 | mark u16 | seq u64 | wall_ms u64 | mono_ms
 *                       u64 | payload len bytes | crc32c u32 of all before | zeros to a multiple
 *                       of 8
 *     payload:          SHA-256 of the JSON text, then the text as gzip
 * Little endian. Because records begin at multiples of 8 and carry a mark, reading can find the
 * next good one behind damage.
 * Threads: works on files of the caller.
 */
#include "spool/spool_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "base/fault.h"
#include "os/clock.h"
#include "os/file.h"

#define MAGIC         "PGASPOOL"
#define BAD_MAX_BYTES (4 * 1024 * 1024)
#define READ_TRIES    5

static void put_u32(unsigned char *to, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        to[i] = (unsigned char)(v >> (8 * i));
    }
}

static void put_u64(unsigned char *to, uint64_t v)
{
    put_u32(to, (uint32_t)v);
    put_u32(to + 4, (uint32_t)(v >> 32));
}

static uint32_t get_u32(const unsigned char *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

static uint64_t get_u64(const unsigned char *from)
{
    return get_u32(from) | (uint64_t)get_u32(from + 4) << 32;
}

void spool_segment_path(const struct spool_dir *d, uint64_t first_seq, char *out)
{
    snprintf(out, SPOOL_PATH_MAX, "%s/seg-%020llu.pgs", d->path, (unsigned long long)first_seq);
}

enum err_code spool_segment_create(struct spool *s, struct spool_dir *d, struct err *e)
{
    unsigned char head[SPOOL_HEADER_BYTES] = {0};
    char path[SPOOL_PATH_MAX];
    memcpy(head, MAGIC, 8);
    put_u32(head + 8, 1);
    memcpy(head + 16, s->config.agent.bytes, 16);
    memcpy(head + 32, d->id.bytes, 16);
    put_u64(head + 48, d->next_seq);
    put_u32(head + 60, crc32c(0, head, 60));
    FAULT_POINT("spool.roll_segment");
    file_close(d->fd);
    d->fd = -1;
    spool_segment_path(d, d->next_seq, path);
    if (file_write_atomic(path, str_make(head, sizeof(head)), 0600, e)) {
        return e->code;
    }
    if (file_open(path, O_RDWR, 0, &d->fd, e)) {
        return e->code;
    }
    struct spool_segment *seg = spool_stream_add_segment(d, d->next_seq);
    seg->bytes = SPOOL_HEADER_BYTES;
    s->stats.bytes += SPOOL_HEADER_BYTES;
    d->opened_mono_ms = clock_mono_ms();
    return ERR_OK;
}

static uint64_t record_total(uint32_t payload_len)
{
    return ((uint64_t)SPOOL_RECORD_HEAD + payload_len + 4 + 7) / 8 * 8;
}

enum err_code spool_segment_write(int fd, uint64_t at, struct spool_record *r, struct str payload,
                                  struct err *e)
{
    r->total = record_total((uint32_t)payload.len);
    unsigned char *bytes = alloc_new(r->total);
    put_u32(bytes, (uint32_t)payload.len);
    bytes[4] = SPOOL_RECORD_DATA;
    bytes[6] = SPOOL_RECORD_MARK & 0xff;
    bytes[7] = SPOOL_RECORD_MARK >> 8;
    put_u64(bytes + 8, r->seq);
    put_u64(bytes + 16, (uint64_t)r->wall_ms);
    put_u64(bytes + 24, (uint64_t)r->mono_ms);
    memcpy(bytes + SPOOL_RECORD_HEAD, payload.ptr, payload.len);
    size_t end = SPOOL_RECORD_HEAD + payload.len;
    put_u32(bytes + end, crc32c(0, bytes, end));
    enum err_code code = file_write_at(fd, bytes, r->total, at, e);
    alloc_free(bytes);
    return code;
}

/* A file that ends early is damage; any other failure may pass. */
static bool read_bytes(struct spool_file *f, void *to, size_t len, uint64_t at)
{
    enum err_code code = file_read_at(f->fd, to, len, at, NULL);
    f->failed = f->failed || (code && code != ERR_CORRUPT);
    return code == ERR_OK;
}

/* The head at `at`, if it is plausible; the CRC is not looked at. */
static bool read_head(struct spool_file *f, uint64_t at, struct spool_record *out)
{
    unsigned char head[SPOOL_RECORD_HEAD];
    if (at + SPOOL_RECORD_HEAD + 4 > f->size || !read_bytes(f, head, sizeof(head), at)) {
        return false;
    }
    *out = (struct spool_record){
        .payload_len = get_u32(head),
        .seq = get_u64(head + 8),
        .wall_ms = (int64_t)get_u64(head + 16),
        .mono_ms = (int64_t)get_u64(head + 24),
    };
    bool marked = head[6] == (SPOOL_RECORD_MARK & 0xff) && head[7] == SPOOL_RECORD_MARK >> 8;
    if (!marked || head[4] != SPOOL_RECORD_DATA || out->payload_len > SPOOL_PAYLOAD_MAX) {
        return false;
    }
    out->total = record_total(out->payload_len);
    return out->payload_len > SPOOL_HASH_BYTES && at + out->total <= f->size && out->seq > 0;
}

bool spool_segment_check(struct spool_file *f, uint64_t at, struct spool_record *out)
{
    unsigned char chunk[4096];
    uint32_t crc = 0;
    if (!read_head(f, at, out)) {
        return false;
    }
    uint64_t left = SPOOL_RECORD_HEAD + out->payload_len, pos = at;
    while (left) {
        size_t n = left < sizeof(chunk) ? (size_t)left : sizeof(chunk);
        if (!read_bytes(f, chunk, n, pos)) {
            return false;
        }
        crc = crc32c(crc, chunk, n);
        pos += n;
        left -= n;
    }
    return read_bytes(f, chunk, 4, pos) && get_u32(chunk) == crc;
}

bool spool_segment_resync(struct spool_file *f, uint64_t at, uint64_t *found,
                          struct spool_record *out)
{
    unsigned char chunk[4096];
    for (uint64_t pos = (at + 7) / 8 * 8; pos + SPOOL_RECORD_HEAD + 4 <= f->size;
         pos += sizeof(chunk)) {
        size_t n = f->size - pos < sizeof(chunk) ? (size_t)(f->size - pos) : sizeof(chunk);
        if (!read_bytes(f, chunk, n, pos)) {
            continue; /* what stands behind a bad sector still counts */
        }
        for (size_t i = 0; i + 8 <= n; i += 8) {
            bool marked = chunk[i + 6] == (SPOOL_RECORD_MARK & 0xff) &&
                          chunk[i + 7] == SPOOL_RECORD_MARK >> 8;
            if (marked && spool_segment_check(f, pos + i, out)) {
                *found = pos + i;
                return true;
            }
        }
    }
    return false;
}

enum err_code spool_segment_payload(int fd, uint64_t at, const struct spool_record *r, void *to,
                                    struct err *e)
{
    return file_read_at(fd, to, r->payload_len, at + SPOOL_RECORD_HEAD, e);
}

void spool_keep_bad(struct spool *s, int fd, uint64_t from, uint64_t to)
{
    char path[SPOOL_PATH_MAX + 64];
    uint64_t len = to > from ? to - from : 0;
    if (len == 0 || s->bad_bytes + len > BAD_MAX_BYTES) {
        return;
    }
    char *bytes = alloc_new(len);
    snprintf(path, sizeof(path), "%s/bad/%lld-%llu", s->dir, (long long)clock_wall_us(),
             (unsigned long long)from);
    if (!file_read_at(fd, bytes, len, from, NULL) &&
        !file_write_atomic(path, str_make(bytes, len), 0600, NULL)) {
        s->bad_bytes += len;
    }
    alloc_free(bytes);
}

/*
 * What stands behind the last good record: a whole record with a bad CRC was taken once, so its
 * number becomes a gap; anything shorter is a write that never finished.
 */
static bool tail_was_record(struct spool_file *f, uint64_t at, uint64_t seq)
{
    struct spool_record r;
    return read_head(f, at, &r) && r.seq == seq;
}

/* The number behind the last record becomes a gap, because a record was there. */
static enum err_code lose_last(struct spool *s, struct spool_dir *d, struct err *e)
{
    const struct spool_segment *seg = &d->segments[d->segment_count - 1];
    struct spool_gap gap = {d->next_seq, 1, seg->last_ms, seg->last_ms, "damaged"};
    if (spool_stream_add_gap(s, d, &gap, e)) {
        return e ? e->code : ERR_IO;
    }
    d->next_seq++;
    return ERR_OK;
}

static enum err_code cut_tail(struct spool *s, struct spool_dir *d, struct spool_file *f,
                              uint64_t at, struct err *e)
{
    bool was_record = tail_was_record(f, at, d->next_seq);
    if (f->failed) { /* there may be records that could not be read just now: cut nothing */
        d->suspect = true;
        return lose_last(s, d, e);
    }
    if (was_record) {
        spool_keep_bad(s, f->fd, at, f->size);
        if (lose_last(s, d, e)) {
            return e ? e->code : ERR_IO;
        }
    }
    return file_truncate(f->fd, at, e);
}

/* Find the records of the last segment; returns where the last good one ends. */
static uint64_t find_records(struct spool_dir *d, struct spool_file *f)
{
    struct spool_segment *seg = &d->segments[d->segment_count - 1];
    uint64_t at = SPOOL_HEADER_BYTES, found;
    struct spool_record r;
    f->failed = false;
    d->next_seq = seg->first_seq;
    while (spool_segment_resync(f, at, &found, &r)) {
        seg->first_ms = seg->first_ms ? seg->first_ms : r.wall_ms;
        seg->last_ms = r.wall_ms;
        d->next_seq = r.seq + 1 > d->next_seq ? r.seq + 1 : d->next_seq;
        at = found + r.total;
    }
    return at;
}

enum err_code spool_segment_recover(struct spool *s, struct spool_dir *d, struct err *e)
{
    struct spool_segment *seg = &d->segments[d->segment_count - 1];
    char path[SPOOL_PATH_MAX];
    struct spool_file f = {0};
    spool_segment_path(d, seg->first_seq, path);
    if (file_open(path, O_RDWR, 0, &d->fd, e) || file_size(d->fd, &f.size, e)) {
        return e ? e->code : ERR_IO;
    }
    f.fd = d->fd;
    uint64_t at = find_records(d, &f);
    for (int i = 0; f.failed && i < READ_TRIES; i++) {
        at = find_records(d, &f);
    }
    if (at < f.size && cut_tail(s, d, &f, at, e)) {
        return e ? e->code : ERR_IO;
    }
    d->suspect = d->suspect || f.failed;
    seg->bytes = f.failed ? f.size : at;
    d->next_seq = d->cursor > d->next_seq ? d->cursor : d->next_seq;
    return ERR_OK;
}
