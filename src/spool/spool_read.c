/* SPDX-License-Identifier: PostgreSQL */
/*
 * spool_read.c: entries for the sender, with every missing number turned into a gap.
 *
 * Reading goes from number to number. A gap that is known is given as it is. A number that should
 * be in a segment and is not there, because its bytes are damaged, becomes a gap on disk first;
 * then reading goes on at the next good record.
 * Threads: public functions take the lock.
 */
#include "spool/spool_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/pack.h"
#include "os/file.h"

/* The segment that is open while entries are taken from it. */
struct source {
    struct spool_dir *d;
    size_t index;
    struct spool_file file; /* fd -1 = none */
    struct arena *arena;    /* for the texts */
};

#define READ_TRIES 5 /* before a record that cannot be read counts as damaged */

static bool find_segment(const struct spool_dir *d, uint64_t seq, size_t *index)
{
    for (size_t i = d->segment_count; i-- > 0;) {
        if (d->segments[i].first_seq <= seq) {
            *index = i;
            return seq < spool_stream_segment_end(d, i);
        }
    }
    return false;
}

static bool open_source(struct source *src, size_t index)
{
    char path[SPOOL_PATH_MAX];
    struct spool_file *f = &src->file;
    if (f->fd >= 0 && src->index == index) {
        return true;
    }
    file_close(f->fd);
    *f = (struct spool_file){.fd = -1};
    src->index = index;
    spool_segment_path(src->d, src->d->segments[index].first_seq, path);
    enum err_code code = file_open(path, O_RDONLY, 0, &f->fd, NULL);
    if (code || file_size(f->fd, &f->size, NULL)) {
        f->failed = code != ERR_NOT_FOUND; /* no descriptor left, say: the record is there */
        file_close(f->fd);
        f->fd = -1;
        return false;
    }
    /* bytes beyond what was synced are no records yet */
    uint64_t known = src->d->segments[index].bytes;
    f->size = f->size < known ? f->size : known;
    return true;
}

/* Find the first good record with a number >= seq in the open segment. */
static bool seek(struct spool *s, struct source *src, uint64_t seq, uint64_t *at,
                 struct spool_record *r)
{
    struct spool_dir *d = src->d;
    uint64_t pos = SPOOL_HEADER_BYTES, found;
    if (d->hint_seq && d->hint_seq <= seq && d->hint_seq >= d->segments[src->index].first_seq) {
        pos = d->hint_at;
    }
    while (spool_segment_resync(&src->file, pos, &found, r)) {
        if (found > pos && r->seq >= seq && !src->file.failed) {
            spool_keep_bad(s, src->file.fd, pos, found);
        }
        if (r->seq >= seq) {
            *at = found;
            return true;
        }
        pos = found + r->total;
    }
    return false;
}

/* Numbers that turn out to be missing. */
struct hole {
    uint64_t from, to;
    const char *reason;
};

static enum err_code make_gap(struct spool *s, struct spool_dir *d, struct hole hole, struct err *e)
{
    size_t i;
    struct spool_gap gap = {.seq = hole.from, .span = hole.to - hole.from};
    snprintf(gap.reason, sizeof(gap.reason), "%s", hole.reason);
    if (find_segment(d, hole.from, &i)) {
        gap.from_ms = d->segments[i].first_ms;
        gap.to_ms = d->segments[i].last_ms;
    }
    return spool_stream_add_gap(s, d, &gap, e);
}

/* The number after the hole that begins at `seq`, which no segment covers. */
static uint64_t hole_end(const struct spool_dir *d, uint64_t seq)
{
    uint64_t end = d->next_seq;
    for (size_t i = d->segment_count; i-- > 0;) {
        if (d->segments[i].first_seq > seq) {
            end = d->segments[i].first_seq;
        }
    }
    for (size_t i = 0; i < d->gap_count; i++) {
        if (d->gaps[i].seq > seq && d->gaps[i].seq < end) {
            end = d->gaps[i].seq;
        }
    }
    return end;
}

