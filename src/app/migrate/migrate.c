/* SPDX-License-Identifier: PostgreSQL */
/*
 * migrate.c: `pga migrate`: the schema of a store: status, up, verify, list; restore, restored.
 *
 * The store is named by URL, or found in the server's state directory. SQLite files that hold data
 * are copied before they are changed; PostgreSQL databases are changed only here, never by a
 * starting server.
 * Exit codes: 0 ok, 1 failure, 2 usage, 3 no such store, 5 in use or newer than this program,
 * 6 unreachable, 7 something is pending (status) or damaged (verify).
 */
#include "app/migrate/migrate.h"
#include "app/usage.h"
#include "base/alloc.h"
#include "base/embed.h"
#include "base/log.h"
#include "base/num.h"
#include "base/text.h"
#include "os/file.h"
#include "sqldb/sqldb.h"
#include "sqldb/sqldb_migrate.h"
#include "store/backup/backup.h"
#include "store/store_target.h"
#include "store/tsdb/tsdb.h"
#include "tls/hash.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct migrate {
    char url[PATH_MAX + 16];
    char dir[PATH_MAX];       /* of a SQLite store; "" for PostgreSQL */
    char meta[PATH_MAX + 16]; /* its control-plane file */
    const char *key_file; /* where the key of a backup goes; NULL = the place of the state folder */
    char default_key[PATH_MAX + 32];
    const char *backup;    /* operand of restore */
    const char *from, *to; /* of copy */
    int as_json;
    int dry_run;
    int repair;
    int pending;
    int findings;
};

int app_migrate_main(int argc, char **argv);

static const struct usage_row help_commands[] = {
    {"status", "what is applied and what is pending; exit 7 when something is pending"},
    {"up", "apply what is pending"},
    {"verify",
     "check every file, hash, row and block of the store and the chain of the audit; of a "
     "PostgreSQL store hashes, tables, columns, indexes and the audit; exit 7 on damage"},
    {"list", "the migrations in this program"},
    {"copy --from URL --to URL",
     "copy all of a store into another, empty one, of either kind, with both servers stopped; "
     "goes on where it was interrupted, and compares both at the end; exit 1 when they differ, 7 "
     "when something could not be copied"},
    {"restore FILE", "make a store of a backup (pga ctl backup create); the store must not be "
                     "there, or be empty, and its server stopped"},
    {"restored",
     "after PostgreSQL's own tools restored a store there, before a server starts: give "
     "it a new epoch, so that agents deliver again what they still hold"},
    {NULL, NULL},
};

static const struct usage_option help_options[] = {
    {"store", "URL",
     "sqlite:DIR or postgres://... (default: the server's); a password is better kept in "
     "PGPASSFILE, since others can see command lines"},
    {"state-dir", "DIR", "state directory of the server"},
    {"key-file", "FILE",
     "with restore: where the master key of a backup goes that brings one (default: "
     "keys/master.key of the state directory)"},
    {"from", "URL", "with copy: the store that is read"},
    {"to", "URL", "with copy: the store that is made; empty, or the same copy, unfinished"},
    {"json", NULL, "with copy: the comparison at the end as JSON"},
    {"dry-run", NULL, "with up: prove that it would work, change nothing"},
    {"repair", NULL,
     "with verify of a SQLite store: move what cannot be read into damaged.db or damaged/ beside "
     "it, build indexes anew, save what can be read, then check again"},
    {"help", NULL, "show help"},
    {NULL, NULL, NULL},
};

