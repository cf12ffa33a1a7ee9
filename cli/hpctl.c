// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hpctl: the command line of hotplugd.
 *
 * Responsible for: options, the table of verbs, --help. What a verb does is in
 * cmd-VERB.c; only client.c talks to the bus.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "hpctl.h"
#include "util.h"

static const char help[] =
	"hpctl [OPTIONS] [VERB] [SLOT...]               PCI hot-plug, through hotplugd\n"
	"  list | tree [SLOT...]    slots, what is in them, their jobs (default: list)\n"
	"  status [SLOT...]         all there is to know of slots; without: of hotplugd\n"
	"  eject | insert SLOT...   release devices, power off | power on, bring them up\n"
	"  replace SLOT...          eject, wait for another card, insert that\n"
	"  hold | unhold SLOT...    cards that come and go start nothing | as usual again\n"
	"  locate SLOT... [off]     blink the attention indicator\n"
	"  adopt | release SLOT...  take from the kernel's own driver | give back to it\n"
	"  jobs | cancel JOB...     the jobs under way | cancel what still can be\n"
	"  monitor [SLOT...]        print events and changes as they come; Ctrl-C ends\n"
	"  history [SLOT...]        what was done to slots, for whom, from the journal\n"
	"\n"
	"SLOT is slot3, 3, 0000:02:00.0, /dev/nvme0n1, nvme0, eth0 or a path in /sys.\n"
	"\n"
	"  --all                  eject, insert: all slots, or all below the SLOTs\n"
	"  --force, --dry-run     override what may be | only say what would be done\n"
	"  --no-block, --timeout=SEC   do not wait for the end | no longer (exit 7)\n"
	"  --since=TIME, --lines=N|all, --directory=DIR   history: which of it\n"
	"  --json[=short|pretty]  JSON; of monitor: an object a line\n"
	"  --no-legend, --no-ask-password, --help, --version\n"
	"\n"
	"Exit: 0 ok, 1 failed, 2 usage, 3 no such slot or device, 4 hotplugd not running,\n"
	"5 refused, 6 not authorised, 7 still pending, 8 cancelled. More: man hpctl\n";

enum {
	TAKES_FORCE = 1,
	TAKES_NO_BLOCK = 2,
	TAKES_TIMEOUT = 4,
	TAKES_ALL = 8,
	TAKES_RANGE = 16,
	TAKES_DRY_RUN = 32,
	FOLLOWS = TAKES_FORCE | TAKES_NO_BLOCK | TAKES_TIMEOUT | TAKES_DRY_RUN,
};

struct verb {
	const char *name;
	int min_arguments;
	int max_arguments; /* -1: any number */
	const char *argument;
	unsigned int takes;
	int (*run)(const struct options *o, char **arguments);
};

