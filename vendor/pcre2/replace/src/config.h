/* SPDX-License-Identifier: PostgreSQL */
/* config.h: what is asked of PCRE2, by name; everything else has the defaults of its own file. */
#define SUPPORT_PCRE2_8    1
#define SUPPORT_UNICODE    1
#define HAVE_MEMMOVE       1
#define HAVE_BUILTIN_UNREACHABLE 1
#define PCRE2_STATIC       1
#define NEVER_BACKSLASH_C  1
/* Parentheses in parentheses: the compiler recurses on the stack of a request's thread. */
#define PARENS_NEST_LIMIT  100
#include "config.h.generic"
