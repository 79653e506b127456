sources := src/yyjson.c
# No incremental reader, no file API; the reader, writer and pointers are what base/json.c uses.
flags   := -std=c99
headers := src/yyjson.h=yyjson.h
licence := LICENSE
