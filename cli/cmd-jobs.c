// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hpctl jobs: the jobs under way, oldest first.
 *
 * Responsible for: the verb. AGE is the time in the present state.
 */
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "format-json.h"
#include "format.h"
#include "stall.h"
#include "util.h"

static enum exit_code print_json(const struct options *o, const struct model *m)
{
	struct json_object *object = json_new_object(), *array = json_new_array();

	for (size_t i = 0; i < m->n_jobs; i++)
		json_append(array, json_job(m->jobs[i]));
	json_add(object, "jobs", array);
	return json_print(object, o->json);
}

/* What is stuck, where, and what to do. */
static void print_stalled(const struct model *m, struct job *j)
{
	const struct slot *s = model_slot_by_name(m, j->slot);
	_cleanup_free_ char *age = format_job_age(j);
	char *save = NULL;

	putchar('\n');
	print_line(stdout, "Job %u on %s is stalled: step %s takes longer than it should (%s), and nothing goes on before it ends.",
		   j->id, j->slot, j->step, age);
	for (size_t i = 0; s && i < s->n_devices; i++)
		if (*s->devices[i].driver)
			print_line(stdout, "  driver %s of %s", s->devices[i].driver, s->devices[i].address);
	for (char *line = strtok_r(j->stack, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		print_line(stdout, "  %s", line);
	print_line(stdout, "%s", stall_advice(j));
	if (*j->reason)
		print_line(stdout, "%s", j->reason);
}

int cmd_jobs(const struct options *o, char **arguments)
{
	_cleanup_(model_clear) struct model m = { 0 };
	_cleanup_(client_close) struct client c = { 0 };
	enum exit_code code;

	code = client_open(&c, o);
	if (code == EXIT_CODE_OK)
		code = client_load(&c, &m);
	if (code != EXIT_CODE_OK)
		return code;
	if (o->json)
		return print_json(o, &m);
	if (m.n_jobs == 0) {
		if (o->legend)
			fputs("No jobs under way.\n", stderr);
		return EXIT_CODE_OK;
	}
	code = format_job_table(o, &m);
	if (code != EXIT_CODE_OK || !o->legend)
		return code;
	for (size_t i = 0; i < m.n_jobs; i++)
		if (m.jobs[i]->stalled)
			print_stalled(&m, m.jobs[i]);
	return EXIT_CODE_OK;
}
