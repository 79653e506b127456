/* SPDX-License-Identifier: PostgreSQL */
/*
 * spool.c: opening, appending, acknowledging; spool.h has the invariants.
 *
 * Threads: each public function takes the one lock.
 */
#include "spool/spool_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/pack.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "os/file.h"
#include "tls/hash.h"

#define LOCK_RANK       40
#define SEGMENT_BYTES   (4ULL * 1024 * 1024)
#define SEGMENT_AGE_MS  (10 * 60 * 1000) /* so that acknowledged records can go after a while */
#define CAP_MAX         (256ULL * 1024 * 1024)
#define CAP_MIN         (8ULL * 1024 * 1024)
#define RESERVE_BYTES   (64 * 1024)
#define MAKE_ROOM_TRIES 64
#define GZIP_LEVEL      4

struct spool_dir *spool_live(struct spool *s)
{
    return SPOOL_DIR_OF(s->streams.prev);
}

struct spool_dir *spool_find(struct spool *s, const struct uuid *stream)
{
    for (struct list_node *n = s->streams.next; n != &s->streams; n = n->next) {
        if (text_uuid_eq(&SPOOL_DIR_OF(n)->id, stream)) {
            return SPOOL_DIR_OF(n);
        }
    }
    return NULL;
}

/* --- life cycle ------------------------------------------------------------------------------- */

