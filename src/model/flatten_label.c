/* SPDX-License-Identifier: PostgreSQL */
/* flatten_label.c: the labels of a loose sample as one text. */
#include "base/limits.h"
#include "model/flatten_part.h"

struct label {
    struct str name, value;
};

/* Bytes of a text of at most LIMIT_KEY_BYTES; this runs for every label of every sample. */
struct label_text {
    char bytes[LIMIT_KEY_BYTES];
    size_t len;
    bool over;
};

static void put_byte(struct label_text *t, char c)
{
    if (t->len == sizeof(t->bytes))
        t->over = true;
    else
        t->bytes[t->len++] = c;
}

static void put_escaped(struct label_text *t, struct str s)
{
    for (size_t i = 0; i < s.len && !t->over; i++) {
        if (s.ptr[i] == '"' || s.ptr[i] == '\\' || s.ptr[i] == '\n')
            put_byte(t, '\\');
        put_byte(t, s.ptr[i] == '\n' ? 'n' : s.ptr[i]);
    }
}

/* Senders mostly have them in order; of equal names the order is that of the document. */
static void sort_labels(struct label *labels, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct label moved = labels[i];
        size_t at = i;

        for (; at > 0 && str_cmp(labels[at - 1].name, moved.name) > 0; at--)
            labels[at] = labels[at - 1];
        labels[at] = moved;
    }
}

static const char *read_labels(struct arena *a, const struct json *n, struct label *labels,
                               size_t *out)
{
    size_t count = 0;

    for (struct json_iter it = json_iter(n); json_next(&it); count++) {
        bool number = json_is_int(it.value);

        if (json_type(it.value) != JSON_STR && !number)
            return "a label is neither text nor a whole number";
        labels[count].name = it.key;
        labels[count].value = number ? flatten_word_number(a, it.value) : json_str(it.value);
    }
    sort_labels(labels, count);
    *out = count;
    return NULL;
}

const char *flatten_label_text(struct arena *a, const struct json *n, struct str *out)
{
    struct label labels[LIMIT_RELATION_KEYS];
    struct label_text text = {.len = 0};
    const char *why;
    size_t count = 0;

    *out = STR("");
    if (json_type(n) == JSON_ABSENT || json_type(n) == JSON_NULL)
        return NULL;
    if (json_type(n) != JSON_OBJECT || json_count(n) > LIMIT_RELATION_KEYS)
        return "labels is no object of at most 32 members";
    why = read_labels(a, n, labels, &count);
    if (why || count == 0)
        return why;
    for (size_t i = 0; i < count; i++) {
        put_byte(&text, i == 0 ? '{' : ',');
        put_escaped(&text, labels[i].name);
        put_byte(&text, '=');
        put_byte(&text, '"');
        put_escaped(&text, labels[i].value);
        put_byte(&text, '"');
    }
    put_byte(&text, '}');
    if (text.over)
        return "its labels have more than 256 bytes";
    *out = arena_str(a, str_make(text.bytes, text.len));
    return NULL;
}
