/* SPDX-License-Identifier: PostgreSQL */
/*
 * openmetrics.c: see the header. The two forms, side by side:
 *
 *                      OpenMetrics 1.0              text 0.0.4
 *     # TYPE of x_total   counter "x"               counter "x_total"
 *     # TYPE of x_info    info "x"                  gauge "x_info"
 *     # UNIT              when the name ends in it  never
 *     escapes in HELP     \\ \n \"                  \\ \n
 *     end                 # EOF                     nothing
 */
#include "model/openmetrics.h"

#include <math.h>
#include <stdio.h>

#include "base/num.h"

static const char TYPE_1[] = "application/openmetrics-text";

enum openmetrics_form openmetrics_negotiate(struct str accept)
{
    while (accept.ptr != NULL && accept.len > 0) {
        struct str one = str_split(&accept, ',');
        struct str name = str_trim(str_split(&one, ';'));
        size_t at;

        if (!str_eq_nocase(name, str_of(TYPE_1)))
            continue;
        /* q=0 is "not this one"; 0.0.1 is the draft that Prometheus asks for besides 1.0.0 */
        if (str_find(one, STR("q=0,"), &at) || str_ends(str_trim(one), STR("q=0")))
            continue;
        return OPENMETRICS_1;
    }
    return OPENMETRICS_TEXT_004;
}

const char *openmetrics_content_type(enum openmetrics_form form)
{
    return form == OPENMETRICS_1 ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                 : "text/plain; version=0.0.4; charset=utf-8";
}

void openmetrics_begin(struct openmetrics *m, struct buf *out, enum openmetrics_form form)
{
    *m = (struct openmetrics){.out = out, .form = form};
}

void openmetrics_family(struct openmetrics *m, const struct openmetrics_family *family)
{
    struct str name = family->name;

    if (family->type == OPENMETRICS_COUNTER && str_ends(name, STR("_total")))
        name.len -= 6;
    m->family = *family;
    m->begun = false;
    snprintf(m->name, sizeof(m->name), "%.*s", STR_ARG(name));
}

static const char *suffix_of(enum openmetrics_type type)
{
    switch (type) {
    case OPENMETRICS_COUNTER:
        return "_total";
    case OPENMETRICS_INFO:
        return "_info";
    case OPENMETRICS_GAUGE:
    case OPENMETRICS_SUMMARY:
        break;
    }
    return "";
}

static void put_escaped(struct buf *out, struct str s, bool quotes)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\n')
            buf_add_c(out, "\\n");
        else if (s.ptr[i] == '\\')
            buf_add_c(out, "\\\\");
        else if (s.ptr[i] == '"' && quotes)
            buf_add_c(out, "\\\"");
        else
            buf_add_char(out, s.ptr[i]);
    }
}

static bool ends_in_unit(const struct openmetrics *m)
{
    struct str name = str_of(m->name), unit = m->family.unit;

    return unit.len > 0 && str_ends(name, unit) && name.len > unit.len + 1 &&
           name.ptr[name.len - unit.len - 1] == '_';
}

static void put_head(struct openmetrics *m)
{
    static const char *const types[] = {"gauge", "counter", "info", "summary"};
    const struct openmetrics_family *f = &m->family;
    bool v1 = m->form == OPENMETRICS_1;
    const char *suffix = v1 ? "" : suffix_of(f->type);
    bool tell_unit = f->unit.len > 0 && !str_eq_c(f->unit, "1") && !ends_in_unit(m);

    buf_printf(m->out, "# HELP %s%s ", m->name, suffix);
    put_escaped(m->out, f->help, v1);
    if (tell_unit)
        buf_printf(m->out, " (%.*s)", STR_ARG(f->unit));
    buf_printf(m->out, "\n# TYPE %s%s %s\n", m->name, suffix,
               !v1 && f->type == OPENMETRICS_INFO ? "gauge" : types[f->type]);
    if (v1 && ends_in_unit(m))
        buf_printf(m->out, "# UNIT %s %.*s\n", m->name, STR_ARG(f->unit));
    m->begun = true;
}

void openmetrics_sample(struct openmetrics *m, const char *suffix)
{
    if (!m->begun)
        put_head(m);
    buf_printf(m->out, "%s%s", m->name, suffix ? suffix : suffix_of(m->family.type));
    m->labels = false;
}

void openmetrics_label(struct openmetrics *m, struct str name, struct str value)
{
    buf_printf(m->out, "%c%.*s=\"", m->labels ? ',' : '{', STR_ARG(name));
    put_escaped(m->out, value, true);
    buf_add_char(m->out, '"');
    m->labels = true;
}

static void put_number(struct buf *out, double value)
{
    char text[64];

    if (isnan(value)) {
        buf_add_c(out, "NaN");
    } else if (isinf(value)) {
        buf_add_c(out, value < 0 ? "-Inf" : "+Inf");
    } else {
        num_format_f64(value, text, sizeof(text));
        buf_add_c(out, text);
    }
}

void openmetrics_value(struct openmetrics *m, struct cell value)
{
    buf_add_c(m->out, m->labels ? "} " : " ");
    if (value.tag == CELL_I64)
        buf_add_i64(m->out, value.i64);
    else if (value.tag == CELL_U64)
        buf_add_u64(m->out, value.u64);
    else
        put_number(m->out, cell_to_f64(value));
    buf_add_char(m->out, '\n');
}

void openmetrics_end(struct openmetrics *m)
{
    if (m->form == OPENMETRICS_1)
        buf_add_c(m->out, "# EOF\n");
}

void openmetrics_single(struct openmetrics *m, const struct openmetrics_family *family,
                        struct cell value)
{
    openmetrics_family(m, family);
    openmetrics_sample(m, NULL);
    openmetrics_value(m, value);
}

void openmetrics_process(struct openmetrics *m, const struct openmetrics_process *p)
{
    const struct openmetrics_family build = {
        str_of(p->name), OPENMETRICS_INFO, {NULL, 0}, STR("What was built.")};
    const struct {
        struct openmetrics_family family;
        struct cell value;
    } rows[] = {
        {{STR("process_cpu_seconds"), OPENMETRICS_COUNTER, STR("seconds"),
          STR("User and system time of this process.")},
         cell_f64(p->cpu_s)},
        {{STR("process_resident_memory_bytes"), OPENMETRICS_GAUGE, STR("bytes"),
          STR("Memory of this process that is in RAM.")},
         cell_u64(p->resident_bytes)},
        {{STR("process_open_fds"), OPENMETRICS_GAUGE, {NULL, 0}, STR("Open file descriptors.")},
         cell_u64(p->open_files)},
        {{STR("process_max_fds"),
          OPENMETRICS_GAUGE,
          {NULL, 0},
          STR("File descriptors this process may have open.")},
         cell_u64(p->max_files)},
        {{STR("process_start_time_seconds"), OPENMETRICS_GAUGE, STR("seconds"),
          STR("When this process started, since 1970-01-01 UTC.")},
         cell_f64(p->start_s)},
    };

    openmetrics_family(m, &build);
    openmetrics_sample(m, NULL);
    openmetrics_label(m, STR("version"), str_of(p->version));
    openmetrics_value(m, cell_i64(1));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        openmetrics_single(m, &rows[i].family, rows[i].value);
}
