/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_tls_handshake.c: a server of ours, and a client whose bytes are changed on their way.
 *
 * The first byte chooses: bit 0 whether the server wants an agent's certificate, bit 1 whether
 * there is a client at all (else the input is what the server reads), bits 2-7 how many bytes
 * arrive at once. With a client the next bytes are edits of four: offset in what the client says
 * (two bytes), what to do, a value. A handshake in which a byte was changed must not succeed; the
 * version in the head of a record and the record for middle boxes are no part of it. Random numbers
 * are the same for each input, so that it does the same whenever it is tried.
 */
#include <mbedtls/entropy.h>
#include <psa/crypto.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "os/clock.h"
#include "tls/crypto.h"
#include "tls/tls.h"
#include "tls/x509_issue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EDITS_MAX  8
#define ROUNDS     200
#define RECORD_CCS 20

enum edit_kind { EDIT_XOR, EDIT_DROP, EDIT_INSERT, EDIT_CUT, EDIT_KINDS };

struct edit {
    size_t at;
    enum edit_kind kind;
    unsigned char value;
};

/* What the server reads, and what it says. */
struct wire {
    struct buf up, down;
    struct buf meant, guarded; /* what the client said, and which bytes of it are protected */
    size_t up_at, down_at, piece;
    bool closed;
    struct edit edits[EDITS_MAX];
    size_t edit_count;
    size_t said;            /* bytes that the client has written */
    unsigned char head[5];  /* of the record that is being written */
    size_t in_record, left; /* bytes of its head, and of its body that are to come */
};

static struct tls_config *client_config, *servers[2];

/* --- randomness --- */

int mbedtls_hardware_poll(void *data, unsigned char *output, size_t len, size_t *olen);
const char *__asan_default_options(void);

/* In place of the library's own source of entropy: its generator starts anew for each input. */
int mbedtls_hardware_poll(void *data, unsigned char *output, size_t len, size_t *olen)
{
    (void)data;
    memset(output, 0x5a, len);
    *olen = len;
    return 0;
}

/* Arithmetic of keys allocates much: a long trace of each allocation takes a tenth of the time. */
const char *__asan_default_options(void)
{
    return "malloc_context_size=5";
}

static void must(enum err_code rc)
{
    if (rc != ERR_OK)
        abort();
}

static void start_random(void)
{
    mbedtls_psa_crypto_free();
    must(crypto_init(NULL));
}

/* --- certificates, once --- */

static void make_configs(void)
{
    static const struct uuid deployment = {{1}}, id = {{2}};
    const struct str name = STR("localhost");
    struct buf root, own, agent, key_text, agent_key_text;
    struct buf *all[] = {&root, &own, &agent, &key_text, &agent_key_text};
    struct x509_key *ca_key, *key, *agent_key;
    struct x509_public public, agent_public;
    int64_t now_s = clock_wall_ms() / 1000;

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        buf_init(all[i], 1 << 16);
    must(crypto_init(NULL));
    must(x509_key_make(&ca_key, NULL));
    must(x509_key_make(&key, NULL));
    must(x509_key_make(&agent_key, NULL));
    x509_key_public(key, &public);
    x509_key_public(agent_key, &agent_public);
    const struct x509_authority authority = {NULL, &deployment, 1};
    must(x509_issue_root(ca_key, &authority, now_s, &root, NULL));
    const struct x509_issuer by = {ca_key, buf_view(&root)};
    const struct x509_server server = {&public, &name, 1};
    const struct x509_agent agent_want = {&agent_public, &deployment, &id};
    must(x509_issue_server(&by, &server, now_s, &own, NULL));
    must(x509_issue_agent(&by, &agent_want, now_s, &agent, NULL));
    must(x509_key_write(key, &key_text, NULL));
    must(x509_key_write(agent_key, &agent_key_text, NULL));
    struct tls_config_spec spec = {.side = TLS_SERVER,
                                   .peer = TLS_PEER_UNKNOWN,
                                   .chain_pem = buf_view(&own),
                                   .key_pem = buf_view(&key_text),
                                   .ca_pem = buf_view(&root)};
    must(tls_config_new(&spec, &servers[0], NULL));
    spec.peer = TLS_PEER_AGENT;
    must(tls_config_new(&spec, &servers[1], NULL));
    spec = (struct tls_config_spec){.side = TLS_CLIENT,
                                    .chain_pem = buf_view(&agent),
                                    .key_pem = buf_view(&agent_key_text),
                                    .ca_pem = buf_view(&root)};
    must(tls_config_new(&spec, &client_config, NULL));
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        buf_fini(all[i]);
    x509_key_free(ca_key);
    x509_key_free(key);
    x509_key_free(agent_key);
}

/* --- the wire --- */

/* Follow the records; whether the byte is one that the handshake protects. */
static bool is_protected(struct wire *w, unsigned char byte)
{
    size_t at = w->in_record;

    if (at < sizeof(w->head)) {
        w->head[w->in_record++] = byte;
        if (w->in_record == sizeof(w->head))
            w->left = (size_t)w->head[3] << 8 | w->head[4];
        if (at == 1 || at == 2)
            return false;
    } else {
        w->left--;
    }
    if (w->in_record == sizeof(w->head) && w->left == 0)
        w->in_record = 0;
    return w->head[0] != RECORD_CCS;
}

