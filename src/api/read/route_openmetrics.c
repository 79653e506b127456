/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_openmetrics.c: the server about itself, for Prometheus.
 *
 * Who may read is configuration (metrics.access): nobody, this machine (the default), people who
 * are signed in, or anyone. What is not allowed looks as if it were not there.
 */
#include "api/api_sight.h"
#include "api/api_count.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/sandbox.h"

static bool may_read(struct api_call *call)
{
    struct err e;
    bool person = api_sign_in(call, &e) == ERR_OK;

    switch (call->api->config.metrics_access) {
    case API_METRICS_OFF:
        return false;
    case API_METRICS_LOOPBACK:
        return net_is_loopback(call->req->peer) || person;
    case API_METRICS_USER:
        return person;
    case API_METRICS_ANYONE:
        return true;
    }
    return false;
}

/* One number of struct tsdb_stats. */
struct fact {
    const char *name;
    enum openmetrics_type type;
    const char *unit, *help;
    uint64_t value;
};

static void put_facts(struct openmetrics *m, const struct fact *facts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct openmetrics_family f = {str_of(facts[i].name), facts[i].type,
                                             str_of(facts[i].unit), str_of(facts[i].help)};

        openmetrics_single(m, &f, cell_u64(facts[i].value));
    }
}
#define PUT_FACTS(m, array) put_facts(m, array, sizeof(array) / sizeof((array)[0]))

static void put_ingest(struct openmetrics *m, const struct tsdb_stats *s)
{
    const struct fact facts[] = {
        {"pga_ingest_pushes", OPENMETRICS_COUNTER, NULL, "Pushes taken.", s->pushes},
        {"pga_ingest_records", OPENMETRICS_COUNTER, NULL, "Records stored.", s->records},
        {"pga_ingest_slices", OPENMETRICS_COUNTER, NULL, "Readings stored.", s->slices},
        {"pga_ingest_samples", OPENMETRICS_COUNTER, NULL, "Values stored.", s->samples_stored},
        {"pga_ingest_duplicates", OPENMETRICS_COUNTER, NULL,
         "Records that came again and were taken once.", s->duplicates},
        {"pga_ingest_commits", OPENMETRICS_COUNTER, NULL, "Commits of the journal.", s->commits},
    };

    PUT_FACTS(m, facts);
    openmetrics_family(m, &(struct openmetrics_family){STR("pga_ingest_refused"),
                                                       OPENMETRICS_COUNTER,
                                                       {NULL, 0},
                                                       STR("Readings refused, by reason.")});
    for (int i = 0; i < TSDB_REFUSED_KINDS; i++) {
        openmetrics_sample(m, NULL);
        openmetrics_label(m, STR("reason"), str_of(tsdb_refusal_name((enum tsdb_refusal)i)));
        openmetrics_value(m, cell_u64(s->refused[i]));
    }
}

/* Only those that something was refused of: nobody else is a series. */
static enum err_code put_limits(struct openmetrics *m, struct api_call *call, struct err *e)
{
    struct tsdb_use *uses = NULL;
    size_t count = 0;
    enum err_code rc = tsdb_uses(call->api->config.tsdb, call->arena, &uses, &count, e);

    openmetrics_family(m, &(struct openmetrics_family){
                              STR("pga_collector_over_limit"),
                              OPENMETRICS_COUNTER,
                              {NULL, 0},
                              STR("Values and texts left out for a limit of a collector.")});
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        char id[TEXT_UUID_SIZE];

        text_uuid(&uses[i].collector, id);
        for (int cap = 0; cap < TSDB_CAPS; cap++) {
            if (uses[i].refused[cap] == 0)
                continue;
            openmetrics_sample(m, NULL);
            openmetrics_label(m, STR("collector"), str_of(id));
            openmetrics_label(m, STR("limit"), str_of(tsdb_cap_name((enum tsdb_cap)cap)));
            openmetrics_value(m, cell_u64(uses[i].refused[cap]));
        }
    }
    return rc;
}

