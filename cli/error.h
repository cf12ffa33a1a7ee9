/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors: from D-Bus to an exit code and a message.
 *
 * Responsible for: what each error means for a script (exit code) and for a
 * person (what, why, what next). Prints; asks nobody.
 */
#ifndef HPCTL_ERROR_H
#define HPCTL_ERROR_H

#include <systemd/sd-bus.h>

#include "base/names.h"

enum exit_code error_exit_code(const sd_bus_error *e);

/* Why, and what next, without a full stop; to be freed. */
char *error_text(const sd_bus_error *e);

/* Prints "hpctl: SUBJECT: text." (or "hpctl: text." where the subject is NULL
 * or does not matter) and returns the exit code. */
enum exit_code error_report(const char *subject, const sd_bus_error *e);

/* Prints "hpctl: text." The text is without a full stop. */
void error_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The worse of two: with several slots the program ends with the worst. */
enum exit_code error_worse(enum exit_code a, enum exit_code b);

#endif