static const struct verb verbs[] = {
	{ "list", 0, -1, "SLOT", 0, cmd_list },
	{ "tree", 0, -1, "SLOT", 0, cmd_tree },
	{ "status", 0, -1, "SLOT", 0, cmd_status },
	{ "eject", 1, -1, "SLOT", FOLLOWS | TAKES_ALL, cmd_eject },
	{ "insert", 1, -1, "SLOT", FOLLOWS | TAKES_ALL, cmd_insert },
	{ "replace", 1, -1, "SLOT", FOLLOWS, cmd_replace },
	{ "hold", 1, -1, "SLOT", 0, cmd_hold },
	{ "unhold", 1, -1, "SLOT", 0, cmd_unhold },
	{ "locate", 1, -1, "SLOT", 0, cmd_locate },
	{ "adopt", 1, -1, "SLOT", 0, cmd_adopt },
	{ "release", 1, -1, "SLOT", 0, cmd_release },
	{ "jobs", 0, 0, "", 0, cmd_jobs },
	{ "cancel", 1, -1, "JOB", TAKES_NO_BLOCK | TAKES_TIMEOUT, cmd_cancel },
	{ "monitor", 0, -1, "SLOT", TAKES_TIMEOUT, cmd_monitor },
	{ "history", 0, -1, "SLOT", TAKES_RANGE, cmd_history },
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

enum {
	OPTION_JSON = 256,
	OPTION_NO_LEGEND,
	OPTION_ALL,
	OPTION_FORCE,
	OPTION_DRY_RUN,
	OPTION_NO_BLOCK,
	OPTION_TIMEOUT,
	OPTION_SINCE,
	OPTION_NO_ASK_PASSWORD,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option long_options[] = {
	{ "json", optional_argument, NULL, OPTION_JSON },
	{ "no-legend", no_argument, NULL, OPTION_NO_LEGEND },
	{ "all", no_argument, NULL, OPTION_ALL },
	{ "force", no_argument, NULL, OPTION_FORCE },
	{ "dry-run", no_argument, NULL, OPTION_DRY_RUN },
	{ "no-block", no_argument, NULL, OPTION_NO_BLOCK },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "since", required_argument, NULL, OPTION_SINCE },
	{ "lines", required_argument, NULL, 'n' },
	{ "directory", required_argument, NULL, 'D' },
	{ "no-ask-password", no_argument, NULL, OPTION_NO_ASK_PASSWORD },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

static int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int usage_error(const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = xvasprintf(format, arguments);
	va_end(arguments);
	print_line(stderr, "hpctl: %s. See: hpctl --help", text);
	return EXIT_CODE_USAGE;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < N_VERBS; i++)
		if (streq(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* Verbs of a version to come, and what there is instead. */
static const struct {
	const char *name, *instead;
} later[] = {
	{ "check", "To see what an eject would do: hpctl --dry-run eject SLOT; what uses a drive: lsblk, findmnt, fuser" },
	{ "inhibit", "To keep a slot from being ejected: the udev property " UDEV_PROPERTY_PROTECT ", see hotplugd(8)" },
	{ "protect", "The udev property " UDEV_PROPERTY_PROTECT "=1 on the port or a device does that, see hotplugd(8)" },
	{ "unprotect", "Take the udev property " UDEV_PROPERTY_PROTECT " away, or eject with --force" },
};

static int unknown_verb(const char *name)
{
	_cleanup_free_ char *names = NULL;

	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		if (streq(later[i].name, name))
			return usage_error("'%s' is not in this version. %s", name, later[i].instead);
	for (size_t i = 0; i < N_VERBS; i++)
		xappend(&names, "%s%s", i ? ", " : "", verbs[i].name);
	return usage_error("unknown verb '%s'. Verbs: %s", name, names);
}

/* Plain --json is for whoever looks: laid out on a terminal, short in a pipe. */
static bool parse_json(const char *text, enum json_mode *ret)
{
	if (!text)
		*ret = isatty(STDOUT_FILENO) ? JSON_PRETTY : JSON_SHORT;
	else if (streq(text, "short"))
		*ret = JSON_SHORT;
	else if (streq(text, "pretty"))
		*ret = JSON_PRETTY;
	else
		return false;
	return true;
}

static bool parse_timeout(const char *text, uint64_t *ret)
{
	const double longest = 1e9;
	double seconds;
	char *end;

	errno = 0;
	seconds = strtod(text, &end);
	if (errno || end == text || *end || !isfinite(seconds) || seconds < 0 || seconds > longest)
		return false;
	*ret = (uint64_t)(seconds * (double)USEC_PER_SEC);
	return true;
}

static int check_options(const struct verb *verb, const struct options *o)
{
	if (o->all && !(verb->takes & TAKES_ALL))
		return usage_error("--all means nothing to '%s'", verb->name);
	if (o->force && !(verb->takes & TAKES_FORCE))
		return usage_error("--force means nothing to '%s'", verb->name);
	if (o->dry_run && !(verb->takes & TAKES_DRY_RUN))
		return usage_error("--dry-run means nothing to '%s'", verb->name);
	if (!o->block && !(verb->takes & TAKES_NO_BLOCK))
		return usage_error("--no-block means nothing to '%s'", verb->name);
	if (o->timeout != USEC_INFINITY && !(verb->takes & TAKES_TIMEOUT))
		return usage_error("--timeout means nothing to '%s'", verb->name);
	if ((o->since || o->lines || o->directory) && !(verb->takes & TAKES_RANGE))
		return usage_error("--since, --lines and --directory mean nothing to '%s'", verb->name);
	return EXIT_CODE_OK;
}

static int run_verb(const struct options *o, int argc, char **argv)
{
	const struct verb *verb = argc > 0 ? find_verb(argv[0]) : &verbs[0];
	int n = argc > 0 ? argc - 1 : 0, r;

	if (!verb)
		return unknown_verb(argv[0]);
	if (n < verb->min_arguments && !o->all)
		return usage_error("'%s' needs a %s%s", verb->name, verb->argument,
				   verb->takes & TAKES_ALL ? ", or --all" : "");
	if (verb->max_arguments >= 0 && n > verb->max_arguments)
		return usage_error("'%s' takes no argument, but there is '%s'", verb->name, argv[1 + verb->max_arguments]);
	for (int i = 1; i <= n; i++)
		if (!*argv[i])
			return usage_error("an argument of '%s' is empty (a variable that is not set?)", verb->name);
	r = check_options(verb, o);
	if (r != EXIT_CODE_OK)
		return r;
	return verb->run(o, argv + (argc > 0 ? 1 : 0));
}

/* Output that was not written is a failure, when and wherever that was noticed. */
static int finish(int code)
{
	bool failed = ferror(stdout);

	errno = 0;
	if (fflush(stdout) == 0 && !failed)
		return code;
	fprintf(stderr, "hpctl: cannot write the output%s%s\n", errno ? ": " : "", errno ? strerror(errno) : "");
	return code == EXIT_CODE_OK ? EXIT_CODE_FAILED : code;
}

int main(int argc, char **argv)
{
	struct options o = { .legend = true, .block = true, .ask_password = true, .timeout = USEC_INFINITY };
	int c;

	setlocale(LC_ALL, "");
	/* Numbers are read and written as in C, whatever the locale. */
	setlocale(LC_NUMERIC, "C");

	/* getopt's own messages do not say where to look; ours do. */
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":hn:D:", long_options, NULL)) != -1) {
		switch (c) {
		case OPTION_JSON:
			if (!parse_json(optarg, &o.json))
				return usage_error("--json is 'short' or 'pretty', not '%s'", optarg);
			break;
		case OPTION_NO_LEGEND:
			o.legend = false;
			break;
		case OPTION_ALL:
			o.all = true;
			break;
		case OPTION_FORCE:
			o.force = true;
			break;
		case OPTION_DRY_RUN:
			o.dry_run = true;
			break;
		case OPTION_NO_BLOCK:
			o.block = false;
			break;
		case OPTION_TIMEOUT:
			if (!parse_timeout(optarg, &o.timeout))
				return usage_error("--timeout is a number of seconds, not '%s'", optarg);
			break;
		case OPTION_SINCE:
			o.since = optarg;
			break;
		case 'n':
			o.lines = optarg;
			break;
		case 'D':
			o.directory = optarg;
			break;
		case OPTION_NO_ASK_PASSWORD:
			o.ask_password = false;
			break;
		case 'h':
		case OPTION_HELP:
			fputs(help, stdout);
			return finish(EXIT_CODE_OK);
		case OPTION_VERSION:
			puts("hpctl " HOTPLUGD_VERSION);
			return finish(EXIT_CODE_OK);
		case ':':
			return usage_error("%s needs a value", argv[optind - 1]);
		default:
			if (optopt > 0 && optopt < OPTION_JSON)
				return usage_error("unknown option '-%c'", optopt);
			return usage_error("unknown option, or one with a value it does not take: '%s'", argv[optind - 1]);
		}
	}

	return finish(run_verb(&o, argc - optind, argv + optind));
}
