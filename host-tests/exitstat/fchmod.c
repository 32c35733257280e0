// SPDX-License-Identifier: GPL-2.0-only
/*
 * To be preloaded: a file system that has no modes
 */
#include <errno.h>
#include <sys/stat.h>

int fchmod(int fd, mode_t mode)
{
	(void)fd;
	(void)mode;
	errno = EPERM;
	return -1;
}
