sources := deps/sqlite3/sqlite3.c
# THREADSAFE=2: a connection is used by one thread at a time; sqldb/ sees to it. TEMP_STORE=2: sorting
# needs no folder for temporary files, so an empty chroot works.
flags := -std=c99 \
    -DSQLITE_DEFAULT_FOREIGN_KEYS=1 \
    -DSQLITE_DEFAULT_MEMSTATUS=0 \
    -DSQLITE_DEFAULT_WAL_SYNCHRONOUS=2 \
    -DSQLITE_DQS=0 \
    -DSQLITE_ENABLE_API_ARMOR \
    -DSQLITE_ENABLE_DBSTAT_VTAB \
    -DSQLITE_ENABLE_FTS5 \
    -DSQLITE_LIKE_DOESNT_MATCH_BLOBS \
    -DSQLITE_MAX_EXPR_DEPTH=1000 \
    -DSQLITE_OMIT_DEPRECATED \
    -DSQLITE_OMIT_LOAD_EXTENSION \
    -DSQLITE_OMIT_SHARED_CACHE \
    -DSQLITE_TEMP_STORE=2 \
    -DSQLITE_THREADSAFE=2 \
    -DSQLITE_TRUSTED_SCHEMA=0 \
    -DHAVE_FDATASYNC=1 -DHAVE_GMTIME_R=1 -DHAVE_LOCALTIME_R=1 -DHAVE_PREAD=1 -DHAVE_PWRITE=1 \
    -DHAVE_STRCHRNUL=1 -DHAVE_USLEEP=1
headers := deps/sqlite3/sqlite3.h=sqlite3.h
licence := LICENSE.sqlite