static void put_removed(struct openmetrics *m, const struct tsdb_stats *s)
{
    openmetrics_family(m, &(struct openmetrics_family){STR("pga_store_removed_files"),
                                                       OPENMETRICS_COUNTER,
                                                       {NULL, 0},
                                                       STR("Files of a day removed, by reason.")});
    for (int i = 0; i < TSDB_REMOVED_KINDS; i++) {
        openmetrics_sample(m, NULL);
        openmetrics_label(m, STR("reason"), str_of(tsdb_removal_name((enum tsdb_removal)i)));
        openmetrics_value(m, cell_u64(s->removed[i]));
    }
}

static void put_store(struct openmetrics *m, const struct tsdb_stats *s)
{
    const struct fact facts[] = {
        {"pga_store_journal_bytes", OPENMETRICS_GAUGE, "bytes",
         "Journal that is not yet in blocks.", s->journal_bytes},
        {"pga_store_head_bytes", OPENMETRICS_GAUGE, "bytes", "Readings held in memory.",
         s->head_bytes},
        {"pga_store_disk_bytes", OPENMETRICS_GAUGE, "bytes", "Size of the store on disk.",
         s->disk_bytes},
        {"pga_store_free_bytes", OPENMETRICS_GAUGE, "bytes", "Free space where the store lies.",
         s->free_bytes},
        {"pga_store_full", OPENMETRICS_GAUGE, NULL, "1 while pushes are refused for lack of room.",
         s->full},
        {"pga_store_relations", OPENMETRICS_GAUGE, NULL, "Relations known.", s->relations},
        {"pga_store_groups", OPENMETRICS_GAUGE, NULL, "Groups: target, relation and scope.",
         s->groups},
        {"pga_store_objects", OPENMETRICS_GAUGE, NULL, "Row objects known.", s->objects},
        {"pga_store_streams", OPENMETRICS_GAUGE, NULL, "Streams known.", s->streams},
        {"pga_store_lsn", OPENMETRICS_COUNTER, NULL, "Journal rows committed.", s->lsn},
        {"pga_store_flushed_lsn", OPENMETRICS_COUNTER, NULL, "Journal rows that are in blocks.",
         s->flushed_lsn},
        {"pga_store_applied_lsn", OPENMETRICS_COUNTER, NULL,
         "Journal rows whose events and texts are in place.", s->applied_lsn},
        {"pga_flushes", OPENMETRICS_COUNTER, NULL, "Times that blocks were written.", s->flushes},
        {"pga_flush_errors", OPENMETRICS_COUNTER, NULL, "Times that writing blocks failed.",
         s->flush_errors},
        {"pga_compactions", OPENMETRICS_COUNTER, NULL, "Files of a day that were written anew.",
         s->compactions},
        {"pga_compact_errors", OPENMETRICS_COUNTER, NULL,
         "Times that such a file was left as it was.", s->compact_errors},
        {"pga_store_quarantined", OPENMETRICS_COUNTER, NULL,
         "Readings that could not be read and were moved to damaged.db.", s->quarantined},
        {"pga_store_max_bytes", OPENMETRICS_GAUGE, "bytes", "Quota of the store; 0 = none.",
         s->max_bytes},
        {"pga_store_removed_bytes", OPENMETRICS_COUNTER, "bytes",
         "Readings removed for their age or for the quota.", s->removed_bytes},
        {"pga_store_expired_events", OPENMETRICS_COUNTER, NULL, "Events that were too old.",
         s->expired_events},
        {"pga_store_expired_texts", OPENMETRICS_COUNTER, NULL,
         "Texts that were too old and that no reading named.", s->expired_texts},
        {"pga_store_stripped", OPENMETRICS_COUNTER, NULL,
         "Plans, and bodies of events, removed for the quota.", s->stripped},
        {"pga_replayed_records", OPENMETRICS_COUNTER, NULL,
         "Records read back from the journal at start.", s->replayed_records},
    };

    PUT_FACTS(m, facts);
    put_removed(m, s);
    openmetrics_single(m,
                       &(struct openmetrics_family){STR("pga_last_flush_timestamp_seconds"),
                                                    OPENMETRICS_GAUGE, STR("seconds"),
                                                    STR("When blocks were written; 0 = not yet.")},
                       cell_f64((double)s->last_flush_ms / 1000));
}

