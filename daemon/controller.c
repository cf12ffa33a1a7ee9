/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Being the shim's controller.
 *
 * Responsible for: asking for control, again while another program has it, and
 * asking once more for what may have got lost. What is asked is job.c's and
 * control-dbus.c's.
 */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "control-dbus.h"
#include "controller.h"
#include "indicator.h"
#include "manager-dbus.h"
#include "recover.h"
#include "registry.h"

/* Nobody tells when another controller ends: asked so often, early or late by a fifth. */
#define BUSY_USEC          (5 * USEC_PER_SEC)
#define BUSY_ACCURACY_USEC USEC_PER_SEC

const char *shim_state_to_string(enum shim_state s)
{
	switch (s) {
	case SHIM_ABSENT:
		return "absent";
	case SHIM_ACTIVE:
		return "active";
	case SHIM_BUSY:
		return "busy";
	default:
		return NULL;
	}
}

bool manager_drives(struct manager *m, const struct slot *s)
{
	return s->backend != BACKEND_SHIM || m->shim_state != SHIM_BUSY;
}

static void set_state(struct manager *m, enum shim_state state)
{
	if (m->shim_state == state)
		return;
	m->shim_state = state;
	switch (state) {
	case SHIM_ACTIVE:
		log_info("Controlling the shim");
		break;
	case SHIM_ABSENT:
		log_notice("The kernel module hpshim is not loaded: slots stay with the kernel's own drivers, and so do "
			   "their buttons. Load it with 'modprobe hpshim'");
		break;
	default:
		log_warning("Another program controls the shim: slots stay as they are");
	}
	manager_dbus_shim_changed(m);
}

static int on_busy_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	controller_ask(userdata);
	return 0;
}

static void ask_later(struct manager *m)
{
	int r;

	controller_free(m);
	r = sd_event_add_time_relative(m->event, &m->busy_timer, CLOCK_MONOTONIC, BUSY_USEC, BUSY_ACCURACY_USEC,
				       on_busy_timer, m);
	if (r < 0)
		log_error("Cannot ask the shim for control again: %s", strerror(-r));
}

void controller_ask(struct manager *m)
{
	uint32_t grace_ms = (uint32_t)(m->settings.give_back / USEC_PER_MSEC);

	if (shim_link_become_controller(m->shim, grace_ms, COOKIE_CONTROLLER) < 0)
		log_error("Cannot ask the shim for control");
}

void controller_answered(struct manager *m, int error)
{
	set_state(m, error == 0 ? SHIM_ACTIVE : SHIM_BUSY);
	m->shim_starting = false;
	if (error == 0) {
		controller_free(m);
		registry_adopt_all(m);
		recover_settle(m); /* what was left alone while it was another's */
	} else {
		ask_later(m);
	}
	manager_check_ready(m);
}

void controller_absent(struct manager *m)
{
	controller_free(m);
	set_state(m, SHIM_ABSENT);
}

void controller_ask_again(struct manager *m)
{
	log_notice("Answers of the shim may be lost; asking again for all that is awaited");
	m->adopting = 0; /* the answer of this starts them again */
	controller_ask(m);
	job_ask_again(m);
	indicator_ask_again(m);
	control_dbus_ask_again(m);
}

void controller_free(struct manager *m)
{
	m->busy_timer = sd_event_source_disable_unref(m->busy_timer);
}
