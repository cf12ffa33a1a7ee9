// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tables on standard output, by libsmartcols.
 *
 * Responsible for: headings, colours, and who frees what when memory is short.
 */
#include "error.h"
#include "format.h"
#include "table.h"

struct libscols_table *table_new(const struct options *o, const struct column *columns, size_t n)
{
	struct libscols_table *t = scols_new_table();

	if (!t)
		return NULL;
	scols_table_enable_noheadings(t, !o->legend);
	scols_table_enable_colors(t, format_use_colors());
	for (size_t i = 0; i < n; i++)
		if (!scols_table_new_column(t, columns[i].name, 0, columns[i].flags)) {
			scols_unref_table(t);
			return NULL;
		}
	return t;
}

int table_add(struct libscols_table *t, struct libscols_line *above, const struct cell *cells, size_t n)
{
	struct libscols_line *line = scols_table_new_line(t, above);
	int r = line ? 0 : -1;

	for (size_t i = 0; i < n; i++) {
		if (r == 0 && scols_line_refer_data(line, i, cells[i].text) == 0) {
			if (cells[i].color)
				r = scols_cell_set_color(scols_line_get_cell(line, i), cells[i].color);
			continue;
		}
		free(cells[i].text);
		r = -1;
	}
	return r;
}

enum exit_code table_finish(struct libscols_table *t, int r)
{
	if (t && r == 0)
		r = scols_print_table(t);
	else
		r = -1;
	scols_unref_table(t);
	if (r == 0)
		return EXIT_CODE_OK;
	error_print("cannot print the table: out of memory");
	return EXIT_CODE_FAILED;
}
