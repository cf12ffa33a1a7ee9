/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Points of time as people write them. */
#ifndef HPCTL_TIMESTAMP_H
#define HPCTL_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Reads the most common of what systemd.time(7) calls a timestamp:
 * "2026-11-24 04:20:30", also without seconds or without the time of day;
 * "04:20" of today; "now", "today", "yesterday"; "-2h", "2h ago"; "@1795494000";
 * and "2026-11-24T04:20:30.123456Z", as --json prints it. In local time, but for
 * the last two. @now and *ret_usec are CLOCK_REALTIME in microseconds. Returns
 * false, and leaves *ret_usec, for what is none of these.
 */
bool timestamp_parse(const char *text, uint64_t now, uint64_t *ret_usec);

#endif