extern const struct usage app_migrate_usage;
const struct usage app_migrate_usage = {
    .name = "migrate",
    .forms = (const struct usage_row[]){{"[options] status|up|verify|list|restored", ""},
                                        {"[--json] copy --from URL --to URL", ""},
                                        {"[options] restore FILE", ""},
                                        {NULL, NULL}},
    .commands = help_commands,
    .options = help_options,
    .description =
        (const char *const[]){
            "Shows, makes and checks the schema of a store, which is named by URL or found in the "
            "state directory of the server.",
            "SQLite files that hold data are copied before they are changed, and the server must "
            "not be running. PostgreSQL databases are changed only here, never by a starting "
            "server.",
            "A copy takes everything along but the master key, which the server of the new store "
            "needs as well. Neither store may be in use. Until the copy came to its end no server "
            "opens the new store. What both hold is then read once more and compared: readings, "
            "rows, values, the exact sum of the integers, and a hash of every bit.",
            "A restored store is as the one of the backup was, with a new epoch: agents see it in "
            "the answers and deliver again what they still hold, the last hour or so.",
            NULL},
    .exits = (const struct usage_row[]){{"0", "it is done"},
                                        {"1", "failure; a copy is not the same"},
                                        {"2", "wrong use"},
                                        {"3", "no such store"},
                                        {"5", "in use, or newer than this program"},
                                        {"6", "unreachable, or too slow"},
                                        {"7", "something is pending (status) or damaged (verify), "
                                              "or could not be copied (copy)"},
                                        {NULL, NULL}},
    .environment = (const struct usage_row[]){{"PGPASSFILE", "Passwords of a PostgreSQL store."},
                                              {"XDG_STATE_HOME",
                                               "Where the server's state is by default."},
                                              {NULL, NULL}},
    .see_also = "pga(1), pga-server(8)",
};

static int exit_code(enum err_code code)
{
    switch (code) {
    case ERR_OK:
        return EXIT_CODE_OK;
    case ERR_NOT_FOUND:
        return EXIT_CODE_NOT_FOUND;
    case ERR_CONFLICT:
    case ERR_UNSUPPORTED:
        return EXIT_CODE_CONFLICT;
    case ERR_UNREACHABLE:
    case ERR_TIMEOUT:
        return EXIT_CODE_UNAVAILABLE;
    case ERR_CORRUPT:
        return EXIT_CODE_PROBLEMS;
    case ERR_DENIED:
    case ERR_INVALID:
    case ERR_LIMIT:
    case ERR_IO:
    case ERR_CANCELLED:
    case ERR_BUG:
        return EXIT_CODE_FAILURE;
    }
    return EXIT_CODE_FAILURE;
}

int migrate_fail(const struct err *e)
{
    fprintf(stderr, "pga migrate: %s\n", e->text);
    return exit_code(e->code);
}

static enum err_code hash(const void *bytes, size_t len, unsigned char out[32])
{
    hash_sha256(str_make(bytes, len), out);
    return ERR_OK;
}

static struct sqldb_migrate_set embedded(const struct migrate *m)
{
    return (struct sqldb_migrate_set){.files = embed_migration,
                                      .count = embed_migration_count,
                                      .hash = hash,
                                      .backup_of = m->dir[0] ? m->meta : NULL};
}

static void show_step(void *arg, const struct sqldb_migrate_step *step)
{
    struct migrate *m = arg;
    char when[NUM_TIME_TEXT_MAX] = "pending";
    if (step->applied_ms != 0) {
        num_format_time(step->applied_ms, when);
    } else {
        m->pending++;
    }
    printf("%04d  %-32s  %s\n", step->number, step->name, when);
}

static enum err_code open_store(const struct migrate *m, unsigned flags, struct sqldb **db,
                                struct err *e)
{
    struct sqldb_options options = {.flags = flags | (m->dir[0] ? SQLDB_MUST_EXIST : 0)};
    return sqldb_open(m->url, &options, db, e);
}

static int run_status(struct migrate *m)
{
    struct err e;
    struct sqldb *db = NULL;
    struct sqldb_migrate_set set = embedded(m);

    err_clear(&e);
    enum err_code rc = open_store(m, SQLDB_READ_ONLY, &db, &e);
    rc = rc ? rc : sqldb_migrate_status(db, &set, show_step, m, &e);
    sqldb_close(db);
    if (rc) {
        return migrate_fail(&e);
    }
    return m->pending > 0 ? EXIT_CODE_PROBLEMS : EXIT_CODE_OK;
}

