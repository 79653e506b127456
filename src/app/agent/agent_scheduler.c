/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_scheduler.c: a heap of timers and a pool of workers.
 *
 * Invariants: (1) a lane is in the work queue or with a worker exactly while lane->busy; (2)
 * lane->due is written by the scheduler while the lane is not busy, and read by the worker while
 * it is; (3) the heap holds one timer for each
 * slot, always; (4) a lane that is in the queue stays usable until it is no longer busy.
 */
#include "app/agent/agent_scheduler.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/queue.h"
#include "os/clock.h"

#define WORKERS_MAX 16
#define QUEUE_RANK  15
#define RECHECK_US  (100 * 1000) /* while something due waits for a busy lane */
#define LATE_US     (500 * 1000) /* a sampler's tick older than this is dropped */

struct timer {
    int64_t due_us;
    int64_t aligned_us; /* from here on it runs on its clock; before, once at the start */
    struct agent_lane *lane;
    size_t slot;
};

struct agent_scheduler {
    struct agent_scheduler_config config;
    struct timer *heap;
    size_t timer_count, timer_cap;
    struct agent_lane **lanes;
    uint64_t *waiting; /* due slots of each lane, not handed over yet */
    size_t lane_count, lane_cap;
    struct queue *work;
    atomic_bool stopping;
    struct thread workers[WORKERS_MAX];
    size_t worker_count;
};

/* --- workers ---------------------------------------------------------------------------------- */

static void run_cycle(struct agent_scheduler *s, struct agent_lane *lane, struct arena *a)
{
    struct agent_cycle cycle;
    bool more;
    do {
        arena_reset(a);
        agent_cycle_init(&cycle, a);
        cycle.flags = s->config.flags;
        cycle.wall_offset_ms = s->config.offset_ms(s->config.arg);
        more = agent_lane_run(lane, &cycle);
        agent_lane_tell(lane, &cycle);
        s->config.finish(s->config.arg, lane, &cycle);
    } while (more && !atomic_load(&s->stopping) && !atomic_load(&lane->target->leaving));
    atomic_store(&lane->busy, false);
}

static void work(void *arg)
{
    struct agent_scheduler *s = arg;
    struct agent_lane *lane;
    struct arena arena;
    arena_init(&arena, "cycle", AGENT_CYCLE_BYTES);
    while ((lane = queue_take(s->work, INT64_MAX)) != NULL) {
        run_cycle(s, lane, &arena);
    }
    arena_fini(&arena);
}

/* --- the heap --------------------------------------------------------------------------------- */

static void swap(struct timer *a, struct timer *b)
{
    struct timer t = *a;
    *a = *b;
    *b = t;
}

static void sift_down(struct agent_scheduler *s, size_t i)
{
    for (;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < s->timer_count && s->heap[left].due_us < s->heap[least].due_us) {
            least = left;
        }
        if (right < s->timer_count && s->heap[right].due_us < s->heap[least].due_us) {
            least = right;
        }
        if (least == i) {
            return;
        }
        swap(&s->heap[i], &s->heap[least]);
        i = least;
    }
}

