/* SPDX-License-Identifier: PostgreSQL */
/* pg_config_ext.h: what libpq's public headers need to know of the platform (64-bit Linux). */
#define PG_INT64_TYPE long int
