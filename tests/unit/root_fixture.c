/* SPDX-License-Identifier: PostgreSQL */
/* root_fixture.c: see the header. */
#include "root_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/file.h"

char root[64];

int root_new(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof(root), "/tmp/pga-test-host-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

int root_drop(void **state)
{
    (void)state;
    return file_remove_tree(root, NULL) == ERR_OK ? 0 : -1;
}

void root_put(const char *name, const char *text)
{
    char path[512], *slash;

    (void)snprintf(path, sizeof(path), "%s%s", root, name);
    slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(file_make_dirs(path, 0700, NULL), ERR_OK);
    *slash = '/';
    assert_int_equal(file_write_atomic(path, str_of(text), 0600, NULL), ERR_OK);
}
