/* SPDX-License-Identifier: PostgreSQL */
/*
 * pack.h: compression, bounded. gzip by libdeflate, blocks by zstd.
 */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum pack_kind { PACK_PLAIN, PACK_GZIP, PACK_ZSTD };

/* What the first bytes say; a wrong Content-Encoding label does no harm. */
enum pack_kind pack_sniff(struct str bytes);
enum err_code pack_gzip(struct str in, int level, struct buf *out, struct err *e) ERR_MUST_CHECK;
enum err_code pack_zstd(struct str in, int level, struct buf *out, struct err *e) ERR_MUST_CHECK;
/*
 * Unpack into `out` (appended), never beyond out->max. One gzip member or one zstd frame exactly;
 * trailing bytes are refused. ERR_LIMIT over the maximum, ERR_INVALID for damaged input.
 */
enum err_code pack_unpack(struct str in, enum pack_kind kind, struct buf *out,
                          struct err *e) ERR_MUST_CHECK;

#endif
