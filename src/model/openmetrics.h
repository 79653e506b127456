/* SPDX-License-Identifier: PostgreSQL */
/*
 * openmetrics.h: metrics as Prometheus reads them, in either of its text forms.
 *
 * OpenMetrics 1.0 and the older text format 0.0.4 differ in names, escapes, units and the end; the
 * caller describes families and samples and does not see the difference. Samples of a family
 * follow it at once; a family without samples is not written.
 *
 * Owner:   the caller's buffer
 * Threads: none; one writer belongs to one thread
 */
#ifndef MODEL_OPENMETRICS_H
#define MODEL_OPENMETRICS_H

#include "base/buf.h"
#include "model/batch.h"

enum openmetrics_form { OPENMETRICS_TEXT_004, OPENMETRICS_1 };

enum openmetrics_type {
    OPENMETRICS_GAUGE,
    OPENMETRICS_COUNTER, /* samples get the suffix _total */
    OPENMETRICS_INFO,    /* one sample 1 with labels; suffix _info */
    OPENMETRICS_SUMMARY, /* samples carry their own suffix: _count, _sum */
};

/* For constant families. */
#define OPENMETRICS_STR(literal)       \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

struct openmetrics_family {
    struct str name; /* without _total */
    enum openmetrics_type type;
    struct str unit; /* written when the name ends in it, else told in the help; may be empty */
    struct str help;
};

struct openmetrics {
    struct buf *out;
    enum openmetrics_form form;
    struct openmetrics_family family;
    char name[256]; /* of the family, without _total */
    bool begun;     /* the family's head is written */
    bool labels;    /* a label was written to the sample under way */
};

/* The form that an Accept header asks for; the older one when it does not say. */
enum openmetrics_form openmetrics_negotiate(struct str accept);
const char *openmetrics_content_type(enum openmetrics_form form);

void openmetrics_begin(struct openmetrics *m, struct buf *out, enum openmetrics_form form);
void openmetrics_family(struct openmetrics *m, const struct openmetrics_family *family);
/* A sample: its suffix (NULL = that of the type), its labels, its value. */
void openmetrics_sample(struct openmetrics *m, const char *suffix);
void openmetrics_label(struct openmetrics *m, struct str name, struct str value);
void openmetrics_value(struct openmetrics *m, struct cell value); /* text and NULL write NaN */
void openmetrics_end(struct openmetrics *m);

/* A family with one sample and no label. */
void openmetrics_single(struct openmetrics *m, const struct openmetrics_family *family,
                        struct cell value);

/* CPU, memory, files and start of this process, and what was built, by the usual names. */
struct openmetrics_process {
    double cpu_s, start_s;
    uint64_t resident_bytes, open_files, max_files;
    const char *version;
    const char *name; /* "pga_server": of the family about the build */
};
void openmetrics_process(struct openmetrics *m, const struct openmetrics_process *p);

#endif
