/* What the tests in C have in common: checks that are counted, and files in a folder. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int checks, failures;

/* The folder of the program's files. */
static const char *folder;

/* Whether mappings of files are the file's own pages; otherwise they are copies. */
static bool has_pages;

static void check_that(bool holds, int line, const char *what) {
  checks++;
  if (!holds) {
    failures++;
    printf("line %d: %s (errno %d, %s)\n", line, what, errno, strerror(errno));
  }
}

#define CHECK(condition) check_that(condition, __LINE__, #condition)

/* Checks that a call returns -1 and a number in errno. */
#define FAILS(number, call) (errno = 0, check_that((long) (call) == -1 && errno == (number), __LINE__, #call " fails with " #number))

static const char *path_of(const char *name) {
  static char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

/* Opens a new file with `length` bytes, all of them `byte`. */
static inline int new_file(const char *name, size_t length, char byte) {
  int fd = open(path_of(name), O_RDWR | O_CREAT | O_TRUNC, 0644);
  CHECK(fd >= 0);
  CHECK(ftruncate(fd, (off_t) length) == 0);
  char block[4096];
  memset(block, byte, sizeof block);
  for (size_t at = 0; byte && at < length; at += sizeof block) {
    size_t count = length - at < sizeof block ? length - at : sizeof block;
    CHECK(pwrite(fd, block, count, (off_t) at) == (ssize_t) count);
  }
  return fd;
}

/* Returns the byte of a file that a read finds. */
static inline int byte_at(int fd, off_t at) {
  unsigned char byte;
  ssize_t count = pread(fd, &byte, 1, at);
  return count == 1 ? byte : -1;
}

static inline bool is_all(const char *bytes, char byte, size_t length) {
  for (size_t at = 0; at < length; at++)
    if (bytes[at] != byte) return false;
  return true;
}

static inline void begin(int argc, char **argv) {
  if (argc < 3) {
    printf("usage: %s FOLDER pages|copies\n", argv[0]);
    exit(2);
  }
  folder = argv[1];
  has_pages = strcmp(argv[2], "pages") == 0;
}

static inline int end(void) {
  printf("%d checks, %d failures\n", checks, failures);
  return failures != 0;
}
