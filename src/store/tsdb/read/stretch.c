/* SPDX-License-Identifier: PostgreSQL */
/*
 * stretch.c: see the header.
 *
 * Of each column only the part that holds it is unpacked, and of it only the objects that are
 * wanted are decoded. Head and columns are looked for among those read lately first.
 */
#include "store/tsdb/read/stretch.h"

#include <string.h>

#include "base/alloc.h"
#include "store/tsdb/codec/block.h"
#include "store/tsdb/read/block_cache.h"

_Static_assert(CODEC_ABSENT_BITS == TSDB_ABSENT_BITS, "stretches give numbers as they are decoded");
_Static_assert(sizeof(struct block_span) == sizeof(struct tsdb_presence),
               "spans are given as they are");

struct stretch {
    const struct stretch_job *job;
    struct block_view view;
    struct str *parts; /* unpacked; NULL ptr = not yet */
    size_t from, to;   /* places of the numbers that are wanted, and those between */
    double **values;
};

static enum err_code get_blob(const struct stretch_job *job, const char *statement, int64_t id,
                              struct str *out, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code code = sqldb_row(job->file->db, statement, SQLDB_ARGS(sqldb_i64(id)), &q, e);

    if (code == ERR_NOT_FOUND) {
        code = err_set(e, ERR_CORRUPT, "block %lld is cut", (long long)job->block);
    }
    if (code == ERR_OK) {
        *out = arena_str(job->scratch, sqldb_get_blob(q, 0));
        code = arena_check(job->scratch, e);
    }
    sqldb_end(q);
    return code;
}

static enum err_code get_part(struct stretch *s, uint32_t part, struct err *e)
{
    const struct block_packed *memory = s->job->packed;
    struct str packed;

    if (s->parts[part].ptr) {
        return ERR_OK;
    }
    if (memory) {
        return block_unpack_part(memory->parts[part], s->job->scratch, &s->parts[part], e);
    }
    enum err_code code = get_blob(s->job, "tsdb_part_get",
                                  s->job->block * BLOCK_PARTS_MAX + (int64_t)part, &packed, e);
    return code ? code : block_unpack_part(packed, s->job->scratch, &s->parts[part], e);
}

static struct block_cache_key key_of(const struct stretch_job *job, uint32_t what)
{
    return (struct block_cache_key){
        .file = (uint64_t)job->file->edition * DAY_CLASSES + job->file->class,
        .day = (uint64_t)job->file->day,
        .group = job->group,
        .lsn = job->lsn,
        .block = (uint64_t)job->block,
        .what = what,
    };
}

static enum err_code get_head(struct stretch *s, struct err *e)
{
    const struct stretch_job *job = s->job;
    struct str head;

    if (job->packed) {
        return block_open_by_object(job->packed->head, job->scratch, &s->view, e);
    }
    const struct block_cache_key key = key_of(job, BLOCK_CACHE_HEAD);
    if (!block_cache_get(job->cache, &key, job->scratch, &head)) {
        enum err_code code = get_blob(job, "tsdb_block_head", job->block, &head, e);
        if (code == ERR_OK) {
            code = block_plain_head(head, job->scratch, &head, e);
        }
        if (code) {
            return code;
        }
        block_cache_put(job->cache, &key, head);
    }
    return block_open_by_object(head, job->scratch, &s->view, e);
}

static enum err_code get_stream(struct stretch *s, const struct block_stream *stream,
                                struct str *out, struct err *e)
{
    const bool cached = !s->job->packed; /* what is in memory already needs no copy */
    const struct block_cache_key key = cached ? key_of(s->job, stream->id)
                                              : (struct block_cache_key){0};

    if (cached && block_cache_get(s->job->cache, &key, s->job->scratch, out)) {
        return ERR_OK;
    }
    enum err_code code = get_part(s, stream->part, e);
    if (code == ERR_OK) {
        code = block_stream_bytes(stream, s->parts[stream->part], out, e);
    }
    if (code == ERR_OK && cached) {
        block_cache_put(s->job->cache, &key, *out);
    }
    return code;
}

/* --- which objects --- */

static void add_range(struct stretch_choice *c, size_t object)
{
    struct tsdb_range *last = c->range_count ? &c->ranges[c->range_count - 1] : NULL;

    if (last && last->to == object) {
        last->to = object + 1;
        return;
    }
    if (c->range_count == c->range_cap) {
        c->range_cap = c->range_cap ? 2 * c->range_cap : 16;
        c->ranges = alloc_resize(c->ranges, c->range_cap * sizeof(*c->ranges));
    }
    c->ranges[c->range_count++] = (struct tsdb_range){object, object + 1};
}

