// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Points of time as people write them.
 *
 * Responsible for: the notations of timestamp.h; libsystemd keeps its parser to
 * itself. Reads no clock.
 */
#include <ctype.h>
#include <stdio.h>
#include <time.h>

#include "base/time-span.h"
#include "timestamp.h"
#include "util.h"

/* The digits behind a decimal point, as microseconds; more than six are dropped. */
static const char *read_fraction(const char *p, uint64_t *ret_usec)
{
	uint64_t place = USEC_PER_SEC / 10;

	*ret_usec = 0;
	if (*p != '.' || !isdigit((unsigned char)p[1]))
		return p;
	for (p++; isdigit((unsigned char)*p); p++, place /= 10)
		*ret_usec += (uint64_t)(*p - '0') * place;
	return p;
}

/* "@1795494000.5": seconds since 1970. */
static bool parse_epoch(const char *text, uint64_t *ret_usec)
{
	const uint64_t longest = 1ULL << 40;
	uint64_t seconds = 0, fraction;

	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++) {
		seconds = seconds * 10 + (uint64_t)(*text - '0');
		if (seconds > longest)
			return false;
	}
	text = read_fraction(text, &fraction);
	if (*text)
		return false;
	*ret_usec = seconds * USEC_PER_SEC + fraction;
	return true;
}

static bool parse_ago(const char *text, uint64_t now, uint64_t *ret_usec)
{
	static const char ago[] = " ago";
	_cleanup_free_ char *span = xstrdup(text);
	size_t n = strlen(span);
	uint64_t usec;

	if (*text == '-')
		memmove(span, span + 1, n);
	else if (n > strlen(ago) && streq(span + n - strlen(ago), ago))
		span[n - strlen(ago)] = '\0';
	else
		return false;
	if (time_span_parse(span, &usec) < 0 || usec == TIME_SPAN_INFINITY)
		return false;
	*ret_usec = usec < now ? now - usec : 0;
	return true;
}

static bool to_usec(const struct tm *broken_down, bool utc, uint64_t fraction, uint64_t *ret_usec)
{
	struct tm tm = *broken_down;
	time_t seconds = utc ? timegm(&tm) : mktime(&tm);

	/* There is no 31st of February: mktime() takes it for the 3rd of March. */
	if (seconds < 0 || tm.tm_mday != broken_down->tm_mday || tm.tm_mon != broken_down->tm_mon)
		return false;
	*ret_usec = (uint64_t)seconds * USEC_PER_SEC + fraction;
	return true;
}

/* What a format does not mention stays that of midnight at @today's date. */
static bool parse_date(const char *text, const struct tm *today, uint64_t *ret_usec)
{
	static const char *const formats[] = {
		"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%H:%M:%S", "%H:%M",
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm tm = *today;
		const char *end = strptime(text, formats[i], &tm);
		uint64_t fraction = 0;
		bool utc;

		if (!end)
			continue;
		if (end[-1] != ' ' && strstr(formats[i], "%S"))
			end = read_fraction(end, &fraction);
		utc = *end == 'Z' && strchr(formats[i], 'T');
		if (!end[utc])
			return to_usec(&tm, utc, fraction, ret_usec);
	}
	return false;
}

bool timestamp_parse(const char *text, uint64_t now, uint64_t *ret_usec)
{
	time_t seconds = (time_t)(now / USEC_PER_SEC);
	struct tm today;

	localtime_r(&seconds, &today);
	today.tm_hour = today.tm_min = today.tm_sec = 0;
	today.tm_isdst = -1; /* that of the day in question */

	if (streq(text, "now")) {
		*ret_usec = now;
		return true;
	}
	if (streq(text, "yesterday")) {
		today.tm_mday--;
		seconds = mktime(&today);
		*ret_usec = (uint64_t)seconds * USEC_PER_SEC;
		return seconds >= 0;
	}
	if (streq(text, "today"))
		return to_usec(&today, false, 0, ret_usec);
	if (*text == '@')
		return parse_epoch(text + 1, ret_usec);
	return parse_ago(text, now, ret_usec) || parse_date(text, &today, ret_usec);
}
