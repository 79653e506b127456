/* SPDX-License-Identifier: PostgreSQL */
/*
 * load.c: the same samples to pga and to its peers, over HTTP with keep-alive.
 *
 *   load --form native|objects|remote --port N --agents N --steps N [--first N] [--clients N]
 *        --start-ms T [--collectors FILE] [--rows N] [--columns FIRST-LAST]
 *
 * An agent has 50 rows (labels target, db, name) of 20 columns: 1000 series. By column 40 % are
 * constant, 25 % busy integer counters, 10 % sparse counters, 15 % integer gauges, 10 % floats of
 * three decimals; a reading every 60 s. Values depend on agent, row, column and step alone, so that
 * every form and every run sends the same ones. --first skips steps that another run has sent;
 * --rows and --columns make agents of another shape: 10000 rows of columns 8 and 9, say.
 *
 * native: pga's columnar push. objects: 1000 {"name","value","timestamp","labels"} a push. remote:
 * Prometheus remote write 1.0; its snappy frames hold literals only, which is the least work for
 * who unpacks them. --collectors: a line "collector_id token" an agent.
 * Prints one JSON object: samples, pushes, bytes, wall_s, own_cpu_s, p50_ms, p95_ms, p99_ms.
 *
 * --pace-ms P: each agent has a connection of its own and pushes every P ms, spread over that time;
 * times count from when a push was due, so that one that waits for the one before is late.
 * --fsync FILE: meanwhile append 4 kB to a file and fdatasync it, 20 times a second, which is the
 * least that a durable push waits. Prints a second object: fsyncs, p50_ms, p95_ms, p99_ms.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ROWS_MAX       20000
#define COLUMNS        20
#define EVERY_MS       60000LL
#define SNAPPY_LITERAL 65536

enum nature { CONSTANT, BUSY, SPARSE, GAUGE, DECIMAL };
enum form { NATIVE, OBJECTS, REMOTE };

static const char *const form_names[] = {"native", "objects", "remote"};
static const char *const paths[] = {"/api/v1/metrics/push", "/api/v1/metrics/push",
                                    "/api/v1/write"};

struct series {
    uint64_t random;
    int64_t value; /* of DECIMAL: thousandths */
    int64_t rate;
};

struct agent {
    int number;
    char collector[40], token[4096];
    struct series *series[COLUMNS]; /* rows of each */
};

struct bytes {
    char *p;
    size_t len, cap;
};

struct client {
    pthread_t thread;
    int number, socket;
    struct bytes body, packed;
    double *times;
    size_t time_count;
    uint64_t sent;
};

static struct {
    enum form form;
    int port, agents, steps, first, clients;
    int rows, first_column, last_column;
    int64_t start_ms;
    const char *collectors;
    struct agent *agent;
} load = {.clients = 4, .rows = 50, .last_column = COLUMNS - 1};

static struct {
    int ms;         /* 0 = as fast as answers come */
    double start_s; /* monotonic: when the first push is due */
} pace;

static struct {
    const char *file; /* NULL = none */
    pthread_t thread;
    double times[200000];
    size_t count;
    atomic_bool stop;
} disk;

static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

/* --- values --- */

static uint64_t next_random(uint64_t *s) /* splitmix64 */
{
    uint64_t z = *s += 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

static double unit(uint64_t *s)
{
    return (double)(next_random(s) >> 11) / 9007199254740992.0;
}

/* About normal: mean m, deviation d. */
static double normal(uint64_t *s, double m, double d)
{
    double sum = 0;
    for (int i = 0; i < 6; i++) {
        sum += unit(s);
    }
    return m + d * (sum - 3) * 1.4142135623730951;
}

static enum nature nature_of(int column)
{
    return column < 8    ? CONSTANT
           : column < 13 ? BUSY
           : column < 15 ? SPARSE
           : column < 18 ? GAUGE
                         : DECIMAL;
}

static void start_series(struct series *s, int agent, int column, int row)
{
    s->random = ((uint64_t)agent << 32) + (uint64_t)column * 1000 + (uint64_t)row;
    s->value = (int64_t)(next_random(&s->random) % 1000000);
    s->rate = 1 + (int64_t)(next_random(&s->random) % 3000);
}

static void step_series(struct series *s, enum nature nature)
{
    double rate = (double)s->rate;
    double v;

    switch (nature) {
    case CONSTANT:
        break;
    case BUSY:
        v = normal(&s->random, rate, rate / 10);
        s->value += v > 0 ? (int64_t)v : 0;
        break;
    case SPARSE:
        if (unit(&s->random) < 0.1) {
            s->value += 1 + (int64_t)(next_random(&s->random) % 3);
        }
        break;
    case GAUGE:
        s->value += (int64_t)(next_random(&s->random) % 7) - 3;
        s->value = s->value < 0 ? 0 : s->value;
        break;
    case DECIMAL:
        v = normal(&s->random, rate, rate / 20) * 1000;
        s->value = v > 0 ? (int64_t)v : 0;
        break;
    }
}

static void step_agent(struct agent *a)
{
    for (int c = load.first_column; c <= load.last_column; c++) {
        for (int r = 0; r < load.rows; r++) {
            step_series(&a->series[c][r], nature_of(c));
        }
    }
}

/* --- bytes --- */

static void room(struct bytes *b, size_t more)
{
    if (b->len + more > b->cap) {
        b->cap = (b->len + more) * 2;
        b->p = realloc(b->p, b->cap);
        if (!b->p) {
            die("out of memory");
        }
    }
}

static void put(struct bytes *b, const void *p, size_t n)
{
    room(b, n);
    memcpy(b->p + b->len, p, n);
    b->len += n;
}

static void say(struct bytes *b, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(text)) {
        die("a text is too long");
    }
    put(b, text, (size_t)n);
}

