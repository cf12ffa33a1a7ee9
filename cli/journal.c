// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What hotplugd has told the journal: its messages with a MESSAGE_ID, as records.
 *
 * Responsible for: finding them, newest first and no more than asked for, and
 * taking a job's begin and end for one. Who forges hotplugd's fields is not read:
 * journald says which unit a message is from.
 */
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <unistd.h>

#include <systemd/sd-journal.h>

#include "error.h"
#include "journal.h"
#include "util.h"

#define UNIT_MATCH "_SYSTEMD_UNIT=hotplugd.service"

static const struct {
	const char *id;
	enum entry_type type;
} messages[] = {
	{ MESSAGE_JOB_BEGUN, ENTRY_JOB },
	{ MESSAGE_JOB_DONE, ENTRY_JOB },
	{ MESSAGE_JOB_FAILED, ENTRY_JOB },
	{ MESSAGE_JOB_REFUSED, ENTRY_JOB },
	{ MESSAGE_JOB_CANCELLED, ENTRY_JOB },
	{ MESSAGE_JOB_GONE, ENTRY_JOB },
	{ MESSAGE_JOB_STALLED, ENTRY_STALLED },
	{ MESSAGE_PRESS, ENTRY_PRESS },
	{ MESSAGE_SURPRISE, ENTRY_SURPRISE },
	{ MESSAGE_POWER_FAULT, ENTRY_POWER_FAULT },
	{ MESSAGE_CONTROL, ENTRY_CONTROL },
	{ MESSAGE_DENIED, ENTRY_DENIED },
};
#define N_MESSAGES (sizeof(messages) / sizeof(messages[0]))

const char *entry_type_to_string(enum entry_type t)
{
	static const char *const names[_ENTRY_TYPE_MAX] = {
		[ENTRY_JOB] = "job",
		[ENTRY_STALLED] = "job-stalled",
		[ENTRY_PRESS] = "press",
		[ENTRY_SURPRISE] = "surprise",
		[ENTRY_POWER_FAULT] = "power-fault",
		[ENTRY_CONTROL] = "control",
		[ENTRY_DENIED] = "request-refused",
	};

	return names[t];
}

static struct entry *entry_free(struct entry *e)
{
	if (!e)
		return NULL;
	free(e->boot);
	free(e->slot);
	free(e->address);
	free(e->devices);
	free(e->drivers);
	free(e->job);
	free(e->operation);
	free(e->origin);
	free(e->requested_by);
	free(e->result);
	free(e->verdict);
	free(e->reason);
	free(e->step);
	free(e->stack);
	free(e);
	return NULL;
}

static bool is_begin(const struct entry *e)
{
	return e->type == ENTRY_JOB && !*e->result;
}

/* The value of a field, to be freed; "" if the entry has none. */
static char *field(sd_journal *j, const char *name)
{
	const void *data;
	const char *value;
	size_t size;

	if (sd_journal_get_data(j, name, &data, &size) < 0)
		return xstrdup("");
	value = memchr(data, '=', size);
	if (!value)
		return xstrdup("");
	value++;
	return xasprintf("%.*s", (int)(size - (size_t)(value - (const char *)data)), value);
}

/* The entry under the cursor; NULL if its ID or time cannot be read. */
static struct entry *entry_read(sd_journal *j)
{
	_cleanup_free_ char *id = field(j, "MESSAGE_ID"), *usec = NULL;
	struct entry *e;
	uint64_t time;
	size_t i = 0;

