/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_store_seal.c: secrets at rest, on either dialect: which keys a server starts with (K2, K4),
 * what a sealed field is bound to (K1), and what is left of it in memory (K5).
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/text.h"
#include "memory_scan.h"
#include "os/entropy.h"
#include "os/file.h"
#include "os/locked.h"
#include "store/store_audit.h"
#include "store/store_seal.h"
#include "store/store_setting.h"
#include "store_fixture.h"
#include "tls/crypto.h"

static enum sqldb_dialect dialect;
static struct store_fixture f;
static struct store_key_source source;
static char key_path[128], next_path[144];
static struct store_seal_ctx *seal;
static struct err e;

#define OTHER_KEY                      \
    "00000000000000000000000000000000" \
    "00000000000000000000000000000000\n"

static int begin(void **state)
{
    (void)state;
    store_fixture_begin(&f, dialect);
    snprintf(key_path, sizeof(key_path), "%s/keys/master.key", f.at.dir);
    snprintf(next_path, sizeof(next_path), "%s.next", key_path);
    source = (struct store_key_source){STORE_KEY_FILE, key_path};
    seal = NULL;
    return 0;
}

static int end(void **state)
{
    (void)state;
    store_seal_close(seal);
    store_fixture_end(&f);
    return 0;
}

static enum err_code open_keys(void)
{
    store_seal_close(seal);
    seal = NULL;
    return store_seal_open(f.store, &source, &seal, &e);
}

static void write_secret(const char *path, const char *text)
{
    char dir[128];

    snprintf(dir, sizeof(dir), "%s/keys", f.at.dir);
    assert_int_equal(file_make_dirs(dir, 0700, &e), ERR_OK);
    assert_int_equal(file_write_atomic(path, str_of(text), 0600, &e), ERR_OK);
}

static struct store_seal_place root(const char *row)
{
    return (struct store_seal_place){STORE_SEAL_ROOT, "root_key", "sealed", row};
}

static enum err_code seal_at(const char *row, struct str plain, struct buf *out)
{
    struct store_seal_place place = root(row);
    struct sqldb *db;

    assert_int_equal(store_begin(f.store, &db, &e), ERR_OK);
    return store_end(f.store, store_seal(seal, &place, plain, out, &e), &e);
}

static enum err_code open_at(const char *row, struct str sealed, struct buf *out)
{
    struct store_seal_place place = root(row);

    buf_reset(out);
    return store_unseal(seal, &place, sealed, out, &e);
}

/* --- the master key --- */

