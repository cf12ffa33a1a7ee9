/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon that only plays takes from the system: the time, and its own end
 * when something fails that a test cannot mend.
 */
#ifndef FAKE_UTIL_H
#define FAKE_UTIL_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline void check(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "fake-hotplugd: %s: %s\n", what, strerror(-r));
	exit(EXIT_FAILURE);
}

static inline uint64_t now_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

#endif
