/* SPDX-License-Identifier: PostgreSQL */
/*
 * power.c: see the header.
 *
 * Shared memory of SQLite (-shm) is no part of the disk's truth: it is made anew after a crash.
 */
#include "power.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDS    4096
#define NODES  512
#define SECTOR 512

enum op_kind {
    OP_WRITE,
    OP_TRUNCATE,
    OP_SYNC,
    OP_MAKE,
    OP_RENAME,
    OP_REMOVE,
    OP_SYNC_DIR,
    OP_TOLD
};

struct op {
    enum op_kind kind;
    int node;
    size_t at, len;
    unsigned char *data; /* of a write */
    char *path, *to;     /* below the folder */
    bool acknowledged;   /* of OP_TOLD; the number is `at` */
};

/* A file, whatever it is called. */
struct node {
    unsigned char *bytes; /* what is synced */
    size_t len, cap;
    size_t *pending; /* numbers of the writes since */
    size_t pending_count, pending_cap;
};

struct name {
    char *path;
    int node;
};

static struct {
    pthread_mutex_t lock;
    bool recording, trusting;
    char dir[256];
    struct op *ops;
    size_t count, cap;
    int node_of[FDS];         /* +1 */
    char *dir_of[FDS];        /* of an open folder */
    struct name names[NODES]; /* as the program sees them */
    size_t name_count;
    int node_count;
    /* the disk, at the moment that was reached */
    size_t reached;
    struct node nodes[NODES];
    struct name durable[NODES];
    size_t durable_count;
    size_t *names_pending; /* ops on names that no sync of their folder covers */
    size_t names_pending_count, names_pending_cap;
    struct power_note note;
} power = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *grown(void *list, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) {
        return list;
    }
    *cap = *cap ? *cap * 2 : 64;
    list = realloc(list, *cap * size);
    if (!list) {
        abort();
    }
    return list;
}

/* --- recording --- */

static struct op *note(enum op_kind kind)
{
    power.ops = grown(power.ops, power.count, &power.cap, sizeof(*power.ops));
    power.ops[power.count] = (struct op){.kind = kind};
    return &power.ops[power.count++];
}

/* The path below the folder, or NULL when it is none of ours. */
static const char *own_path(const char *path)
{
    size_t n = strlen(power.dir), len = strlen(path);

    if (!power.recording || strncmp(path, power.dir, n) != 0 ||
        (path[n] != '/' && path[n] != '\0') || (len > 4 && strcmp(path + len - 4, "-shm") == 0)) {
        return NULL;
    }
    return path[n] ? path + n + 1 : path + n;
}

static int find_name(const struct name *names, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i].path, path) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void drop_name(struct name *names, size_t *count, int at)
{
    if (at >= 0) {
        free(names[at].path);
        names[at] = names[--*count];
    }
}

static void put_name(struct name *names, size_t *count, const char *path, int node)
{
    drop_name(names, count, find_name(names, *count, path));
    if (*count == NODES) {
        abort();
    }
    names[(*count)++] = (struct name){strdup(path), node};
}

/* closedir does not come by our close: a number may be taken again without it. */
static void forget_fd(int fd)
{
    if (fd >= 0 && fd < FDS) {
        power.node_of[fd] = 0;
        free(power.dir_of[fd]);
        power.dir_of[fd] = NULL;
    }
}

static void note_open(const char *path, int fd, bool created)
{
    struct stat st;
    int at;

    if (fd < 0 || fd >= FDS) {
        return;
    }
    if (syscall(SYS_fstat, fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        power.dir_of[fd] = strdup(path);
        return;
    }
    at = find_name(power.names, power.name_count, path);
    if (at < 0 || created) {
        if (power.node_count == NODES) {
            abort();
        }
        put_name(power.names, &power.name_count, path, power.node_count);
        struct op *op = note(OP_MAKE);
        op->node = power.node_count++;
        op->path = strdup(path);
        at = find_name(power.names, power.name_count, path);
    }
    power.node_of[fd] = power.names[at].node + 1;
}

static int do_open(const char *path, int flags, mode_t mode)
{
    pthread_mutex_lock(&power.lock);
    const char *own = own_path(path);
    bool was = own && access(path, F_OK) == 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    forget_fd(fd);
    if (own) {
        note_open(own, fd, (flags & O_CREAT) && !was);
    }
    pthread_mutex_unlock(&power.lock);
    return fd;
}

int open(const char *path, int flags, ...);
int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    return do_open(path, flags, mode);
}

