/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_sender.c: pushes records and obeys answers.
 *
 *     pick a stream (live first) -> read entries -> push -> 200: acknowledge
 *                                                        -> 409: rewind, or a new name for the
 *                                                        stream -> 400, 413, 422: halve; a single
 *                                                        one: quarantine -> 401, 403: new token,
 *                                                        else pause -> anything else: wait with
 *                                                        full jitter
 * Invariants: (1) only a 200 whose body parses and whose next_seq covers the push acknowledges;
 * (2) one request is under way at a time; (3) whatever comes back, the records stay in the spool
 * until (1).
 * Threads: its own.
 */
#include "app/agent/agent_sender.h"

#include <stdio.h>
#include <string.h>

#include "app/agent/agent_sender_internal.h"
#include "base/alloc.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/pack.h"
#include "model/push.h"
#include "os/clock.h"
#include "os/entropy.h"

#define ARENA_BYTES       (48 * 1024 * 1024)
#define BODY_BYTES        (20 * 1024 * 1024)
#define IDLE_US           (2LL * 1000000)
#define LINGER_MS         250 /* so that lanes that finish together travel together */
#define BACKOFF_MIN_MS    1000
#define BACKOFF_MAX_MS    60000
#define DENIED_PAUSE_MS   60000
#define RETRY_AFTER_MAX_S 3600
#define CONFLICTS_AT_ONCE 4
#define SKEW_MS           2000
#define GZIP_LEVEL        6

static const struct log_ctx CTX = {.component = "sender"};
static const struct json_limits LIMITS = {1024 * 1024, LIMIT_JSON_DEPTH, false};

/* What happened to a push, and how long to wait before the next. */
struct outcome {
    bool progressed;
    int64_t wait_ms;
};

struct agent_sender *agent_sender_new(const struct agent_sender_config *config)
{
    struct agent_sender *s = alloc_new(sizeof(*s));
    s->config = *config;
    s->http = httpc_new();
    agent_certificate_init(&s->certificate, config->state_dir);
    s->batch_max = SENDER_RECORDS_MAX;
    httpc_answer_init(&s->answer);
    arena_init(&s->arena, "sender", ARENA_BYTES);
    atomic_init(&s->stopping, false);
    atomic_init(&s->stop_us, INT64_MAX);
    atomic_init(&s->offset_ms, 0);
    return s;
}

void agent_sender_free(struct agent_sender *s)
{
    if (!s) {
        return;
    }
    httpc_free(s->http);
    httpc_answer_fini(&s->answer);
    arena_fini(&s->arena);
    agent_certificate_fini(&s->certificate);
    explicit_bzero(s->identity.token, sizeof(s->identity.token));
    alloc_free(s);
}

int64_t agent_sender_offset_ms(const struct agent_sender *s)
{
    return s ? atomic_load(&s->offset_ms) : 0;
}

