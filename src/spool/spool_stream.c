/* SPDX-License-Identifier: PostgreSQL */
/*
 * spool_stream.c: one stream's folder: identity, cursor, gaps and the list of segments.
 *
 * The small files are replaced as a whole (write beside, fdatasync, rename, sync the folder). Each
 * is text that ends with a CRC line. A damaged cursor counts as none: sending again from the
 * oldest segment does no harm, since the server knows the numbers. A damaged gap file counts as
 * empty: what is missing is found again while reading.
 * Threads: under the spool's lock.
 */
#include "spool/spool_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/crc32c.h"
#include "base/fault.h"
#include "base/num.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "os/file.h"

#define SMALL_MAX (1024 * 1024)

/* --- small files ------------------------------------------------------------------------------ */

static enum err_code save(const struct spool_dir *d, const char *name, struct buf *text,
                          struct err *e)
{
    char path[SPOOL_PATH_MAX + 16];
    buf_printf(text, "crc %08x\n", crc32c(0, text->ptr, text->len));
    if (buf_check(text, e)) {
        return e ? e->code : ERR_LIMIT;
    }
    snprintf(path, sizeof(path), "%s/%s", d->path, name);
    return file_write_atomic(path, buf_view(text), 0600, e);
}

/*
 * The text before the CRC line. ERR_NOT_FOUND when there is no such file, ERR_CORRUPT when it is
 * damaged, else why it cannot be read.
 */
static enum err_code load(const struct spool_dir *d, const char *name, struct buf *text)
{
    char path[SPOOL_PATH_MAX + 16], line[16];
    snprintf(path, sizeof(path), "%s/%s", d->path, name);
    enum err_code code = file_read_all(path, text, NULL);
    if (code || text->len < 13) {
        return code ? code : ERR_CORRUPT;
    }
    size_t body = text->len - 13; /* "crc 12345678\n" */
    snprintf(line, sizeof(line), "crc %08x\n", crc32c(0, text->ptr, body));
    if (memcmp(text->ptr + body, line, 13) != 0) {
        return ERR_CORRUPT;
    }
    buf_truncate(text, body);
    return ERR_OK;
}

enum err_code spool_stream_save_identity(struct spool_dir *d, struct err *e)
{
    struct buf text;
    char id[TEXT_UUID_SIZE];
    buf_init(&text, SMALL_MAX);
    text_uuid(&d->id, id);
    buf_printf(&text, "%s %llu\n", id, (unsigned long long)d->base);
    enum err_code code = save(d, "identity", &text, e);
    buf_fini(&text);
    return code;
}

/* ERR_NOT_FOUND, ERR_CORRUPT: it is lost; else it cannot be read at present. */
static enum err_code load_identity(struct spool_dir *d)
{
    struct buf text;
    buf_init(&text, SMALL_MAX);
    enum err_code code = load(d, "identity", &text);
    if (!code) {
        struct str rest = str_trim(buf_view(&text));
        struct str id = str_split(&rest, ' ');
        bool good = text_parse_uuid(id, &d->id) && !num_parse_u64(rest, UINT64_MAX, &d->base, NULL);
        code = good ? ERR_OK : ERR_CORRUPT;
    }
    buf_fini(&text);
    return code;
}

enum err_code spool_stream_save_cursor(struct spool_dir *d, struct err *e)
{
    struct buf text;
    buf_init(&text, SMALL_MAX);
    buf_printf(&text, "%llu\n", (unsigned long long)d->cursor);
    FAULT_POINT("spool.before_cursor");
    enum err_code code = save(d, "cursor", &text, e);
    FAULT_POINT("spool.after_cursor");
    buf_fini(&text);
    d->cursor_dirty = code != ERR_OK;
    return code;
}

/*
 * Without it the server may know numbers above those that are found here, so none may be given
 * again: the stream is suspect. One that was never written is no loss.
 */
static enum err_code load_cursor(struct spool_dir *d, bool *found, struct err *e)
{
    struct buf text;
    buf_init(&text, SMALL_MAX);
    enum err_code code = load(d, "cursor", &text);
    *found = !code && !num_parse_u64(str_trim(buf_view(&text)), UINT64_MAX / 2, &d->cursor, NULL) &&
             d->cursor;
    buf_fini(&text);
    if (code && code != ERR_NOT_FOUND && code != ERR_CORRUPT) {
        return err_set(e, code, "the cursor of %s cannot be read", d->path);
    }
    d->cursor = *found ? d->cursor : 1;
    d->suspect = !*found && code != ERR_NOT_FOUND;
    return ERR_OK;
}

/* --- gaps ------------------------------------------------------------------------------------- */

