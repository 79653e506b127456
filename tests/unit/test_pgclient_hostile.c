/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pgclient_hostile.c: P5: a server of PostgreSQL that means harm. A thread speaks protocol 3
 * to one connection and answers its query with whatever a case says, for ever; what the client does
 * ends by its budget of bytes or by its deadline, and its memory stays small.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"
#include "os/clock.h"
#include "pgclient/pgclient.h"

#define SHORT_US      (500 * INT64_C(1000)) /* where the deadline is what ends it */
#define LONG_US       (30 * INT64_C(1000000))
#define PATIENCE_US   (60 * INT64_C(1000000))
#define GROWTH_KB     (48 * 1024)
#define CANCEL_CODE   80877102
#define STARTUP_BYTES 8

/* --- messages --- */

struct message {
    unsigned char bytes[70000];
    size_t len;
};

static void put_bytes(struct message *m, const void *bytes, size_t len)
{
    assert_true(m->len + len <= sizeof(m->bytes));
    memcpy(m->bytes + m->len, bytes, len);
    m->len += len;
}

static void put_number(struct message *m, uint32_t value, size_t size)
{
    for (size_t i = size; i-- > 0;) {
        unsigned char byte = (unsigned char)(value >> (8 * i));

        put_bytes(m, &byte, 1);
    }
}

/* A message with the length that it says it has, which need not be the one of `body`. */
static void put_message(struct message *m, char type, uint32_t said, struct str body)
{
    put_bytes(m, &type, 1);
    put_number(m, said, 4);
    put_bytes(m, body.ptr, body.len);
}

static void put_text_message(struct message *m, char type, struct str body)
{
    put_message(m, type, (uint32_t)body.len + 4, body);
}

/* --- a peer --- */

struct peer;
typedef void answer_of(struct peer *p, int fd);

struct peer {
    int listener;
    unsigned port;
    answer_of *answer;
    const char *iterations; /* NULL = nobody needs to log in */
    atomic_bool stop;
    pthread_t thread;
};

/* Whether all of it went out; not when the other end has had enough, or the case is over. */
static bool send_all(struct peer *p, int fd, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0 && !atomic_load(&p->stop)) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        ssize_t sent;

        if (poll(&ready, 1, 50) == 0)
            continue;
        sent = send(fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0)
            return false;
        at += sent;
        len -= (size_t)sent;
    }
    return len == 0;
}

static bool send_message(struct peer *p, int fd, const struct message *m)
{
    return send_all(p, fd, m->bytes, m->len);
}

static ssize_t take(struct peer *p, int fd, void *to, size_t len)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    while (poll(&ready, 1, 50) == 0) {
        if (atomic_load(&p->stop))
            return 0;
    }
    return recv(fd, to, len, 0);
}

static void welcome(struct message *m)
{
    put_message(m, 'R', 8, str_make("\0\0\0\0", 4));
    put_text_message(m, 'S',
                     str_make("server_version\0"
                              "15.0\0",
                              20));
    put_text_message(m, 'S',
                     str_make("client_encoding\0"
                              "UTF8\0",
                              21));
    put_text_message(m, 'K', str_make("\0\0\0\1\0\0\0\2", 8));
    put_text_message(m, 'Z', STR("I"));
}

/* What begins the answer to a query of the extended protocol: one column of text, "x". */
static void describe(struct message *m)
{
    put_text_message(m, '1', STR(""));
    put_text_message(m, '2', STR(""));
    put_text_message(m, 'T',
                     str_make("\0\1x\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0", 22));
}

