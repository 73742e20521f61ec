/* Makes a file upper case, in its own pages. */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

int main(int argc, char **argv) {
  struct stat status;
  int file = argc > 1 ? open(argv[1], O_RDWR) : -1;
  if (file < 0 || fstat(file, &status)) return perror("open"), 1;
  char *text = mmap(NULL, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (text == MAP_FAILED) return perror("mmap"), 1;
  for (off_t at = 0; at < status.st_size; at++) text[at] = toupper(text[at]);
  if (msync(text, status.st_size, MS_SYNC)) return perror("msync"), 1;
  return 0;
}
