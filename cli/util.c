// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Small helpers of hpctl: memory, strings, time.
 *
 * Responsible for: what util.h says, and nothing that knows of slots or jobs.
 */
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

static char *format_text(const char *format, va_list arguments)
{
	char *s;

	return vasprintf(&s, format, arguments) < 0 ? or_die(NULL) : s;
}

char *xasprintf(const char *format, ...)
{
	va_list arguments;
	char *s;

	va_start(arguments, format);
	s = format_text(format, arguments);
	va_end(arguments);
	return s;
}

void xappend(char **s, const char *format, ...)
{
	_cleanup_free_ char *more = NULL;
	size_t have = *s ? strlen(*s) : 0;
	va_list arguments;

	va_start(arguments, format);
	more = format_text(format, arguments);
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

/* Bytes of the UTF-8 character there, 0 for what is none and for a control character. */
static size_t character_size(const char *s, bool keep_lines)
{
	unsigned char first = (unsigned char)*s;
	size_t n = first < 0x80 ? 1 : first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;

	if (first >= 0xf5 || first == 0x7f || (first < 0x20 && !(keep_lines && first == '\n')))
		return 0;
	if (first == 0xc2 && (unsigned char)s[1] < 0xa0) /* U+0080 to U+009F: CSI and the like */
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

char *printable(const char *s, bool keep_lines)
{
	char *text = xrealloc_array(NULL, 4 * strlen(s) + 1, 1), *end = text;

	while (*s) {
		size_t n = character_size(s, keep_lines);

		if (n > 0)
			end = mempcpy(end, s, n);
		else
			end += sprintf(end, "\\%03o", (unsigned char)*s);
		s += n ?: 1;
	}
	*end = '\0';
	return text;
}

void xreplace_printable(char **s, const char *with, bool keep_lines)
{
	char *copy = printable(with, keep_lines);

	free(*s);
	*s = copy;
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
