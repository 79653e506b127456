/* SPDX-License-Identifier: PostgreSQL */
/* flatten_word.c: what the name and the text of a member tell. All rules are lists of words. */
#include <math.h>
#include <string.h>

#include "base/limits.h"
#include "base/num.h"
#include "model/flatten_part.h"

static const char *const key_words[] = {
    "application_name",
    "backend_type",
    "client_addr",
    "column",
    "constraint",
    "database",
    "datname",
    "device",
    "extension",
    "filesystem",
    "hash",
    "index",
    "indexrelname",
    "interface",
    "locktype",
    "lock_type",
    "mode",
    "mount",
    "mountpoint",
    "name",
    "nspname",
    "publication",
    "query_hash",
    "query_id",
    "queryid",
    "relation",
    "relname",
    "rolname",
    "schema",
    "schemaname",
    "slot_name",
    "subname",
    "subscription",
    "table",
    "tablename",
    "tablespace",
    "trigger",
    "usename",
    "username",
    "wait_event",
    "wait_event_type",
};

/* Whole numbers that name a thing. */
static const char *const number_key_words[] = {
    "blocked_pid", "blocking_pid", "hash", "oid", "pid", "query_hash", "query_id", "queryid",
};

/* The plurals that stand over an object of objects, and the key that its members' names are. */
static const struct {
    const char *many, *one;
} containers[] = {
    {"databases", "database"}, {"devices", "device"}, {"extensions", "extension"},
    {"indexes", "index"},      {"schemas", "schema"}, {"tables", "table"},
};

static const char *const query_words[] = {"query", "query_text", "sql", "statement"};

#define TIME_MAX_S  253402300799.0 /* the year 9999 */
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool is_in(struct str word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq_c(word, list[i]))
            return true;
    }
    return false;
}

struct str flatten_word_name(struct arena *a, struct str prefix, struct str text)
{
    size_t len = prefix.len + (prefix.len > 0) + text.len, at = 0;
    bool digit = prefix.len == 0 && text.len > 0 && text.ptr[0] >= '0' && text.ptr[0] <= '9';
    char *name;

    if (text.len == 0 || len + digit > LIMIT_NAME_BYTES)
        return (struct str){NULL, 0};
    if (prefix.len == 0 && relation_is_name(text))
        return text;
    name = arena_alloc(a, len + digit);
    if (!name)
        return (struct str){NULL, 0};
    if (prefix.len > 0) {
        memcpy(name, prefix.ptr, prefix.len);
        at = prefix.len;
    }
    if (prefix.len > 0 || digit)
        name[at++] = '_';
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        name[at++] = (char)((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_');
    }
    return str_make(name, at);
}

bool flatten_word_is_key(struct str name)
{
    return is_in(name, key_words, COUNT(key_words)) || str_ends(name, STR("_name")) ||
           flatten_word_is_number_key(name);
}

bool flatten_word_is_number_key(struct str name)
{
    return is_in(name, number_key_words, COUNT(number_key_words));
}

bool flatten_word_is_container(struct str name, struct str *key)
{
    for (size_t i = 0; i < COUNT(containers); i++) {
        if (str_eq_c(name, containers[i].many)) {
            *key = str_of(containers[i].one);
            return true;
        }
    }
    return false;
}

bool flatten_word_is_query(struct str name)
{
    return is_in(name, query_words, COUNT(query_words)) || str_ends(name, STR("_query"));
}

bool flatten_word_size(struct str text, int64_t *bytes)
{
    static const struct {
        const char *unit;
        int shift;
    } units[] = {{"bytes", 0}, {"B", 0},   {"kB", 10},  {"KB", 10}, {"KiB", 10}, {"MB", 20},
                 {"MiB", 20},  {"GB", 30}, {"GiB", 30}, {"TB", 40}, {"TiB", 40}, {"PB", 50}};
    size_t digits = 0;
    struct str unit;
    double value;

    while (digits < text.len && (text.ptr[digits] == '-' || text.ptr[digits] == '.' ||
                                 (text.ptr[digits] >= '0' && text.ptr[digits] <= '9')))
        digits++;
    unit = str_trim(str_make(text.ptr + digits, text.len - digits));
    if (digits == 0 || unit.len == 0 ||
        num_parse_f64(str_make(text.ptr, digits), &value, NULL) != ERR_OK)
        return false;
    for (size_t i = 0; i < COUNT(units); i++) {
        if (!str_eq_c(unit, units[i].unit))
            continue;
        value = ldexp(value, units[i].shift);
        if (!(fabs(value) < 9e18))
            return false;
        *bytes = llround(value);
        return true;
    }
    return false;
}

bool flatten_word_time(struct str text, int64_t *ms)
{
    /* A bare number is a number; only the form with dashes is a time. */
    return text.len >= 20 && text.ptr[4] == '-' && text.ptr[7] == '-' &&
           num_parse_time_ms(text, ms, NULL) == ERR_OK && *ms >= 0;
}

bool flatten_word_instant(const struct json *n, int64_t *ms)
{
    double value = json_f64(n, -1);

    if (json_type(n) == JSON_STR)
        return num_parse_time_ms(json_str(n), ms, NULL) == ERR_OK && *ms >= 0;
    if (!(value >= 0) || value > TIME_MAX_S * 1000)
        return false;
    *ms = llround(value < 1e11 ? value * 1000 : value);
    return true;
}

static bool parse_hex32(struct str s, uint64_t *out)
{
    *out = 0;
    if (s.len == 0 || s.len > 8)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        unsigned digit;

        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'A' && c <= 'F')
            digit = (unsigned)(c - 'A') + 10;
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else
            return false;
        *out = *out << 4 | digit;
    }
    return true;
}

bool flatten_word_lsn(struct str text, int64_t *position)
{
    struct str low = text, high = str_split(&low, '/');
    uint64_t h, l;

    if (!parse_hex32(high, &h) || !parse_hex32(low, &l) || h > INT32_MAX)
        return false;
    *position = (int64_t)(h << 32 | l);
    return true;
}

enum batch_severity flatten_word_severity(struct str level)
{
    static const struct {
        const char *word;
        enum batch_severity severity;
    } words[] = {
        {"DEBUG", BATCH_DEBUG},       {"WARNING", BATCH_WARNING}, {"WARN", BATCH_WARNING},
        {"ERROR", BATCH_ERROR},       {"FATAL", BATCH_CRITICAL},  {"PANIC", BATCH_CRITICAL},
        {"CRITICAL", BATCH_CRITICAL},
    };

    for (size_t i = 0; i < COUNT(words); i++) {
        if (str_eq_nocase(level, str_of(words[i].word)))
            return words[i].severity;
    }
    return BATCH_INFO;
}

struct str flatten_word_number(struct arena *a, const struct json *n)
{
    if (json_type(n) == JSON_U64)
        return str_of(arena_printf(a, "%llu", (unsigned long long)json_u64(n, 0)));
    return str_of(arena_printf(a, "%lld", (long long)json_i64(n, 0)));
}

struct str flatten_word_hash(struct arena *a, struct str text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a: the same for every server and start */

    for (size_t i = 0; i < text.len; i++) {
        hash ^= (unsigned char)text.ptr[i];
        hash *= UINT64_C(0x100000001b3);
    }
    return str_of(arena_printf(a, "%016llx", (unsigned long long)hash));
}
