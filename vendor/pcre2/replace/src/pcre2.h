/* SPDX-License-Identifier: PostgreSQL */
/* pcre2.h: the header as it is distributed for builds without configure. */
#include "pcre2.h.generic"
