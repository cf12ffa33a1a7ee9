// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Small helpers of hpctl: memory, strings, time.
 *
 * Responsible for: what util.h says, and nothing that knows of slots or jobs.
 */
#include <ctype.h>
#include <inttypes.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/names.h"
#include "util.h"

static void *or_die(void *p)
{
	if (p)
		return p;
	fputs("hpctl: out of memory\n", stderr);
	exit(EXIT_CODE_FAILED);
}

void *xrealloc_array(void *p, size_t n, size_t size)
{
	return or_die(reallocarray(p, n ? n : 1, size));
}

void *xcalloc(size_t n, size_t size)
{
	return or_die(calloc(n ? n : 1, size));
}

char *xstrdup(const char *s)
{
	return or_die(strdup(s));
}

char *xvasprintf(const char *format, va_list arguments)
{
	char *s;

	return vasprintf(&s, format, arguments) < 0 ? or_die(NULL) : s;
}

char *xasprintf(const char *format, ...)
{
	va_list arguments;
	char *s;

	va_start(arguments, format);
	s = xvasprintf(format, arguments);
	va_end(arguments);
	return s;
}

void xappend(char **s, const char *format, ...)
{
	_cleanup_free_ char *more = NULL;
	size_t have = *s ? strlen(*s) : 0;
	va_list arguments;

	va_start(arguments, format);
	more = xvasprintf(format, arguments);
	va_end(arguments);
	*s = xrealloc_array(*s, have + strlen(more) + 1, 1);
	strcpy(*s + have, more);
}

void xreplace(char **s, const char *with)
{
	char *copy = xstrdup(with);

	free(*s);
	*s = copy;
}

char **strv_free(char **v)
{
	for (char **s = v; s && *s; s++)
		free(*s);
	free(v);
	return NULL;
}

uint64_t now_monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

char *format_span(uint64_t usec)
{
	uint64_t seconds = usec / USEC_PER_SEC;

	if (seconds == 0)
		return xasprintf("%" PRIu64 "ms", usec / 1000);
	if (seconds < 60)
		return xasprintf("%" PRIu64 "s", seconds);
	if (seconds < 60 * 60)
		return xasprintf("%" PRIu64 "min %" PRIu64 "s", seconds / 60, seconds % 60);
	return xasprintf("%" PRIu64 "h %" PRIu64 "min", seconds / 3600, seconds / 60 % 60);
}

char *without_full_stop(const char *s)
{
	char *copy = xstrdup(s);
	size_t n = strlen(copy);

	while (n > 0 && (copy[n - 1] == '.' || copy[n - 1] == '\n'))
		copy[--n] = '\0';
	return copy;
}

static bool is_of_a_name(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_';
}

bool text_names(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = text; n > 0 && (p = strstr(p, name)); p++)
		if ((p == text || !is_of_a_name(p[-1])) && !is_of_a_name(p[n]))
			return true;
	return false;
}

size_t printable_size(const char *s)
{
	/* By the first byte: the size, and what the second one is at least and at most. */
	static const struct {
		unsigned char first, last, size, min, max;
	} table[] = {
		{ 0x20, 0x7e, 1, 0, 0xff },    { 0xc2, 0xc2, 2, 0xa0, 0xbf }, /* U+0080 to U+009F: CSI and the like */
		{ 0xc3, 0xdf, 2, 0x80, 0xbf }, { 0xe0, 0xe0, 3, 0xa0, 0xbf }, { 0xe1, 0xec, 3, 0x80, 0xbf },
		{ 0xed, 0xed, 3, 0x80, 0x9f }, { 0xee, 0xef, 3, 0x80, 0xbf }, { 0xf0, 0xf0, 4, 0x90, 0xbf },
		{ 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f },
	};
	const unsigned char *u = (const unsigned char *)s;
	size_t i = 0, n;

	while (i < sizeof(table) / sizeof(table[0]) && (u[0] < table[i].first || u[0] > table[i].last))
		i++;
	if (i == sizeof(table) / sizeof(table[0]) || u[1] < table[i].min || u[1] > table[i].max)
		return 0;
	for (n = 2; n < table[i].size; n++)
		if ((u[n] & 0xc0) != 0x80)
			return 0;
	return table[i].size;
}

char *printable(const char *s)
{
	char *text = xrealloc_array(NULL, 4 * strlen(s) + 1, 1), *end = text;

	while (*s) {
		size_t n = s[0] == '\\' && s[1] == 'x' ? 0 : printable_size(s);

		if (n > 0)
			end = mempcpy(end, s, n);
		else
			end += sprintf(end, "\\x%02x", (unsigned char)*s);
		s += n ?: 1;
	}
	*end = '\0';
	return text;
}

void print_line(FILE *to, const char *format, ...)
{
	_cleanup_free_ char *said = NULL, *shown = NULL;
	va_list arguments;

	va_start(arguments, format);
	said = xvasprintf(format, arguments);
	va_end(arguments);
	shown = printable(said);
	fprintf(to, "%s\n", shown);
}

const char *ellipsis(void)
{
	return streq(nl_langinfo(CODESET), "UTF-8") ? "…" : "...";
}

size_t text_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}