static void make_reserve(struct spool *s)
{
    static const char ZEROS[RESERVE_BYTES];
    char path[SPOOL_PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/reserve", s->dir);
    s->has_reserve = !file_write_atomic(path, str_make(ZEROS, sizeof(ZEROS)), 0600, NULL);
}

static void choose_cap(struct spool *s)
{
    uint64_t free_bytes = 0, size = 0;
    s->cap_bytes = s->config.max_bytes;
    if (s->cap_bytes) {
        return;
    }
    s->cap_bytes = CAP_MAX;
    if (!file_space(s->dir, &free_bytes, &size, NULL) && free_bytes / 100 < s->cap_bytes) {
        s->cap_bytes = free_bytes / 100;
    }
    s->cap_bytes = s->cap_bytes < CAP_MIN ? CAP_MIN : s->cap_bytes;
}

struct names {
    struct spool *s;
    struct err *e;
    enum err_code code;
};

static void visit_stream(void *arg, const char *name)
{
    struct names *n = arg;
    if (!n->code && str_starts(str_of(name), STR("stream-"))) {
        n->code = spool_stream_load(n->s, name, n->e);
    }
}

static enum err_code open_dir(struct spool *s, struct err *e)
{
    char path[SPOOL_PATH_MAX + 16];
    struct names names = {s, e, ERR_OK};
    snprintf(path, sizeof(path), "%s/bad", s->dir);
    if (file_make_dirs(path, 0700, e)) {
        return e->code;
    }
    snprintf(path, sizeof(path), "%s/lock", s->dir);
    if (file_lock(path, &s->lock_fd, e)) {
        return e->code;
    }
    if (file_list(s->dir, visit_stream, &names, e) || names.code) {
        return e->code;
    }
    if ((list_empty(&s->streams) || spool_live(s)->suspect) && spool_stream_new(s, e)) {
        return e->code;
    }
    for (struct list_node *n = s->streams.next; n != &s->streams && n->next != &s->streams;
         n = n->next) {
        file_close(SPOOL_DIR_OF(n)->fd); /* only the live one is written to */
        SPOOL_DIR_OF(n)->fd = -1;
    }
    choose_cap(s);
    make_reserve(s);
    return ERR_OK;
}

enum err_code spool_open(const struct spool_config *config, struct spool **out, struct err *e)
{
    struct err mine = {0};
    struct spool *s = alloc_new(sizeof(*s));
    e = e ? e : &mine;
    s->config = *config;
    s->lock_fd = -1;
    s->generation = 1;
    list_init(&s->streams);
    lock_init(&s->lock, "spool", LOCK_RANK);
    s->config.segment_bytes = config->segment_bytes ? config->segment_bytes : SEGMENT_BYTES;
    if (strlen(config->dir) >= SPOOL_ROOT_MAX) {
        err_set(e, ERR_LIMIT, "the path of the spool is too long");
        spool_close(s);
        return ERR_LIMIT;
    }
    snprintf(s->dir, sizeof(s->dir), "%s", config->dir);
    if (open_dir(s, e)) {
        err_wrap(e, "spool");
        spool_close(s);
        return e->code;
    }
    *out = s;
    return ERR_OK;
}

void spool_close(struct spool *s)
{
    if (!s) {
        return;
    }
    while (!list_empty(&s->streams)) {
        struct spool_dir *d = SPOOL_DIR_OF(s->streams.next);
        list_remove(&d->node);
        spool_stream_free(d);
    }
    file_close(s->lock_fd);
    lock_fini(&s->lock);
    alloc_free(s);
}

/* --- appending -------------------------------------------------------------------------------- */

/* Hash and compressed text. */
static enum err_code make_payload(struct str json, struct buf *out, struct err *e)
{
    unsigned char hash[SPOOL_HASH_BYTES];
    if (json.len > LIMIT_RECORD_BYTES) {
        return err_set(e, ERR_LIMIT, "a record of %zu bytes is too large", json.len);
    }
    hash_sha256(json, hash);
    buf_add(out, hash, sizeof(hash));
    return pack_gzip(json, GZIP_LEVEL, out, e);
}

static bool must_roll(const struct spool *s, const struct spool_dir *d)
{
    if (d->fd < 0) {
        return true;
    }
    const struct spool_segment *seg = &d->segments[d->segment_count - 1];
    bool has_records = seg->bytes > SPOOL_HEADER_BYTES;
    return has_records && (seg->bytes >= s->config.segment_bytes ||
                           clock_mono_ms() - d->opened_mono_ms > SEGMENT_AGE_MS);
}

/* Write and sync at the end of the live segment. */
static enum err_code write_record(struct spool *s, struct spool_dir *d, struct spool_record *r,
                                  struct str payload, struct err *e)
{
    if (must_roll(s, d) && spool_segment_create(s, d, e)) {
        return e->code;
    }
    struct spool_segment *seg = &d->segments[d->segment_count - 1];
    FAULT_POINT("spool.before_append");
    if (spool_segment_write(d->fd, seg->bytes, r, payload, e)) {
        return e->code;
    }
    FAULT_POINT("spool.after_append");
    if (file_sync_data(d->fd, e)) {
        /* what the kernel dropped is not known: this file is not written to any more */
        file_close(d->fd);
        d->fd = -1;
        return e->code;
    }
    FAULT_POINT("spool.after_sync");
    seg->bytes += r->total;
    s->stats.bytes += r->total;
    seg->first_ms = seg->first_ms ? seg->first_ms : r->wall_ms;
    seg->last_ms = r->wall_ms;
    return ERR_OK;
}

/*
 * A new segment that takes the place of a suspect one has the same first number when that one held
 * nothing else; file_write_atomic then replaces it, so the list must not name it twice.
 */
static void forget_empty_tail(struct spool *s, struct spool_dir *d)
{
    if (d->fd < 0 && d->segment_count &&
        d->segments[d->segment_count - 1].first_seq == d->next_seq) {
        s->stats.bytes -= d->segments[d->segment_count - 1].bytes;
        d->segment_count--;
    }
}

static enum err_code append(struct spool *s, const struct spool_record *times, struct str payload,
                            struct err *e)
{
    struct spool_dir *d = spool_live(s);
    struct spool_record r = *times;
    r.seq = d->next_seq;
    enum err_code code = ERR_IO;
    for (int i = 0; i < MAKE_ROOM_TRIES; i++) {
        forget_empty_tail(s, d);
        code = write_record(s, d, &r, payload, e);
        if (!code) {
            d->next_seq++;
            s->stats.spooled++;
            s->last_stream = d->id;
            s->last_seq = r.seq - d->base;
            return ERR_OK;
        }
        bool full = e->os_errno == ENOSPC || e->os_errno == EDQUOT;
        if (i > 1 && !(full && spool_limit_make_room(s))) {
            break;
        }
    }
    struct spool_gap gap = {r.seq, 1, r.wall_ms, r.wall_ms, "spool_error"};
    d->next_seq++;
    spool_stream_keep_gap(s, d, &gap);
    return code;
}

enum err_code spool_append(struct spool *s, struct str json, int64_t wall_ms, int64_t mono_ms,
                           struct err *e)
{
    struct err mine = {0};
    struct buf payload;
    struct spool_record times = {.wall_ms = wall_ms, .mono_ms = mono_ms};
    e = e ? e : &mine;
    buf_init(&payload, SPOOL_PAYLOAD_MAX);
    enum err_code code = make_payload(json, &payload, e);
    if (!code) {
        lock_take(&s->lock);
        s->stats.generated++;
        code = append(s, &times, buf_view(&payload), e);
        spool_limit_prune(s);
        spool_limit_enforce(s);
        if (!s->has_reserve) {
            make_reserve(s);
        }
        lock_release(&s->lock);
    }
    buf_fini(&payload);
    return code ? err_wrap(e, "spool") : ERR_OK;
}

/* --- acknowledging ---------------------------------------------------------------------------- */

/* Records, not gaps, in [from, to). */
static uint64_t count_records(const struct spool_dir *d, uint64_t from, uint64_t to)
{
    uint64_t count = to - from;
    for (size_t i = 0; i < d->gap_count; i++) {
        const struct spool_gap *g = &d->gaps[i];
        uint64_t a = g->seq > from ? g->seq : from;
        uint64_t b = g->seq + g->span < to ? g->seq + g->span : to;
        count -= b > a ? b - a : 0;
    }
    return count;
}

void spool_settle_cursor(struct spool_dir *d)
{
    for (size_t i = 0; i < d->segment_count; i++) {
        struct spool_segment *seg = &d->segments[i];
        if (!seg->acked_mono_ms && spool_stream_segment_end(d, i) <= d->cursor) {
            seg->acked_mono_ms = clock_mono_ms();
        }
    }
}

static enum err_code advance(struct spool *s, struct spool_dir *d, uint64_t next, struct err *e)
{
    if (next <= d->cursor) {
        return ERR_OK;
    }
    s->stats.acknowledged += count_records(d, d->cursor, next);
    d->cursor = next;
    enum err_code code = spool_stream_save_cursor(d, e);
    if (!code) {
        spool_settle_cursor(d);
    }
    return code;
}

static enum err_code unknown_stream(struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "no such stream in the spool");
}

