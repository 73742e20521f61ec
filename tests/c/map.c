/* The functions of <sys/mman.h>, one after the other. */
#include "check.h"

static size_t page;

static char *map(int fd, size_t length, int protection, int flags, off_t offset) {
  char *bytes = mmap(NULL, length, protection, flags, fd, offset);
  CHECK(bytes != MAP_FAILED);
  return bytes;
}

#define RW (PROT_READ | PROT_WRITE)

static void page_size(void) {
  CHECK(page >= 4096 && (page & (page - 1)) == 0);
  CHECK(sysconf(_SC_PAGESIZE) == (long) page);
  CHECK(sysconf(_SC_OPEN_MAX) != (long) page);
}

static void map_and_file_are_one(void) {
  int fd = new_file("one", 3 * page + 100, '.');
  char *bytes = map(fd, 3 * page + 100, RW, MAP_SHARED, 0);
  CHECK((size_t) bytes % page == 0);
  CHECK(is_all(bytes, '.', 3 * page + 100));
  CHECK(is_all(bytes + 3 * page + 100, 0, page - 100));
  memcpy(bytes + 10, "stored", 6);
  char read_back[6];
  CHECK(pread(fd, read_back, 6, 10) == 6 && !memcmp(read_back, "stored", 6));
  CHECK(pwrite(fd, "WRITTEN", 7, 3 * (off_t) page) == 7);
  CHECK(!memcmp(bytes + 3 * page, "WRITTEN.", 8));
  CHECK(lseek(fd, 20, SEEK_SET) == 20 && write(fd, "at 20", 5) == 5);
  CHECK(!memcmp(bytes + 19, ".at 20.", 7));
  bytes[30] = '!';
  CHECK(lseek(fd, 30, SEEK_SET) == 30 && read(fd, read_back, 2) == 2 && !memcmp(read_back, "!.", 2));
  CHECK(munmap(bytes, 3 * page + 100) == 0);
  CHECK(byte_at(fd, 30) == '!');
  CHECK(close(fd) == 0);
}

static void two_maps_are_one(void) {
  int fd = new_file("two", 4 * page, 'a');
  char *all = map(fd, 4 * page, RW, MAP_SHARED, 0);
  int other = open(path_of("two"), O_RDONLY);
  char *part = map(other, 2 * page, PROT_READ, MAP_SHARED, (off_t) page);
  /* Windows are two places with the same pages, copies are one place. */
  CHECK((part != all + page) == has_pages);
  all[page + 5] = 'x';
  CHECK(part[5] == 'x');
  CHECK(munmap(all, 4 * page) == 0);
  CHECK(part[5] == 'x' && part[6] == 'a');
  CHECK(byte_at(fd, (off_t) page + 5) == 'x');
  char *again = map(fd, 3 * page, RW, MAP_SHARED, (off_t) page);
  again[6] = 'y';
  CHECK(byte_at(other, (off_t) page + 6) == 'y');
  CHECK(munmap(part, 2 * page) == 0);
  CHECK(again[6] == 'y' && again[2 * page] == 'a');
  CHECK(munmap(again, 3 * page) == 0);
  CHECK(close(fd) == 0 && close(other) == 0);
}

static void maps_outlive_everything(void) {
  int fd = new_file("kept", 2 * page, 'k');
  int again = open(path_of("kept"), O_RDWR);
  char *bytes = map(fd, 2 * page, RW, MAP_SHARED, 0);
  CHECK(close(fd) == 0);
  bytes[1] = '1';
  CHECK(byte_at(again, 1) == '1');
  char other[512];
  snprintf(other, sizeof other, "%s/renamed", folder);
  CHECK(rename(path_of("kept"), other) == 0);
  bytes[page] = '2';
  CHECK(msync(bytes, 2 * page, MS_SYNC) == 0);
  CHECK(byte_at(again, (off_t) page) == '2');
  CHECK(unlink(other) == 0);
  bytes[3] = '3';
  CHECK(byte_at(again, 3) == '3');
  char *late = map(again, page, PROT_READ, MAP_SHARED, 0);
  CHECK(late[3] == '3');
  CHECK(close(again) == 0);
  CHECK(bytes[1] == '1' && late[1] == '1');
  CHECK(munmap(late, page) == 0);
  CHECK(munmap(bytes, 2 * page) == 0);
}

