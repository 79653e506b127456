/* SPDX-License-Identifier: PostgreSQL */
/*
 * password_common.h: whether a password is one of those that are tried first.
 *
 * No list of stolen passwords is in here. What such lists have in common, at the length that a
 * password must have, is how they are made: a few words that everybody takes, rows of keys, series,
 * repetitions, years and marks at the end, letters written as figures. A short list of words of our
 * own and those rules cover many more passwords than a list of ten thousand, and not all of it.
 * Threads: any.
 */
#ifndef TLS_PASSWORD_COMMON_H
#define TLS_PASSWORD_COMMON_H

#include <stdbool.h>

#include "base/str.h"

bool password_is_common(struct str password);

#endif
