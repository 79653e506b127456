/* SPDX-License-Identifier: PostgreSQL */
/*
 * spool_limit.c: keeping the spool within bytes and age.
 *
 * Acknowledged segments go first and need no gap. Of the others the oldest goes as a whole, after
 * its gap is on disk; numbers that are being sent at the moment are left alone, because the server
 * may have them already.
 * Threads: under the spool's lock.
 */
#include "spool/spool_internal.h"

#include <string.h>

#include "os/clock.h"
#include "os/file.h"

#define DISK_LOW_PERCENT 5
#define DISK_LOW_CAP     (8ULL * 1024 * 1024)

struct victim {
    struct spool_dir *d;
    size_t index;
};

static bool pinned(const struct spool *s, const struct spool_dir *d, size_t i)
{
    return s->pin_dir == d && d->segments[i].first_seq < s->pin_to &&
           spool_stream_segment_end(d, i) > s->pin_from;
}

static bool writable(const struct spool *s, const struct spool_dir *d, size_t i)
{
    return d->node.next == &s->streams && i + 1 == d->segment_count;
}

/* The oldest segment that may go: acknowledged or not, as asked. */
static bool find_victim(struct spool *s, bool acked, struct victim *v)
{
    for (struct list_node *n = s->streams.next; n != &s->streams; n = n->next) {
        struct spool_dir *d = SPOOL_DIR_OF(n);
        for (size_t i = 0; i < d->segment_count; i++) {
            bool is_acked = d->segments[i].acked_mono_ms != 0;
            if (is_acked == acked && !writable(s, d, i) && !pinned(s, d, i)) {
                *v = (struct victim){d, i};
                return true;
            }
        }
    }
    return false;
}

static bool drop(struct spool *s, const struct victim *v, const char *reason)
{
    struct spool_dir *d = v->d;
    const struct spool_segment *seg = &d->segments[v->index];
    uint64_t first = seg->first_seq > d->cursor ? seg->first_seq : d->cursor;
    uint64_t end = spool_stream_segment_end(d, v->index);
    struct spool_gap gap = {first, end - first, seg->first_ms, seg->last_ms, ""};
    memcpy(gap.reason, reason, strlen(reason) + 1);
    if (!seg->acked_mono_ms && end > first && spool_stream_add_gap(s, d, &gap, NULL)) {
        return false;
    }
    return !spool_stream_remove_segment(s, d, v->index, NULL);
}

static void remove_finished_streams(struct spool *s)
{
    struct list_node *next;
    for (struct list_node *n = s->streams.next; n->next != &s->streams; n = next) {
        struct spool_dir *d = SPOOL_DIR_OF(n);
        next = n->next;
        if (d->cursor < d->next_seq || d->segment_count || d->cursor_dirty || s->pin_dir == d) {
            continue;
        }
        if (!file_remove_tree(d->path, NULL)) {
            list_remove(&d->node);
            spool_stream_free(d);
        }
    }
}

/* A cursor that could not be written is tried again, so that its segments may go. */
static void save_cursors(struct spool *s)
{
    for (struct list_node *n = s->streams.next; n != &s->streams; n = n->next) {
        struct spool_dir *d = SPOOL_DIR_OF(n);
        if (d->cursor_dirty && !spool_stream_save_cursor(d, NULL)) {
            spool_settle_cursor(d);
        }
    }
}

void spool_limit_prune(struct spool *s)
{
    struct victim v;
    uint64_t kept = 0;
    int64_t now = clock_mono_ms();
    save_cursors(s);
    for (struct list_node *n = s->streams.next; n != &s->streams; n = n->next) {
        for (size_t i = 0; i < SPOOL_DIR_OF(n)->segment_count; i++) {
            const struct spool_segment *seg = &SPOOL_DIR_OF(n)->segments[i];
            kept += seg->acked_mono_ms ? seg->bytes : 0;
        }
    }
    while (find_victim(s, true, &v)) {
        const struct spool_segment *seg = &v.d->segments[v.index];
        uint64_t bytes = seg->bytes;
        if (now - seg->acked_mono_ms < s->config.keep_ms && kept <= s->config.keep_bytes) {
            break;
        }
        if (!drop(s, &v, "")) {
            break;
        }
        kept -= bytes;
    }
    remove_finished_streams(s);
}

static uint64_t effective_cap(const struct spool *s)
{
    uint64_t free_bytes, size;
    if (!file_space(s->dir, &free_bytes, &size, NULL) && size &&
        free_bytes < size / 100 * DISK_LOW_PERCENT && s->cap_bytes > DISK_LOW_CAP) {
        return DISK_LOW_CAP;
    }
    return s->cap_bytes;
}

void spool_limit_enforce(struct spool *s)
{
    struct victim v;
    uint64_t cap = effective_cap(s);
    while (s->stats.bytes > cap && (find_victim(s, true, &v) || find_victim(s, false, &v))) {
        if (!drop(s, &v, "spool_full")) {
            return;
        }
    }
    int64_t oldest_ms = clock_wall_ms() - s->config.max_age_ms;
    while (s->config.max_age_ms && find_victim(s, false, &v)) {
        int64_t last_ms = v.d->segments[v.index].last_ms;
        if (!last_ms || last_ms >= oldest_ms || !drop(s, &v, "spool_age")) {
            return;
        }
    }
}

bool spool_limit_make_room(struct spool *s)
{
    struct victim v;
    return (find_victim(s, true, &v) || find_victim(s, false, &v)) && drop(s, &v, "spool_full");
}