int open64(const char *path, int flags, ...);
int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    return do_open(path, flags, mode);
}

int close(int fd)
{
    pthread_mutex_lock(&power.lock);
    forget_fd(fd);
    int rc = (int)syscall(SYS_close, fd);
    pthread_mutex_unlock(&power.lock);
    return rc;
}

static bool is_noted(int fd)
{
    return power.recording && fd >= 0 && fd < FDS && power.node_of[fd];
}

static void note_write(int fd, const void *p, ssize_t n, off_t at)
{
    if (n <= 0 || !is_noted(fd)) {
        return;
    }
    struct op *op = note(OP_WRITE);
    op->node = power.node_of[fd] - 1;
    op->at = (size_t)at;
    op->len = (size_t)n;
    op->data = malloc((size_t)n);
    if (!op->data) {
        abort();
    }
    memcpy(op->data, p, (size_t)n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    pthread_mutex_lock(&power.lock);
    ssize_t done = syscall(SYS_pwrite64, fd, p, n, at);
    note_write(fd, p, done, at);
    pthread_mutex_unlock(&power.lock);
    return done;
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at);
ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    return pwrite(fd, p, n, at);
}

ssize_t write(int fd, const void *p, size_t n)
{
    pthread_mutex_lock(&power.lock);
    off_t at = is_noted(fd) ? syscall(SYS_lseek, fd, 0, SEEK_CUR) : 0;
    ssize_t done = syscall(SYS_write, fd, p, n);
    note_write(fd, p, done, at);
    pthread_mutex_unlock(&power.lock);
    return done;
}

int ftruncate(int fd, off_t len)
{
    pthread_mutex_lock(&power.lock);
    int rc = (int)syscall(SYS_ftruncate, fd, len);
    if (rc == 0 && is_noted(fd)) {
        struct op *op = note(OP_TRUNCATE);
        op->node = power.node_of[fd] - 1;
        op->len = (size_t)len;
    }
    pthread_mutex_unlock(&power.lock);
    return rc;
}

int ftruncate64(int fd, off64_t len);
int ftruncate64(int fd, off64_t len)
{
    return ftruncate(fd, len);
}

/* Nothing is really synced: the test's machine keeps its power. */
static int do_sync(int fd, long call)
{
    pthread_mutex_lock(&power.lock);
    bool ours = power.recording || power.trusting;
    if (is_noted(fd)) {
        note(OP_SYNC)->node = power.node_of[fd] - 1;
    } else if (power.recording && fd >= 0 && fd < FDS && power.dir_of[fd]) {
        note(OP_SYNC_DIR)->path = strdup(power.dir_of[fd]);
    }
    pthread_mutex_unlock(&power.lock);
    return ours ? 0 : (int)syscall(call, fd);
}

