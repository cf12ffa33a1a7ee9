/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time spans as people write them in configuration: "5s", "1min 30s", "0.5". */
#ifndef HOTPLUGD_TIME_SPAN_H
#define HOTPLUGD_TIME_SPAN_H

#include <stdint.h>

#define TIME_SPAN_INFINITY UINT64_MAX

/*
 * Reads a time span in the notation of systemd.time(7): numbers, with or
 * without a fraction, each followed by a unit (us, ms, s, min, h, d, w and their
 * longer names; none: seconds), which are added up; or "infinity". Without the
 * months and years of that page: no step of a hot-plug operation takes them.
 *
 * Returns 0 with *ret_usec in microseconds, TIME_SPAN_INFINITY for "infinity";
 * -EINVAL for what is no time span; -ERANGE for one that does not fit.
 */
int time_span_parse(const char *text, uint64_t *ret_usec);

#endif
