/* SPDX-License-Identifier: PostgreSQL */
/*
 * server_sandbox.c: see the header.
 *
 * Written is the state and the store, and the folders of the log and of the setup code, as both
 * are replaced by names. Read is what the configuration names and what lies beside it, as a reload
 * reads it again, and what the resolver and libpq look for. Connections go anywhere: a store in
 * PostgreSQL and managed servers may be at any port.
 */
#include "app/server/server_sandbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "os/clock.h"
#include "os/sandbox.h"
#include "pgclient/pgclient.h"

#define SQLITE "sqlite:"

static const struct log_ctx ctx = {.component = "server"};

/* The folder of a file, in the arena; NULL for no file. */
static const char *folder_of(struct arena *a, const char *file)
{
    const char *slash = file != NULL ? strrchr(file, '/') : NULL;

    if (file == NULL || slash == NULL)
        return file == NULL ? NULL : ".";
    return slash == file ? "/" : arena_cstr(a, str_make(file, (size_t)(slash - file)));
}

static void allow_written(struct arena *a, const struct server_config *c, struct sandbox *s)
{
    sandbox_path(s, c->state_dir, SANDBOX_WRITE);
    if (!server_config_is_postgresql(c->store))
        sandbox_path(s, c->store + strlen(SQLITE), SANDBOX_WRITE);
    sandbox_path(s, folder_of(a, c->log_file), SANDBOX_WRITE);
    sandbox_path(s, folder_of(a, getenv("PGA_SETUP_CODE_FILE")), SANDBOX_WRITE);
    sandbox_path(s, folder_of(a, c->key_file), SANDBOX_WRITE); /* rotation replaces it */
    sandbox_path(s, "/dev/null", SANDBOX_WRITE);
}

static void allow_read(struct arena *a, const struct server_config *c, struct sandbox *s)
{
    const char *home = getenv("HOME");
    const char *const files[] = {c->file,
                                 c->tls_certificate,
                                 c->tls_key,
                                 c->agent_ca,
                                 c->passphrase_file,
                                 c->managed_ca_file,
                                 clock_shift_file(),
                                 getenv("PGPASSFILE"),
                                 getenv("PGSSLROOTCERT")};
    const char *const folders[] = {"/etc",
                                   "/usr/share/ca-certificates",
                                   "/usr/local/share/ca-certificates",
                                   "/proc",
                                   "/sys/fs/cgroup",
                                   "/sys/devices/system/cpu",
                                   "/dev/urandom",
                                   getenv("CREDENTIALS_DIRECTORY")};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        sandbox_path(s, folder_of(a, files[i]), SANDBOX_READ);
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        sandbox_path(s, folders[i], SANDBOX_READ);
    if (home != NULL && home[0] == '/') {
        sandbox_path(s, arena_printf(a, "%s/.pgpass", home), SANDBOX_READ);
        sandbox_path(s, arena_printf(a, "%s/.postgresql", home), SANDBOX_READ);
    }
}

enum err_code server_sandbox_enter(struct arena *a, const struct server_config *c,
                                   const struct server_listen *listen, struct err *e)
{
    struct sandbox *s = arena_alloc(a, sizeof(*s));
    enum err_code rc;

    if (c->sandbox != SERVER_SANDBOX_AUTO)
        return ERR_OK;
    if (s == NULL)
        return arena_fail(a, e);
    sandbox_init(s, SANDBOX_SERVER);
    s->connects_anywhere = true;
    allow_written(a, c, s);
    allow_read(a, c, s);
    for (size_t i = 0; i < listen->count; i++)
        sandbox_port(s, listen->items[i].at.port, SANDBOX_BIND);
    rc = arena_check(a, e);
    return rc == ERR_OK ? sandbox_enter(s, e) : rc;
}

void server_sandbox_tell(uint64_t *told)
{
    int last;
    uint64_t count = sandbox_refused(&last);

    if (count == *told)
        return;
    log_warn(&ctx, "the sandbox refused %llu system calls, the last was number %d",
             (unsigned long long)(count - *told), last);
    *told = count;
}
