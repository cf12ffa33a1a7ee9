/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frees what goes out of scope, on every way out. */
#ifndef HOTPLUGD_CLEANUP_H
#define HOTPLUGD_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* Declares x_freep() for `_cleanup_(x_freep) type v`, from x_free() that takes NULL. */
#define DEFINE_CLEANUP(type, function)              \
	static inline void function##p(type *p)     \
	{                                           \
		if (*p)                             \
			function(*p);               \
	}                                           \
	struct cleanup_semicolon_##function

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(cleanup_free)

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define _cleanup_close_ _cleanup_(cleanup_close)

/* Frees a NULL-terminated array of strings and the strings. */
static inline char **strv_free(char **strings)
{
	for (char **s = strings; s && *s; s++)
		free(*s);
	free(strings);
	return NULL;
}

static inline void cleanup_strv(char ***strings)
{
	strv_free(*strings);
}
#define _cleanup_strv_ _cleanup_(cleanup_strv)

/* Hands ownership on: the variable is NULL afterwards. */
#define TAKE_PTR(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

#endif
