# libcurl without configure: curl_config.h is ours (replace/lib). Files of protocols and back ends
# that are switched off compile to nothing.
sources := $(patsubst $(TREE)/%,%,$(wildcard $(TREE)/lib/*.c $(TREE)/lib/curlx/*.c \
    $(TREE)/lib/vauth/*.c $(TREE)/lib/vquic/*.c $(TREE)/lib/vtls/*.c))
flags   := -std=gnu11 -DHAVE_CONFIG_H -DBUILDING_LIBCURL -DCURL_STATICLIB -D_GNU_SOURCE \
    -I$(TREE)/include -I$(TREE)/lib -isystem $(NEEDS_mbedtls)/include
headers := include/curl=curl
licence := COPYING
