/* SPDX-License-Identifier: PostgreSQL */
/*
 * pg_config.h: the platform as libpq must know it: 64-bit Linux, musl or glibc, gcc or clang.
 *
 * Takes the place of the file that PostgreSQL's configure would write; what only the server asks for
 * is left out. PG_VERSION and PG_VERSION_NUM come from vendor/libpq/rule.mk.
 */
#include <features.h>

#define PG_MAJORVERSION     "17"
#define PG_MAJORVERSION_NUM 17
#define PG_VERSION_STR      "PostgreSQL " PG_VERSION " (libpq in pga)"
#define PACKAGE_NAME        "PostgreSQL"
#define PACKAGE_VERSION     PG_VERSION
#define PACKAGE_STRING      "PostgreSQL " PG_VERSION
#define PACKAGE_TARNAME     "postgresql"
#define PACKAGE_URL         "https://www.postgresql.org/"
#define PACKAGE_BUGREPORT   "pgsql-bugs@lists.postgresql.org"
#define DEF_PGPORT          5432
#define DEF_PGPORT_STR      "5432"
#define PG_KRB_SRVNAM       "postgres"
#define BLCKSZ              8192
#define XLOG_BLCKSZ         8192
#define RELSEG_SIZE         131072
#define MEMSET_LOOP_LIMIT   1024
#define DLSUFFIX            ".so"

/* TLS by fe-secure-mbedtls.c, which knows, as OpenSSL's callback does, whether a client certificate
   was asked for */
#define USE_SSL 1
#define HAVE_SSL_CTX_SET_CERT_CB 1

/* Types */
#define ALIGNOF_SHORT          2
#define ALIGNOF_INT            4
#define ALIGNOF_LONG           8
#define ALIGNOF_DOUBLE         8
#define ALIGNOF_PG_INT128_TYPE 16
#define MAXIMUM_ALIGNOF        8
#define SIZEOF_BOOL            1
#define SIZEOF_LONG            8
#define SIZEOF_OFF_T           8
#define SIZEOF_SIZE_T          8
#define SIZEOF_VOID_P          8
#define HAVE_LONG_INT_64       1
#define INT64_MODIFIER         "l"
#define PG_INT64_TYPE          long int
#define PG_INT128_TYPE         __int128
#define PG_USE_STDBOOL         1
#define STDC_HEADERS           1
#define pg_restrict            __restrict
#define PG_C_PRINTF_ATTRIBUTE  printf
#define PG_PRINTF_ATTRIBUTE    printf

/* Compiler */
#define HAVE_ATOMICS                     1
#define HAVE_COMPUTED_GOTO               1
#define HAVE_GCC__ATOMIC_INT32_CAS       1
#define HAVE_GCC__ATOMIC_INT64_CAS       1
#define HAVE_GCC__SYNC_CHAR_TAS          1
#define HAVE_GCC__SYNC_INT32_CAS         1
#define HAVE_GCC__SYNC_INT32_TAS         1
#define HAVE_GCC__SYNC_INT64_CAS         1
#define HAVE_SPINLOCKS                   1
#define HAVE_TYPEOF                      1
#define HAVE_VISIBILITY_ATTRIBUTE        1
#define HAVE__BUILTIN_BSWAP16            1
#define HAVE__BUILTIN_BSWAP32            1
#define HAVE__BUILTIN_BSWAP64            1
#define HAVE__BUILTIN_CLZ                1
#define HAVE__BUILTIN_CONSTANT_P         1
#define HAVE__BUILTIN_CTZ                1
#define HAVE__BUILTIN_FRAME_ADDRESS      1
#define HAVE__BUILTIN_OP_OVERFLOW        1
#define HAVE__BUILTIN_POPCOUNT           1
#define HAVE__BUILTIN_TYPES_COMPATIBLE_P 1
#define HAVE__BUILTIN_UNREACHABLE        1
#define HAVE__STATIC_ASSERT              1

/* C library */
#define HAVE_DECL_FDATASYNC       1
#define HAVE_DECL_F_FULLFSYNC     0
#define HAVE_DECL_MEMSET_S        0
#define HAVE_DECL_POSIX_FADVISE   1
#define HAVE_DECL_PREADV          1
#define HAVE_DECL_PWRITEV         1
#define HAVE_DECL_STRCHRNUL       1
#define HAVE_DECL_STRNLEN         1
#define HAVE_DECL_TIMINGSAFE_BCMP 0
#define HAVE_EXPLICIT_BZERO       1
#define HAVE_FSEEKO               1
#define HAVE_GETIFADDRS           1
#define HAVE_GETOPT               1
#define HAVE_GETOPT_H             1
#define HAVE_GETOPT_LONG          1
#define HAVE_IFADDRS_H            1
#define HAVE_INET_ATON            1
#define HAVE_INET_PTON            1
#define HAVE_INTTYPES_H           1
#define HAVE_LANGINFO_H           1
#define HAVE_MEMORY_H             1
#define HAVE_MKDTEMP              1
#define HAVE_PPOLL                1
#define HAVE_PTHREAD              1
#define HAVE_SOCKLEN_T            1
#define HAVE_STDINT_H             1
#define HAVE_STDLIB_H             1
#define HAVE_STRERROR_R           1
#define HAVE_STRINGS_H            1
#define HAVE_STRING_H             1
#define HAVE_STRNLEN              1
#define HAVE_STRSIGNAL            1
#define HAVE_STRUCT_TM_TM_ZONE    1
#define HAVE_SYSLOG               1
#define HAVE_SYS_EPOLL_H          1
#define HAVE_SYS_PRCTL_H          1
#define HAVE_SYS_STAT_H           1
#define HAVE_SYS_TYPES_H          1
#define HAVE_TERMIOS_H            1
#define HAVE_UNISTD_H             1
#define HAVE_USELOCALE            1

/* glibc has strlcpy and strlcat from 2.38 on, and its strerror_r returns a string */
#ifdef __GLIBC__
#define HAVE_DECL_STRLCAT __GLIBC_PREREQ(2, 38)
#define HAVE_DECL_STRLCPY __GLIBC_PREREQ(2, 38)
#else
#define HAVE_DECL_STRLCAT 1
#define HAVE_DECL_STRLCPY 1
#define STRERROR_R_INT    1
#endif
