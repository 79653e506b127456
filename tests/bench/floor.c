/* SPDX-License-Identifier: PostgreSQL */
/*
 * floor.c: the least an agent can spend: libpq and the same queries on the same clocks.
 *
 * floor CONNINFO SECONDS FILE: FILE has lines `every_ms query`. Each query is prepared once and run
 * on its clock; every field of the result is touched. Prints `cpu_s cycles fields` at the end.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { QUERY_MAX = 16, LINE_MAX_BYTES = 16384 };

struct query {
    long every_ms;
    long next_ms;
    char name[16];
};

static struct query queries[QUERY_MAX];
static int query_count;

static long now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int prepare_all(PGconn *conn, FILE *f)
{
    static char line[LINE_MAX_BYTES];

    while (query_count < QUERY_MAX && fgets(line, sizeof(line), f) != NULL) {
        struct query *q = &queries[query_count];
        char *text;
        PGresult *res;

        q->every_ms = strtol(line, &text, 10);
        q->next_ms = now_ms();
        (void)snprintf(q->name, sizeof(q->name), "q%d", query_count);
        res = PQprepare(conn, q->name, text, 0, NULL);
        if (PQresultStatus(res) != PGRES_COMMAND_OK) {
            (void)fprintf(stderr, "floor: %s%s", PQerrorMessage(conn), text);
            return 1;
        }
        PQclear(res);
        query_count++;
    }
    return 0;
}

static long run_query(PGconn *conn, const struct query *q)
{
    PGresult *res = PQexecPrepared(conn, q->name, 0, NULL, NULL, NULL, 1);
    int rows = PQntuples(res);
    int columns = PQnfields(res);
    volatile long touched = 0;

    if (PQresultStatus(res) != PGRES_TUPLES_OK) {
        (void)fprintf(stderr, "floor: %s", PQerrorMessage(conn));
        PQclear(res);
        return -1;
    }
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++)
            touched += PQgetlength(res, r, c) + *PQgetvalue(res, r, c);
    }
    PQclear(res);
    return (long)rows * columns;
}

static long run_due(PGconn *conn, long *cycles)
{
    long fields = 0;

    for (int i = 0; i < query_count; i++) {
        struct query *q = &queries[i];
        long n;

        if (q->next_ms > now_ms())
            continue;
        n = run_query(conn, q);
        if (n < 0)
            return -1;
        fields += n;
        q->next_ms += q->every_ms;
        (*cycles)++;
    }
    return fields;
}

static void sleep_until_next(void)
{
    long next = queries[0].next_ms;
    struct timespec ts;

    for (int i = 1; i < query_count; i++) {
        if (queries[i].next_ms < next)
            next = queries[i].next_ms;
    }
    next -= now_ms();
    if (next <= 0)
        return;
    ts.tv_sec = next / 1000;
    ts.tv_nsec = next % 1000 * 1000000;
    (void)nanosleep(&ts, NULL);
}

static double cpu_seconds(void)
{
    struct rusage ru;

    (void)getrusage(RUSAGE_SELF, &ru);
    return (double)ru.ru_utime.tv_sec + (double)ru.ru_stime.tv_sec +
           (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
    PGconn *conn;
    FILE *f;
    long end;
    long cycles = 0;
    long fields = 0;
    double start;

    if (argc != 4 || (f = fopen(argv[3], "r")) == NULL) {
        (void)fprintf(stderr, "usage: floor CONNINFO SECONDS FILE\n");
        return 2;
    }
    conn = PQconnectdb(argv[1]);
    if (PQstatus(conn) != CONNECTION_OK) {
        (void)fprintf(stderr, "floor: %s", PQerrorMessage(conn));
        return 1;
    }
    if (prepare_all(conn, f) != 0)
        return 1;
    start = cpu_seconds();
    end = now_ms() + strtol(argv[2], NULL, 10) * 1000;
    while (now_ms() < end) {
        long n = run_due(conn, &cycles);

        if (n < 0)
            return 1;
        fields += n;
        sleep_until_next();
    }
    printf("%.6f %ld %ld\n", cpu_seconds() - start, cycles, fields);
    (void)fclose(f);
    PQfinish(conn);
    return 0;
}