int fsync(int fd)
{
    return do_sync(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return do_sync(fd, SYS_fdatasync);
}

int rename(const char *from, const char *to)
{
    pthread_mutex_lock(&power.lock);
    int rc = (int)syscall(SYS_rename, from, to);
    const char *own = own_path(from);
    int at = own ? find_name(power.names, power.name_count, own) : -1;
    if (rc == 0 && at >= 0 && own_path(to)) {
        struct op *op = note(OP_RENAME);
        op->node = power.names[at].node;
        op->path = strdup(own);
        op->to = strdup(own_path(to));
        drop_name(power.names, &power.name_count, at);
        put_name(power.names, &power.name_count, op->to, op->node);
    }
    pthread_mutex_unlock(&power.lock);
    return rc;
}

int unlink(const char *path)
{
    pthread_mutex_lock(&power.lock);
    int rc = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    const char *own = own_path(path);
    int at = own ? find_name(power.names, power.name_count, own) : -1;
    if (rc == 0 && at >= 0) {
        note(OP_REMOVE)->path = strdup(own);
        drop_name(power.names, &power.name_count, at);
    }
    pthread_mutex_unlock(&power.lock);
    return rc;
}

static void tell(uint64_t number, bool acknowledged)
{
    pthread_mutex_lock(&power.lock);
    struct op *op = note(OP_TOLD);
    op->at = (size_t)number;
    op->acknowledged = acknowledged;
    pthread_mutex_unlock(&power.lock);
}

void power_submit(uint64_t number)
{
    tell(number, false);
}

void power_acknowledge(uint64_t number)
{
    tell(number, true);
}

void power_record(const char *dir)
{
    pthread_mutex_lock(&power.lock);
    (void)snprintf(power.dir, sizeof(power.dir), "%s", dir);
    power.recording = true;
    pthread_mutex_unlock(&power.lock);
}

void power_stop(void)
{
    pthread_mutex_lock(&power.lock);
    power.recording = false;
    pthread_mutex_unlock(&power.lock);
}

void power_trust_machine(bool trust)
{
    pthread_mutex_lock(&power.lock);
    power.trusting = trust;
    pthread_mutex_unlock(&power.lock);
}

size_t power_moments(void)
{
    return power.count;
}

/* --- the disk --- */

static uint64_t next_random(uint64_t *s) /* splitmix64 */
{
    uint64_t z = *s += 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

static void set_length(struct node *n, size_t len)
{
    if (len > n->cap) {
        n->cap = len * 2;
        n->bytes = realloc(n->bytes, n->cap);
        if (!n->bytes) {
            abort();
        }
    }
    if (len > n->len) {
        memset(n->bytes + n->len, 0, len - n->len);
    }
    n->len = len;
}

/* A write; torn: each sector of it arrives or not. */
static void apply_write(struct node *n, const struct op *op, uint64_t *torn)
{
    if (op->at + op->len > n->len) {
        set_length(n, op->at + op->len);
    }
    for (size_t done = 0; done < op->len;) {
        size_t step = SECTOR - (op->at + done) % SECTOR;
        step = step < op->len - done ? step : op->len - done;
        if (!torn || next_random(torn) & 1) {
            memcpy(n->bytes + op->at + done, op->data + done, step);
        }
        done += step;
    }
}

static void apply(struct node *n, const struct op *op, uint64_t *torn)
{
    if (op->kind == OP_TRUNCATE) {
        set_length(n, op->len);
    } else {
        apply_write(n, op, torn);
    }
}

static void apply_name(struct name *names, size_t *count, const struct op *op)
{
    int at = find_name(names, *count, op->path);

    if (op->kind == OP_MAKE) {
        put_name(names, count, op->path, op->node);
        return;
    }
    drop_name(names, count, at);
    if (op->kind == OP_RENAME) {
        put_name(names, count, op->to, op->node);
    }
}

static bool is_in_dir(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    if (n == 0) {
        return strchr(path, '/') == NULL;
    }
    return strncmp(path, dir, n) == 0 && path[n] == '/' && !strchr(path + n + 1, '/');
}

static void sync_dir(const char *dir)
{
    size_t kept = 0;

    for (size_t i = 0; i < power.names_pending_count; i++) {
        const struct op *op = &power.ops[power.names_pending[i]];
        if (is_in_dir(op->path, dir)) {
            apply_name(power.durable, &power.durable_count, op);
        } else {
            power.names_pending[kept++] = power.names_pending[i];
        }
    }
    power.names_pending_count = kept;
}

static void sync_file(struct node *n)
{
    for (size_t i = 0; i < n->pending_count; i++) {
        apply(n, &power.ops[n->pending[i]], NULL);
    }
    n->pending_count = 0;
}

static void advance(size_t number)
{
    const struct op *op = &power.ops[number];
    struct node *n = &power.nodes[op->node];

    switch (op->kind) {
    case OP_WRITE:
    case OP_TRUNCATE:
        n->pending = grown(n->pending, n->pending_count, &n->pending_cap, sizeof(size_t));
        n->pending[n->pending_count++] = number;
        break;
    case OP_SYNC:
        sync_file(n);
        break;
    case OP_MAKE:
    case OP_RENAME:
    case OP_REMOVE:
        power.names_pending = grown(power.names_pending, power.names_pending_count,
                                    &power.names_pending_cap, sizeof(size_t));
        power.names_pending[power.names_pending_count++] = number;
        break;
    case OP_SYNC_DIR:
        sync_dir(op->path);
        break;
    case OP_TOLD:
        if (op->acknowledged) {
            power.note.acknowledged = op->at;
        } else {
            power.note.submitted = op->at;
        }
        break;
    }
}

/* What the file may hold: some of the writes that were not synced, in some order. */
static void decide(const struct node *n, uint64_t *random, struct node *out)
{
    size_t *order = malloc((n->pending_count + 1) * sizeof(*order));
    unsigned mood = (unsigned)(next_random(random) % 4); /* all lost, all there, or some, twice */

    *out = (struct node){0};
    set_length(out, n->len);
    if (n->len) {
        memcpy(out->bytes, n->bytes, n->len);
    }
    for (size_t i = 0; order && i < n->pending_count; i++) {
        size_t j = mood < 2 ? i : (size_t)(next_random(random) % (i + 1));
        order[i] = order[j];
        order[j] = n->pending[i];
    }
    for (size_t i = 0; order && mood > 0 && i < n->pending_count; i++) {
        uint64_t fate = mood == 1 ? 0 : next_random(random) % 4;
        if (fate < 3) { /* of four: there, there, torn, lost */
            apply(out, &power.ops[order[i]], fate == 2 ? random : NULL);
        }
    }
    free(order);
}

static void write_file(const char *dir, const char *path, const struct node *n)
{
    char whole[512];

    (void)snprintf(whole, sizeof(whole), "%s/%s", dir, path);
    for (char *slash = strchr(whole + strlen(dir) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(whole, 0700);
        *slash = '/';
    }
    int fd = open(whole, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || (n->len && pwrite(fd, n->bytes, n->len, 0) != (ssize_t)n->len)) {
        perror(whole);
        abort();
    }
    close(fd);
}

void power_cut(size_t moment, uint64_t *random, const char *dir, struct power_note *told)
{
    struct name names[NODES];
    size_t count = power.durable_count;

    while (power.reached < moment) {
        advance(power.reached++);
    }
    count = power.durable_count;
    for (size_t i = 0; i < count; i++) {
        names[i] = (struct name){strdup(power.durable[i].path), power.durable[i].node};
    }
    size_t kept = (size_t)(next_random(random) % (power.names_pending_count + 1));
    for (size_t i = 0; i < kept; i++) {
        apply_name(names, &count, &power.ops[power.names_pending[i]]);
    }
    (void)mkdir(dir, 0700);
    for (size_t i = 0; i < count; i++) {
        struct node n;
        decide(&power.nodes[names[i].node], random, &n);
        write_file(dir, names[i].path, &n);
        free(n.bytes);
        free(names[i].path);
    }
    *told = power.note;
}

void power_forget(void)
{
    for (size_t i = 0; i < power.count; i++) {
        free(power.ops[i].data);
        free(power.ops[i].path);
        free(power.ops[i].to);
    }
    for (int i = 0; i < power.node_count; i++) {
        free(power.nodes[i].bytes);
        free(power.nodes[i].pending);
    }
    for (int fd = 0; fd < FDS; fd++) {
        forget_fd(fd);
    }
    while (power.name_count) {
        drop_name(power.names, &power.name_count, 0);
    }
    while (power.durable_count) {
        drop_name(power.durable, &power.durable_count, 0);
    }
    free(power.ops);
    free(power.names_pending);
    power.ops = NULL;
    power.names_pending = NULL;
    power.count = power.cap = power.names_pending_count = power.names_pending_cap = 0;
}
