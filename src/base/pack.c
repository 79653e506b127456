/* SPDX-License-Identifier: PostgreSQL */
/*
 * pack.c: gzip and zstd, never beyond the maximum of the output buffer.
 *
 * The contexts of zstd are large (some 100 kB) and dear to make, so a few are kept for reuse.
 * Threads: any; the kept contexts are exchanged atomically, and libdeflate's choice of functions
 * for this processor, a plain global that each first call fills in, is made once before any use.
 */
#include "base/pack.h"

#include <libdeflate.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <zstd.h>

#define PACK_GZIP_MIN       18   /* header and trailer */
#define PACK_DEFLATE_RATIO  1032 /* deflate cannot do better */
#define PACK_WINDOW_LOG_MAX 23   /* 8 MB: what level 19 asks for */
#define PACK_STEP_BYTES     ((size_t)128 * 1024)
#define PACK_KEPT           4 /* contexts of each kind */

typedef _Atomic(void *) pack_slot;

static pack_slot pack_kept_cctx[PACK_KEPT];
static pack_slot pack_kept_dctx[PACK_KEPT];

static void *pack_borrow(pack_slot *kept)
{
    for (int i = 0; i < PACK_KEPT; i++) {
        void *ctx = atomic_exchange(&kept[i], NULL);

        if (ctx)
            return ctx;
    }
    return NULL;
}

/* Returns false when all places are taken: the caller frees it. */
static bool pack_keep(pack_slot *kept, void *ctx)
{
    for (int i = 0; i < PACK_KEPT; i++) {
        void *expected = NULL;

        if (atomic_compare_exchange_strong(&kept[i], &expected, ctx))
            return true;
    }
    return false;
}

/* Every kind of first call: compressing and taking apart an empty text has all of them. */
static void pack_choose(void)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(1);
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    char packed[64], text[1];
    size_t len = c ? libdeflate_gzip_compress(c, "", 0, packed, sizeof(packed)) : 0;

    if (d && len > 0)
        (void)libdeflate_gzip_decompress_ex(d, packed, len, text, sizeof(text), NULL, NULL);
    libdeflate_free_decompressor(d);
    libdeflate_free_compressor(c);
}

static void pack_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, pack_choose);
}

enum pack_kind pack_sniff(struct str bytes)
{
    if (str_starts(bytes, STR("\x1F\x8B")))
        return PACK_GZIP;
    if (str_starts(bytes, STR("\x28\xB5\x2F\xFD")))
        return PACK_ZSTD;
    return PACK_PLAIN;
}

enum err_code pack_gzip(struct str in, int level, struct buf *out, struct err *e)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
    enum err_code rc = ERR_OK;
    size_t room, len;
    char *to;

    pack_prepare();
    if (!c)
        return err_set(e, ERR_BUG, "gzip: level %d", level);
    room = libdeflate_gzip_compress_bound(c, in.len);
    if (room > out->max - out->len)
        room = out->max - out->len;
    to = buf_room(out, room);
    len = to ? libdeflate_gzip_compress(c, in.ptr ? in.ptr : "", in.len, to, room) : 0;
    if (len > 0)
        buf_grew(out, len);
    else
        rc = err_set(e, ERR_LIMIT, "gzip: more than %zu bytes", out->max);
    libdeflate_free_compressor(c);
    return rc;
}

enum err_code pack_zstd(struct str in, int level, struct buf *out, struct err *e)
{
    ZSTD_CCtx *ctx = pack_borrow(pack_kept_cctx);
    size_t room = ZSTD_compressBound(in.len), len;
    enum err_code rc = ERR_OK;
    char *to;

    if (!ctx)
        ctx = ZSTD_createCCtx();
    if (!ctx)
        return err_set(e, ERR_LIMIT, "zstd: out of memory");
    if (room > out->max - out->len)
        room = out->max - out->len;
    to = buf_room(out, room);
    len = to ? ZSTD_compressCCtx(ctx, to, room, in.ptr, in.len, level) : 0;
    if (to && !ZSTD_isError(len))
        buf_grew(out, len);
    else
        rc = err_set(e, ERR_LIMIT, "zstd: more than %zu bytes", out->max);
    if (!pack_keep(pack_kept_cctx, ctx))
        (void)ZSTD_freeCCtx(ctx);
    return rc;
}

static enum err_code pack_too_long(const char *kind, const struct buf *out, struct err *e)
{
    return err_set(e, ERR_LIMIT, "%s: unpacks to more than %zu bytes", kind, out->max);
}

