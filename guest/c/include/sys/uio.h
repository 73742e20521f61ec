/* <sys/uio.h> of wasi-libc, whose functions read or write the first part alone. */
#include_next <sys/uio.h>

#ifndef _WASI_MMAP_SYS_UIO_H
#define _WASI_MMAP_SYS_UIO_H

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

ssize_t readv(int, const struct iovec *, int) __asm__("wasi_mmap_readv");
ssize_t writev(int, const struct iovec *, int) __asm__("wasi_mmap_writev");
ssize_t preadv(int, const struct iovec *, int, off_t) __asm__("wasi_mmap_preadv");
ssize_t pwritev(int, const struct iovec *, int, off_t) __asm__("wasi_mmap_pwritev");

#ifdef __cplusplus
}
#endif

#endif