static void make_room(struct stretch_choice *c, size_t count)
{
    if (count > c->cap) {
        c->cap = count;
        c->objects = alloc_resize(c->objects, count * sizeof(*c->objects));
        c->wanted = alloc_resize(c->wanted, count);
    }
}

static bool is_same(const struct stretch_choice *c, const struct block_view *v)
{
    return c->count == v->runs.count && c->count > 0 &&
           memcmp(c->objects, v->objects, c->count * sizeof(*c->objects)) == 0;
}

static enum err_code ask(struct stretch *s, size_t i, struct err *e)
{
    const struct stretch_job *job = s->job;
    const struct tsdb_group_object o = {job->group, s->view.objects[i]};
    bool wanted = false;
    enum err_code code = job->sink->wants(job->sink->arg, &o, i, &wanted, e);

    job->choice->wanted[i] = wanted;
    if (wanted) {
        add_range(job->choice, i);
    }
    return code;
}

/* The first object from `i` on whose id is not lower: a few steps on, or somewhere behind. */
static size_t object_from(const struct block_view *v, size_t i, uint64_t id)
{
    size_t step = 1;

    while (i + step < v->runs.count && v->objects[i + step] < id) {
        i += step;
        step *= 2;
    }
    size_t high = i + step < v->runs.count ? i + step : v->runs.count;
    while (i < high) {
        size_t middle = i + (high - i) / 2;
        if (v->objects[middle] < id) {
            i = middle + 1;
        } else {
            high = middle;
        }
    }
    return i;
}

/* Only those that are listed are asked for. */
static enum err_code choose_listed(struct stretch *s, struct err *e)
{
    const struct tsdb_ids *only = &s->job->sink->only;
    enum err_code code = ERR_OK;
    size_t i = 0;

    if (s->view.runs.count) {
        memset(s->job->choice->wanted, 0, s->view.runs.count);
    }
    for (size_t n = 0; code == ERR_OK && n < only->count; n++) {
        i = object_from(&s->view, i, only->ids[n]);
        if (i == s->view.runs.count) {
            break;
        }
        if (s->view.objects[i] == only->ids[n]) {
            code = ask(s, i, e);
        }
    }
    return code;
}

static enum err_code choose(struct stretch *s, struct err *e)
{
    struct stretch_choice *c = s->job->choice;
    enum err_code code = ERR_OK;

    if (is_same(c, &s->view)) {
        return ERR_OK;
    }
    make_room(c, s->view.runs.count);
    c->range_count = 0;
    if (s->job->sink->only.known) {
        code = choose_listed(s, e);
    } else {
        for (size_t i = 0; code == ERR_OK && i < s->view.runs.count; i++) {
            code = ask(s, i, e);
        }
    }
    c->count = code ? 0 : s->view.runs.count;
    if (c->count) {
        memcpy(c->objects, s->view.objects, c->count * sizeof(*c->objects));
    }
    return code;
}

void stretch_choice_fini(struct stretch_choice *c)
{
    alloc_free(c->objects);
    alloc_free(c->wanted);
    alloc_free(c->ranges);
}

/* --- numbers --- */

static void fill_absent(double *out, size_t count)
{
    const uint64_t bits = TSDB_ABSENT_BITS;

    for (size_t i = 0; i < count; i++) {
        memcpy(&out[i], &bits, sizeof(bits));
    }
}

static enum err_code decode(struct stretch *s, uint32_t column, double *out, struct err *e)
{
    const struct stretch_choice *c = s->job->choice;
    const struct block_stream *stream = block_find(&s->view, BLOCK_COLUMN, column);
    struct str bytes;

    if (!stream) {
        fill_absent(out, s->to - s->from);
        return ERR_OK;
    }
    enum err_code code = get_stream(s, stream, &bytes, e);
    const struct block_numbers want = {c->ranges[0].from, c->ranges[c->range_count - 1].to, out,
                                       c->range_count > 1 ? c->wanted : NULL};
    return code ? code : block_get_numbers(&s->view, bytes, &want, s->job->scratch, e);
}

