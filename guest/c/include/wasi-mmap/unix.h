/* Makes a program that asks for its system take a plugin for a Unix, and has what such programs call and wasi-libc
   lacks. Included before the program's own text: clang -include wasi-mmap/unix.h

   A plugin has no users and no permissions of files, and signals do not reach it: what would change them fails. */
#ifndef _WASI_MMAP_UNIX_H
#define _WASI_MMAP_UNIX_H

/* Signals within the program, such as those of raise(3), are emulated by wasi-libc. */
#ifndef _WASI_EMULATED_SIGNAL
#define _WASI_EMULATED_SIGNAL
#endif

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* The headers above need it, and must have been read before the program looks. */
#undef __wasi__

#ifdef __cplusplus
extern "C" {
#endif

/* One number for all sources of the program, different from those of other plugins: LMDB locks a byte with it. */
__attribute__((weak)) pid_t wasi_mmap_pid;

static inline pid_t wasi_mmap_getpid(void) {
    if (wasi_mmap_pid == 0) {
        unsigned number = 0;
        if (getentropy(&number, sizeof number) != 0) {
            abort();
        }
        wasi_mmap_pid = (pid_t)((number & 0x3fffffff) | 0x40000000);
    }
    return wasi_mmap_pid;
}
#define getpid wasi_mmap_getpid

static inline int wasi_mmap_fails(void) {
    errno = ENOSYS;
    return -1;
}

/* Not the superuser, who could change owners. */
static inline uid_t wasi_mmap_geteuid(void) { return 1000; }
static inline int wasi_mmap_fchown(int file, uid_t user, gid_t group) {
    (void)file, (void)user, (void)group;
    return wasi_mmap_fails();
}
static inline int wasi_mmap_chown(const char *path, uid_t user, gid_t group) {
    (void)path, (void)user, (void)group;
    return wasi_mmap_fails();
}
static inline int wasi_mmap_fchmod(int file, mode_t mode) {
    (void)file, (void)mode;
    return wasi_mmap_fails();
}
static inline int wasi_mmap_chmod(const char *path, mode_t mode) {
    (void)path, (void)mode;
    return wasi_mmap_fails();
}
#define geteuid wasi_mmap_geteuid
#define fchown wasi_mmap_fchown
#define chown wasi_mmap_chown
#define fchmod wasi_mmap_fchmod
#define chmod wasi_mmap_chmod

#ifndef SIG_BLOCK
#define SIG_BLOCK   0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2
typedef unsigned long wasi_mmap_sigset_t;
#define sigset_t wasi_mmap_sigset_t
static inline int wasi_mmap_sigemptyset(sigset_t *set) {
    *set = 0;
    return 0;
}
static inline int wasi_mmap_sigaddset(sigset_t *set, int number) {
    *set |= 1ul << (number - 1);
    return 0;
}
/* There is nothing to block and nothing to wait for. */
static inline int wasi_mmap_sigmask(int how, const sigset_t *set, sigset_t *old) {
    (void)how, (void)set;
    if (old) {
        *old = 0;
    }
    return 0;
}
static inline int wasi_mmap_sigwait(const sigset_t *set, int *number) {
    (void)set, (void)number;
    return ENOSYS;
}
#define sigemptyset wasi_mmap_sigemptyset
#define sigaddset wasi_mmap_sigaddset
#define pthread_sigmask wasi_mmap_sigmask
#define sigprocmask wasi_mmap_sigmask
#define sigwait wasi_mmap_sigwait
#endif

#ifdef __cplusplus
}
#endif

#endif
