/* SPDX-License-Identifier: PostgreSQL */
/*
 * password.c: Argon2id over the reference library.
 *
 * Threads: `gate` guards two counters; nobody computes while holding it.
 */
#include "tls/password.h"

#include <argon2.h>

#include <string.h>

#include "base/thread.h"
#include "os/entropy.h"
#include "tls/password_common.h"

#define MEMORY_KIB  19456
#define PASSES      2
#define LANES       1
#define SALT_BYTES  16
#define HASH_LEN    32
#define MAX_RUNNING 2
#define MAX_WAITING 16

/* Stands in for unknown users: our parameters, an arbitrary salt and digest. */
static const char nobody[] = "$argon2id$v=19$m=19456,t=2,p=1$2XyxKDbYpGLm1Q0C0Hcs8Q$"
                             "FzCWb2G5ZjmgvhyZP4Vqv1gkmW1BdZ8h9dRkPOdz0YA";

static struct {
    struct lock lock;
    struct cond free;
    int running, waiting;
} gate;

void password_init(void)
{
    lock_init(&gate.lock, "password", 10);
    cond_init(&gate.free);
    gate.running = gate.waiting = 0;
}

static enum err_code gate_enter(struct err *e)
{
    enum err_code rc = ERR_OK;

    lock_take(&gate.lock);
    if (gate.waiting >= MAX_WAITING) {
        rc = ERR_LIMIT;
    } else {
        gate.waiting++;
        while (gate.running >= MAX_RUNNING)
            cond_wait(&gate.free, &gate.lock);
        gate.waiting--;
        gate.running++;
    }
    lock_release(&gate.lock);
    if (rc != ERR_OK)
        return err_set(e, rc, "too many logins at once");
    return ERR_OK;
}

static void gate_leave(void)
{
    lock_take(&gate.lock);
    gate.running--;
    cond_signal(&gate.free);
    lock_release(&gate.lock);
}

enum err_code password_check_new(struct str password, struct err *e)
{
    if (password.len < PASSWORD_MIN_BYTES)
        return err_set(e, ERR_INVALID, "a password needs at least %d bytes", PASSWORD_MIN_BYTES);
    if (password.len > PASSWORD_MAX_BYTES)
        return err_set(e, ERR_INVALID, "a password has at most %d bytes", PASSWORD_MAX_BYTES);
    if (password_is_common(password))
        return err_set(e, ERR_INVALID,
                       "this password is made of what is tried first: common words, rows of keys, "
                       "repetitions; take another one");
    return ERR_OK;
}

bool password_is_old(const char *hash)
{
    return strncmp(hash, nobody, strlen("$argon2id$v=19$m=19456,t=2,p=1$")) != 0;
}

enum err_code password_hash(struct str password, char out[PASSWORD_HASH_SIZE], struct err *e)
{
    unsigned char salt[SALT_BYTES];
    enum err_code rc = gate_enter(e);
    int result;

    if (rc != ERR_OK)
        return rc;
    entropy_fill(salt, sizeof(salt));
    result = argon2id_hash_encoded(PASSES, MEMORY_KIB, LANES, password.ptr, password.len, salt,
                                   sizeof(salt), HASH_LEN, out, PASSWORD_HASH_SIZE);
    gate_leave();
    if (result != ARGON2_OK)
        return err_set(e, ERR_LIMIT, "the password cannot be hashed: %s",
                       argon2_error_message(result));
    return ERR_OK;
}

enum err_code password_verify(const char *hash, struct str password, bool *matches, struct err *e)
{
    enum err_code rc;
    int result;

    *matches = false;
    if (password.len > PASSWORD_MAX_BYTES)
        password.len = 0;
    rc = gate_enter(e);
    if (rc != ERR_OK)
        return rc;
    result = argon2id_verify(hash ? hash : nobody, password.ptr, password.len);
    gate_leave();
    if (result != ARGON2_OK && result != ARGON2_VERIFY_MISMATCH)
        return err_set(e, result == ARGON2_MEMORY_ALLOCATION_ERROR ? ERR_LIMIT : ERR_CORRUPT,
                       "the password cannot be checked: %s", argon2_error_message(result));
    *matches = result == ARGON2_OK && hash != NULL;
    return ERR_OK;
}

/* The cost comes from the database: it must not let us allocate or compute without end. */
static bool cost_is_sane(const struct password_cost *c)
{
    return c->memory_kib >= 8192 && c->memory_kib <= 1048576 && c->passes >= 1 && c->passes <= 16 &&
           c->lanes >= 1 && c->lanes <= 8;
}

enum err_code password_key(struct str passphrase, const struct password_cost *cost,
                           unsigned char out[PASSWORD_KEY_BYTES], struct err *e)
{
    int result;

    if (!cost_is_sane(cost))
        return err_set(e, ERR_CORRUPT, "the parameters of the passphrase are out of bounds");
    result = argon2id_hash_raw(cost->passes, cost->memory_kib, cost->lanes, passphrase.ptr,
                               passphrase.len, cost->salt, sizeof(cost->salt), out,
                               PASSWORD_KEY_BYTES);
    if (result != ARGON2_OK)
        return err_set(e, ERR_LIMIT, "the passphrase cannot be used: %s",
                       argon2_error_message(result));
    return ERR_OK;
}