/* SCRAM up to the server's first message, which says how often to hash. */
static void ask_to_hash(struct peer *p, int fd)
{
    unsigned char bytes[4096] = {0};
    struct message m = {.len = 0};
    char first[512];

    put_text_message(&m, 'R', str_make("\0\0\0\x0aSCRAM-SHA-256\0\0", 19));
    if (!send_message(p, fd, &m) || take(p, fd, bytes, sizeof(bytes) - 1) <= 0)
        return;
    const char *nonce = memmem(bytes, sizeof(bytes), "r=", 2);
    if (nonce == NULL)
        return;
    int n = snprintf(first + 4, sizeof(first) - 4, "%.200sx,s=AAAA,i=%s", nonce, p->iterations);
    memcpy(first, "\0\0\0\x0b", 4);
    m.len = 0;
    put_text_message(&m, 'R', str_make(first, (size_t)n + 4));
    if (send_message(p, fd, &m))
        (void)!take(p, fd, bytes, sizeof(bytes));
}

static void serve(struct peer *p, int fd)
{
    unsigned char head[4096];
    struct message m = {.len = 0};
    ssize_t got = take(p, fd, head, sizeof(head));

    if (got < STARTUP_BYTES ||
        (head[4] << 24 | head[5] << 16 | head[6] << 8 | head[7]) == CANCEL_CODE)
        return; /* a cancel: heard, and not heeded */
    if (p->iterations != NULL) {
        ask_to_hash(p, fd);
        return;
    }
    welcome(&m);
    if (send_message(p, fd, &m) && take(p, fd, head, sizeof(head)) > 0)
        p->answer(p, fd);
}

struct one {
    struct peer *p;
    int fd;
};

static void *serve_one(void *arg)
{
    struct one *o = arg;

    serve(o->p, o->fd);
    (void)close(o->fd);
    free(o);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct peer *p = arg;
    pthread_t threads[16];
    size_t count = 0;

    while (!atomic_load(&p->stop)) {
        struct pollfd ready = {.fd = p->listener, .events = POLLIN};
        struct one *o;

        if (poll(&ready, 1, 20) <= 0 || count == 16)
            continue;
        o = malloc(sizeof(*o));
        *o = (struct one){p, accept(p->listener, NULL, NULL)};
        if (pthread_create(&threads[count], NULL, serve_one, o) == 0)
            count++;
    }
    while (count > 0)
        (void)pthread_join(threads[--count], NULL);
    return NULL;
}

static void peer_begin(struct peer *p, answer_of *answer)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);

    *p = (struct peer){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                       .answer = answer};
    assert_int_equal(bind(p->listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(p->listener, 16), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&at, &len), 0);
    p->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&p->thread, NULL, accept_all, p), 0);
}

static void peer_end(struct peer *p)
{
    atomic_store(&p->stop, true);
    (void)pthread_join(p->thread, NULL);
    (void)close(p->listener);
}

/* --- what the client does --- */

static long peak_kb(void)
{
    char line[128];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");

    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL && kb == 0)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    (void)fclose(f);
    return kb;
}

struct outcome {
    enum err_code code;
    struct err e;
    size_t rows;
    char first[64]; /* of the first cell */
    size_t first_len;
};

static void read_rows(struct pgclient *c, int64_t within_us, struct outcome *out)
{
    const struct pgclient_query q = {.sql = "SELECT x", .deadline_us = clock_mono_us() + within_us};
    struct pgclient_row row = {0};

    out->code = pgclient_begin(c, &q, &out->e);
    if (out->code != ERR_OK)
        return;
    do {
        out->code = pgclient_next(c, &row, &out->e);
        if (out->code == ERR_OK && row.count > 0 && out->rows++ == 0 && row.count == 1 &&
            row.cells[0].len > 0) {
            out->first_len = row.cells[0].len;
            memcpy(out->first, row.cells[0].ptr,
                   out->first_len < sizeof(out->first) ? out->first_len : sizeof(out->first));
        }
    } while (out->code == ERR_OK && row.count > 0);
    if (out->code == ERR_OK)
        out->code = pgclient_end(c, NULL, &out->e);
    else
        (void)!pgclient_end(c, NULL, NULL);
}