static void put_byte(struct wire *w, unsigned char byte)
{
    bool guarded = is_protected(w, byte), drop = false;

    buf_add(&w->meant, &byte, 1);
    buf_add_char(&w->guarded, guarded);
    for (size_t i = 0; i < w->edit_count; i++) {
        const struct edit *edit = &w->edits[i];

        if (edit->at != w->said)
            continue;
        drop |= edit->kind == EDIT_DROP;
        w->closed |= edit->kind == EDIT_CUT;
        if (edit->kind == EDIT_XOR)
            byte ^= edit->value;
        else if (edit->kind == EDIT_INSERT)
            buf_add(&w->up, &edit->value, 1);
    }
    w->said++;
    if (!w->closed && !drop)
        buf_add(&w->up, &byte, 1);
}

static ssize_t client_write(void *arg, const void *from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        put_byte(arg, ((const unsigned char *)from)[i]);
    return (ssize_t)len;
}

static ssize_t take(const struct buf *b, size_t *at, void *to, size_t len)
{
    errno = EAGAIN;
    if (*at == b->len)
        return -1;
    len = len < b->len - *at ? len : b->len - *at;
    memcpy(to, b->ptr + *at, len);
    *at += len;
    return (ssize_t)len;
}

static ssize_t client_read(void *arg, void *to, size_t len)
{
    struct wire *w = arg;

    return take(&w->down, &w->down_at, to, len);
}

static ssize_t server_read(void *arg, void *to, size_t len)
{
    struct wire *w = arg;
    ssize_t n = take(&w->up, &w->up_at, to, len < w->piece ? len : w->piece);

    return n < 0 && w->closed ? 0 : n;
}

static ssize_t server_write(void *arg, const void *from, size_t len)
{
    struct wire *w = arg;

    buf_add(&w->down, from, len);
    return (ssize_t)len;
}

/* --- one input --- */

/* Whether the server has read something else than was said; changes may undo each other. */
static bool was_changed(const struct wire *w)
{
    for (size_t i = 0; i < w->up_at && i < w->meant.len; i++) {
        if (w->guarded.ptr[i] && w->up.ptr[i] != w->meant.ptr[i])
            return true;
    }
    return false;
}

static void check(const struct wire *w, struct tls_session *s, enum tls_step step, bool for_agents)
{
    char bytes[256];
    size_t got, put;

    if (step != TLS_DONE) {
        if (tls_session_peer(s).len > 0)
            abort();
        return;
    }
    if (w->said == 0 || was_changed(w) || (tls_session_peer(s).len > 0) != for_agents ||
        strcmp(tls_session_version(s), "TLSv1.3") != 0)
        abort();
    while (tls_session_read(s, bytes, sizeof(bytes), &got) == TLS_DONE)
        ;
    (void)tls_session_write(s, "answer", 6, &put);
    (void)tls_session_end(s);
}

static bool is_over(enum tls_step step)
{
    return step == TLS_DONE || step == TLS_FAILED;
}

static void run(struct wire *w, bool for_agents, bool with_client)
{
    const struct tls_io up = {client_read, client_write, w}, down = {server_read, server_write, w};
    struct tls_session *client, *server;
    enum tls_step c = with_client ? TLS_WANT_READ : TLS_FAILED, s = TLS_WANT_READ;
    size_t put;

    must(tls_session_new(client_config, &up, "localhost", &client, NULL));
    must(tls_session_new(servers[for_agents], &down, NULL, &server, NULL));
    for (int i = 0; i < ROUNDS && !is_over(s); i++) {
        size_t before = w->up_at;

        if (!is_over(c) && (c = tls_session_shake(client)) == TLS_DONE)
            (void)tls_session_write(client, "question", 8, &put);
        for (s = tls_session_shake(server); !is_over(s) && w->up_at < w->up.len;)
            s = tls_session_shake(server);
        if (is_over(c) && w->up_at == before)
            w->closed = true;
    }
    check(w, server, s, for_agents);
    tls_session_free(client);
    tls_session_free(server);
}

static void read_edits(struct wire *w, const uint8_t *data, size_t size)
{
    for (; size >= 4 && w->edit_count < EDITS_MAX; data += 4, size -= 4) {
        w->edits[w->edit_count++] = (struct edit){.at = (size_t)data[0] | (size_t)data[1] << 8,
                                                  .kind = data[2] % EDIT_KINDS,
                                                  .value = data[3]};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire w = {0};

    if (size == 0)
        return 0;
    if (client_config == NULL)
        make_configs();
    start_random();
    buf_init(&w.up, 1 << 20);
    buf_init(&w.down, 1 << 20);
    buf_init(&w.meant, 1 << 20);
    buf_init(&w.guarded, 1 << 20);
    w.piece = data[0] >> 2 == 0 ? SIZE_MAX : data[0] >> 2;
    if (data[0] & 2)
        read_edits(&w, data + 1, size - 1);
    else
        buf_add(&w.up, data + 1, size - 1);
    run(&w, data[0] & 1, data[0] & 2);
    buf_fini(&w.up);
    buf_fini(&w.down);
    buf_fini(&w.meant);
    buf_fini(&w.guarded);
    return 0;
}
