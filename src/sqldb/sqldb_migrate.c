/* SPDX-License-Identifier: PostgreSQL */
/*
 * sqldb_migrate.c: applies numbered SQL files once each, in order, and remembers what it did.
 *
 * The plan (files of this dialect, matched with the bookkeeping rows) is made and checked first;
 * only then is anything changed.
 * Invariants: see the header. Threads: one.
 */
#include "sqldb/sqldb_migrate.h"

#include "base/num.h"
#include "base/text.h"
#include "os/clock.h"
#include "os/file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define STEPS_MAX  256
#define NUMBER_MAX 9999
#define HASH_BYTES 32
#define HASH_TEXT  (2 * HASH_BYTES + 1)

#define SCHEMA_NAME_MAX 256 /* PostgreSQL names have 63 bytes */

struct step {
    const struct embed_file *file;
    int number;
    char hash[HASH_TEXT];
    int64_t applied_ms;
};

struct plan {
    struct step steps[STEPS_MAX];
    int count;
    int applied;
};

static enum err_code add_file(struct plan *p, const struct sqldb_migrate_set *set,
                              const struct embed_file *file, struct err *e)
{
    unsigned char digest[HASH_BYTES];
    uint64_t number = 0;

    if (p->count == STEPS_MAX) {
        return err_set(e, ERR_LIMIT, "more than %d migrations", STEPS_MAX);
    }
    int last = p->count ? p->steps[p->count - 1].number : 0;
    if (num_parse_u64(str_make(file->name, 4), NUMBER_MAX, &number, NULL) ||
        number <= (uint64_t)last) {
        return err_set(e, ERR_BUG, "migration %s: a number above %04d was expected", file->name,
                       last);
    }
    enum err_code code = set->hash(file->data, file->len, digest);
    if (code) {
        return err_set(e, code, "migration %s: no hash", file->name);
    }
    struct step *s = &p->steps[p->count++];
    s->file = file;
    s->number = (int)number;
    s->applied_ms = 0;
    text_hex(digest, sizeof(digest), s->hash);
    return ERR_OK;
}

static enum err_code list_files(struct plan *p, const struct sqldb *db,
                                const struct sqldb_migrate_set *set, struct err *e)
{
    struct str ending = sqldb_dialect_of(db) == SQLDB_SQLITE ? STR(".sqlite.sql") : STR(".pg.sql");
    for (size_t i = 0; i < set->count; i++) {
        if (!str_ends(str_of(set->files[i].name), ending)) {
            continue;
        }
        enum err_code code = add_file(p, set, &set->files[i], e);
        if (code) {
            return code;
        }
    }
    return ERR_OK;
}

static enum err_code has_table(struct sqldb *db, bool *found, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(db, "schema_migration_exists", SQLDB_NO_ARGS, &s, e);
    if (code) {
        return code;
    }
    *found = sqldb_get_i64(s, sqldb_column(s, "found")) > 0;
    sqldb_end(s);
    return ERR_OK;
}

/* One bookkeeping row against its file. */
static enum err_code match_row(struct plan *p, struct sqldb_stmt *s, struct err *e)
{
    int64_t number = sqldb_get_i64(s, 0);
    int last = p->count ? p->steps[p->count - 1].number : 0;
    if (number > last) {
        return err_set(e, ERR_UNSUPPORTED,
                       "the database has migration %d, this program knows %d: it is older",
                       (int)number, last);
    }
    if (p->applied == p->count) {
        return err_set(e, ERR_CORRUPT, "migration %d is recorded twice", (int)number);
    }
    struct step *step = &p->steps[p->applied++];
    if (number < step->number) {
        return err_set(e, ERR_CORRUPT, "migration %d is unknown to this program", (int)number);
    }
    if (number > step->number) {
        return err_set(e, ERR_CORRUPT, "migration %d is not recorded", step->number);
    }
    if (!str_eq_c(sqldb_get_text(s, 2), step->hash)) {
        return err_set(e, ERR_CORRUPT, "migration %s is not the one that was applied",
                       step->file->name);
    }
    step->applied_ms = sqldb_get_i64(s, 3);
    return ERR_OK;
}

static enum err_code make_plan(struct plan *p, struct sqldb *db,
                               const struct sqldb_migrate_set *set, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = false;

    p->count = p->applied = 0;
    enum err_code code = list_files(p, db, set, e);
    if (code == ERR_OK) {
        code = has_table(db, &row, e);
    }
    if (code || !row) {
        return code;
    }
    code = sqldb_query(db, "schema_migration_list", SQLDB_NO_ARGS, &s, e);
    while (code == ERR_OK && row) {
        code = sqldb_step(s, &row, e);
        if (code == ERR_OK && row) {
            code = match_row(p, s, e);
        }
    }
    sqldb_end(s);
    return code;
}

enum err_code sqldb_migrate_status(struct sqldb *db, const struct sqldb_migrate_set *set,
                                   void (*visit)(void *arg, const struct sqldb_migrate_step *step),
                                   void *arg, struct err *e)
{
    struct plan p;
    enum err_code code = make_plan(&p, db, set, e);

    for (int i = 0; code == ERR_OK && i < p.count; i++) {
        struct sqldb_migrate_step step = {p.steps[i].number, p.steps[i].file->name,
                                          p.steps[i].applied_ms};
        visit(arg, &step);
    }
    return code;
}