static enum err_code decode_all(struct stretch *s, struct err *e)
{
    const struct stretch_job *job = s->job;
    const struct stretch_choice *choice = job->choice;
    enum err_code code = ERR_OK;

    if (choice->range_count) {
        s->from = s->view.runs.start[choice->ranges[0].from];
        s->to = s->view.runs.start[choice->ranges[choice->range_count - 1].to];
    }
    s->values = arena_array(job->scratch, job->column_count, sizeof(double *));
    s->parts = arena_array(job->scratch, s->view.part_count, sizeof(*s->parts));
    if (!s->values || !s->parts) {
        return arena_fail(job->scratch, e);
    }
    for (size_t c = 0; code == ERR_OK && choice->range_count && c < job->column_count; c++) {
        s->values[c] = arena_room(job->sink->arena, s->to - s->from, sizeof(double));
        code = s->values[c] ? decode(s, job->columns[c], s->values[c], e)
                            : arena_fail(job->sink->arena, e);
    }
    return code;
}

/* --- readings --- */

static struct tsdb_slice *make_slices(struct stretch *s)
{
    struct tsdb_slice *out = arena_array(s->job->scratch, s->view.slice_count, sizeof(*out));

    for (size_t i = 0; out && i < s->view.slice_count; i++) {
        const struct codec_slice *c = &s->view.slices[i];
        out[i] = (struct tsdb_slice){
            .group = s->job->group,
            .scope = s->job->scope,
            .t_ms = c->t_ms,
            .from_ms = c->from_ms,
            .every_ms = c->every_ms,
            .flags = c->flags,
            .reason = c->reason,
            .gone_count = c->gone_count,
            .gone = c->gone,
        };
    }
    return out;
}

/* The object and the reading of a place in a stream. */
static struct tsdb_restart restart_at(const struct block_view *v, uint32_t place)
{
    size_t low = 0, high = v->runs.count;

    while (low + 1 < high) {
        size_t middle = low + (high - low) / 2;
        if (v->runs.start[middle] <= place) {
            low = middle;
        } else {
            high = middle;
        }
    }
    uint32_t left = place - v->runs.start[low];
    for (uint32_t i = v->span_start[low]; i < v->span_start[low + 1]; i++) {
        if (left < v->spans[i].count) {
            return (struct tsdb_restart){(uint32_t)low, v->spans[i].slice + left};
        }
        left -= v->spans[i].count;
    }
    return (struct tsdb_restart){(uint32_t)low, 0}; /* the spans of a view add up */
}

static enum err_code give(struct stretch *s, struct err *e)
{
    const struct stretch_job *job = s->job;
    const struct block_view *v = &s->view;
    struct tsdb_slice *slices = make_slices(s);
    struct tsdb_restart *restarts = arena_array(job->scratch, v->reset_count, sizeof(*restarts));
    size_t first = 0, end = v->slice_count;

    if (!slices || !restarts) {
        return arena_fail(job->scratch, e);
    }
    for (size_t i = 0; i < v->reset_count; i++) {
        restarts[i] = restart_at(v, v->resets[i]);
    }
    while (first < end && slices[first].t_ms <= job->spec->from_ms) {
        first++;
    }
    while (end > first && slices[end - 1].t_ms > job->spec->to_ms) {
        end--;
    }
    struct tsdb_stretch out = {
        .group = job->group,
        .slice_count = v->slice_count,
        .slices = slices,
        .first = first,
        .end = end,
        .object_count = v->runs.count,
        .objects = v->objects,
        .range_count = job->choice->range_count,
        .ranges = job->choice->ranges,
        .span_start = v->span_start,
        .spans = (const struct tsdb_presence *)v->spans,
        .value_start = v->runs.start,
        .value_base = s->from,
        .values = s->values,
        .restart_count = v->reset_count,
        .restarts = restarts,
    };
    return job->sink->stretch(job->sink->arg, &out, e);
}

enum err_code stretch_visit(const struct stretch_job *job, struct err *e)
{
    struct stretch s = {.job = job};

    arena_reset(job->scratch);
    enum err_code code = get_head(&s, e);
    if (code == ERR_OK && s.view.fact) {
        code = err_set(e, ERR_CORRUPT, "block %lld: facts of an object relation",
                       (long long)job->block);
    }
    if (code == ERR_OK) {
        code = choose(&s, e);
    }
    if (code == ERR_OK) {
        code = decode_all(&s, e);
    }
    return code ? code : give(&s, e);
}
