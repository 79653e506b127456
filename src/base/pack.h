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
 * How many bytes unpacking would take, to ask for them before it begins: what the packed bytes say,
 * or `max` when they do not say or say more. Nothing but pack_unpack finds out whether it is true.
 */
size_t pack_claim(struct str in, enum pack_kind kind, size_t max);
/*
 * Unpack into `out` (appended), never beyond out->max. One gzip member or one zstd frame exactly;
 * trailing bytes are refused. ERR_LIMIT over the maximum, ERR_INVALID for damaged input.
 */
enum err_code pack_unpack(struct str in, enum pack_kind kind, struct buf *out,
                          struct err *e) ERR_MUST_CHECK;

#endif