enum err_code spool_ack(struct spool *s, const struct uuid *stream, uint64_t next_seq,
                        struct err *e)
{
    lock_take(&s->lock);
    struct spool_dir *d = spool_find(s, stream);
    enum err_code code = d ? ERR_OK : unknown_stream(e);
    s->pin_dir = NULL;
    if (d && next_seq > d->next_seq - d->base) {
        code = err_set(e, ERR_CONFLICT, "the server acknowledges records that were never made");
    } else if (d) {
        code = advance(s, d, next_seq + d->base, e);
        spool_limit_prune(s);
    }
    lock_release(&s->lock);
    return code;
}

static enum err_code go_back(struct spool *s, struct spool_dir *d, uint64_t next, struct err *e)
{
    d->cursor = next;
    d->hint_seq = 0;
    s->generation++;
    for (size_t i = 0; i < d->segment_count; i++) {
        if (spool_stream_segment_end(d, i) > next) {
            d->segments[i].acked_mono_ms = 0;
        }
    }
    return spool_stream_save_cursor(d, e);
}

enum err_code spool_rewind(struct spool *s, const struct uuid *stream, uint64_t next_seq,
                           struct err *e)
{
    lock_take(&s->lock);
    struct spool_dir *d = spool_find(s, stream);
    enum err_code code = d ? ERR_OK : unknown_stream(e);
    s->pin_dir = NULL;
    if (d && (next_seq == 0 || next_seq > d->next_seq - d->base)) {
        code = err_set(e, ERR_CONFLICT, "the server expects number %llu, which was never made",
                       (unsigned long long)next_seq);
    } else if (d && next_seq + d->base >= d->cursor) {
        code = advance(s, d, next_seq + d->base, e);
    } else if (d) {
        code = go_back(s, d, next_seq + d->base, e);
    }
    lock_release(&s->lock);
    return code;
}

enum err_code spool_rename_stream(struct spool *s, const struct uuid *stream, struct err *e)
{
    lock_take(&s->lock);
    struct spool_dir *d = spool_find(s, stream);
    enum err_code code = d ? ERR_OK : unknown_stream(e);
    s->pin_dir = NULL;
    if (d) {
        const struct uuid id = d->id;
        uint64_t base = d->base;
        entropy_uuid(&d->id);
        d->base = d->cursor - 1;
        code = spool_stream_save_identity(d, e);
        if (code) { /* the old name is what a restart would find */
            d->id = id;
            d->base = base;
        }
        s->generation++;
    }
    lock_release(&s->lock);
    return code;
}

enum err_code spool_split(struct spool *s, struct err *e)
{
    lock_take(&s->lock);
    struct spool_dir *old = spool_live(s);
    enum err_code code = spool_stream_new(s, e);
    if (!code) {
        file_close(old->fd);
        old->fd = -1;
    }
    lock_release(&s->lock);
    return code;
}

/* --- queries ---------------------------------------------------------------------------------- */

bool spool_last(struct spool *s, struct uuid *stream, uint64_t *seq)
{
    lock_take(&s->lock);
    *stream = s->last_stream;
    *seq = s->last_seq;
    lock_release(&s->lock);
    return *seq > 0;
}

bool spool_made(struct spool *s, const struct uuid *stream, uint64_t seq)
{
    lock_take(&s->lock);
    const struct spool_dir *d = spool_find(s, stream);
    bool made = d && seq > 0 && seq + d->base < d->next_seq;
    lock_release(&s->lock);
    return made;
}

void spool_stats(struct spool *s, struct spool_stats *out)
{
    lock_take(&s->lock);
    *out = s->stats;
    out->waiting = 0;
    for (struct list_node *n = s->streams.next; n != &s->streams; n = n->next) {
        out->waiting += SPOOL_DIR_OF(n)->next_seq - SPOOL_DIR_OF(n)->cursor;
    }
    lock_release(&s->lock);
}

uint64_t spool_generation(struct spool *s)
{
    lock_take(&s->lock);
    uint64_t generation = s->generation;
    lock_release(&s->lock);
    return generation;
}

void spool_unpin(struct spool *s)
{
    lock_take(&s->lock);
    s->pin_dir = NULL;
    lock_release(&s->lock);
}
