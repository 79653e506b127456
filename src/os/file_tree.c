/* SPDX-License-Identifier: PostgreSQL */
/*
 * file_tree.c: listing a directory and removing a tree.
 *
 * Removing works by descriptors (openat, unlinkat) and opens directories with O_NOFOLLOW, so that a
 * link swapped in meanwhile is removed, not followed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "os/file.h"

struct file_names {
    char **items;
    size_t count, cap;
};

static void file_names_add(struct file_names *names, const char *name)
{
    if (names->count == names->cap) {
        names->cap = names->cap ? names->cap * 2 : 32;
        names->items = alloc_resize(names->items, names->cap * sizeof(*names->items));
    }
    names->items[names->count++] = alloc_strdup(name);
}

static void file_names_fini(struct file_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        alloc_free(names->items[i]);
    alloc_free(names->items);
}

static int file_names_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool file_is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static enum err_code file_read_names(DIR *dir, const char *path, struct file_names *names,
                                     struct err *e)
{
    struct dirent *entry;

    for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
        if (file_is_dots(entry->d_name))
            continue;
        if (names->count == LIMIT_DIR_ENTRIES)
            return err_set(e, ERR_LIMIT, "%s has more than %d entries", path, LIMIT_DIR_ENTRIES);
        file_names_add(names, entry->d_name);
    }
    if (errno != 0)
        return err_set_errno(e, ERR_IO, errno, "read directory %s", path);
    return ERR_OK;
}

enum err_code file_list(const char *dir, void (*visit)(void *arg, const char *name), void *arg,
                        struct err *e)
{
    struct file_names names = {0};
    DIR *handle = NULL;
    enum err_code rc;
    int fd = -1;

    rc = file_open(dir, O_RDONLY | O_DIRECTORY, 0, &fd, e);
    if (rc != ERR_OK)
        return rc;
    handle = fdopendir(fd);
    if (!handle) {
        rc = err_set_errno(e, ERR_IO, errno, "open directory %s", dir);
        file_close(fd);
        return rc;
    }
    rc = file_read_names(handle, dir, &names, e);
    (void)closedir(handle);
    if (rc == ERR_OK && names.count > 1)
        qsort(names.items, names.count, sizeof(*names.items), file_names_order);
    for (size_t i = 0; rc == ERR_OK && i < names.count; i++)
        visit(arg, names.items[i]);
    file_names_fini(&names);
    return rc;
}

static enum err_code file_empty_dir(int fd, unsigned depth, const char *path, struct err *e);

/* Remove `name` in the directory `fd`, whatever it is. */
static enum err_code file_remove_entry(int fd, const char *name, unsigned depth, const char *path,
                                       struct err *e)
{
    enum err_code rc;
    int sub;

    if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
        return ERR_OK;
    if (errno != EISDIR && errno != EPERM)
        return err_set_errno(e, ERR_IO, errno, "remove %s in %s", name, path);
    if (depth == LIMIT_DIR_DEPTH)
        return err_set(e, ERR_LIMIT, "%s is nested deeper than %d", path, LIMIT_DIR_DEPTH);
    sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (sub < 0)
        return err_set_errno(e, ERR_IO, errno, "open %s in %s", name, path);
    rc = file_empty_dir(sub, depth + 1, path, e);
    if (rc == ERR_OK && unlinkat(fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        rc = err_set_errno(e, ERR_IO, errno, "remove directory %s in %s", name, path);
    return rc;
}

/* Takes over `fd`. */
static enum err_code file_empty_dir(int fd, unsigned depth, const char *path, struct err *e)
{
    struct file_names names = {0};
    enum err_code rc;
    DIR *dir = fdopendir(fd);

    if (!dir) {
        rc = err_set_errno(e, ERR_IO, errno, "open directory in %s", path);
        file_close(fd);
        return rc;
    }
    rc = file_read_names(dir, path, &names, e);
    for (size_t i = 0; rc == ERR_OK && i < names.count; i++)
        rc = file_remove_entry(fd, names.items[i], depth, path, e);
    (void)closedir(dir);
    file_names_fini(&names);
    return rc;
}

enum err_code file_remove_tree(const char *path, struct err *e)
{
    return file_remove_entry(AT_FDCWD, path, 0, path, e);
}