static void private_stays_private(void) {
  int fd = new_file("private", 5 * page, 'p');
  char *bytes = map(fd, 5 * page, RW, MAP_PRIVATE, 0);
  char *other = map(fd, 5 * page, RW, MAP_PRIVATE, 0);
  for (int at = 0; at < 5; at++) bytes[(size_t) at * page] = (char) ('0' + at);
  CHECK(is_all(other, 'p', 5 * page));
  CHECK(byte_at(fd, 0) == 'p');
  CHECK(msync(bytes, 5 * page, MS_SYNC) == 0 && byte_at(fd, 0) == 'p');
  /* What is left of it when the middle is gone keeps its own pages. */
  CHECK(munmap(bytes + 2 * page, page) == 0);
  CHECK(bytes[0] == '0' && bytes[page] == '1' && bytes[3 * page] == '3' && bytes[4 * page] == '4');
  CHECK(bytes[1] == 'p' && bytes[3 * page + 1] == 'p');
  CHECK(munmap(bytes + page, page) == 0 && munmap(bytes + 4 * page, page) == 0);
  CHECK(bytes[0] == '0' && bytes[3 * page] == '3');
  CHECK(mprotect(bytes, page, PROT_READ) == 0 && bytes[0] == '0');
  CHECK(mprotect(bytes, page, RW) == 0 && bytes[0] == '0');
  CHECK(madvise(bytes, page, MADV_DONTNEED) == 0 && bytes[0] == 'p');
  CHECK(posix_madvise(bytes + 3 * page, page, POSIX_MADV_DONTNEED) == 0 && bytes[3 * page] == '3');
  CHECK(munmap(bytes, 5 * page) == 0);
  CHECK(munmap(other, 5 * page) == 0);
  CHECK(byte_at(fd, 0) == 'p' && byte_at(fd, 3 * (off_t) page) == 'p');
  /* A private map for reading that is made writable. */
  bytes = map(fd, 2 * page, PROT_READ, MAP_PRIVATE, 0);
  CHECK(bytes[0] == 'p');
  CHECK(mprotect(bytes + page, page, RW) == 0);
  bytes[page] = 'Q';
  CHECK(bytes[0] == 'p' && bytes[page] == 'Q' && byte_at(fd, (off_t) page) == 'p');
  CHECK(munmap(bytes, 2 * page) == 0);
  CHECK(close(fd) == 0);
}

static void private_of_a_read_only_file(void) {
  CHECK(close(new_file("read-only", page, 'r')) == 0);
  int fd = open(path_of("read-only"), O_RDONLY);
  char *bytes = map(fd, page, RW, MAP_PRIVATE, 0);
  bytes[0] = 'R';
  CHECK(bytes[0] == 'R' && bytes[1] == 'r' && byte_at(fd, 0) == 'r');
  CHECK(munmap(bytes, page) == 0);
  FAILS(EACCES, mmap(NULL, page, RW, MAP_SHARED, fd, 0));
  bytes = map(fd, page, PROT_READ, MAP_SHARED, 0);
  FAILS(EACCES, mprotect(bytes, page, RW));
  CHECK(bytes[0] == 'r');
  CHECK(munmap(bytes, page) == 0 && close(fd) == 0);
  fd = open(path_of("read-only"), O_WRONLY);
  FAILS(EACCES, mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0));
  FAILS(EACCES, mmap(NULL, page, PROT_NONE, MAP_PRIVATE, fd, 0));
  CHECK(close(fd) == 0);
}

