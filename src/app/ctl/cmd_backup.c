/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_backup.c: `pga ctl backup create` fetches a backup, `verify` reads one that is there.
 *
 * A backup gets its name when it is whole and was read once more: what is cut short is removed, and
 * nobody takes it for a backup. Restoring needs a stopped server: pga migrate restore.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/ctl/cmd_change.h"
#include "base/limits.h"
#include "base/num.h"
#include "os/clock.h"
#include "os/file.h"
#include "store/backup/backup.h"

#define TIMEOUT_MS ((int64_t)24 * 3600 * 1000)
#define STALL_MS   ((int64_t)15 * 60 * 1000) /* the largest file is copied before it is sent */

/* A file that grows. */
struct download {
    int fd;
    uint64_t at;
};

static enum err_code take(void *arg, struct str piece, struct err *e)
{
    struct download *d = arg;
    enum err_code rc = file_write_at(d->fd, piece.ptr, piece.len, d->at, e);

    d->at += piece.len;
    return rc;
}

/* In a folder the file gets a name with the time. */
static const char *choose_path(struct ctl *ctl)
{
    const char *to = ctl_option_or(ctl, "to", ".");
    char when[NUM_TIME_TEXT_MAX];
    struct stat st;

    if (stat(to, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return to;
    }
    num_format_time(clock_wall_ms(), when); /* 2026-11-27T10:15:00.000Z */
    return arena_printf(&ctl->arena, "%s/pga-backup-%.4s%.2s%.2sT%.2s%.2s%.2sZ.tar", to, when,
                        when + 5, when + 8, when + 11, when + 14, when + 17);
}

static enum err_code download(struct ctl *ctl, struct download *d, struct err *e)
{
    const struct json *root = NULL;
    struct ctl_call call = {.method = "GET",
                            .path = ctl_option(ctl, "with-key") ? "/api/v1/backup?key=1"
                                                                : "/api/v1/backup",
                            .sink = take,
                            .sink_arg = d,
                            .stall_ms = STALL_MS};

    ctl->timeout_ms = TIMEOUT_MS;
    return ctl_request(ctl, &call, &root, e);
}

static void show(struct ctl *ctl, const char *path, const struct backup_info *info)
{
    static const struct output_column columns[] = {
        {"file", "file", OUTPUT_TEXT},       {"created", "created", OUTPUT_TEXT},
        {"pga", "pga_version", OUTPUT_TEXT}, {"files", "files", OUTPUT_INTEGER},
        {"bytes", "bytes", OUTPUT_INTEGER},  {"master key", "has_key", OUTPUT_TEXT},
    };
    struct buf text;
    struct json_writer w;
    struct json_doc *doc = NULL;

    buf_init(&text, LIMIT_JSON_BODY_BYTES);
    json_writer_init(&w, &text);
    json_object_begin(&w);
    json_member_c(&w, "file", path);
    json_member_c(&w, "created", info->created);
    json_member_c(&w, "pga_version", info->pga_version);
    json_member_c(&w, "store_epoch", info->store_epoch);
    json_member_u64(&w, "files", info->files);
    json_member_u64(&w, "bytes", info->bytes);
    json_member_bool(&w, "has_key", info->has_key);
    json_object_end(&w);
    if (json_parse(buf_view(&text), &(struct json_limits){LIMIT_JSON_BODY_BYTES, 4, false}, &doc,
                   NULL) == ERR_OK) {
        ctl->output->list(json_root(doc), json_root(doc), columns, CMD_COUNT(columns));
    }
    json_doc_free(doc);
    buf_fini(&text);
}

/* Give it its name: until then it is no backup. */
static enum err_code keep(const char *part, const char *path, int fd, struct backup_info *info,
                          struct err *e)
{
    enum err_code rc = file_sync_data(fd, e);

    rc = rc ? rc : backup_check(part, info, e);
    rc = rc ? rc : file_rename(part, path, e);
    if (rc == ERR_OK) {
        char folder[PATH_MAX];
        char *slash;
        snprintf(folder, sizeof(folder), "%s", path);
        slash = strrchr(folder, '/');
        if (slash == folder) {
            slash++;
        }
        if (slash) {
            *slash = '\0';
        }
        rc = file_sync_dir(slash ? folder : ".", e);
    }
    return rc;
}

/* What the server said in the archive is better than that it went away. */
static void explain(const char *part, const struct download *d, struct err *e)
{
    struct backup_info info;
    struct err inside;

    if (d->at > 0 && backup_check(part, &info, &inside) && strstr(inside.text, "could not end")) {
        *e = inside;
    }
}

static int run_create(struct ctl *ctl)
{
    const char *path = choose_path(ctl);
    const char *part = arena_printf(&ctl->arena, "%s.part", path);
    struct download d = {.fd = -1};
    struct backup_info info;
    struct err e, ignored;

    err_clear(&e);
    if (access(path, F_OK) == 0) {
        err_set(&e, ERR_CONFLICT, "%s is there already", path);
        return ctl_fail(ctl, &e);
    }
    enum err_code rc = file_open(part, O_RDWR | O_CREAT | O_TRUNC, 0600, &d.fd, &e);
    if (rc == ERR_OK) {
        rc = download(ctl, &d, &e);
        if (rc) {
            explain(part, &d, &e);
        }
    }
    rc = rc ? rc : keep(part, path, d.fd, &info, &e);
    file_close(d.fd);
    if (rc) {
        (void)!file_remove(part, &ignored);
        return ctl_fail(ctl, &e);
    }
    show(ctl, path, &info);
    return CTL_OK;
}

static int run_verify(struct ctl *ctl)
{
    struct backup_info info;
    struct err e;

    err_clear(&e);
    if (ctl->argument_count != 1) {
        err_set(&e, ERR_INVALID, "the file of one backup is needed");
        (void)ctl_fail(ctl, &e);
        return CTL_USAGE;
    }
    if (backup_check(ctl->arguments[0], &info, &e)) {
        int status = ctl_fail(ctl, &e);
        return e.code == ERR_CORRUPT || e.code == ERR_INVALID ? CTL_PROBLEMS : status;
    }
    show(ctl, ctl->arguments[0], &info);
    return CTL_OK;
}

static const struct ctl_option create_options[] = {
    {"to", "PATH", "the file, or a folder in which it gets a name with the time (default .)"},
    {"with-key", NULL, "put the master key into it: who has the file then has all secrets"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_backup_create = {
    .noun = "backup",
    .verb = "create",
    .summary = "make a backup of the server's store while it runs",
    .options = create_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_create,
};

const struct ctl_command ctl_command_backup_verify = {
    .noun = "backup",
    .verb = "verify",
    .summary = "check that a backup is whole and can be restored; exit 7 when not",
    .argument = "FILE",
    .needs = CTL_NEEDS_NOTHING,
    .run = run_verify,
};
