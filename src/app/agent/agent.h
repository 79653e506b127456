/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent.h: the command line of `pga agent` and its commands.
 *
 * Threads: main thread.
 */
#ifndef APP_AGENT_AGENT_H
#define APP_AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "app/agent/agent_config.h"
#include "base/err.h"

enum agent_exit {
    AGENT_EXIT_OK = 0,
    AGENT_EXIT_FAILURE = 1,
    AGENT_EXIT_USAGE = 2,
    AGENT_EXIT_AUTH = 4,
    AGENT_EXIT_UNAVAILABLE = 6,
    AGENT_EXIT_PROBLEMS = 7,
};

enum agent_command { AGENT_RUN, AGENT_ENROLL, AGENT_DOCTOR };

struct agent_options {
    enum agent_command command;
    bool once, check_config, dump_config;
    const char *config_path, *dsn, *state_dir, *server, *secret_file, *ca_fingerprint;
    const char *log_level, *log_format, *listen;
    int64_t statements_wait_ms; /* between the two readings of --once; 0 = only one */
};

/* Exit code that fits an error. */
int agent_exit_code(enum err_code code);
int agent_once(const struct agent_options *o);   /* --once */
int agent_doctor(const struct agent_options *o); /* doctor */
int agent_reference(void);                       /* --source-reference */
int agent_enroll(const struct agent_options *o, const struct agent_config *config);
/* Collect and send until a signal says stop. */
int agent_daemon(const struct agent_options *o);
/* Load the configuration with the options applied. */
enum err_code agent_load(const struct agent_options *o, struct arena *a, struct agent_config **out,
                         struct err *e) ERR_MUST_CHECK;

#endif
