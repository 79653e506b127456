/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_jwt.c: any bytes as a token, and as a change of a good one.
 *
 * What is taken must be what our own key signs for those claims, to the byte; a good token with any
 * other byte, length or part in it must be refused.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tls/jwt.h"

#define NOW 1790000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned char secret[JWT_KEY_BYTES] = {3, 1, 4};

static void sign(const struct jwt_key *k, const struct jwt_claims *claims, struct buf *out)
{
    struct err e;

    if (jwt_sign(k, claims, out, &e) != ERR_OK)
        abort();
}

static void judge(const struct jwt_key *k, struct str token)
{
    struct jwt_claims got;
    struct buf again;
    struct err e;
    enum err_code rc = jwt_verify(k, token, (struct jwt_moment){NOW, 0}, &got, &e);

    if (rc != ERR_OK) {
        if (rc != ERR_DENIED || e.text[0] == '\0')
            abort();
        return;
    }
    buf_init(&again, JWT_TOKEN_MAX);
    sign(k, &got, &again);
    if (!str_eq(buf_view(&again), token))
        abort();
    buf_fini(&again);
}

/* data: pairs of a place and the byte that goes there. */
static void change(const struct jwt_key *k, struct str good, const uint8_t *data, size_t size)
{
    char *copy = malloc(good.len);
    struct jwt_claims got;
    struct err e;

    if (copy == NULL)
        return;
    memcpy(copy, good.ptr, good.len);
    for (size_t i = 0; i + 2 < size; i += 3)
        copy[((size_t)data[i] << 8 | data[i + 1]) % good.len] = (char)data[i + 2];
    if (memcmp(copy, good.ptr, good.len) != 0 &&
        jwt_verify(k, str_make(copy, good.len), (struct jwt_moment){NOW, 0}, &got, &e) == ERR_OK)
        abort();
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct jwt_claims claims = {"42", "a session", "", NOW - 5, NOW + 900};
    struct jwt_key people, agents;
    struct buf good;

    jwt_key_init(&people, JWT_PEOPLE, secret);
    jwt_key_init(&agents, JWT_AGENTS, secret);
    judge(&people, str_make(data, size));
    judge(&agents, str_make(data, size));
    buf_init(&good, JWT_TOKEN_MAX);
    sign(&people, &claims, &good);
    change(&people, buf_view(&good), data, size);
    judge(&agents, buf_view(&good));
    buf_fini(&good);
    return 0;
}
