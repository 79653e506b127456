sources := $(patsubst $(TREE)/%,%,$(wildcard $(TREE)/lib/common/*.c $(TREE)/lib/compress/*.c \
    $(TREE)/lib/decompress/*.c))
flags   := -DZSTD_LEGACY_SUPPORT=0 -DZSTD_DISABLE_ASM -DXXH_NAMESPACE=ZSTD_ -I$(TREE)/lib
headers := lib/zstd.h=zstd.h lib/zstd_errors.h=zstd_errors.h
licence := LICENSE
