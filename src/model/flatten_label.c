/* SPDX-License-Identifier: PostgreSQL */
/* flatten_label.c: the labels of a loose sample as one text. */
#include <stdlib.h>

#include "base/limits.h"
#include "model/flatten_part.h"

struct label {
    struct str name, value;
};

static int by_name(const void *x, const void *y)
{
    return str_cmp(((const struct label *)x)->name, ((const struct label *)y)->name);
}

static void put_escaped(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '"' || s.ptr[i] == '\\')
            buf_add_str(out, STR("\\"));
        if (s.ptr[i] == '\n')
            buf_add_str(out, STR("\\n"));
        else
            buf_add_str(out, str_make(s.ptr + i, 1));
    }
}

const char *flatten_label_text(struct arena *a, const struct json *n, struct str *out)
{
    struct label labels[LIMIT_RELATION_KEYS];
    const char *why = NULL;
    size_t count = 0;
    struct buf text;

    *out = STR("");
    if (json_type(n) == JSON_ABSENT || json_type(n) == JSON_NULL)
        return NULL;
    if (json_type(n) != JSON_OBJECT || json_count(n) > LIMIT_RELATION_KEYS)
        return "labels is no object of at most 32 members";
    for (struct json_iter it = json_iter(n); json_next(&it); count++) {
        if (json_type(it.value) != JSON_STR && !json_is_int(it.value))
            return "a label is neither text nor a whole number";
        labels[count].name = it.key;
        labels[count].value = json_str(it.value);
        if (json_is_int(it.value))
            labels[count].value = flatten_word_number(a, it.value);
    }
    if (count == 0)
        return NULL;
    qsort(labels, count, sizeof(labels[0]), by_name);
    buf_init(&text, LIMIT_KEY_BYTES + 1);
    for (size_t i = 0; i < count; i++) {
        buf_add_str(&text, i == 0 ? STR("{") : STR(","));
        put_escaped(&text, labels[i].name);
        buf_add_str(&text, STR("=\""));
        put_escaped(&text, labels[i].value);
        buf_add_str(&text, STR("\""));
    }
    buf_add_str(&text, STR("}"));
    if (text.failed || text.len > LIMIT_KEY_BYTES)
        why = "its labels have more than 256 bytes";
    else
        *out = arena_str(a, buf_view(&text));
    buf_fini(&text);
    return why;
}
