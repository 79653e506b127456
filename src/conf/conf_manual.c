/* SPDX-License-Identifier: PostgreSQL */
/* conf_manual.c: a schema as the body of a manual page of section 5. */
#include "conf/conf.h"

#include <stdio.h>
#include <string.h>

#include "base/manual.h"
#include "conf/conf_reference.h"

static bool is_array(const char *section)
{
    return str_ends(str_of(section), STR("[]"));
}

static void put_key(const struct conf_key *key, struct buf *out)
{
    struct buf about, help;

    buf_init(&about, 4096);
    buf_init(&help, 16384);
    buf_add_char(&about, '(');
    conf_reference_type(key, "", &about);
    buf_add_char(&about, ')');
    conf_reference_help(key, "", &help);
    manual_item(out, key->name, about.ptr, help.ptr);
    buf_fini(&about);
    buf_fini(&help);
}

static void put_section(const struct conf_schema *schema, const char *section, struct buf *out)
{
    char title[128];
    size_t len = strlen(section);

    if (is_array(section))
        snprintf(title, sizeof(title), "[[%.*s]]", (int)len - 2, section);
    else
        snprintf(title, sizeof(title), *section ? "[%s]" : "Top level%s", section);
    manual_subsection(out, title);
    if (is_array(section))
        manual_text(out, "May stand several times.\n");
    for (size_t i = 0; i < schema->key_count; i++) {
        if (strcmp(schema->keys[i].section, section) == 0)
            put_key(&schema->keys[i], out);
    }
}

static void put_old_key(const struct conf_key *key, struct buf *out)
{
    char term[128], text[512];

    snprintf(term, sizeof(term), "[%s] %s", key->section, key->name);
    snprintf(text, sizeof(text), key->replaced_by ? "Now %s." : "No effect: %s.",
             key->replaced_by ? key->replaced_by : key->help);
    manual_item(out, term, NULL, text);
}

void conf_manual(const struct conf_schema *schema, struct buf *out)
{
    manual_section(out, "DESCRIPTION");
    manual_text(out, "A file in TOML 1.0, named by --config. A key that is unknown, of a wrong "
                     "type or out of its range is an error with line and column; --check-config "
                     "says so beforehand.\n");
    manual_section(out, "KEYS");
    for (size_t i = 0; i < schema->key_count; i++) {
        if (conf_is_first(schema, i))
            put_section(schema, schema->keys[i].section, out);
    }
    if (schema->old_key_count > 0) {
        manual_section(out, "OLD KEYS");
        manual_text(out, "Taken with a note in the log.\n");
    }
    for (size_t i = 0; i < schema->old_key_count; i++)
        put_old_key(&schema->old_keys[i], out);
}
