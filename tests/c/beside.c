/* A program beside another process, which uses the same files: it does what it reads on standard input, and says when
   it is done. */
#include "check.h"
#include <sys/file.h>

int main(int argc, char **argv) {
  begin(argc, argv);
  size_t page = (size_t) getpagesize();
  int fd = open(path_of("beside"), O_RDWR);
  CHECK(fd >= 0);
  char *bytes = mmap(NULL, 64 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(bytes != MAP_FAILED);
  char command[32];
  unsigned long at, length;
  while (scanf("%31s %lu %lu", command, &at, &length) == 3) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t) at, .l_len = (off_t) length};
    if (!strcmp(command, "load")) {
      printf("%d", bytes[at]);
    } else if (!strcmp(command, "store")) {
      bytes[at] = (char) length;
    } else if (!strcmp(command, "lock")) {
      printf("%d", fcntl(fd, F_SETLK, &lock) == 0 ? 0 : errno);
    } else if (!strcmp(command, "wait")) {
      printf("%d", fcntl(fd, F_SETLKW, &lock));
    } else if (!strcmp(command, "unlock")) {
      lock.l_type = F_UNLCK;
      printf("%d", fcntl(fd, F_SETLK, &lock));
    } else if (!strcmp(command, "test")) {
      printf("%d", fcntl(fd, F_GETLK, &lock) ? -1 : lock.l_type);
    } else if (!strcmp(command, "flock")) {
      printf("%d", flock(fd, (int) at) == 0 ? 0 : errno);
    }
    printf("\n");
    fflush(stdout);
  }
  CHECK(munmap(bytes, 64 * page) == 0 && close(fd) == 0);
  return end();
}
