/* SPDX-License-Identifier: PostgreSQL */
/* test_fault.c: dying at a named point; the table is sorted and names every FAULT_POINT in src/. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/str.h"

/* Pass the first point `times` times in a child with PGA_FAULT set; its wait status. */
static int status_of(const char *setting, const char *name, int times)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        (void)close(STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        (void)setenv("PGA_FAULT", setting, 1);
        for (int i = 0; i < times; i++)
            FAULT_POINT(name);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void the_nth_passage_kills(void **state)
{
    size_t count;
    const char *name = fault_names(&count)[0];
    char setting[100];
    int status;

    (void)state;
    assert_true(count > 0);
    status = status_of(name, name, 1);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    (void)snprintf(setting, sizeof(setting), "%s:3", name);
    assert_int_equal(status_of(setting, name, 2), 0);
    status = status_of(setting, name, 3);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(status_of("something.else", name, 1), 0);
    assert_int_equal(status_of("", name, 1), 0);
    status = status_of(name, "no.such_point", 1);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void names_are_sorted_and_unique(void **state)
{
    size_t count;
    const char *const *names = fault_names(&count);

    (void)state;
    for (size_t i = 1; i < count; i++)
        assert_true(strcmp(names[i - 1], names[i]) < 0);
}

/* The tests run at the top of the tree; the list comes from grep over src/. */
static void every_point_in_the_sources_is_listed(void **state)
{
    static const char command[] =
        "grep -rhoE 'FAULT_POINT\\(\"[^\"]+\"\\)' src --include=*.c | cut -d'\"' -f2 | sort -u";
    FILE *list = popen(command, "r");
    size_t count, found = 0;
    const char *const *names = fault_names(&count);
    char line[200];

    (void)state;
    assert_non_null(list);
    while (fgets(line, sizeof(line), list)) {
        struct str name = str_trim(str_of(line));
        size_t i = 0;

        while (i < count && !str_eq_c(name, names[i]))
            i++;
        if (i == count)
            fail_msg("%s is not in src/base/fault.c", line);
        found++;
    }
    assert_int_equal(pclose(list), 0);
    assert_int_equal(found, count); /* and none is listed that is gone */
}

static const char *seen_point;
static int seen_times;

static void see(const char *name)
{
    seen_point = name;
    seen_times++;
}

static void a_watcher_sees_each_passage(void **state)
{
    size_t count;
    const char *name = fault_names(&count)[0];

    (void)state;
    fault_watch(see);
    FAULT_POINT(name);
    FAULT_POINT(name);
    fault_watch(NULL);
    FAULT_POINT(name);
    assert_ptr_equal(seen_point, name);
    assert_int_equal(seen_times, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nth_passage_kills), cmocka_unit_test(names_are_sorted_and_unique),
        cmocka_unit_test(every_point_in_the_sources_is_listed),
        cmocka_unit_test(a_watcher_sees_each_passage), /* last: the setting is read once */
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