	while (i < N_MESSAGES && !streq(messages[i].id, id))
		i++;
	if (i == N_MESSAGES || sd_journal_get_realtime_usec(j, &time) < 0)
		return NULL;
	e = xcalloc(1, sizeof(*e));
	*e = (struct entry){
		.type = messages[i].type,
		.time = time,
		.began = USEC_INFINITY,
		.duration = USEC_INFINITY,
		.boot = field(j, "_BOOT_ID"),
		.slot = field(j, FIELD_SLOT),
		.address = field(j, FIELD_ADDRESS),
		.devices = field(j, FIELD_DEVICES),
		.drivers = field(j, FIELD_DRIVERS),
		.job = field(j, FIELD_JOB),
		.operation = field(j, FIELD_OPERATION),
		.origin = field(j, FIELD_ORIGIN),
		.requested_by = field(j, FIELD_REQUESTED_BY),
		.result = field(j, FIELD_RESULT),
		.verdict = field(j, FIELD_VERDICT),
		.reason = field(j, FIELD_REASON),
		.step = field(j, FIELD_STEP),
		.stack = field(j, FIELD_STACK),
	};
	usec = field(j, FIELD_USEC);
	if (*usec >= '0' && *usec <= '9')
		e->duration = strtoull(usec, NULL, 10);
	if (is_begin(e))
		e->began = time;
	return e;
}

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = text; n > 0 && (p = strstr(p, word)); p += n)
		if ((p == text || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

bool entry_is_of(const struct entry *e, const char *name)
{
	const char *slash = strrchr(name, '/');

	if (slash) /* /dev/nvme0n1, /sys/class/net/eth0 */
		name = slash + 1;
	if (streq(e->slot, name) || streq(e->address, name))
		return true;
	if (strncmp(e->slot, "slot", 4) == 0 && streq(e->slot + 4, name))
		return true;
	return has_word(e->devices, name);
}

static bool is_wanted(const struct journal_query *q, const struct entry *e)
{
	if (!q->names || !q->names[0])
		return true;
	for (char **name = q->names; *name; name++)
		if (entry_is_of(e, *name))
			return true;
	return false;
}

static void append(struct journal *j, struct entry *e)
{
	/* Grows by doubling. */
	if ((j->n & (j->n - 1)) == 0)
		j->entries = xrealloc_array(j->entries, j->n ? 2 * j->n : 1, sizeof(*j->entries));
	j->entries[j->n++] = e;
}

/* What has been read, newest first. */
struct reading {
	const struct journal_query *q;
	struct journal read;
	size_t n_wanted; /* of these */
	size_t n_open;   /* ends of jobs whose begin has not been read */
	bool enough;     /* only the begins of those are looked for */
};

/* Numbers of jobs are used again after a boot, and where /run was cleared: the
 * end of a job is the next one behind its begin. */
static struct entry *find_end(const struct reading *r, const struct entry *begin)
{
	for (size_t i = r->n_open ? r->read.n : 0; i-- > 0;) {
		struct entry *e = r->read.entries[i];

		if (e->type == ENTRY_JOB && e->began == USEC_INFINITY && streq(e->job, begin->job) &&
		    streq(e->boot, begin->boot) && streq(e->slot, begin->slot) && streq(e->operation, begin->operation))
			return e;
	}
	return NULL;
}

/* What was ejected is told by the begin only; what was replaced, too, but there is
 * something else in the slot now. */
static void join(struct reading *r, struct entry *end, const struct entry *begin)
{
	bool was_wanted = is_wanted(r->q, end);

	end->began = begin->time;
	if (!*end->devices)
		xreplace(&end->devices, begin->devices);
	else if (streq(end->operation, "replace") && *begin->devices && !streq(begin->devices, end->devices))
		xappend(&end->devices, " %s", begin->devices);
	if (!*end->drivers)
		xreplace(&end->drivers, begin->drivers);
	r->n_open--;
	r->n_wanted += !was_wanted && is_wanted(r->q, end);
}

/* Takes one more entry, older than all before it. */
static void take(struct reading *r, struct entry *e)
{
	struct entry *end = is_begin(e) ? find_end(r, e) : NULL;

	if (end)
		join(r, end, e);
	if (end || r->enough || e->time < r->q->since) {
		r->enough |= e->time < r->q->since;
		entry_free(e);
		return;
	}
	r->n_open += e->type == ENTRY_JOB && !is_begin(e);
	r->n_wanted += is_wanted(r->q, e);
	r->enough = r->n_wanted > r->q->lines;
	append(&r->read, e);
}

/* Whether an entry that is still to be taken can matter. */
static bool goes_on(const struct reading *r, const struct entry *e)
{
	return !r->enough || (r->n_open > 0 && streq(e->boot, r->read.entries[r->read.n - 1]->boot));
}

/* Goes back from the end until there are enough. Negative errno on failure. */
static int read_back(struct reading *reading, sd_journal *journal)
{
	int r = sd_journal_seek_tail(journal);

	while (r >= 0 && (r = sd_journal_previous(journal)) > 0) {
		struct entry *e = entry_read(journal);

		if (e && !goes_on(reading, e)) {
			entry_free(e);
			break;
		}
		if (e)
			take(reading, e);
	}
	return r < 0 ? r : 0;
}

/* Hands out what is wanted, oldest first. */
static void finish(struct reading *r, struct journal *ret)
{
	size_t n = r->n_wanted < r->q->lines ? r->n_wanted : r->q->lines;

	ret->more = r->n_wanted > n;
	ret->entries = xcalloc(n, sizeof(*ret->entries));
	ret->n = n;
	for (size_t i = 0; i < r->read.n; i++) {
		struct entry *e = r->read.entries[i];

		if (n > 0 && is_wanted(r->q, e))
			ret->entries[--n] = e;
		else
			entry_free(e);
	}
	free(r->read.entries);
}

static int add_matches(sd_journal *j)
{
	int r = sd_journal_add_match(j, UNIT_MATCH, 0);

	for (size_t i = 0; r >= 0 && i < N_MESSAGES; i++) {
		_cleanup_free_ char *match = xasprintf("MESSAGE_ID=%s", messages[i].id);

		r = sd_journal_add_match(j, match, 0);
	}
	return r;
}

/* ---- whether there is a journal that we may read ---- */

static int is_denied(const char *path, int error)
{
	return error == EACCES; /* ends the search */
}

/* Adds up files, and those that we may read; what is in a folder that we may not
 * read counts as one. */
static void count_files(const char *pattern, size_t *n, size_t *n_readable)
{
	glob_t found = { 0 };

	if (glob(pattern, GLOB_NOSORT, is_denied, &found) == GLOB_ABORTED)
		++*n;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		++*n;
		*n_readable += access(found.gl_pathv[i], R_OK) == 0;
	}
	globfree(&found);
}

/* sd_journal_open() succeeds without any file, and with those of one's own, in
 * which a system service does not write. */
static enum exit_code check_access(void)
{
	size_t n = 0, n_readable = 0;

	count_files("/var/log/journal/*/system*.journal", &n, &n_readable);
	count_files("/run/log/journal/*/system*.journal", &n, &n_readable);
	if (n_readable > 0)
		return EXIT_CODE_OK;
	if (n > 0) {
		error_print("the system's journal may not be read by you. Use sudo, or let an administrator add you to the "
			    "group systemd-journal");
		return EXIT_CODE_NOT_AUTHORIZED;
	}
	error_print("there is no journal to read: neither /var/log/journal nor /run/log/journal has one. "
		    "See: systemctl status systemd-journald");
	return EXIT_CODE_FAILED;
}

static enum exit_code check_directory(const char *directory)
{
	_cleanup_free_ char *files = xasprintf("%s/*.journal", directory), *below = xasprintf("%s/*/*.journal", directory);
	size_t n = 0, n_readable = 0;
	int error = access(directory, R_OK | X_OK) < 0 ? errno : 0;

	if (!error) {
		count_files(files, &n, &n_readable);
		count_files(below, &n, &n_readable);
		error = n_readable > 0 ? 0 : n > 0 ? EACCES : ENOENT;
		if (error == ENOENT) {
			error_print("%s: there are no journal files in it", directory);
			return EXIT_CODE_FAILED;
		}
	}
	if (!error)
		return EXIT_CODE_OK;
	error_print("%s: %s%s", directory, strerror(error), error == EACCES ? ". Use sudo" : "");
	return error == EACCES ? EXIT_CODE_NOT_AUTHORIZED : EXIT_CODE_FAILED;
}

enum exit_code journal_read(const struct journal_query *q, struct journal *ret)
{
	enum exit_code code = q->directory ? check_directory(q->directory) : check_access();
	struct reading reading = { .q = q };
	sd_journal *journal = NULL;
	int r;

	if (code != EXIT_CODE_OK)
		return code;
	r = q->directory ? sd_journal_open_directory(&journal, q->directory, 0) :
			   sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
	if (r >= 0)
		r = add_matches(journal);
	if (r >= 0)
		r = read_back(&reading, journal);
	finish(&reading, ret);
	sd_journal_close(journal);
	if (r >= 0)
		return EXIT_CODE_OK;
	error_print("cannot read the journal: %s", strerror(-r));
	return EXIT_CODE_FAILED;
}

void journal_clear(struct journal *j)
{
	for (size_t i = 0; i < j->n; i++)
		entry_free(j->entries[i]);
	free(j->entries);
}
