/* <fcntl.h> of wasi-libc, and what it lacks for locks. */
#include_next <fcntl.h>

#ifndef _WASI_MMAP_FCNTL_H
#define _WASI_MMAP_FCNTL_H

#undef F_GETLK
#undef F_SETLK
#undef F_SETLKW
#undef F_OFD_GETLK
#undef F_OFD_SETLK
#undef F_OFD_SETLKW
#undef F_RDLCK
#undef F_WRLCK
#undef F_UNLCK
#define F_GETLK      12
#define F_SETLK      13
#define F_SETLKW     14
#define F_OFD_GETLK  36
#define F_OFD_SETLK  37
#define F_OFD_SETLKW 38

#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2

#ifdef __cplusplus
extern "C" {
#endif

/* With WASI_MMAP_PRETEND_LOCKS, locks are granted where there are none, such as on a host that does not know
   wasi-mmap: only for a program that shares its files with no other. */
#ifdef WASI_MMAP_PRETEND_LOCKS
int fcntl(int, int, ...) __asm__("wasi_mmap_fcntl_pretending");
#else
int fcntl(int, int, ...) __asm__("wasi_mmap_fcntl");
#endif

#ifdef __cplusplus
}
#endif

#endif
