/* SPDX-License-Identifier: PostgreSQL */
/*
 * top.h: what the files of `pga ctl top` share: what was read, what is shown, how it is drawn.
 *
 * Owner: JSON nodes borrow from the answers of the last refresh; everything else is a copy.
 */
#ifndef APP_CTL_TOP_H
#define APP_CTL_TOP_H

#include "app/ctl/ctl.h"

#define TOP_CLASSES  12
#define TOP_BUCKETS  400
#define TOP_SESSIONS 200
#define TOP_CHAINS   20

enum top_view { TOP_VIEW_SESSIONS, TOP_VIEW_QUERIES, TOP_VIEW_LOCKS, TOP_VIEWS };

/* Load of one wait class over time. */
struct top_class {
    char name[16];
    double aas[TOP_BUCKETS]; /* NaN = not known */
    double now;              /* newest bucket that is known */
};

/* Sessions that are alike. */
struct top_sessions {
    const char *datname, *state, *backend_type;
    double count, waiting, max_tx_s, max_state_s;
};

struct top_data {
    bool good; /* the last refresh worked */
    char error[ERR_TEXT_MAX];
    char name[128], version[64], role[16], state[16];
    double vcpus; /* 0 = not known */
    int64_t read_wall_ms, last_sample_ms;
    struct top_class classes[TOP_CLASSES];
    size_t class_count, bucket_count;
    struct top_sessions sessions[TOP_SESSIONS];
    size_t session_count;
    const struct json *queries;            /* rows */
    const struct json *chains[TOP_CHAINS]; /* bodies of blocking_started that have not ended */
    int64_t chain_since_ms[TOP_CHAINS];
    size_t chain_count;
    double blocking_waiting, blocking_chains; /* of pg_blocking; NaN = not known */
};

struct top {
    struct ctl *ctl;
    char id[64]; /* of the target */
    enum top_view view;
    int sort[TOP_VIEWS];
    char filter[64];
    bool typing; /* the filter is being typed */
    bool paused, help;
    int64_t back_ms; /* how far back in time; 0 = now */
    int64_t every_ms;
    int columns, rows;
    bool colour;
    struct top_data data;
};

/* top_data.c: ask the server for everything that the view needs. */
void top_refresh(struct top *t);
/* How a view can be sorted; NULL = there is no such. For queries: the API's column. */
const char *top_sort_name(enum top_view view, int index);

/* top_draw.c: one frame of t->columns by t->rows into `out`, for a raw terminal or as text. */
enum top_form { TOP_TEXT, TOP_SCREEN };
void top_draw(const struct top *t, struct buf *out, enum top_form form);

#endif
