/* SPDX-License-Identifier: PostgreSQL */
/*
 * server_key.c: see the header.
 *
 * The service manager's credentials are files in $CREDENTIALS_DIRECTORY (systemd.exec(5),
 * LoadCredential=). No key or passphrase is ever taken from an argument or a variable itself.
 */
#include "app/server/server_key.h"

#include <stdlib.h>
#include <unistd.h>

#define KEY_CREDENTIAL        "pga-master-key"
#define PASSPHRASE_CREDENTIAL "pga-passphrase"

/* NULL: there is none of this name. */
static const char *credential(struct arena *a, const char *name)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    const char *path;

    if (dir == NULL || dir[0] == '\0')
        return NULL;
    path = arena_printf(a, "%s/%s", dir, name);
    return path != NULL && access(path, F_OK) == 0 ? path : NULL;
}

static enum err_code passphrase(struct arena *a, const struct server_config *c,
                                struct store_key_source *out, struct err *e)
{
    out->kind = STORE_KEY_PASSPHRASE;
    out->path = c->passphrase_file != NULL ? c->passphrase_file
                                           : credential(a, PASSPHRASE_CREDENTIAL);
    if (out->path == NULL)
        return err_set(e, ERR_DENIED,
                       "keys.source is passphrase: there is neither "
                       "keys.passphrase_file nor a credential " PASSPHRASE_CREDENTIAL);
    return ERR_OK;
}

static enum err_code key_credential(struct arena *a, struct store_key_source *out, struct err *e)
{
    out->kind = STORE_KEY_CREDENTIAL;
    out->path = credential(a, KEY_CREDENTIAL);
    if (out->path == NULL)
        return err_set(e, ERR_DENIED,
                       "keys.source is credential: there is no credential " KEY_CREDENTIAL);
    return ERR_OK;
}

enum err_code server_key_source(struct arena *a, const struct server_config *config,
                                struct store_key_source *out, struct err *e)
{
    enum server_key wanted = (enum server_key)config->key_source;

    if (wanted == SERVER_KEY_AUTO && credential(a, KEY_CREDENTIAL) != NULL)
        wanted = SERVER_KEY_CREDENTIAL;
    if (wanted == SERVER_KEY_AUTO &&
        (config->passphrase_file != NULL || credential(a, PASSPHRASE_CREDENTIAL) != NULL))
        wanted = SERVER_KEY_PASSPHRASE;
    if (wanted == SERVER_KEY_CREDENTIAL)
        return key_credential(a, out, e);
    if (wanted == SERVER_KEY_PASSPHRASE)
        return passphrase(a, config, out, e);
    out->kind = STORE_KEY_FILE;
    out->path = config->key_file != NULL ? config->key_file
                                         : arena_printf(a, "%s/keys/master.key", config->state_dir);
    return arena_check(a, e);
}

const char *server_key_file(const struct store_seal_ctx *seal)
{
    const struct store_key_source *source = store_seal_source(seal);

    return source->kind == STORE_KEY_FILE ? source->path : NULL;
}
