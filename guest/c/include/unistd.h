/* <unistd.h> of wasi-libc, with the size of a page that mappings have, and with locks. */
#include_next <unistd.h>

#ifndef _WASI_MMAP_UNISTD_H
#define _WASI_MMAP_UNISTD_H

#ifndef F_ULOCK
#define F_ULOCK 0
#define F_LOCK  1
#define F_TLOCK 2
#define F_TEST  3
#endif

#ifdef __cplusplus
extern "C" {
#endif

int getpagesize(void) __asm__("wasi_mmap_getpagesize");
long sysconf(int) __asm__("wasi_mmap_sysconf");

#ifdef WASI_MMAP_PRETEND_LOCKS
int lockf(int, int, off_t) __asm__("wasi_mmap_lockf_pretending");
#else
int lockf(int, int, off_t) __asm__("wasi_mmap_lockf");
#endif

#ifdef __cplusplus
}
#endif

#endif
