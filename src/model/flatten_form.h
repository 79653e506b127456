/* SPDX-License-Identifier: PostgreSQL */
/*
 * flatten_form.h: what a collector's last push of loose samples looked like, so that the next one
 * of the same form needs no parser.
 *
 * A collector that sends {"metrics": [{"name", "value", "timestamp", "labels"}, ...]} sends the
 * same bytes each time but for values and times. A form is a push without these: how long each
 * stretch of text between them is, and one fingerprint of all stretches. A push that has the form
 * has the same names and labels in the same order; its values are read in place. It gives the batch
 * that flatten_push gives, without the keys of rows (slice.rows_like). What does not fit is for
 * flatten_push.
 * Owner: caller frees. Threads: immutable once learned.
 */
#ifndef MODEL_FLATTEN_FORM_H
#define MODEL_FLATTEN_FORM_H

#include "model/flatten.h"

struct flatten_form;

/*
 * Learn from a push that flatten_push took in whole (the byte behind its text is a NUL); gives its
 * slice a number in `rows_like`.
 * NULL, and the slice as it was, when the push is anything but loose samples of one time.
 */
struct flatten_form *flatten_form_learn(struct str text, struct flatten *flat);
void flatten_form_free(void *form); /* NULL allowed */
size_t flatten_form_bytes(const struct flatten_form *form);

/*
 * Read a push that has this form; the byte behind the text is a NUL.
 * False when it has another: *out is then undefined. Owner: all of *out lives in the arena.
 */
bool flatten_form_read(const struct flatten_form *form, struct arena *a, struct str text,
                       const struct flatten_spec *spec, struct flatten *out);

#endif
