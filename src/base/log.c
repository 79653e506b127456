/* SPDX-License-Identifier: PostgreSQL */
/*
 * log.c: making a line and writing it at once.
 *
 * Warnings are counted by their format: log_repeats holds one place per format seen lately. When a
 * minute is over and lines were held back, the next line of any kind brings their number.
 * Threads: log_mutex guards log_now and log_repeats; nothing is written while it is held.
 */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"

#define LOG_MESSAGE_MAX      4096
#define LOG_LINE_MAX         ((size_t)32 * 1024)
#define LOG_REPEATS          64
#define LOG_REPEAT_MAX       5
#define LOG_REPEAT_WINDOW_US INT64_C(60000000)

struct log_repeat {
    const char *fmt; /* NULL = free place */
    int64_t since_us;
    unsigned count, held_back;
};

static int64_t log_system_wall_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct log_config log_now = {
    .level = LOG_LEVEL_INFO, .format = LOG_FORMAT_TEXT, .fd = 2, .wall_us = log_system_wall_us};
static struct log_repeat log_repeats[LOG_REPEATS];
static atomic_int log_level_now = LOG_LEVEL_INFO; /* for log_on without the lock */

static const char *log_level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARN:
        return "warn";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_DEBUG:
        return "debug";
    }
    return "unknown";
}

void log_setup(const struct log_config *config)
{
    (void)pthread_mutex_lock(&log_mutex);
    log_now = *config;
    if (!log_now.wall_us)
        log_now.wall_us = log_system_wall_us;
    (void)pthread_mutex_unlock(&log_mutex);
    atomic_store_explicit(&log_level_now, (int)config->level, memory_order_relaxed);
}

bool log_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level_now, memory_order_relaxed);
}

/* The place of `fmt`: its own, else a free one, else the oldest. */
static struct log_repeat *log_repeat_of(const char *fmt)
{
    struct log_repeat *best = &log_repeats[0];

    for (int i = 0; i < LOG_REPEATS; i++) {
        struct log_repeat *at = &log_repeats[i];

        if (at->fmt == fmt)
            return at;
        if (best->fmt && (!at->fmt || at->since_us < best->since_us))
            best = at;
    }
    *best = (struct log_repeat){.fmt = fmt};
    return best;
}

static bool log_window_over(const struct log_repeat *at, int64_t now_us)
{
    return now_us < at->since_us || now_us - at->since_us >= LOG_REPEAT_WINDOW_US;
}

/* Count one more of `fmt`; false when it must be held back. */
static bool log_may_repeat(const char *fmt, int64_t now_us)
{
    struct log_repeat *at = log_repeat_of(fmt);

    if (at->count == 0 || log_window_over(at, now_us))
        *at = (struct log_repeat){.fmt = fmt, .since_us = now_us, .held_back = at->held_back};
    at->count++;
    if (at->count <= LOG_REPEAT_MAX)
        return true;
    at->held_back++;
    return false;
}

/* One format whose minute is over and that was held back; false when there is none. */
static bool log_take_held_back(int64_t now_us, struct log_repeat *out)
{
    for (int i = 0; i < LOG_REPEATS; i++) {
        struct log_repeat *at = &log_repeats[i];

        if (at->held_back == 0 || !log_window_over(at, now_us))
            continue;
        *out = *at;
        *at = (struct log_repeat){0};
        return true;
    }
    return false;
}

/* C1, line and paragraph ends, and marks that turn the order of what is read around. */
static bool log_is_hidden(const unsigned char *c, size_t step)
{
    if (step == 2)
        return c[0] == 0xC2 && c[1] < 0xA0;
    return step == 3 && c[0] == 0xE2 &&
           ((c[1] == 0x80 && ((c[2] >= 0x8E && c[2] <= 0x8F) || (c[2] >= 0xA8 && c[2] <= 0xAE))) ||
            (c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9));
}

