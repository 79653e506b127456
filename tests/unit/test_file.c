/* SPDX-License-Identifier: PostgreSQL */
/* test_file.c: whole files, atomic replacement, secrets, locks, trees, failing system calls. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
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
#include "os/file.h"

static char dir[64];
static char path_text[256];

static const char *path(const char *name)
{
    (void)snprintf(path_text, sizeof(path_text), "%s/%s", dir, name);
    return path_text;
}

static int make_dir(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/pga-test-file-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL) == ERR_OK ? 0 : -1;
}

static void assert_content(const char *name, const char *want)
{
    struct buf b;

    buf_init(&b, 10000);
    assert_int_equal(file_read_all(path(name), &b, NULL), ERR_OK);
    assert_string_equal(b.ptr, want);
    buf_fini(&b);
}

static void positioned_reads_and_writes(void **state)
{
    char bytes[8];
    struct err e;
    uint64_t size;
    int fd;

    (void)state;
    assert_int_equal(file_open(path("none"), O_RDONLY, 0, &fd, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "none"));
    assert_int_equal(file_open(path("a"), O_RDWR | O_CREAT, 0600, &fd, &e), ERR_OK);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(file_write_at(fd, "world", 5, 6, &e), ERR_OK);
    assert_int_equal(file_write_at(fd, "hello ", 6, 0, &e), ERR_OK);
    assert_int_equal(file_sync_data(fd, &e), ERR_OK);
    assert_int_equal(file_read_at(fd, bytes, 8, 2, &e), ERR_OK);
    assert_memory_equal(bytes, "llo worl", 8);
    assert_int_equal(file_read_at(fd, bytes, 8, 4, &e), ERR_CORRUPT);
    assert_int_equal(file_truncate(fd, 5, &e), ERR_OK);
    assert_int_equal(file_size(fd, &size, &e), ERR_OK);
    assert_int_equal(size, 5);
    file_close(fd);
    file_close(-1);
    assert_content("a", "hello");
    assert_int_equal(file_rename(path("a"), dir, &e), ERR_IO);
    assert_int_equal(file_remove(path("a"), &e), ERR_OK);
    assert_int_equal(file_remove(path("a"), &e), ERR_OK);
}

static void whole_files_are_bounded(void **state)
{
    struct buf b;
    struct err e;

    (void)state;
    assert_int_equal(file_write_atomic(path("b"), STR("12345"), 0600, &e), ERR_OK);
    buf_init(&b, 5);
    assert_int_equal(file_read_all(path("b"), &b, &e), ERR_OK);
    assert_string_equal(b.ptr, "12345");
    buf_fini(&b);
    buf_init(&b, 4);
    assert_int_equal(file_read_all(path("b"), &b, &e), ERR_LIMIT);
    buf_fini(&b);
    buf_init(&b, 100000);
    assert_int_equal(file_read_all("/proc/self/status", &b, &e), ERR_OK);
    assert_non_null(strstr(b.ptr, "VmRSS:"));
    assert_int_equal(file_read_all(dir, &b, &e), ERR_IO);
    buf_fini(&b);
}

static void count_entry(void *arg, const char *name)
{
    struct buf *b = arg;

    buf_printf(b, "%s ", name);
}

static void assert_entries(const char *want)
{
    struct buf b;

    buf_init(&b, 1000);
    assert_int_equal(file_list(dir, count_entry, &b, NULL), ERR_OK);
    assert_string_equal(b.ptr, want);
    buf_fini(&b);
}

static void replacement_is_whole_and_sets_the_mode(void **state)
{
    struct stat st;
    mode_t old = umask(077);

    (void)state;
    assert_int_equal(file_write_atomic(path("c"), STR("one"), 0644, NULL), ERR_OK);
    (void)umask(old);
    assert_int_equal(stat(path("c"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(file_write_atomic(path("c"), STR("two"), 0600, NULL), ERR_OK);
    assert_int_equal(stat(path("c"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_content("c", "two");
    assert_int_equal(file_write_atomic(path("c"), STR(""), 0600, NULL), ERR_OK);
    assert_content("c", "");
    assert_int_equal(file_write_atomic(path("no/c"), STR("x"), 0600, NULL), ERR_NOT_FOUND);
    assert_entries("b c "); /* no temporary file is left */
}

