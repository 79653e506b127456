/* SPDX-License-Identifier: PostgreSQL */
/*
 * root_fixture.h: a folder that stands for / while the readers of the host are tested.
 *
 * root_new and root_drop are cmocka's set-up and tear-down of one test; a folder belongs to it.
 */
#ifndef ROOT_FIXTURE_H
#define ROOT_FIXTURE_H

/* The folder of the test that runs. */
extern char root[64];

int root_new(void **state);
int root_drop(void **state);
/* A file below it, with its folders. name: from /. */
void root_put(const char *name, const char *text);

#endif
