/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables on standard output, by libsmartcols. May not know what is in them. */
#ifndef HPCTL_TABLE_H
#define HPCTL_TABLE_H

#include <libsmartcols.h>

#include "hpctl.h"

struct column {
	const char *name;
	int flags; /* SCOLS_FL_…; WRAP: goes on in a line below where the terminal is too narrow */
};

/* A cell's text belongs to the table, its colour does not. */
struct cell {
	char *text;
	const char *color;
};

/* NULL without memory. */
struct libscols_table *table_new(const struct options *o, const struct column *columns, size_t n);

/* Adds a line, in a tree below another one; the cells' texts are taken in any
 * case. Returns 0 or -1. */
int table_add(struct libscols_table *t, struct libscols_line *above, const struct cell *cells, size_t n);

/* Prints and frees a table, which may be NULL; @r is what became of filling it.
 * The person is told of a failure. */
enum exit_code table_finish(struct libscols_table *t, int r);

#endif
