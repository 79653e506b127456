/* SPDX-License-Identifier: PostgreSQL */
/* test_conf.c: defaults, file, environment, checks, dump and its round trip. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/conf.h"

struct row {
    const char *name, *place;
    unsigned line;
    int64_t every_ms;
    int enabled;
};

struct sample {
    const char *title, *password, *port;
    int64_t old_wait_ms;
    struct conf_strings old_list;
    struct conf_strings listen;
    int level, quiet;
    int64_t count, wait_ms;
    double ratio;
    uint64_t cache_bytes;
    struct row *rows;
    size_t row_count;
};

#define AT(member) offsetof(struct sample, member)
#define IN(member) offsetof(struct row, member)

static const char *const levels[] = {"low", "high", NULL};
static const struct conf_key keys[] = {
    {.section = "", .name = "title", .type = CONF_STRING, .offset = AT(title), .help = "Name."},
    {.section = "server",
     .name = "listen",
     .type = CONF_STRINGS,
     .offset = AT(listen),
     .text = "[\"127.0.0.1:8080\"]",
     .env = "PGA_TEST_LISTEN",
     .help = "Where."},
    {.section = "server",
     .name = "level",
     .type = CONF_ENUM,
     .offset = AT(level),
     .choices = levels,
     .text = "high",
     .help = "How."},
    {.section = "server",
     .name = "quiet",
     .type = CONF_BOOL,
     .offset = AT(quiet),
     .text = "false",
     .env = "PGA_TEST_QUIET",
     .flags = CONF_RELOAD,
     .help = "Says less."},
    {.section = "server",
     .name = "port",
     .type = CONF_STRING,
     .offset = AT(port),
     .flags = CONF_OR_INTEGER,
     .help = "Port."},
    {.section = "server.limits",
     .name = "count",
     .type = CONF_INTEGER,
     .offset = AT(count),
     .min = 1,
     .max = 100,
     .text = "7",
     .help = "Number."},
    {.section = "server.limits",
     .name = "wait",
     .type = CONF_DURATION,
     .offset = AT(wait_ms),
     .min = 1000,
     .max = 3600000,
     .text = "90s",
     .help = "Time."},
    {.section = "server.limits",
     .name = "ratio",
     .type = CONF_NUMBER,
     .offset = AT(ratio),
     .text = "0.25",
     .help = "Share."},
    {.section = "server.limits",
     .name = "cache",
     .type = CONF_SIZE,
     .offset = AT(cache_bytes),
     .text = "24MB",
     .help = "Memory."},
    {.section = "server",
     .name = "password",
     .type = CONF_STRING,
     .offset = AT(password),
     .flags = CONF_SECRET | CONF_LOCAL,
     .help = "Hush."},
    {.section = "target[]",
     .name = "name",
     .type = CONF_STRING,
     .offset = IN(name),
     .flags = CONF_REQUIRED,
     .help = "Name."},
    {.section = "target[]",
     .name = "place",
     .type = CONF_STRING,
     .offset = IN(place),
     .flags = CONF_ORIGIN,
     .help = "Where."},
    {.section = "target[]",
     .name = "every",
     .type = CONF_DURATION,
     .offset = IN(every_ms),
     .text = "10s",
     .help = "Clock."},
    {.section = "target[]",
     .name = "enabled",
     .type = CONF_BOOL,
     .offset = IN(enabled),
     .text = "true",
     .help = "On."},
};
static const struct conf_key old_keys[] = {
    {.section = "old",
     .name = "wait",
     .type = CONF_DURATION,
     .offset = AT(old_wait_ms),
     .text = "7s",
     .flags = CONF_DEPRECATED,
     .replaced_by = "[server.limits] wait"},
    {.section = "old",
     .name = "list",
     .type = CONF_STRINGS,
     .offset = AT(old_list),
     .flags = CONF_DEPRECATED | CONF_OR_COMMAS,
     .help = "nobody asks"},
};
static const struct conf_array arrays[] = {{.section = "target[]",
                                            .offset = AT(rows),
                                            .count_offset = AT(row_count),
                                            .line_offset = IN(line),
                                            .row_size = sizeof(struct row),
                                            .max_rows = 3,
                                            .row_key = "name"}};

static enum err_code check(void *config, struct err *e)
{
    const struct sample *s = config;

    if (s->count == 13)
        return err_set(e, ERR_INVALID, "13 brings bad luck");
    return ERR_OK;
}

static const struct conf_schema schema = {.title = "a test",
                                          .keys = keys,
                                          .key_count = sizeof(keys) / sizeof(keys[0]),
                                          .old_keys = old_keys,
                                          .old_key_count = 2,
                                          .arrays = arrays,
                                          .array_count = 1,
                                          .struct_size = sizeof(struct sample),
                                          .check = check};
static struct arena arena;

static int open_arena(void **state)
{
    (void)state;
    arena_init(&arena, "conf", 1 << 22);
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static const struct sample *load(const char *text)
{
    void *out = NULL;
    struct err e;

    if (conf_load(&arena, &schema, str_of(text), "t.toml", &out, &e) != ERR_OK)
        fail_msg("%s: %s", text, e.text);
    return out;
}

static void defaults_alone(void **state)
{
    const struct sample *s = load(NULL);

    (void)state;
    assert_null(s->title);
    assert_int_equal(s->listen.count, 1);
    assert_string_equal(s->listen.items[0], "127.0.0.1:8080");
    assert_int_equal(s->level, 1);
    assert_int_equal(s->quiet, 0);
    assert_int_equal(s->count, 7);
    assert_int_equal(s->wait_ms, 90000);
    assert_true(s->ratio == 0.25);
    assert_int_equal(s->cache_bytes, 24 << 20);
    assert_int_equal(s->row_count, 0);
}

static const char full[] =
    "title = \"x \\\"y\\\" \\u0007\"\n[server]\nlisten = [\"a:1\", \"b:2\"]\nlevel = \"low\"\n"
    "quiet = true\npassword = \"hunter2\"\n[server.limits]\ncount = 100\nwait = 2.5\nratio = 3\n"
    "cache = 1000\n[[target]]\nname = \"one\"\nevery = \"250ms\"\n[[target]]\nname = \"two\"\n"
    "enabled = false\n";

static void old_keys_are_read_and_not_dumped(void **state)
{
    const struct sample *s = load("[old]\nwait = 3\nlist = \"a, b\"\n[server]\nport = 5432");
    struct buf out;

    (void)state;
    assert_int_equal(s->old_wait_ms, 3000);
    assert_int_equal(s->old_list.count, 2);
    assert_string_equal(s->old_list.items[1], "b");
    assert_string_equal(s->port, "5432");
    assert_string_equal(load("[server]\nport = \"1\"")->port, "1");
    assert_int_equal(load("")->old_wait_ms, 7000);
    buf_init(&out, 10000);
    assert_int_equal(conf_dump(&schema, s, &out, NULL), ERR_OK);
    assert_null(strstr(out.ptr, "old"));
    buf_reset(&out);
    conf_reference(&schema, &out);
    assert_non_null(strstr(out.ptr, "`[old] wait`: now `[server.limits] wait`"));
    assert_non_null(strstr(out.ptr, "`[old] list`: no effect: nobody asks"));
    buf_fini(&out);
}

static void rows_know_their_line(void **state)
{
    const struct sample *s = load("[[target]]\nname = 'a'\n\n[[target]]\nname = 'b'");
    struct row row = {0};
    struct err e;

    (void)state;
    assert_int_equal(s->rows[0].line, 1);
    assert_int_equal(s->rows[1].line, 4);
    assert_int_equal(conf_row_defaults(&arena, &schema, "target[]", &row, &e), ERR_OK);
    assert_int_equal(row.every_ms, 10000);
    assert_int_equal(row.enabled, 1);
    assert_null(row.name);
}

static void a_file_sets_every_type(void **state)
{
    const struct sample *s = load(full);

    (void)state;
    assert_string_equal(s->title, "x \"y\" \a");
    assert_int_equal(s->listen.count, 2);
    assert_string_equal(s->listen.items[1], "b:2");
    assert_int_equal(s->level, 0);
    assert_int_equal(s->quiet, 1);
    assert_int_equal(s->count, 100);
    assert_int_equal(s->wait_ms, 2500);
    assert_true(s->ratio == 3);
    assert_int_equal(s->cache_bytes, 1000);
    assert_int_equal(s->row_count, 2);
    assert_string_equal(s->rows[0].name, "one");
    assert_int_equal(s->rows[0].every_ms, 250);
    assert_int_equal(s->rows[0].enabled, 1);
    assert_int_equal(s->rows[1].every_ms, 10000);
    assert_int_equal(s->rows[1].enabled, 0);
}

static void a_dump_loads_to_the_same_dump(void **state)
{
    static const char *const texts[] = {NULL, "", full};
    struct buf first, second;

    (void)state;
    for (int i = 0; i < 3; i++) {
        buf_init(&first, 10000);
        buf_init(&second, 10000);
        assert_int_equal(conf_dump(&schema, load(texts[i]), &first, NULL), ERR_OK);
        assert_int_equal(conf_dump(&schema, load(first.ptr), &second, NULL), ERR_OK);
        assert_string_equal(first.ptr, second.ptr);
        assert_null(strstr(first.ptr, "hunter2"));
        buf_fini(&first);
        buf_fini(&second);
    }
}

static void errors_name_file_place_and_key(void **state)
{
    static const char *const bad[][2] = {
        {"x = 1", "t.toml: line 1, column 1: unknown key \"x\""},
        {"[server]\nlisten = [\"a\"]\nlisen = 1",
         "line 3, column 1: unknown key \"lisen\" in [server]"},
        {"[sever]", "unknown section [sever]"},
        {"[server.other]", "unknown section [server.other]"},
        {"[server]\nlevel = \"middle\"", "level must be one of: low, high"},
        {"[server]\nquiet = 1", "quiet must be true or false"},
        {"[server]\nlisten = \"a\"", "array of strings"},
        {"[server]\nlisten = [1]", "array of strings"},
        {"[server.limits]\ncount = 0", "line 2, column 1: count must be between 1 and 100"},
        {"[server.limits]\ncount = 1.5", "whole number"},
        {"[server.limits]\nwait = \"1ms\"", "wait must be between 1s and 1h"},
        {"[server.limits]\nwait = \"soon\"", "is not a duration"},
        {"[server.limits]\nwait = -1", "duration"},
        {"[server.limits]\nratio = nan", "finite"},
        {"[server.limits]\nratio = \"0.5\"", "must be a number"},
        {"[server.limits]\ncache = -1", "size"},
        {"[server.limits]\ncount = 13", "bad luck"},
        {"title = \"a\\u0000b\"", "title is no text"},
        {"[[target]]\nevery = 1", "name is required"},
        {"[target]\nname = \"x\"", "unknown section [target]"},
        {"target = [1]", "[[target]] is expected"},
        {"[[target]]\nname='1'\n[[target]]\nname='2'\n[[target]]\nname='3'\n[[target]]\nname='4'",
         "at most 3"},
        {"[[server]]", "unknown key \"server\""},
        {"a = = 1", "t.toml: line 1, column 5"},
    };
    struct err e;
    void *out;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        enum err_code rc = conf_load(&arena, &schema, str_of(bad[i][0]), "t.toml", &out, &e);

        if ((rc != ERR_INVALID && rc != ERR_LIMIT) || !strstr(e.text, bad[i][1]))
            fail_msg("%s: %s", bad[i][0], rc == ERR_OK ? "taken" : e.text);
        assert_int_equal(conf_load(&arena, &schema, str_of(bad[i][0]), "t.toml", &out, NULL), rc);
    }
}

static void the_environment_wins(void **state)
{
    const struct sample *s;
    struct err e;
    void *out;

    (void)state;
    (void)setenv("PGA_TEST_LISTEN", "c:3, d:4", 1);
    (void)setenv("PGA_TEST_QUIET", "on", 1);
    s = load(full);
    assert_int_equal(s->listen.count, 2);
    assert_string_equal(s->listen.items[1], "d:4");
    assert_int_equal(s->quiet, 1);
    (void)setenv("PGA_TEST_LISTEN", "[\"e:5\"]", 1);
    assert_string_equal(load(NULL)->listen.items[0], "e:5");
    (void)setenv("PGA_TEST_QUIET", "maybe", 1);
    assert_int_equal(conf_load(&arena, &schema, STR(""), "t", &out, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "PGA_TEST_QUIET"));
    (void)unsetenv("PGA_TEST_LISTEN");
    (void)unsetenv("PGA_TEST_QUIET");
}

static const char base_text[] = "title = 'base'\n[server]\nquiet = true\n"
                                "[[target]]\nname = 'a'\nplace = 'here'\nevery = '5s'\n"
                                "[[target]]\nname = 'b'\nenabled = false\n";

static void an_overlay_changes_what_it_names(void **state)
{
    const struct sample *base = load(base_text);
    const struct row *rows, *old = base->rows;
    const struct sample *s;
    void *out = NULL;
    struct err e;

    (void)state;
    assert_int_equal(conf_overlay(&arena,
                                  &(struct conf_over){
                                      &schema, base,
                                      STR("title = 'over'\n[[target]]\nname = 'b'\nevery = '7s'\n"
                                          "[[target]]\nname = 'c'\nplace = 'there'\n"),
                                      "overlay"},
                                  &out, &e),
                     ERR_OK);
    s = out;
    rows = s->rows;
    assert_string_equal(s->title, "over");
    assert_int_equal(s->quiet, 1);
    assert_int_equal(s->count, 7);
    assert_int_equal(s->row_count, 3);
    assert_string_equal(rows[0].place, "here");
    assert_int_equal(rows[0].every_ms, 5000);
    assert_int_equal(rows[1].every_ms, 7000);
    assert_int_equal(rows[1].enabled, 0);
    assert_string_equal(rows[2].place, "there");
    assert_int_equal(rows[2].every_ms, 10000);
    /* the base is as it was */
    assert_string_equal(base->title, "base");
    assert_int_equal(base->row_count, 2);
    assert_int_equal(old[1].every_ms, 10000);
}

