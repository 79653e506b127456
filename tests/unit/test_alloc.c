/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_alloc.c: blocks of every size keep their bytes while they grow and shrink, also when threads
 * give back what others took.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "memory_scan.h"

#define BLOCKS 64
#define ROUNDS 2000

static _Atomic(unsigned char *) shared[BLOCKS];

static size_t next_size(uint64_t *s)
{
    *s = *s * 6364136223846793005ULL + 1442695040888963407ULL;
    size_t power = 4 + (size_t)(*s >> 60) + ((*s >> 59) & 1) * 4; /* 16 B to 8 MB */
    return ((size_t)1 << power) + (size_t)((*s >> 33) & 0xff) - 8;
}

static void mark(unsigned char *p, size_t size)
{
    memcpy(p, &size, sizeof(size));
    p[sizeof(size)] = (unsigned char)size;
    p[size - 1] = (unsigned char)~size;
}

static size_t check(const unsigned char *p)
{
    size_t size;

    memcpy(&size, p, sizeof(size));
    assert_int_equal(p[size - 1], (unsigned char)~size);
    return size;
}

static void *work(void *arg)
{
    uint64_t s = (uint64_t)(uintptr_t)arg;

    for (int i = 0; i < ROUNDS; i++) {
        size_t size = next_size(&s) + 16, at = (size_t)(s >> 20) % BLOCKS;
        unsigned char *p = alloc_resize(NULL, size);
        mark(p, size);
        p = atomic_exchange(&shared[at], p);
        if (p && i % 3 == 0) {
            size_t old = check(p), more = next_size(&s) + 16;
            p = alloc_resize(p, more);
            if (more >= old) {
                check(p);
            }
        }
        alloc_free(p);
    }
    return NULL;
}

static void test_blocks_keep_their_bytes_across_threads(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (uintptr_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(i + 1)), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        unsigned char *p = atomic_exchange(&shared[i], NULL);
        if (p) {
            check(p);
        }
        alloc_free(p);
    }
}

static void test_a_block_grows_and_shrinks(void **state)
{
    (void)state;
    unsigned char *p = alloc_resize(NULL, 100);
    memset(p, 7, 100);
    for (size_t size = 100; size < (16 << 20); size = size * 3 / 2) {
        p = alloc_resize(p, size);
        p[size - 1] = 7;
        for (size_t i = 0; i < 100; i++) {
            assert_int_equal(p[i], 7);
        }
    }
    for (size_t size = 16 << 20; size > 100; size /= 3) {
        p = alloc_resize(p, size);
        assert_int_equal(p[99], 7);
    }
    p = alloc_resize(p, 0);
    alloc_free(p);
}

static void test_what_is_new_is_zero_although_it_was_used(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        unsigned char *p = alloc_new(50000);
        for (size_t k = 0; k < 50000; k++) {
            assert_int_equal(p[k], 0);
        }
        memset(p, 255, 50000);
        alloc_free(p);
    }
}

/* --- K5 --- */

static const unsigned char masked[] = {
    'p' ^ MEMORY_SCAN_MASK, 'l' ^ MEMORY_SCAN_MASK, 'a' ^ MEMORY_SCAN_MASK, 'n' ^ MEMORY_SCAN_MASK,
    't' ^ MEMORY_SCAN_MASK, '-' ^ MEMORY_SCAN_MASK, 'm' ^ MEMORY_SCAN_MASK, 'e' ^ MEMORY_SCAN_MASK,
    '-' ^ MEMORY_SCAN_MASK, 'n' ^ MEMORY_SCAN_MASK, 'o' ^ MEMORY_SCAN_MASK, 'w' ^ MEMORY_SCAN_MASK,
};

static size_t copies(void)
{
    return memory_scan_count(masked, sizeof(masked));
}

/* The secret as JSON, in buffers that grow, an arena and a document, as a request has it. */
static void pass_through(void)
{
    const struct json_limits limits = {.max_bytes = 65536, .max_depth = 4};
    char plain[sizeof(masked) + 1] = "";
    struct json_doc *doc = NULL;
    struct arena a;
    struct buf b;

    for (size_t i = 0; i < sizeof(masked); i++)
        plain[i] = (char)(masked[i] ^ MEMORY_SCAN_MASK);
    arena_init(&a, "test", 65536);
    buf_init(&b, 65536);
    buf_add_c(&b, "{\"password\":\"");
    buf_add_c(&b, plain);
    buf_add_c(&b, "\",\"pad\":\"");
    for (int i = 0; i < 5000; i++)
        buf_add_char(&b, 'x'); /* it moves from block to block */
    buf_add_c(&b, "\"}");
    assert_int_equal(json_parse(buf_view(&b), &limits, &doc, NULL), ERR_OK);
    (void)arena_str(&a, json_str(json_get(json_root(doc), "password")));
    explicit_bzero(plain, sizeof(plain));
    assert_true(copies() >= 3);
    json_doc_free(doc);
    arena_fini(&a);
    buf_fini(&b);
}

static void k5_what_a_request_gives_back_is_wiped(void **state)
{
    (void)state;
    alloc_wipe_begin();
    alloc_wipe_begin();
    alloc_wipe_end(); /* nested */
    pass_through();
    alloc_wipe_end();
    assert_int_equal(copies(), 0);
    pass_through(); /* and the search finds what was not wiped */
    assert_true(copies() > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_keep_their_bytes_across_threads),
        cmocka_unit_test(test_a_block_grows_and_shrinks),
        cmocka_unit_test(test_what_is_new_is_zero_although_it_was_used),
        cmocka_unit_test(k5_what_a_request_gives_back_is_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
