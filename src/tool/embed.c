/* SPDX-License-Identifier: PostgreSQL */
/*
 * embed.c: writes a C table of files to be carried inside the executable (see base/embed.h).
 *
 *     embed text TABLE OUT FILE...     names are the files' last path components
 *     embed web  TABLE OUT FOLDER      names are paths below FOLDER; NAME.gz is NAME's gzip form
 *
 * The bytes themselves are taken in by the assembler (.incbin), so the output stays small.
 * Invariants:  (1) the table is sorted by strcmp; (2) a name that occurs twice is an error.
 * Threads:     one; a host program of the build, not part of pga.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct item {
    char *name;
    char *path;
    char *gz_path; /* NULL: no compressed form */
    size_t len;
    size_t gz_len;
    uint64_t hash;
};

struct item_list {
    struct item *at;
    size_t count;
    size_t room;
};

static void fail(const char *what, const char *which)
{
    fprintf(stderr, "embed: %s: %s\n", which, what);
    exit(1);
}

static void *need(void *memory)
{
    if (memory == NULL)
        fail("out of memory", "embed");
    return memory;
}

static char *join_path(const char *folder, const char *name)
{
    size_t room = strlen(folder) + strlen(name) + 2;
    char *path = need(malloc(room));

    snprintf(path, room, "%s%s%s", folder, folder[0] == '\0' ? "" : "/", name);
    return path;
}

/* FNV-1a over the content: names an ETag, protects nothing. Also finds the length. */
static uint64_t hash_file(const char *path, size_t *len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    FILE *f = fopen(path, "rb");
    int c;

    if (f == NULL)
        fail(strerror(errno), path);
    *len = 0;
    while ((c = getc(f)) != EOF) {
        hash = (hash ^ (unsigned char)c) * UINT64_C(0x100000001b3);
        (*len)++;
    }
    if (ferror(f))
        fail("cannot be read", path);
    fclose(f);
    return hash;
}

static void list_add(struct item_list *list, const char *name, const char *path)
{
    struct item *item;

    if (list->count == list->room) {
        list->room = list->room == 0 ? 64 : list->room * 2;
        list->at = need(realloc(list->at, list->room * sizeof(*list->at)));
    }
    item = &list->at[list->count++];
    memset(item, 0, sizeof(*item));
    item->name = need(strdup(name));
    item->path = need(strdup(path));
    item->hash = hash_file(path, &item->len);
}

static bool has_suffix(const char *text, const char *suffix)
{
    size_t len = strlen(text);
    size_t suffix_len = strlen(suffix);

    return len > suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

static void list_add_folder(struct item_list *list, const char *folder, const char *below);

static void list_add_entry(struct item_list *list, const char *path, const char *name)
{
    struct stat st;

    if (stat(path, &st) != 0)
        fail(strerror(errno), path);
    if (S_ISDIR(st.st_mode))
        list_add_folder(list, path, name);
    else if (S_ISREG(st.st_mode) && !has_suffix(name, ".gz"))
        list_add(list, name, path);
}

static void list_add_folder(struct item_list *list, const char *folder, const char *below)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    if (dir == NULL)
        return; /* the interface has not been built: an empty table */
    while ((entry = readdir(dir)) != NULL) {
        char *path;
        char *name;

        if (entry->d_name[0] == '.')
            continue;
        path = join_path(folder, entry->d_name);
        name = join_path(below, entry->d_name);
        list_add_entry(list, path, name);
        free(path);
        free(name);
    }
    closedir(dir);
}

static void find_gzip_forms(struct item_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct item *item = &list->at[i];
        struct stat st;
        size_t room = strlen(item->path) + 4;
        char *path = need(malloc(room));

        snprintf(path, room, "%s.gz", item->path);
        if (stat(path, &st) == 0 && (size_t)st.st_size < item->len) {
            item->gz_path = path;
            item->gz_len = (size_t)st.st_size;
        } else {
            free(path);
        }
    }
}

static int compare_items(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->name, ((const struct item *)b)->name);
}

static void list_sort(struct item_list *list)
{
    if (list->count > 1)
        qsort(list->at, list->count, sizeof(*list->at), compare_items);
    for (size_t i = 1; i < list->count; i++) {
        if (strcmp(list->at[i - 1].name, list->at[i].name) == 0)
            fail("two files have this name", list->at[i].name);
    }
}

static void list_free(struct item_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->at[i].name);
        free(list->at[i].path);
        free(list->at[i].gz_path);
    }
    free(list->at);
}

