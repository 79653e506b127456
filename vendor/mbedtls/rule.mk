# The configuration replaces the package's own (replace/include/mbedtls/mbedtls_config.h), so that
# the library and src/tls see the same one. 3rdparty/ (Everest, p256-m) is not built.
sources := $(patsubst $(TREE)/%,%,$(wildcard $(TREE)/library/*.c))
flags   := -std=gnu11 -I$(TREE)/include -I$(TREE)/library
headers := include/mbedtls=mbedtls include/psa=psa
licence := LICENSE
