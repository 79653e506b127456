/* SPDX-License-Identifier: PostgreSQL */
/* test_logfile.c: one descriptor for the log's file, however often it is opened again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/logfile.h"

static char dir[] = "/tmp/pga-test-logfile-XXXXXX";

static const char *path(const char *name)
{
    static char room[2][128];
    static int turn;

    turn = !turn;
    snprintf(room[turn], sizeof(room[turn]), "%s/%s", dir, name);
    return room[turn];
}

static long size_of(const char *name)
{
    struct stat st;

    return stat(path(name), &st) == 0 ? (long)st.st_size : -1;
}

static void a_rotated_file_is_opened_again(void **state)
{
    struct logfile l = LOGFILE_NONE;
    struct err e;
    int fd = -1;

    (void)state;
    assert_int_equal(logfile_reopen(&l, &e), ERR_OK); /* standard error: nothing to do */
    assert_int_equal(logfile_point(&l, NULL, &fd, &e), ERR_OK);
    assert_int_equal(fd, STDERR_FILENO);
    assert_int_equal(logfile_point(&l, path("log"), &fd, &e), ERR_OK);
    assert_int_equal(fd, l.fd);
    assert_int_equal(write(fd, "abc", 3), 3);
    assert_int_equal(rename(path("log"), path("log.1")), 0);
    assert_int_equal(logfile_reopen(&l, &e), ERR_OK);
    assert_int_equal(l.fd, fd);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(size_of("log.1"), 3);
    assert_int_equal(size_of("log"), 1);
    assert_int_equal(logfile_reopen(&l, &e), ERR_OK);
    assert_int_equal(write(fd, "y", 1), 1);
    assert_int_equal(size_of("log"), 2); /* appended to */
    assert_int_equal(close(l.fd), 0);
}

static void a_file_that_cannot_be_opened_changes_nothing(void **state)
{
    struct logfile l = LOGFILE_NONE;
    char longer[LOGFILE_PATH_MAX + 10];
    struct err e;
    int fd = -1, old;

    (void)state;
    assert_int_equal(logfile_point(&l, "/nowhere/log", &fd, &e), ERR_NOT_FOUND);
    assert_int_equal(fd, STDERR_FILENO);
    assert_int_equal(logfile_point(&l, path("a"), &old, &e), ERR_OK);
    assert_int_equal(logfile_point(&l, "/nowhere/log", &fd, &e), ERR_NOT_FOUND);
    assert_int_equal(fd, old);
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(logfile_point(&l, longer, &fd, &e), ERR_INVALID);
    assert_int_equal(write(fd, "abc", 3), 3);
    assert_int_equal(size_of("a"), 3);
    assert_int_equal(logfile_point(&l, NULL, &fd, &e), ERR_OK);
    assert_int_equal(fd, STDERR_FILENO);
    assert_int_equal(close(l.fd), 0);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    static const char *const names[] = {"log", "log.1", "a"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unlink(path(names[i]));
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rotated_file_is_opened_again),
        cmocka_unit_test(a_file_that_cannot_be_opened_changes_nothing),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
