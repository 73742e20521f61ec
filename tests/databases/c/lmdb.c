// LMDB, as a plugin and natively. FLAGS are letters: w for MDB_WRITEMAP, r for MDB_RDONLY, s for MDB_NOSYNC; or -.

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lmdb.h"

static const char usage[] =
    "usage: lmdb fill FOLDER FLAGS MIB FIRST COUNT    put entries; a map that is full becomes twice as large\n"
    "       lmdb delete FOLDER FLAGS MIB FIRST COUNT  delete entries\n"
    "       lmdb list FOLDER FLAGS MIB                read all entries in order, and print their number and checksum\n"
    "       lmdb lookups FOLDER FLAGS MIB COUNT       read entries at random, and print a checksum and the time\n";

static MDB_env *environment;
static MDB_dbi entries;

static int check(int code, const char *what) {
    if (code) {
        fprintf(stderr, "%s: %s (%d)\n", what, mdb_strerror(code), code);
        exit(1);
    }
    return code;
}

static void open_folder(const char *folder, const char *letters, size_t mib) {
    unsigned flags = 0;
    flags |= strchr(letters, 'w') ? MDB_WRITEMAP : 0;
    flags |= strchr(letters, 'r') ? MDB_RDONLY : 0;
    flags |= strchr(letters, 's') ? MDB_NOSYNC : 0;
    check(mdb_env_create(&environment), "create");
    check(mdb_env_set_mapsize(environment, mib << 20), "mapsize");
    check(mdb_env_open(environment, folder, flags, 0644), folder);
}

static MDB_txn *begin(unsigned flags) {
    MDB_txn *transaction;
    check(mdb_txn_begin(environment, NULL, flags, &transaction), "begin");
    check(mdb_dbi_open(transaction, NULL, 0, &entries), "open");
    return transaction;
}

static void key_of(int number, char buffer[32], MDB_val *key) {
    key->mv_size = (size_t)sprintf(buffer, "key-%08d", number);
    key->mv_data = buffer;
}

// Changes an entry, and returns whether the map was large enough.
static int change(MDB_txn *transaction, int number, int is_put) {
    char key_buffer[32], value_buffer[300];
    MDB_val key, value;
    key_of(number, key_buffer, &key);
    value.mv_size = (size_t)sprintf(value_buffer, "value %d %0*d", number, number % 200 + 1, number);
    value.mv_data = value_buffer;
    int code = is_put ? mdb_put(transaction, entries, &key, &value, 0) : mdb_del(transaction, entries, &key, NULL);
    return code == MDB_MAP_FULL ? 0 : !check(code, "change");
}

static void change_all(int first, int count, size_t mib, int is_put) {
    int grown = 0;
    for (int number = first; number < first + count;) {
        MDB_txn *transaction = begin(0);
        int next = number, is_full = 0;
        while (!is_full && next < number + 100 && next < first + count) {
            is_full = !change(transaction, next, is_put);
            next += !is_full;
        }
        if (is_full) {
            mdb_txn_abort(transaction);
        } else {
            int code = mdb_txn_commit(transaction);
            is_full = code == MDB_MAP_FULL || check(code, "commit");
        }
        if (is_full) {
            mib *= 2;
            grown++;
            check(mdb_env_set_mapsize(environment, mib << 20), "a larger map");
        } else {
            number = next;
        }
    }
    printf("grown %d\n", grown);
}

static void list(void) {
    MDB_txn *transaction = begin(MDB_RDONLY);
    MDB_cursor *cursor;
    MDB_val key, value;
    uint64_t count = 0, sum = 0;
    int code;
    check(mdb_cursor_open(transaction, entries, &cursor), "cursor");
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        count++;
        for (size_t at = 0; at < key.mv_size; at++) {
            sum = (sum * 31 + ((unsigned char *)key.mv_data)[at]) & 0xffffffff;
        }
        for (size_t at = 0; at < value.mv_size; at++) {
            sum = (sum * 31 + ((unsigned char *)value.mv_data)[at]) & 0xffffffff;
        }
    }
    if (code != MDB_NOTFOUND) {
        check(code, "next");
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(transaction);
    printf("%" PRIu64 " entries, checksum %08" PRIx64 "\n", count, sum);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void look_up(uint64_t lookups) {
    MDB_txn *transaction = begin(MDB_RDONLY);
    MDB_stat stat;
    check(mdb_stat(transaction, entries, &stat), "stat");
    uint64_t sum = 0, state = 0x9e3779b97f4a7c15;
    double started = now();
    for (uint64_t number = 0; number < lookups; number++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char buffer[32];
        MDB_val key, value;
        key_of((int)((state >> 11) % stat.ms_entries), buffer, &key);
        check(mdb_get(transaction, entries, &key, &value), buffer);
        sum = sum * 31 + value.mv_size + ((unsigned char *)value.mv_data)[value.mv_size - 1];
        // As readers do, so that pages need not stay mapped.
        if (number % 1000 == 999) {
            mdb_txn_reset(transaction);
            check(mdb_txn_renew(transaction), "renew");
        }
    }
    double seconds = now() - started;
    mdb_txn_abort(transaction);
    printf("{\"result\": %" PRIu64 ", \"seconds\": %.9f}\n", sum & 0xffffffffffff, seconds);
}

int main(int argc, char **argv) {
    const char *what = argc > 4 ? argv[1] : "";
    int is_put = strcmp(what, "fill") == 0;
    if (!(((is_put || strcmp(what, "delete") == 0) && argc == 7) || (strcmp(what, "lookups") == 0 && argc == 6) ||
          strcmp(what, "list") == 0)) {
        fputs(usage, stderr);
        return 2;
    }
    size_t mib = (size_t)atoi(argv[4]);
    open_folder(argv[2], argv[3], mib);
    if (argc == 7) {
        change_all(atoi(argv[5]), atoi(argv[6]), mib, is_put);
        list();
    } else if (argc == 6) {
        look_up(strtoull(argv[5], NULL, 10));
    } else {
        list();
    }
    mdb_env_close(environment);
    return 0;
}