static enum err_code apply_step(struct sqldb *db, const struct step *step, struct err *e)
{
    enum err_code code = sqldb_script(db, (const char *)step->file->data, e);
    if (code == ERR_OK) {
        code = sqldb_run(db, "schema_migration_insert",
                         SQLDB_ARGS(sqldb_i64(step->number), sqldb_text_c(step->file->name),
                                    sqldb_text_c(step->hash), sqldb_i64(clock_wall_ms())),
                         e);
    }
    if (code) {
        (void)err_wrap(e, "migration %s", step->file->name);
    }
    return code;
}

static enum err_code back_up(struct sqldb *db, const struct sqldb_migrate_set *set,
                             const struct plan *p, struct err *e)
{
    char path[PATH_MAX];

    if (!set->backup_of || p->applied == 0 || sqldb_dialect_of(db) != SQLDB_SQLITE) {
        return ERR_OK;
    }
    (void)snprintf(path, sizeof(path), "%s.before-%04d", set->backup_of,
                   p->steps[p->applied].number);
    enum err_code code = file_remove(path, e); /* of an attempt that failed */
    if (code == ERR_OK) {
        code = sqldb_copy_to(db, path, e);
    }
    if (code) {
        (void)err_wrap(e, "backup before migration");
    }
    return code;
}

/*
 * Take the write lock, look again what is pending (another process may have been faster), and apply
 * the first of it; *did = false when there was nothing.
 */
static enum err_code apply_next(struct sqldb *db, const struct sqldb_migrate_set *set, bool *did,
                                struct err *e)
{
    struct plan p;
    enum err_code code = sqldb_begin(db, e);

    if (code) {
        return code;
    }
    code = make_plan(&p, db, set, e);
    *did = code == ERR_OK && p.applied < p.count;
    if (*did && p.applied == 0) {
        code = sqldb_run(db, "schema_migration_table", SQLDB_NO_ARGS, e);
    }
    if (*did && code == ERR_OK) {
        code = apply_step(db, &p.steps[p.applied], e);
    }
    if (!*did || code) {
        sqldb_rollback(db);
        return code;
    }
    return sqldb_commit(db, e);
}

enum err_code sqldb_migrate_up(struct sqldb *db, const struct sqldb_migrate_set *set, int *applied,
                               struct err *e)
{
    struct plan p;
    enum err_code code = make_plan(&p, db, set, e);

    if (applied) {
        *applied = 0;
    }
    if (code || p.applied == p.count) {
        return code;
    }
    code = back_up(db, set, &p, e);
    for (bool did = true; code == ERR_OK && did;) {
        code = apply_next(db, set, &did, e);
        if (code == ERR_OK && did && applied) {
            (*applied)++;
        }
    }
    return code;
}

enum err_code sqldb_migrate_dry_run(struct sqldb *db, const struct sqldb_migrate_set *set,
                                    int *pending, struct err *e)
{
    struct plan p;
    enum err_code code = make_plan(&p, db, set, e);

    if (code) {
        return code;
    }
    *pending = p.count - p.applied;
    code = sqldb_begin(db, e);
    if (code == ERR_OK) {
        code = sqldb_run(db, "schema_migration_table", SQLDB_NO_ARGS, e);
    }
    for (int i = p.applied; code == ERR_OK && i < p.count; i++) {
        code = apply_step(db, &p.steps[i], e);
    }
    sqldb_rollback(db);
    return code;
}

/* Make the tables of the applied files once more, as temporary ones. */
static enum err_code make_expected(struct sqldb *db, const struct plan *p, struct err *e)
{
    enum err_code code = sqldb_script(db, "SET LOCAL search_path = pg_temp", e);

    if (code == ERR_OK) {
        code = sqldb_run(db, "schema_migration_table", SQLDB_NO_ARGS, e);
    }
    for (int i = 0; code == ERR_OK && i < p->applied; i++) {
        code = sqldb_script(db, (const char *)p->steps[i].file->data, e);
    }
    return code;
}

static enum err_code schema_name(struct sqldb *db, char *out, size_t size, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(db, "schema_name", SQLDB_NO_ARGS, &s, e);

    if (code == ERR_OK) {
        (void)snprintf(out, size, "%.*s", STR_ARG(sqldb_get_text(s, 0)));
    }
    sqldb_end(s);
    return code;
}

static enum err_code compare(struct sqldb *db, const struct plan *p,
                             const struct sqldb_migrate_findings *to, struct err *e)
{
    char name[SCHEMA_NAME_MAX];
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = schema_name(db, name, sizeof(name), e);

    code = code ? code : make_expected(db, p, e);
    if (code == ERR_OK) {
        code = sqldb_query(db, "schema_difference", SQLDB_ARGS(sqldb_text_c(name)), &s, e);
    }
    while (code == ERR_OK && row) {
        code = sqldb_step(s, &row, e);
        if (code == ERR_OK && row) {
            to->finding(to->arg, sqldb_get_text(s, 0));
        }
    }
    sqldb_end(s);
    return code;
}

enum err_code sqldb_migrate_check(struct sqldb *db, const struct sqldb_migrate_set *set,
                                  const struct sqldb_migrate_findings *to, struct err *e)
{
    struct plan p;

    if (sqldb_dialect_of(db) != SQLDB_PG) {
        return err_set(e, ERR_UNSUPPORTED, "no comparison of tables in this dialect");
    }
    enum err_code code = sqldb_begin(db, e);
    if (code) {
        return code;
    }
    code = make_plan(&p, db, set, e);
    if (code == ERR_OK && p.applied > 0) {
        code = compare(db, &p, to, e);
    }
    sqldb_rollback(db);
    return code;
}
