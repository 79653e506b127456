/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_config.h: agent.toml as a struct.
 *
 * Owner: everything lives in the arena of the load; immutable afterwards.
 */
#ifndef APP_AGENT_AGENT_CONFIG_H
#define APP_AGENT_AGENT_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "pgclient/pgclient.h"

/* One [[target]]. */
/* What is done on a link of a superuser, which needs none of it. */
enum agent_superuser { AGENT_SUPERUSER_WARN, AGENT_SUPERUSER_REFUSE, AGENT_SUPERUSER_ALLOW };

struct agent_target_config {
    const char *name;
    const char *dsn;
    const char *host, *port, *user, *dbname;
    const char *sslmode;
    const char *sslrootcert, *sslcrl, *sslcert, *sslkey; /* files of TLS to the target */
    const char *sslpassword_file;                        /* as password_file, of sslkey */
    const char *password_file;                           /* or the name of a systemd credential */
    const char *password;                                /* of an old collector's file alone */
    unsigned line; /* of the file; 0 = it does not stand there */
    int enabled;
    int no_prepare;
    int superuser;      /* enum agent_superuser */
    double cost_budget; /* percent of one core; 0 = none */
    int64_t statements_every_ms, sessions_every_ms,
        every_ms; /* 0 = the probe's own clock; sessions: off */
    /* What is read in each database: names with * and ?, and how many at most. */
    struct conf_strings databases, databases_exclude;
    int64_t databases_max, databases_every_ms;
    /* How to connect, asked each time, where no file says it (the server's own instances). */
    const struct agent_link *link;
};

struct agent_link {
    /* As agent_config_connection. */
    enum err_code (*open)(void *arg, struct buf *room, struct pgclient_config *out, struct err *e);
    /* An attempt to connect failed: may put other words in *e. */
    void (*failed)(void *arg, struct err *e);
    void *arg;
};

/* What an old collector's file says, before agent_config_old_take moves it to the new members. */
struct agent_old_config {
    const char *hostname, *url, *secret;
    const char *host, *port, *user, *password, *database;
    struct conf_strings databases;
    int64_t every_ms, statements_every_ms;
    int statements_enabled, host_enabled;
    const char *unused_text;
    int64_t unused_ms;
    int unused;
};

enum agent_sandbox { AGENT_SANDBOX_AUTO, AGENT_SANDBOX_OFF };

struct agent_config {
    const char *name;
    const char *state_dir;
    int log_level, log_format;
    const char *log_file; /* NULL = standard error */
    int sandbox;          /* enum agent_sandbox */
    const char *listen;   /* NULL = no metrics are served */
    const char *server_url;
    const char *agent_url; /* where to deliver; NULL = as the server says at enrolment */
    const char *secret_file;
    const char *ca_fingerprint, *ca_file; /* NULL = none */
    int host_enabled;
    uint64_t spool_max_bytes;
    int64_t spool_max_age_ms, spool_keep_ms, spool_live_after_ms;
    uint64_t spool_keep_bytes;
    void *targets; /* struct agent_target_config */
    size_t target_count;
    struct agent_old_config old;
};

extern const struct conf_key agent_config_old_keys[];
extern const size_t agent_config_old_key_count;
/* Move what an old file says to where a new one has it. */
enum err_code agent_config_old_take(struct arena *a, const struct conf_schema *schema,
                                    struct agent_config *c, struct err *e) ERR_MUST_CHECK;

/* path NULL = defaults only. */
enum err_code agent_config_load(struct arena *a, const char *path, struct agent_config **out,
                                struct err *e) ERR_MUST_CHECK;
/* `base` with what the server says in its place; `base` must live as long as *out. */
enum err_code agent_config_overlay(struct arena *a, const struct agent_config *base,
                                   struct str text, struct agent_config **out,
                                   struct err *e) ERR_MUST_CHECK;
/* Whether a text could be such; what it changes of the host's own file is not known here. */
enum err_code agent_config_check_central(struct str text, struct err *e) ERR_MUST_CHECK;
enum err_code agent_config_dump(const struct agent_config *config, struct buf *out,
                                struct err *e) ERR_MUST_CHECK;
/* The reference page of all keys, in Markdown. */
void agent_config_reference(struct buf *out);
/* The same as the body of pga-agent.toml(5). */
void agent_config_manual(struct buf *out);
const struct agent_target_config *agent_config_target(const struct agent_config *config, size_t i);
/*
 * A file as the configuration names it: one without a slash is a systemd credential, when the
 * service was given any ($CREDENTIALS_DIRECTORY). Owner: borrowed from `name`, or in `room`.
 */
const char *agent_config_secret_path(const char *name, char *room, size_t size);
/*
 * How to connect; the passwords, also of the key, are read from their files into `secrets`, which
 * the caller wipes.
 */
enum err_code agent_config_connection(const struct agent_target_config *t, struct buf *secrets,
                                      struct pgclient_config *out, struct err *e) ERR_MUST_CHECK;
/* Where state lives when nothing says so, into `out`. */
void agent_config_state_dir(char *out, size_t size);

#endif