static const char *mime_of(const char *name)
{
    static const struct {
        const char *suffix;
        const char *mime;
    } known[] = {
        {".css", "text/css; charset=utf-8"},
        {".html", "text/html; charset=utf-8"},
        {".ico", "image/x-icon"},
        {".js", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".map", "application/json"},
        {".png", "image/png"},
        {".svg", "image/svg+xml"},
        {".txt", "text/plain; charset=utf-8"},
        {".webmanifest", "application/manifest+json"},
        {".woff2", "font/woff2"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (has_suffix(name, known[i].suffix))
            return known[i].mime;
    }
    return "application/octet-stream";
}

/* A name such as app-3FJ2K1QA.js changes with its content: at least 8 of [0-9A-Z] before a dot. */
static bool is_hashed_name(const char *name)
{
    const char *dash = strrchr(name, '-');
    size_t run;

    if (dash == NULL || strchr(dash, '/') != NULL)
        return false;
    run = strspn(dash + 1, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return run >= 8 && dash[1 + run] == '.';
}

static void write_bytes(FILE *out, const char *symbol, const char *path)
{
    fprintf(out,
            "__asm__(\".pushsection .rodata\\n\"\n"
            "        \".balign 16\\n\"\n"
            "        \".globl %s\\n\"\n"
            "        \"%s:\\n\"\n"
            "        \".incbin \\\"%s\\\"\\n\"\n"
            "        \".byte 0\\n\"\n"
            "        \".popsection\\n\");\n"
            "extern const unsigned char %s[];\n\n",
            symbol, symbol, path, symbol);
}

static void write_all_bytes(FILE *out, const char *table, const struct item_list *list)
{
    char symbol[128];

    for (size_t i = 0; i < list->count; i++) {
        snprintf(symbol, sizeof(symbol), "%s_data_%zu", table, i);
        write_bytes(out, symbol, list->at[i].path);
        if (list->at[i].gz_path == NULL)
            continue;
        snprintf(symbol, sizeof(symbol), "%s_gz_%zu", table, i);
        write_bytes(out, symbol, list->at[i].gz_path);
    }
}

static void write_row(FILE *out, const char *table, const struct item *item, size_t i)
{
    fprintf(out, "    {.name = \"%s\", .data = %s_data_%zu, .len = %zu", item->name, table, i,
            item->len);
    if (strcmp(table, "embed_web") == 0)
        fprintf(out,
                ",\n     .mime = \"%s\",\n     .etag = \"\\\"%016" PRIx64 "-%zx\\\"\", .cache = %s",
                mime_of(item->name), item->hash, item->len,
                is_hashed_name(item->name) ? "EMBED_CACHE_IMMUTABLE" : "EMBED_CACHE_REVALIDATE");
    if (item->gz_path != NULL)
        fprintf(out, ",\n     .gz = %s_gz_%zu, .gz_len = %zu", table, i, item->gz_len);
    fprintf(out, "},\n");
}

static void write_table(FILE *out, const char *table, const struct item_list *list)
{
    fprintf(out, "/* Written by src/tool/embed.c. */\n#include \"base/embed.h\"\n\n");
    write_all_bytes(out, table, list);
    fprintf(out, "const struct embed_file %s[] = {\n", table);
    for (size_t i = 0; i < list->count; i++)
        write_row(out, table, &list->at[i], i);
    if (list->count == 0)
        fprintf(out, "    {.name = \"\"},\n");
    fprintf(out, "};\nconst size_t %s_count = %zu;\n", table, list->count);
}

int main(int argc, char **argv)
{
    struct item_list list = {0};
    FILE *out;

    if (argc < 4)
        fail("usage: embed text|web TABLE OUT FILE...", "embed");
    for (int i = 4; i < argc && strcmp(argv[1], "text") == 0; i++) {
        const char *slash = strrchr(argv[i], '/');

        list_add(&list, slash == NULL ? argv[i] : slash + 1, argv[i]);
    }
    if (strcmp(argv[1], "web") == 0 && argc > 4)
        list_add_folder(&list, argv[4], "");
    find_gzip_forms(&list);
    list_sort(&list);
    out = fopen(argv[3], "w");
    if (out == NULL)
        fail(strerror(errno), argv[3]);
    write_table(out, argv[2], &list);
    if (fclose(out) != 0)
        fail(strerror(errno), argv[3]);
    list_free(&list);
    return 0;
}
