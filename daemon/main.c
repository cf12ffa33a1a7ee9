/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hotplugd: the daemon's entry.
 *
 * Responsible for: the command line, the loop, signals, readiness and the
 * watchdog. All else is the manager's.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "manager.h"
#include "manager-settings.h"

static const char usage[] =
	"hotplugd [--help | --version]\n\n"
	"Serialises all PCI hot-plug operations of this machine. Meant to be started by\n"
	"systemd: systemctl start hotplugd. Ask it with hpctl(1).\n\n"
	"Environment: HOTPLUGD_LOG_LEVEL=debug|info|notice|warning|err\n";

static int block_signals(sd_event *event)
{
	static const int signals[] = { SIGTERM, SIGINT };
	sigset_t mask;
	int r = 0;

	sigemptyset(&mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&mask, signals[i]);
	sigaddset(&mask, SIGHUP); /* waits until there is a manager to reload */
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	/* Without a handler sd-event leaves the loop. */
	for (size_t i = 0; r >= 0 && i < sizeof(signals) / sizeof(signals[0]); i++)
		r = sd_event_add_signal(event, NULL, signals[i], NULL, NULL);
	return r;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	uint64_t now = 0;

	/* With the time that Type=notify-reload of newer systemds asks for. */
	sd_event_now(sd_event_source_get_event(source), CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reading the configuration", now);
	manager_settings_reload(userdata);
	sd_notify(0, "READY=1\nSTATUS=Serving");
	return 0;
}

static void tell_ready(void)
{
	sd_notify(0, "READY=1\nSTATUS=Serving");
}

static int run(void)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	struct manager *manager = NULL;
	int r;

	r = sd_event_default(&event);
	if (r >= 0)
		r = block_signals(event);
	if (r >= 0)
		r = sd_event_set_watchdog(event, true);
	if (r < 0) {
		log_error("Cannot set up the event loop: %s", strerror(-r));
		return r;
	}
	r = manager_new(&manager, event, tell_ready);
	if (r < 0)
		return r; /* logged where it failed */
	r = sd_event_add_signal(event, NULL, SIGHUP, on_reload, manager);
	if (r < 0)
		log_warning("Cannot listen for SIGHUP, so the configuration cannot be read again: %s", strerror(-r));
	r = sd_event_loop(event);
	sd_notify(0, "STOPPING=1");
	manager_free(manager);
	if (r < 0)
		log_error("The event loop failed: %s", strerror(-r));
	return r;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("hotplugd " HOTPLUGD_VERSION);
		return EXIT_SUCCESS;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return EXIT_SUCCESS;
	}
	if (argc > 1) {
		fprintf(stderr, "hotplugd: unknown argument '%s'\n%s", argv[1], usage);
		return 2;
	}
	log_init();
	/* What is read from sysfs comes and goes in bursts: it costs less to keep a megabyte
	 * than to give it back and ask for it each time. */
	mallopt(M_TOP_PAD, 256 * 1024);
	mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
	/* > 0: the bus has gone, and sd-bus ended the loop */
	return run() != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
