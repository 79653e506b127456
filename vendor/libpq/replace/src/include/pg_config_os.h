/* SPDX-License-Identifier: PostgreSQL */
/* pg_config_os.h: nothing of port/linux.h concerns a client. */
