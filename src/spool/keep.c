/* SPDX-License-Identifier: PostgreSQL */
/*
 * keep.c: the files of keep.h.
 */
#include "spool/keep.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/pack.h"
#include "base/varint.h"
#include "os/file.h"

#define MAGIC      "PGAK"
#define MAGIC_LEN  4
#define VERSION    1
#define HEAD_BYTES 9 /* magic, version, CRC */
#define ZSTD_LEVEL 1
#define PATH_BYTES 1200
#define NAME_BYTES 64

static enum err_code make_path(const struct keep_place *place, char *out, struct err *e)
{
    char target[TEXT_UUID_SIZE];
    text_uuid(&place->target, target);
    int len = snprintf(out, PATH_BYTES, "%s/%s-%s.keep", place->dir, target, place->name);
    return len < PATH_BYTES ? ERR_OK : err_set(e, ERR_LIMIT, "the path of a file is too long");
}

static void put_crc(char *at, uint32_t crc)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (char)(crc >> (8 * i));
    }
}

static uint32_t take_crc(const char *at)
{
    uint32_t crc = 0;
    for (int i = 0; i < 4; i++) {
        crc |= (uint32_t)(unsigned char)at[i] << (8 * i);
    }
    return crc;
}

enum err_code keep_save(const struct keep_place *place, const struct keep_mark *mark,
                        struct str bytes, struct err *e)
{
    char path[PATH_BYTES];
    struct buf file;
    if (bytes.len > LIMIT_KEEP_BYTES) {
        return err_set(e, ERR_LIMIT, "%zu bytes are too many to keep", bytes.len);
    }
    buf_init(&file, LIMIT_KEEP_BYTES + 4096);
    buf_add(&file, MAGIC "\x01\0\0\0\0", HEAD_BYTES);
    buf_add(&file, &place->target, sizeof(place->target));
    buf_add(&file, &mark->stream, sizeof(mark->stream));
    varint_put(&file, mark->seq);
    varint_put_signed(&file, mark->saved_ms);
    varint_put(&file, strlen(place->name));
    buf_add_c(&file, place->name);
    enum err_code code = make_path(place, path, e);
    code = code ? code : pack_zstd(bytes, ZSTD_LEVEL, &file, e);
    code = code ? code : buf_check(&file, e);
    if (!code) {
        put_crc(file.ptr + HEAD_BYTES - 4, crc32c(0, file.ptr + HEAD_BYTES, file.len - HEAD_BYTES));
        code = file_write_atomic(path, buf_view(&file), 0600, e);
    }
    buf_fini(&file);
    return code;
}

static bool take_bytes(struct str *in, void *to, size_t len)
{
    if (in->len < len) {
        return false;
    }
    memcpy(to, in->ptr, len);
    *in = str_make(in->ptr + len, in->len - len);
    return true;
}

static enum err_code read_file(const struct keep_place *place, struct str in,
                               struct keep_mark *mark, struct buf *out, struct err *e)
{
    struct uuid target;
    uint64_t name_len = 0;
    char name[NAME_BYTES];
    if (in.len < HEAD_BYTES || memcmp(in.ptr, MAGIC, MAGIC_LEN) != 0 ||
        take_crc(in.ptr + HEAD_BYTES - 4) != crc32c(0, in.ptr + HEAD_BYTES, in.len - HEAD_BYTES)) {
        return err_set(e, ERR_CORRUPT, "the file is damaged");
    }
    if (in.ptr[MAGIC_LEN] != VERSION) {
        return err_set(e, ERR_CONFLICT, "the file has version %d", in.ptr[MAGIC_LEN]);
    }
    in = str_make(in.ptr + HEAD_BYTES, in.len - HEAD_BYTES);
    if (!take_bytes(&in, &target, sizeof(target)) ||
        !take_bytes(&in, &mark->stream, sizeof(mark->stream)) || !varint_take(&in, &mark->seq) ||
        !varint_take_signed(&in, &mark->saved_ms) || !varint_take(&in, &name_len) ||
        name_len > sizeof(name) || !take_bytes(&in, name, (size_t)name_len)) {
        return err_set(e, ERR_CORRUPT, "the file is cut short");
    }
    if (!text_uuid_eq(&target, &place->target) ||
        !str_eq_c(str_make(name, (size_t)name_len), place->name)) {
        return err_set(e, ERR_CONFLICT, "the file belongs to another target");
    }
    return pack_unpack(in, PACK_ZSTD, out, e);
}

enum err_code keep_load(const struct keep_place *place, struct keep_mark *mark, struct buf *out,
                        struct err *e)
{
    char path[PATH_BYTES];
    struct buf file;
    buf_init(&file, LIMIT_KEEP_BYTES + 4096);
    enum err_code code = make_path(place, path, e);
    code = code ? code : file_read_all(path, &file, e);
    code = code ? code : read_file(place, buf_view(&file), mark, out, e);
    buf_fini(&file);
    return code;
}

enum err_code keep_forget(const struct keep_place *place, struct err *e)
{
    char path[PATH_BYTES];
    enum err_code code = make_path(place, path, e);
    if (code || access(path, F_OK) != 0) {
        return code;
    }
    code = file_remove(path, e);
    return code ? code : file_sync_dir(place->dir, e);
}
