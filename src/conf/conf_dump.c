/* SPDX-License-Identifier: PostgreSQL */
/*
 * conf_dump.c: a loaded configuration as TOML, and the schema as a reference page.
 *
 * Sections come in the order in which the schema first names them, the top level first.
 */
#include <stdbool.h>
#include <string.h>

#include "base/num.h"
#include "conf/conf.h"
#include "conf/conf_reference.h"
#include "conf/conf_value.h"

bool conf_is_first(const struct conf_schema *schema, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (strcmp(schema->keys[k].section, schema->keys[i].section) == 0)
            return false;
    }
    return true;
}

static void conf_dump_keys(const struct conf_schema *schema, const char *section, const void *base,
                           struct buf *out)
{
    for (size_t i = 0; i < schema->key_count; i++) {
        const struct conf_key *key = &schema->keys[i];

        if (strcmp(key->section, section) != 0 || (key->flags & CONF_DEPRECATED) ||
            !conf_value_is_set(key, base))
            continue;
        buf_printf(out, "%s = ", key->name);
        conf_value_write(key, base, out);
        buf_add_char(out, '\n');
    }
}

static const struct conf_array *conf_dump_array(const struct conf_schema *schema,
                                                const char *section)
{
    for (size_t i = 0; i < schema->array_count; i++) {
        if (strcmp(schema->arrays[i].section, section) == 0)
            return &schema->arrays[i];
    }
    return NULL;
}

static void conf_dump_rows(const struct conf_schema *schema, const struct conf_array *array,
                           const void *config, struct buf *out)
{
    const char *rows;
    size_t count;

    memcpy(&rows, (const char *)config + array->offset, sizeof(rows));
    memcpy(&count, (const char *)config + array->count_offset, sizeof(count));
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "\n[[%.*s]]\n", (int)strlen(array->section) - 2, array->section);
        conf_dump_keys(schema, array->section, rows + i * array->row_size, out);
    }
}

static void conf_dump_section(const struct conf_schema *schema, const char *section,
                              const void *config, struct buf *out)
{
    const struct conf_array *array = conf_dump_array(schema, section);

    if (array) {
        conf_dump_rows(schema, array, config, out);
        return;
    }
    if (*section)
        buf_printf(out, "\n[%s]\n", section);
    conf_dump_keys(schema, section, config, out);
}

enum err_code conf_dump(const struct conf_schema *schema, const void *config, struct buf *out,
                        struct err *e)
{
    conf_dump_section(schema, "", config, out);
    for (size_t i = 0; i < schema->key_count; i++) {
        if (*schema->keys[i].section && conf_is_first(schema, i))
            conf_dump_section(schema, schema->keys[i].section, config, out);
    }
    return buf_check(out, e);
}

static void conf_reference_bounds(const struct conf_key *key, struct buf *out)
{
    char min[40], max[40];

    if (key->min == 0 && key->max == 0)
        return;
    if (key->type == CONF_DURATION) {
        num_format_duration((int64_t)key->min, min, sizeof(min));
        num_format_duration((int64_t)key->max, max, sizeof(max));
    } else {
        num_format_f64(key->min, min, sizeof(min));
        num_format_f64(key->max, max, sizeof(max));
    }
    buf_printf(out, ", from %s to %s", min, max);
}

void conf_reference_type(const struct conf_key *key, const char *quote, struct buf *out)
{
    buf_add_c(out, conf_value_type_name(key->type));
    for (size_t i = 0; key->type == CONF_ENUM && key->choices[i]; i++)
        buf_printf(out, "%s %s%s%s", i ? "," : "", quote, key->choices[i], quote);
    conf_reference_bounds(key, out);
    if (key->flags & CONF_REQUIRED)
        buf_add_c(out, ", required");
    else if (key->text)
        buf_printf(out, ", default %s%s%s", quote, key->text, quote);
}

void conf_reference_help(const struct conf_key *key, const char *quote, struct buf *out)
{
    buf_add_c(out, key->help ? key->help : "");
    if (key->env)
        buf_printf(out, " Environment: %s%s%s.", quote, key->env, quote);
    if (key->flags & CONF_RELOAD)
        buf_add_c(out, " Takes effect on reload.");
    if (key->flags & CONF_LOCAL)
        buf_add_c(out, " Never from the server.");
    if (key->flags & CONF_ORIGIN)
        buf_add_c(out, " From the server only for targets that this file does not have.");
    if (key->flags & CONF_DEPRECATED)
        buf_printf(out, " Deprecated: use %s%s%s.", quote, key->replaced_by ? key->replaced_by : "",
                   quote);
}

static void conf_reference_key(const struct conf_key *key, struct buf *out)
{
    buf_printf(out, "- `%s` (", key->name);
    conf_reference_type(key, "`", out);
    buf_add_c(out, "): ");
    conf_reference_help(key, "`", out);
    buf_add_char(out, '\n');
}

static void conf_reference_section(const struct conf_schema *schema, const char *section,
                                   struct buf *out)
{
    size_t len = strlen(section);

    if (str_ends(str_of(section), STR("[]")))
        buf_printf(out, "\n## [[%.*s]]\n\nMay stand several times.\n\n", (int)len - 2, section);
    else
        buf_printf(out, *section ? "\n## [%s]\n\n" : "\n## Top level%s\n\n", section);
    for (size_t i = 0; i < schema->key_count; i++) {
        if (strcmp(schema->keys[i].section, section) == 0)
            conf_reference_key(&schema->keys[i], out);
    }
}

static void conf_reference_old(const struct conf_schema *schema, struct buf *out)
{
    if (schema->old_key_count == 0)
        return;
    buf_add_c(out, "\n## Old keys\n\nTaken with a note in the log.\n\n");
    for (size_t i = 0; i < schema->old_key_count; i++) {
        const struct conf_key *key = &schema->old_keys[i];

        buf_printf(out, "- `[%s] %s`: ", key->section, key->name);
        if (key->replaced_by)
            buf_printf(out, "now `%s`.\n", key->replaced_by);
        else
            buf_printf(out, "no effect: %s.\n", key->help);
    }
}

void conf_reference(const struct conf_schema *schema, struct buf *out)
{
    buf_printf(out, "# Configuration of %s\n", schema->title);
    for (size_t i = 0; i < schema->key_count; i++) {
        if (conf_is_first(schema, i))
            conf_reference_section(schema, schema->keys[i].section, out);
    }
    conf_reference_old(schema, out);
}
