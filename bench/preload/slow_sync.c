// Adds SLOW_SYNC_US microseconds to each sync of a peer that uses the C library.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void wait_first(void) {
	const char *us = getenv("SLOW_SYNC_US");
	long n = us ? atol(us) : 0;
	struct timespec t = {n / 1000000, (n % 1000000) * 1000};
	if (n > 0) nanosleep(&t, 0);
}

int fsync(int fd) {
	static int (*real)(int);
	if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
	wait_first();
	return real(fd);
}

int fdatasync(int fd) {
	static int (*real)(int);
	if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	wait_first();
	return real(fd);
}
