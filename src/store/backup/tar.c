/* SPDX-License-Identifier: PostgreSQL */
/* tar.c: see the header. Offsets are those of the ustar head, POSIX.1-2017, pax. */
#include "store/backup/tar.h"

#include "os/file.h"

#include <stdio.h>
#include <string.h>

#define MODE_AT     100
#define OWNER_AT    108
#define GROUP_AT    116
#define SIZE_AT     124
#define MTIME_AT    136
#define SUM_AT      148
#define TYPE_AT     156
#define MAGIC_AT    257
#define SIZE_LEN    12
#define OCTAL_MOST  077777777777ULL /* eleven digits */
#define BASE256     0x80
#define OCTAL_DIGIT 3

static unsigned long sum_of(const unsigned char *head)
{
    unsigned long sum = 0;

    for (size_t i = 0; i < TAR_BLOCK; i++) {
        sum += i >= SUM_AT && i < SUM_AT + 8 ? ' ' : head[i];
    }
    return sum;
}

static void put_size(unsigned char *to, uint64_t size)
{
    if (size <= OCTAL_MOST) {
        (void)snprintf((char *)to, SIZE_LEN, "%011llo", (unsigned long long)size);
        return;
    }
    memset(to, 0, SIZE_LEN);
    for (size_t i = 0; i < sizeof(size); i++) {
        to[SIZE_LEN - 1 - i] = (unsigned char)(size >> (8 * i));
    }
    to[0] = BASE256;
}

enum err_code tar_put_head(const struct tar_sink *to, const struct tar_entry *entry, struct err *e)
{
    unsigned char head[TAR_BLOCK] = {0};
    size_t len = strlen(entry->name);

    if (len == 0 || len >= TAR_NAME_SIZE) {
        return err_set(e, ERR_LIMIT, "the name %.120s does not fit an archive", entry->name);
    }
    memcpy(head, entry->name, len);
    (void)snprintf((char *)head + MODE_AT, 8, "%07o", 0600U);
    (void)snprintf((char *)head + OWNER_AT, 8, "%07o", 0U);
    (void)snprintf((char *)head + GROUP_AT, 8, "%07o", 0U);
    put_size(head + SIZE_AT, entry->size);
    put_size(head + MTIME_AT, (uint64_t)entry->mtime_s);
    head[TYPE_AT] = '0';
    memcpy(head + MAGIC_AT, "ustar\00000", 8);
    (void)snprintf((char *)head + SUM_AT, 8, "%06lo", sum_of(head));
    head[SUM_AT + 7] = ' ';
    return to->write(to->arg, head, sizeof(head), e);
}

enum err_code tar_put_padding(const struct tar_sink *to, uint64_t size, struct err *e)
{
    static const unsigned char zeros[TAR_BLOCK];
    size_t over = (size_t)(size % TAR_BLOCK);

    return over ? to->write(to->arg, zeros, TAR_BLOCK - over, e) : ERR_OK;
}

enum err_code tar_put_end(const struct tar_sink *to, struct err *e)
{
    static const unsigned char zeros[2 * TAR_BLOCK];

    return to->write(to->arg, zeros, sizeof(zeros), e);
}

/* --- reading --- */

static bool get_octal(const unsigned char *at, size_t len, uint64_t *out)
{
    size_t i = 0;

    *out = 0;
    for (; i < len && at[i] >= '0' && at[i] <= '7'; i++) {
        *out = *out << OCTAL_DIGIT | (uint64_t)(at[i] - '0');
    }
    return i > 0 && (i == len || at[i] == '\0' || at[i] == ' ');
}

static bool get_size(const unsigned char *at, uint64_t *out)
{
    if (at[0] != BASE256) {
        return get_octal(at, SIZE_LEN, out);
    }
    *out = 0;
    for (size_t i = 1; i < SIZE_LEN; i++) {
        if (*out >> 55) {
            return false;
        }
        *out = *out << 8 | at[i];
    }
    return true;
}

static bool is_plain_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* Words of plain characters with single dots and slashes between them: nothing leads elsewhere. */
static bool is_plain_name(const char *name)
{
    char before = '/';

    for (; *name; before = *name++) {
        bool mark = *name == '/' || *name == '.';
        if (!is_plain_char(*name) && !(mark && is_plain_char(before))) {
            return false;
        }
    }
    return is_plain_char(before);
}

static bool is_zero(const unsigned char *block)
{
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        if (block[i]) {
            return false;
        }
    }
    return true;
}

static enum err_code read_head(const unsigned char *head, struct tar_entry *out, struct err *e)
{
    uint64_t sum = 0;
    uint64_t mtime = 0;

    if (memcmp(head + MAGIC_AT, "ustar", 5) != 0) {
        return err_set(e, ERR_INVALID, "this is no tar archive");
    }
    if (!get_octal(head + SUM_AT, 8, &sum) || sum != sum_of(head) ||
        !get_size(head + SIZE_AT, &out->size) || !get_size(head + MTIME_AT, &mtime)) {
        return err_set(e, ERR_CORRUPT, "the head of an entry is damaged");
    }
    memcpy(out->name, head, TAR_NAME_SIZE);
    if (out->name[TAR_NAME_SIZE - 1] || !is_plain_name(out->name) || head[TYPE_AT] != '0') {
        return err_set(e, ERR_INVALID, "an entry is no plain file, or has no plain name");
    }
    out->mtime_s = (int64_t)mtime;
    return ERR_OK;
}

enum err_code tar_next(int fd, uint64_t *at, struct tar_entry *out, bool *end, struct err *e)
{
    unsigned char head[TAR_BLOCK];
    uint64_t size = 0;
    enum err_code code = file_size(fd, &size, e);

    *end = false;
    if (code == ERR_OK && size < *at + TAR_BLOCK) {
        return err_set(e, ERR_CORRUPT, "it is cut short: its end is missing");
    }
    if (code == ERR_OK) {
        code = file_read_at(fd, head, sizeof(head), *at, e);
    }
    if (code) {
        return code;
    }
    *at += TAR_BLOCK;
    if (is_zero(head)) {
        *end = true;
        return ERR_OK;
    }
    code = read_head(head, out, e);
    if (code) {
        return code;
    }
    out->at = *at;
    if (out->size > size - *at) {
        return err_set(e, ERR_CORRUPT, "it is cut short within %s", out->name);
    }
    *at += (out->size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    return ERR_OK;
}