static int fail_fdatasync(int fd)
{
    (void)fd;
    errno = EIO;
    return -1;
}

static ssize_t short_pwrite(int fd, const void *from, size_t len, off_t at)
{
    return pwrite(fd, from, len > 2 ? 2 : len, at);
}

static ssize_t full_pwrite(int fd, const void *from, size_t len, off_t at)
{
    (void)fd;
    (void)from;
    (void)len;
    (void)at;
    errno = ENOSPC;
    return -1;
}

static void failed_writes_leave_the_old_file(void **state)
{
    struct file_ops ops;
    struct err e;

    (void)state;
    ops = *file_ops_set(NULL);
    assert_int_equal(file_write_atomic(path("c"), STR("kept"), 0600, NULL), ERR_OK);
    ops.fdatasync = fail_fdatasync;
    (void)file_ops_set(&ops);
    assert_int_equal(file_write_atomic(path("c"), STR("lost"), 0600, &e), ERR_IO);
    assert_int_equal(e.os_errno, EIO);
    ops.pwrite = full_pwrite;
    assert_int_equal(file_write_atomic(path("c"), STR("lost"), 0600, &e), ERR_IO);
    assert_int_equal(e.os_errno, ENOSPC);
    (void)file_ops_set(NULL);
    assert_content("c", "kept");
    assert_entries("b c ");
    ops = *file_ops_set(NULL);
    ops.pwrite = short_pwrite;
    (void)file_ops_set(&ops);
    assert_int_equal(file_write_atomic(path("c"), STR("in small pieces"), 0600, &e), ERR_OK);
    (void)file_ops_set(NULL);
    assert_content("c", "in small pieces");
}

/* Killed before the rename the old content stands, killed behind it the new one. */
static void a_kill_leaves_one_whole_file(void **state)
{
    static const char *const points[] = {"file.before_rename", "file.after_rename"};
    static const char *const content[] = {"old", "new"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        pid_t pid;
        int status = 0;

        assert_int_equal(file_write_atomic(path("d"), STR("old"), 0600, NULL), ERR_OK);
        pid = fork();
        if (pid == 0) { /* the setting is read once in a process: start afresh */
            (void)setenv("PGA_FAULT", points[i], 1);
            (void)execl("/proc/self/exe", "test_file", path("d"), (char *)NULL);
            _exit(1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_content("d", content[i]);
    }
}

static void secrets_must_be_private(void **state)
{
    struct buf b;
    struct err e;

    (void)state;
    buf_init(&b, 100);
    assert_int_equal(file_write_atomic(path("s"), STR("hush\n"), 0600, NULL), ERR_OK);
    assert_int_equal(file_read_secret(path("s"), &b, &e), ERR_OK);
    assert_string_equal(b.ptr, "hush");
    assert_int_equal(chmod(path("s"), 0400), 0);
    buf_reset(&b);
    assert_int_equal(file_read_secret(path("s"), &b, &e), ERR_OK);
    assert_int_equal(chmod(path("s"), 0640), 0);
    buf_reset(&b);
    assert_int_equal(file_read_secret(path("s"), &b, &e), ERR_DENIED);
    assert_non_null(strstr(e.text, "chmod 600"));
    assert_int_equal(chmod(path("s"), 0602), 0);
    assert_int_equal(file_read_secret(path("s"), &b, &e), ERR_DENIED);
    assert_int_equal(chmod(path("s"), 0600), 0);
    assert_int_equal(chmod(path("s"), 0440), 0);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", dir, 1), 0);
    buf_reset(&b);
    assert_int_equal(file_read_secret(path("s"), &b, &e), geteuid() ? ERR_DENIED : ERR_OK);
    assert_int_equal(chmod(path("s"), 0444), 0);
    assert_int_equal(file_read_secret(path("s"), &b, &e), ERR_DENIED);
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    assert_int_equal(chmod(path("s"), 0600), 0);
    buf_reset(&b);
    assert_int_equal(symlink("s", path("link")), 0);
    assert_int_equal(file_read_secret(path("link"), &b, &e), ERR_DENIED);
    assert_non_null(strstr(e.text, "symbolic link"));
    assert_int_equal(file_read_secret(dir, &b, &e), ERR_DENIED);
    assert_int_equal(mkfifo(path("fifo"), 0600), 0);
    assert_int_equal(file_read_secret(path("fifo"), &b, &e), ERR_DENIED); /* and does not hang */
    assert_int_equal(file_read_secret(path("none"), &b, &e), ERR_NOT_FOUND);
    assert_int_equal(b.len, 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path("s"), 12345, 0), 0);
        assert_int_equal(file_read_secret(path("s"), &b, &e), ERR_DENIED);
    }
    buf_fini(&b);
}