static void parts_are_unmapped(void) {
  int fd = new_file("parts", 8 * page, 'a');
  char *bytes = map(fd, 8 * page, RW, MAP_SHARED, 0);
  bytes[7 * page] = '7';
  CHECK(munmap(bytes + 2 * page, 2 * page) == 0);
  CHECK(munmap(bytes, page) == 0);
  CHECK(bytes[page] == 'a' && bytes[4 * page] == 'a' && bytes[7 * page] == '7');
  bytes[page] = '1';
  bytes[4 * page] = '4';
  CHECK(byte_at(fd, (off_t) page) == '1' && byte_at(fd, 4 * (off_t) page) == '4');
  CHECK(msync(bytes + page, page, MS_SYNC) == 0);
  FAILS(ENOMEM, msync(bytes + page, 2 * page, MS_SYNC));
  FAILS(ENOMEM, madvise(bytes + page, 2 * page, MADV_WILLNEED));
  FAILS(ENOMEM, mprotect(bytes, 2 * page, PROT_READ));
  CHECK(bytes[page] == '1');
  /* A range with holes, and more than was mapped. */
  CHECK(munmap(bytes, 8 * page) == 0);
  FAILS(ENOMEM, msync(bytes + page, page, MS_SYNC));
  CHECK(byte_at(fd, 7 * (off_t) page) == '7');
  CHECK(close(fd) == 0);
}

static void protection(void) {
  int fd = new_file("protection", 4 * page, 'a');
  char *bytes = map(fd, 4 * page, PROT_READ, MAP_SHARED, 0);
  CHECK(mprotect(bytes + page, page, RW) == 0);
  bytes[page] = 'w';
  CHECK(byte_at(fd, (off_t) page) == 'w' && bytes[0] == 'a');
  CHECK(mprotect(bytes, 4 * page, PROT_READ) == 0 && bytes[page] == 'w');
  CHECK(mprotect(bytes, 4 * page, PROT_NONE) == 0);
  CHECK(mprotect(bytes, 4 * page, RW) == 0 && bytes[page] == 'w');
  bytes[3 * page] = 'z';
  CHECK(byte_at(fd, 3 * (off_t) page) == 'z');
  FAILS(ENOTSUP, mprotect(bytes, page, PROT_READ | PROT_EXEC));
  FAILS(EINVAL, mprotect(bytes, page, 64));
  FAILS(EINVAL, mprotect(bytes + 1, page, PROT_READ));
  CHECK(munmap(bytes, 4 * page) == 0);
  char *none = map(fd, page, PROT_NONE, MAP_SHARED, 0);
  CHECK(mprotect(none, page, RW) == 0);
  none[0] = 'n';
  CHECK(byte_at(fd, 0) == 'n');
  CHECK(munmap(none, page) == 0 && close(fd) == 0);
}

