/* SPDX-License-Identifier: PostgreSQL */
/* test_log.c: the two forms, escaping, levels, rate limit. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/log.h"

static int64_t now_us = INT64_C(1700000000123000);
static int fds[2];
static char text[65536];

static int64_t fixed_wall_us(void)
{
    return now_us;
}

/* What was logged since the last call. */
static const char *logged(void)
{
    ssize_t got = read(fds[0], text, sizeof(text) - 1);

    text[got > 0 ? got : 0] = '\0';
    return text;
}

static void setup(enum log_level level, enum log_format format)
{
    struct log_config config = {
        .level = level, .format = format, .fd = fds[1], .wall_us = fixed_wall_us};

    log_setup(&config);
}

static void text_lines(void **state)
{
    struct log_ctx ctx = {.component = "agent", .target = "db 1", .probe = "wal"};

    (void)state;
    setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_info(&ctx, "collected %d rows", 3);
    assert_string_equal(logged(), "2023-11-14T22:13:20.123Z info  agent target=\"db 1\" probe=wal: "
                                  "collected 3 rows\n");
    log_debug(&ctx, "not shown");
    assert_string_equal(logged(), "");
    assert_false(log_on(LOG_LEVEL_DEBUG));
    log_error(NULL, "a\nb\x1b[31m\xC2\x85\xFFz\xC3\xA4");
    assert_string_equal(logged(), "2023-11-14T22:13:20.123Z error: "
                                  "a\\x0ab\\x1b[31m\\xc2\\x85\\xffz\xC3\xA4\n");
}

static void json_lines(void **state)
{
    struct json_limits limits = {.max_bytes = 65536, .max_depth = 4};
    struct log_ctx ctx = {.component = "server", .request = "r\"1"};
    struct json_doc *doc = NULL;

    (void)state;
    setup(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    log_debug(&ctx, "said \"%s\"\n", "x\xFF");
    assert_int_equal(json_parse(str_trim(str_of(logged())), &limits, &doc, NULL), ERR_OK);
    assert_true(str_eq_c(json_str(json_get(json_root(doc), "request")), "r\"1"));
    assert_true(str_eq_c(json_str(json_get(json_root(doc), "level")), "debug"));
    assert_true(
        str_eq_c(json_str(json_get(json_root(doc), "message")), "said \"x\xEF\xBF\xBD\"\n"));
    assert_null(json_get(json_root(doc), "target"));
    json_doc_free(doc);
}

/* Names that agents and servers choose: each must stay one value of one line. */
static const char *const hostile[] = {
    "a\nb",
    "a\r\n2023-11-14T22:13:20.123Z info  server: owner signed in",
    "\x1b[2J\x1b[31mred",
    "\x9b"
    "31m",
    "\xC2\x9b"
    "31m",
    "x request=0123456789abcdef: forged",
    "q\"uote\\back",
    "\x7f\x08\x08",
    "half \xE2\x82",
    "\xED\xA0\x80 surrogate",
    "\xE2\x80\xAE"
    "desrever",
    "\xE2\x80\xA8line",
};

static void h9_a_hostile_name_stays_one_value_of_a_text_line(void **state)
{
    (void)state;
    setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        struct log_ctx ctx = {.component = "agent", .target = hostile[i], .probe = "p"};
        const char *line, *end;

        log_error(&ctx, "of %s", hostile[i]);
        line = logged();
        end = strchr(line, '\n');
        assert_non_null(end);
        assert_int_equal(end[1], '\0');
        for (const char *c = line; c < end; c++)
            assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
        assert_null(strstr(line, "\xC2\x9b"));
        assert_null(strstr(line, "\xE2\x80"));
        assert_true(str_is_utf8(str_of(line)));
        assert_non_null(strstr(line, " probe=p: of "));
        /* the value ends where its quote does: no field of ours is forged */
        assert_true(strchr(hostile[i], ' ') == NULL || strstr(line, " target=\"") != NULL);
    }
}

static void h9_a_hostile_name_comes_back_from_a_json_line(void **state)
{
    struct json_limits limits = {.max_bytes = 65536, .max_depth = 4};

    (void)state;
    setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        struct log_ctx ctx = {.component = "agent", .target = hostile[i]};
        struct json_doc *doc = NULL;
        struct str target;

        log_error(&ctx, "of %s", hostile[i]);
        assert_int_equal(json_parse(str_trim(str_of(logged())), &limits, &doc, NULL), ERR_OK);
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
        for (const char *c = text; *c != '\n'; c++)
            assert_true((unsigned char)*c >= 0x20);
        target = json_str(json_get(json_root(doc), "target"));
        if (str_is_utf8(str_of(hostile[i])))
            assert_true(str_eq_c(target, hostile[i]));
        else
            assert_true(target.len > 0 && str_is_utf8(target));
        json_doc_free(doc);
    }
}

static void a_very_long_message_is_cut(void **state)
{
    static char longer[20000];

    (void)state;
    setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    memset(longer, 1, sizeof(longer) - 1);
    log_info(NULL, "%s", longer);
    assert_in_range(strlen(logged()), 4000, 20000);
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static int count_lines(const char *s)
{
    int lines = 0;

    for (; *s; s++)
        lines += *s == '\n';
    return lines;
}

static void equal_warnings_are_held_back_and_counted(void **state)
{
    (void)state;
    setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    for (int i = 0; i < 20; i++)
        log_warn(NULL, "disk %d is slow", i);
    for (int i = 0; i < 20; i++)
        log_error(NULL, "error %d", i); /* errors never */
    log_warn(NULL, "something else");
    assert_int_equal(count_lines(logged()), 5 + 20 + 1);
    now_us += 61 * INT64_C(1000000);
    log_info(NULL, "next");
    assert_non_null(strstr(logged(), "15 more warnings like this one: disk %d is slow\n"));
    assert_int_equal(count_lines(text), 2);
    log_info(NULL, "next");
    assert_int_equal(count_lines(logged()), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(h9_a_hostile_name_stays_one_value_of_a_text_line),
        cmocka_unit_test(h9_a_hostile_name_comes_back_from_a_json_line),
        cmocka_unit_test(a_very_long_message_is_cut),
        cmocka_unit_test(equal_warnings_are_held_back_and_counted),
    };

    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
