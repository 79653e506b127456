/* SPDX-License-Identifier: PostgreSQL */
/*
 * api_push_old.c: see the header.
 *
 * An older collector has no stream and no targets: its record goes to a stream named like itself,
 * where the store gives the numbers, and to two targets made from its id, the database server and
 * the host. The record names them when they are new to this process, when what is said of them
 * changed, and once an hour.
 */
#include "api/api_push_old.h"

#include <endian.h>
#include <string.h>

#include "api/api_form.h"
#include "base/alloc.h"
#include "base/fingerprint.h"
#include "base/limits.h"
#include "base/map.h"
#include "os/clock.h"
#include "store/store_collector.h"
#include "tls/hash.h"

#define ANNOUNCE_MS (3600 * (int64_t)1000)

/* What was said of the targets of a collector. */
struct api_push_known {
    uint64_t print;
    bool has_database, has_host;
    int64_t mono_ms;
};

static struct uuid target_id(const struct uuid *collector, const char *kind)
{
    const struct str parts[] = {STR("pga target "), str_of(kind),
                                str_make(collector->bytes, sizeof(collector->bytes))};
    unsigned char hash[HASH_BYTES];
    struct uuid id;

    hash_sha256_parts(parts, sizeof(parts) / sizeof(parts[0]), hash);
    text_uuid_v4(&id, hash);
    return id;
}

/*
 * The identity of the body. One that does not tell all its times is another each time it comes.
 * The key is no secret of the collector's, but whoever can write into what it reads does not know
 * it, and so cannot make it send two bodies that look alike.
 */
static void body_hash(const struct api_call *call, struct str text, bool timed,
                      unsigned char hash[PUSH_HASH_BYTES])
{
    int64_t now[2] = {clock_wall_ms(), clock_mono_us()};
    uint64_t len = htole64(text.len);
    struct fingerprint_key key;
    struct fingerprint print;

    fingerprint_key_of(call->who.collector.bytes, &key);
    print = fingerprint_of(&key, text);
    print = (struct fingerprint){{htole64(print.word[0]), htole64(print.word[1])}};
    memset(hash, 0, PUSH_HASH_BYTES);
    memcpy(hash, print.word, sizeof(print.word));
    if (timed)
        memcpy(hash + sizeof(print.word), &len, sizeof(len));
    else
        memcpy(hash + sizeof(print.word), now, sizeof(now));
}

/* --- targets --- */

static struct str hostname_of(struct api_call *call, const struct flatten *flat)
{
    struct store_collector known;

    if (flat->hostname.len > 0)
        return flat->hostname;
    if (store_collector_get(call->api->config.store, call->arena, call->who.collector_id, &known,
                            NULL) == ERR_OK &&
        known.hostname && known.hostname[0])
        return str_of(known.hostname);
    return str_of(call->who.collector_id);
}

static struct str attributes(struct api_call *call, const struct flatten *flat,
                             const struct uuid *host)
{
    char id[TEXT_UUID_SIZE];
    struct json_writer w;
    struct str text;
    struct buf out;

    buf_init(&out, 4 * LIMIT_KEY_BYTES + 1024);
    json_writer_init(&w, &out);
    json_object_begin(&w);
    json_member_str(&w, host ? "address" : "hostname", hostname_of(call, flat));
    if (host) {
        text_uuid(host, id);
        json_member_c(&w, "host_target", id);
    }
    if (flat->version.len > 0)
        json_member_str(&w, "collector_version", flat->version);
    json_object_end(&w);
    text = arena_str(call->arena, buf_view(&out));
    buf_fini(&out);
    return text;
}

/* Adds to what the record uses what was used before, so that one target can name the other. */
static void look_up(struct api_call *call, struct api_push_old *old)
{
    const struct api_push_known *known;
    bool has_database = old->flat.has_database, has_host = old->flat.has_host;

    lock_take(&call->api->seen_lock);
    known = map_get(call->api->announced, str_of(call->who.collector_id));
    old->announces = !known || known->print != old->print ||
                     (has_database && !known->has_database) || (has_host && !known->has_host) ||
                     clock_mono_ms() - known->mono_ms > ANNOUNCE_MS;
    if (known) {
        old->flat.has_database |= known->has_database;
        old->flat.has_host |= known->has_host;
    }
    lock_release(&call->api->seen_lock);
}

static void add_targets(struct api_call *call, const struct flatten_spec *spec,
                        struct api_push_old *old)
{
    struct batch *b = &old->flat.batch;
    struct str name = hostname_of(call, &old->flat);

    b->targets = arena_array(call->arena, 2, sizeof(*b->targets));
    if (!b->targets)
        return;
    if (old->flat.has_database)
        b->targets[b->target_count++] = (struct batch_target){
            .id = spec->database,
            .kind = STR("postgresql"),
            .name = name,
            .attributes = attributes(call, &old->flat, &spec->host)};
    if (old->flat.has_host)
        b->targets[b->target_count++] = (struct batch_target){
            .id = spec->host,
            .kind = STR("host"),
            .name = name,
            .attributes = attributes(call, &old->flat, NULL)};
}

