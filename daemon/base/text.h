/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text that others wrote, as the bus takes it and a terminal bears it. */
#ifndef HOTPLUGD_TEXT_H
#define HOTPLUGD_TEXT_H

#include <stdbool.h>
#include <stddef.h>

bool text_is_utf8(const char *text);

/* Copies @text, with '?' for control characters and for what is not UTF-8. @to may be
 * as short as it likes; @size counts its NUL. */
void text_make_printable(const char *text, char *to, size_t size);

#endif