static enum err_code save_gaps(struct spool_dir *d, struct err *e)
{
    struct buf text;
    buf_init(&text, SMALL_MAX);
    for (size_t i = 0; i < d->gap_count; i++) {
        const struct spool_gap *g = &d->gaps[i];
        buf_printf(&text, "%llu %llu %lld %lld %s\n", (unsigned long long)g->seq,
                   (unsigned long long)g->span, (long long)g->from_ms, (long long)g->to_ms,
                   g->reason);
    }
    enum err_code code = save(d, "gaps", &text, e);
    buf_fini(&text);
    return code;
}

static bool parse_gap(struct str line, struct spool_gap *g)
{
    struct str seq = str_split(&line, ' '), span = str_split(&line, ' ');
    struct str from = str_split(&line, ' '), to = str_split(&line, ' ');
    snprintf(g->reason, sizeof(g->reason), "%.*s", STR_ARG(line));
    return !num_parse_u64(seq, UINT64_MAX / 2, &g->seq, NULL) &&
           !num_parse_u64(span, UINT64_MAX / 2, &g->span, NULL) &&
           !num_parse_i64(from, INT64_MIN, INT64_MAX, &g->from_ms, NULL) &&
           !num_parse_i64(to, INT64_MIN, INT64_MAX, &g->to_ms, NULL) && g->seq && g->span;
}

static void insert_gap(struct spool_dir *d, const struct spool_gap *gap)
{
    size_t at = d->gap_count;
    while (at > 0 && d->gaps[at - 1].seq > gap->seq) {
        at--;
    }
    if (at > 0) {
        struct spool_gap *before = &d->gaps[at - 1];
        if (before->seq + before->span == gap->seq && strcmp(before->reason, gap->reason) == 0) {
            before->span += gap->span; /* one longer gap */
            before->to_ms = gap->to_ms;
            return;
        }
    }
    if (d->gap_count == d->gap_cap) {
        d->gap_cap = d->gap_cap ? d->gap_cap * 2 : 8;
        d->gaps = alloc_resize(d->gaps, d->gap_cap * sizeof(*d->gaps));
    }
    memmove(d->gaps + at + 1, d->gaps + at, (d->gap_count - at) * sizeof(*d->gaps));
    d->gaps[at] = *gap;
    d->gap_count++;
}

static enum err_code load_gaps(struct spool_dir *d, struct err *e)
{
    struct buf text;
    buf_init(&text, SMALL_MAX);
    enum err_code code = load(d, "gaps", &text);
    if (!code) {
        struct str rest = buf_view(&text);
        struct spool_gap g;
        while (rest.len && d->gap_count < SPOOL_GAPS_MAX) {
            if (parse_gap(str_split(&rest, '\n'), &g)) {
                insert_gap(d, &g);
            }
        }
    }
    buf_fini(&text);
    return code && code != ERR_NOT_FOUND && code != ERR_CORRUPT
               ? err_set(e, code, "the gaps of %s cannot be read", d->path)
               : ERR_OK;
}

/* Gaps that the server has and that no segment in reach precedes are history. */
static void forget_gaps(struct spool_dir *d)
{
    uint64_t first = d->segment_count ? d->segments[0].first_seq : d->next_seq;
    uint64_t keep = d->cursor < first ? d->cursor : first;
    size_t n = 0;
    while (n < d->gap_count && d->gaps[n].seq + d->gaps[n].span <= keep) {
        n++;
    }
    if (n) {
        memmove(d->gaps, d->gaps + n, (d->gap_count - n) * sizeof(*d->gaps));
        d->gap_count -= n;
    }
}

/* The parts of `gap` that no other gap covers; returns how many numbers that are. */
static uint64_t insert_parts(struct spool_dir *d, const struct spool_gap *gap)
{
    uint64_t pos = gap->seq, end = gap->seq + gap->span, added = 0;
    while (pos < end) {
        const struct spool_gap *known = spool_stream_gap_at(d, pos);
        if (known) {
            pos = known->seq + known->span;
            continue;
        }
        struct spool_gap part = *gap;
        part.seq = pos;
        part.span = end - pos;
        for (size_t i = 0; i < d->gap_count; i++) {
            if (d->gaps[i].seq > pos && d->gaps[i].seq < part.seq + part.span) {
                part.span = d->gaps[i].seq - pos;
            }
        }
        insert_gap(d, &part);
        added += part.span;
        pos += part.span;
    }
    return added;
}

