/* SPDX-License-Identifier: PostgreSQL */
/*
 * limits.h: every bound on what comes from outside, with its reason.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* HTTP (security H1-H3) */
#define LIMIT_HTTP_HEAD_BYTES       (16 * 1024)
#define LIMIT_HTTP_URI_BYTES        (4 * 1024)
#define LIMIT_HTTP_HEADERS          64
#define LIMIT_TLS_SHAKE_MS          5000  /* from a new connection to the end of its handshake */
#define LIMIT_TLS_SHAKES            64    /* handshakes begun and not finished, in all (T6) */
#define LIMIT_TLS_SHAKES_EACH       8     /* the same of one address */
#define LIMIT_HTTP_IDLE_MS          75000 /* a connection without a byte (security T5) */
#define LIMIT_HTTP_HEAD_MS          10000 /* from the first byte of a head to its end */
#define LIMIT_HTTP_BODY_MS          10000 /* for a body; a second more for each of these: */
#define LIMIT_HTTP_BODY_BYTES_PER_S 65536
#define LIMIT_HTTP_BODY_CROWDED_MS  1000              /* the same while half of the workers wait */
#define LIMIT_HTTP_SMALL_BODY       (32 * 1024)       /* waits in the kernel until it is whole */
#define LIMIT_JSON_BODY_BYTES       (64 * 1024)       /* every route but push */
#define LIMIT_PUSH_BYTES            (8 * 1024 * 1024) /* as it arrives, when it is compressed */
#define LIMIT_PUSH_INFLATED_BYTES   (64 * 1024 * 1024)
#define LIMIT_JSON_DEPTH            16
#define LIMIT_JSON_MEMORY_BYTES     (256 * 1024 * 1024) /* of one document: 16 bytes a value */
#define LIMIT_PUSH_MEMBERS          4000000             /* of all objects of a push (security H3) */
#define LIMIT_LIST_PAGE             1000                /* rows a page of a list */

/* Push contents */
#define LIMIT_PUSH_RECORDS      256
#define LIMIT_PUSH_ITEMS        100000 /* of the older forms; 640 bytes of a 64 MiB body each */
#define LIMIT_FORM_HOLES        40000  /* 160 kB a collector, of which the form of a push is kept */
#define LIMIT_PUSH_ERRORS       100    /* refusals that an answer lists */
#define LIMIT_RECORD_BYTES      (16 * 1024 * 1024)
#define LIMIT_RECORD_SLICES     4096
#define LIMIT_RECORD_RELATIONS  1000
#define LIMIT_RECORD_TARGETS    1000
#define LIMIT_RECORD_EVENTS     10000
#define LIMIT_RECORD_TEXTS      10000
#define LIMIT_EVENT_TITLE_BYTES 1024
#define LIMIT_RELATION_COLUMNS  250           /* a PostgreSQL table holds this many in any case */
#define LIMIT_RELATION_KEYS     32            /* labels a series (security H4) */
#define LIMIT_NAME_BYTES        128           /* relation, column, key name */
#define LIMIT_KEY_BYTES         256           /* label value (security H4) */
#define LIMIT_TEXT_BYTES        (1024 * 1024) /* query text, plan */
#define LIMIT_SLICE_ROWS        100000

/* Agent (DESIGN 5) */
#define LIMIT_RESULT_BYTES       (8 * 1024 * 1024) /* one query's result (security P5) */
#define LIMIT_TARGET_CONNECTIONS 3
#define LIMIT_TARGETS            64
#define LIMIT_DATABASES          1000 /* read one by one: each costs a connection a walk */
#define LIMIT_HOST_ROWS          256  /* disks, file systems, interfaces of one reading */
#define LIMIT_CONFIG_BYTES       (1024 * 1024)
#define LIMIT_CENTRAL_BYTES      (128 * 1024) /* an agent's configuration kept by the server */
#define LIMIT_KEEP_BYTES         (32 * 1024 * 1024) /* 50000 statements with all counters */
#define LIMIT_TOML_MEMBERS       4096 /* of a table or array: members are found one by one */
#define LIMIT_TOML_DEPTH         32   /* levels of a value, parts of a key: they take stack */

/* Files */
#define LIMIT_DIR_ENTRIES 1000000 /* names are sorted in memory */
#define LIMIT_DIR_DEPTH   64

/* Server */
#define LIMIT_MANAGED             64   /* instances that it reads itself: 3 connections each */
#define LIMIT_LINK_BYTES          8192 /* how to reach one: password, 16 addresses and names */
#define LIMIT_PASSWORD_BYTES      1024 /* of a database role; PostgreSQL takes about as many */
#define LIMIT_QUERY_SERIES        1000
#define LIMIT_QUERY_POINTS        11000 /* a series, as Prometheus has it */
#define LIMIT_REQUEST_ARENA_BYTES (256 * 1024 * 1024)

#define LIMIT_RATE_BUCKETS 65536 /* clients whose rate is told apart: about 10 MB */

/* PromQL */
#define LIMIT_QUERY_BYTES    (64 * 1024)
#define LIMIT_QUERY_DEPTH    200      /* nesting: the parser and the evaluator recurse */
#define LIMIT_REGEX_BYTES    4096     /* of a matcher */
#define LIMIT_PROMQL_SAMPLES 50000000 /* a query, as Prometheus has it */
#define LIMIT_PROMQL_SERIES  1000000  /* that a part of a query yields */

#endif