/* The whole visit; fails the test when it took long, or memory. */
static struct outcome visit(answer_of *answer, int64_t within_us)
{
    struct pgclient_config config = {
        .host = "127.0.0.1", .user = "u", .dbname = "d", .sslmode = "disable"};
    int64_t begin_us = clock_mono_us();
    struct outcome out = {.code = ERR_BUG};
    long before_kb = peak_kb();
    struct pgclient *c = NULL;
    struct peer p;
    char port[8];

    peer_begin(&p, answer);
    (void)snprintf(port, sizeof(port), "%u", p.port);
    config.port = port;
    out.code = pgclient_open(&config, begin_us + PATIENCE_US, &c, &out.e);
    if (out.code != ERR_OK)
        fail_msg("connecting: %s", out.e.text);
    read_rows(c, within_us, &out);
    pgclient_close(c);
    assert_in_range(clock_mono_us() - begin_us, 0, PATIENCE_US);
    peer_end(&p);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_in_range(peak_kb() - before_kb, 0, GROWTH_KB);
#else
    (void)before_kb;
#endif
    return out;
}

static void ends_by_a_bound(answer_of *answer)
{
    struct outcome out = visit(answer, LONG_US);

    if (out.code != ERR_LIMIT && out.code != ERR_TIMEOUT && out.code != ERR_UNREACHABLE)
        fail_msg("code %d: %s", (int)out.code, out.e.text);
}

/* --- cases --- */

static void gigabyte(struct peer *p, int fd)
{
    static const char zeros[65536];
    struct message m = {.len = 0};

    describe(&m);
    put_message(&m, 'D', 0x40000006, STR(""));
    put_number(&m, 1, 2);
    put_number(&m, 0x40000000, 4);
    for (bool on = send_message(p, fd, &m); on;)
        on = send_all(p, fd, zeros, sizeof(zeros));
}

static void p5_a_field_of_a_gigabyte_ends_at_the_budget(void **state)
{
    struct outcome out = visit(gigabyte, LONG_US);

    (void)state;
    assert_int_equal(out.code, ERR_LIMIT);
    assert_int_equal(out.rows, 0);
}

/* One message again and again, behind the description. */
static void repeat(struct peer *p, int fd, const struct message *again)
{
    struct message m = {.len = 0};
    static const int many = 64;
    char *block = malloc(again->len * (size_t)many);

    for (int i = 0; i < many; i++)
        memcpy(block + (size_t)i * again->len, again->bytes, again->len);
    describe(&m);
    for (bool on = send_message(p, fd, &m); on;)
        on = send_all(p, fd, block, again->len * (size_t)many);
    free(block);
}

static void endless(struct peer *p, int fd)
{
    struct message row = {.len = 0};
    static char text[1000];

    memset(text, 'r', sizeof(text));
    put_message(&row, 'D', 4 + 2 + 4 + sizeof(text), STR(""));
    put_number(&row, 1, 2);
    put_number(&row, sizeof(text), 4);
    put_bytes(&row, text, sizeof(text));
    repeat(p, fd, &row);
}

static void p5_a_result_that_never_ends_ends_at_the_budget(void **state)
{
    struct outcome out = visit(endless, LONG_US);

    (void)state;
    assert_int_equal(out.code, ERR_LIMIT);
    assert_in_range(out.rows, 1000, 9000); /* of a kilobyte, of 8 MB */
}

static void empty_rows(struct peer *p, int fd)
{
    struct message row = {.len = 0};

    put_message(&row, 'D', 4 + 2 + 4, STR(""));
    put_number(&row, 1, 2);
    put_number(&row, 0xffffffff, 4); /* NULL */
    repeat(p, fd, &row);
}

static void notices(struct peer *p, int fd)
{
    struct message n = {.len = 0};

    put_text_message(&n, 'N', str_make("SNOTICE\0C00000\0Mlook here\0\0", 27));
    repeat(p, fd, &n);
}

static void parameters(struct peer *p, int fd)
{
    struct message n = {.len = 0};

    put_text_message(&n, 'S', str_make("a_setting\0of its own\0", 21));
    repeat(p, fd, &n);
}

