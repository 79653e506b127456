/* SPDX-License-Identifier: PostgreSQL */
/*
 * terminal.h: a whole screen for one program: raw keys, its size, and back to what it was.
 *
 * Whatever ends the process puts the terminal back: terminal_leave, exit, SIGINT, SIGTERM, SIGHUP,
 * SIGQUIT, and the signals of a crash. Only SIGKILL cannot be answered.
 * Threads: one; one screen a process.
 */
#ifndef OS_TERMINAL_H
#define OS_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum terminal_key {
    TERMINAL_NONE = 0,      /* the time has passed, or the size changed */
    TERMINAL_ESCAPE = 27,   /* and every other byte as itself */
    TERMINAL_GONE = 0x1000, /* the terminal was closed */
    TERMINAL_OTHER,         /* a key that has no byte: arrows and the like */
};

bool terminal_is_there(void); /* standard input and output are terminals */
/* Alternative screen, no echo, keys one by one. ERR_IO. */
enum err_code terminal_enter(struct err *e) ERR_MUST_CHECK;
void terminal_leave(void); /* may be called when not entered */
/* Columns and rows; 80 and 24 when the terminal does not say. */
void terminal_size(int *columns, int *rows);
/* Wait for a key until mono_us: a byte or an enum terminal_key. */
int terminal_key(int64_t mono_us);
/* Write all of it. */
void terminal_write(struct str text);
/* Whether colours are welcome: a terminal that knows some, and no NO_COLOR. */
bool terminal_has_colour(void);

#endif
