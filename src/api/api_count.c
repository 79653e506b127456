/* SPDX-License-Identifier: PostgreSQL */
/* api_count.c: see the header. One row a route, and one for addresses that nobody answers. */
#include "api/api_count.h"

#include <stdio.h>

#include "base/alloc.h"

/* Statuses are counted one by one up to here; the rest of the three digits is not in use. */
#define STATUS_MIN 100
#define STATUS_MAX 599

struct row {
    atomic_ullong by_status[STATUS_MAX - STATUS_MIN + 1];
    atomic_ullong took_us;
};

struct api_count {
    size_t count; /* rows; the last is of no route */
    struct row *rows;
    atomic_int in_flight;
    atomic_ullong duplicates;
};

struct api_count *api_count_new(void)
{
    struct api_count *c = alloc_new(sizeof(*c));
    size_t routes;

    (void)route_table(&routes);
    c->count = routes + 1;
    c->rows = alloc_array(c->count, sizeof(*c->rows));
    return c;
}

void api_count_free(struct api_count *c)
{
    if (c == NULL)
        return;
    alloc_free(c->rows);
    alloc_free(c);
}

static struct row *row_of(struct api_count *c, const struct route *route)
{
    size_t count, i = 0;
    const struct route *const *table = route_table(&count);

    while (i < count && table[i] != route)
        i++;
    return &c->rows[i];
}

void api_count_add(struct api_count *c, const struct route *route, int status, int64_t took_us)
{
    struct row *row = row_of(c, route);

    if (status >= STATUS_MIN && status <= STATUS_MAX)
        atomic_fetch_add(&row->by_status[status - STATUS_MIN], 1);
    atomic_fetch_add(&row->took_us, (unsigned long long)took_us);
}

void api_count_in_flight(struct api_count *c, int step)
{
    atomic_fetch_add(&c->in_flight, step);
}

void api_count_duplicates(struct api_count *c, size_t members)
{
    if (members > 0)
        atomic_fetch_add(&c->duplicates, (unsigned long long)members);
}

static void put_route(struct openmetrics *m, size_t index)
{
    size_t count;
    const struct route *const *table = route_table(&count);

    openmetrics_label(m, STR("method"), str_of(index < count ? table[index]->method : ""));
    openmetrics_label(m, STR("route"), str_of(index < count ? table[index]->path : ""));
}

static void put_statuses(struct api_count *c, struct openmetrics *m)
{
    for (size_t i = 0; i < c->count; i++) {
        for (int s = 0; s <= STATUS_MAX - STATUS_MIN; s++) {
            unsigned long long n = atomic_load(&c->rows[i].by_status[s]);
            char status[8];

            if (n == 0)
                continue;
            snprintf(status, sizeof(status), "%d", s + STATUS_MIN);
            openmetrics_sample(m, NULL);
            put_route(m, i);
            openmetrics_label(m, STR("status"), str_of(status));
            openmetrics_value(m, cell_u64(n));
        }
    }
}

static void put_times(struct api_count *c, struct openmetrics *m)
{
    for (size_t i = 0; i < c->count; i++) {
        unsigned long long n = 0;

        for (int s = 0; s <= STATUS_MAX - STATUS_MIN; s++)
            n += atomic_load(&c->rows[i].by_status[s]);
        if (n == 0)
            continue;
        openmetrics_sample(m, "_count");
        put_route(m, i);
        openmetrics_value(m, cell_u64(n));
        openmetrics_sample(m, "_sum");
        put_route(m, i);
        openmetrics_value(m, cell_f64((double)atomic_load(&c->rows[i].took_us) / 1e6));
    }
}

void api_count_write(struct api_count *c, struct openmetrics *m)
{
    openmetrics_family(m, &(struct openmetrics_family){
                              STR("pga_http_requests"),
                              OPENMETRICS_COUNTER,
                              {NULL, 0},
                              STR("Requests answered; an empty route is an unknown address.")});
    put_statuses(c, m);
    openmetrics_family(m, &(struct openmetrics_family){
                              STR("pga_http_request_duration_seconds"), OPENMETRICS_SUMMARY,
                              STR("seconds"), STR("Time from the first byte read to the answer.")});
    put_times(c, m);
    openmetrics_single(m,
                       &(struct openmetrics_family){STR("pga_http_requests_in_flight"),
                                                    OPENMETRICS_GAUGE,
                                                    {NULL, 0},
                                                    STR("Requests being worked on.")},
                       cell_i64(atomic_load(&c->in_flight)));
    openmetrics_single(m,
                       &(struct openmetrics_family){STR("pga_push_duplicate_members"),
                                                    OPENMETRICS_COUNTER,
                                                    {NULL, 0},
                                                    STR("Members of pushes that stood before in "
                                                        "the same object; one of them counts.")},
                       cell_u64(atomic_load(&c->duplicates)));
}
