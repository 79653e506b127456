/* SPDX-License-Identifier: PostgreSQL */
/*
 * log.h: one line per event, as text or JSON, to standard error or a file.
 *
 * Levels: error = someone must act; warn = we coped; info = state change, at most a few a minute
 * per target; debug = per cycle. Messages start in lower case, name the thing, give numbers with
 * units, end without full stop, hold no secret. Control characters are escaped. Equal warnings
 * (same format) are rate-limited: at most 5 a minute, then a count.
 * Threads: any; lines are written with one write(2).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Where a line comes from; members may be NULL. Borrowed for the call. */
struct log_ctx {
    const char *component; /* "agent", "server", "probe" ... */
    const char *target;
    const char *probe;
    const char *request; /* request id */
};

struct log_config {
    enum log_level level;
    enum log_format format;
    int fd;                   /* default 2 */
    int64_t (*wall_us)(void); /* time source; NULL = the system's */
};

void log_setup(const struct log_config *config); /* before threads start; or again on reload */
bool log_on(enum log_level level);
void log_write(enum log_level level, const struct log_ctx *ctx, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(ctx, ...) log_write(LOG_LEVEL_ERROR, ctx, __VA_ARGS__)
#define log_warn(ctx, ...)  log_write(LOG_LEVEL_WARN, ctx, __VA_ARGS__)
#define log_info(ctx, ...)  log_write(LOG_LEVEL_INFO, ctx, __VA_ARGS__)
#define log_debug(ctx, ...) log_write(LOG_LEVEL_DEBUG, ctx, __VA_ARGS__)

#endif