/* Control characters (C0, DEL, C1) and broken UTF-8 are escaped: a line stays a line. */
static void log_add_escaped(struct buf *line, struct str s)
{
    while (s.len > 0) {
        unsigned char c = (unsigned char)s.ptr[0];
        size_t step = str_utf8_len(s);
        bool hidden = log_is_hidden((const unsigned char *)s.ptr, step);

        if (step == 0 || c < 0x20 || c == 0x7F || hidden) {
            step = hidden ? step : 1;
            for (size_t i = 0; i < step; i++)
                buf_printf(line, "\\x%02x", (unsigned char)s.ptr[i]);
        } else {
            buf_add(line, s.ptr, step);
        }
        s = str_make(s.ptr + step, s.len - step);
    }
}

/* A value with a blank, a quote or a mark of the form in it is quoted: it begins no other field. */
static void log_add_field(struct buf *line, const char *name, const char *value)
{
    bool quoted;

    if (!value)
        return;
    quoted = strpbrk(value, " =:\"\\") != NULL;
    buf_printf(line, quoted ? " %s=\"" : " %s=", name);
    for (struct str rest = str_of(value), part; rest.len > 0;) {
        size_t plain = strcspn(rest.ptr, "\"\\");

        part = str_make(rest.ptr, plain);
        log_add_escaped(line, part);
        rest = str_make(rest.ptr + plain, rest.len - plain);
        if (rest.len == 0)
            break;
        buf_add_char(line, '\\');
        buf_add_char(line, rest.ptr[0]);
        rest = str_make(rest.ptr + 1, rest.len - 1);
    }
    if (quoted)
        buf_add_char(line, '"');
}

static void log_text_line(struct buf *line, const char *when, enum log_level level,
                          const struct log_ctx *ctx, const char *message)
{
    buf_printf(line, "%s %-5s", when, log_level_name(level));
    if (ctx) {
        if (ctx->component)
            buf_printf(line, " %s", ctx->component);
        log_add_field(line, "target", ctx->target);
        log_add_field(line, "probe", ctx->probe);
        log_add_field(line, "request", ctx->request);
    }
    buf_add_c(line, ": ");
    log_add_escaped(line, str_of(message));
    buf_add_char(line, '\n');
}

static void log_json_member(struct json_writer *w, const char *key, const char *value)
{
    if (value)
        json_member_c(w, key, value);
}

static void log_json_line(struct buf *line, const char *when, enum log_level level,
                          const struct log_ctx *ctx, const char *message)
{
    struct json_writer w;

    json_writer_init(&w, line);
    json_object_begin(&w);
    json_member_c(&w, "time", when);
    json_member_c(&w, "level", log_level_name(level));
    if (ctx) {
        log_json_member(&w, "component", ctx->component);
        log_json_member(&w, "target", ctx->target);
        log_json_member(&w, "probe", ctx->probe);
        log_json_member(&w, "request", ctx->request);
    }
    json_member_c(&w, "message", message);
    json_object_end(&w);
    buf_add_char(line, '\n');
}

static void log_emit(const struct log_config *config, int64_t now_us, enum log_level level,
                     const struct log_ctx *ctx, const char *message)
{
    char when[NUM_TIME_TEXT_MAX];
    struct buf line;

    num_format_time(now_us / 1000, when);
    buf_init(&line, LOG_LINE_MAX);
    if (config->format == LOG_FORMAT_JSON)
        log_json_line(&line, when, level, ctx, message);
    else
        log_text_line(&line, when, level, ctx, message);
    (void)!write(config->fd, line.ptr, line.len);
    buf_fini(&line);
}

void log_write(enum log_level level, const struct log_ctx *ctx, const char *fmt, ...)
{
    char message[LOG_MESSAGE_MAX];
    struct log_repeat held = {0};
    struct log_config config;
    bool late, wanted = true;
    int64_t now_us;
    va_list ap;

    if (!log_on(level))
        return;
    (void)pthread_mutex_lock(&log_mutex);
    config = log_now;
    now_us = config.wall_us();
    late = log_take_held_back(now_us, &held);
    if (level == LOG_LEVEL_WARN)
        wanted = log_may_repeat(fmt, now_us);
    (void)pthread_mutex_unlock(&log_mutex);
    if (late) {
        (void)snprintf(message, sizeof(message), "%u more warnings like this one: %s",
                       held.held_back, held.fmt);
        log_emit(&config, now_us, LOG_LEVEL_WARN, NULL, message);
    }
    if (!wanted)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    log_emit(&config, now_us, level, ctx, message);
}
