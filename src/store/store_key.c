/* SPDX-License-Identifier: PostgreSQL */
/* store_key.c: reading, making, checking and replacing of the master key. */
#include "store/store_key.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "os/entropy.h"
#include "os/file.h"
#include "store/store_setting.h"
#include "store/store_user.h"
#include "tls/crypto.h"
#include "tls/hash.h"
#include "tls/password.h"

#define CHECK_SETTING  "key_check"
#define COST_SETTING   "key_passphrase"
#define PATH_SIZE      4096
#define SECRET_MAX     1024
#define PASSPHRASE_MIN 16 /* bytes; a thief of the database may try as many as he likes */

const char *store_key_kind_name(enum store_key_kind kind)
{
    static const char *const names[] = {"file", "credential", "passphrase"};

    return names[kind];
}

void store_key_derive(const unsigned char *from, const char *purpose,
                      unsigned char out[STORE_KEY_BYTES])
{
    struct hash_hkdf_input in = {
        .secret = str_make(from, STORE_KEY_BYTES), .salt = STR("pga"), .info = str_of(purpose)};

    hash_hkdf(&in, out, STORE_KEY_BYTES);
}

static void name_key(struct store_key *key)
{
    unsigned char value[STORE_KEY_BYTES];

    store_key_derive(key->bytes, "key check", value);
    text_hex(value, sizeof(value), key->check);
}

static enum err_code next_path(const char *path, char out[PATH_SIZE], struct err *e)
{
    int len = snprintf(out, PATH_SIZE, "%s.next", path);

    if (len < 0 || len >= PATH_SIZE)
        return err_set(e, ERR_INVALID, "the key path is too long");
    return ERR_OK;
}

/* --- parameters of a passphrase: "m=65536,t=3,p=1,salt=<32 hexadecimal digits>" --- */

static void new_cost(char out[STORE_KEY_COST_SIZE])
{
    unsigned char salt[PASSWORD_SALT_BYTES];
    char text[2 * PASSWORD_SALT_BYTES + 1];

    entropy_fill(salt, sizeof(salt));
    text_hex(salt, sizeof(salt), text);
    (void)snprintf(out, STORE_KEY_COST_SIZE, "m=%d,t=%d,p=%d,salt=%s", PASSWORD_KEY_MEMORY_KIB,
                   PASSWORD_KEY_PASSES, PASSWORD_KEY_LANES, text);
}

static bool cost_number(struct str *rest, const char *name, uint32_t *out)
{
    struct str item = str_split(rest, ',');
    uint64_t value;

    if (!str_starts(item, str_of(name)))
        return false;
    item = str_make(item.ptr + strlen(name), item.len - strlen(name));
    if (num_parse_u64(item, UINT32_MAX, &value, NULL) != ERR_OK)
        return false;
    *out = (uint32_t)value;
    return true;
}

static enum err_code read_cost(const char *text, struct password_cost *out, struct err *e)
{
    struct str rest = str_of(text);

    if (cost_number(&rest, "m=", &out->memory_kib) && cost_number(&rest, "t=", &out->passes) &&
        cost_number(&rest, "p=", &out->lanes) && str_starts(rest, STR("salt=")) &&
        text_unhex(str_make(rest.ptr + 5, rest.len - 5), out->salt, sizeof(out->salt)))
        return ERR_OK;
    return err_set(e, ERR_CORRUPT, "the parameters of the passphrase cannot be read");
}

/* --- reading --- */

static enum err_code from_passphrase(const char *path, struct str text, struct store_key *out,
                                     struct err *e)
{
    struct password_cost cost;
    enum err_code rc;

    if (text.len < PASSPHRASE_MIN)
        return err_set(e, ERR_DENIED, "%s: a passphrase needs at least %d bytes", path,
                       PASSPHRASE_MIN);
    rc = read_cost(out->cost, &cost, e);
    return rc == ERR_OK ? password_key(text, &cost, out->bytes, e) : rc;
}