enum err_code agent_sender_enroll(struct agent_sender *s, struct err *e)
{
    return agent_sender_register(s, e);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static bool must_end(const struct agent_sender *s)
{
    return atomic_load(&s->stopping) && clock_mono_us() >= atomic_load(&s->stop_us);
}

/* Full jitter: anything between nothing and the doubled bound. */
static int64_t backoff_ms(struct agent_sender *s)
{
    uint64_t random;
    int64_t bound = BACKOFF_MIN_MS << (s->failures < 6 ? s->failures : 6);
    bound = bound > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : bound;
    s->failures++;
    entropy_fill(&random, sizeof(random));
    return (int64_t)(random % (uint64_t)bound) + 50;
}

static void note_down(struct agent_sender *s, const char *why)
{
    if (!s->told_down) {
        log_warn(&CTX, "cannot deliver, records wait in the spool: %s", why);
    }
    s->told_down = true;
}

static void note_up(struct agent_sender *s)
{
    if (s->told_down) {
        log_info(&CTX, "delivering again");
    }
    s->told_down = false;
    s->failures = 0;
    s->conflicts = 0;
    s->doubted = 0;
}

/* --- one push --------------------------------------------------------------------------------- */

struct batch_of {
    struct spool_stream stream;
    bool backlog;
    struct spool_entry entries[SENDER_RECORDS_MAX];
    size_t count;
    uint64_t end; /* first number behind the push */
};

static void write_body(struct agent_sender *s, const struct batch_of *b, struct buf *out)
{
    struct push_text_record records[SENDER_RECORDS_MAX];
    struct json_writer w;
    const struct push head = {
        .collector = s->identity.collector,
        .stream = b->stream.id,
        .seq = b->entries[0].seq,
        .backlog = b->backlog,
        .closes = b->backlog && b->end == b->stream.next_seq,
        .wall_ms = clock_wall_ms(),
        .mono_ms = clock_mono_ms(),
        .version = str_of(PGA_VERSION),
        .hostname = str_of(s->config.hostname),
    };
    memset(records, 0, sizeof(records));
    for (size_t i = 0; i < b->count; i++) {
        const struct spool_entry *x = &b->entries[i];
        if (x->is_gap) {
            records[i].gap = (struct batch_gap){x->span, str_of(x->reason), x->from_ms, x->to_ms};
        } else {
            records[i].json = x->json;
            memcpy(records[i].hash, x->hash, PUSH_HASH_BYTES);
        }
    }
    json_writer_init(&w, out);
    push_write(&head, records, b->count, &w);
}

static enum err_code post_batch(struct agent_sender *s, const struct batch_of *b, bool *made,
                                struct err *e)
{
    struct buf body, packed;
    char bearer[AGENT_TOKEN_MAX + 16];
    snprintf(bearer, sizeof(bearer), "Bearer %s", s->identity.token);
    const struct httpc_header headers[] = {
        {"Authorization", bearer},
        {"Content-Type", "application/json"},
        {"Content-Encoding", "gzip"},
    };
    buf_init(&body, BODY_BYTES);
    buf_init(&packed, LIMIT_PUSH_BYTES);
    write_body(s, b, &body);
    enum err_code code = buf_check(&body, e);
    code = code ? code : pack_gzip(buf_view(&body), GZIP_LEVEL, &packed, e);
    *made = code == ERR_OK;
    if (!code) {
        FAULT_POINT("agent.before_send");
        code = agent_sender_post(
            s, &(struct agent_post){"/metrics/push", headers, 3, buf_view(&packed), NULL, false},
            e);
        FAULT_POINT("agent.after_answer");
    }
    buf_fini(&body);
    buf_fini(&packed);
    return code;
}

/* The server's clock against ours at the middle of the exchange. */
static void measure_clock(struct agent_sender *s, int64_t server_ms, int64_t start_ms)
{
    int64_t offset = server_ms - (start_ms + clock_wall_ms()) / 2;
    int64_t old = atomic_load(&s->offset_ms);
    bool skewed = server_ms > 0 && (offset > SKEW_MS || offset < -SKEW_MS);
    bool stepped = offset - old > SKEW_MS || old - offset > SKEW_MS;
    if (skewed && stepped) { /* and not for each second that a clock drifts */
        log_warn(&CTX,
                 "the server's clock differs from ours by %lld ms: sample times are corrected",
                 (long long)offset);
    } else if (old && !skewed) {
        log_info(&CTX, "the server's clock and ours agree again");
    }
    atomic_store(&s->offset_ms, skewed ? offset : 0);
}

static void say(const char *what, const struct err *e)
{
    log_error(&CTX, "%s: %s", what, e->text);
}

/* A restored server may lack what other streams had delivered: offer what is still held. */
static void offer_again(struct agent_sender *s)
{
    struct err e = {0};
    struct spool_stream *streams = alloc_array(SPOOL_STREAMS_MAX, sizeof(*streams));
    size_t count = spool_streams(s->config.spool, streams, SPOOL_STREAMS_MAX);
    log_warn(&CTX, "the server's store is another one: what is still held is offered again");
    for (size_t i = 0; i < count; i++) {
        if (!streams[i].live && spool_rewind(s->config.spool, &streams[i].id, 1, &e)) {
            say("spool", &e);
        }
    }
    alloc_free(streams);
}

static void check_epoch(struct agent_sender *s, const struct uuid *epoch)
{
    static const struct uuid NONE;
    struct err e = {0};
    if (text_uuid_eq(epoch, &s->identity.epoch)) {
        return;
    }
    if (!text_uuid_eq(&s->identity.epoch, &NONE)) {
        offer_again(s); /* before the epoch counts as known: a crash in between asks again */
    }
    s->identity.epoch = *epoch;
    if (agent_identity_save(s->config.state_dir, &s->identity, &e)) {
        say("identity", &e);
    }
}

static bool read_answer(struct agent_sender *s, struct push_answer *out, struct err *e)
{
    struct json_doc *doc = NULL;
    enum err_code code = json_parse(buf_view(&s->answer.body), &LIMITS, &doc, e);
    code = code ? code : push_answer_read(json_root(doc), out, e);
    json_doc_free(doc);
    return code == ERR_OK;
}

static struct outcome on_stored(struct agent_sender *s, const struct batch_of *b, int64_t start_ms)
{
    struct push_answer answer;
    struct err e = {0};
    if (!read_answer(s, &answer, &e) || answer.next_seq < b->end) {
        note_down(s, e.text[0] ? e.text : "the answer acknowledges less than was sent");
        return (struct outcome){false, backoff_ms(s)};
    }
    measure_clock(s, answer.server_ms, start_ms);
    if (spool_ack(s->config.spool, &b->stream.id, b->end, &e)) {
        say("spool", &e);
        return (struct outcome){false, backoff_ms(s)};
    }
    check_epoch(s, &answer.store_epoch);
    agent_sender_heard(s, &answer);
    note_up(s);
    s->batch_max = s->batch_max * 2 < SENDER_RECORDS_MAX ? s->batch_max * 2 : SENDER_RECORDS_MAX;
    return (struct outcome){true, 0};
}

static bool says_mismatch(struct agent_sender *s)
{
    struct json_doc *doc = NULL;
    bool mismatch = false;
    if (!json_parse(buf_view(&s->answer.body), &LIMITS, &doc, NULL)) {
        mismatch = str_eq_c(json_str(json_get(json_root(doc), "code_name")), "record_mismatch");
    }
    json_doc_free(doc);
    return mismatch;
}

static struct outcome on_conflict(struct agent_sender *s, const struct batch_of *b)
{
    struct push_answer answer;
    struct err e = {0};
    bool mismatch = says_mismatch(s);
    if (!mismatch && !read_answer(s, &answer, &e)) {
        note_down(s, e.text);
        return (struct outcome){false, backoff_ms(s)};
    }
    enum err_code code = mismatch
                             ? ERR_CONFLICT
                             : spool_rewind(s->config.spool, &b->stream.id, answer.next_seq, &e);
    if (!mismatch) {
        check_epoch(s, &answer.store_epoch);
    }
    if (code == ERR_CONFLICT) {
        log_warn(&CTX,
                 "the server knows other records under this stream: it goes on under a new name");
        code = spool_rename_stream(s->config.spool, &b->stream.id, &e);
    } else if (!code) {
        log_info(&CTX, "the server expects record %llu", (unsigned long long)answer.next_seq);
    }
    if (code) {
        say("spool", &e);
    }
    /* the first answers are obeyed at once; a server that keeps answering 409 is given pauses */
    return (struct outcome){false, s->conflicts++ < CONFLICTS_AT_ONCE ? 50 : backoff_ms(s)};
}

static struct outcome on_refused(struct agent_sender *s, const struct batch_of *b)
{
    struct err e = {0};
    if (b->count > 1) {
        s->batch_max = b->count / 2;
        return (struct outcome){true, 0};
    }
    if (b->entries[0].is_gap) {
        note_down(s, "the server refuses a gap");
        return (struct outcome){false, backoff_ms(s)};
    }
    log_warn(&CTX, "the server refuses record %llu (status %d): it is put aside",
             (unsigned long long)b->entries[0].seq, s->answer.status);
    if (spool_quarantine(s->config.spool, &b->stream.id, &e)) {
        say("spool", &e);
        return (struct outcome){false, backoff_ms(s)};
    }
    return (struct outcome){true, 0};
}

static struct outcome on_denied(struct agent_sender *s)
{
    struct err e = {0};
    int64_t age_us = clock_mono_us() - s->refreshed_us;
    if (s->refreshed_us && age_us < 5000000) {
        note_down(s, "a fresh token is refused");
        return (struct outcome){false, DENIED_PAUSE_MS};
    }
    if (!agent_sender_refresh(s, &e)) {
        return (struct outcome){true, 0};
    }
    if (e.code == ERR_DENIED && s->config.secret_file && !agent_sender_register(s, &e)) {
        return (struct outcome){true, 0};
    }
    note_down(s, e.text);
    return (struct outcome){false, e.code == ERR_DENIED ? DENIED_PAUSE_MS : backoff_ms(s)};
}

static struct outcome on_later(struct agent_sender *s)
{
    char why[64];
    snprintf(why, sizeof(why), "the server answers %d", s->answer.status);
    note_down(s, why);
    if (s->answer.retry_after_s >= 0 && s->answer.retry_after_s <= RETRY_AFTER_MAX_S) {
        return (struct outcome){false, s->answer.retry_after_s * 1000 + backoff_ms(s) / 8};
    }
    return (struct outcome){false, backoff_ms(s)};
}

static void count_push(struct agent_sender *s, enum agent_push_result r)
{
    atomic_fetch_add(&s->pushes[r], 1);
}

const char *agent_sender_result_name(enum agent_push_result r)
{
    static const char *const names[] = {"stored", "conflict", "refused",
                                        "denied", "later",    "no_answer"};
    return names[r];
}

uint64_t agent_sender_pushes(const struct agent_sender *s, enum agent_push_result r)
{
    return atomic_load(&s->pushes[r]);
}

static struct outcome push(struct agent_sender *s, const struct batch_of *b)
{
    struct err e = {0};
    int64_t start_ms = clock_wall_ms();
    bool made = false;
    if (post_batch(s, b, &made, &e)) {
        if (!made && e.code == ERR_LIMIT) {
            s->answer.status = 413; /* too large for any push: as if the server had said so */
            return on_refused(s, b);
        }
        count_push(s, AGENT_PUSH_NO_ANSWER);
        s->unanswered++;
        note_down(s, e.text);
        return (struct outcome){false, backoff_ms(s)};
    }
    s->unanswered = 0;
    switch (s->answer.status) {
    case 200:
        count_push(s, AGENT_PUSH_STORED);
        return on_stored(s, b, start_ms);
    case 409:
        count_push(s, AGENT_PUSH_CONFLICT);
        return on_conflict(s, b);
    case 400:
    case 413:
    case 415:
    case 422:
        count_push(s, AGENT_PUSH_REFUSED);
        return on_refused(s, b);
    case 401:
    case 403:
        count_push(s, AGENT_PUSH_DENIED);
        return on_denied(s);
    default:
        count_push(s, AGENT_PUSH_LATER);
        return on_later(s);
    }
}

/* --- which stream ----------------------------------------------------------------------------- */

/* The live stream when it has something, else the oldest backlog. */
static bool pick(struct agent_sender *s, bool skip_live, struct batch_of *b)
{
    struct spool_stream *streams = alloc_array(SPOOL_STREAMS_MAX, sizeof(*streams));
    size_t count = spool_streams(s->config.spool, streams, SPOOL_STREAMS_MAX);
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        bool waits = streams[i].cursor < streams[i].next_seq && !(skip_live && streams[i].live);
        if (waits && (!found || streams[i].live)) {
            b->stream = streams[i];
            b->backlog = !streams[i].live;
            found = true;
        }
    }
    alloc_free(streams);
    return found;
}