/*
 * Up to where numbers from `seq` on are missing in the open segment, not beyond the next
 * known gap.
 */
static uint64_t damage_end(const struct spool_dir *d, uint64_t seq, uint64_t limit)
{
    for (size_t i = 0; i < d->gap_count; i++) {
        if (d->gaps[i].seq > seq && d->gaps[i].seq < limit) {
            limit = d->gaps[i].seq;
        }
    }
    return limit;
}

static bool unpack(struct source *src, uint64_t at, const struct spool_record *r,
                   struct spool_entry *out)
{
    struct buf json;
    unsigned char *payload = alloc_new(r->payload_len);
    bool good = false;
    buf_init(&json, LIMIT_RECORD_BYTES);
    enum err_code code = spool_segment_payload(src->file.fd, at, r, payload, NULL);
    src->file.failed = src->file.failed || (code && code != ERR_CORRUPT);
    if (!code) {
        struct str packed = str_make(payload + SPOOL_HASH_BYTES, r->payload_len - SPOOL_HASH_BYTES);
        good = !pack_unpack(packed, PACK_GZIP, &json, NULL);
    }
    if (good) {
        memcpy(out->hash, payload, SPOOL_HASH_BYTES);
        out->json = arena_str(src->arena, buf_view(&json));
        out->span = 1;
        out->from_ms = out->to_ms = r->wall_ms;
    }
    alloc_free(payload);
    buf_fini(&json);
    return good;
}

static void give_gap(const struct spool_gap *g, uint64_t seq, struct spool_entry *out)
{
    *out = (struct spool_entry){
        .is_gap = true, .span = g->seq + g->span - seq, .from_ms = g->from_ms, .to_ms = g->to_ms};
    memcpy(out->reason, g->reason, sizeof(out->reason));
}

/*
 * Numbers whose bytes are bad become a gap. When the bytes could not be read at all, that may
 * pass: first it is an error, some times.
 */
static enum err_code lose(struct spool *s, const struct source *src, struct hole hole,
                          struct err *e)
{
    if (src->file.failed && src->d->read_failures++ < READ_TRIES) {
        return err_set(e, ERR_IO, "the record at the cursor cannot be read at present");
    }
    src->d->read_failures = 0;
    return make_gap(s, src->d, hole, e);
}

/* The entry at `seq`: when its bytes are bad a gap is made, and the caller asks again. */
static enum err_code take(struct spool *s, struct source *src, uint64_t seq,
                          struct spool_entry *out, struct err *e)
{
    struct spool_dir *d = src->d;
    struct spool_record r;
    uint64_t at;
    size_t i;
    *out = (struct spool_entry){0};
    if (!find_segment(d, seq, &i)) {
        bool before_all = d->segment_count == 0 || seq < d->segments[0].first_seq;
        const char *reason = before_all ? "server_restored" : "missing";
        return make_gap(s, d, (struct hole){seq, hole_end(d, seq), reason}, e);
    }
    uint64_t end = spool_stream_segment_end(d, i);
    if (!open_source(src, i) || !seek(s, src, seq, &at, &r)) {
        return lose(s, src, (struct hole){seq, damage_end(d, seq, end), "damaged"}, e);
    }
    if (r.seq > seq) {
        end = damage_end(d, seq, r.seq < end ? r.seq : end);
        return lose(s, src, (struct hole){seq, end, "damaged"}, e);
    }
    if (!unpack(src, at, &r, out)) {
        return lose(s, src, (struct hole){seq, seq + 1, "damaged"}, e);
    }
    d->read_failures = 0;
    d->hint_seq = seq;
    d->hint_at = at;
    return ERR_OK;
}

