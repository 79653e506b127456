/* SPDX-License-Identifier: PostgreSQL */
/* main.c: the entry of the one executable; app/applets.c knows what is in it. */
#include "app/applets.h"

int main(int argc, char **argv)
{
    return applets_run(argc, argv);
}