static void an_overlay_keeps_its_bounds(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"[server]\npassword = 'x'\n", "overlay: line 2, column 1: password is set in the host"},
        {"[[target]]\nname = 'a'\nplace = 'x'\n", "overlay: line 3, column 1: place is set in"},
        {"[server.limits]\ncount = 13\n", "overlay: 13 brings bad luck"},
        {"[[target]]\nevery = '3s'\n", "name is required"},
        {"[[target]]\nname = 'c'\n[[target]]\nname = 'd'\n", "more than 3 rows"},
        {"x = 1\n", "overlay: line 1, column 1: unknown key"},
    };
    const struct sample *base = load(base_text);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        void *out = NULL;
        struct err e = {0};

        assert_int_not_equal(
            conf_overlay(&arena,
                         &(struct conf_over){&schema, base, str_of(cases[i].text), "overlay"}, &out,
                         &e),
            ERR_OK);
        assert_null(out);
        if (strstr(e.text, cases[i].want) == NULL)
            fail_msg("%s: %s", cases[i].text, e.text);
    }
}

static void files_are_read(void **state)
{
    char path[] = "/tmp/pga-test-conf-XXXXXX";
    int fd = mkstemp(path);
    struct err e;
    void *out;

    (void)state;
    assert_int_equal(write(fd, "title = 'f'\n", 12), 12);
    (void)close(fd);
    assert_int_equal(conf_load_file(&arena, &schema, path, &out, &e), ERR_OK);
    assert_string_equal(((struct sample *)out)->title, "f");
    (void)unlink(path);
    assert_int_equal(conf_load_file(&arena, &schema, path, &out, &e), ERR_NOT_FOUND);
}

static void the_reference_names_every_key(void **state)
{
    char want[64];
    struct buf b;

    (void)state;
    buf_init(&b, 10000);
    conf_reference(&schema, &b);
    for (size_t i = 0; i < schema.key_count; i++) {
        (void)snprintf(want, sizeof(want), "- `%s` (", keys[i].name);
        assert_non_null(strstr(b.ptr, want));
    }
    assert_non_null(strstr(b.ptr, "## [[target]]"));
    assert_non_null(strstr(b.ptr, "from 1s to 1h, default `90s`): Time."));
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_alone),
        cmocka_unit_test(a_file_sets_every_type),
        cmocka_unit_test(old_keys_are_read_and_not_dumped),
        cmocka_unit_test(rows_know_their_line),
        cmocka_unit_test(a_dump_loads_to_the_same_dump),
        cmocka_unit_test(errors_name_file_place_and_key),
        cmocka_unit_test(the_environment_wins),
        cmocka_unit_test(an_overlay_changes_what_it_names),
        cmocka_unit_test(an_overlay_keeps_its_bounds),
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(the_reference_names_every_key),
    };

    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