static void put_varint(struct bytes *b, uint64_t v)
{
    unsigned char c[10];
    size_t n = 0;
    while (v >= 128) {
        c[n++] = (unsigned char)(v | 128);
        v >>= 7;
    }
    c[n++] = (unsigned char)v;
    put(b, c, n);
}

static void say_value(struct bytes *b, int column, int64_t v)
{
    if (nature_of(column) == DECIMAL) {
        say(b, "%" PRId64 ".%03d", v / 1000, (int)(v % 1000));
    } else {
        say(b, "%" PRId64, v);
    }
}

/* --- the three forms --- */

static void say_descriptions(struct bytes *b, const struct agent *a)
{
    say(b, "\"relations\":[{\"name\":\"bench\",\"help\":\"Values of a benchmark.\",\"shape\":"
           "\"object\",\"sparse\":false,\"keys\":[{\"name\":\"db\",\"help\":\"\"},{\"name\":"
           "\"name\",\"help\":\"\"}],\"columns\":[");
    for (int c = load.first_column; c <= load.last_column; c++) {
        enum nature n = nature_of(c);
        say(b,
            "%s{\"name\":\"c%02d\",\"kind\":\"%s\",\"type\":\"%s\",\"unit\":\"1\",\"help\":\"\"}",
            c > load.first_column ? "," : "", c, n == BUSY || n == SPARSE ? "counter" : "gauge",
            n == DECIMAL ? "f64" : "i64");
    }
    say(b,
        "]}],\"targets\":[{\"id\":\"%08x-0000-4000-8000-0123456789ab\",\"kind\":\"host\","
        "\"name\":\"t%d\",\"attributes\":{}}],",
        a->number + 1, a->number);
}

static void native_body(struct bytes *b, const struct agent *a, int step, int64_t t)
{
    say(b,
        "{\"collector_id\":\"%s\",\"stream\":\"%08x-0000-4000-8000-000000000001\",\"seq\":%d,"
        "\"count\":1,\"records\":[{\"hash\":\"%032x%032x\",\"record\":{\"made_ms\":%lld,",
        a->collector, a->number + 1, step + 1, a->number + 1, step + 1, (long long)t);
    if (step == 0) {
        say_descriptions(b, a);
    }
    say(b,
        "\"slices\":[{\"relation\":\"bench\",\"target\":\"%08x-0000-4000-8000-0123456789ab\","
        "\"scope\":\"\",\"t\":%lld,\"from_t\":%lld,\"every_ms\":60000,\"flags\":[\"complete\"%s],"
        "\"rows\":%d,\"keys\":{\"db\":[",
        a->number + 1, (long long)t, (long long)t - EVERY_MS, step == 0 ? ",\"keyframe\"" : "",
        load.rows);
    for (int r = 0; r < load.rows; r++) {
        say(b, "%s\"db%d\"", r ? "," : "", r % 10);
    }
    say(b, "],\"name\":[");
    for (int r = 0; r < load.rows; r++) {
        say(b, "%s\"row%d\"", r ? "," : "", r);
    }
    say(b, "]},\"columns\":{");
    for (int c = load.first_column; c <= load.last_column; c++) {
        say(b, "%s\"c%02d\":[", c > load.first_column ? "," : "", c);
        for (int r = 0; r < load.rows; r++) {
            if (r) {
                put(b, ",", 1);
            }
            say_value(b, c, a->series[c][r].value);
        }
        put(b, "]", 1);
    }
    say(b, "}}]}}]}");
}

