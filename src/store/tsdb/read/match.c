/* SPDX-License-Identifier: PostgreSQL */
/*
 * match.c: the objects of a group whose keys are asked for.
 *
 * Answers are kept (object_memo.h): the next time only objects that came since are looked at.
 * Locks: the catalogue's while names are taken from it, the memo's while a list is copied; no key
 * is matched under either.
 */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/varint.h"
#include "model/series.h"
#include "store/tsdb/codec/codec.h"
#include "store/tsdb/read/object_memo.h"
#include "store/tsdb/read/reader.h"

#include <string.h>

#define BATCH        256 /* objects */
#define QUESTION_MAX (2 * LIMIT_QUERY_BYTES)

struct matching {
    struct tsdb_reader *reader;
    const struct tsdb_match_spec *spec;
    struct arena *arena;
    uint64_t through;
    size_t count, cap;
    uint64_t *ids;
    bool looked; /* at some object */
};

/* What was asked, so that nothing else reads the same. Ids that were taken back may come again. */
static void put_question(struct buf *out, const struct tsdb_match_spec *spec, uint64_t generation)
{
    varint_put(out, generation);
    varint_put(out, spec->group);
    for (size_t i = 0; i < spec->count; i++) {
        const struct matcher *m = spec->tests[i].matcher;
        varint_put(out, spec->tests[i].key);
        varint_put(out, (uint64_t)m->kind);
        codec_put_bytes(out, m->value);
    }
}

static bool add(struct matching *m, uint64_t id)
{
    if (m->count == m->cap) {
        size_t cap = m->cap ? 2 * m->cap : 64;
        uint64_t *longer = arena_room(m->arena, cap, sizeof(*longer));
        if (!longer) {
            return false;
        }
        if (m->count) {
            memcpy(longer, m->ids, m->count * sizeof(*longer));
        }
        m->ids = longer;
        m->cap = cap;
    }
    m->ids[m->count++] = id;
    return true;
}

/* The value of a key; those at the end that are empty were cut. */
static struct str key_of(const struct catalog_object *o, size_t key)
{
    struct str rest = str_make(o->keys, o->len);
    struct str value = {"", 0};

    for (size_t k = 0; k <= key; k++) {
        value = (struct str){"", 0};
        if (rest.len && !codec_take_bytes(&rest, &value)) {
            return (struct str){"", 0};
        }
    }
    return value;
}

static bool passes(const struct tsdb_match_spec *spec, const struct catalog_object *o)
{
    for (size_t i = 0; i < spec->count; i++) {
        if (!matcher_match(spec->tests[i].matcher, key_of(o, spec->tests[i].key))) {
            return false;
        }
    }
    return true;
}

/* The structs live as long as the reader is borrowed (retire.h). */
static enum err_code look(struct matching *m, struct catalog_group *g, struct err *e)
{
    struct catalog_object *list[BATCH];
    size_t n = BATCH;
    enum err_code code = ERR_OK;

    while (code == ERR_OK && n == BATCH) {
        n = catalog_objects_after(m->reader->db->catalog, g, m->through, list, BATCH);
        for (size_t i = 0; code == ERR_OK && i < n; i++) {
            m->through = list[i]->id;
            m->looked = true;
            if (passes(m->spec, list[i]) && !add(m, list[i]->id)) {
                code = arena_fail(m->arena, e);
            }
        }
        if (code == ERR_OK) {
            code = reader_check(m->reader, m->spec->deadline_mono_us, e);
        }
    }
    return code;
}

/* A regular expression that gave up says nothing of what it did not match. */
static bool is_sure(const struct tsdb_match_spec *spec)
{
    for (size_t i = 0; i < spec->count; i++) {
        const struct matcher *m = spec->tests[i].matcher;
        if (m->regex && regex_failed(m->regex)) {
            return false;
        }
    }
    return true;
}

/* What is kept, as far as most of it still is in the catalogue. */
static void recall(struct matching *m, struct str question, size_t object_count)
{
    struct object_list kept;

    if (object_memo_get(m->reader->db->memo, question, m->arena, &kept) &&
        kept.count <= 2 * object_count + BATCH) {
        m->through = kept.through;
        m->ids = (uint64_t *)kept.ids;
        m->count = m->cap = kept.count;
    }
}

enum err_code tsdb_sqlite_match(struct tsdb_reader *r, struct arena *a,
                                const struct tsdb_match_spec *spec, struct tsdb_ids *out,
                                struct err *e)
{
    struct catalog_group *g = catalog_group_by_id(r->db->catalog, spec->group);
    struct matching m = {.reader = r, .spec = spec, .arena = a};
    struct buf question;

    *out = (struct tsdb_ids){.known = g != NULL};
    if (!g) {
        return ERR_OK;
    }
    buf_init(&question, QUESTION_MAX);
    put_question(&question, spec, atomic_load(&r->db->catalog->generation));
    bool short_enough = buf_check(&question, NULL) == ERR_OK;
    if (short_enough) {
        recall(&m, buf_view(&question), catalog_object_count(r->db->catalog, g));
    }
    enum err_code code = look(&m, g, e);
    if (code == ERR_OK && m.looked && short_enough && is_sure(spec)) {
        const struct object_list list = {m.through, m.count, m.ids};
        object_memo_put(r->db->memo, buf_view(&question), &list);
    }
    buf_fini(&question);
    out->count = m.count;
    out->ids = m.ids;
    return code;
}
