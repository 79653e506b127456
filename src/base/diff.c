/* SPDX-License-Identifier: PostgreSQL */
/*
 * diff.c: see the header.
 *
 * What both begin and end with is taken off; the middle is the longest common subsequence, by the
 * table of lengths from each pair of positions to the end.
 */
#include "base/diff.h"

#include <stdint.h>

#include "base/alloc.h"

struct lines {
    struct str *at;
    size_t count;
};

static struct lines split(struct str text)
{
    struct lines l = {0};
    size_t room = 1;

    for (size_t i = 0; i < text.len; i++)
        room += text.ptr[i] == '\n';
    l.at = alloc_array(room, sizeof(*l.at));
    while (text.len > 0) /* no line begins behind the last line feed */
        l.at[l.count++] = str_split(&text, '\n');
    return l;
}

static void put(struct buf *out, const char *mark, struct str line)
{
    buf_add_c(out, mark);
    buf_add_str(out, line);
    buf_add_char(out, '\n');
}

static void put_all(struct buf *out, const char *mark, const struct str *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(out, mark, lines[i]);
}

static void diff_middle(const struct lines *a, const struct lines *b, struct buf *out)
{
    size_t width = b->count + 1, i = 0, j = 0;
    uint16_t *length = alloc_array((a->count + 1) * width, sizeof(*length));

    for (size_t y = a->count; y-- > 0;) {
        for (size_t x = b->count; x-- > 0;) {
            uint16_t down = length[(y + 1) * width + x], right = length[y * width + x + 1];

            length[y * width + x] = str_eq(a->at[y], b->at[x])
                                        ? (uint16_t)(length[(y + 1) * width + x + 1] + 1)
                                    : down >= right ? down
                                                    : right;
        }
    }
    while (i < a->count && j < b->count) {
        if (str_eq(a->at[i], b->at[j])) {
            put(out, "  ", a->at[i++]);
            j++;
        } else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) {
            put(out, "- ", a->at[i++]);
        } else {
            put(out, "+ ", b->at[j++]);
        }
    }
    put_all(out, "- ", a->at + i, a->count - i);
    put_all(out, "+ ", b->at + j, b->count - j);
    alloc_free(length);
}

void diff_lines(struct str a, struct str b, struct buf *out)
{
    struct lines la = split(a), lb = split(b);
    size_t head = 0, tail = 0;

    while (head < la.count && head < lb.count && str_eq(la.at[head], lb.at[head]))
        head++;
    while (tail < la.count - head && tail < lb.count - head &&
           str_eq(la.at[la.count - 1 - tail], lb.at[lb.count - 1 - tail]))
        tail++;
    if (head < la.count || head < lb.count) {
        struct lines ma = {la.at + head, la.count - head - tail};
        struct lines mb = {lb.at + head, lb.count - head - tail};

        put_all(out, "  ", la.at, head);
        if (ma.count <= DIFF_LINES_MAX && mb.count <= DIFF_LINES_MAX) {
            diff_middle(&ma, &mb, out);
        } else {
            put_all(out, "- ", ma.at, ma.count);
            put_all(out, "+ ", mb.at, mb.count);
        }
        put_all(out, "  ", la.at + la.count - tail, tail);
    }
    alloc_free(la.at);
    alloc_free(lb.at);
}