void api_push_old_stored(struct api_call *call, const struct api_push_old *old)
{
    struct api_push_known *known;

    if (!old->announces)
        return;
    lock_take(&call->api->seen_lock);
    known = map_get(call->api->announced, str_of(call->who.collector_id));
    if (!known) {
        known = alloc_new(sizeof(*known));
        (void)map_put(call->api->announced, str_of(call->who.collector_id), known);
    }
    *known = (struct api_push_known){.print = old->print,
                                     .has_database = old->flat.has_database,
                                     .has_host = old->flat.has_host,
                                     .mono_ms = clock_mono_ms()};
    lock_release(&call->api->seen_lock);
}

void api_push_old_forget(struct api *api, const char *collector_id)
{
    lock_take(&api->seen_lock);
    alloc_free(map_remove(api->announced, str_of(collector_id)));
    lock_release(&api->seen_lock);
}

/* --- the record --- */

static enum err_code check_collector(struct api_call *call, const struct flatten *flat,
                                     struct err *e)
{
    struct str header = httpd_header(call->req, "X-Collector-ID");
    struct str own = str_of(call->who.collector_id);

    if (str_eq_nocase(flat->collector_id, own) && (header.len == 0 || str_eq_nocase(header, own)))
        return ERR_OK;
    return err_set(e, ERR_DENIED, "collector_id is not that of the token");
}

static enum err_code fill_push(struct api_call *call, struct api_push_old *old, struct push *push,
                               struct err *e)
{
    push->collector = push->stream = call->who.collector;
    push->unnumbered = true;
    push->seq = push->count = push->record_count = 1;
    push->records = arena_alloc(call->arena, sizeof(*push->records));
    if (!push->records)
        return arena_fail(call->arena, e);
    push->records[0].seq = 1;
    push->records[0].batch = &old->flat.batch;
    return ERR_OK;
}

static struct flatten_spec spec_of(const struct api_call *call)
{
    return (struct flatten_spec){.database = target_id(&call->who.collector, "postgresql"),
                                 .host = target_id(&call->who.collector, "host"),
                                 .now_ms = clock_wall_ms()};
}

/* The rest, once the body is flattened. */
static enum err_code make_push(struct api_call *call, const struct flatten_spec *spec,
                               struct api_push_old *old, struct push *push, struct err *e)
{
    enum err_code rc = check_collector(call, &old->flat, e);

    if (rc != ERR_OK)
        return rc;
    old->print = str_hash(old->flat.hostname) ^ (str_hash(old->flat.version) << 1);
    look_up(call, old);
    if (old->announces)
        add_targets(call, spec, old);
    rc = fill_push(call, old, push, e);
    if (rc == ERR_OK)
        body_hash(call, old->text, old->flat.timed, push->records[0].hash);
    return rc;
}

enum err_code api_push_old_known(struct api_call *call, struct api_push_old *old, struct push *push,
                                 bool *known, struct err *e)
{
    struct flatten_spec spec = spec_of(call);

    old->form = api_form_take(call->api->forms, call->who.collector_id, &old->learns);
    old->asked = true;
    old->fits = old->form &&
                flatten_form_read(old->form, call->arena, old->text, &spec, &old->flat);
    *known = old->fits;
    if (!old->fits)
        old->flat = (struct flatten){0};
    return old->fits ? make_push(call, &spec, old, push, e) : ERR_OK;
}

void api_push_old_unknown(struct api_push_old *old)
{
    flatten_form_free(old->form);
    old->form = NULL;
    old->fits = false;
}

void api_push_old_end(struct api_call *call, struct api_push_old *old)
{
    if (old->asked && (old->form || old->flat.item_count > 0))
        api_form_give(call->api->forms, call->who.collector_id, old->form,
                      old->fits ? API_FORM_FITS : API_FORM_MISSED);
    old->form = NULL;
    old->asked = false;
}

enum err_code api_push_old_read(struct api_call *call, struct api_push_old *old, struct push *push,
                                struct err *e)
{
    struct flatten_spec spec = spec_of(call);
    enum err_code rc = flatten_push(call->arena, old->root, &spec, &old->flat, e);

    if (rc == ERR_OK && old->asked && old->learns) {
        flatten_form_free(old->form);
        old->form = flatten_form_learn(old->text, &old->flat);
    }
    return rc == ERR_OK ? make_push(call, &spec, old, push, e) : rc;
}

void api_push_old_errors(const struct api_push_old *old, struct json_writer *w)
{
    for (size_t i = 0; i < old->flat.refusal_count; i++) {
        json_object_begin(w);
        json_member_u64(w, "item", old->flat.refusals[i].item);
        json_member_c(w, "reason", old->flat.refusals[i].reason);
        json_object_end(w);
    }
}
