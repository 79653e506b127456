/* SPDX-License-Identifier: PostgreSQL */
/* slice_read.h: reading one slice; a part of batch_read. */
#ifndef MODEL_SLICE_READ_H
#define MODEL_SLICE_READ_H

#include "model/batch.h"
#include "model/place.h"

/* at: names the slice and takes the error; its other parts are used while reading. */
enum err_code slice_read(struct arena *a, const struct json *n, struct place *at,
                         struct slice *out) ERR_MUST_CHECK;

#endif