static size_t pack_load32(const char *at)
{
    const unsigned char *p = (const unsigned char *)at;

    return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

/*
 * The trailer says how long the content is; libdeflate checks that it told the truth. So the
 * room is exact, and a member that unpacks to more than it says is damaged (or two members in a
 * row).
 */
static enum err_code pack_ungzip(struct str in, struct buf *out, struct err *e)
{
    struct libdeflate_decompressor *d;
    enum libdeflate_result result;
    size_t size, used = 0;
    char *to;

    if (in.len < PACK_GZIP_MIN)
        return err_set(e, ERR_INVALID, "gzip: cut short");
    size = pack_load32(in.ptr + in.len - 4);
    if (size / PACK_DEFLATE_RATIO > in.len)
        return err_set(e, ERR_INVALID, "gzip: damaged (impossible length)");
    if (size > out->max - out->len)
        return pack_too_long("gzip", out, e);
    to = buf_room(out, size);
    d = to ? libdeflate_alloc_decompressor() : NULL;
    if (!d)
        return err_set(e, ERR_LIMIT, "gzip: out of memory");
    pack_prepare();
    result = libdeflate_gzip_decompress_ex(d, in.ptr, in.len, to, size, &used, NULL);
    libdeflate_free_decompressor(d);
    if (result != LIBDEFLATE_SUCCESS)
        return err_set(e, ERR_INVALID, "gzip: damaged");
    if (used != in.len)
        return err_set(e, ERR_INVALID, "gzip: %zu bytes behind the end", in.len - used);
    buf_grew(out, size);
    return ERR_OK;
}

/* A frame that says its length: one call into room of exactly that size. */
static enum err_code pack_unzstd_whole(ZSTD_DCtx *ctx, struct str in, size_t size, struct buf *out,
                                       struct err *e)
{
    char *to = buf_room(out, size);
    size_t len;

    if (!to)
        return err_set(e, ERR_LIMIT, "zstd: out of memory");
    len = ZSTD_decompressDCtx(ctx, to, size, in.ptr, in.len);
    if (ZSTD_isError(len))
        return err_set(e, ERR_INVALID, "zstd: %s", ZSTD_getErrorName(len));
    buf_grew(out, len);
    return ERR_OK;
}

/* A frame that does not say its length: step by step, with a bounded window. */
static enum err_code pack_unzstd_steps(ZSTD_DCtx *ctx, struct str in, struct buf *out,
                                       struct err *e)
{
    ZSTD_inBuffer from = {in.ptr, in.len, 0};
    size_t left = 1;

    (void)ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, PACK_WINDOW_LOG_MAX);
    while (left > 0) {
        size_t room = out->max - out->len < PACK_STEP_BYTES ? out->max - out->len : PACK_STEP_BYTES;
        char *at = buf_room(out, room);
        ZSTD_outBuffer to = {at, room, 0};

        if (!at)
            return pack_too_long("zstd", out, e);
        left = ZSTD_decompressStream(ctx, &to, &from);
        if (ZSTD_isError(left))
            return err_set(e, ERR_INVALID, "zstd: %s", ZSTD_getErrorName(left));
        buf_grew(out, to.pos);
        if (left > 0 && out->len == out->max)
            return pack_too_long("zstd", out, e);
        if (left > 0 && to.pos == 0 && from.pos == from.size)
            return err_set(e, ERR_INVALID, "zstd: cut short");
    }
    return ERR_OK;
}

static enum err_code pack_unzstd(struct str in, struct buf *out, struct err *e)
{
    unsigned long long size = ZSTD_getFrameContentSize(in.ptr, in.len);
    size_t frame = ZSTD_findFrameCompressedSize(in.ptr, in.len);
    bool sized = size != ZSTD_CONTENTSIZE_UNKNOWN;
    enum err_code rc;
    ZSTD_DCtx *ctx;

    if (size == ZSTD_CONTENTSIZE_ERROR || ZSTD_isError(frame))
        return err_set(e, ERR_INVALID, "zstd: damaged");
    if (frame != in.len)
        return err_set(e, ERR_INVALID, "zstd: %zu bytes behind the end", in.len - frame);
    if (sized && size > out->max - out->len)
        return pack_too_long("zstd", out, e);
    ctx = pack_borrow(pack_kept_dctx);
    if (!ctx)
        ctx = ZSTD_createDCtx();
    if (!ctx)
        return err_set(e, ERR_LIMIT, "zstd: out of memory");
    rc = sized ? pack_unzstd_whole(ctx, in, (size_t)size, out, e)
               : pack_unzstd_steps(ctx, in, out, e);
    /* Steps leave a window of some megabytes in the context: that one is not kept. */
    if (!sized || !pack_keep(pack_kept_dctx, ctx))
        (void)ZSTD_freeDCtx(ctx);
    return rc;
}

size_t pack_claim(struct str in, enum pack_kind kind, size_t max)
{
    unsigned long long size = in.len;

    if (kind == PACK_GZIP)
        size = in.len < PACK_GZIP_MIN ? 0 : pack_load32(in.ptr + in.len - 4);
    if (kind == PACK_ZSTD) /* unknown and damaged are huge numbers */
        size = ZSTD_getFrameContentSize(in.ptr, in.len);
    return size > max ? max : (size_t)size;
}

enum err_code pack_unpack(struct str in, enum pack_kind kind, struct buf *out, struct err *e)
{
    switch (kind) {
    case PACK_PLAIN:
        if (in.len > out->max - out->len)
            return pack_too_long("plain", out, e);
        buf_add_str(out, in);
        return buf_check(out, e);
    case PACK_GZIP:
        return pack_ungzip(in, out, e);
    case PACK_ZSTD:
        return pack_unzstd(in, out, e);
    }
    return err_set(e, ERR_BUG, "pack kind %d", (int)kind);
}
