/* SPDX-License-Identifier: PostgreSQL */
/*
 * diff.h: what changed between two texts, line by line.
 *
 * Threads: any.
 */
#ifndef BASE_DIFF_H
#define BASE_DIFF_H

#include "base/buf.h"
#include "base/str.h"

/*
 * Append every line of both, in order, behind "  " (in both), "- " (in a alone) or "+ " (in b
 * alone). Nothing is appended for equal texts. Of more than DIFF_LINES_MAX lines that differ, a's
 * come first as a whole, then b's.
 */
#define DIFF_LINES_MAX 2000 /* of one text between what both begin and end with: memory is n * m */
void diff_lines(struct str a, struct str b, struct buf *out);

#endif