/* One writer a file: the server must not have the store open. */
static enum err_code lock_store(const struct migrate *m, int *lock, struct err *e)
{
    *lock = -1;
    if (!m->dir[0]) {
        return ERR_OK;
    }
    enum err_code rc = file_make_dirs(m->dir, 0700, e);
    char path[PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/lock", m->dir);
    rc = rc ? rc : file_lock(path, lock, e);
    return rc == ERR_CONFLICT ? err_wrap(e, "a running server has the store open") : rc;
}

static int run_up(struct migrate *m)
{
    struct err e;
    struct sqldb *db = NULL;
    struct sqldb_migrate_set set = embedded(m);
    int count = 0, lock;

    err_clear(&e);
    enum err_code rc = lock_store(m, &lock, &e);
    rc = rc ? rc : sqldb_open(m->url, NULL, &db, &e);
    if (rc == ERR_OK && m->dry_run) {
        rc = sqldb_migrate_dry_run(db, &set, &count, &e);
    } else if (rc == ERR_OK) {
        rc = sqldb_migrate_up(db, &set, &count, &e);
    }
    sqldb_close(db);
    file_close(lock);
    if (rc) {
        return migrate_fail(&e);
    }
    printf(m->dry_run ? "%d pending, would apply\n" : "%d applied\n", count);
    return EXIT_CODE_OK;
}

static void show_finding(void *arg, const char *file, const char *text)
{
    struct migrate *m = arg;
    m->findings++;
    printf("damaged  %s: %s\n", file, text);
}

static void ignore_step(void *arg, const struct sqldb_migrate_step *step)
{
    struct migrate *m = arg;
    m->pending += step->applied_ms == 0;
}

static void show_difference(void *arg, struct str text)
{
    struct migrate *m = arg;
    m->findings++;
    printf("damaged  control plane: %.*s\n", STR_ARG(text));
}

/* A file as a whole; of a PostgreSQL database what the migrations made. */
static enum err_code verify_tables(struct migrate *m, struct sqldb *db, struct err *e)
{
    struct sqldb_migrate_set set = embedded(m);
    const struct sqldb_migrate_findings findings = {show_difference, m};
    return m->dir[0] ? sqldb_verify(db, e) : sqldb_migrate_check(db, &set, &findings, e);
}

static enum err_code verify_control(struct migrate *m, struct err *e)
{
    struct sqldb *db = NULL;
    struct sqldb_migrate_set set = embedded(m);
    /* PostgreSQL compares with temporary tables, which a read-only session may not make */
    enum err_code rc = open_store(m, m->dir[0] ? SQLDB_READ_ONLY : 0, &db, e);

    rc = rc ? rc : sqldb_migrate_status(db, &set, ignore_step, m, e);
    rc = rc ? rc : verify_tables(m, db, e);
    sqldb_close(db);
    if (rc == ERR_CORRUPT) {
        show_finding(m, "control plane", e->text);
        err_clear(e);
        return ERR_OK;
    }
    return rc;
}

/* A store that no server has opened yet has its control plane only. */
static int has_series(const struct migrate *m)
{
    static const char *const names[] = {"ingest.db", "text.db", "event.db", "raw"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[PATH_MAX + 16];
        snprintf(path, sizeof(path), "%s/%s", m->dir, names[i]);
        if (access(path, F_OK) == 0) {
            return 1;
        }
    }
    return 0;
}

static void show_repair(void *arg, const char *file, const char *text)
{
    (void)arg;
    printf("repaired %s: %s\n", file, text);
}

/* Indexes are all that can be mended of the control plane; its rows have no second copy. */
static enum err_code repair_control(struct migrate *m, struct err *e)
{
    struct sqldb *db = NULL;
    enum err_code rc = open_store(m, 0, &db, e);

    rc = rc ? rc : sqldb_verify(db, e);
    if (rc == ERR_CORRUPT && db) {
        show_finding(m, "control plane", e->text);
        rc = sqldb_script(db, "REINDEX", e);
        if (rc == ERR_OK) {
            show_repair(m, "control plane", "its indexes were built anew");
        }
    }
    sqldb_close(db);
    return rc == ERR_CORRUPT ? ERR_OK : rc; /* the check that follows tells what is left */
}

static enum err_code repair_series(struct migrate *m, struct err *e)
{
    struct tsdb_verify v = {
        .finding = show_finding, .repaired = show_repair, .arg = m, .repair = true};
    enum err_code rc = has_series(m) ? tsdb_verify(m->dir, &v, e) : ERR_OK;
    return rc == ERR_CORRUPT ? ERR_OK : rc;
}

/* Mend what can be mended; the findings of the check that follows are those that count. */
static enum err_code repair(struct migrate *m, struct err *e)
{
    int lock = -1;
    enum err_code rc = lock_store(m, &lock, e);

