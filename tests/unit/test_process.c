/* SPDX-License-Identifier: PostgreSQL */
/* test_process.c: children and signals. */
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

#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "os/sig.h"

static int64_t soon(void)
{
    return clock_mono_us() + INT64_C(20000000);
}

static void a_child_runs_with_environment_and_log(void **state)
{
    static const char *const argv[] = {"/bin/sh", "-c", "echo $PGA_X-$HOME; exit 3", NULL};
    static const char *const env[] = {"PGA_X=one", "HOME=/elsewhere", NULL};
    char log[] = "/tmp/pga-test-process-XXXXXX";
    struct process_spec spec = {.argv = argv, .env = env, .log_path = log};
    struct buf text;
    struct err e;
    int fd = mkstemp(log), status = 0;
    pid_t pid;

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(process_start(&spec, &pid, &e), ERR_OK);
    assert_int_equal(process_wait(pid, soon(), &status, &e), ERR_OK);
    assert_int_equal(WEXITSTATUS(status), 3);
    buf_init(&text, 1000);
    assert_int_equal(file_read_all(log, &text, &e), ERR_OK);
    assert_string_equal(text.ptr, "one-/elsewhere\n");
    buf_fini(&text);
    (void)unlink(log);
}

static void a_missing_program_is_reported(void **state)
{
    static const char *const argv[] = {"/no/such/program", NULL};
    struct process_spec spec = {.argv = argv};
    struct err e;
    pid_t pid = -5;

    (void)state;
    assert_int_equal(process_start(&spec, &pid, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "/no/such/program"));
    assert_int_equal(pid, -5);
}

static void stopping_is_gentle_first(void **state)
{
    static const char *const deaf[] = {"/bin/sh", "-c",
                                       "trap '' TERM; while :; do sleep 0.05; done", NULL};
    static const char *const polite[] = {"/bin/sh", "-c", "exec sleep 100", NULL};
    struct process_spec spec = {.argv = polite};
    struct err e;
    pid_t pid;
    int64_t start = clock_mono_ms();

    (void)state;
    assert_int_equal(process_start(&spec, &pid, &e), ERR_OK);
    assert_int_equal(process_wait(pid, clock_mono_us() + 1000, NULL, &e), ERR_TIMEOUT);
    process_stop(pid, SIGTERM, 10000);
    assert_int_equal(process_wait(pid, soon(), NULL, &e), ERR_NOT_FOUND);
    assert_true(clock_mono_ms() - start < 9000);
    spec.argv = deaf;
    assert_int_equal(process_start(&spec, &pid, &e), ERR_OK);
    clock_sleep_ms(100);
    process_stop(pid, SIGTERM, 200);
    assert_int_equal(kill(pid, 0), -1);
    process_stop(0, SIGTERM, 0); /* nobody */
}

static void facts_about_ourselves(void **state)
{
    static const char *const users[] = {"no-such-user-here", "root", NULL};
    static const char *const nobody[] = {"no-such-user-here", NULL};
    char self[4096], tiny[3];
    struct err e;
    uid_t uid = 1;
    gid_t gid = 1;

    (void)state;
    assert_int_equal(process_self_path(self, sizeof(self), &e), ERR_OK);
    assert_non_null(strstr(self, "test_process"));
    assert_int_equal(process_self_path(tiny, sizeof(tiny), &e), ERR_LIMIT);
    assert_true(process_rss_bytes() > 100000);
    assert_int_equal(process_find_user(users, &uid, &gid, &e), ERR_OK);
    assert_int_equal(uid, 0);
    assert_int_equal(gid, 0);
    assert_int_equal(process_find_user(nobody, &uid, &gid, &e), ERR_NOT_FOUND);
}

static void signals_become_events(void **state)
{
    struct err e;

    (void)state;
    assert_int_equal(sig_setup(&e), ERR_OK);
    assert_int_equal(sig_wait(0), SIG_EVENT_NONE);
    (void)raise(SIGHUP);
    (void)raise(SIGPIPE);
    assert_false(sig_stopping());
    assert_int_equal(sig_wait(soon()), SIG_EVENT_RELOAD);
    assert_int_equal(sig_wait(clock_mono_us() + 5000), SIG_EVENT_NONE);
    (void)raise(SIGTERM);
    assert_true(sig_stopping());
    assert_int_equal(sig_wait(INT64_MAX), SIG_EVENT_STOP);
    sig_stop();
    assert_int_equal(sig_wait(INT64_MAX), SIG_EVENT_STOP);
    (void)raise(SIGCHLD);
    assert_int_equal(sig_wait(INT64_MAX), SIG_EVENT_CHILD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_runs_with_environment_and_log),
        cmocka_unit_test(a_missing_program_is_reported),
        cmocka_unit_test(stopping_is_gentle_first),
        cmocka_unit_test(facts_about_ourselves),
        cmocka_unit_test(signals_become_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
