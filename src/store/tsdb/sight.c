/* SPDX-License-Identifier: PostgreSQL */
/* sight.c: see the header. */
#include "store/tsdb/sight.h"

#include <stdlib.h>
#include <string.h>

#define EVENTS_PAGE 1000
#define PAGES_MAX   50 /* of events that are passed over in one read */

static struct tsdb_reader_base *base_of(struct tsdb_reader *r)
{
    return (struct tsdb_reader_base *)r;
}

static const struct tsdb_sight *sight_of(const struct tsdb_reader *r)
{
    return ((const struct tsdb_reader_base *)r)->sight;
}

void tsdb_reader_limit(struct tsdb_reader *r, const struct tsdb_sight *sight)
{
    base_of(r)->sight = sight;
}

static int by_bytes(const void *x, const void *y)
{
    return memcmp(x, y, sizeof(struct uuid));
}

static bool has(const struct uuid *list, size_t count, const struct uuid *id)
{
    return count > 0 && bsearch(id, list, count, sizeof(*list), by_bytes) != NULL;
}

bool sight_target(const struct tsdb_reader *r, const struct uuid *target)
{
    const struct tsdb_sight *s = sight_of(r);

    return !s || has(s->targets, s->target_count, target);
}

bool sight_collector(const struct tsdb_reader *r, const struct uuid *collector)
{
    const struct tsdb_sight *s = sight_of(r);

    return !s || has(s->collectors, s->collector_count, collector);
}

enum err_code sight_nothing(struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "there is no such thing in the store");
}

bool sight_relation(struct tsdb_reader *r, struct arena *a, struct str name)
{
    const struct tsdb_sight *s = sight_of(r);
    struct tsdb_group last;

    for (size_t i = 0; s && i < s->target_count; i++) {
        if (base_of(r)->ops->last(r, a, &s->targets[i], name, &last, NULL) == ERR_OK) {
            return true;
        }
    }
    return !s;
}

enum err_code sight_groups(struct tsdb_reader *r, struct arena *a, const struct uuid *target,
                           struct tsdb_group **out, size_t *count, struct err *e)
{
    size_t kept = 0;

    if (target && !sight_target(r, target)) {
        *out = NULL;
        *count = 0;
        return ERR_OK;
    }
    enum err_code rc = base_of(r)->ops->groups(r, a, target, out, count, e);
    if (rc != ERR_OK || !sight_of(r)) {
        return rc;
    }
    for (size_t i = 0; i < *count; i++) {
        if (sight_target(r, &(*out)[i].target)) {
            (*out)[kept++] = (*out)[i];
        }
    }
    *count = kept;
    return ERR_OK;
}

size_t sight_streams(const struct tsdb_reader *r, struct tsdb_stream *list, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (sight_collector(r, &list[i].collector)) {
            list[kept++] = list[i];
        }
    }
    return kept;
}

/* --- events --- */

/* One of no target is its collector's; the server's own has neither. */
static bool sees_event(const struct tsdb_reader *r, const struct tsdb_event *event)
{
    static const struct uuid none;

    if (text_uuid_eq(&event->event.target, &none)) {
        return sight_collector(r, &event->collector);
    }
    return sight_target(r, &event->event.target);
}

struct picking {
    struct tsdb_event *list;
    size_t count, limit;
};

/* Take from a page what is visible. */
static void pick(const struct tsdb_reader *r, struct picking *p, const struct tsdb_event *page,
                 size_t count)
{
    for (size_t i = 0; i < count && p->count < p->limit; i++) {
        if (sees_event(r, &page[i])) {
            p->list[p->count++] = page[i];
        }
    }
}

/*
 * Page by page, until there are as many as are wanted: an engine's statement knows nothing of
 * sight.
 */
static enum err_code pick_all(struct tsdb_reader *r, struct arena *a,
                              const struct tsdb_event_spec *spec, struct picking *p, struct err *e)
{
    struct tsdb_event_spec next = *spec;
    struct tsdb_event *page = NULL;
    size_t count = EVENTS_PAGE;
    enum err_code rc = ERR_OK;

    next.limit = EVENTS_PAGE;
    for (int i = 0; rc == ERR_OK && count == EVENTS_PAGE && p->count < p->limit; i++) {
        if (i == PAGES_MAX) {
            return err_set(e, ERR_LIMIT, "too many events; ask for a shorter interval");
        }
        rc = base_of(r)->ops->events(r, a, &next, &page, &count, e);
        if (rc != ERR_OK || count == 0) {
            break;
        }
        pick(r, p, page, count);
        next.before_t_ms = page[count - 1].event.t_ms;
        next.before_id = page[count - 1].id;
    }
    return rc;
}

enum err_code sight_events(struct tsdb_reader *r, struct arena *a,
                           const struct tsdb_event_spec *spec, struct tsdb_event **out,
                           size_t *count, struct err *e)
{
    struct picking p = {.limit = spec->limit && spec->limit < EVENTS_PAGE ? spec->limit
                                                                          : EVENTS_PAGE};

    if (!sight_of(r)) {
        return base_of(r)->ops->events(r, a, spec, out, count, e);
    }
    *out = NULL;
    *count = 0;
    if (spec->target && !sight_target(r, spec->target)) {
        return ERR_OK;
    }
    p.list = arena_array(a, p.limit, sizeof(*p.list));
    if (!p.list) {
        return arena_fail(a, e);
    }
    enum err_code rc = pick_all(r, a, spec, &p, e);
    *out = p.list;
    *count = p.count;
    return rc;
}