    rc = rc ? rc : repair_control(m, e);
    file_close(lock); /* the series lock it for themselves */
    rc = rc ? rc : repair_series(m, e);
    if (rc) {
        return rc;
    }
    err_clear(e);
    printf("%d findings before the repair\n", m->findings);
    m->findings = 0;
    return ERR_OK;
}

static enum err_code verify_audit(struct migrate *m, struct err *e)
{
    struct migrate_audit a = {0};

    if (m->pending > 0 || m->findings > 0) {
        return ERR_OK; /* there may be no such table yet, or it cannot be read */
    }
    enum err_code rc = migrate_audit(m->url, m->key_file ? m->key_file : m->default_key, &a, e);
    if (rc == ERR_OK && a.bad > 0) {
        show_finding(m, "audit", a.finding);
    } else if (rc == ERR_OK && a.is_signed) {
        printf("%lld audit rows, signed up to %lld\n", (long long)a.rows, (long long)a.signed_to);
    } else if (rc == ERR_OK) {
        printf("%lld audit rows; their signatures need the master key: --key-file\n",
               (long long)a.rows);
    }
    return rc;
}

static enum err_code verify_series(struct migrate *m, struct err *e)
{
    struct tsdb_verify v = {.finding = show_finding, .arg = m};
    if (!m->dir[0] || !has_series(m)) {
        return ERR_OK;
    }
    enum err_code rc = tsdb_verify(m->dir, &v, e);
    if (rc == ERR_OK || rc == ERR_CORRUPT) {
        printf("%llu files, %llu journal rows, %llu blocks, %llu slices, %llu samples\n",
               (unsigned long long)v.files, (unsigned long long)v.journal_rows,
               (unsigned long long)v.blocks, (unsigned long long)v.slices,
               (unsigned long long)v.samples);
        err_clear(e);
        rc = ERR_OK;
    }
    return rc;
}

static int run_verify(struct migrate *m)
{
    struct err e;
    err_clear(&e);
    enum err_code rc = m->repair ? repair(m, &e) : ERR_OK;
    rc = rc ? rc : verify_control(m, &e);
    rc = rc ? rc : verify_audit(m, &e);
    rc = rc ? rc : verify_series(m, &e);
    if (rc) {
        return migrate_fail(&e);
    }
    if (m->pending > 0) {
        printf("%d migrations are pending\n", m->pending);
    }
    printf(m->findings ? "%d findings\n" : "no damage found\n", m->findings);
    return m->findings > 0 ? EXIT_CODE_PROBLEMS : EXIT_CODE_OK;
}

static int run_list(struct migrate *m)
{
    (void)m;
    for (size_t i = 0; i < embed_migration_count; i++) {
        unsigned char digest[32];
        char text[65];
        hash_sha256(str_make(embed_migration[i].data, embed_migration[i].len), digest);
        text_hex(digest, sizeof(digest), text);
        printf("%s  %s\n", text, embed_migration[i].name);
    }
    return EXIT_CODE_OK;
}

/* Without its key the server does not start: say so before it does not. */
static void say_key(const struct migrate *m, const struct backup_info *info)
{
    const char *path = m->key_file ? m->key_file : m->default_key;

    if (info->has_key && path[0]) {
        printf("the master key is in %s\n", path);
    } else if (path[0]) {
        printf("the backup brings no master key: that of its server must be in %s before the "
               "server starts\n",
               path);
    } else {
        printf("the master key of its server must be in its place before the server starts\n");
    }
}

static int run_restore(struct migrate *m)
{
    struct backup_target to = {.dir = m->dir,
                               .key_file = m->key_file         ? m->key_file
                                           : m->default_key[0] ? m->default_key
                                                               : NULL};
    struct backup_info info;
    struct err e;

    err_clear(&e);
    if (!m->dir[0]) {
        fprintf(stderr, "pga migrate: a backup is restored into sqlite:DIR\n");
        return EXIT_CODE_USAGE;
    }
    if (backup_restore(m->backup, &to, &info, &e)) {
        return migrate_fail(&e);
    }
    printf("restored %llu files, %llu bytes, of %s, into %s\n", (unsigned long long)info.files,
           (unsigned long long)info.bytes, info.created, m->dir);
    say_key(m, &info);
    return EXIT_CODE_OK;
}

static int run_copy(struct migrate *m)
{
    return migrate_copy(m->from, m->to, m->as_json ? MIGRATE_JSON : MIGRATE_TEXT);
}

static int run_restored(struct migrate *m)
{
    struct sqldb *db = NULL;
    uint64_t applied = 0;
    uint64_t lsn = 0;
    struct err e;

    err_clear(&e);
    if (m->dir[0]) {
        fprintf(stderr, "pga migrate: a store in SQLite is restored by restore FILE, which renews "
                        "its epoch\n");
        return EXIT_CODE_USAGE;
    }
    enum err_code rc = open_store(m, 0, &db, &e);
    rc = rc ? rc : store_target_lsn(db, &applied, &e);
    rc = rc ? rc : tsdb_restored_pg(db, applied, &lsn, &e);
    sqldb_close(db);
    if (rc) {
        return migrate_fail(&e);
    }
    printf("a new epoch; journal rows go on after %llu\n", (unsigned long long)lsn);
    return EXIT_CODE_OK;
}

static void default_state(const char *state_dir, char *out, size_t size)
{
    const char *home = getenv("HOME");
    const char *state = getenv("XDG_STATE_HOME");

    if (state_dir) {
        snprintf(out, size, "%s", state_dir);
    } else if (geteuid() == 0 && access("/var/lib/pga-server", F_OK) == 0) {
        snprintf(out, size, "/var/lib/pga-server");
    } else if (state && state[0] == '/') {
        snprintf(out, size, "%s/pga-server", state);
    } else {
        snprintf(out, size, "%s/.local/state/pga-server", home ? home : "");
    }
}

/* The server's store, and the place of its key. */
static void set_defaults(struct migrate *m, const char *state_dir)
{
    char state[PATH_MAX];

    default_state(state_dir, state, sizeof(state));
    snprintf(m->url, sizeof(m->url), "sqlite:%.*s/store", PATH_MAX - 16, state);
    snprintf(m->default_key, sizeof(m->default_key), "%s/keys/master.key", state);
}

static int set_store(struct migrate *m, const char *url)
{
    if (strlen(url) >= sizeof(m->url)) {
        fprintf(stderr, "pga migrate: the store's address is too long\n");
        return EXIT_CODE_USAGE;
    }
    snprintf(m->url, sizeof(m->url), "%s", url);
    return EXIT_CODE_OK;
}

bool migrate_is_store(const char *url)
{
    static const char *const schemes[] = {"sqlite:", "postgres://", "postgresql://"};

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(url, schemes[i], strlen(schemes[i])) == 0 && url[strlen(schemes[i])]) {
            return true;
        }
    }
    fprintf(stderr, "pga migrate: a store is sqlite:DIR or postgres://...\n");
    return false;
}