/* out->cost says how, of a passphrase. */
static enum err_code read_key(enum store_key_kind kind, const char *path, struct store_key *out,
                              struct err *e)
{
    struct buf text;
    enum err_code rc;

    buf_init(&text, SECRET_MAX);
    rc = file_read_secret(path, &text, e);
    if (rc == ERR_OK && kind == STORE_KEY_PASSPHRASE)
        rc = from_passphrase(path, buf_view(&text), out, e);
    else if (rc == ERR_OK && !text_unhex(buf_view(&text), out->bytes, STORE_KEY_BYTES))
        rc = err_set(e, ERR_DENIED, "%s is not 64 hexadecimal digits", path);
    crypto_wipe(text.ptr, text.len);
    buf_fini(&text);
    if (rc == ERR_OK)
        name_key(out);
    return rc;
}

static enum err_code make_key(const char *path, struct store_key *out, struct err *e)
{
    char text[2 * STORE_KEY_BYTES + 1], dir[PATH_SIZE];
    const char *slash = strrchr(path, '/');
    enum err_code rc;

    if (slash == NULL || (size_t)(slash - path) >= sizeof(dir))
        return err_set(e, ERR_INVALID, "the key path is too long");
    memcpy(dir, path, (size_t)(slash - path));
    dir[slash - path] = '\0';
    entropy_fill(out->bytes, STORE_KEY_BYTES);
    text_hex(out->bytes, STORE_KEY_BYTES, text);
    rc = file_make_dirs(dir, 0700, e);
    if (rc == ERR_OK)
        rc = file_write_atomic(path, str_make(text, strlen(text)), 0600, e);
    crypto_wipe(text, sizeof(text));
    name_key(out);
    return rc;
}

/* --- what the store knows --- */

struct known {
    const char *check; /* NULL = none yet */
    const char *cost;
};

static enum err_code setting(struct store *s, struct arena *a, const char *name, const char **out,
                             struct err *e)
{
    enum err_code rc = store_setting_get(s, a, name, out, e);

    if (rc == ERR_NOT_FOUND) {
        *out = NULL;
        return ERR_OK;
    }
    return rc;
}

static enum err_code read_known(struct store *s, struct arena *a, struct known *out, struct err *e)
{
    enum err_code rc = setting(s, a, CHECK_SETTING, &out->check, e);

    return rc == ERR_OK ? setting(s, a, COST_SETTING, &out->cost, e) : rc;
}

/* A key is made, or taken on without a check value, only for a store nobody has used. */
static enum err_code require_empty(struct store *s, const char *path, struct err *e)
{
    int64_t accounts, owners, done = 0;
    enum err_code rc = store_user_count(s, &accounts, &owners, e);

    if (rc == ERR_OK)
        rc = store_count(s, "audit_count", SQLDB_NO_ARGS, &done, e);
    if (rc == ERR_OK && accounts + done > 0)
        return err_set(e, ERR_DENIED, "the store holds data and its key is not known: restore %s",
                       path);
    return rc;
}

static enum err_code take_new(struct store *s, const struct store_key_source *from,
                              struct store_key *out, enum err_code had, struct err *e)
{
    enum err_code rc = had;

    if (had == ERR_NOT_FOUND || had == ERR_OK)
        rc = require_empty(s, from->path, e);
    if (rc == ERR_OK && had == ERR_NOT_FOUND && from->kind == STORE_KEY_FILE)
        return make_key(from->path, out, e);
    if (rc == ERR_OK && had == ERR_NOT_FOUND)
        return err_set(e, ERR_DENIED, "%s is not there", from->path);
    return rc;
}

static bool fits(const struct store_key *key, const char *check)
{
    return crypto_equal(str_of(check), str_of(key->check));
}

/* A rotation was cut between its commit and putting the key in place. */
static enum err_code take_next(const struct store_key_source *from, const char *check,
                               struct store_key *out, enum store_key_state *state)
{
    char path[PATH_SIZE];
    struct err e;

    *state = STORE_KEY_NEXT;
    if (next_path(from->path, path, &e) != ERR_OK ||
        read_key(from->kind, path, out, &e) != ERR_OK || !fits(out, check))
        return ERR_NOT_FOUND;
    return ERR_OK;
}