static void the_key_is_made_once_and_kept(void **state)
{
    struct store_keys first;
    struct stat st;

    (void)state;
    assert_int_equal(open_keys(), ERR_OK);
    assert_int_equal(stat(key_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    first = *store_seal_keys(seal);
    assert_memory_not_equal(first.people, first.agents, STORE_KEY_BYTES);
    assert_int_equal(open_keys(), ERR_OK);
    assert_memory_equal(&first, store_seal_keys(seal), sizeof(first));
    assert_true(locked_is_locked());
}

static void a_used_store_gets_no_new_key(void **state)
{
    static const struct store_actor who = {"user:test", "", ""};

    (void)state;
    /* somebody has worked with it, and no key was ever known */
    assert_int_equal(
        store_audit_note(f.store, &who, (struct store_audit_entry){"test", "", ""}, &e), ERR_OK);
    assert_int_equal(open_keys(), ERR_DENIED);
    assert_int_equal(access(key_path, F_OK), -1);
    write_secret(key_path, OTHER_KEY); /* nor is any key taken on */
    assert_int_equal(open_keys(), ERR_DENIED);
}

static void a_missing_or_wrong_key_is_refused(void **state)
{
    (void)state;
    assert_int_equal(open_keys(), ERR_OK);
    assert_int_equal(file_remove(key_path, &e), ERR_OK);
    assert_int_equal(open_keys(), ERR_DENIED);
    assert_non_null(strstr(e.text, "restore it"));
    assert_int_equal(access(key_path, F_OK), -1);
    write_secret(key_path, OTHER_KEY);
    assert_int_equal(open_keys(), ERR_DENIED);
    assert_non_null(strstr(e.text, "not the master key of this store"));
    write_secret(key_path, "00ff\n");
    assert_int_equal(open_keys(), ERR_DENIED);
}

static void a_key_that_others_may_read_is_refused(void **state)
{
    char moved[160];

    (void)state;
    assert_int_equal(open_keys(), ERR_OK);
    for (mode_t bit = 04; bit <= 040; bit <<= 1) { /* others r, group x, w, r */
        assert_int_equal(chmod(key_path, 0600 | bit), 0);
        assert_int_equal(open_keys(), ERR_DENIED);
    }
    assert_int_equal(chmod(key_path, 0600), 0);
    assert_int_equal(open_keys(), ERR_OK);
    snprintf(moved, sizeof(moved), "%s.elsewhere", key_path);
    assert_int_equal(rename(key_path, moved), 0);
    assert_int_equal(symlink(moved, key_path), 0);
    assert_int_equal(open_keys(), ERR_DENIED);
    assert_non_null(strstr(e.text, "symbolic link"));
    assert_int_equal(rename(moved, key_path), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(key_path, 12345, 12345), 0);
        assert_int_equal(open_keys(), ERR_DENIED);
    }
}

static void every_source_gives_the_key_again(void **state)
{
    static const char hex[] = "5f00000000000000000000000000000000000000000000000000000000000001";
    struct store_keys first;

    (void)state;
    source.kind = STORE_KEY_CREDENTIAL;
    assert_int_equal(open_keys(), ERR_DENIED); /* it is not there, and is never made */
    write_secret(key_path, hex);
    assert_int_equal(open_keys(), ERR_OK);
    first = *store_seal_keys(seal);
    source.kind = STORE_KEY_FILE; /* the same key, kept elsewhere */
    assert_int_equal(open_keys(), ERR_OK);
    assert_memory_equal(&first, store_seal_keys(seal), sizeof(first));
}

/* Cheap parameters, as a store may have them. */
static void put_cost(const char *text)
{
    struct sqldb *db;

    assert_int_equal(store_begin(f.store, &db, &e), ERR_OK);
    assert_int_equal(store_end(f.store, store_setting_put(db, "key_passphrase", text, &e), &e),
                     ERR_OK);
}

#define SALT "salt=000102030405060708090a0b0c0d0e0f"

static void a_passphrase_gives_the_key(void **state)
{
    struct store_keys first;

    (void)state;
    put_cost("m=8192,t=1,p=1," SALT);
    source.kind = STORE_KEY_PASSPHRASE;
    assert_int_equal(open_keys(), ERR_DENIED);
    write_secret(key_path, "too short\n");
    assert_int_equal(open_keys(), ERR_DENIED);
    write_secret(key_path, "correct horse battery staple\n");
    assert_int_equal(open_keys(), ERR_OK);
    first = *store_seal_keys(seal);
    assert_int_equal(open_keys(), ERR_OK);
    assert_memory_equal(&first, store_seal_keys(seal), sizeof(first));
    write_secret(key_path, "correct horse battery stable\n");
    assert_int_equal(open_keys(), ERR_DENIED);
    write_secret(key_path, "correct horse battery staple\n");
    put_cost("m=4294967295,t=1,p=1," SALT);
    assert_int_equal(open_keys(), ERR_CORRUPT);
    put_cost("m=8192,t=1,p=1,salt=00");
    assert_int_equal(open_keys(), ERR_CORRUPT);
}

static void a_store_of_before_keeps_its_tokens(void **state)
{
    unsigned char master[STORE_KEY_BYTES], people[STORE_KEY_BYTES];
    struct buf text;

    (void)state;
    assert_int_equal(open_keys(), ERR_OK);
    store_fixture_script(&f, "DELETE FROM data_key; DELETE FROM root_key");
    assert_int_equal(open_keys(), ERR_OK);
    buf_init(&text, 256);
    assert_int_equal(file_read_all(key_path, &text, &e), ERR_OK);
    assert_true(text_unhex(buf_view(&text), master, sizeof(master)));
    buf_fini(&text);
    store_key_derive(master, "people tokens", people);
    assert_memory_equal(people, store_seal_keys(seal)->people, sizeof(people));
}

static void a_rotation_that_was_cut_is_finished(void **state)
{
    struct store_key *next = calloc(1, sizeof(*next));
    struct store_key_source spare = {STORE_KEY_FILE, key_path};
    char old[160];

    (void)state;
    assert_int_equal(open_keys(), ERR_OK);
    /* cut before its commit: what follows is no key of ours */
    assert_int_equal(store_key_next(&spare, next, &e), ERR_OK);
    assert_int_equal(open_keys(), ERR_OK);
    assert_int_equal(access(next_path, F_OK), 0);
    /* cut after it: the store's key is the one that follows */
    snprintf(old, sizeof(old), "%s.old", key_path);
    assert_int_equal(rename(key_path, next_path), 0);
    write_secret(key_path, OTHER_KEY);
    source.kind = STORE_KEY_CREDENTIAL;
    assert_int_equal(open_keys(), ERR_OK);
    assert_true(store_seal_by_next(seal)); /* the operator puts it in place */
    assert_int_equal(access(next_path, F_OK), 0);
    source.kind = STORE_KEY_FILE;
    assert_int_equal(open_keys(), ERR_OK);
    assert_false(store_seal_by_next(seal));
    assert_int_equal(access(next_path, F_OK), -1);
    assert_int_equal(open_keys(), ERR_OK);
    free(next);
}

/* --- fields --- */

static void a_field_opens_at_its_place_alone(void **state)
{
    struct buf one, two, plain;

    (void)state;
    assert_int_equal(open_keys(), ERR_OK);
    buf_init(&one, 4096);
    buf_init(&two, 4096);
    buf_init(&plain, 4096);
    assert_int_equal(seal_at("one", STR("first secret"), &one), ERR_OK);
    assert_int_equal(seal_at("two", STR("other secret"), &two), ERR_OK);
    assert_int_equal(one.len, STORE_SEAL_OVERHEAD + 12);
    assert_int_equal(store_seal_generation(buf_view(&one)), 1);
    assert_int_equal(open_at("one", buf_view(&one), &plain), ERR_OK);
    assert_string_equal(plain.ptr, "first secret");
    assert_int_equal(open_at("one", buf_view(&two), &plain), ERR_CORRUPT); /* swapped */
    assert_int_equal(open_at("two", buf_view(&one), &plain), ERR_CORRUPT);
    assert_int_equal(plain.len, 0);
    assert_null(strstr(e.text, "secret"));
    for (size_t i = 0; i < one.len; i++) {
        one.ptr[i] ^= 1;
        assert_int_equal(open_at("one", buf_view(&one), &plain), ERR_CORRUPT);
        one.ptr[i] ^= 1;
        assert_int_equal(open_at("one", str_make(one.ptr, i), &plain), ERR_CORRUPT);
    }
    buf_fini(&one);
    buf_fini(&two);
    buf_fini(&plain);
}

static void a_row_of_another_store_does_not_open(void **state)
{
    struct store_key_source mine = source;
    struct store_fixture other = f;
    struct buf sealed, plain;

    (void)state;
    buf_init(&sealed, 4096);
    buf_init(&plain, 4096);
    assert_int_equal(open_keys(), ERR_OK);
    assert_int_equal(seal_at("one", STR("secret"), &sealed), ERR_OK);
    store_fixture_begin(&f, dialect);
    assert_int_equal(file_remove(key_path, &e), ERR_OK);
    assert_int_equal(open_keys(), ERR_OK); /* keys of its own */
    assert_int_equal(open_at("one", buf_view(&sealed), &plain), ERR_CORRUPT);
    store_seal_close(seal);
    seal = NULL;
    store_fixture_end(&f);
    f = other;
    source = mine;
    buf_fini(&sealed);
    buf_fini(&plain);
}

static void bounds_are_kept(void **state)
{
    char row[STORE_SEAL_ROW_MAX + 2], *large = calloc(1, STORE_SEAL_PLAIN_MAX + 1);
    struct buf sealed;

    (void)state;
    assert_int_equal(open_keys(), ERR_OK);
    buf_init(&sealed, 2 * STORE_SEAL_PLAIN_MAX);
    memset(row, 'r', sizeof(row));
    row[STORE_SEAL_ROW_MAX + 1] = '\0';
    assert_int_equal(seal_at(row, STR("x"), &sealed), ERR_LIMIT);
    row[STORE_SEAL_ROW_MAX] = '\0';
    assert_int_equal(seal_at(row, STR("x"), &sealed), ERR_OK);
    assert_int_equal(seal_at("one", str_make(large, STORE_SEAL_PLAIN_MAX + 1), &sealed), ERR_LIMIT);
    assert_int_equal(seal_at("one", str_make(large, STORE_SEAL_PLAIN_MAX), &sealed), ERR_OK);
    store_fixture_script(&f, "UPDATE data_key SET sealed = 536870912");
    assert_int_equal(seal_at("one", STR("x"), &sealed), ERR_LIMIT);
    buf_fini(&sealed);
    free(large);
}

static void another_server_of_the_store_reads_along(void **state)
{
    struct store_seal_ctx *second = NULL;
    struct store_seal_place place = root("one");
    struct buf sealed, plain;

    (void)state;
    assert_int_equal(open_keys(), ERR_OK);
    assert_int_equal(store_seal_open(f.store, &source, &second, &e), ERR_OK);
    buf_init(&sealed, 4096);
    buf_init(&plain, 4096);
    assert_int_equal(seal_at("one", STR("secret"), &sealed), ERR_OK);
    assert_int_equal(store_unseal(second, &place, buf_view(&sealed), &plain, &e), ERR_OK);
    assert_string_equal(plain.ptr, "secret");
    store_seal_close(second);
    buf_fini(&sealed);
    buf_fini(&plain);
}

/* --- what is left in memory --- */

#define PLANTED     20
#define PLANTED_LEN 32

static unsigned char planted[PLANTED][PLANTED_LEN]; /* masked */

static void unmask(const unsigned char *masked, char *out)
{
    for (size_t i = 0; i < PLANTED_LEN; i++)
        out[i] = (char)(masked[i] ^ MEMORY_SCAN_MASK);
}

static void use_secret(const unsigned char *masked)
{
    char text[PLANTED_LEN];
    struct buf sealed, plain;

    buf_init(&sealed, 4096);
    buf_init(&plain, 4096);
    unmask(masked, text);
    assert_int_equal(seal_at("one", str_make(text, sizeof(text)), &sealed), ERR_OK);
    assert_int_equal(open_at("one", buf_view(&sealed), &plain), ERR_OK);
    assert_memory_equal(plain.ptr, text, sizeof(text));
    crypto_wipe(text, sizeof(text));
    crypto_wipe(plain.ptr, plain.len);
    buf_fini(&plain);
    buf_fini(&sealed);
}

/* The key file, masked; read so that no plain copy stays. */
static void mask_key_file(unsigned char *out, size_t len)
{
    FILE *file = fopen(key_path, "r");
    char one[2];

    assert_non_null(file);
    setvbuf(file, NULL, _IONBF, 0);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(fread(one, 1, 1, file), 1);
        out[i] = (unsigned char)(one[0] ^ MEMORY_SCAN_MASK);
    }
    fclose(file);
}