static void notifications(struct peer *p, int fd)
{
    struct message n = {.len = 0};

    put_text_message(&n, 'A', str_make("\0\0\0\1channel\0payload\0", 20));
    repeat(p, fd, &n);
}

static void p5_floods_end(void **state)
{
    (void)state;
    ends_by_a_bound(empty_rows);
    ends_by_a_bound(notices);
    ends_by_a_bound(parameters);
    ends_by_a_bound(notifications);
}

static void drip(struct peer *p, int fd)
{
    struct message m = {.len = 0};
    bool on = true;

    describe(&m);
    put_message(&m, 'D', 60000, STR(""));
    for (size_t i = 0; on; i++) {
        on = send_all(p, fd, i < m.len ? (const char *)m.bytes + i : "x", 1);
        clock_sleep_ms(10);
    }
}

static void p5_a_slow_drip_ends_at_the_deadline(void **state)
{
    struct outcome out = visit(drip, SHORT_US);

    (void)state;
    assert_int_equal(out.code, ERR_TIMEOUT);
}

static void silence(struct peer *p, int fd)
{
    char unused[16];

    while (take(p, fd, unused, sizeof(unused)) > 0)
        ;
}

static void p5_silence_ends_at_the_deadline(void **state)
{
    struct outcome out = visit(silence, SHORT_US);

    (void)state;
    assert_int_equal(out.code, ERR_TIMEOUT);
}

static const char bad_text[] = "a\0b\xff\xed\xa0\x80\x1b[2J\xc3";
#define BAD_LEN (sizeof(bad_text) - 1)

static void broken_text(struct peer *p, int fd)
{
    struct message m = {.len = 0};

    describe(&m);
    put_message(&m, 'D', 4 + 2 + 4 + BAD_LEN, STR(""));
    put_number(&m, 1, 2);
    put_number(&m, BAD_LEN, 4);
    put_bytes(&m, bad_text, BAD_LEN);
    put_text_message(&m, 'C', str_make("SELECT 1\0", 9));
    put_text_message(&m, 'Z', STR("I"));
    (void)send_message(p, fd, &m);
    silence(p, fd);
}

static void p5_nul_and_broken_utf8_become_text_that_can_be_told(void **state)
{
    struct outcome out = visit(broken_text, LONG_US);
    struct json_writer w;
    struct buf json;

    (void)state;
    assert_int_equal(out.code, ERR_OK);
    assert_int_equal(out.rows, 1);
    assert_int_equal(out.first_len, BAD_LEN);
    assert_memory_equal(out.first, bad_text, BAD_LEN);
    buf_init(&json, 4096); /* as a batch has it */
    json_writer_init(&w, &json);
    json_put_str(&w, str_make(out.first, out.first_len));
    assert_true(str_is_utf8(buf_view(&json)));
    for (size_t i = 0; i < json.len; i++)
        assert_true((unsigned char)json.ptr[i] >= 0x20);
    buf_fini(&json);
}

/* 32767 columns is what the protocol can say. */
static void wide(struct peer *p, int fd)
{
    static const char column[] = "c\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0";
    struct message m = {.len = 0};
    size_t len = 32767 * (size_t)20;
    char *columns = malloc(len);

    for (size_t at = 0; at < len; at += 20)
        memcpy(columns + at, column, 20);
    put_text_message(&m, '1', STR(""));
    put_text_message(&m, '2', STR(""));
    put_message(&m, 'T', 4 + 2 + 32767 * 20, STR(""));
    put_number(&m, 32767, 2);
    (void)(send_message(p, fd, &m) && send_all(p, fd, columns, len));
    free(columns);
    m.len = 0;
    put_text_message(&m, 'C', str_make("SELECT 0\0", 9));
    put_text_message(&m, 'Z', STR("I"));
    (void)send_message(p, fd, &m);
    silence(p, fd);
}