static void sift_up(struct agent_scheduler *s, size_t i)
{
    while (i > 0 && s->heap[i].due_us < s->heap[(i - 1) / 2].due_us) {
        swap(&s->heap[i], &s->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

/* The next multiple of the clock, as the wall shows it, on the monotonic axis. */
static int64_t first_due(int64_t every_ms)
{
    int64_t wall_us = clock_wall_us(), every_us = every_ms * 1000;
    return clock_mono_us() + every_us - wall_us % every_us;
}

static size_t lane_index(const struct agent_scheduler *s, const struct agent_lane *lane)
{
    size_t i = 0;
    while (s->lanes[i] != lane) {
        i++;
    }
    return i;
}

/* Move the timers that are due into `waiting`, and set them to their next time. */
static void collect_due(struct agent_scheduler *s, int64_t now)
{
    while (s->timer_count && s->heap[0].due_us <= now) {
        struct timer *t = &s->heap[0];
        int64_t every_us = t->lane->slots[t->slot].every_ms * 1000;
        bool late = t->lane->samples && now - t->due_us > LATE_US;
        if (!late) {
            s->waiting[lane_index(s, t->lane)] |= 1ULL << t->slot;
        }
        t->due_us = t->aligned_us > now ? t->aligned_us
                                        : t->due_us + every_us * ((now - t->due_us) / every_us + 1);
        sift_down(s, 0);
    }
}

int64_t agent_scheduler_step(struct agent_scheduler *s)
{
    int64_t now = clock_mono_us();
    bool held = false;
    collect_due(s, now);
    for (size_t i = 0; i < s->lane_count; i++) {
        struct agent_lane *lane = s->lanes[i];
        if (!s->waiting[i]) {
            continue;
        }
        if (atomic_load(&lane->busy)) {
            held = held || !lane->samples;
            s->waiting[i] = lane->samples ? 0 : s->waiting[i];
            continue;
        }
        lane->due = s->waiting[i];
        atomic_store(&lane->busy, true);
        if (queue_put(s->work, lane, NULL)) {
            atomic_store(&lane->busy, false);
            continue;
        }
        s->waiting[i] = 0;
    }
    int64_t next = s->timer_count ? s->heap[0].due_us : now + 1000000;
    return held && next > now + RECHECK_US ? now + RECHECK_US : next;
}

/* --- life cycle ------------------------------------------------------------------------------- */

static void add_lane(struct agent_scheduler *s, struct agent_lane *lane)
{
    int64_t now = clock_mono_us();
    s->waiting[s->lane_count] = 0;
    s->lanes[s->lane_count++] = lane;
    for (size_t i = 0; i < lane->slot_count; i++) {
        int64_t aligned_us = first_due(lane->slots[i].every_ms);
        s->heap[s->timer_count++] = (struct timer){.due_us = lane->samples ? aligned_us : now,
                                                   .aligned_us = aligned_us,
                                                   .lane = lane,
                                                   .slot = i};
        sift_up(s, s->timer_count - 1);
    }
}

static void make_room(struct agent_scheduler *s, const struct agent_target *t)
{
    size_t timers = s->timer_count, lanes = s->lane_count + t->lane_count;
    for (size_t i = 0; i < t->lane_count; i++) {
        timers += t->lanes[i].slot_count;
    }
    if (timers > s->timer_cap) {
        s->timer_cap = 2 * timers;
        s->heap = alloc_resize(s->heap, s->timer_cap * sizeof(*s->heap));
    }
    if (lanes > s->lane_cap) {
        s->lane_cap = 2 * lanes;
        s->lanes = alloc_resize(s->lanes, s->lane_cap * sizeof(struct agent_lane *));
        s->waiting = alloc_resize(s->waiting, s->lane_cap * sizeof(*s->waiting));
    }
}

void agent_scheduler_add(struct agent_scheduler *s, struct agent_target *t)
{
    make_room(s, t);
    for (size_t i = 0; i < t->lane_count; i++) {
        add_lane(s, &t->lanes[i]);
    }
}

void agent_scheduler_remove(struct agent_scheduler *s, struct agent_target *t)
{
    size_t timers = s->timer_count, lanes = 0;
    atomic_store(&t->leaving, true);
    s->timer_count = 0;
    for (size_t i = 0; i < timers; i++) {
        struct timer kept = s->heap[i];
        if (kept.lane->target != t) {
            s->heap[s->timer_count++] = kept;
            sift_up(s, s->timer_count - 1);
        }
    }
    for (size_t i = 0; i < s->lane_count; i++) {
        if (s->lanes[i]->target != t) {
            s->lanes[lanes] = s->lanes[i];
            s->waiting[lanes++] = s->waiting[i];
        }
    }
    s->lane_count = lanes;
}

bool agent_scheduler_is_idle(const struct agent_target *t)
{
    for (size_t i = 0; i < t->lane_count; i++) {
        if (atomic_load(&t->lanes[i].busy)) {
            return false;
        }
    }
    return true;
}

static enum err_code start_workers(struct agent_scheduler *s, size_t lanes, struct err *e)
{
    size_t wanted = lanes < WORKERS_MAX ? lanes : WORKERS_MAX;
    for (size_t i = 0; i < wanted; i++) {
        if (thread_start(&s->workers[i], "worker", work, s, e)) {
            return e->code;
        }
        s->worker_count++;
    }
    return ERR_OK;
}

enum err_code agent_scheduler_new(const struct agent_scheduler_config *config,
                                  struct agent_scheduler **out, struct err *e)
{
    struct agent_scheduler *s = alloc_new(sizeof(*s));
    size_t lanes = config->lanes_later;
    s->config = *config;
    for (size_t i = 0; i < config->target_count; i++) {
        lanes += config->targets[i]->lane_count;
    }
    s->work = queue_new("work", QUEUE_RANK, lanes + 1);
    for (size_t i = 0; i < config->target_count; i++) {
        agent_scheduler_add(s, config->targets[i]);
    }
    if (start_workers(s, lanes, e)) {
        agent_scheduler_free(s);
        return e->code;
    }
    *out = s;
    return ERR_OK;
}

void agent_scheduler_free(struct agent_scheduler *s)
{
    if (!s) {
        return;
    }
    atomic_store(&s->stopping, true);
    queue_close(s->work);
    for (size_t i = 0; i < s->worker_count; i++) {
        thread_join(&s->workers[i]);
    }
    queue_free(s->work);
    alloc_free(s->heap);
    alloc_free(s->lanes);
    alloc_free(s->waiting);
    alloc_free(s);
}
