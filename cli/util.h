/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Small helpers of hpctl: memory, strings, time.
 *
 * May not know anything of slots, jobs or the bus. The x-functions end the
 * program when memory is short: a command line tool has nothing better to do.
 */
#ifndef HPCTL_UTIL_H
#define HPCTL_UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USEC_PER_SEC  ((uint64_t)1000000)
#define USEC_INFINITY UINT64_MAX

void *xrealloc_array(void *p, size_t n, size_t size);
void *xcalloc(size_t n, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
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

/* Whether a text has the name of a slot or device in it; "slot10" is not "slot1". */
bool text_names(const char *text, const char *name);

/* Bytes of the UTF-8 character there; 0 for a control character and for what is none. */
size_t printable_size(const char *s);

/* Text as it may go to a terminal, to be freed: what is no printable UTF-8, line feeds
 * too, as "\x1b". libsmartcols does the same with what is in a table. */
char *printable(const char *s);

/* Prints a line of text made so: what the hardware, the daemon, the journal and the command
 * line say gets to a terminal in this way or in a table only. */
void print_line(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "…", or "..." where the locale cannot show it. */
const char *ellipsis(void);

/* Columns that a UTF-8 text takes; wide characters do not occur in ours. */
size_t text_width(const char *s);

#endif
