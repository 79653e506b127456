/* SPDX-License-Identifier: PostgreSQL */
/*
 * top_draw.c: one frame of `pga ctl top`.
 *
 *     what is watched, its load against its CPUs, the time of the reading
 *     the load of the last minutes, a column ten seconds, a letter a wait class
 *     sessions, queries, or who waits for whom
 *     keys
 *
 * Nothing foreign reaches the terminal but printable characters. Without colours the letters say
 * the same.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/ctl/output.h"
#include "app/ctl/top.h"
#include "base/num.h"
#include "os/clock.h"

#define STRIP_ROWS 7
#define AXIS_WIDTH 7

struct pen {
    struct buf *out;
    int left; /* columns of this line */
    int rows; /* lines that are left */
    int columns;
    bool colour, raw;
};

enum tone { TONE_PLAIN, TONE_STRONG, TONE_FAINT, TONE_BAD, TONE_WARN, TONE_GOOD, TONE_BAR };
static const char *const tones[] = {"",         "\033[1m",  "\033[2m", "\033[31m",
                                    "\033[33m", "\033[32m", "\033[7m"};

/* The classes of the API, each with its letter and its colour of the page. */
static const struct {
    const char *name;
    char letter;
    const char *colour;
} looks[] = {
    {"CPU", 'C', "\033[32m"},    {"IO", 'I', "\033[34m"},        {"Lock", 'L', "\033[31m"},
    {"LWLock", 'W', "\033[35m"}, {"BufferPin", 'B', "\033[36m"}, {"Client", 'N', "\033[33m"},
    {"IPC", 'P', "\033[94m"},    {"Timeout", 'T', "\033[93m"},   {"Extension", 'X', "\033[96m"},
    {"Other", 'O', "\033[37m"},
};
#define LOOKS (sizeof(looks) / sizeof(looks[0]))

static size_t look_of(const char *name)
{
    size_t i = 0;

    while (i < LOOKS - 1 && strcmp(looks[i].name, name) != 0)
        i++;
    return i;
}

/* --- lines ------------------------------------------------------------------------------------ */

/* At most `max` columns of s, padded to `width` when that is more. */
static void put(struct pen *p, struct str s, int width, int max)
{
    int used = 0;

    for (size_t i = 0; i < s.len && used < max && used < p->left;) {
        size_t len = str_utf8_len(str_make(s.ptr + i, s.len - i));
        unsigned char c = (unsigned char)s.ptr[i];

        if (len == 0 || c < 0x20 || c == 0x7f) {
            buf_add_char(p->out, len == 0 ? '?' : ' ');
            len = 1;
        } else {
            buf_add(p->out, s.ptr + i, len);
        }
        i += len;
        used++;
    }
    for (; used < width && used < p->left; used++)
        buf_add_char(p->out, ' ');
    p->left -= used;
}

static void put_tone(struct pen *p, const char *tone, struct str s, int width)
{
    bool coloured = p->colour && tone[0] != '\0';

    if (coloured)
        buf_add_c(p->out, tone);
    put(p, s, width, width > 0 ? width : p->left);
    if (coloured)
        buf_add_c(p->out, "\033[0m");
}

__attribute__((format(printf, 3, 4))) static void say(struct pen *p, enum tone tone,
                                                      const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    put_tone(p, tones[tone], str_of(text), 0);
}

static void end_line(struct pen *p)
{
    p->rows--;
    p->left = p->columns;
    if (p->raw)
        buf_add_c(p->out, p->rows > 0 ? "\033[K\r\n" : "\033[K");
    else
        buf_add_char(p->out, '\n');
}

/* --- head ------------------------------------------------------------------------------------- */

static double load_now(const struct top_data *d)
{
    double sum = NAN;

    for (size_t i = 0; i < d->class_count; i++) {
        if (!isnan(d->classes[i].now))
            sum = (isnan(sum) ? 0 : sum) + d->classes[i].now;
    }
    return sum;
}

