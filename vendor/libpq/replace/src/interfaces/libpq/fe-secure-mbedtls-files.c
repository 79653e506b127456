/* SPDX-License-Identifier: PostgreSQL */
/*
 * fe-secure-mbedtls-files.c: trusted certificates, revocation lists, client certificate and key.
 *
 * The rules are libpq's: which file is the default, that a root certificate that exists is used in
 * every sslmode, that a key must not be readable by others. In one thing we are stricter: a
 * revocation list that was named and cannot be read is an error, it is not ignored.
 * Files are opened first and looked at then, so what was checked is what is read; their size is
 * bounded; the bytes of a key are wiped.
 * Threads: no shared state.
 */
#include "postgres_fe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mbedtls/error.h>
#include <mbedtls/pem.h>
#include <mbedtls/platform_util.h>

#include "libpq-fe.h"
#include "libpq-int.h"

#include "fe-secure-mbedtls.h"

#define CERT_FILE_MAX (4 * 1024 * 1024)  /* the bundle of a distribution has 0.2 MB */
#define CRL_FILE_MAX  (32 * 1024 * 1024) /* lists of public authorities reach some MB */
#define KEY_FILE_MAX  (64 * 1024)
#define DIR_FILE_MAX  4096

struct text {
    unsigned char *ptr;
    size_t len; /* as Mbed TLS wants it: with the NUL at the end in PEM, without it in DER */
};

enum file_kind {
    FILE_CERT,
    FILE_CRL,
    FILE_KEY,
};

static const struct {
    const char *what;
    off_t max;
} KINDS[] = {
    [FILE_CERT] = {"certificate file", CERT_FILE_MAX},
    [FILE_CRL] = {"revocation list", CRL_FILE_MAX},
    [FILE_KEY] = {"private key file", KEY_FILE_MAX},
};

