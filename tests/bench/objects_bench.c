/* SPDX-License-Identifier: PostgreSQL */
/*
 * objects_bench.c: what an object that the store knows takes in memory.
 *
 * GROUPS groups of ROWS objects with keys as collectors send them, half of them statements (number
 * of the query, user, database, level), half indexes (database, schema, table, index): resident
 * memory before and after, with the tables of the groups. Prints the line of objects.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/varint.h"
#include "store/tsdb/catalog.h"

#define GROUPS 100
#define ROWS   1000

static long resident_kb(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[128];
    long kb = 0;

    while (f && fgets(line, sizeof(line), f)) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            kb = strtol(line + 6, NULL, 10);
        }
    }
    if (f) {
        (void)fclose(f);
    }
    return kb;
}

/* Keys as the catalogue has them: each with its length. */
static size_t put_keys(char *out, int group, int row)
{
    char texts[4][40];
    size_t len = 0;

    if (group % 2 == 0) {
        (void)snprintf(texts[0], sizeof(texts[0]), "%lld", 1000000000000000000LL + row * 7919LL);
        (void)snprintf(texts[1], sizeof(texts[1]), "app%d", row % 3);
        (void)snprintf(texts[2], sizeof(texts[2]), "orders%d", row % 2);
        (void)snprintf(texts[3], sizeof(texts[3]), "true");
    } else {
        (void)snprintf(texts[0], sizeof(texts[0]), "orders%d", row % 2);
        (void)snprintf(texts[1], sizeof(texts[1]), "public");
        (void)snprintf(texts[2], sizeof(texts[2]), "order_item_%d", row / 4);
        (void)snprintf(texts[3], sizeof(texts[3]), "order_item_%d_key_%d", row / 4, row % 4);
    }
    for (int i = 0; i < 4; i++) {
        size_t n = strlen(texts[i]);
        out[len++] = (char)n;
        memcpy(out + len, texts[i], n);
        len += n;
    }
    return len;
}

static size_t fill(struct catalog *c)
{
    struct catalog_relation *r = NULL;
    struct err e;
    char keys[200];
    size_t bytes = 0;

    if (catalog_add_relation(c, STR("bench"), RELATION_OBJECT, &r, &e)) {
        abort();
    }
    for (int g = 0; g < GROUPS; g++) {
        struct catalog_group_key key = {.relation = r, .target = {{(unsigned char)g}}};
        struct catalog_group *group = NULL;
        if (catalog_add_group(c, &key, &group, &e)) {
            abort();
        }
        for (int i = 0; i < ROWS; i++) {
            struct catalog_object *o = NULL;
            size_t len = put_keys(keys, g, i);
            bytes += len;
            if (catalog_add_object(c, group, str_make(keys, len), &o, &e)) {
                abort();
            }
        }
        catalog_saved(c); /* as after each push */
    }
    return bytes;
}

int main(void)
{
    struct catalog *c = catalog_new();
    long before = resident_kb();
    size_t keys = fill(c);
    long after = resident_kb();
    double each = (double)(after - before) * 1024 / (GROUPS * ROWS);

    printf("bench name=object_memory value=%.0f unit=B peer=110 peer_name=goal ratio=%.2f "
           "objects=%d groups=%d keys=%.0f\n",
           each, each / 110, GROUPS * ROWS, GROUPS, (double)keys / (GROUPS * ROWS));
    catalog_free(c);
    return 0;
}
