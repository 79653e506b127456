/* SPDX-License-Identifier: PostgreSQL */
/*
 * banned.h: functions that invite a mistake become compile errors. Force-included for src/ only.
 *
 * System headers that declare or inline them are included first, so only our own use fails.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Macros in glibc (the fortified form with clang); poisoning a macro is itself an error. */
#undef alloca
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets
#pragma GCC poison gmtime localtime ctime asctime atoi atol atoll atof rand srand system popen
#pragma GCC poison tmpnam tempnam mktemp alloca

#endif
