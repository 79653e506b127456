/* SPDX-License-Identifier: PostgreSQL */
/*
 * applets.h: the programs inside the program. applets.list names them; each is a function
 * app_<name>_main in its own folder.
 */
#ifndef APP_APPLETS_H
#define APP_APPLETS_H

/*
 * Choose an applet by the name the program was called with ("pga-agent") or by its first argument,
 * and run it. Gives the exit code; 2 for a usage error.
 */
int applets_run(int argc, char **argv);

#endif
