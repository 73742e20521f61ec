/* Ordinary reads and writes, as programs expect them. */
#include "check.h"
#include <sys/uio.h>

/* All parts are read and written, not only the first one. */
static void several_parts(void) {
  int fd = new_file("parts", 0, 0);
  char one[] = "one,", three[] = "three,";
  struct iovec parts[] = {{one, 4}, {NULL, 0}, {three, 6}, {one, 4}};
  CHECK(writev(fd, parts, 4) == 14 && lseek(fd, 0, SEEK_CUR) == 14);
  CHECK(pwritev(fd, parts, 4, 14) == 14 && lseek(fd, 0, SEEK_CUR) == 14);
  char text[32] = "";
  CHECK(pread(fd, text, 28, 0) == 28 && !strcmp(text, "one,three,one,one,three,one,"));
  char first[5] = "", second[9] = "", third[64] = "";
  struct iovec into[] = {{first, 4}, {second, 8}, {third, 60}};
  CHECK(preadv(fd, into, 3, 4) == 24);
  CHECK(!strcmp(first, "thre") && !strcmp(second, "e,one,on") && !strcmp(third, "e,three,one,"));
  CHECK(lseek(fd, 20, SEEK_SET) == 20 && readv(fd, into, 3) == 8 && lseek(fd, 0, SEEK_CUR) == 28);
  CHECK(readv(fd, into, 3) == 0 && readv(fd, into, 0) == 0 && writev(fd, parts, 0) == 0);
  FAILS(EINVAL, writev(fd, parts, -1));
  FAILS(EINVAL, readv(fd, into, 1025));
  struct iovec too_long[] = {{one, SIZE_MAX}, {one, 4}};
  FAILS(EINVAL, pwritev(fd, too_long, 2, 0));
  CHECK(close(fd) == 0);
  FAILS(EBADF, writev(fd, parts, 4));
  FAILS(EBADF, pwritev(999, parts, 4, 0));
  /* More than the host takes at a time. */
  fd = new_file("large", 0, 0);
  size_t length = 3 << 20;
  char *large = malloc(length);
  memset(large, 'L', length);
  struct iovec large_parts[] = {{large, length}, {one, 4}};
  CHECK(writev(fd, large_parts, 2) == (ssize_t) length + 4);
  CHECK(pwritev(fd, large_parts, 2, (off_t) length) == (ssize_t) length + 4);
  CHECK(byte_at(fd, (off_t) length - 1) == 'L' && byte_at(fd, 2 * (off_t) length) == 'o');
  free(large);
  CHECK(close(fd) == 0);
}

/* Parts that lie in a map of the very file. */
static void parts_in_a_map(void) {
  size_t page = (size_t) getpagesize();
  int fd = new_file("map", 2 * page, 'm');
  char *bytes = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(bytes != MAP_FAILED);
  memcpy(bytes, "first second", 12);
  struct iovec parts[] = {{bytes, 5}, {bytes + 6, 6}};
  CHECK(pwritev(fd, parts, 2, (off_t) page) == 11);
  CHECK(!memcmp(bytes + page, "firstsecondm", 12));
  CHECK(pread(fd, bytes + page + 100, 11, (off_t) page) == 11 && !memcmp(bytes + page + 100, "firstsecondm", 12));
  CHECK(byte_at(fd, (off_t) page + 100) == 'f');
  CHECK(munmap(bytes, 2 * page) == 0 && close(fd) == 0);
}

/* Files that are to be safe after each write can be opened, also on hosts that refuse the flags. */
static void durable_writes(void) {
  CHECK(close(new_file("durable", 10, 'd')) == 0);
  static const int flags[] = {O_SYNC, O_DSYNC, O_RSYNC | O_SYNC};
  for (size_t each = 0; each < sizeof flags / sizeof *flags; each++) {
    int fd = open(path_of("durable"), O_RDWR | flags[each]);
    CHECK(fd >= 0);
    CHECK(pwrite(fd, "written", 7, 0) == 7 && write(fd, "more", 4) == 4 && byte_at(fd, 0) == 'm');
    CHECK(close(fd) == 0);
  }
  FAILS(ENOENT, open(path_of("absent"), O_RDWR | O_DSYNC));
  FAILS(EEXIST, open(path_of("durable"), O_RDWR | O_CREAT | O_EXCL | O_SYNC));
}

int main(int argc, char **argv) {
  begin(argc, argv);
  several_parts();
  parts_in_a_map();
  durable_writes();
  return end();
}
