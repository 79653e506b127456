/* SPDX-License-Identifier: PostgreSQL */
/* server_config.h: the configuration of `pga server`: file, then options of the command line. */
#ifndef APP_SERVER_SERVER_CONFIG_H
#define APP_SERVER_SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "conf/conf.h"
#include "os/net_address.h"

struct server_config {
    struct conf_strings listen, agent_listen;
    const char *tls_certificate, *tls_key, *agent_ca; /* files; NULL = none */
    int64_t renewal_grace_ms;
    const char *public_url;
    const char *base_path; /* "/pga"; NULL = none */
    struct conf_strings trusted_proxies;
    const struct net_range *trusted; /* the same, read */
    int sandbox;                     /* enum server_sandbox */
    const char *file;                /* what was read; NULL = none */
    const char *state_dir;           /* filled in when it was not set */
    const char *store;               /* filled in when it was not set */
    int log_level;                   /* enum log_level */
    int log_format;                  /* enum log_format */
    const char *log_file;            /* NULL = standard error */
    uint64_t flush_bytes;
    int64_t flush_age_ms;
    int64_t check_interval_ms;
    uint64_t journal_bytes;
    int64_t retention_days;
    int64_t retention_slow_days;
    int64_t rollup_5m_days, rollup_1h_days;
    int64_t event_days, text_days;
    uint64_t max_bytes;
    int metrics_access; /* enum api_metrics_access */
    struct conf_strings totp_required;
    unsigned totp_roles; /* the same, read: 1u << enum route_role */
    int64_t max_connections, max_connections_per_address;
    uint64_t push_bytes;
    int bearer_push, open_ingest; /* doors */
    int key_source;               /* enum server_key */
    const char *key_file, *passphrase_file;
    struct conf_strings managed_networks, managed_ports;
    int managed_allow_loopback;
    const char *managed_ca_file; /* NULL = the system's */
    /* of one collector; 0 = the usual */
    int64_t limit_relations, limit_groups, limit_objects, limit_new_objects, limit_values;
    int64_t limit_texts;
    uint64_t limit_text_bytes;
    int64_t rate_address, rate_session, rate_collector; /* requests in a second; 0 = no limit */
};

enum server_sandbox { SERVER_SANDBOX_AUTO, SERVER_SANDBOX_OFF };

/* What the command line says; NULL = nothing. */
struct server_options {
    const char *config, *store, *state_dir, *log_level, *log_format;
    const char **listen, **agent_listen;
    size_t listen_count, agent_listen_count;
};

const struct conf_schema *server_config_schema(void);
/* Lives in `a`. ERR_INVALID with file, line and column. */
enum err_code server_config_load(struct arena *a, const struct server_options *options,
                                 const struct server_config **out, struct err *e) ERR_MUST_CHECK;

bool server_config_is_postgresql(const char *store);
/* The address of the store as it may be shown: without a password. In `a`, or the same. */
const char *server_config_store_shown(struct arena *a, const char *store);

#endif
