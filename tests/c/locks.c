/* Locks on files. */
#include "check.h"
#include <sys/file.h>

static struct flock lock_of(short kind, off_t start, off_t length) {
  return (struct flock){.l_type = kind, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

static int control(int fd, int command, short kind, off_t start, off_t length) {
  struct flock lock = lock_of(kind, start, length);
  return fcntl(fd, command, &lock);
}

/* Returns the kind of the lock that excludes another one. */
static short found(int fd, int command, short kind, off_t start, off_t length) {
  struct flock lock = lock_of(kind, start, length);
  CHECK(fcntl(fd, command, &lock) == 0);
  return lock.l_type;
}

static int again(const char *name, int flags) {
  int fd = open(path_of(name), flags);
  CHECK(fd >= 0);
  return fd;
}

/* Locks of the program do not exclude each other, whatever descriptor they are made with. */
static void locks_of_the_program(void) {
  int one = new_file("locks", 1000, 'l'), two = again("locks", O_RDWR), three = again("locks", O_RDONLY);
  CHECK(control(three, F_SETLK, F_RDLCK, 0, 100) == 0);
  CHECK(control(one, F_SETLK, F_WRLCK, 0, 50) == 0);
  CHECK(control(two, F_SETLKW, F_WRLCK, 0, 100) == 0);
  CHECK(found(two, F_GETLK, F_WRLCK, 0, 0) == F_UNLCK);
  /* Those of an open file do. */
  FAILS(EAGAIN, control(two, F_OFD_SETLK, F_RDLCK, 99, 1));
  CHECK(found(two, F_OFD_GETLK, F_RDLCK, 99, 1) == F_WRLCK);
  CHECK(control(two, F_OFD_SETLK, F_RDLCK, 100, 1) == 0);
  /* What one has locked, another unlocks. */
  CHECK(control(three, F_SETLK, F_UNLCK, 20, 80) == 0);
  CHECK(control(two, F_OFD_SETLK, F_RDLCK, 20, 1) == 0);
  FAILS(EAGAIN, control(two, F_OFD_SETLK, F_RDLCK, 19, 1));
  CHECK(control(one, F_SETLK, F_WRLCK, 200, 0) == 0);
  FAILS(EAGAIN, control(two, F_OFD_SETLK, F_RDLCK, (off_t) 1 << 40, 1));
  /* A file that is closed takes all of them with it, and its own. */
  CHECK(close(three) == 0);
  CHECK(control(two, F_OFD_SETLK, F_WRLCK, 0, 0) == 0);
  FAILS(EAGAIN, control(one, F_SETLK, F_RDLCK, 500, 1));
  CHECK(close(two) == 0);
  CHECK(control(one, F_SETLK, F_RDLCK, 500, 1) == 0);
  CHECK(close(one) == 0);
}

static void ranges(void) {
  int one = new_file("ranges", 1000, 'r'), two = again("ranges", O_RDWR);
  struct flock lock = lock_of(F_WRLCK, 10, -5);
  CHECK(fcntl(one, F_SETLK, &lock) == 0);
  lock = lock_of(F_RDLCK, 0, 0);
  CHECK(fcntl(two, F_OFD_GETLK, &lock) == 0);
  CHECK(lock.l_type == F_WRLCK && lock.l_whence == SEEK_SET && lock.l_start == 5 && lock.l_len == 5 && lock.l_pid == -1);
  lock = lock_of(F_WRLCK, -10, 10);
  lock.l_whence = SEEK_END;
  CHECK(fcntl(one, F_SETLK, &lock) == 0);
  CHECK(found(two, F_OFD_GETLK, F_RDLCK, 990, 1) == F_WRLCK && found(two, F_OFD_GETLK, F_RDLCK, 1000, 1) == F_UNLCK);
  CHECK(lseek(one, 700, SEEK_SET) == 700);
  lock.l_whence = SEEK_CUR;
  CHECK(fcntl(one, F_SETLK, &lock) == 0);
  CHECK(found(two, F_OFD_GETLK, F_RDLCK, 690, 1) == F_WRLCK && found(two, F_OFD_GETLK, F_RDLCK, 689, 1) == F_UNLCK);
  CHECK(control(one, F_SETLK, F_WRLCK, INT64_MAX, 1) == 0);
  CHECK(found(two, F_OFD_GETLK, F_RDLCK, INT64_MAX, 0) == F_WRLCK);
  FAILS(EINVAL, control(one, F_SETLK, F_WRLCK, -1, 1));
  FAILS(EINVAL, control(one, F_SETLK, F_WRLCK, 5, -6));
  FAILS(EOVERFLOW, control(one, F_SETLK, F_WRLCK, INT64_MAX, 2));
  FAILS(EINVAL, control(one, F_SETLK, 7, 0, 1));
  FAILS(EINVAL, control(one, F_GETLK, F_UNLCK, 0, 1));
  lock = lock_of(F_WRLCK, 0, 1);
  lock.l_whence = 9;
  FAILS(EINVAL, fcntl(one, F_SETLK, &lock));
  lock = lock_of(F_WRLCK, 0, 1);
  lock.l_pid = 1;
  FAILS(EINVAL, fcntl(one, F_OFD_SETLK, &lock));
  CHECK(close(one) == 0 && close(two) == 0);
}

static void whole_files(void) {
  int one = new_file("whole", 10, 'w'), two = again("whole", O_RDWR);
  CHECK(flock(one, LOCK_SH) == 0 && flock(two, LOCK_SH | LOCK_NB) == 0);
  FAILS(EWOULDBLOCK, flock(two, LOCK_EX | LOCK_NB));
  CHECK(flock(one, LOCK_UN) == 0 && flock(two, LOCK_EX | LOCK_NB) == 0);
  FAILS(EWOULDBLOCK, flock(one, LOCK_SH | LOCK_NB));
  /* The two kinds know nothing of each other. */
  CHECK(control(one, F_SETLK, F_WRLCK, 0, 0) == 0);
  CHECK(close(two) == 0);
  CHECK(flock(one, LOCK_EX) == 0 && flock(one, LOCK_UN) == 0 && flock(one, LOCK_UN) == 0);
  FAILS(EINVAL, flock(one, 0));
  FAILS(EINVAL, flock(one, LOCK_SH | LOCK_EX));
  CHECK(close(one) == 0);
}

static void from_the_position(void) {
  int one = new_file("position", 1000, 'p'), two = again("position", O_RDWR);
  CHECK(lseek(one, 100, SEEK_SET) == 100 && lockf(one, F_LOCK, 50) == 0);
  CHECK(found(two, F_OFD_GETLK, F_RDLCK, 149, 1) == F_WRLCK && found(two, F_OFD_GETLK, F_RDLCK, 150, 0) == F_UNLCK);
  CHECK(lockf(one, F_TEST, 0) == 0 && lockf(one, F_TLOCK, -100) == 0);
  CHECK(control(two, F_OFD_SETLK, F_WRLCK, 200, 10) == 0);
  FAILS(EACCES, lockf(one, F_TEST, 0));
  FAILS(EAGAIN, lockf(one, F_TLOCK, 0));
  CHECK(lockf(one, F_ULOCK, 0) == 0 && control(two, F_OFD_SETLK, F_WRLCK, 120, 10) == 0);
  FAILS(EINVAL, lockf(one, 9, 0));
  CHECK(close(one) == 0 && close(two) == 0);
}

static void rights(void) {
  int both = new_file("rights", 10, 'r'), reads = again("rights", O_RDONLY), writes = again("rights", O_WRONLY);
  FAILS(EBADF, control(reads, F_SETLK, F_WRLCK, 0, 1));
  FAILS(EBADF, control(writes, F_SETLK, F_RDLCK, 0, 1));
  FAILS(EBADF, control(reads, F_OFD_SETLK, F_WRLCK, 0, 1));
  FAILS(EBADF, lockf(reads, F_LOCK, 1));
  CHECK(control(writes, F_SETLK, F_WRLCK, 0, 5) == 0 && control(both, F_SETLK, F_RDLCK, 2, 5) == 0);
  CHECK(found(reads, F_OFD_GETLK, F_RDLCK, 0, 1) == F_WRLCK && found(reads, F_OFD_GETLK, F_RDLCK, 2, 1) == F_UNLCK);
  CHECK(found(reads, F_OFD_GETLK, F_WRLCK, 6, 1) == F_RDLCK);
  CHECK(close(both) == 0 && close(reads) == 0 && close(writes) == 0);
}

static void not_files(void) {
  FAILS(EBADF, control(-1, F_SETLK, F_WRLCK, 0, 1));
  FAILS(EBADF, control(999, F_SETLK, F_WRLCK, 0, 1));
  FAILS(EBADF, flock(999, LOCK_SH));
  FAILS(EINVAL, control(1, F_SETLK, F_WRLCK, 0, 1));
  int directory = open(folder, O_RDONLY | O_DIRECTORY);
  FAILS(EINVAL, control(directory, F_SETLK, F_RDLCK, 0, 1));
  CHECK(close(directory) == 0);
  FAILS(EBADF, control(directory, F_SETLK, F_RDLCK, 0, 1));
}

/* All other commands are those of the C library. */
static void other_commands(void) {
  int fd = new_file("other", 10, 'o');
  CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
  CHECK(fcntl(fd, F_SETFL, O_APPEND) == 0 && (fcntl(fd, F_GETFL) & O_APPEND) == O_APPEND);
  FAILS(EINVAL, fcntl(fd, 4711));
  CHECK(close(fd) == 0);
  FAILS(EBADF, fcntl(fd, F_GETFL));
}

/* Where there are no locks, none is granted, unless the program was compiled for that. */
static void no_locks(bool pretends) {
  int fd = new_file("none", 10, 'n');
  int expected = pretends ? 0 : -1;
  CHECK(control(fd, F_SETLK, F_WRLCK, 0, 1) == expected);
  if (!pretends) CHECK(errno == ENOLCK);
  CHECK(control(fd, F_OFD_SETLKW, F_RDLCK, 0, 1) == expected);
  CHECK(flock(fd, LOCK_EX) == expected && lockf(fd, F_LOCK, 1) == expected);
  if (!pretends) FAILS(ENOLCK, lockf(fd, F_TEST, 1));
  if (pretends) CHECK(found(fd, F_GETLK, F_WRLCK, 0, 1) == F_UNLCK);
  FAILS(EBADF, control(-1, F_SETLK, F_WRLCK, 0, 1));
  FAILS(EINVAL, flock(fd, 0));
  CHECK(close(fd) == 0);
}

/* Where there are locks, and mappings are copies, a program has the one or the other: who locks a file believes to see
   what the last owner has stored. */
/* `refused` is the reason for which there is no shared copy beside locks. */
static void locks_or_copies(int refused) {
  int fd = new_file("either", 10, 'e'), other = new_file("or", 10, 'o');
  char *shared = mmap(NULL, 10, PROT_READ, MAP_SHARED, fd, 0);
  CHECK(shared != MAP_FAILED);
  FAILS(ENOLCK, control(other, F_SETLK, F_WRLCK, 0, 1));
  FAILS(ENOLCK, flock(other, LOCK_SH));
  CHECK(munmap(shared, 10) == 0);
  CHECK(control(other, F_SETLK, F_WRLCK, 0, 1) == 0);
  FAILS(refused, mmap(NULL, 10, PROT_READ, MAP_SHARED, fd, 0));
  char *private = mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK(private != MAP_FAILED && private[9] == 'e');
  FAILS(EAGAIN, control(other, F_OFD_SETLK, F_RDLCK, 0, 1));
  CHECK(munmap(private, 10) == 0 && close(other) == 0);
  shared = mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(shared != MAP_FAILED && shared[9] == 'e');
  CHECK(munmap(shared, 10) == 0 && close(fd) == 0);
}

int main(int argc, char **argv) {
  begin(argc, argv);
  bool is_limit = !strcmp(argv[2], "locks-or-limited-copies");
  if (is_limit || !strcmp(argv[2], "locks-or-copies")) {
    locks_or_copies(is_limit ? ENOMEM : ENODEV);
    return end();
  }
  other_commands();
  if (!has_pages) {
#ifdef WASI_MMAP_PRETEND_LOCKS
    no_locks(true);
#else
    no_locks(false);
#endif
    return end();
  }
  locks_of_the_program();
  ranges();
  whole_files();
  from_the_position();
  rights();
  not_files();
  return end();
}