/*
 * After an outage: the server answers, and the live stream still begins with old records. New ones
 * get a stream of their own, so that they do not wait behind the old ones.
 */
static void split_if_old(struct agent_sender *s, const struct batch_of *b)
{
    struct err e = {0};
    struct batch_of now;
    if (b->backlog || !pick(s, false, &now) || now.backlog) {
        return;
    }
    int64_t age_ms = clock_wall_ms() - now.stream.oldest_ms;
    if (!now.stream.oldest_ms || age_ms < s->config.live_after_ms) { /* 0 = not known */
        return;
    }
    log_info(&CTX, "%llu records are older than the live limit: they follow as backlog",
             (unsigned long long)(now.stream.next_seq - now.stream.cursor));
    if (spool_split(s->config.spool, &e)) {
        say("spool", &e);
    }
}

static struct outcome send_one(struct agent_sender *s, bool skip_live)
{
    struct batch_of *b = alloc_new(sizeof(*b));
    struct err e = {0};
    struct outcome out = {false, 0};
    arena_reset(&s->arena);
    if (!pick(s, skip_live, b)) {
        alloc_free(b);
        return out;
    }
    struct spool_reading reading = {&s->arena, s->batch_max, SENDER_BYTES_MAX, b->entries, 0};
    enum err_code code = spool_read(s->config.spool, &b->stream.id, &reading, &e);
    b->count = reading.count;
    if (code) {
        say("spool", &e);
        out.wait_ms = backoff_ms(s);
    } else if (b->count) {
        b->end = b->entries[b->count - 1].seq + b->entries[b->count - 1].span;
        out = push(s, b);
        spool_unpin(s->config.spool);
        if (out.progressed && s->answer.status == 200) {
            split_if_old(s, b);
        }
    }
    alloc_free(b);
    return out;
}

