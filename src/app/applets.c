/* SPDX-License-Identifier: PostgreSQL */
/* applets.c: the table of applets, and what `pga` says of itself. */
#include "app/applets.h"

#include "app/pages.h"
#include "base/embed.h"
#include "base/fault.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define APPLET(name, section, summary) int app_##name##_main(int argc, char **argv);
#include "app/applets.list"
#undef APPLET

struct applet {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
};

static const struct applet applets[] = {
#define APPLET(name, section, summary) {#name, summary, app_##name##_main},
#include "app/applets.list"
#undef APPLET
};

static const size_t applet_count = sizeof(applets) / sizeof(applets[0]);

static const struct applet *find(const char *name)
{
    for (size_t i = 0; i < applet_count; i++) {
        if (strcmp(applets[i].name, name) == 0) {
            return &applets[i];
        }
    }
    return NULL;
}

static void print_help(FILE *to)
{
    fputs("usage: pga APPLET [options]     (pga APPLET --help says more)\n\n", to);
    for (size_t i = 0; i < applet_count; i++) {
        fprintf(to, "  %-8s  %s\n", applets[i].name, applets[i].summary);
    }
    fputs("  version   print the version; with --licenses the licences of all that is in it\n"
          "  manual    list the manual pages; with the name of one, such as pga.1, print it\n",
          to);
}

static int print_version(void)
{
    size_t points;
    (void)fault_names(&points);
    printf("pga %s%s\n", PGA_VERSION, points > 0 ? " (with fault points: for tests only)" : "");
    return fflush(stdout) == 0 ? 0 : 1;
}

/* Our own, then of every library, then of what the web interface is made of. */
static int print_licenses(void)
{
    const struct embed_file *own = embed_find(embed_licence, embed_licence_count, "pga");
    const struct embed_file *web = embed_find(embed_web, embed_web_count, "licences.txt");
    if (own) {
        printf("== pga\n\n%s\n", (const char *)own->data);
    }
    for (size_t i = 0; i < embed_licence_count; i++) {
        if (&embed_licence[i] != own) {
            printf("== %s\n\n%s\n", embed_licence[i].name, (const char *)embed_licence[i].data);
        }
    }
    fputs(web ? (const char *)web->data : "", stdout);
    return fflush(stdout) == 0 && own && web ? 0 : 1;
}

static int version(int argc, char **argv)
{
    if (argc == 1) {
        return print_version();
    }
    if (argc == 2 && strcmp(argv[1], "--licenses") == 0) {
        return print_licenses();
    }
    fputs("usage: pga version [--licenses]\n", stderr);
    return 2;
}

static int print_fault_points(void)
{
    size_t count;
    const char *const *names = fault_names(&count);
    for (size_t i = 0; i < count; i++) {
        printf("%s\n", names[i]);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}

/* What `pga` answers without an applet; -1 = not one of these words. */
static int run_word(int argc, char **argv)
{
    const char *word = argv[0];
    if (strcmp(word, "--version") == 0 || strcmp(word, "version") == 0) {
        return version(argc, argv);
    }
    if (strcmp(word, "manual") == 0) {
        return pages_main(argc, argv);
    }
    if (strcmp(word, "--fault-points") == 0) {
        return print_fault_points();
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help(stdout);
        return 0;
    }
    return -1;
}

int applets_run(int argc, char **argv)
{
    const char *self = argc > 0 && argv[0] ? argv[0] : "pga";
    const char *slash = strrchr(self, '/');
    const char *name = slash ? slash + 1 : self;

    umask(077); /* what pga writes holds query texts, tokens and keys */
    if (strncmp(name, "pga-", 4) == 0 && find(name + 4)) {
        return find(name + 4)->run(argc, argv);
    }
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    const struct applet *applet = find(argv[1]);
    if (applet) {
        return applet->run(argc - 1, argv + 1);
    }
    int rc = run_word(argc - 1, argv + 1);
    if (rc < 0) {
        fprintf(stderr, "pga: unknown applet \"%s\"; see pga --help\n", argv[1]);
        rc = 2;
    }
    return rc;
}
