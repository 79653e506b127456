/* SPDX-License-Identifier: PostgreSQL */
/* server_key.h: where the server's master key comes from, by configuration and service manager. */
#ifndef APP_SERVER_SERVER_KEY_H
#define APP_SERVER_SERVER_KEY_H

#include "app/server/server_config.h"
#include "store/store_seal.h"

/* What [keys] source says. */
enum server_key { SERVER_KEY_AUTO, SERVER_KEY_FILE, SERVER_KEY_CREDENTIAL, SERVER_KEY_PASSPHRASE };

/*
 * The source; its path lives in `a` or the configuration. ERR_DENIED when the configuration asks
 * for a credential or a passphrase and does not say where it is.
 */
enum err_code server_key_source(struct arena *a, const struct server_config *config,
                                struct store_key_source *out, struct err *e) ERR_MUST_CHECK;
/* The file of the key, for a backup that takes it along; NULL = it is in none of ours. */
const char *server_key_file(const struct store_seal_ctx *seal);

#endif