/* --- the thread ------------------------------------------------------------------------------- */

static void pause_ms(struct agent_sender *s, int64_t ms)
{
    int64_t until = clock_mono_us() + ms * 1000;
    while (!must_end(s) && clock_mono_us() < until && !atomic_load(&s->stopping)) {
        int64_t step = clock_mono_us() + 200000;
        clock_sleep_ms((until < step ? until - clock_mono_us() : 200000) / 1000 + 1);
    }
}

static bool has_identity(struct agent_sender *s)
{
    struct err e = {0};
    if (s->identity.enrolled) {
        return true;
    }
    if (!agent_sender_register(s, &e)) {
        note_up(s);
        return true;
    }
    note_down(s, e.text);
    pause_ms(s, e.code == ERR_UNREACHABLE || e.code == ERR_TIMEOUT ? backoff_ms(s)
                                                                   : DENIED_PAUSE_MS / 6);
    return false;
}

/* A token is renewed at half its life, so that no push finds it expired. */
static void renew_token(struct agent_sender *s)
{
    struct err e = {0};
    int64_t left_ms = s->identity.expires_ms - clock_wall_ms() - agent_sender_offset_ms(s);
    bool early = s->refreshed_us && clock_mono_us() - s->refreshed_us < 30LL * 1000000;
    if (s->identity.expires_ms && left_ms < 5 * 60 * 1000 && !early) {
        s->refreshed_us = clock_mono_us();
        if (agent_sender_refresh(s, &e)) {
            log_debug(&CTX, "token refresh: %s", e.text);
        }
    }
}

