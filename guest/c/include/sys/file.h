/* <sys/file.h>, which wasi-libc lacks. */
#ifndef _SYS_FILE_H
#define _SYS_FILE_H

#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

#define L_SET  0
#define L_INCR 1
#define L_XTND 2

#ifdef __cplusplus
extern "C" {
#endif

#ifdef WASI_MMAP_PRETEND_LOCKS
int flock(int, int) __asm__("wasi_mmap_flock_pretending");
#else
int flock(int, int) __asm__("wasi_mmap_flock");
#endif

#ifdef __cplusplus
}
#endif

#endif