static enum err_code save_gaps_somehow(struct spool *s, struct spool_dir *d, struct err *e)
{
    char path[SPOOL_PATH_MAX + 16];
    enum err_code code = save_gaps(d, e);
    if (code && s->has_reserve) {
        snprintf(path, sizeof(path), "%s/reserve", s->dir);
        s->has_reserve = false;
        if (!file_remove(path, NULL)) {
            code = save_gaps(d, e);
        }
    }
    d->gaps_dirty = d->gaps_dirty && code != ERR_OK;
    return code;
}

static void note_gaps(struct spool *s, uint64_t added)
{
    s->stats.gaps += added;
    s->generation += added != 0;
}

enum err_code spool_stream_add_gap(struct spool *s, struct spool_dir *d,
                                   const struct spool_gap *gap, struct err *e)
{
    size_t count = d->gap_count;
    struct spool_gap *before = alloc_array(count + 1, sizeof(*before));
    if (count) {
        memcpy(before, d->gaps, count * sizeof(*before));
    }
    forget_gaps(d);
    uint64_t added = insert_parts(d, gap);
    enum err_code code = save_gaps_somehow(s, d, e);
    if (code) {
        if (count) {
            memcpy(d->gaps, before, count * sizeof(*before));
        }
        d->gap_count = count;
    } else {
        note_gaps(s, added);
    }
    alloc_free(before);
    return code;
}

void spool_stream_keep_gap(struct spool *s, struct spool_dir *d, const struct spool_gap *gap)
{
    forget_gaps(d);
    note_gaps(s, insert_parts(d, gap));
    d->gaps_dirty = true;
    (void)!save_gaps_somehow(s, d, NULL);
}

enum err_code spool_stream_settle_gaps(struct spool *s, struct spool_dir *d, struct err *e)
{
    return d->gaps_dirty ? save_gaps_somehow(s, d, e) : ERR_OK;
}

const struct spool_gap *spool_stream_gap_at(const struct spool_dir *d, uint64_t seq)
{
    for (size_t i = 0; i < d->gap_count; i++) {
        if (seq >= d->gaps[i].seq && seq < d->gaps[i].seq + d->gaps[i].span) {
            return &d->gaps[i];
        }
    }
    return NULL;
}

/* --- segments --------------------------------------------------------------------------------- */

struct spool_segment *spool_stream_add_segment(struct spool_dir *d, uint64_t first_seq)
{
    if (d->segment_count == d->segment_cap) {
        d->segment_cap = d->segment_cap ? d->segment_cap * 2 : 16;
        d->segments = alloc_resize(d->segments, d->segment_cap * sizeof(*d->segments));
    }
    struct spool_segment *seg = &d->segments[d->segment_count++];
    *seg = (struct spool_segment){.first_seq = first_seq};
    return seg;
}

uint64_t spool_stream_segment_end(const struct spool_dir *d, size_t i)
{
    return i + 1 < d->segment_count ? d->segments[i + 1].first_seq : d->next_seq;
}

enum err_code spool_stream_remove_segment(struct spool *s, struct spool_dir *d, size_t i,
                                          struct err *e)
{
    char path[SPOOL_PATH_MAX];
    spool_segment_path(d, d->segments[i].first_seq, path);
    if (i + 1 == d->segment_count) {
        file_close(d->fd);
        d->fd = -1;
    }
    FAULT_POINT("spool.before_unlink");
    if (file_remove(path, e)) {
        return e ? e->code : ERR_IO;
    }
    s->stats.bytes -= d->segments[i].bytes < s->stats.bytes ? d->segments[i].bytes : s->stats.bytes;
    memmove(d->segments + i, d->segments + i + 1,
            (d->segment_count - i - 1) * sizeof(*d->segments));
    d->segment_count--;
    d->hint_seq = 0;
    return ERR_OK;
}

/* --- folders ---------------------------------------------------------------------------------- */

static struct spool_dir *make(struct spool *s, uint64_t ordinal)
{
    struct spool_dir *d = alloc_new(sizeof(*d));
    d->ordinal = ordinal;
    d->fd = -1;
    d->cursor = 1;
    d->next_seq = 1;
    snprintf(d->path, sizeof(d->path), "%s/stream-%010llu", s->dir, (unsigned long long)ordinal);
    return d;
}

void spool_stream_free(struct spool_dir *d)
{
    file_close(d->fd);
    alloc_free(d->segments);
    alloc_free(d->gaps);
    alloc_free(d);
}

enum err_code spool_stream_new(struct spool *s, struct err *e)
{
    uint64_t ordinal = list_empty(&s->streams) ? 1 : SPOOL_DIR_OF(s->streams.prev)->ordinal + 1;
    struct spool_dir *d = make(s, ordinal);
    entropy_uuid(&d->id);
    if (file_make_dirs(d->path, 0700, e) || spool_stream_save_identity(d, e) ||
        file_sync_dir(s->dir, e)) {
        spool_stream_free(d);
        return e ? e->code : ERR_IO;
    }
    list_append(&s->streams, &d->node);
    s->generation++;
    return ERR_OK;
}

