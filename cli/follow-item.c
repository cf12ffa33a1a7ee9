// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How one slot of the command line ends.
 *
 * Responsible for: results and their exit codes, and reading what came up in a slot.
 */
#include "error.h"
#include "follow.h"
#include "format.h"
#include "util.h"

/* What has come up is asked for when all jobs have ended, or so long after the first of
 * them: the daemon, and the drivers of the other cards, have something better to do. */
#define LOOK_USEC (USEC_PER_SEC / 2)

static void check_all_ended(struct follow *f)
{
	for (size_t i = 0; i < f->n_items; i++)
		if (f->items[i].state != ITEM_ENDED)
			return;
	sd_event_exit(f->event, 0);
}

void item_end(struct item *item, const char *result, enum exit_code code, const char *reason)
{
	if (item->state == ITEM_ENDED)
		return;
	item->state = ITEM_ENDED;
	item->result = result;
	item->code = code;
	xreplace(&item->reason, reason);
	view_ended(item->follow, item);
	check_all_ended(item->follow);
}

void item_end_error(struct item *item, const sd_bus_error *error)
{
	_cleanup_free_ char *text = error_text(error);

	item->error = xstrdup(error->name);
	item_end(item, "error", error_exit_code(error), text);
}

void item_end_result(struct item *item, const char *result, const char *reason)
{
	static const struct {
		const char *result;
		enum exit_code code;
	} results[] = {
		{ "done", EXIT_CODE_OK },
		{ "failed", EXIT_CODE_FAILED },
		{ "refused", EXIT_CODE_REFUSED },
		{ "cancelled", EXIT_CODE_CANCELLED },
	};

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		if (streq(results[i].result, result)) {
			item_end(item, results[i].result, results[i].code, reason);
			return;
		}
	/* A slot that went with the one above it is as good as ejected. */
	if (streq(result, "gone"))
		item_end(item, "gone", item->follow->operation->shows_devices ? EXIT_CODE_FAILED : EXIT_CODE_OK, reason);
	else
		item_end(item, "failed", EXIT_CODE_FAILED, *reason ? reason : result);
}

/* Answers that come too late, as the item has ended meanwhile, are dropped. */
static int on_devices(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
	struct item *item = userdata;
	struct slot *s = slot_new(item->slot_path);

	if (item->state == ITEM_FINISHING) {
		free(item->devices);
		if (!sd_bus_message_is_method_error(reply, NULL) && slot_read(s, reply, NULL) >= 0)
			item->devices = format_devices(s);
		else
			item->devices = xstrdup("what came up is not known");
		item_end_result(item, "done", item->reason);
	}
	slot_free(s);
	return 0;
}

/* Asks for all that is to be shown and was not asked for yet. */
static int on_look(sd_event_source *source, uint64_t now, void *userdata)
{
	struct follow *f = userdata;

	for (size_t i = 0; i < f->n_items; i++) {
		struct item *item = &f->items[i];

		if (item->state != ITEM_FINISHING || item->looked)
			continue;
		item->looked = true;
		if (client_get_all(&f->client, item->slot_path, INTERFACE_SLOT, on_devices, item) < 0)
			item_end_result(item, "done", item->reason);
	}
	return 0;
}

/* A timer that cannot be set does not keep anybody from looking at once. */
static void look_later(struct follow *f)
{
	bool at_work = false;
	int armed = SD_EVENT_OFF;

	for (size_t i = 0; i < f->n_items; i++)
		at_work = at_work || f->items[i].state < ITEM_FINISHING;
	if (at_work && sd_event_source_get_enabled(f->look_timer, &armed) >= 0 && armed != SD_EVENT_OFF)
		return;
	if (!at_work || sd_event_source_set_time_relative(f->look_timer, LOOK_USEC) < 0 ||
	    sd_event_source_set_enabled(f->look_timer, SD_EVENT_ONESHOT) < 0)
		on_look(NULL, 0, f);
}

void item_removed(struct item *item, const char *result, const char *reason)
{
	if (item->state != ITEM_RUNNING)
		return;
	if (!streq(result, "done") || !item->follow->operation->shows_devices) {
		item_end_result(item, result, reason);
		return;
	}
	item->state = ITEM_FINISHING;
	xreplace(&item->reason, reason);
	look_later(item->follow);
}

int items_init(struct follow *f)
{
	int r = sd_event_add_time_relative(f->event, &f->look_timer, CLOCK_MONOTONIC, USEC_INFINITY / 2, 0, on_look, f);

	return r < 0 ? r : sd_event_source_set_enabled(f->look_timer, SD_EVENT_OFF);
}