static void fixed_addresses(void) {
  int fd = new_file("fixed", 4 * page, 'f');
  /* As programs reserve addresses: nothing, and then parts of files over it. */
  char *reserved = mmap(NULL, 8 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(reserved != MAP_FAILED);
  char *bytes = mmap(reserved + 2 * page, 2 * page, RW, MAP_SHARED | MAP_FIXED, fd, (off_t) page);
  CHECK(bytes == reserved + 2 * page && bytes[0] == 'f');
  bytes[0] = 'F';
  CHECK(byte_at(fd, (off_t) page) == 'F');
  FAILS(EEXIST, mmap(reserved, page, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
  FAILS(EEXIST, mmap((char *) &checks - (size_t) &checks % page, page, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
  char *over = mmap(reserved + 3 * page, 2 * page, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  CHECK(over == reserved + 3 * page && is_all(over, 0, 2 * page) && bytes[0] == 'F');
  over[0] = 'o';
  CHECK(byte_at(fd, 2 * (off_t) page) == 'f');
  CHECK(munmap(reserved + 5 * page, page) == 0);
  char *free = mmap(reserved + 5 * page, page, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  CHECK(free == reserved + 5 * page);
  /* A hint is followed where nothing is mapped. */
  CHECK(munmap(free, page) == 0);
  CHECK(mmap(free, page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == free);
  char *elsewhere = mmap(free, page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(elsewhere != MAP_FAILED && elsewhere != free);
  CHECK(munmap(elsewhere, page) == 0);
  CHECK(munmap(reserved, 8 * page) == 0);
  FAILS(EINVAL, mmap(reserved + 1, page, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
  /* The program's other memory is not replaced. */
  static char own[1 << 18];
  char *aligned = own + (page - (size_t) own % page);
  memset(own, 'o', sizeof own);
  FAILS(ENOMEM, mmap(aligned, page, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
  FAILS(ENOMEM, mmap(NULL, page, RW, MAP_SHARED | MAP_FIXED, fd, 0));
  CHECK(is_all(own, 'o', sizeof own));
  CHECK(close(fd) == 0);
}

static void anonymous_memory(void) {
  char *bytes = mmap(NULL, 3 * page + 1, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(bytes != MAP_FAILED && is_all(bytes, 0, 4 * page));
  memset(bytes, 'x', 4 * page);
  CHECK(msync(bytes, 4 * page, MS_SYNC) == 0);
  CHECK(madvise(bytes + page, page, MADV_DONTNEED) == 0);
  CHECK(is_all(bytes + page, 0, page) && bytes[0] == 'x' && bytes[2 * page] == 'x');
  CHECK(munmap(bytes, 4 * page) == 0);
  bytes = mmap(NULL, 4 * page, RW, MAP_SHARED | MAP_ANONYMOUS, 12345, 0);
  CHECK(bytes != MAP_FAILED && is_all(bytes, 0, 4 * page));
  CHECK(munmap(bytes, 4 * page) == 0);
}

static void validated_flags(void) {
  int fd = new_file("validated", page, 'v');
  char *bytes = map(fd, page, RW, MAP_SHARED_VALIDATE | MAP_POPULATE | MAP_NORESERVE, 0);
  bytes[0] = 'V';
  CHECK(byte_at(fd, 0) == 'V');
  CHECK(munmap(bytes, page) == 0);
  FAILS(ENOTSUP, mmap(NULL, page, RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0));
  FAILS(ENOTSUP, mmap(NULL, page, RW, MAP_SHARED_VALIDATE | 0x200000, fd, 0));
  bytes = map(fd, page, RW, MAP_SHARED | MAP_SYNC, 0);
  CHECK(munmap(bytes, page) == 0 && close(fd) == 0);
}

static void syncing(void) {
  int fd = new_file("sync", 3 * page, 's');
  char *bytes = map(fd, 3 * page, RW, MAP_SHARED, 0);
  bytes[page] = 'S';
  CHECK(msync(bytes + page, 1, MS_ASYNC) == 0);
  CHECK(msync(bytes, 3 * page, MS_SYNC | MS_INVALIDATE) == 0);
  CHECK(msync(bytes, 3 * page, 0) == 0 && msync(bytes, 0, MS_SYNC) == 0);
  FAILS(EINVAL, msync(bytes, page, MS_SYNC | MS_ASYNC));
  FAILS(EINVAL, msync(bytes, page, 8));
  FAILS(EINVAL, msync(bytes + 1, page, MS_SYNC));
  CHECK(wasi_mmap_check(bytes, 3 * page) == 0);
  CHECK(fsync(fd) == 0 && fdatasync(fd) == 0);
  CHECK(munmap(bytes, 3 * page) == 0 && close(fd) == 0);
}

static void advice(void) {
  int fd = new_file("advice", 4 * page, 'a');
  char *bytes = map(fd, 4 * page, RW, MAP_SHARED, 0);
  for (int each = MADV_NORMAL; each <= MADV_WILLNEED; each++) {
    CHECK(madvise(bytes, 4 * page, each) == 0);
    CHECK(posix_madvise(bytes, 4 * page, each) == 0);
  }
  bytes[0] = 'A';
  CHECK(madvise(bytes, 4 * page, MADV_DONTNEED) == 0 && bytes[0] == 'A');
  CHECK(madvise(bytes, 4 * page, MADV_FREE) == 0 && bytes[0] == 'A');
  CHECK(madvise(bytes, page, MADV_HUGEPAGE) == 0 && madvise(bytes, page, MADV_POPULATE_WRITE) == 0);
  CHECK(madvise(bytes + page, page, MADV_REMOVE) == 0);
  CHECK(is_all(bytes + page, 0, page) && byte_at(fd, (off_t) page) == 0 && byte_at(fd, 2 * (off_t) page) == 'a');
  FAILS(EINVAL, madvise(bytes, page, 1000));
  FAILS(EINVAL, madvise(bytes, page, MADV_WILLNEED + 2));
  FAILS(EINVAL, madvise(bytes + 1, page, MADV_NORMAL));
  CHECK(posix_madvise(bytes, page, 77) == EINVAL && posix_madvise(bytes + 8 * page, 0, 0) == 0);
  CHECK(munmap(bytes, 4 * page) == 0);
  CHECK(posix_madvise(bytes, page, POSIX_MADV_DONTNEED) == ENOMEM && posix_madvise(bytes, page, POSIX_MADV_NORMAL) == ENOMEM);
  CHECK(close(fd) == 0);
}

static void residence(void) {
  unsigned char found[4] = {9, 9, 9, 9};
  char *bytes = mmap(NULL, 4 * page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(mincore(bytes, 3 * page - 1, found) == 0);
  CHECK(found[0] == 1 && found[1] == 1 && found[2] == 1 && found[3] == 9);
  FAILS(EINVAL, mincore(bytes + 1, page, found));
  CHECK(munmap(bytes + page, page) == 0);
  FAILS(ENOMEM, mincore(bytes, 3 * page, found));
  CHECK(munmap(bytes, 4 * page) == 0);
  /* No page can be kept in memory, and no program is told that one is. */
  char heap[64];
  FAILS(EPERM, mlock(heap, sizeof heap));
  FAILS(EPERM, mlock2(heap, sizeof heap, MLOCK_ONFAULT));
  FAILS(EPERM, mlockall(MCL_CURRENT));
  CHECK(munlock(heap, sizeof heap) == 0 && munlockall() == 0);
  FAILS(ENOMEM, mlock((void *) (uintptr_t) 0xfffff000u, 4096));
  FAILS(ENOMEM, munlock((void *) (uintptr_t) 0xfffff000u, 8192));
}

static void remapping(void) {
  /* Memory. */
  char *bytes = mmap(NULL, 2 * page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(bytes, 'm', 2 * page);
  char *longer = mremap(bytes, 2 * page, 6 * page, MREMAP_MAYMOVE);
  CHECK(longer != MAP_FAILED && is_all(longer, 'm', 2 * page) && is_all(longer + 2 * page, 0, 4 * page));
  CHECK(mremap(longer, 6 * page, 2 * page, 0) == longer);
  char *behind = mmap(longer + 2 * page, page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(behind == longer + 2 * page);
  FAILS(ENOMEM, mremap(longer, 2 * page, 3 * page, 0));
  char *moved = mremap(longer, 2 * page, 3 * page, MREMAP_MAYMOVE);
  CHECK(moved != MAP_FAILED && moved != longer && is_all(moved, 'm', 2 * page) && moved[2 * page] == 0);
  char *fixed = mremap(moved, 3 * page, 3 * page, MREMAP_MAYMOVE | MREMAP_FIXED, longer);
  CHECK(fixed == longer && is_all(fixed, 'm', 2 * page));
  FAILS(EFAULT, mremap(moved, page, 2 * page, MREMAP_MAYMOVE));
  FAILS(EINVAL, mremap(fixed + 1, page, 2 * page, MREMAP_MAYMOVE));
  FAILS(EINVAL, mremap(fixed, page, 0, MREMAP_MAYMOVE));
  FAILS(EINVAL, mremap(fixed, 0, page, MREMAP_MAYMOVE));
  FAILS(EINVAL, mremap(fixed, page, page, 8));
  FAILS(EINVAL, mremap(fixed, page, page, MREMAP_FIXED, moved));
  FAILS(EINVAL, mremap(fixed, 2 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED, fixed + page));
  CHECK(munmap(fixed, 3 * page) == 0);
  /* A file. */
  int fd = new_file("remap", 6 * page, 'f');
  bytes = map(fd, 2 * page, RW, MAP_SHARED, 0);
  bytes[page] = 'S';
  longer = mremap(bytes, 2 * page, 6 * page, MREMAP_MAYMOVE);
  CHECK(longer != MAP_FAILED && longer[page] == 'S' && longer[5 * page] == 'f');
  longer[5 * page] = 'L';
  CHECK(byte_at(fd, 5 * (off_t) page) == 'L' && byte_at(fd, (off_t) page) == 'S');
  behind = mmap(longer + 6 * page, page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  moved = mremap(longer, 6 * page, 7 * page, MREMAP_MAYMOVE);
  CHECK(moved != MAP_FAILED && moved[5 * page] == 'L' && moved[page] == 'S');
  moved[2 * page] = 'M';
  CHECK(byte_at(fd, 2 * (off_t) page) == 'M');
  CHECK(munmap(moved, 7 * page) == 0 && munmap(behind, page) == 0);
  /* Private pages. */
  bytes = map(fd, 4 * page, RW, MAP_PRIVATE, 0);
  bytes[0] = 'P';
  bytes[3 * page] = 'Q';
  behind = mmap(bytes + 4 * page, page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  moved = mremap(bytes, 4 * page, 6 * page, MREMAP_MAYMOVE);
  CHECK(moved != MAP_FAILED && moved[0] == 'P' && moved[3 * page] == 'Q' && moved[5 * page] == 'L' && moved[1] == 'f');
  CHECK(byte_at(fd, 0) == 'f');
  CHECK(mremap(moved, 6 * page, page, 0) == moved && moved[0] == 'P');
  CHECK(munmap(moved, page) == 0 && munmap(behind, page) == 0);
  CHECK(close(fd) == 0);
}

static void maps_beyond_the_end(void) {
  int fd = new_file("growing", page + 10, 'g');
  char *bytes = map(fd, 64 * page, RW, MAP_SHARED, 0), *other = map(fd, 64 * page, PROT_READ, MAP_SHARED, 0);
  CHECK((bytes != other) == has_pages && munmap(other, 64 * page) == 0);
  CHECK(is_all(bytes + page + 10, 0, 63 * page - 10));
  CHECK(pwrite(fd, "end", 3, 20 * (off_t) page) == 3);
  CHECK(!memcmp(bytes + 20 * page, "end", 3) && bytes[page] == 'g');
  CHECK(ftruncate(fd, 64 * (off_t) page) == 0);
  bytes[63 * page] = 'G';
  CHECK(byte_at(fd, 63 * (off_t) page) == 'G');
  CHECK(msync(bytes, 64 * page, MS_SYNC) == 0);
  CHECK(ftruncate(fd, (off_t) page) == 0);
  CHECK(is_all(bytes + page, 0, 63 * page));
  CHECK(ftruncate(fd, 4 * (off_t) page) == 0);
  bytes[3 * page] = '3';
  CHECK(byte_at(fd, 3 * (off_t) page) == '3');
  CHECK(munmap(bytes, 64 * page) == 0);
  /* An empty file, and a part that begins past the end. */
  CHECK(ftruncate(fd, 0) == 0);
  bytes = map(fd, 2 * page, RW, MAP_SHARED, 0);
  char *past = map(fd, page, PROT_READ, MAP_SHARED, (off_t) page);
  CHECK(is_all(bytes, 0, 2 * page) && is_all(past, 0, page));
  CHECK(pwrite(fd, "new", 3, (off_t) page) == 3);
  CHECK(!memcmp(bytes + page, "new", 3) && !memcmp(past, "new", 3));
  CHECK(munmap(bytes, 2 * page) == 0 && munmap(past, page) == 0);
  bytes = map(fd, 4 * page, PROT_READ, MAP_PRIVATE, 0);
  CHECK(!memcmp(bytes + page, "new", 3) && is_all(bytes + 2 * page, 0, 2 * page));
  CHECK(munmap(bytes, 4 * page) == 0 && close(fd) == 0);
}

static void memory_with_a_name(void) {
  FAILS(EINVAL, shm_open("/", O_RDWR, 0600));
  FAILS(EINVAL, shm_open("/a/b", O_RDWR, 0600));
  FAILS(EINVAL, shm_open("..", O_RDWR, 0600));
  char name[300];
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = 0;
  FAILS(ENAMETOOLONG, shm_open(name, O_RDWR, 0600));
  FAILS(ENOENT, shm_open("/wasi-mmap-test", O_RDWR, 0600));
  int fd = shm_open("/wasi-mmap-test", O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(fd >= 0);
  FAILS(EEXIST, shm_open("/wasi-mmap-test", O_RDWR | O_CREAT | O_EXCL, 0600));
  CHECK(ftruncate(fd, (off_t) page) == 0);
  char *bytes = map(fd, page, RW, MAP_SHARED, 0);
  strcpy(bytes, "shared");
  int other = shm_open("wasi-mmap-test", O_RDONLY, 0);
  char *again = map(other, page, PROT_READ, MAP_SHARED, 0);
  CHECK(!strcmp(again, "shared"));
  CHECK(shm_unlink("/wasi-mmap-test") == 0);
  FAILS(ENOENT, shm_unlink("/wasi-mmap-test"));
  CHECK(munmap(bytes, page) == 0 && munmap(again, page) == 0 && close(fd) == 0 && close(other) == 0);
}

static void many_cycles(void) {
  int fd = new_file("cycles", 8 * page, 'c');
  char *first = map(fd, 8 * page, RW, MAP_SHARED, 0);
  CHECK(munmap(first, 8 * page) == 0);
  size_t before = __builtin_wasm_memory_size(0);
  long wrong = 0;
  for (int round = 0; round < 100000; round++) {
    size_t length = page * (size_t) (1 + round % 8);
    if (round % 50 == 0) {
      char *bytes = mmap(NULL, length, RW, round % 100 ? MAP_SHARED : MAP_PRIVATE, fd, 0);
      if (bytes == MAP_FAILED || bytes[length - 1] != 'c') wrong++;
      if (length > 2 * page && munmap(bytes + page, page) != 0) wrong++;
      if (munmap(bytes, length) != 0) wrong++;
    } else {
      char *one = mmap(NULL, length, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      char *two = mmap(NULL, page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (one[length - 1] || two[0]) wrong++;
      one[length - 1] = two[0] = 1;
      if (munmap(one, length) != 0 || munmap(two, page) != 0) wrong++;
    }
  }
  CHECK(wrong == 0);
  /* At most the tables of the library, which is less than the memory of one round in a hundred. */
  CHECK(__builtin_wasm_memory_size(0) - before <= 16);
  CHECK(close(fd) == 0);
}

int main(int argc, char **argv) {
  begin(argc, argv);
  page = (size_t) getpagesize();
  page_size();
  map_and_file_are_one();
  two_maps_are_one();
  maps_outlive_everything();
  private_stays_private();
  private_of_a_read_only_file();
  parts_are_unmapped();
  protection();
  fixed_addresses();
  anonymous_memory();
  validated_flags();
  syncing();
  advice();
  residence();
  remapping();
  maps_beyond_the_end();
  memory_with_a_name();
  many_cycles();
  /* What is never unmapped reaches the file when the program ends. */
  int fd = new_file("left", page, 'l');
  map(fd, page, RW, MAP_SHARED, 0)[0] = 'L';
  return end();
}