static void put_clock(struct pen *p, int64_t wall_ms)
{
    time_t t = (time_t)(wall_ms / 1000);
    struct tm tm;

    localtime_r(&t, &tm);
    say(p, TONE_FAINT, "  %02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void draw_head(const struct top *t, struct pen *p)
{
    const struct top_data *d = &t->data;
    bool live = strcmp(d->state, "live") == 0;
    double load = load_now(d);

    say(p, TONE_STRONG, "%s", d->name[0] ? d->name : "pga top");
    say(p, TONE_PLAIN, "  PostgreSQL %s %s  ", d->version, d->role);
    say(p, live ? TONE_GOOD : TONE_BAD, "%s", d->state);
    if (!isnan(load))
        say(p, d->vcpus > 0 && load > d->vcpus ? TONE_BAD : TONE_STRONG, "  load %.2f", load);
    if (d->vcpus > 0)
        say(p, TONE_FAINT, " of %.0f vCPU", d->vcpus);
    if (d->chain_count > 0)
        say(p, TONE_BAD, "  %zu blocking", d->chain_count);
    put_clock(p, d->read_wall_ms - t->back_ms);
    if (t->back_ms > 0)
        say(p, TONE_WARN, "  %lld min ago", (long long)(t->back_ms / 60000));
    if (t->paused)
        say(p, TONE_WARN, "  paused");
    end_line(p);
    if (d->error[0] != '\0') {
        say(p, TONE_BAD, "%s", d->error);
        end_line(p);
    }
}

/* --- the strip -------------------------------------------------------------------------------- */

static double total_at(const struct top_data *d, size_t bucket)
{
    double sum = NAN;

    for (size_t i = 0; i < d->class_count; i++) {
        if (!isnan(d->classes[i].aas[bucket]))
            sum = (isnan(sum) ? 0 : sum) + d->classes[i].aas[bucket];
    }
    return sum;
}

static double scale_of(const struct top_data *d)
{
    double most = d->vcpus > 1 ? d->vcpus : 1;

    for (size_t b = 0; b < d->bucket_count; b++) {
        double total = total_at(d, b);

        most = !isnan(total) && total > most ? total : most;
    }
    return most;
}

/* The class whose part of the stack reaches over `level`; LOOKS = none does. */
static size_t class_at(const struct top_data *d, size_t bucket, double level)
{
    double sum = 0;

    for (size_t i = 0; i < d->class_count; i++) {
        double value = d->classes[i].aas[bucket];

        sum += isnan(value) ? 0 : value;
        if (sum > level)
            return look_of(d->classes[i].name);
    }
    return LOOKS;
}

static void draw_strip_row(const struct top *t, struct pen *p, int row, double most)
{
    const struct top_data *d = &t->data;
    /* a part counts where it fills half of the row; the lowest row shows all that is there */
    double level = row == 0 ? most / STRIP_ROWS / 20 : most * (row + 0.5) / STRIP_ROWS;
    bool cpus = d->vcpus > 0 && (int)(d->vcpus / most * STRIP_ROWS) == row && d->vcpus < most;
    size_t shown = (size_t)(p->columns - AXIS_WIDTH - 1);
    size_t first = d->bucket_count > shown ? d->bucket_count - shown : 0;

    if (row == STRIP_ROWS - 1 || row == 0)
        say(p, TONE_FAINT, "%6.1f ", row == 0 ? 0.0 : most);
    else
        say(p, TONE_FAINT, "%6s ", cpus ? "vCPU" : "");
    for (size_t b = first; b < d->bucket_count; b++) {
        size_t look = class_at(d, b, level);
        char c = look < LOOKS ? looks[look].letter : isnan(total_at(d, b)) ? '.' : ' ';

        if (look == LOOKS && cpus && c == ' ')
            c = '-';
        if (look == LOOKS && row > 0 && c == '.')
            c = ' ';
        put_tone(p, look < LOOKS ? looks[look].colour : tones[TONE_FAINT], str_make(&c, 1), 1);
    }
    end_line(p);
}

static void draw_strip(const struct top *t, struct pen *p)
{
    const struct top_data *d = &t->data;
    double most = scale_of(d);

    for (int row = STRIP_ROWS - 1; row >= 0; row--)
        draw_strip_row(t, p, row, most);
    say(p, TONE_FAINT, "%6s ", "now");
    for (size_t i = 0; i < d->class_count; i++) {
        size_t look = look_of(d->classes[i].name);
        char text[64];

        snprintf(text, sizeof(text), "%c %s %.2f  ", looks[look].letter, d->classes[i].name,
                 isnan(d->classes[i].now) ? 0 : d->classes[i].now);
        put_tone(p, looks[look].colour, str_of(text), 0);
    }
    end_line(p);
}

/* --- tables ----------------------------------------------------------------------------------- */

static bool is_wanted(const struct top *t, struct str s)
{
    size_t at;

    return t->filter[0] == '\0' || str_find(s, str_of(t->filter), &at);
}

static int compare_sessions(const void *a, const void *b, void *sort)
{
    const struct top_sessions *x = a, *y = b;
    double d = 0;

    switch (*(int *)sort) {
    case 0:
        d = y->count - x->count;
        break;
    case 1:
        d = y->waiting - x->waiting;
        break;
    case 2:
        d = (isnan(y->max_tx_s) ? -1 : y->max_tx_s) - (isnan(x->max_tx_s) ? -1 : x->max_tx_s);
        break;
    default:
        break;
    }
    return d != 0 ? (d > 0 ? 1 : -1) : strcmp(x->datname, y->datname);
}

static void put_age(struct pen *p, double seconds, int width)
{
    char text[64] = "-";

    if (!isnan(seconds) && seconds >= 0)
        num_format_duration((int64_t)(seconds * 1000), text, sizeof(text));
    put(p, str_of(text), width, width);
}

static void draw_sessions(const struct top *t, struct pen *p)
{
    struct top_sessions *rows = (struct top_sessions *)t->data.sessions;
    int sort = t->sort[TOP_VIEW_SESSIONS];

    qsort_r(rows, t->data.session_count, sizeof(*rows), compare_sessions, &sort);
    say(p, TONE_BAR, "%-20s %-28s %-26s %7s %7s %-12s %-12s", "DATABASE", "STATE", "PROCESS",
        "COUNT", "WAITING", "OLDEST TX", "IN STATE");
    end_line(p);
    for (size_t i = 0; i < t->data.session_count && p->rows > 1; i++) {
        const struct top_sessions *s = &rows[i];
        char text[256];

        snprintf(text, sizeof(text), "%s %s %s", s->datname, s->state, s->backend_type);
        if (!is_wanted(t, str_of(text)))
            continue;
        put(p, str_of(s->datname[0] ? s->datname : "-"), 21, 20);
        put(p, str_of(s->state[0] ? s->state : "-"), 29, 28);
        put(p, str_of(s->backend_type), 27, 26);
        say(p, TONE_PLAIN, "%7.0f ", s->count);
        say(p, s->waiting > 0 ? TONE_BAD : TONE_FAINT, "%7.0f ", s->waiting);
        put_age(p, s->max_tx_s, 13);
        put_age(p, s->max_state_s, 12);
        end_line(p);
    }
}

static void put_cell(struct pen *p, const struct json *row, const char *member,
                     enum output_form form, int width)
{
    struct buf text;

    buf_init(&text, 1 << 20);
    output_cell(&text, json_get(row, member), form);
    if (form == OUTPUT_ONE_LINE || form == OUTPUT_TEXT) {
        put(p, buf_view(&text), width + 1, width);
    } else {
        int room = width - (int)text.len;

        put(p, STR(""), room > 0 ? room : 0, 0);
        put(p, buf_view(&text), (int)text.len + 1, (int)text.len);
    }
    buf_fini(&text);
}

static void draw_queries(const struct top *t, struct pen *p)
{
    say(p, TONE_BAR, "%6s %7s %9s %12s %10s %-14s %-12s %s", "LOAD", "SHARE", "CALLS", "TOTAL MS",
        "MEAN MS", "DATABASE", "USER", "QUERY (last 5 minutes)");
    end_line(p);
    for (struct json_iter it = json_iter(t->data.queries); p->rows > 1 && json_next(&it);) {
        const struct json *row = it.value;

        if (!is_wanted(t, json_str(json_get(row, "text"))))
            continue;
        put_cell(p, row, "load_aas", OUTPUT_DECIMAL, 6);
        put_cell(p, row, "share", OUTPUT_PERCENT, 7);
        put_cell(p, row, "calls", OUTPUT_INTEGER, 9);
        put_cell(p, row, "total_exec_time", OUTPUT_DECIMAL, 12);
        put_cell(p, row, "mean_exec_time", OUTPUT_DECIMAL, 10);
        put_cell(p, row, "datname", OUTPUT_TEXT, 14);
        put_cell(p, row, "usename", OUTPUT_TEXT, 12);
        put_cell(p, row, "text", OUTPUT_ONE_LINE, p->left);
        end_line(p);
    }
}

#define DEPTH_MAX 10 /* as far as a line has room */

/* --- who waits for whom ----------------------------------------------------------------------- */

static void draw_root(struct pen *p, const struct json *body, int64_t age_ms)
{
    const struct json *root = json_get(body, "root");
    char age[64];

    num_format_duration(age_ms < 0 ? 0 : age_ms, age, sizeof(age));
    say(p, TONE_BAD, "%lld", (long long)json_i64(json_get(root, "pid"), 0));
    say(p, TONE_STRONG, " blocks %lld for %s  ", (long long)json_i64(json_get(body, "waiters"), 0),
        age);
    put_cell(p, root, "datname", OUTPUT_TEXT, 16);
    put_cell(p, root, "usename", OUTPUT_TEXT, 12);
    put_cell(p, root, "state", OUTPUT_TEXT, 20);
    put_cell(p, root, "application_name", OUTPUT_TEXT, 20);
    end_line(p);
}

static int64_t pid_of(const struct json *session)
{
    return json_i64(json_get(session, "pid"), 0);
}

static bool is_at(const struct json *sessions, int64_t pid, int64_t depth)
{
    for (struct json_iter it = json_iter(sessions); json_next(&it);) {
        if (pid_of(it.value) == pid && json_i64(json_get(it.value, "depth"), 1) == depth)
            return true;
    }
    return false;
}

/* Below whom a session stands: the first of its blockers that is a step nearer to the root. */
static int64_t pid_above(const struct json *chain, const struct json *session)
{
    struct str left = json_str(json_get(session, "blocked_by"));
    int64_t depth = json_i64(json_get(session, "depth"), 1), pid = 0;

    while (left.len > 0) {
        struct str word = str_split(&left, ',');

        if (num_parse_i64(word, 1, INT32_MAX, &pid, NULL) == ERR_OK &&
            is_at(json_get(chain, "sessions"), pid, depth - 1))
            return pid;
    }
    return pid_of(json_get(chain, "root"));
}

static void draw_waiter(struct pen *p, const struct json *s, int depth)
{
    put(p, STR(""), depth * 3 - 1, 0);
    say(p, TONE_FAINT, "└ ");
    say(p, TONE_WARN, "%lld ", (long long)json_i64(json_get(s, "pid"), 0));
    put_cell(p, s, "mode", OUTPUT_TEXT, 24);
    put_cell(p, s, "locktype", OUTPUT_TEXT, 14);
    put_cell(p, s, "object", OUTPUT_TEXT, 24);
    put_cell(p, s, "usename", OUTPUT_TEXT, 12);
    put_cell(p, s, "application_name", OUTPUT_TEXT, 16);
    say(p, TONE_FAINT, "behind %.*s", STR_ARG(json_str(json_get(s, "blocked_by"))));
    end_line(p);
}

/* Who waits for this one, each with those who wait for it in turn. */
static void draw_waiters(struct pen *p, const struct json *chain, int64_t pid, int depth)
{
    for (struct json_iter it = json_iter(json_get(chain, "sessions"));
         p->rows > 1 && json_next(&it);) {
        if (pid_above(chain, it.value) == pid && pid_of(it.value) != pid) {
            draw_waiter(p, it.value, depth);
            if (depth < DEPTH_MAX)
                draw_waiters(p, chain, pid_of(it.value), depth + 1);
        }
    }
}

static void draw_locks(const struct top *t, struct pen *p)
{
    const struct top_data *d = &t->data;

    say(p, TONE_BAR, "WHO BLOCKS WHOM (as each chain began; looked at every 10 s)");
    end_line(p);
    if (!isnan(d->blocking_waiting)) {
        double chains = isnan(d->blocking_chains) ? 0 : d->blocking_chains;
        say(p, d->blocking_waiting > 0 ? TONE_BAD : TONE_GOOD, "%.0f %s for locks, in %.0f %s",
            d->blocking_waiting, d->blocking_waiting == 1 ? "session waits" : "sessions wait",
            chains, chains == 1 ? "chain" : "chains");
        end_line(p);
    }
    for (size_t i = 0; i < d->chain_count && p->rows > 2; i++) {
        draw_root(p, d->chains[i], d->read_wall_ms - t->back_ms - d->chain_since_ms[i]);
        draw_waiters(p, d->chains[i], pid_of(json_get(d->chains[i], "root")), 1);
    }
    if (d->chain_count == 0 && p->rows > 1) {
        say(p, TONE_GOOD, "nobody blocks anybody");
        end_line(p);
    }
}

/* --- the frame -------------------------------------------------------------------------------- */

static void draw_tabs(const struct top *t, struct pen *p)
{
    static const char *const names[] = {"1 Sessions", "2 Queries", "3 Locks"};
    const char *sort = top_sort_name(t->view, t->sort[t->view]);

    for (int i = 0; i < TOP_VIEWS; i++) {
        say(p, i == (int)t->view ? TONE_STRONG : TONE_FAINT, i == (int)t->view ? "[%s]" : " %s ",
            names[i]);
        say(p, TONE_PLAIN, " ");
    }
    if (sort != NULL)
        say(p, TONE_FAINT, "  sort: %s", sort);
    if (t->typing || t->filter[0] != '\0')
        say(p, TONE_WARN, "  filter: %s%s", t->filter, t->typing ? "_" : "");
    end_line(p);
}

static void draw_help(struct pen *p)
{
    static const char *const lines[] = {
        "1 2 3, Tab   sessions, queries, locks",
        "s            sort by the next column",
        "/            filter by text; Enter keeps it, Escape drops it",
        "Space        pause and go on",
        "[ ]          a minute back in time, and forward again",
        "r            read again now",
        "+ -          read less often, more often",
        "?            this help",
        "q            end",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]) && p->rows > 1; i++) {
        say(p, TONE_PLAIN, "%s", lines[i]);
        end_line(p);
    }
}

void top_draw(const struct top *t, struct buf *out, enum top_form form)
{
    bool raw = form == TOP_SCREEN;
    struct pen p = {out, t->columns, t->rows, t->columns, t->colour, raw};

    if (raw)
        buf_add_c(out, "\033[H");
    draw_head(t, &p);
    if (t->rows >= 20)
        draw_strip(t, &p);
    draw_tabs(t, &p);
    if (t->help)
        draw_help(&p);
    else if (t->view == TOP_VIEW_SESSIONS)
        draw_sessions(t, &p);
    else if (t->view == TOP_VIEW_QUERIES)
        draw_queries(t, &p);
    else
        draw_locks(t, &p);
    if (!raw)
        return;
    while (p.rows > 1)
        end_line(&p);
    say(&p, TONE_FAINT, "q quit  1 2 3 view  s sort  / filter  Space pause  [ ] time  ? help");
    end_line(&p);
}
