/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_transfer_tables.c: no table or column of a store is one that a copy does not know of; how
 * sums of integers are written. test_transfer.c copies stores.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/embed.h"
#include "store/transfer/transfer_part.h"

/* --- nothing is forgotten --- */

/* In PostgreSQL the engine's tables have "ts_" before their names. */
static const struct transfer_table *find_table(struct str name)
{
    if (str_starts(name, STR("ts_"))) {
        name = str_make(name.ptr + 3, name.len - 3);
        name = str_eq_c(name, "text") ? STR("content") : name;
    }
    for (size_t i = 0; i < transfer_table_count; i++) {
        if (str_eq_c(name, transfer_tables[i].name)) {
            return &transfer_tables[i];
        }
    }
    return NULL;
}

/* Each column of a definition is in the list of the table. */
static void check_columns(const struct transfer_table *t, struct str lines,
                          enum sqldb_dialect dialect)
{
    const char *list = sqldb_sql(t->list, dialect);

    while (lines.len) {
        struct str line = str_split(&lines, '\n');
        if (str_starts(line, STR(")"))) {
            return;
        }
        struct str name = str_trim(line);
        name = str_split(&name, ' ');
        if (name.len && name.ptr[0] >= 'a' && name.ptr[0] <= 'z') {
            char word[128];
            (void)snprintf(word, sizeof(word), "%.*s", STR_ARG(name));
            if (!strstr(list, word)) {
                fail_msg("column %s.%s is not copied: store/transfer/transfer_table.c", t->name,
                         word);
            }
        }
    }
}

/*
 * Tables that are no list of rows to copy, and how many columns each has with those that were added
 * later: who changes the number looks at what the copy makes of the new one.
 */
static const struct {
    const char *name;
    size_t columns;
} elsewhere[] = {
    /* dropped by a later migration */
    {"collector_hour", 3},
    {"ts_state", 8},
    {"ts_node", 4},
    {"ts_leader", 4},
    {"ts_relation", 6},
    {"ts_column", 10},
    {"ts_group", 5},
    {"ts_object", 4},
    {"ts_owner", 3},
    {"ts_dropped_group", 2},
    {"ts_journal", 13},
    {"ts_day", 1},
    {"ts_slice", 8},
    {"ts_extra", 5},
    {"ts_wide", 4},
    {"ts_target_seen", 2},
    {"ts_rollup", 4},
    {"ts_dirty", 3},
    {"ts_month", 2},
    {"ts_tier", 8},
    {"state", 2},
    {"state", 7},
    {"journal", 12},
    {"relation", 6},
    {"relation_column", 10},
    {"grp", 5},
    {"object", 3},
    {"dropped", 2},
    {"block", 11},
    {"part", 2},
    {"dirty", 2},
    {"ts_tier5m", 0},
    {"ts_tier1h", 0},
};

static bool is_elsewhere(struct str name, size_t columns)
{
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
        if (str_eq_c(name, elsewhere[i].name) && (!columns || elsewhere[i].columns == columns)) {
            return true;
        }
    }
    return false;
}

static bool is_column(struct str line)
{
    struct str name = str_trim(line);
    return name.len && name.ptr[0] >= 'a' && name.ptr[0] <= 'z';
}

/* Columns in the lines of a definition. */
static size_t count_columns(struct str lines)
{
    size_t count = 0;

    while (lines.len) {
        struct str line = str_split(&lines, '\n');
        if (str_starts(line, STR(")"))) {
            break;
        }
        count += is_column(line);
    }
    return count;
}

static void check_definitions(struct str text, enum sqldb_dialect dialect)
{
    size_t at = 0;

    while (str_find(text, STR("CREATE TABLE "), &at)) {
        text = str_make(text.ptr + at + 13, text.len - at - 13);
        struct str rest = text;
        struct str first = str_split(&rest, '\n');
        bool one_line = str_ends(str_trim(first), STR(";"));
        struct str name = str_split(&first, ' ');
        const struct transfer_table *t = find_table(name);
        if (!t && !is_elsewhere(name, one_line ? 0 : count_columns(rest))) {
            fail_msg(
                "table %.*s with %zu columns: has it a line in transfer_table.c, or is it, with "
                "all of these, in a step of its own?",
                STR_ARG(name), count_columns(rest));
        }
        if (t) {
            check_columns(t, rest, dialect);
        }
    }
}