static void put_http(struct openmetrics *m, const struct api_call *call)
{
    struct httpd_counts now;

    httpd_count(call->req->server, &now);
    const struct fact facts[] = {
        {"pga_http_connections", OPENMETRICS_GAUGE, NULL, "Connections open.", now.open},
        {"pga_http_connections_working", OPENMETRICS_GAUGE, NULL,
         "Connections whose request is at work.", now.working},
        {"pga_http_connections_displaced", OPENMETRICS_COUNTER, NULL,
         "Idle connections closed for a new one, at a cap.", now.displaced},
        {"pga_http_connections_refused", OPENMETRICS_COUNTER, NULL,
         "New connections answered 503, at a cap.", now.refused},
        {"pga_http_connections_expired", OPENMETRICS_COUNTER, NULL,
         "Connections closed as idle or slow with a request.", now.expired},
        {"pga_http_bodies_late", OPENMETRICS_COUNTER, NULL,
         "Bodies given up because they came too slowly.", now.late},
        {"pga_tls_handshakes", OPENMETRICS_GAUGE, NULL, "TLS handshakes begun and not finished.",
         now.handshakes},
        {"pga_tls_handshakes_finished", OPENMETRICS_COUNTER, NULL, "TLS handshakes finished.",
         now.shaken},
        {"pga_tls_handshakes_failed", OPENMETRICS_COUNTER, NULL,
         "TLS handshakes that failed: certificate, version, or too slow.", now.unshaken},
        {"pga_tls_handshakes_dropped", OPENMETRICS_COUNTER, NULL,
         "Unfinished TLS handshakes closed for a new one, at a cap.", now.handshakes_dropped},
    };

    PUT_FACTS(m, facts);
}

static void put_process(struct openmetrics *m, const struct api *api)
{
    int last;
    const struct fact facts[] = {
        {"pga_sandbox_refused", OPENMETRICS_COUNTER, NULL, "System calls that the sandbox refused.",
         sandbox_refused(&last)},
    };

    int64_t up_ms = clock_mono_ms() - api->start_mono_ms;

    openmetrics_process(m, &(struct openmetrics_process){
                               .cpu_s = (double)clock_process_cpu_us() / 1e6,
                               .start_s = (double)(clock_wall_ms() - up_ms) / 1000,
                               .resident_bytes = process_rss_bytes(),
                               .open_files = process_open_files(),
                               .max_files = process_max_files(),
                               .version = PGA_VERSION,
                               .name = "pga_server_build",
                           });
    PUT_FACTS(m, facts);
}

static enum err_code metrics(struct api_call *call, struct err *e)
{
    enum openmetrics_form form = openmetrics_negotiate(httpd_header(call->req, "Accept"));
    struct tsdb_stats stats;
    struct openmetrics m;
    enum err_code rc;

    if (!may_read(call))
        return api_problem(call, 404, "there is nothing at this address; see metrics.access");
    rc = api_sight_check(call, e); /* the dispatcher did not know who asks */
    if (rc != ERR_OK)
        return rc;
    call->resp->status = 200;
    call->resp->content_type = openmetrics_content_type(form);
    tsdb_stats(call->api->config.tsdb, &stats);
    openmetrics_begin(&m, &call->resp->body, form);
    put_process(&m, call->api);
    api_count_write(call->api->count, &m);
    put_http(&m, call);
    put_ingest(&m, &stats);
    rc = put_limits(&m, call, e);
    put_store(&m, &stats);
    openmetrics_end(&m);
    return rc == ERR_OK ? buf_check(&call->resp->body, e) : rc;
}

static const char *const metrics_headers[] = {
    "Accept text: application/openmetrics-text gives OpenMetrics 1.0, else the text form 0.0.4",
    NULL,
};

const struct route route_openmetrics_get = {
    .method = "GET",
    .path = "/metrics",
    .role = ROUTE_ANYONE, /* see may_read */
    .sight = ROUTE_SIGHT_FLEET,
    .classes = HTTPD_API,
    .headers = metrics_headers,
    .handle = metrics,
    .summary = "The server about itself, for Prometheus; who may read: metrics.access.",
    .answer_type = "text/plain",
    .also = "404",
};
