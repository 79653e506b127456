/* SPDX-License-Identifier: PostgreSQL */
/* pcre2_chartables.c: the tables of the C locale as they are distributed. */
#include "pcre2_chartables.c.dist"
