/* SPDX-License-Identifier: PostgreSQL */
/*
 * replay.c: runs a fuzz target once over every file of the folders given as arguments.
 *
 * Takes the place of libFuzzer where there is none (gcc); a crash or a sanitizer report ends the
 * program with a status that is not zero. Prints the number of inputs.
 * Threads: one; a program of the tests, not part of pga.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The file as one block, as large as it is, so that the sanitizer sees a read past its end. */
static void replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data;
    long size;

    if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0) {
        perror(path);
        exit(1);
    }
    rewind(f);
    data = malloc(size > 0 ? (size_t)size : 1);
    if (data == NULL || fread(data, 1, (size_t)size, f) != (size_t)size) {
        perror(path);
        exit(1);
    }
    fclose(f);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
}

static unsigned replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    unsigned count = 0;
    char path[4096];

    if (dir == NULL) {
        perror(folder);
        exit(1);
    }
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        fprintf(stderr, "%s\n", path);
        replay_file(path);
        count++;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;

    for (int i = 1; i < argc; i++)
        count += replay_folder(argv[i]);
    printf("%u inputs\n", count);
    return count == 0;
}