static void p5_as_many_columns_as_can_be_said_are_borne(void **state)
{
    struct outcome out = visit(wide, LONG_US);

    (void)state;
    if (out.code != ERR_OK && out.code != ERR_LIMIT && out.code != ERR_UNREACHABLE)
        fail_msg("code %d: %s", (int)out.code, out.e.text);
    assert_int_equal(out.rows, 0);
}

static void loud_error(struct peer *p, int fd)
{
    struct message m = {.len = 0};
    static char text[60000];

    memset(text, 'E', sizeof(text));
    memcpy(text, "SERROR\0C42501\0M\x1b[31m", 19);
    text[sizeof(text) - 1] = text[sizeof(text) - 2] = '\0';
    put_text_message(&m, 'E', str_make(text, sizeof(text)));
    put_text_message(&m, 'Z', STR("I"));
    (void)send_message(p, fd, &m);
    silence(p, fd);
}

static void p5_a_long_error_is_cut(void **state)
{
    struct outcome out = visit(loud_error, LONG_US);

    (void)state;
    assert_int_equal(out.code, ERR_DENIED);
    assert_in_range(strlen(out.e.text), 1, sizeof(out.e.text) - 1);
}

static void garbage(struct peer *p, int fd)
{
    struct message m = {.len = 0};

    describe(&m);
    put_message(&m, 'D', 3, STR("")); /* shorter than its own length */
    put_message(&m, '!', 0xffffffff, STR("???"));
    (void)send_message(p, fd, &m);
    silence(p, fd);
}

static void copy_in(struct peer *p, int fd)
{
    struct message m = {.len = 0};

    put_text_message(&m, '1', STR(""));
    put_text_message(&m, '2', STR(""));
    put_text_message(&m, 'G', str_make("\0\0\1\0\0", 5));
    (void)send_message(p, fd, &m);
    silence(p, fd);
}

static void p5_what_is_no_answer_ends_the_connection(void **state)
{
    struct outcome out;

    (void)state;
    ends_by_a_bound(garbage);
    out = visit(copy_in, LONG_US);
    assert_int_not_equal(out.code, ERR_OK);
}

/* How connecting to who names so many iterations ends. */
static struct err hash_for(const char *iterations)
{
    struct pgclient_config config = {
        .host = "127.0.0.1", .user = "u", .dbname = "d", .sslmode = "disable", .password = "p"};
    struct peer p;
    struct pgclient *c = NULL;
    struct err why = {0};
    char port[8];

    peer_begin(&p, NULL);
    p.iterations = iterations;
    (void)snprintf(port, sizeof(port), "%u", p.port);
    config.port = port;
    assert_int_not_equal(pgclient_open(&config, clock_mono_us() + PATIENCE_US, &c, &why), ERR_OK);
    peer_end(&p);
    return why;
}

static void p5_a_password_is_not_hashed_for_an_hour(void **state)
{
    static const char *const many[] = {"1000001", "2147483647", "4294967297", "0", "-1"};

    (void)state;
    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
        struct err why = hash_for(many[i]);
        if (strstr(why.text, "iteration count") == NULL)
            fail_msg("%s iterations: %s", many[i], why.text);
    }
    assert_null(strstr(hash_for("4096").text, "iteration count"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p5_a_field_of_a_gigabyte_ends_at_the_budget),
        cmocka_unit_test(p5_a_result_that_never_ends_ends_at_the_budget),
        cmocka_unit_test(p5_floods_end),
        cmocka_unit_test(p5_a_slow_drip_ends_at_the_deadline),
        cmocka_unit_test(p5_silence_ends_at_the_deadline),
        cmocka_unit_test(p5_nul_and_broken_utf8_become_text_that_can_be_told),
        cmocka_unit_test(p5_as_many_columns_as_can_be_said_are_borne),
        cmocka_unit_test(p5_a_long_error_is_cut),
        cmocka_unit_test(p5_what_is_no_answer_ends_the_connection),
        cmocka_unit_test(p5_a_password_is_not_hashed_for_an_hour),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