static enum err_code read_entries(struct spool *s, struct source *src, struct spool_reading *rd,
                                  struct err *e)
{
    struct spool_dir *d = src->d;
    enum err_code code = spool_stream_settle_gaps(s, d, e);
    uint64_t seq = d->cursor;
    size_t bytes = 0;
    if (code) {
        return code;
    }
    while (rd->count < rd->max_entries && seq < d->next_seq && bytes < rd->max_bytes) {
        struct spool_entry *entry = &rd->entries[rd->count];
        const struct spool_gap *gap = spool_stream_gap_at(d, seq);
        if (gap) {
            give_gap(gap, seq, entry);
        } else if ((code = take(s, src, seq, entry, e)) != ERR_OK) {
            break; /* what was read so far can go out */
        }
        if (entry->span) {
            entry->seq = seq - d->base;
            seq += entry->span;
            bytes += entry->json.len;
            rd->count++;
        }
    }
    if (code && rd->count == 0) {
        return code;
    }
    s->pin_dir = d;
    s->pin_from = d->cursor;
    s->pin_to = seq;
    return arena_check(rd->arena, e);
}

enum err_code spool_read(struct spool *s, const struct uuid *stream, struct spool_reading *rd,
                         struct err *e)
{
    rd->count = 0;
    lock_take(&s->lock);
    struct source src = {.d = spool_find(s, stream), .file = {.fd = -1}, .arena = rd->arena};
    enum err_code code = src.d ? read_entries(s, &src, rd, e)
                               : err_set(e, ERR_NOT_FOUND, "no such stream in the spool");
    file_close(src.file.fd);
    lock_release(&s->lock);
    return code;
}

enum err_code spool_quarantine(struct spool *s, const struct uuid *stream, struct err *e)
{
    struct spool_record r;
    uint64_t at;
    size_t i;
    lock_take(&s->lock);
    struct source src = {.d = spool_find(s, stream), .file = {.fd = -1}};
    struct spool_dir *d = src.d;
    enum err_code code = d ? ERR_OK : err_set(e, ERR_NOT_FOUND, "no such stream in the spool");
    if (d && d->cursor < d->next_seq && !spool_stream_gap_at(d, d->cursor)) {
        if (find_segment(d, d->cursor, &i) && open_source(&src, i) &&
            seek(s, &src, d->cursor, &at, &r)) {
            spool_keep_bad(s, src.file.fd, at, at + r.total);
        }
        code = make_gap(s, d, (struct hole){d->cursor, d->cursor + 1, "quarantined"}, e);
    }
    file_close(src.file.fd);
    lock_release(&s->lock);
    return code;
}

/* Wall time of the record at the cursor, or of the gap that stands there. */
static int64_t oldest_ms(struct spool *s, struct spool_dir *d)
{
    struct source src = {.d = d, .file = {.fd = -1}};
    struct spool_record r;
    uint64_t at;
    size_t i;
    int64_t ms = 0;
    const struct spool_gap *gap = spool_stream_gap_at(d, d->cursor);
    if (d->cursor >= d->next_seq) {
        return 0;
    }
    if (gap) {
        return gap->to_ms;
    }
    if (find_segment(d, d->cursor, &i) && open_source(&src, i) &&
        seek(s, &src, d->cursor, &at, &r)) {
        ms = r.wall_ms;
        if (r.seq == d->cursor) {
            d->hint_seq = r.seq;
            d->hint_at = at;
        }
    }
    file_close(src.file.fd);
    return ms;
}

size_t spool_streams(struct spool *s, struct spool_stream *out, size_t max)
{
    size_t count = 0;
    lock_take(&s->lock);
    for (struct list_node *n = s->streams.next; n != &s->streams && count < max; n = n->next) {
        struct spool_dir *d = SPOOL_DIR_OF(n);
        out[count++] = (struct spool_stream){
            .id = d->id,
            .live = n->next == &s->streams,
            .cursor = d->cursor - d->base,
            .next_seq = d->next_seq - d->base,
            .oldest_ms = oldest_ms(s, d),
        };
    }
    lock_release(&s->lock);
    return count;
}
