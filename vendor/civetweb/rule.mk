# Forms of handing out files, CGI and caching are compiled out; stacks of 256 kB per thread. TLS is
# replace/src/mod_mbedtls.inl, which needs no library. Waits look for a stop every 200 ms.
sources := src/civetweb.c
flags   := -std=gnu11 -I$(TREE)/include -DNO_SSL -DUSE_MBEDTLS -DNO_CGI -DNO_CACHING -DNO_FILES \
    -DUSE_IPV6 -DUSE_STACK_SIZE=262144 -DSOCKET_TIMEOUT_QUANTUM=200
headers := include/civetweb.h=civetweb.h
licence := LICENSE.md
