# The 8-bit library without what is not used: JIT, the DFA matcher, conversion, serialization,
# substitution, the POSIX interface. config.h and the two wrappers beside it are in replace/.
sources := $(patsubst %,src/pcre2_%.c,auto_possess chartables chkdint compile compile_class config \
    context error extuni find_bracket jit_compile maketables match match_data newline ord2utf \
    pattern_info script_run string_utils study substring tables ucd valid_utf xclass)
flags   := -DHAVE_CONFIG_H -DPCRE2_CODE_UNIT_WIDTH=8 -I$(TREE)/src
headers := src/pcre2.h.generic=pcre2.h
licence := LICENCE.md
