/**
 * Errors by their C names. A function that can fail returns one of these or its own success value;
 * nothing throws for a condition that the kernel reports by errno.
 */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  ENOSYS: 38,
} as const;

export type Errno = keyof typeof ERRNO;