static void check_added(struct str text, enum sqldb_dialect dialect)
{
    size_t at = 0;

    while (str_find(text, STR("ALTER TABLE "), &at)) {
        text = str_make(text.ptr + at + 12, text.len - at - 12);
        struct str rest = text;
        struct str name = str_split(&rest, ' ');
        const struct transfer_table *t = find_table(name);
        if (!str_starts(rest, STR("ADD COLUMN "))) {
            assert_true(str_starts(rest, STR("ALTER COLUMN ")));
        } else if (t) {
            check_columns(t, str_split(&(struct str){rest.ptr + 11, rest.len - 11}, '\n'), dialect);
        } else if (!str_starts(text, STR("grp ADD COLUMN collector ")) &&
                   !str_starts(text, STR("state ADD COLUMN compacted ")) &&
                   !str_starts(text, STR("state ADD COLUMN raw_"))) { /* transfer_dirty.c */
            fail_msg("a column of %.*s: is it copied?", STR_ARG(name));
        }
    }
}

/* The files of the engine in SQLite. */
static void check_schemas(const char *name, int schema)
{
    for (int i = 1; i <= schema; i++) {
        char full[64];
        (void)snprintf(full, sizeof(full), "%s_%d", name, i);
        struct str text = str_of(sqldb_sql(full, SQLDB_SQLITE));
        check_definitions(text, SQLDB_SQLITE);
        check_added(text, SQLDB_SQLITE);
    }
}

static void test_every_table_and_column_is_copied(void **state)
{
    (void)state;
    for (size_t i = 0; i < embed_migration_count; i++) {
        struct str text = str_make(embed_migration[i].data, embed_migration[i].len);
        bool lite = str_ends(str_of(embed_migration[i].name), STR(".sqlite.sql"));
        check_definitions(text, lite ? SQLDB_SQLITE : SQLDB_PG);
        check_added(text, lite ? SQLDB_SQLITE : SQLDB_PG);
    }
    check_schemas("tsdb_ingest", TSDB_SCHEMA_INGEST);
    check_schemas("tsdb_text", TSDB_SCHEMA_TEXT);
    check_schemas("tsdb_event", TSDB_SCHEMA_EVENT);
    check_schemas("tsdb_day", TSDB_SCHEMA_DAY);
    check_schemas("tsdb_tier", TSDB_SCHEMA_TIER);
    for (size_t i = 0; i < transfer_table_count; i++) {
        const struct transfer_table *t = &transfer_tables[i];
        assert_non_null(sqldb_sql(t->put, SQLDB_SQLITE));
        assert_non_null(sqldb_sql(t->list, SQLDB_PG));
        assert_true(strlen(t->types) <= TRANSFER_COLUMNS && t->keys <= 3);
    }
}

static void test_sums_of_integers(void **state)
{
    static const struct {
        struct transfer_sum sum;
        const char *text;
    } cases[] = {
        {{.whole_low = 0}, "0"},
        {{.whole_low = UINT64_MAX}, "18446744073709551615"},
        {{.whole_low = 0, .whole_high = 1}, "18446744073709551616"},
        {{.whole_low = UINT64_MAX, .whole_high = UINT64_MAX}, "-1"},
        {{.whole_low = 0, .whole_high = UINT64_MAX}, "-18446744073709551616"},
        {{.whole_low = 0, .whole_high = UINT64_C(1) << 63},
         "-170141183460469231731687303715884105728"},
    };
    char text[TRANSFER_WHOLE_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        transfer_whole(&cases[i].sum, text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_of_integers),
        cmocka_unit_test(test_every_table_and_column_is_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
