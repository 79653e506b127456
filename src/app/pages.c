/* SPDX-License-Identifier: PostgreSQL */
/* pages.c: the table of manual pages, made from applets.list and the tables of keys. */
#include "app/pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/agent/agent_config.h"
#include "app/server/server_config.h"
#include "app/usage.h"
#include "base/manual.h"
#include "os/clock.h"

#define PAGE_MAX ((size_t)1024 * 1024)

#define APPLET(name, section, summary) extern const struct usage app_##name##_usage;
#include "app/applets.list"
#undef APPLET

struct page {
    const char *name;
    const char *section;
    const char *summary;
    const struct usage *usage;      /* of an applet, or */
    void (*write)(struct buf *out); /* what the page has between NAME and SEE ALSO */
    const char *see_also;
};

static void write_pga(struct buf *out);
static void write_server_keys(struct buf *out);

static const struct page pages[] = {
    {"pga", "1", "watches PostgreSQL: agent, server and command line in one program", NULL,
     write_pga, "pga-agent.toml(5), pga-server.toml(5), and the guide in share/doc/pga"},
#define APPLET(name, section, summary) \
    {"pga-" #name, section, summary, &app_##name##_usage, NULL, NULL},
#include "app/applets.list"
#undef APPLET
    {"pga-agent.toml", "5", "configuration of the agent of pga", NULL, agent_config_manual,
     "pga-agent(8), pga-server.toml(5)"},
    {"pga-server.toml", "5", "configuration of the server of pga", NULL, write_server_keys,
     "pga-server(8), pga-agent.toml(5)"},
};
static const size_t page_count = sizeof(pages) / sizeof(pages[0]);

/* --- pages that belong to no applet --- */

static void put_applets(struct buf *out)
{
    manual_section(out, "APPLETS");
#define APPLET(name, section, summary) \
    manual_item(out, "pga-" #name "(" section ")", NULL, summary);
#include "app/applets.list"
#undef APPLET
}

static void write_pga(struct buf *out)
{
    manual_section(out, "SYNOPSIS");
    buf_add_c(out, "\\fBpga\\fR \\fIAPPLET\\fR [options]\n.br\n"
                   "\\fBpga version\\fR [\\-\\-licenses]\n.br\n"
                   "\\fBpga manual\\fR [\\fIPAGE\\fR]\n");
    manual_section(out, "DESCRIPTION");
    manual_text(out, "One static program. An applet is called as the first word, or by a link of "
                     "the name pga-APPLET. Each has --help, and a page of its own.\n");
    manual_paragraph(out, "pga demo shows all of it at work on a private PostgreSQL.");
    put_applets(out);
    manual_section(out, "OPTIONS");
    manual_item(out, "version, --version", NULL, "The version.");
    manual_item(out, "version --licenses", NULL, "The licences of all that is in the program.");
    manual_item(
        out, "manual", NULL,
        "The names of the manual pages; with the name of one, such as pga-ctl.1, the page.");
    manual_item(out, "help, --help", NULL, "The list of applets.");
}

static void write_server_keys(struct buf *out)
{
    conf_manual(server_config_schema(), out);
}

/* --- printing --- */

/* The date of the sources, so that the same sources give the same page. */
static const char *date_of(char *out, size_t size)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    time_t t = epoch ? (time_t)strtoll(epoch, NULL, 10) : (time_t)(clock_wall_ms() / 1000);
    struct tm tm;

    gmtime_r(&t, &tm);
    snprintf(out, size, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
    return out;
}

static const struct page *find(const char *name)
{
    for (size_t i = 0; i < page_count; i++) {
        size_t len = strlen(pages[i].name);
        if (strncmp(name, pages[i].name, len) == 0 && name[len] == '.' &&
            strcmp(name + len + 1, pages[i].section) == 0) {
            return &pages[i];
        }
    }
    return NULL;
}

int pages_print(const char *name)
{
    const struct page *page = find(name);
    char date[64];
    struct buf out;

    if (!page) {
        fprintf(stderr, "pga manual: no page \"%s\"; pga manual lists them\n", name);
        return 2;
    }
    buf_init(&out, PAGE_MAX);
    manual_head(&out, &(struct manual_head){.name = page->name,
                                            .section = page->section,
                                            .summary = page->summary,
                                            .made_by = "pga manual",
                                            .date = date_of(date, sizeof(date))});
    if (page->usage) {
        usage_manual(page->usage, &out);
    } else {
        page->write(&out);
        manual_see_also(&out, page->see_also);
    }
    bool written = buf_check(&out, NULL) == ERR_OK &&
                   fwrite(out.ptr, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    buf_fini(&out);
    return written ? 0 : 1;
}

int pages_main(int argc, char **argv)
{
    if (argc == 2) {
        return pages_print(argv[1]);
    }
    if (argc > 2) {
        fputs("usage: pga manual [PAGE]\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < page_count; i++) {
        printf("%s.%s\n", pages[i].name, pages[i].section);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
