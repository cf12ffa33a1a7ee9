/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random numbers that a seed brings back.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/* splitmix64 */
static inline uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static inline unsigned int below(uint64_t *state, unsigned int n)
{
	return (unsigned int)(next_random(state) % n);
}

static inline bool chance(uint64_t *state, unsigned int percent)
{
	return below(state, 100) < percent;
}

#endif
