/* SPDX-License-Identifier: PostgreSQL */
/* store_key.c: loading, making and checking of the master key. */
#include "store/store_key.h"

#include <string.h>

#include "base/text.h"
#include "os/entropy.h"
#include "os/file.h"
#include "store/store_setting.h"
#include "store/store_user.h"
#include "tls/crypto.h"
#include "tls/hash.h"

#define CHECK_SETTING "key_check"
#define KEY_HEX_SIZE  (2 * STORE_KEY_BYTES + 1)

static void derive(const unsigned char *master, const char *purpose, unsigned char *out)
{
    struct hash_hkdf_input in = {
        .secret = str_make(master, STORE_KEY_BYTES), .salt = STR("pga"), .info = str_of(purpose)};

    hash_hkdf(&in, out, STORE_KEY_BYTES);
}

static void check_value(const unsigned char *master, char out[KEY_HEX_SIZE])
{
    unsigned char value[STORE_KEY_BYTES];

    derive(master, "key check", value);
    text_hex(value, sizeof(value), out);
}

static enum err_code read_key(const char *path, unsigned char *master, struct err *e)
{
    struct buf text;
    enum err_code rc;

    buf_init(&text, 256);
    rc = file_read_secret(path, &text, e);
    if (rc == ERR_OK && !text_unhex(buf_view(&text), master, STORE_KEY_BYTES))
        rc = err_set(e, ERR_DENIED, "%s is not 64 hexadecimal digits", path);
    crypto_wipe(text.ptr, text.len);
    buf_fini(&text);
    return rc;
}

static enum err_code make_key(const char *path, unsigned char *master, struct err *e)
{
    char text[KEY_HEX_SIZE], dir[512];
    const char *slash = strrchr(path, '/');
    enum err_code rc;

    if (slash == NULL || (size_t)(slash - path) >= sizeof(dir))
        return err_set(e, ERR_INVALID, "the key path is too long");
    memcpy(dir, path, (size_t)(slash - path));
    dir[slash - path] = '\0';
    entropy_fill(master, STORE_KEY_BYTES);
    text_hex(master, STORE_KEY_BYTES, text);
    rc = file_make_dirs(dir, 0700, e);
    if (rc == ERR_OK)
        rc = file_write_atomic(path, str_make(text, strlen(text)), 0600, e);
    crypto_wipe(text, sizeof(text));
    return rc;
}

static enum err_code compare(struct store *s, struct arena *a, const char *check, bool *known,
                             struct err *e)
{
    const char *stored;
    enum err_code rc = store_setting_get(s, a, CHECK_SETTING, &stored, e);

    *known = rc == ERR_OK;
    if (rc == ERR_NOT_FOUND)
        return ERR_OK;
    if (rc == ERR_OK && !crypto_equal(str_of(stored), str_of(check)))
        return err_set(e, ERR_DENIED, "this is not the master key of this store");
    return rc;
}

static enum err_code keep_check(struct store *s, const char *check, struct err *e)
{
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = store_setting_put(db, CHECK_SETTING, check, e);
    return store_end(s, rc, e);
}

/* A key is made, or taken on without a check value, only for a store nobody has used. */
static enum err_code require_empty(struct store *s, const char *path, struct err *e)
{
    int64_t accounts, owners;
    enum err_code rc = store_user_count(s, &accounts, &owners, e);

    if (rc == ERR_OK && accounts > 0)
        return err_set(e, ERR_DENIED, "the store holds data and %s is not there: restore it", path);
    return rc;
}

static enum err_code load(struct store *s, struct arena *a, const char *path, unsigned char *master,
                          struct err *e)
{
    char check[KEY_HEX_SIZE];
    bool known = false;
    enum err_code rc = read_key(path, master, e);

    if (rc == ERR_NOT_FOUND) {
        const char *stored;

        if (store_setting_get(s, a, CHECK_SETTING, &stored, e) == ERR_OK)
            return err_set(e, ERR_DENIED, "the store holds data and %s is not there: restore it",
                           path);
        rc = require_empty(s, path, e);
        if (rc == ERR_OK)
            rc = make_key(path, master, e);
    }
    if (rc != ERR_OK)
        return rc;
    check_value(master, check);
    rc = compare(s, a, check, &known, e);
    if (rc == ERR_OK && !known)
        rc = require_empty(s, path, e);
    if (rc == ERR_OK && !known)
        rc = keep_check(s, check, e);
    return rc;
}

enum err_code store_key_load(struct store *s, const char *path, struct store_keys *out,
                             struct err *e)
{
    unsigned char master[STORE_KEY_BYTES];
    struct arena a;
    enum err_code rc;

    arena_init(&a, "key", 65536);
    rc = load(s, &a, path, master, e);
    arena_fini(&a);
    if (rc == ERR_OK) {
        derive(master, "people tokens", out->people);
        derive(master, "agent tokens", out->agents);
        derive(master, "forms", out->forms);
        derive(master, "credentials", out->sealing);
    }
    crypto_wipe(master, sizeof(master));
    return rc;
}
