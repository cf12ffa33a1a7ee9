/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Small helpers of hpctl: memory, strings, time.
 *
 * May not know anything of slots, jobs or the bus. The x-functions end the
 * program when memory is short: a command line tool has nothing better to do.
 */
#ifndef HPCTL_UTIL_H
#define HPCTL_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define USEC_PER_SEC  ((uint64_t)1000000)
#define USEC_INFINITY UINT64_MAX

void *xrealloc_array(void *p, size_t n, size_t size);
void *xcalloc(size_t n, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Appends to a string on the heap; *s may be NULL. */
void xappend(char **s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Replaces a string on the heap by a copy. */
void xreplace(char **s, const char *with);

/* Frees a NULL-terminated array of strings and them; takes NULL, returns NULL. */
char **strv_free(char **v);

static inline void free_pointer(void *p)
{
	free(*(void **)p);
}
#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(free_pointer)

static inline bool streq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* CLOCK_MONOTONIC in microseconds, the clock of all times on the bus. */
uint64_t now_monotonic(void);

/* "350ms", "12s", "3min 5s", "2h 10min": for people. */
char *format_span(uint64_t usec);

/* Text without the full stop at its end, to be freed: sentences of the daemon
 * are continued in ours. */
char *without_full_stop(const char *s);

/* Text from the hardware, the daemon or the journal as it may go to a terminal, to be
 * freed: what is no printable UTF-8 as "\033", as in /proc/mounts; line feeds too,
 * unless they are to be kept. (libsmartcols would do "\x1b" once more.) */
char *printable(const char *s, bool keep_lines);
/* Replaces a string on the heap by that. */
void xreplace_printable(char **s, const char *with, bool keep_lines);

/* "…", or "..." where the locale cannot show it. */
const char *ellipsis(void);

/* Columns that a UTF-8 text takes; wide characters do not occur in ours. */
size_t text_width(const char *s);

#endif
