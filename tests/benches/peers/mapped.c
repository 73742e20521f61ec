// mmap(2) on the same work as the plugin `bench`: as a plugin over this project's library, natively, and over what wasi-libc
// offers in its place, which allocates the mapping's whole length and reads the file into it.

#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// As `measured::sum` in Rust, for a length of whole rows.
static uint64_t sum(const uint8_t *bytes, size_t len) {
    uint64_t lanes[4] = {0};
    for (size_t at = 0; at + 256 <= len; at += 256) {
        for (size_t number = 0; number < 32; number++) {
            uint64_t word;
            memcpy(&word, bytes + at + 8 * number, 8);
            lanes[number % 4] += word;
        }
        for (size_t lane = 0; lane < 4; lane++) {
            lanes[lane] = lanes[lane] << 7 | lanes[lane] >> 57;
        }
    }
    uint64_t all = 0;
    for (size_t lane = 0; lane < 4; lane++) {
        all = (all << 13 | all >> 51) ^ lanes[lane];
    }
    return all;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: scan first-byte|scan FILE\n");
        return 2;
    }
    double started = now();
    int file = open(argv[2], O_RDONLY);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) {
        perror(argv[2]);
        return 1;
    }
    size_t len = (size_t)status.st_size;
    const uint8_t *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE, file, 0);
    if (bytes == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    uint64_t result = strcmp(argv[1], "scan") == 0 ? sum(bytes, len) : bytes[len / 2];
    double seconds = now() - started;
#ifdef __wasm__
    size_t memory = __builtin_wasm_memory_size(0) * 65536;
#else
    size_t memory = 0;
#endif
    printf("{\"result\": %" PRIu64 ", \"seconds\": %.9f, \"memory_bytes\": %zu}\n", result, seconds, memory);
    return 0;
}
