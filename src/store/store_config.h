/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_config.h: the configuration that the server keeps for an agent. Versions count from 1 and
 * stay; who made which, and when, is with them.
 *
 * Whether a text is a good configuration is checked by the caller.
 */
#ifndef STORE_STORE_CONFIG_H
#define STORE_STORE_CONFIG_H

#include "store/store.h"

struct store_config {
    int64_t version;
    const char *toml; /* NULL in lists */
    const char *author;
    int64_t created_ms;
    int64_t size; /* characters */
};

/*
 * Add a version, with its audit row; the same text as the newest adds none.
 * Errors: ERR_NOT_FOUND for a collector that is unknown or revoked
 */
struct store_config_put {
    const char *collector;
    struct str toml;
    int64_t version; /* out: the newest */
    bool added;      /* out */
};
enum err_code store_config_put(struct store *s, const struct store_actor *who,
                               struct store_config_put *put, struct err *e) ERR_MUST_CHECK;
struct store_config_key {
    const char *collector;
    int64_t version; /* 0 = the newest */
};
/* ERR_NOT_FOUND. Lives in `a`. */
enum err_code store_config_get(struct store *s, struct arena *a, struct store_config_key key,
                               struct store_config *out, struct err *e) ERR_MUST_CHECK;
struct store_config_page {
    const char *collector;
    int64_t before; /* a version; 0 = from the newest */
    size_t limit;
    struct store_config *rows; /* out; newest first */
    size_t count;
};
enum err_code store_config_list(struct store *s, struct arena *a, struct store_config_page *page,
                                struct err *e) ERR_MUST_CHECK;

/* What an agent says: this is in effect, and that could not be applied. */
struct store_config_report {
    const char *collector;
    int64_t applied; /* 0 = its own file alone */
    int64_t failed;  /* 0 = nothing failed */
    struct str error;
};
/* *news: it differs from what was known. */
enum err_code store_config_report(struct store *s, const struct store_config_report *report,
                                  bool *news, struct err *e) ERR_MUST_CHECK;

#endif
