/* A program beside another process that uses the same file. It does what the file `command-1` says, writes the result
   to `result-1`, then takes `command-2`, and so on, until a command is `end`. */
#include "check.h"
#include <sys/file.h>

static size_t page;
static int fd;
static char *bytes;

static int result_of(const char *command, long at, long length) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = length};
  if (!strcmp(command, "load")) return bytes[at];
  if (!strcmp(command, "store")) return bytes[at] = (char) length;
  if (!strcmp(command, "sync")) return msync(bytes, 64 * page, MS_SYNC);
  if (!strcmp(command, "try")) return fcntl(fd, F_SETLK, &lock) ? errno : 0;
  if (!strcmp(command, "wait")) return fcntl(fd, F_SETLKW, &lock) ? errno : 0;
  if (!strcmp(command, "flock")) return flock(fd, (int) at) ? errno : 0;
  if (!strcmp(command, "test")) return fcntl(fd, F_GETLK, &lock) ? -1 : lock.l_type;
  lock.l_type = F_UNLCK;
  if (!strcmp(command, "unlock")) return fcntl(fd, F_SETLK, &lock) ? errno : 0;
  return -1;
}

int main(int argc, char **argv) {
  begin(argc, argv);
  page = (size_t) getpagesize();
  fd = open(path_of("beside"), O_RDWR);
  CHECK(fd >= 0);
  bytes = mmap(NULL, 64 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(bytes != MAP_FAILED);
  for (int number = 1;; number++) {
    char name[32], command[32] = "", finished[512];
    long at = 0, length = 0;
    snprintf(name, sizeof name, "command-%d", number);
    FILE *file;
    while (!(file = fopen(path_of(name), "r"))) usleep(1000);
    CHECK(fscanf(file, "%31s %ld %ld", command, &at, &length) >= 1);
    fclose(file);
    if (!strcmp(command, "end")) break;
    int result = result_of(command, at, length);
    file = fopen(path_of("unfinished"), "w");
    CHECK(file && fprintf(file, "%d", result) > 0);
    fclose(file);
    snprintf(finished, sizeof finished, "%s/result-%d", folder, number);
    CHECK(rename(path_of("unfinished"), finished) == 0);
  }
  CHECK(munmap(bytes, 64 * page) == 0 && close(fd) == 0);
  return end();
}
