sources := $(patsubst $(TREE)/%,%,$(wildcard $(TREE)/lib/*.c $(TREE)/lib/x86/*.c $(TREE)/lib/arm/*.c))
flags   := -std=gnu11 -I$(TREE)
headers := libdeflate.h=libdeflate.h
licence := COPYING
