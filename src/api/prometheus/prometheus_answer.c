/* SPDX-License-Identifier: PostgreSQL */
/* prometheus_answer.c: answers and errors in the form of Prometheus. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/prometheus/prometheus.h"
#include "base/num.h"

#define CLIENT_GONE 499

/* --- numbers --- */

/* The digits of a finite number, shortest, and where the point stands: 0.DIGITS x 10^point. */
struct digits {
    char text[40];
    int count, point;
};

static struct digits shortest(double value)
{
    struct digits d = {.point = 0};
    char text[40];
    int exponent = 0;
    bool fraction = false, leading = true;

    num_format_f64(fabs(value), text, sizeof(text));
    for (const char *p = text; *p; p++) {
        if (*p == 'e') {
            exponent = (int)strtol(p + 1, NULL, 10);
            break;
        }
        if (*p == '.') {
            fraction = true;
            continue;
        }
        if (leading && *p == '0') {
            d.point -= fraction;
            continue;
        }
        leading = false;
        d.text[d.count++] = *p;
        d.point += !fraction;
    }
    d.point += exponent;
    while (d.count > 0 && d.text[d.count - 1] == '0')
        d.count--;
    d.text[d.count] = '\0';
    return d;
}

/* 1.5e-07; Go writes e-7 in JSON. */
static void put_scientific(const struct digits *d, char *out, size_t size)
{
    (void)snprintf(out, size, "%c%s%se%c%02d", d->text[0], d->count > 1 ? "." : "", d->text + 1,
                   d->point - 1 < 0 ? '-' : '+', abs(d->point - 1));
    size_t len = strlen(out);
    if (len > 4 && out[len - 4] == 'e' && out[len - 3] == '-' && out[len - 2] == '0') {
        out[len - 2] = out[len - 1];
        out[len - 1] = '\0';
    }
}

static void put_plain(const struct digits *d, char *out)
{
    char *to = out;

    if (d->point <= 0) {
        *to++ = '0';
        if (d->count > 0)
            *to++ = '.';
        for (int i = d->point; i < 0 && d->count > 0; i++)
            *to++ = '0';
    }
    for (int i = 0; i < d->count; i++) {
        if (i == d->point && i > 0)
            *to++ = '.';
        *to++ = d->text[i];
    }
    for (int i = d->count; i < d->point; i++)
        *to++ = '0';
    *to = '\0';
}

void prometheus_format(double value, enum prometheus_number of, char out[PROMETHEUS_NUMBER_MAX])
{
    struct digits d;
    double size = fabs(value);

    if (isnan(value) || isinf(value)) {
        (void)snprintf(out, PROMETHEUS_NUMBER_MAX, "%s",
                       isnan(value) ? "NaN"
                       : value > 0  ? "+Inf"
                                    : "-Inf");
        return;
    }
    d = shortest(value);
    if (signbit(value))
        *out++ = '-';
    if (of == PROMETHEUS_SAMPLE && size != 0 && (size < 1e-6 || size >= 1e21))
        put_scientific(&d, out, PROMETHEUS_NUMBER_MAX - 1);
    else
        put_plain(&d, out);
}

static void put_time(struct buf *out, int64_t t_ms)
{
    if (t_ms < 0) {
        buf_add_char(out, '-');
        t_ms = -t_ms;
    }
    buf_add_i64(out, t_ms / 1000);
    if (t_ms % 1000)
        buf_printf(out, ".%03d", (int)(t_ms % 1000));
}

void prometheus_put_sample(struct json_writer *w, int64_t t_ms, double value)
{
    char text[PROMETHEUS_NUMBER_MAX];

    prometheus_format(value, PROMETHEUS_SAMPLE, text);
    json_array_begin(w);
    put_time(w->out, t_ms);
    w->need_comma = true;
    json_put_c(w, text);
    json_array_end(w);
}

void prometheus_put_labels(struct json_writer *w, const struct labels *l)
{
    json_object_begin(w);
    for (size_t i = 0; i < l->count; i++) {
        json_key_str(w, l->items[i].name);
        json_put_str(w, l->items[i].value);
    }
    json_object_end(w);
}

/* --- envelope --- */

struct json_writer *prometheus_begin(struct api_call *call)
{
    struct json_writer *w = api_json(call, 200);

    json_object_begin(w);
    json_member_c(w, "status", "success");
    json_key(w, "data");
    return w;
}

static void put_notes(struct json_writer *w, const char *name, const struct promql_notes *n)
{
    if (!n || n->count == 0)
        return;
    json_key(w, name);
    json_array_begin(w);
    for (size_t i = 0; i < n->count; i++)
        json_put_str(w, n->items[i]);
    json_array_end(w);
}

void prometheus_end(struct api_call *call, const struct promql_notes *warnings,
                    const struct promql_notes *infos)
{
    put_notes(&call->out, "warnings", warnings);
    put_notes(&call->out, "infos", infos);
    json_object_end(&call->out);
}

struct problem {
    int status;
    const char *type;
};

static struct problem problem_of(enum err_code code)
{
    switch (code) {
    case ERR_INVALID:
        return (struct problem){400, "bad_data"};
    case ERR_LIMIT:
        return (struct problem){422, "execution"};
    case ERR_TIMEOUT:
        return (struct problem){503, "timeout"};
    case ERR_CANCELLED:
        return (struct problem){CLIENT_GONE, "canceled"};
    case ERR_NOT_FOUND:
        return (struct problem){404, "not_found"};
    case ERR_OK:
    case ERR_UNREACHABLE:
    case ERR_DENIED:
    case ERR_CONFLICT:
    case ERR_UNSUPPORTED:
    case ERR_IO:
    case ERR_CORRUPT:
    case ERR_BUG:
        break;
    }
    return (struct problem){500, "internal"};
}

static enum err_code fail(struct api_call *call, const struct err *e, struct problem p)
{
    struct json_writer *w = api_json(call, p.status);

    json_object_begin(w);
    json_member_c(w, "status", "error");
    json_member_c(w, "errorType", p.type);
    if (p.status == 500) {
        api_log(call, e);
        json_member_c(w, "error", "the server could not do this; its log says why");
    } else {
        json_member_c(w, "error", e->text);
    }
    json_object_end(w);
    return ERR_OK;
}

enum err_code prometheus_fail(struct api_call *call, const struct err *e)
{
    return fail(call, e, problem_of(e->code));
}

enum err_code prometheus_fail_execution(struct api_call *call, const struct err *e)
{
    struct problem p = problem_of(e->code);

    if (e->code == ERR_INVALID)
        p = (struct problem){422, "execution"};
    return fail(call, e, p);
}
