// SQLite, as a plugin and natively. FILE may be a URI, such as file:/scratch/x.db?vfs=unix-none.

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sqlite3.h"

static const char usage[] =
    "usage: sqlite sql FILE SQL...                         execute statements and print rows\n"
    "       sqlite write FILE PRAGMAS WRITER FIRST COUNT   commit transactions, and print the number of each\n"
    "       sqlite shared FILE SIGNAL                      two connections of this process that share their locks\n"
    "       sqlite fill FILE ROWS                          make the table of `lookups`\n"
    "       sqlite lookups FILE PRAGMAS ROWS COUNT         read rows at random, and print a checksum and the time\n";

static sqlite3 *database;

static void require(int is_so, const char *what) {
    if (!is_so) {
        const char *why = database ? sqlite3_errmsg(database) : "no database";
        fprintf(stderr, "%s: %s (%d)\n", what, why, database ? sqlite3_extended_errcode(database) : 0);
        exit(1);
    }
}

static sqlite3 *open_file(const char *file) {
    sqlite3 *opened = NULL;
    int code = sqlite3_open_v2(file, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, NULL);
    database = opened;
    require(code == SQLITE_OK, file);
    // Another process may be writing for a while.
    require(sqlite3_busy_timeout(opened, 60000) == SQLITE_OK, "busy_timeout");
    return opened;
}

static void execute(sqlite3 *in, const char *sql) {
    database = in;
    require(sqlite3_exec(in, sql, NULL, NULL, NULL) == SQLITE_OK, sql);
}

static int print_row(void *unused, int count, char **values, char **names) {
    (void)unused;
    (void)names;
    for (int number = 0; number < count; number++) {
        printf("%s%s", number ? "|" : "", values[number] ? values[number] : "NULL");
    }
    printf("\n");
    return 0;
}

static int64_t number_of(sqlite3 *in, const char *sql) {
    sqlite3_stmt *statement;
    database = in;
    require(sqlite3_prepare_v2(in, sql, -1, &statement, NULL) == SQLITE_OK, sql);
    require(sqlite3_step(statement) == SQLITE_ROW, sql);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static void write_transactions(char **arguments) {
    sqlite3 *file = open_file(arguments[0]);
    execute(file, arguments[1]);
    int writer = atoi(arguments[2]), first = atoi(arguments[3]), count = atoi(arguments[4]);
    sqlite3_stmt *insert;
    const char *sql = "insert into log values (?1, ?2, randomblob(100 + ?2 % 900))";
    require(sqlite3_prepare_v2(file, sql, -1, &insert, NULL) == SQLITE_OK, sql);
    for (int number = first; number < first + count; number++) {
        execute(file, "begin immediate");
        execute(file, "update counter set total = total + 1");
        sqlite3_bind_int(insert, 1, writer);
        sqlite3_bind_int(insert, 2, number);
        require(sqlite3_step(insert) == SQLITE_DONE, sql);
        sqlite3_reset(insert);
        // Pages that are no longer needed, and their use.
        if (number % 50 == 49) {
            execute(file, "delete from junk; insert into junk select randomblob(2000) from log limit 20");
        }
        execute(file, "commit");
        printf("%d\n", number);
        fflush(stdout);
        // A writer that never pauses leaves another one no time: SQLite waits by asking again.
        usleep(300 * (unsigned)(number % 4));
    }
    sqlite3_finalize(insert);
    require(sqlite3_close(file) == SQLITE_OK, "close");
}

// The locks of `fcntl` belong to the process, not to the descriptor: what one connection has locked, another unlocks.
static void share_locks(const char *path, const char *signal) {
    sqlite3 *one = open_file(path), *other = open_file(path);
    execute(one, "begin; select * from counter");
    execute(other, "begin; select * from counter");
    execute(one, "commit");
    execute(other, "commit");
    printf("shared\n");
    fflush(stdout);
    // Both connections stay open, and nothing is locked, until the file SIGNAL appears.
    while (access(signal, F_OK) != 0) {
        usleep(1000);
    }
    printf("%" PRId64 " %" PRId64 "\n", number_of(one, "select total from counter"),
           number_of(other, "select total from counter"));
    sqlite3_close(one);
    execute(other, "update counter set total = total + 1");
    require(sqlite3_close(other) == SQLITE_OK, "close");
}

static uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t random_below(uint64_t limit) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % limit;
}

static void fill(char **arguments) {
    sqlite3 *file = open_file(arguments[0]);
    int rows = atoi(arguments[1]);
    execute(file, "pragma synchronous = off; create table rows (id integer primary key, text text); begin");
    sqlite3_stmt *insert;
    const char *sql = "insert into rows values (?1, ?2)";
    require(sqlite3_prepare_v2(file, sql, -1, &insert, NULL) == SQLITE_OK, sql);
    char text[201];
    for (int row = 0; row < rows; row++) {
        for (size_t at = 0; at < sizeof text - 1; at++) {
            text[at] = (char)('a' + random_below(26));
        }
        sqlite3_bind_int(insert, 1, row);
        sqlite3_bind_text(insert, 2, text, sizeof text - 1, SQLITE_STATIC);
        require(sqlite3_step(insert) == SQLITE_DONE, sql);
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    execute(file, "commit");
    require(sqlite3_close(file) == SQLITE_OK, "close");
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void look_up(char **arguments) {
    sqlite3 *file = open_file(arguments[0]);
    execute(file, arguments[1]);
    uint64_t rows = strtoull(arguments[2], NULL, 10), count = strtoull(arguments[3], NULL, 10), sum = 0;
    sqlite3_stmt *select;
    const char *sql = "select text from rows where id = ?1";
    require(sqlite3_prepare_v2(file, sql, -1, &select, NULL) == SQLITE_OK, sql);
    double started = now();
    execute(file, "begin");
    for (uint64_t number = 0; number < count; number++) {
        sqlite3_bind_int64(select, 1, (int64_t)random_below(rows));
        require(sqlite3_step(select) == SQLITE_ROW, sql);
        const unsigned char *text = sqlite3_column_text(select, 0);
        sum = sum * 31 + text[0] + text[sqlite3_column_bytes(select, 0) - 1];
        sqlite3_reset(select);
    }
    execute(file, "commit");
    double seconds = now() - started;
    sqlite3_finalize(select);
    require(sqlite3_close(file) == SQLITE_OK, "close");
    printf("{\"result\": %" PRIu64 ", \"seconds\": %.9f}\n", sum & 0xffffffffffff, seconds);
}

int main(int argc, char **argv) {
    const char *what = argc > 2 ? argv[1] : "";
    if (strcmp(what, "sql") == 0) {
        sqlite3 *file = open_file(argv[2]);
        for (int number = 3; number < argc; number++) {
            require(sqlite3_exec(file, argv[number], print_row, NULL, NULL) == SQLITE_OK, argv[number]);
        }
        require(sqlite3_close(file) == SQLITE_OK, "close");
    } else if (strcmp(what, "write") == 0 && argc == 7) {
        write_transactions(argv + 2);
    } else if (strcmp(what, "shared") == 0 && argc == 4) {
        share_locks(argv[2], argv[3]);
    } else if (strcmp(what, "fill") == 0 && argc == 4) {
        fill(argv + 2);
    } else if (strcmp(what, "lookups") == 0 && argc == 6) {
        look_up(argv + 2);
    } else {
        fputs(usage, stderr);
        return 2;
    }
    return 0;
}
