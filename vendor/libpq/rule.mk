# libpq without configure: pg_config.h and its companions are ours (replace/src/include), and only the
# files below are linked. TLS is our own fe-secure-mbedtls*.c (replace/src/interfaces/libpq), by USE_SSL.
release := $(shell sed -n "s/^PACKAGE_VERSION='\(.*\)'/\1/p" $(TREE)/configure)
minor   := $(shell printf '%02d' $(lastword $(subst ., ,$(release))))
interface := fe-auth fe-auth-scram fe-cancel fe-connect fe-exec fe-lobj fe-misc fe-print fe-protocol3 \
    fe-secure fe-secure-common fe-secure-mbedtls fe-secure-mbedtls-files \
    fe-trace legacy-pqsignal libpq-events pqexpbuffer
common := base64 cryptohash encnames hmac ip link-canary md5 md5_common pg_prng saslprep scram-common sha1 \
    sha2 string unicode_norm wchar
port := chklocale getpeereid inet_net_ntop noblock path pg_strong_random pgstrcasecmp pqsignal snprintf \
    strerror timingsafe_bcmp user $(if $(filter musl,$(VARIANT)),,strlcat strlcpy)
sources := $(interface:%=src/interfaces/libpq/%.c) $(common:%=src/common/%.c) $(port:%=src/port/%.c)
flags   := -std=gnu11 -fno-strict-aliasing -fwrapv -D_GNU_SOURCE -DFRONTEND \
    -DPG_VERSION='"$(release)"' -DPG_VERSION_NUM=1700$(minor) \
    -I$(TREE)/src/interfaces/libpq -I$(TREE)/src/include -I$(TREE)/src/port \
    -isystem $(NEEDS_mbedtls)/include
headers := src/interfaces/libpq/libpq-fe.h=libpq-fe.h src/include/postgres_ext.h=postgres_ext.h \
    src/include/pg_config_ext.h=pg_config_ext.h
licence := COPYRIGHT