static void locks_exclude_other_openers(void **state)
{
    struct err e;
    int fd, other = -1;

    (void)state;
    assert_int_equal(file_lock(path("lock"), &fd, &e), ERR_OK);
    assert_int_equal(file_lock(path("lock"), &other, &e), ERR_CONFLICT);
    assert_int_equal(other, -1);
    file_close(fd);
    assert_int_equal(file_lock(path("lock"), &fd, &e), ERR_OK);
    file_close(fd);
}

static void trees_are_made_and_removed_without_following_links(void **state)
{
    char base[256], outside[256];
    struct err e;
    uint64_t free_bytes = 0, size_bytes = 0;

    (void)state;
    (void)snprintf(base, sizeof(base), "%s/x", dir);
    (void)snprintf(outside, sizeof(outside), "%s/outside", dir);
    assert_int_equal(file_make_dirs(path("x/y/z"), 0700, &e), ERR_OK);
    assert_int_equal(file_make_dirs(path("x/y/z/"), 0700, &e), ERR_OK);
    assert_int_equal(file_write_atomic(path("x/y/f"), STR("1"), 0600, &e), ERR_OK);
    assert_int_equal(file_make_dirs(path("x/y/f/g"), 0700, &e), ERR_NOT_FOUND);
    assert_int_equal(file_make_dirs(path("outside"), 0700, &e), ERR_OK);
    assert_int_equal(file_write_atomic(path("outside/kept"), STR("1"), 0600, &e), ERR_OK);
    assert_int_equal(symlink(outside, path("x/y/link")), 0);
    assert_int_equal(file_remove_tree(base, &e), ERR_OK);
    assert_int_equal(access(base, F_OK), -1);
    assert_int_equal(access(path("outside/kept"), F_OK), 0);
    assert_int_equal(file_remove_tree(base, &e), ERR_OK);
    assert_int_equal(file_list(base, count_entry, NULL, &e), ERR_NOT_FOUND);
    assert_int_equal(file_space(dir, &free_bytes, &size_bytes, &e), ERR_OK);
    assert_true(size_bytes > 0 && free_bytes <= size_bytes);
}

/* With an argument: what a_kill_leaves_one_whole_file runs. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positioned_reads_and_writes),
        cmocka_unit_test(whole_files_are_bounded),
        cmocka_unit_test(replacement_is_whole_and_sets_the_mode),
        cmocka_unit_test(failed_writes_leave_the_old_file),
        cmocka_unit_test(a_kill_leaves_one_whole_file),
        cmocka_unit_test(secrets_must_be_private),
        cmocka_unit_test(locks_exclude_other_openers),
        cmocka_unit_test(trees_are_made_and_removed_without_following_links),
    };

    if (argc > 1)
        return file_write_atomic(argv[1], STR("new"), 0600, NULL) == ERR_OK ? 0 : 1;
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
