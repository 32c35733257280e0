// SPDX-License-Identifier: GPL-2.0-only
/*
 * To be preloaded: a system that has no room for another thread
 */
#include <errno.h>
#include <pthread.h>

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
		   void *argument)
{
	(void)thread;
	(void)attr;
	(void)start;
	(void)argument;
	return EAGAIN;
}