/* Where distributions keep the certificates they trust. */
static const char *const SYSTEM_ROOTS[] = {
    "/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine, Arch */
    "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
    "/etc/ssl/ca-bundle.pem",             /* SUSE */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

int pgtls_random(void *unused, unsigned char *out, size_t len)
{
    (void)unused;
    return pg_strong_random(out, len) ? 0 : MBEDTLS_ERR_ERROR_GENERIC_ERROR;
}

const char *pgtls_error(int code, char *buf, size_t size)
{
    mbedtls_strerror(code, buf, size);
    return buf;
}

void pgtls_files_init(struct pgtls_files *files)
{
    memset(files, 0, sizeof(*files));
    mbedtls_x509_crt_init(&files->roots);
    mbedtls_x509_crl_init(&files->crls);
    mbedtls_x509_crt_init(&files->cert);
    mbedtls_pk_init(&files->key);
}

void pgtls_files_free(struct pgtls_files *files)
{
    mbedtls_x509_crt_free(&files->roots);
    mbedtls_x509_crl_free(&files->crls);
    mbedtls_x509_crt_free(&files->cert);
    mbedtls_pk_free(&files->key);
}

static void text_free(struct text *text)
{
    if (text->ptr != NULL)
        mbedtls_platform_zeroize(text->ptr, text->len);
    free(text->ptr);
    text->ptr = NULL;
}

static bool read_all(int fd, unsigned char *to, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = read(fd, to + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/*
 * As libpq has it: a key of root may be readable by its group, any other by its owner alone; whose
 * it is need not be looked at, for we could not read another's.
 */
static bool key_is_private(const struct stat *st)
{
    mode_t others = st->st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;

    return (st->st_mode & others) == 0;
}

static bool file_fits(PGconn *conn, enum file_kind kind, const char *path, const struct stat *st)
{
    if (!S_ISREG(st->st_mode)) {
        libpq_append_conn_error(conn, "%s \"%s\" is not a regular file", KINDS[kind].what, path);
        return false;
    }
    if (kind == FILE_KEY && !key_is_private(st)) {
        libpq_append_conn_error(conn,
                                "private key file \"%s\" has group or world access; file must have "
                                "permissions u=rw (0600) or less if owned by the current user, or "
                                "permissions u=rw,g=r (0640) or less if owned by root",
                                path);
        return false;
    }
    if (st->st_size > KINDS[kind].max) {
        libpq_append_conn_error(conn, "%s \"%s\" has more than %lld bytes", KINDS[kind].what, path,
                                (long long)KINDS[kind].max);
        return false;
    }
    return true;
}

/* The open file as text, with a NUL at its end. */
static bool read_open(PGconn *conn, enum file_kind kind, const char *path, int fd, struct text *out)
{
    struct stat st;
    char sebuf[PG_STRERROR_R_BUFLEN];

    if (fstat(fd, &st) != 0) {
        libpq_append_conn_error(conn, "could not stat %s \"%s\": %s", KINDS[kind].what, path,
                                strerror_r(errno, sebuf, sizeof(sebuf)));
        return false;
    }
    if (!file_fits(conn, kind, path, &st))
        return false;
    out->len = (size_t)st.st_size;
    out->ptr = calloc(1, out->len + 1);
    if (out->ptr == NULL || !read_all(fd, out->ptr, out->len)) {
        libpq_append_conn_error(conn, "could not read %s \"%s\"", KINDS[kind].what, path);
        return false;
    }
    if (strstr((const char *)out->ptr, "-----BEGIN ") != NULL)
        out->len++;
    return true;
}

/*
 * Reads a file; `out` is freed by the caller in every case. *missing (NULL allowed: then it is an
 * error) says that there is none.
 */
static bool read_file(PGconn *conn, enum file_kind kind, const char *path, bool *missing,
                      struct text *out)
{
    char sebuf[PG_STRERROR_R_BUFLEN];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool good;

    out->ptr = NULL;
    if (fd < 0) {
        if (missing != NULL && (errno == ENOENT || errno == ENOTDIR)) {
            *missing = true;
            return true;
        }
        libpq_append_conn_error(conn, "could not open %s \"%s\": %s", KINDS[kind].what, path,
                                strerror_r(errno, sebuf, sizeof(sebuf)));
        return false;
    }
    if (missing != NULL)
        *missing = false;
    good = read_open(conn, kind, path, fd, out);
    close(fd);
    return good;
}

/* A bundle counts when one certificate of it can be used: others may have keys we do not know. */
static bool parse_certs(PGconn *conn, mbedtls_x509_crt *to, const char *what, const char *path,
                        const struct text *text)
{
    char why[128];
    int rc = mbedtls_x509_crt_parse(to, text->ptr, text->len);

    if (to->raw.p != NULL && rc >= 0)
        return true;
    libpq_append_conn_error(conn, "could not read %s \"%s\": %s", what, path,
                            rc < 0 ? pgtls_error(rc, why, sizeof(why)) : "no certificate in it");
    return false;
}

/* A file of the user's: the parameter, or the usual name below the home folder; "" when unknown. */
static void file_name(const char *given, const char *usual, char *out, size_t size)
{
    char home[MAXPGPATH];

    if (given != NULL && given[0] != '\0')
        snprintf(out, size, "%s", given);
    else if (pqGetHomeDirectory(home, sizeof(home)))
        snprintf(out, size, "%s/%s", home, usual);
    else
        out[0] = '\0';
}

static bool is_given(const char *parameter)
{
    return parameter != NULL && parameter[0] != '\0';
}

/* Names that "openssl rehash" makes: eight hex digits, a dot, "r" for lists, a number. */
static bool is_hashed_name(const char *name, enum file_kind kind)
{
    const char *tail = name + 8;

    if (strspn(name, "0123456789abcdef") != 8 || *tail++ != '.')
        return false;
    if (kind == FILE_CRL && *tail++ != 'r')
        return false;
    return *tail != '\0' && strspn(tail, "0123456789") == strlen(tail);
}

static bool load_one(PGconn *conn, struct pgtls_files *files, enum file_kind kind, const char *path)
{
    struct text text;
    char why[128];
    int rc = 0;
    bool good = read_file(conn, kind, path, NULL, &text);

    if (good && kind == FILE_CERT)
        good = parse_certs(conn, &files->roots, "root certificate file", path, &text);
    else if (good && (rc = mbedtls_x509_crl_parse(&files->crls, text.ptr, text.len)) != 0) {
        libpq_append_conn_error(conn, "could not read revocation list \"%s\": %s", path,
                                pgtls_error(rc, why, sizeof(why)));
        good = false;
    }
    text_free(&text);
    return good;
}

static bool load_dir(PGconn *conn, struct pgtls_files *files, enum file_kind kind, const char *path)
{
    char file[MAXPGPATH];
    char sebuf[PG_STRERROR_R_BUFLEN];
    struct dirent *entry;
    int count = 0;
    bool good = true;
    DIR *dir = opendir(path);

    if (dir == NULL) {
        libpq_append_conn_error(conn, "could not open directory \"%s\": %s", path,
                                strerror_r(errno, sebuf, sizeof(sebuf)));
        return false;
    }
    while (good && count < DIR_FILE_MAX && (entry = readdir(dir)) != NULL) {
        if (!is_hashed_name(entry->d_name, kind))
            continue;
        snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        good = load_one(conn, files, kind, file);
        count++;
    }
    closedir(dir);
    return good;
}

/* sslrootcert=system: as OpenSSL looks for them, with its two variables. */
static bool load_system_roots(PGconn *conn, struct pgtls_files *files)
{
    const char *file = getenv("SSL_CERT_FILE");
    const char *dir = getenv("SSL_CERT_DIR");

    if (is_given(file) && !load_one(conn, files, FILE_CERT, file))
        return false;
    if (is_given(dir) && !load_dir(conn, files, FILE_CERT, dir))
        return false;
    for (size_t i = 0; !is_given(file) && !is_given(dir) && i < lengthof(SYSTEM_ROOTS); i++) {
        if (access(SYSTEM_ROOTS[i], R_OK) == 0)
            return load_one(conn, files, FILE_CERT, SYSTEM_ROOTS[i]);
    }
    if (files->roots.raw.p != NULL)
        return true;
    libpq_append_conn_error(conn, "could not load system root certificates: none found");
    return false;
}

static bool roots_missing(PGconn *conn, const char *path)
{
    static const char HINT[] = "Either provide the file, use the system's trusted roots with "
                               "sslrootcert=system, or change sslmode to disable server "
                               "certificate verification.";

    if (conn->sslmode[0] != 'v') /* verify-ca, verify-full */
        return true;
    if (path[0] == '\0')
        libpq_append_conn_error(conn,
                                "could not get home directory to locate root certificate "
                                "file\n%s",
                                HINT);
    else
        libpq_append_conn_error(conn, "root certificate file \"%s\" does not exist\n%s", path,
                                HINT);
    return false;
}

static bool load_roots(PGconn *conn, struct pgtls_files *files)
{
    char path[MAXPGPATH];
    struct text text;
    bool missing = false;
    bool good;

    file_name(conn->sslrootcert, ROOT_CERT_FILE, path, sizeof(path));
    if (strcmp(path, "system") == 0)
        return files->have_roots = load_system_roots(conn, files);
    if (path[0] == '\0')
        return roots_missing(conn, path);
    good = read_file(conn, FILE_CERT, path, &missing, &text);
    if (good && missing)
        good = roots_missing(conn, path);
    else if (good)
        good = files->have_roots = parse_certs(conn, &files->roots, "root certificate file", path,
                                               &text);
    text_free(&text);
    return good;
}

/* Lists count only where the server is checked at all. */
static bool load_crls(PGconn *conn, struct pgtls_files *files)
{
    char path[MAXPGPATH];

    if (!files->have_roots)
        return true;
    if (is_given(conn->sslcrl) && !load_one(conn, files, FILE_CRL, conn->sslcrl))
        return false;
    if (is_given(conn->sslcrldir) && !load_dir(conn, files, FILE_CRL, conn->sslcrldir))
        return false;
    files->have_crls = is_given(conn->sslcrl) || is_given(conn->sslcrldir);
    if (files->have_crls)
        return true;
    file_name(NULL, ROOT_CRL_FILE, path, sizeof(path));
    if (path[0] == '\0' || access(path, F_OK) != 0)
        return true;
    return files->have_crls = load_one(conn, files, FILE_CRL, path);
}

/* What went wrong with a key, in words that say what to do. */
static const char *key_error(int rc, char *buf, size_t size)
{
    switch (rc) {
    case MBEDTLS_ERR_PK_PASSWORD_REQUIRED:
    case MBEDTLS_ERR_PEM_PASSWORD_REQUIRED:
        return "it is encrypted and sslpassword is not set";
    case MBEDTLS_ERR_PK_PASSWORD_MISMATCH:
    case MBEDTLS_ERR_PEM_PASSWORD_MISMATCH:
        return "sslpassword is not its password";
    case MBEDTLS_ERR_PEM_UNKNOWN_ENC_ALG:
    case MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE:
        return "its encryption is not supported (AES is)";
    default:
        return pgtls_error(rc, buf, size);
    }
}

static bool parse_key(PGconn *conn, struct pgtls_files *files, const char *path,
                      const struct text *text)
{
    char why[128];
    const char *password = is_given(conn->sslpassword) ? conn->sslpassword : NULL;
    int rc = mbedtls_pk_parse_key(&files->key, text->ptr, text->len,
                                  (const unsigned char *)password,
                                  password != NULL ? strlen(password) : 0, pgtls_random, NULL);

    if (rc != 0) {
        libpq_append_conn_error(conn, "could not load private key file \"%s\": %s", path,
                                key_error(rc, why, sizeof(why)));
        return false;
    }
    rc = mbedtls_pk_check_pair(&files->cert.pk, &files->key, pgtls_random, NULL);
    if (rc != 0) {
        libpq_append_conn_error(conn, "certificate does not match private key file \"%s\": %s",
                                path, pgtls_error(rc, why, sizeof(why)));
        return false;
    }
    return true;
}

static bool load_key(PGconn *conn, struct pgtls_files *files)
{
    char path[MAXPGPATH];
    struct text text = {NULL, 0};
    bool missing = false;
    bool good;

    file_name(conn->sslkey, USER_KEY_FILE, path, sizeof(path));
    if (path[0] == '\0')
        missing = true;
    good = missing || read_file(conn, FILE_KEY, path, &missing, &text);
    if (missing) {
        libpq_append_conn_error(conn, "certificate present, but not private key file \"%s\"", path);
        good = false;
    }
    good = good && parse_key(conn, files, path, &text);
    text_free(&text);
    return good;
}

/* A certificate that is not there is none: the server may do without. */
static bool load_cert(PGconn *conn, struct pgtls_files *files)
{
    char path[MAXPGPATH];
    struct text text;
    bool missing = false;
    bool good;

    file_name(conn->sslcert, USER_CERT_FILE, path, sizeof(path));
    if (conn->sslcertmode[0] == 'd' || path[0] == '\0') /* disable */
        return true;
    good = read_file(conn, FILE_CERT, path, &missing, &text);
    if (good && !missing) {
        good = parse_certs(conn, &files->cert, "certificate file", path, &text) &&
               load_key(conn, files);
        files->have_cert = good;
    }
    text_free(&text);
    return good;
}

bool pgtls_files_load(PGconn *conn, struct pgtls_files *files)
{
    return load_roots(conn, files) && load_crls(conn, files) && load_cert(conn, files);
}