static void run(void *arg)
{
    struct agent_sender *s = arg;
    while (!must_end(s)) {
        if (!has_identity(s)) {
            if (atomic_load(&s->stopping)) {
                return;
            }
            continue;
        }
        agent_sender_renew(s);
        renew_token(s);
        agent_sender_configure(s);
        struct outcome live = send_one(s, false);
        struct outcome old = live.progressed ? send_one(s, true) : live;
        if (live.wait_ms || old.wait_ms) {
            if (atomic_load(&s->stopping)) {
                return; /* the spool keeps what is left */
            }
            pause_ms(s, live.wait_ms > old.wait_ms ? live.wait_ms : old.wait_ms);
        } else if (!live.progressed && !old.progressed) {
            if (atomic_load(&s->stopping)) {
                return;
            }
            agent_outbox_wait(s->config.outbox, clock_mono_us() + IDLE_US);
            pause_ms(s, LINGER_MS);
        }
    }
}

enum err_code agent_sender_start(struct agent_sender *s, struct err *e)
{
    if (agent_identity_load(s->config.state_dir, &s->identity, e)) {
        return e->code;
    }
    if (agent_sender_open_certificate(s, e)) {
        return e->code;
    }
    return thread_start(&s->thread, "sender", run, s, e);
}

void agent_sender_stop(struct agent_sender *s, int64_t mono_us)
{
    atomic_store(&s->stop_us, mono_us);
    atomic_store(&s->stopping, true);
    agent_outbox_wake(s->config.outbox);
    thread_join(&s->thread);
}
