/* SPDX-License-Identifier: PostgreSQL */
/*
 * tsdb_samples.c: slices whose cells follow from a formula.
 */
#include "tsdb_samples.h"

#include <string.h>

static const char *const texts[] = {"idle", "active", "idle in transaction"};

static struct cell odd_double(unsigned object, unsigned slice)
{
    uint64_t bits = UINT64_C(0x7ff8000000abc000) + object;
    double v = 0;

    memcpy(&v, &bits, sizeof(v)); /* a NaN with a payload */
    if (slice == 6) {
        v = -0.0;
    } else if (slice != 5) {
        v = (object + 1) / (3.0 * (slice + 1));
    }
    return cell_f64(v);
}

static struct cell any_type(unsigned object, unsigned slice)
{
    switch (slice % 4) {
    case 0:
        return cell_i64(-(int64_t)object - slice);
    case 1:
        return cell_f64(object / 7.0);
    case 2:
        return cell_str(str_of(texts[object % 3]));
    default:
        return cell_u64(UINT64_MAX - object);
    }
}

struct cell samples_cell(unsigned column, unsigned object, unsigned slice)
{
    switch (column) {
    case 1:
        return cell_i64((int64_t)object * 1000 + (int64_t)slice * slice - 50);
    case 2:
        return cell_u64(UINT64_MAX - slice * 7 - object);
    case 3:
        return odd_double(object, slice);
    case 4:
        return cell_f64((object * 100 + slice * 7) / 1000.0);
    case 5:
        return cell_str(str_of(texts[(object + slice / 5) % 3]));
    case 6:
        return any_type(object, slice);
    default:
        return (object + slice) % 3 ? cell_i64(object) : (struct cell){.tag = CELL_NULL};
    }
}

bool samples_present(unsigned object, unsigned slice)
{
    return slice != SAMPLES_FAILED && (object + slice) % 7 != 0;
}

static void fill_rows(struct arena *a, unsigned slice, struct codec_slice *out)
{
    size_t rows = 0;
    for (unsigned c = 0; c <= SAMPLES_COLUMNS; c++) {
        struct cell *cells = arena_array(a, SAMPLES_OBJECTS, sizeof(*cells));
        rows = 0;
        for (unsigned o = 0; o < SAMPLES_OBJECTS; o++) {
            if (samples_present(o, slice)) {
                out->objects[rows] = o + 100;
                cells[rows++] = c ? samples_cell(c, o, slice) : cell_str(str_of(texts[o % 3]));
            }
        }
        out->columns[c] = (struct codec_column){.id = c, .cells = cells};
    }
    out->row_count = rows;
}

void samples_slice(struct arena *a, unsigned slice, bool fact, struct codec_slice *out)
{
    *out = (struct codec_slice){.group = 77,
                                .t_ms = 1700000000000 + slice * 60000,
                                .every_ms = 60000,
                                .flags = SLICE_COMPLETE,
                                .fact = fact};
    out->from_ms = out->t_ms - 60000;
    out->objects = arena_array(a, SAMPLES_OBJECTS, sizeof(*out->objects));
    out->columns = arena_array(a, SAMPLES_COLUMNS + 1, sizeof(*out->columns));
    fill_rows(a, slice, out);
    out->keys = out->columns; /* column 0 is the key */
    out->key_count = fact;
    out->columns++;
    out->column_count = SAMPLES_COLUMNS;
    if (slice == SAMPLES_FAILED) {
        out->flags = SLICE_FAILED;
        out->reason = STR("no route to host");
    }
    if (slice == 3 && !fact) {
        out->gone = arena_array(a, 1, sizeof(*out->gone));
        out->gone[0] = 99;
        out->gone_count = 1;
    }
    if (slice == 4) {
        out->resets = arena_array(a, 1, sizeof(*out->resets));
        out->resets[0] = 1;
        out->reset_count = 1;
    }
}
