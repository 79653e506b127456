/* SPDX-License-Identifier: PostgreSQL */
/*
 * pages.h: the manual pages that the program writes about itself, one of each applet, one of each
 * configuration file, and pga(1).
 */
#ifndef APP_PAGES_H
#define APP_PAGES_H

/* `pga manual [PAGE]`: lists the pages, or prints one. Gives the exit code. */
int pages_main(int argc, char **argv);
/* Print a page ("pga-ctl.1"). */
int pages_print(const char *page);

#endif
