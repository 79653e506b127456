/* SPDX-License-Identifier: PostgreSQL */
/* agent_central.c: see the header. */
#include "app/agent/agent_central.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "base/thread.h"
#include "os/file.h"
#include "os/sig.h"

#define FIRST_LINE "# kept by the server, version "
#define LINE_MAX   128

static const struct log_ctx CTX = {.component = "config"};

struct agent_central {
    char path[1100];
    struct lock lock; /* guards what follows */
    struct buf good;  /* in effect */
    int64_t good_version;
    struct buf offered;
    int64_t offered_version; /* 0 = nothing is offered */
    struct agent_central_report report;
    uint64_t told; /* number of the last report that arrived */
};

/* --- the file --- */

static enum err_code load_file(struct agent_central *c, struct err *e)
{
    struct buf text;
    buf_init(&text, LIMIT_CENTRAL_BYTES + LINE_MAX);
    enum err_code code = file_read_all(c->path, &text, e);
    struct str rest = buf_view(&text), line = str_split(&rest, '\n');
    if (!code &&
        (!str_starts(line, STR(FIRST_LINE)) ||
         num_parse_i64(str_make(line.ptr + strlen(FIRST_LINE), line.len - strlen(FIRST_LINE)), 1,
                       INT64_MAX, &c->good_version, NULL))) {
        c->good_version = 0;
        code = err_set(e, ERR_CORRUPT, "%s does not begin with its version", c->path);
    }
    if (!code) {
        buf_add_str(&c->good, rest);
    }
    buf_fini(&text);
    return code;
}

static void save_file(struct agent_central *c)
{
    struct err e = {0};
    struct buf text;
    buf_init(&text, LIMIT_CENTRAL_BYTES + LINE_MAX);
    buf_printf(&text, FIRST_LINE "%lld\n", (long long)c->good_version);
    buf_add_str(&text, buf_view(&c->good));
    if (file_write_atomic(c->path, buf_view(&text), 0600, &e)) {
        log_error(&CTX, "configuration %lld is in effect, but a restart would lose it: %s",
                  (long long)c->good_version, e.text);
    }
    buf_fini(&text);
}

struct agent_central *agent_central_new(const char *state_dir)
{
    struct agent_central *c = alloc_new(sizeof(*c));
    struct err e = {0};
    snprintf(c->path, sizeof(c->path), "%s/central.toml", state_dir);
    lock_init(&c->lock, "agent.central", 45);
    buf_init(&c->good, LIMIT_CENTRAL_BYTES);
    buf_init(&c->offered, LIMIT_CENTRAL_BYTES);
    if (load_file(c, &e) && e.code != ERR_NOT_FOUND) {
        log_error(&CTX, "the server's configuration is not used: %s", e.text);
    }
    c->report.applied = c->good_version;
    return c;
}

void agent_central_free(struct agent_central *c)
{
    if (!c) {
        return;
    }
    buf_fini(&c->good);
    buf_fini(&c->offered);
    lock_fini(&c->lock);
    alloc_free(c);
}

/* --- the sender --- */

int64_t agent_central_known(struct agent_central *c)
{
    lock_take(&c->lock);
    int64_t known = c->offered_version ? c->offered_version
                    : c->report.failed ? c->report.failed
                                       : c->good_version;
    lock_release(&c->lock);
    return known;
}

bool agent_central_is_wanted(struct agent_central *c, int64_t version)
{
    return version > 0 && version != agent_central_known(c);
}

void agent_central_offer(struct agent_central *c, int64_t version, struct str toml)
{
    lock_take(&c->lock);
    buf_reset(&c->offered);
    buf_add_str(&c->offered, toml);
    c->offered_version = version;
    lock_release(&c->lock);
    sig_reload();
}

void agent_central_report(struct agent_central *c, struct agent_central_report *out)
{
    lock_take(&c->lock);
    *out = c->report;
    if (c->report.number == c->told) {
        out->number = 0;
    }
    lock_release(&c->lock);
}

void agent_central_reported(struct agent_central *c, uint64_t number)
{
    lock_take(&c->lock);
    c->told = number;
    lock_release(&c->lock);
}

/* --- the main thread --- */

enum err_code agent_central_begin(struct agent_central *c, struct arena *a,
                                  struct agent_central_text *out, struct err *e)
{
    lock_take(&c->lock);
    bool offered = c->offered_version != 0;
    *out = (struct agent_central_text){
        .version = offered ? c->offered_version : c->good_version,
        .toml = arena_str(a, buf_view(offered ? &c->offered : &c->good)),
        .offered = offered,
    };
    lock_release(&c->lock);
    return arena_check(a, e);
}

void agent_central_settle(struct agent_central *c, const struct agent_central_text *tried,
                          const struct err *failure)
{
    lock_take(&c->lock);
    if (c->offered_version == tried->version) { /* else another one came meanwhile */
        c->offered_version = 0;
        buf_reset(&c->offered);
    }
    if (!failure) {
        buf_reset(&c->good);
        buf_add_str(&c->good, tried->toml);
        c->good_version = tried->version;
    }
    c->report.number++;
    /* a good one that no longer fits the agent's file is not in effect */
    c->report.applied = failure && !tried->offered ? 0 : c->good_version;
    c->report.failed = failure ? tried->version : 0;
    snprintf(c->report.error, sizeof(c->report.error), "%s", failure ? failure->text : "");
    lock_release(&c->lock);
    if (!failure) {
        save_file(c); /* the main thread alone writes `good` */
        log_info(&CTX, "configuration %lld of the server is in effect", (long long)tried->version);
    } else {
        log_error(&CTX, "configuration %lld of the server is not applied: %s",
                  (long long)tried->version, failure->text);
    }
}
