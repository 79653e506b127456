/* SPDX-License-Identifier: PostgreSQL */
/* pg_config_paths.h: libpq looks for pg_service.conf in SYSCONFDIR; the others are not used. */
#define PGBINDIR "/usr/bin"
#define PGSHAREDIR "/usr/share/postgresql"
#define SYSCONFDIR "/etc/postgresql-common"
#define INCLUDEDIR "/usr/include"
#define PKGINCLUDEDIR "/usr/include/postgresql"
#define INCLUDEDIRSERVER "/usr/include/postgresql/server"
#define LIBDIR "/usr/lib"
#define PKGLIBDIR "/usr/lib/postgresql"
#define LOCALEDIR "/usr/share/locale"
#define DOCDIR "/usr/share/doc/postgresql"
#define HTMLDIR "/usr/share/doc/postgresql"
#define MANDIR "/usr/share/man"