static enum err_code take_known(const struct store_key_source *from, const char *check,
                                struct store_key *out, enum store_key_state *state, struct err *e)
{
    enum err_code rc = read_key(from->kind, from->path, out, e);

    *state = STORE_KEY_KNOWN;
    if (rc != ERR_OK && rc != ERR_NOT_FOUND)
        return rc;
    if (rc == ERR_OK && fits(out, check))
        return ERR_OK;
    if (take_next(from, check, out, state) == ERR_OK)
        return from->kind == STORE_KEY_FILE ? store_key_place(from, e) : ERR_OK;
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_DENIED, "the store holds data and %s is not there: restore it",
                       from->path);
    return err_set(e, ERR_DENIED, "%s is not the master key of this store", from->path);
}

static void start_cost(const struct store_key_source *from, const struct known *known,
                       struct store_key *out)
{
    out->cost[0] = '\0';
    if (from->kind == STORE_KEY_PASSPHRASE && known->cost != NULL)
        (void)snprintf(out->cost, sizeof(out->cost), "%s", known->cost);
    else if (from->kind == STORE_KEY_PASSPHRASE)
        new_cost(out->cost);
}

enum err_code store_key_load(struct store *s, const struct store_key_source *from,
                             struct store_key *out, enum store_key_state *state, struct err *e)
{
    struct known known;
    struct arena a;
    enum err_code rc;

    arena_init(&a, "key", 65536);
    rc = read_known(s, &a, &known, e);
    if (rc == ERR_OK)
        start_cost(from, &known, out);
    if (rc == ERR_OK && known.check != NULL)
        rc = take_known(from, known.check, out, state, e);
    else if (rc == ERR_OK) {
        *state = STORE_KEY_NEW;
        rc = take_new(s, from, out, read_key(from->kind, from->path, out, e), e);
    }
    arena_fini(&a);
    if (rc != ERR_OK)
        crypto_wipe(out, sizeof(*out));
    return rc;
}

enum err_code store_key_keep(struct sqldb *db, const struct store_key *key, struct err *e)
{
    enum err_code rc = store_setting_put(db, CHECK_SETTING, key->check, e);

    if (rc == ERR_OK && key->cost[0] != '\0')
        rc = store_setting_put(db, COST_SETTING, key->cost, e);
    return rc;
}

enum err_code store_key_compare(struct sqldb *db, const struct store_key *key, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "setting_get", SQLDB_ARGS(sqldb_text_c(CHECK_SETTING)), &q, e);

    if (rc == ERR_OK &&
        !crypto_equal(sqldb_get_text(q, sqldb_column(q, "value")), str_of(key->check)))
        rc = err_set(e, ERR_DENIED, "the store has another master key by now");
    sqldb_end(q);
    return rc;
}

/* --- rotation --- */

enum err_code store_key_next(const struct store_key_source *from, struct store_key *out,
                             struct err *e)
{
    char path[PATH_SIZE];
    enum err_code rc = next_path(from->path, path, e);

    out->cost[0] = '\0';
    if (from->kind == STORE_KEY_PASSPHRASE)
        new_cost(out->cost);
    if (rc == ERR_OK && from->kind == STORE_KEY_FILE)
        return make_key(path, out, e);
    if (rc == ERR_OK)
        rc = read_key(from->kind, path, out, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND, "put the %s that follows into %s",
                       from->kind == STORE_KEY_PASSPHRASE ? "passphrase" : "key", path);
    return rc;
}

enum err_code store_key_place(const struct store_key_source *from, struct err *e)
{
    char path[PATH_SIZE], *slash;
    enum err_code rc = next_path(from->path, path, e);

    if (rc != ERR_OK || from->kind != STORE_KEY_FILE)
        return rc;
    rc = file_rename(path, from->path, e);
    slash = strrchr(path, '/');
    if (rc != ERR_OK || slash == NULL)
        return rc;
    *slash = '\0';
    return file_sync_dir(path, e);
}