static void objects_body(struct bytes *b, const struct agent *a, int64_t t)
{
    const char *comma = "";

    say(b, "{\"collector_id\":\"%s\",\"hostname\":\"t%d\",\"version\":\"1\",\"metrics\":[",
        a->collector, a->number);
    for (int c = load.first_column; c <= load.last_column; c++) {
        for (int r = 0; r < load.rows; r++) {
            say(b, "%s{\"name\":\"bench_c%02d\",\"value\":", comma, c);
            say_value(b, c, a->series[c][r].value);
            say(b,
                ",\"timestamp\":%lld,\"labels\":{\"db\":\"db%d\",\"name\":\"row%d\","
                "\"target\":\"t%d\"}}",
                (long long)t, r % 10, r, a->number);
            comma = ",";
        }
    }
    say(b, "]}");
}

static void put_label(struct bytes *b, const char *name, const char *value)
{
    size_t n = strlen(name), v = strlen(value);

    put(b, "\x0a", 1);
    put_varint(b, n + v + 4);
    put(b, "\x0a", 1);
    put_varint(b, n);
    put(b, name, n);
    put(b, "\x12", 1);
    put_varint(b, v);
    put(b, value, v);
}

static void put_sample(struct bytes *b, double value, int64_t t)
{
    struct bytes sample = {0};

    put(&sample, "\x09", 1);
    put(&sample, &value, 8);
    put(&sample, "\x10", 1);
    put_varint(&sample, (uint64_t)t);
    put(b, "\x12", 1);
    put_varint(b, sample.len);
    put(b, sample.p, sample.len);
    free(sample.p);
}

/* One series with its newest sample. */
static void make_series(struct bytes *one, const struct agent *a, int c, int r, int64_t t)
{
    char text[32];
    int64_t v = a->series[c][r].value;

    one->len = 0;
    (void)snprintf(text, sizeof(text), "bench_c%02d", c);
    put_label(one, "__name__", text);
    (void)snprintf(text, sizeof(text), "db%d", r % 10);
    put_label(one, "db", text);
    (void)snprintf(text, sizeof(text), "row%d", r);
    put_label(one, "name", text);
    (void)snprintf(text, sizeof(text), "t%d", a->number);
    put_label(one, "target", text);
    put_sample(one, nature_of(c) == DECIMAL ? (double)v / 1000 : (double)v, t);
}

static void remote_body(struct client *k, const struct agent *a, int64_t t)
{
    struct bytes plain = {0}, one = {0};

    for (int c = load.first_column; c <= load.last_column; c++) {
        for (int r = 0; r < load.rows; r++) {
            make_series(&one, a, c, r, t);
            put(&plain, "\x0a", 1);
            put_varint(&plain, one.len);
            put(&plain, one.p, one.len);
        }
    }
    put_varint(&k->body, plain.len);
    for (size_t at = 0; at < plain.len; at += SNAPPY_LITERAL) {
        size_t n = plain.len - at < SNAPPY_LITERAL ? plain.len - at : SNAPPY_LITERAL;
        unsigned char tag[3] = {61 << 2, (unsigned char)(n - 1), (unsigned char)((n - 1) >> 8)};
        put(&k->body, tag, 3);
        put(&k->body, plain.p + at, n);
    }
    free(plain.p);
    free(one.p);
}

/* --- HTTP --- */

static int connect_to(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;
    int s = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (s < 0 || connect(s, (struct sockaddr *)&to, sizeof(to))) {
        die("port %d: %s", port, strerror(errno));
    }
    (void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return s;
}

static void send_all(int s, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t w = send(s, p, n, MSG_NOSIGNAL);
        if (w <= 0) {
            die("send: %s", strerror(errno));
        }
        p += w;
        n -= (size_t)w;
    }
}

/* The status; the body of the answer is read and let go. */
static int take_answer(int s, char *text, size_t size)
{
    size_t len = 0;
    char *end;

    do {
        ssize_t n = recv(s, text + len, size - 1 - len, 0);
        if (n <= 0) {
            die("the server closed the connection");
        }
        len += (size_t)n;
        text[len] = '\0';
        end = strstr(text, "\r\n\r\n");
    } while (!end && len < size - 1);
    const char *length = strcasestr(text, "content-length:");
    size_t body = length && length < end ? strtoul(length + 15, NULL, 10) : 0;
    size_t have = end ? len - (size_t)(end + 4 - text) : 0;
    while (have < body) {
        char more[4096];
        ssize_t n = recv(s, more, sizeof(more), 0);
        if (n <= 0) {
            die("the server closed the connection in an answer");
        }
        have += (size_t)n;
    }
    return atoi(text + 9);
}

