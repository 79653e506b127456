sources := src/argon2.c src/core.c src/encoding.c src/ref.c src/thread.c src/blake2/blake2b.c
flags   := -std=c99 -I$(TREE)/include -I$(TREE)/src
headers := include/argon2.h=argon2.h
licence := LICENSE
