/* SPDX-License-Identifier: PostgreSQL */
/*
 * redact.h: statements without the literals that may be secrets.
 *
 * PostgreSQL's own normalizing leaves utility statements as they were typed: passwords of roles, of
 * subscriptions and servers, values of ALTER SYSTEM. All string constants go, and so do those in
 * the bodies of DO and CREATE FUNCTION; names, numbers and comments stay. Lexical rules:
 * PostgreSQL's manual, 4.1.2, with standard_conforming_strings on.
 *
 * Threads: any. Errors: none; what is broken off in the middle of a constant is hidden to its end.
 */
#ifndef PROBE_REDACT_H
#define PROBE_REDACT_H

#include "base/arena.h"
#include "base/str.h"

/* The text with '***' for each string constant; `sql` itself when it has none. In `a`. */
struct str redact_literals(struct arena *a, struct str sql);

#endif
