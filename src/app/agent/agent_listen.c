/* SPDX-License-Identifier: PostgreSQL */
/* agent_listen.c: see the header. */
#include "app/agent/agent_listen.h"

#include "base/alloc.h"
#include "base/log.h"
#include "httpd/httpd.h"
#include "os/clock.h"
#include "os/process.h"

#define THREADS     4
#define CONNECTIONS 64
#define DRAIN_US    1000000

struct agent_listen {
    struct agent_listen_config config;
    struct httpd_listener at;
    struct httpd_config http;
    struct httpd *httpd;
    int64_t start_wall_ms;
};

static const struct log_ctx CTX = {.component = "agent"};

/* --- what is told ----------------------------------------------------------------------------- */

#define NONE    OPENMETRICS_STR("")
#define BYTES   OPENMETRICS_STR("bytes")
#define TEXT(s) OPENMETRICS_STR(s)

static void put_spool(const struct agent_listen *l, struct openmetrics *m)
{
    struct spool_stats s;

    spool_stats(l->config.spool, &s);
    const struct {
        struct openmetrics_family family;
        uint64_t value;
    } rows[] = {
        {{TEXT("pga_agent_records_generated"), OPENMETRICS_COUNTER, NONE,
          TEXT("Records handed to the spool.")},
         s.generated},
        {{TEXT("pga_agent_records_spooled"), OPENMETRICS_COUNTER, NONE,
          TEXT("Records that are safe on disk.")},
         s.spooled},
        {{TEXT("pga_agent_records_acknowledged"), OPENMETRICS_COUNTER, NONE,
          TEXT("Records that the server has.")},
         s.acknowledged},
        {{TEXT("pga_agent_records_lost"), OPENMETRICS_COUNTER, NONE,
          TEXT("Records that became gaps.")},
         s.gaps},
        {{TEXT("pga_agent_spool_waiting"), OPENMETRICS_GAUGE, NONE,
          TEXT("Records that wait for the server.")},
         s.waiting},
        {{TEXT("pga_agent_spool_bytes"), OPENMETRICS_GAUGE, BYTES,
          TEXT("Size of the spool on disk.")},
         s.bytes},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        openmetrics_single(m, &rows[i].family, cell_u64(rows[i].value));
}

static void put_pushes(const struct agent_listen *l, struct openmetrics *m)
{
    static const struct openmetrics_family pushes = {TEXT("pga_agent_pushes"), OPENMETRICS_COUNTER,
                                                     NONE, TEXT("Pushes, by how they ended.")};

    openmetrics_family(m, &pushes);
    for (int i = 0; l->config.sender != NULL && i < AGENT_PUSH_RESULTS; i++) {
        openmetrics_sample(m, NULL);
        openmetrics_label(m, STR("result"),
                          str_of(agent_sender_result_name((enum agent_push_result)i)));
        openmetrics_value(
            m, cell_u64(agent_sender_pushes(l->config.sender, (enum agent_push_result)i)));
    }
}

static void put_all(const struct agent_listen *l, struct openmetrics *m)
{
    openmetrics_process(m, &(struct openmetrics_process){
                               .cpu_s = (double)clock_process_cpu_us() / 1e6,
                               .start_s = (double)l->start_wall_ms / 1000,
                               .resident_bytes = process_rss_bytes(),
                               .open_files = process_open_files(),
                               .max_files = process_max_files(),
                               .version = PGA_VERSION,
                               .name = "pga_agent_build",
                           });
    put_spool(l, m);
    put_pushes(l, m);
    agent_newest_write(l->config.newest, m);
    openmetrics_end(m);
}

/* --- HTTP ------------------------------------------------------------------------------------- */

static void answer(struct httpd_response *w, int status, const char *type, const char *text)
{
    w->status = status;
    w->content_type = type;
    buf_add_c(&w->body, text);
}

static void handle(void *arg, struct httpd_request *r, struct httpd_response *w)
{
    const struct agent_listen *l = arg;
    struct openmetrics m;

    if (!str_eq_c(r->method, "GET")) {
        httpd_add_header(w, "Allow", "GET");
        answer(w, 405, "text/plain", "only GET\n");
    } else if (str_eq_c(r->path, "/healthz")) {
        answer(w, 200, "application/json", "{\"status\":\"ok\"}");
    } else if (str_eq_c(r->path, "/metrics")) {
        enum openmetrics_form form = openmetrics_negotiate(httpd_header(r, "Accept"));

        openmetrics_begin(&m, &w->body, form);
        w->content_type = openmetrics_content_type(form);
        put_all(l, &m);
    } else {
        answer(w, 404, "text/plain", "there is /metrics and /healthz\n");
    }
}

enum err_code agent_listen_start(const struct agent_listen_config *config,
                                 struct agent_listen **out, struct err *e)
{
    struct agent_listen *l = alloc_new(sizeof(*l));
    enum err_code rc = net_parse_endpoint(str_of(config->address), &l->at.at, e);

    l->config = *config;
    l->start_wall_ms = clock_wall_ms();
    l->at.profile = HTTPD_PLAIN;
    l->at.classes = HTTPD_API;
    l->http = (struct httpd_config){
        .listeners = &l->at,
        .listener_count = 1,
        .threads = THREADS,
        .connections = CONNECTIONS,
        .connections_per_address = CONNECTIONS,
        .handler = handle,
        .arg = l,
    };
    if (rc == ERR_OK)
        rc = httpd_start(&l->http, &l->httpd, e);
    if (rc != ERR_OK) {
        alloc_free(l);
        return err_wrap(e, "listen");
    }
    log_info(&CTX, "metrics at http://%s/metrics", config->address);
    *out = l;
    return ERR_OK;
}

void agent_listen_stop(struct agent_listen *l)
{
    if (l == NULL)
        return;
    httpd_drain(l->httpd, clock_mono_us() + DRAIN_US);
    httpd_stop(l->httpd);
    alloc_free(l);
}