/* The directory of a SQLite store. */
static int split_url(struct migrate *m)
{
    if (strncmp(m->url, "sqlite:", 7) == 0) {
        if (strlen(m->url + 7) >= sizeof(m->dir)) {
            fprintf(stderr, "pga migrate: the store's path is too long\n");
            return EXIT_CODE_USAGE;
        }
        memcpy(m->dir, m->url + 7, strlen(m->url + 7) + 1);
        snprintf(m->meta, sizeof(m->meta), "%s/meta.db", m->dir);
        return EXIT_CODE_OK;
    }
    return migrate_is_store(m->url) ? EXIT_CODE_OK : EXIT_CODE_USAGE;
}

struct verb {
    const char *name;
    int (*run)(struct migrate *m);
};

static const struct verb verbs[] = {
    {"copy", run_copy},         {"list", run_list},     {"restore", run_restore},
    {"restored", run_restored}, {"status", run_status}, {"up", run_up},
    {"verify", run_verify},
};

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

static int usage_error(const char *what, const char *word)
{
    if (strstr(word, "://")) { /* it may hold a password */
        fprintf(stderr, "pga migrate: a store's address is given with --store\n");
        return EXIT_CODE_USAGE;
    }
    fprintf(stderr, "pga migrate: %s \"%s\"; see pga migrate --help\n", what, word);
    return EXIT_CODE_USAGE;
}