static unsigned char half(unsigned char masked)
{
    char c = (char)(masked ^ MEMORY_SCAN_MASK);

    return (unsigned char)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

/* Memory that is given back stays as it is, so that nothing is covered up by its next use. */
static void *kept[65536];
static size_t kept_count;

static void keep(void *ptr)
{
    if (ptr != NULL && kept_count < sizeof(kept) / sizeof(kept[0]))
        kept[kept_count++] = ptr;
}

static void *keep_old(void *old, size_t size)
{
    void *made = malloc(size > 0 ? size : 1);

    if (old != NULL && made != NULL) {
        size_t had = malloc_usable_size(old);

        memcpy(made, old, had < size ? had : size);
        keep(old);
    }
    return made;
}

static void forget_kept(void)
{
    while (kept_count > 0)
        free(kept[--kept_count]);
}

static void memory_holds_the_live_key_alone(void **state)
{
    static const struct alloc_ops keeping = {.resize = keep_old, .release = keep};
    const struct alloc_ops *usual = alloc_ops_set(&keeping);
    unsigned char text[2 * STORE_KEY_BYTES], key[STORE_KEY_BYTES];

    (void)state;
    assert_int_equal(open_keys(), ERR_OK);
    assert_int_equal(open_keys(), ERR_OK); /* also from the file */
    entropy_fill(planted, sizeof(planted));
    for (size_t i = 0; i < PLANTED; i++)
        use_secret(planted[i]);
    for (size_t i = 0; i < PLANTED; i++)
        assert_int_equal(memory_scan_count(planted[i], 16), 0);
    mask_key_file(text, sizeof(text));
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = (unsigned char)(half(text[2 * i]) << 4 | half(text[2 * i + 1])) ^ MEMORY_SCAN_MASK;
    assert_int_equal(memory_scan_count(text, 16), 0); /* its text */
    assert_int_equal(memory_scan_count(key, 16), 1);  /* the live slot */
    store_seal_close(seal);
    seal = NULL;
    assert_int_equal(memory_scan_count(key, 16), 0);
    (void)alloc_ops_set(usual);
    forget_kept();
}

static void the_search_finds_what_is_there(void **state)
{
    unsigned char masked[16], *plain = malloc(sizeof(masked));

    (void)state;
    entropy_fill(masked, sizeof(masked));
    for (size_t i = 0; i < sizeof(masked); i++)
        plain[i] = masked[i] ^ MEMORY_SCAN_MASK;
    assert_int_equal(memory_scan_count(masked, sizeof(masked)), 1);
    crypto_wipe(plain, sizeof(masked));
    assert_int_equal(memory_scan_count(masked, sizeof(masked)), 0);
    free(plain);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_key_is_made_once_and_kept),
        CASE(a_used_store_gets_no_new_key),
        CASE(a_missing_or_wrong_key_is_refused),
        CASE(a_key_that_others_may_read_is_refused),
        CASE(every_source_gives_the_key_again),
        CASE(a_passphrase_gives_the_key),
        CASE(a_store_of_before_keeps_its_tokens),
        CASE(a_rotation_that_was_cut_is_finished),
        CASE(a_field_opens_at_its_place_alone),
        CASE(a_row_of_another_store_does_not_open),
        CASE(bounds_are_kept),
        CASE(another_server_of_the_store_reads_along),
        CASE(the_search_finds_what_is_there),
        CASE(memory_holds_the_live_key_alone),
    };
    int failed;

    if (crypto_init(&e) != ERR_OK)
        return 1;
    failed = cmocka_run_group_tests_name("seal on SQLite", tests, NULL, NULL);
    if (dialect_fixture_has_pg()) {
        dialect = SQLDB_PG;
        failed += cmocka_run_group_tests_name("seal on PostgreSQL", tests, NULL, NULL);
    }
    return failed;
}
