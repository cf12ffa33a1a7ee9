/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Time spans as people write them in configuration.
 *
 * Responsible for: the notation, as systemd.time(7) has it; libsystemd keeps
 * its parser to itself. Knows nothing of which setting a span is for.
 */
#include <errno.h>
#include <string.h>

#include "base/time-span.h"

static const struct unit {
	const char *names[4];
	uint64_t usec;
} units[] = {
	{ { "us", "usec", "µs", "μs" }, 1 }, /* the micro sign, and the Greek letter */
	{ { "ms", "msec" }, 1000 },
	{ { "s", "sec", "second", "seconds" }, 1000000 },
	{ { "min", "m", "minute", "minutes" }, 60 * 1000000ULL },
	{ { "h", "hr", "hour", "hours" }, 3600 * 1000000ULL },
	{ { "d", "day", "days" }, 24 * 3600 * 1000000ULL },
	{ { "w", "week", "weeks" }, 7 * 24 * 3600 * 1000000ULL },
};

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t");
}

/* The unit at *p, which is moved behind it; 0 when there is none such. */
static uint64_t read_unit(const char **p)
{
	size_t n = strcspn(*p, " \t.+-0123456789");

	if (n == 0)
		return **p == '.' || **p == '+' || **p == '-' ? 0 : 1000000;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		for (size_t j = 0; j < 4 && units[i].names[j]; j++) {
			if (strlen(units[i].names[j]) != n || strncmp(units[i].names[j], *p, n) != 0)
				continue;
			*p += n;
			return units[i].usec;
		}
	}
	return 0;
}

/* Adds a number of units to *usec; the digits behind the point are @fraction,
 * @n_fraction of them. What is less than a microsecond is dropped. */
static int add(uint64_t *usec, uint64_t whole, const char *fraction, size_t n_fraction, uint64_t unit)
{
	uint64_t sum, place = unit;

	if (__builtin_mul_overflow(whole, unit, &sum))
		return -ERANGE;
	for (size_t i = 0; i < n_fraction && place > 0; i++) {
		uint64_t digit = (uint64_t)(fraction[i] - '0');

		sum += digit * place / 10; /* all of them are less than one unit: seen below if that is too much */
		place /= 10;
	}
	if (sum < whole * unit || __builtin_add_overflow(*usec, sum, usec) || *usec == TIME_SPAN_INFINITY)
		return -ERANGE;
	return 0;
}

static int read_whole(const char **p, uint64_t *ret)
{
	for (*ret = 0; **p >= '0' && **p <= '9'; (*p)++)
		if (__builtin_mul_overflow(*ret, 10, ret) || __builtin_add_overflow(*ret, (uint64_t)(**p - '0'), ret))
			return -ERANGE;
	return 0;
}

int time_span_parse(const char *text, uint64_t *ret_usec)
{
	const char *p = skip_blanks(text);
	uint64_t usec = 0;

	if (strncmp(p, "infinity", 8) == 0 && *skip_blanks(p + 8) == '\0') {
		*ret_usec = TIME_SPAN_INFINITY;
		return 0;
	}
	do {
		const char *start = p, *fraction;
		size_t n_digits, n_fraction = 0;
		uint64_t whole, unit;
		int r = read_whole(&p, &whole);

		if (r < 0)
			return r;
		n_digits = (size_t)(p - start);
		fraction = p;
		if (*p == '.') {
			fraction = p + 1;
			n_fraction = strspn(fraction, "0123456789");
			p = fraction + n_fraction;
		}
		if (n_digits + n_fraction == 0)
			return -EINVAL;
		p = skip_blanks(p);
		unit = read_unit(&p);
		if (unit == 0)
			return -EINVAL;
		r = add(&usec, whole, fraction, n_fraction, unit);
		if (r < 0)
			return r;
		p = skip_blanks(p);
	} while (*p);
	*ret_usec = usec;
	return 0;
}
