/* SPDX-License-Identifier: PostgreSQL */
/*
 * analyser.h: what clang-tidy cannot see across files: err_set returns the code it is given.
 *
 * Without it the analyser assumes that `return err_set(...)` may mean success, and reports every
 * caller's result as uninitialised. Force-included by tidy.py, never by the build.
 */
#ifndef LINT_ANALYSER_H
#define LINT_ANALYSER_H

#include "base/err.h"

#define err_set(e, code, ...)          ((void)err_set((e), (code), __VA_ARGS__), (code))
#define err_set_errno(e, code, n, ...) ((void)err_set_errno((e), (code), (n), __VA_ARGS__), (code))
#define err_wrap(e, ...)               (err_wrap((e), __VA_ARGS__) ?: ERR_BUG)

#endif
