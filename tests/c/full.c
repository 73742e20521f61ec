/* A disk that is full under a shared map: an error, and what had room is in the file. */
#include "check.h"

int main(int argc, char **argv) {
  begin(argc, argv);
  enum { PAGES = 512 };
  size_t page = (size_t) getpagesize();
  /* It has no room for all of its pages. */
  int fd = new_file("sparse", PAGES * page, 0);
  char *bytes = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(bytes != MAP_FAILED);
  for (size_t each = 0; each < PAGES; each++) bytes[each * page] = 'f';
  FAILS(ENOSPC, msync(bytes, PAGES * page, MS_SYNC));
  if (has_pages) FAILS(ENOSPC, wasi_mmap_check(bytes, PAGES * page));
  CHECK(byte_at(fd, 0) == 'f');
  /* A copy keeps what has no room. A window has lost it. */
  if (!has_pages) {
    FAILS(ENOSPC, munmap(bytes, PAGES * page));
    CHECK(bytes[(PAGES - 1) * page] == 'f');
    CHECK(ftruncate(fd, (off_t) page) == 0);
    CHECK(msync(bytes, page, MS_SYNC) == 0);
  }
  CHECK(munmap(bytes, PAGES * page) == 0);
  CHECK(close(fd) == 0 && unlink(path_of("sparse")) == 0);
  return end();
}
