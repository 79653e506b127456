# SPDX-License-Identifier: PostgreSQL
#
# Compiles one library; called by vendor/build with LIBRARY VARIANT RULES TREE OUT CC CFLAGS.
# RULES/rule.mk says:  sources (below TREE), flags, headers (from=to pairs, to below include/), licence.
include $(RULES)/rule.mk

objects := $(patsubst %.c,$(OUT)/obj/%.o,$(sources))

.PHONY: all
all: $(OUT)/lib/lib$(LIBRARY).a
	@mkdir -p $(OUT)/include
	@$(foreach h,$(headers),mkdir -p $(OUT)/include/$(dir $(lastword $(subst =, ,$h))) && \
	    cp -r $(TREE)/$(firstword $(subst =, ,$h)) $(OUT)/include/$(lastword $(subst =, ,$h)) &&) true
	@$(foreach h,$(own_headers),cp $(RULES)/$h $(OUT)/include/ &&) true
	@cd $(TREE) && cat $(licence) > $(OUT)/LICENSE

$(OUT)/lib/lib$(LIBRARY).a: $(objects)
	@mkdir -p $(@D)
	@rm -f $@; ar qcsD $@ $^

# Third-party code: its warnings are not ours to mend.
$(OUT)/obj/%.o: $(TREE)/%.c
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -w -pthread -ffunction-sections -ffile-prefix-map=$(TREE)=$(LIBRARY) $(flags) -c $< -o $@