struct listing {
    struct spool *s;
    struct spool_dir *d;
};

static void visit_segment(void *arg, const char *name)
{
    struct listing *l = arg;
    char path[SPOOL_PATH_MAX + 300];
    struct str s = str_of(name);
    uint64_t first;
    snprintf(path, sizeof(path), "%s/%s", l->d->path, name);
    bool segment = str_starts(s, STR("seg-")) && str_ends(s, STR(".pgs"));
    if (segment && s.len == 28 &&
        !num_parse_u64(str_make(name + 4, 20), UINT64_MAX / 2, &first, NULL) && first > 0) {
        spool_stream_add_segment(l->d, first);
    } else if (strstr(name, ".tmp")) {
        (void)!file_remove(path, NULL); /* a write that never became real */
    }
}

/* Sizes of the segments, and the time of their first record. */
static enum err_code measure(struct spool *s, struct spool_dir *d, struct err *e)
{
    for (size_t i = 0; i < d->segment_count; i++) {
        char path[SPOOL_PATH_MAX];
        struct spool_record r;
        int fd;
        uint64_t size;
        spool_segment_path(d, d->segments[i].first_seq, path);
        if (file_open(path, 0, 0, &fd, e)) {
            return e ? e->code : ERR_IO;
        }
        if (file_size(fd, &size, e)) {
            file_close(fd);
            return e ? e->code : ERR_IO;
        }
        d->segments[i].bytes = size;
        s->stats.bytes += size;
        struct spool_file f = {.fd = fd, .size = size};
        if (spool_segment_check(&f, SPOOL_HEADER_BYTES, &r)) {
            d->segments[i].first_ms = r.wall_ms;
            d->segments[i].last_ms = r.wall_ms;
        }
        if (i > 0 && d->segments[i].first_ms) {
            d->segments[i - 1].last_ms = d->segments[i].first_ms;
        }
        file_close(fd);
    }
    return ERR_OK;
}

static void mark_acknowledged(struct spool_dir *d)
{
    int64_t now = clock_mono_ms();
    for (size_t i = 0; i < d->segment_count; i++) {
        if (spool_stream_segment_end(d, i) <= d->cursor) {
            d->segments[i].acked_mono_ms = now;
        }
    }
}

static uint64_t after_gaps(const struct spool_dir *d)
{
    uint64_t next = d->next_seq;
    for (size_t i = 0; i < d->gap_count; i++) {
        uint64_t end = d->gaps[i].seq + d->gaps[i].span;
        next = end > next ? end : next;
    }
    return next;
}

enum err_code spool_stream_load(struct spool *s, const char *name, struct err *e)
{
    uint64_t ordinal;
    struct str digits = str_make(name + strlen("stream-"), strlen(name) - strlen("stream-"));
    if (num_parse_u64(digits, UINT64_MAX / 2, &ordinal, NULL)) {
        return ERR_OK; /* not ours */
    }
    struct spool_dir *d = make(s, ordinal);
    struct listing l = {s, d};
    if (file_list(d->path, visit_segment, &l, e)) {
        spool_stream_free(d);
        return e ? e->code : ERR_IO;
    }
    list_append(&s->streams, &d->node);
    enum err_code code = load_identity(d);
    if (code && code != ERR_NOT_FOUND && code != ERR_CORRUPT) {
        return err_set(e, code, "the name of %s cannot be read", name);
    }
    bool has_cursor = false;
    if (load_cursor(d, &has_cursor, e) || load_gaps(d, e) || measure(s, d, e)) {
        return e ? e->code : ERR_IO;
    }
    if (!has_cursor && d->segment_count) {
        d->cursor = d->gap_count && d->gaps[0].seq < d->segments[0].first_seq
                        ? d->gaps[0].seq
                        : d->segments[0].first_seq;
    }
    d->cursor = d->cursor > d->base ? d->cursor : d->base + 1; /* what a new name left behind */
    d->next_seq = d->cursor;
    if (d->segment_count && spool_segment_recover(s, d, e)) {
        return e->code;
    }
    d->next_seq = after_gaps(d);
    mark_acknowledged(d);
    if (code) {
        /* who the server knows this stream as is lost: what is left is sent under a new name */
        entropy_uuid(&d->id);
        d->base = d->cursor - 1;
        return spool_stream_save_identity(d, e);
    }
    return ERR_OK;
}
