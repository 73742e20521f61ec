/* Arguments and files that are refused, or that nothing good can come of: an error each time, and never a trap. */
#include "check.h"

#define RW (PROT_READ | PROT_WRITE)

static size_t page;

static void *anywhere(size_t length, int protection, int flags, int fd, off_t offset) {
  return mmap(NULL, length, protection, flags, fd, offset);
}

static void lengths(void) {
  int fd = new_file("lengths", 3 * page, 'l');
  static const size_t huge[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 4095, SIZE_MAX - 65535, (size_t) 0xffff0000u};
  FAILS(EINVAL, anywhere(0, RW, MAP_SHARED, fd, 0));
  FAILS(EINVAL, anywhere(0, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  char *bytes = anywhere(3 * page, RW, MAP_SHARED, fd, 0);
  CHECK(bytes != MAP_FAILED);
  FAILS(EINVAL, munmap(bytes, 0));
  CHECK(mprotect(bytes, 0, PROT_READ) == 0 && madvise(bytes, 0, MADV_DONTNEED) == 0);
  for (size_t each = 0; each < sizeof huge / sizeof *huge; each++) {
    FAILS(ENOMEM, anywhere(huge[each], RW, MAP_SHARED, fd, 0));
    FAILS(ENOMEM, anywhere(huge[each], PROT_READ, MAP_PRIVATE, fd, 0));
    FAILS(ENOMEM, anywhere(huge[each], RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    FAILS(ENOMEM, mmap(bytes, huge[each], RW, MAP_SHARED | MAP_FIXED, fd, 0));
    FAILS(EINVAL, munmap(bytes, huge[each]));
    FAILS(ENOMEM, mprotect(bytes, huge[each], PROT_READ));
    FAILS(ENOMEM, msync(bytes, huge[each], MS_SYNC));
    FAILS(EINVAL, madvise(bytes, huge[each], MADV_NORMAL));
    FAILS(ENOMEM, mincore(bytes, huge[each], (unsigned char *) bytes));
    FAILS(ENOMEM, mlock(bytes, huge[each]));
    FAILS(ENOMEM, mremap(bytes, page, huge[each], MREMAP_MAYMOVE));
    FAILS(EINVAL, mremap(bytes, huge[each], page, MREMAP_MAYMOVE));
  }
  /* 3 GiB is a length like any other: there is room, or there is not. */
  char *large = anywhere((size_t) 3 << 30, PROT_READ, MAP_SHARED, fd, 0);
  CHECK(large == MAP_FAILED ? errno == ENOMEM : large[0] == 'l' && large[(size_t) 2 << 30] == 0);
  if (large != MAP_FAILED) CHECK(munmap(large, (size_t) 3 << 30) == 0);
  CHECK(is_all(bytes, 'l', 3 * page));
  CHECK(munmap(bytes, 3 * page) == 0 && close(fd) == 0);
}

static void offsets(void) {
  int fd = new_file("offsets", 3 * page, 'o');
  FAILS(EINVAL, anywhere(page, RW, MAP_SHARED, fd, 1));
  FAILS(EINVAL, anywhere(page, RW, MAP_SHARED, fd, (off_t) page / 2));
  FAILS(EINVAL, anywhere(page, RW, MAP_SHARED, fd, -(off_t) page));
  FAILS(EINVAL, anywhere(page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 1));
  FAILS(EOVERFLOW, anywhere(2 * page, PROT_READ, MAP_SHARED, fd, INT64_MAX - (off_t) page + 1));
  char *far = anywhere(page, PROT_READ, MAP_SHARED, fd, (off_t) 1 << 50);
  CHECK(far == MAP_FAILED || is_all(far, 0, page));
  if (far != MAP_FAILED) CHECK(munmap(far, page) == 0);
  CHECK(close(fd) == 0);
}

static void flags(void) {
  int fd = new_file("flags", page, 'f');
  FAILS(EINVAL, anywhere(page, RW, 0, fd, 0));
  FAILS(EINVAL, anywhere(page, RW, MAP_ANONYMOUS, -1, 0));
  FAILS(EINVAL, anywhere(page, RW, 0xf, fd, 0));
  FAILS(EINVAL, anywhere(page, 0x100, MAP_SHARED, fd, 0));
  FAILS(ENOTSUP, anywhere(page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0));
  CHECK(close(fd) == 0);
}

/* Descriptors that are no file's. */
static void descriptors(void) {
  int closed = new_file("closed", page, 'c');
  CHECK(close(closed) == 0);
  static const int none[] = {-1, -2, 999, INT32_MAX, INT32_MIN};
  FAILS(EBADF, anywhere(page, PROT_READ, MAP_SHARED, closed, 0));
  for (size_t each = 0; each < sizeof none / sizeof *none; each++) FAILS(EBADF, anywhere(page, PROT_READ, MAP_SHARED, none[each], 0));
  int directory = open(folder, O_RDONLY | O_DIRECTORY);
  CHECK(directory >= 0);
  FAILS(ENODEV, anywhere(page, PROT_READ, MAP_SHARED, directory, 0));
  CHECK(close(directory) == 0);
  /* A pipe or a terminal. */
  FAILS(ENODEV, anywhere(page, PROT_READ, MAP_SHARED, STDOUT_FILENO, 0));
  FAILS(ENODEV, anywhere(page, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0));
}

/* Memory that is not mapped, or that is the program's own. */
static void addresses(void) {
  static char own[3 << 16];
  char *aligned = own + (page - (size_t) own % page);
  char *heap = malloc(3 * page), *on_heap = heap + (page - (size_t) heap % page);
  memset(own, 'o', sizeof own);
  memset(heap, 'h', 3 * page);
  char *places[] = {NULL, aligned, on_heap, (char *) (uintptr_t) 0xfff00000u};
  for (size_t each = 0; each < sizeof places / sizeof *places; each++) {
    char *place = places[each];
    /* As on Linux: what is not mapped is unmapped already. */
    CHECK(munmap(place, page) == 0);
    FAILS(ENOMEM, msync(place, page, MS_SYNC));
    FAILS(ENOMEM, mprotect(place, page, PROT_NONE));
    FAILS(ENOMEM, madvise(place, page, MADV_DONTNEED));
    FAILS(EFAULT, mremap(place, page, 2 * page, MREMAP_MAYMOVE));
    FAILS(ENOMEM, mmap(place, page, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    FAILS(ENOMEM, wasi_mmap_check(place, page));
    unsigned char found;
    FAILS(ENOMEM, mincore(place, page, &found));
    FAILS(EINVAL, munmap(place + 1, page));
  }
  CHECK(is_all(own, 'o', sizeof own) && is_all(heap, 'h', 3 * page));
  free(heap);
}

/* A file that is made shorter: zeros, and a mark where they are the file's own pages. */
static void shorter_files(void) {
  int fd = new_file("shorter", 4 * page, 's');
  char *shared = anywhere(4 * page, RW, MAP_SHARED, fd, 0), *private = anywhere(4 * page, RW, MAP_PRIVATE, fd, 0);
  private[3 * page] = 'p';
  CHECK(wasi_mmap_check(shared, 4 * page) == 0);
  CHECK(ftruncate(fd, (off_t) page + 1) == 0);
  CHECK(shared[0] == 's' && shared[page] == 's' && is_all(shared + page + 1, 0, 3 * page - 1));
  CHECK(private[0] == 's' && private[1] == 's');
  volatile char *last = private + 3 * page;
  CHECK(*last == 'p' || *last == 0);
  if (has_pages) FAILS(EIO, wasi_mmap_check(shared, 4 * page));
  shared[2 * page] = 'x';
  CHECK(msync(shared, 4 * page, MS_SYNC) == 0 || errno == EIO);
  CHECK(byte_at(fd, 2 * (off_t) page) == -1);
  shared[1] = '1';
  CHECK(byte_at(fd, 1) == '1');
  CHECK(ftruncate(fd, 0) == 0);
  /* What was stored past the end stays in a copy, in case that the file becomes longer. */
  CHECK(is_all(shared, 0, 2 * page) && is_all(shared + 2 * page + 1, 0, 2 * page - 1));
  CHECK(munmap(shared, 4 * page) == 0 && munmap(private, 4 * page) == 0);
  /* The file that it is now. */
  CHECK(pwrite(fd, "again", 5, 0) == 5);
  shared = anywhere(page, RW, MAP_SHARED, fd, 0);
  CHECK(!memcmp(shared, "again", 6) && wasi_mmap_check(shared, page) == 0);
  CHECK(munmap(shared, page) == 0 && close(fd) == 0);
}

/* More mappings than the host has: the others are copies. */
static void too_many(void) {
  enum { MANY = 1500 };
  static char *maps[MANY];
  int fd = new_file("many", MANY * page, 'm');
  long wrong = 0;
  for (int each = 0; each < MANY; each++) {
    maps[each] = anywhere(page, RW, MAP_SHARED, fd, (off_t) page * each);
    if (maps[each] == MAP_FAILED || maps[each][7] != 'm') wrong++;
    else maps[each][8] = (char) each;
  }
  CHECK(wrong == 0);
  for (int each = 0; each < MANY; each++) {
    if (byte_at(fd, (off_t) page * each + 8) != (unsigned char) each) wrong++;
    if (munmap(maps[each], page) != 0) wrong++;
  }
  CHECK(wrong == 0 && close(fd) == 0);
  /* One of them, with more holes than windows. */
  fd = new_file("holes", 2 * MANY * page, 'h');
  char *bytes = anywhere(2 * MANY * page, RW, MAP_PRIVATE, fd, 0);
  CHECK(bytes != MAP_FAILED);
  for (int each = 0; each < 2 * MANY; each++) bytes[page * (size_t) each] = (char) each;
  for (int each = 0; each < MANY; each++) {
    if (munmap(bytes + page * (size_t) (2 * each), page) != 0) wrong++;
    if (each % 100 == 0)
      for (int other = 0; other < 2 * MANY; other++) {
        bool is_mapped = other % 2 || other > 2 * each;
        if (is_mapped && (bytes[page * (size_t) other] != (char) other || bytes[page * (size_t) other + 1] != 'h')) wrong++;
      }
  }
  CHECK(wrong == 0);
  CHECK(munmap(bytes, 2 * MANY * page) == 0 && close(fd) == 0);
}

int main(int argc, char **argv) {
  begin(argc, argv);
  page = (size_t) getpagesize();
  lengths();
  offsets();
  flags();
  descriptors();
  addresses();
  shorter_files();
  too_many();
  return end();
}