/* Where the value of an option goes; NULL = it takes none. */
struct words {
    const char *store, *state_dir;
    const char *key_file;
    const char *from, *to;
};

static const char **slot_of(struct words *w, const char *word)
{
    const struct {
        const char *name;
        const char **to;
    } slots[] = {{"--store", &w->store},
                 {"--state-dir", &w->state_dir},
                 {"--key-file", &w->key_file},
                 {"--from", &w->from},
                 {"--to", &w->to}};

    for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
        if (strcmp(word, slots[i].name) == 0) {
            return slots[i].to;
        }
    }
    return NULL;
}

static int take_word(struct migrate *m, const char *word, const struct verb **verb)
{
    if (strcmp(word, "--dry-run") == 0) {
        m->dry_run = 1;
    } else if (strcmp(word, "--repair") == 0) {
        m->repair = 1;
    } else if (strcmp(word, "--json") == 0) {
        m->as_json = 1;
    } else if (word[0] != '-' && !*verb && (*verb = find_verb(word))) {
        return EXIT_CODE_OK;
    } else if (word[0] != '-' && *verb && (*verb)->run == run_restore && !m->backup) {
        m->backup = word;
    } else {
        return usage_error("unexpected", word);
    }
    return EXIT_CODE_OK;
}

static int parse(struct migrate *m, int argc, char **argv, const struct verb **verb)
{
    struct words w = {0};
    int rc = EXIT_CODE_OK;

    for (int i = 1; rc == EXIT_CODE_OK && i < argc; i++) {
        const char **slot = slot_of(&w, argv[i]);
        if (slot && i + 1 >= argc) {
            return usage_error("a value is missing after", argv[i]);
        }
        if (slot) {
            *slot = argv[++i];
        } else {
            rc = take_word(m, argv[i], verb);
        }
    }
    m->key_file = w.key_file;
    m->from = w.from;
    m->to = w.to;
    if (rc) {
        return rc;
    }
    if (!*verb) {
        usage_print(&app_migrate_usage, stderr);
        return EXIT_CODE_USAGE;
    }
    if ((*verb)->run == run_restore && !m->backup) {
        return usage_error("the file of a backup is missing after", "restore");
    }
    bool copies = (*verb)->run == run_copy;
    if (copies != (m->from || m->to || m->as_json) || (copies && (!m->from || !m->to))) {
        return copies ? usage_error("--from URL and --to URL go with", "copy")
                      : usage_error("--from, --to and --json do not go with", (*verb)->name);
    }
    set_defaults(m, w.state_dir);
    if (w.store && !w.state_dir) {
        m->default_key[0] = '\0'; /* nobody said where its server's state is */
    }
    rc = w.store ? set_store(m, w.store) : EXIT_CODE_OK;
    rc = rc ? rc : split_url(m);
    if (rc == EXIT_CODE_OK && m->repair && ((*verb)->run != run_verify || !m->dir[0])) {
        fprintf(stderr, "pga migrate: --repair goes with verify of a SQLite store\n");
        return EXIT_CODE_USAGE;
    }
    return rc;
}

int app_migrate_main(int argc, char **argv)
{
    const struct verb *verb = NULL;
    struct migrate *m = alloc_new(sizeof(*m));
    int rc = EXIT_CODE_OK;

    log_setup(&(struct log_config){.level = LOG_LEVEL_WARN, .format = LOG_FORMAT_TEXT, .fd = 2});
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        usage_print(&app_migrate_usage, stdout);
    } else {
        rc = parse(m, argc, argv, &verb);
        rc = rc ? rc : verb->run(m);
    }
    alloc_free(m);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        rc = rc ? rc : EXIT_CODE_FAILURE;
    }
    return rc;
}
