/* SPDX-License-Identifier: PostgreSQL */
/* prometheus_answer.c: answers and errors in the form of Prometheus. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/prometheus/prometheus.h"
#include "base/num.h"

#define CLIENT_GONE 499

/* --- numbers --- */

/* Go writes e-7 in JSON. */
static void shorten_exponent(char *text)
{
    size_t len = strlen(text);

    if (len > 4 && text[len - 4] == 'e' && text[len - 3] == '-' && text[len - 2] == '0') {
        text[len - 2] = text[len - 1];
        text[len - 1] = '\0';
    }
}

void prometheus_format(double value, enum prometheus_number of, char out[PROMETHEUS_NUMBER_MAX])
{
    double size = fabs(value);
    bool far = size != 0 && (size < 1e-6 || size >= 1e21);
    struct num_digits d;

    if (isnan(value) || isinf(value)) {
        (void)snprintf(out, PROMETHEUS_NUMBER_MAX, "%s",
                       isnan(value) ? "NaN"
                       : value > 0  ? "+Inf"
                                    : "-Inf");
        return;
    }
    num_digits_f64(value, &d);
    if (signbit(value))
        *out++ = '-';
    num_put_digits(&d, of == PROMETHEUS_SAMPLE && far ? NUM_SCIENTIFIC : NUM_PLAIN, out);
    shorten_exponent(out);
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
