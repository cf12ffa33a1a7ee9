/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Text that others wrote.
 *
 * Responsible for: UTF-8 (RFC 3629), whatever the locale is, and control characters.
 */
#include <string.h>

#include "base/text.h"

/* The length of the character at @s, 0 if there is none that is valid. */
static size_t character(const unsigned char *s)
{
	unsigned char low = 0x80, high = 0xbf; /* of the second byte */
	size_t n;

	if (*s < 0x80)
		return 1;
	if (*s >= 0xc2 && *s <= 0xdf)
		n = 2;
	else if (*s >= 0xe0 && *s <= 0xef)
		n = 3;
	else if (*s >= 0xf0 && *s <= 0xf4)
		n = 4;
	else
		return 0;
	/* Neither longer than need be, nor surrogates, nor beyond Unicode. */
	if (*s == 0xe0)
		low = 0xa0;
	else if (*s == 0xed)
		high = 0x9f;
	else if (*s == 0xf0)
		low = 0x90;
	else if (*s == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return n;
}

bool text_is_utf8(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s) {
		size_t n = character(s);

		if (n == 0)
			return false;
		s += n;
	}
	return true;
}

/* C0, DEL, and C1, which a terminal takes for commands as well. */
static bool is_control(const unsigned char *s)
{
	return *s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0);
}

void text_make_printable(const char *text, char *to, size_t size)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s && size > 1) {
		size_t n = character(s);
		bool bad = n == 0 || is_control(s);

		if (n == 0)
			n = 1;
		if (!bad && n >= size)
			break;
		if (bad)
			*to = '?';
		else
			memcpy(to, s, n);
		to += bad ? 1 : n;
		size -= bad ? 1 : n;
		s += n;
	}
	if (size > 0)
		*to = '\0';
}