static double now_s(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Returns when the push was due: without a pace, when it is made. */
static double wait_until_due(const struct agent *a, int step)
{
    double now = now_s(CLOCK_MONOTONIC), every = pace.ms / 1e3;
    double due = pace.start_s + every * (step - load.first) + every * a->number / load.agents;
    struct timespec at = {(time_t)due, (long)((due - (double)(time_t)due) * 1e9)};

    if (pace.ms == 0) {
        return now;
    }
    while (now < due && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
        now = now_s(CLOCK_MONOTONIC);
    }
    return due;
}

static void push(struct client *k, struct agent *a, int step)
{
    char head[5200], answer[8192];
    int64_t t = load.start_ms + step * EVERY_MS;

    k->body.len = 0;
    if (load.form == NATIVE) {
        native_body(&k->body, a, step, t);
    } else if (load.form == OBJECTS) {
        objects_body(&k->body, a, t);
    } else {
        remote_body(k, a, t);
    }
    int n = snprintf(head, sizeof(head),
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: %zu\r\n%s%s%s\r\n",
                     paths[load.form], load.port, k->body.len,
                     load.form == REMOTE
                         ? "Content-Type: application/x-protobuf\r\n"
                           "Content-Encoding: snappy\r\n"
                           "X-Prometheus-Remote-Write-Version: 0.1.0\r\n"
                         : "Content-Type: application/json\r\nAuthorization: Bearer ",
                     a->token, load.form == REMOTE ? "" : "\r\n");
    double start = wait_until_due(a, step);
    send_all(k->socket, head, (size_t)n);
    send_all(k->socket, k->body.p, k->body.len);
    int status = take_answer(k->socket, answer, sizeof(answer));
    k->times[k->time_count++] = now_s(CLOCK_MONOTONIC) - start;
    k->sent += (size_t)n + k->body.len;
    if (status < 200 || status > 299) {
        die("agent %d, step %d: %s", a->number, step, answer);
    }
}

static void *run_client(void *arg)
{
    struct client *k = arg;

    k->socket = connect_to(load.port);
    for (int step = 0; step < load.steps; step++) {
        for (int i = k->number; i < load.agents; i += load.clients) {
            step_agent(&load.agent[i]);
            if (step >= load.first) {
                push(k, &load.agent[i], step);
            }
        }
    }
    close(k->socket);
    return NULL;
}

/* --- the disk --- */

static void *run_disk(void *arg)
{
    static char block[4096];
    const struct timespec pause = {0, 50000000L};
    int fd = open(disk.file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    (void)arg;
    while (!disk.stop && disk.count < sizeof(disk.times) / sizeof(disk.times[0])) {
        double start = now_s(CLOCK_MONOTONIC);
        if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block) || fdatasync(fd)) {
            die("%s: %s", disk.file, strerror(errno));
        }
        disk.times[disk.count++] = now_s(CLOCK_MONOTONIC) - start;
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    close(fd);
    return NULL;
}

/* --- the whole --- */

static void read_collectors(void)
{
    FILE *f = fopen(load.collectors, "r");
    if (!f) {
        die("%s: %s", load.collectors, strerror(errno));
    }
    for (int i = 0; i < load.agents; i++) {
        if (fscanf(f, "%39s %4095s", load.agent[i].collector, load.agent[i].token) != 2) {
            die("%s: %d lines are needed", load.collectors, load.agents);
        }
    }
    fclose(f);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(struct client *clients, double wall)
{
    size_t count = 0;
    uint64_t sent = 0;
    struct rusage own;
    double *all = malloc((size_t)load.agents * (size_t)load.steps * sizeof(*all) + 8);

    for (int i = 0; all && i < load.clients; i++) {
        memcpy(all + count, clients[i].times, clients[i].time_count * sizeof(*all));
        count += clients[i].time_count;
        sent += clients[i].sent;
    }
    if (!all || count == 0) {
        die("nothing was sent");
    }
    qsort(all, count, sizeof(*all), by_value);
    getrusage(RUSAGE_SELF, &own);
    printf("{\"samples\": %zu, \"pushes\": %zu, \"bytes\": %" PRIu64 ", \"wall_s\": %.3f, "
           "\"own_cpu_s\": %.3f, \"p50_ms\": %.3f, \"p95_ms\": %.3f, \"p99_ms\": %.3f}\n",
           count * (size_t)load.rows * (size_t)(load.last_column - load.first_column + 1), count,
           sent, wall,
           (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) +
               (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6,
           all[count / 2] * 1e3, all[count * 95 / 100] * 1e3, all[count * 99 / 100] * 1e3);
    free(all);
}

static void start_disk(void)
{
    if (disk.file && pthread_create(&disk.thread, NULL, run_disk, NULL)) {
        die("a thread does not start");
    }
}

static void end_disk(void)
{
    disk.stop = true;
    if (!disk.file || pthread_join(disk.thread, NULL) || disk.count == 0) {
        return;
    }
    qsort(disk.times, disk.count, sizeof(disk.times[0]), by_value);
    printf("{\"fsyncs\": %zu, \"p50_ms\": %.3f, \"p95_ms\": %.3f, \"p99_ms\": %.3f}\n", disk.count,
           disk.times[disk.count / 2] * 1e3, disk.times[disk.count * 95 / 100] * 1e3,
           disk.times[disk.count * 99 / 100] * 1e3);
}

static void take_option(const char *name, const char *value)
{
    if (!strcmp(name, "--form")) {
        for (int i = 0; i < 3; i++) {
            if (!strcmp(value, form_names[i])) {
                load.form = (enum form)i;
                return;
            }
        }
        die("--form native, objects or remote");
    } else if (!strcmp(name, "--port")) {
        load.port = atoi(value);
    } else if (!strcmp(name, "--agents")) {
        load.agents = atoi(value);
    } else if (!strcmp(name, "--steps")) {
        load.steps = atoi(value);
    } else if (!strcmp(name, "--first")) {
        load.first = atoi(value);
    } else if (!strcmp(name, "--rows")) {
        load.rows = atoi(value);
    } else if (!strcmp(name, "--columns")) {
        if (sscanf(value, "%d-%d", &load.first_column, &load.last_column) != 2) {
            die("--columns FIRST-LAST");
        }
    } else if (!strcmp(name, "--clients")) {
        load.clients = atoi(value);
    } else if (!strcmp(name, "--start-ms")) {
        load.start_ms = atoll(value);
    } else if (!strcmp(name, "--collectors")) {
        load.collectors = value;
    } else if (!strcmp(name, "--pace-ms")) {
        pace.ms = atoi(value);
        load.clients = INT_MAX; /* one each */
    } else if (!strcmp(name, "--fsync")) {
        disk.file = value;
    } else {
        die("unknown option %s", name);
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        take_option(argv[i], argv[i + 1]);
    }
    if (load.agents < 1 || load.steps < 1 || load.clients < 1 || load.port < 1 ||
        load.start_ms < 1) {
        die("--port, --agents, --steps, --start-ms are needed");
    }
    if (load.rows < 1 || load.rows > ROWS_MAX || load.first_column < 0 ||
        load.last_column >= COLUMNS || load.first_column > load.last_column) {
        die("--rows up to %d, --columns within 0-%d", ROWS_MAX, COLUMNS - 1);
    }
    load.clients = load.clients > load.agents ? load.agents : load.clients;
    load.agent = calloc((size_t)load.agents, sizeof(*load.agent));
    struct client *clients = calloc((size_t)load.clients, sizeof(*clients));
    if (!load.agent || !clients) {
        die("out of memory");
    }
    for (int i = 0; i < load.agents; i++) {
        load.agent[i].number = i;
        for (int c = load.first_column; c <= load.last_column; c++) {
            load.agent[i].series[c] = calloc((size_t)load.rows, sizeof(struct series));
            if (!load.agent[i].series[c]) {
                die("out of memory");
            }
            for (int r = 0; r < load.rows; r++) {
                start_series(&load.agent[i].series[c][r], i, c, r);
            }
        }
    }
    if (load.collectors) {
        read_collectors();
    }
    double start = now_s(CLOCK_MONOTONIC);
    pace.start_s = start + 0.5; /* all are connected by then */
    start_disk();
    for (int i = 0; i < load.clients; i++) {
        clients[i].number = i;
        clients[i].times = calloc((size_t)load.agents * (size_t)load.steps, sizeof(double));
        if (!clients[i].times ||
            pthread_create(&clients[i].thread, NULL, run_client, &clients[i])) {
            die("a thread does not start");
        }
    }
    for (int i = 0; i < load.clients; i++) {
        (void)pthread_join(clients[i].thread, NULL);
    }
    report(clients, now_s(CLOCK_MONOTONIC) - start);
    end_disk();
    return 0;
}
