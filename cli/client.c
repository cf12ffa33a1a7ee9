// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hpctl's side of the bus: connect, ask, subscribe.
 *
 * Responsible for: all calls whose answer is waited for, and how a message to
 * the daemon is made. Calls that run beside a job are follow.c's.
 */
#include <errno.h>
#include <stdio.h>

#include "client.h"
#include "error.h"
#include "util.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

/* The daemon answers at once; a person who types a password does not. */
#define TIMEOUT_USEC          (25 * USEC_PER_SEC)
#define PASSWORD_TIMEOUT_USEC (150 * USEC_PER_SEC)

enum exit_code client_bus_error(const char *what, int r)
{
	switch (-r) {
	case ENOENT:
	case ECONNREFUSED:
	case ECONNRESET:
	case ENOTCONN:
	case EPIPE:
		error_print("hotplugd is not running, or cannot be reached: the system bus does not answer (%s). "
			    "Start it with: systemctl start dbus hotplugd", strerror(-r));
		return EXIT_CODE_NOT_RUNNING;
	default:
		error_print("%s: %s", what, strerror(-r));
		return EXIT_CODE_FAILED;
	}
}

enum exit_code client_open(struct client *c, const struct options *o)
{
	int r = sd_bus_open_system_with_description(&c->bus, "hpctl");

	if (r < 0)
		return client_bus_error("cannot connect to the system bus", r);
	c->ask_password = o->ask_password;
	return EXIT_CODE_OK;
}

void client_close(struct client *c)
{
	c->bus = sd_bus_flush_close_unref(c->bus);
}

int client_new_call(struct client *c, const char *path, const char *interface, const char *member,
		    sd_bus_message **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(c->bus, &m, BUS_NAME, path, interface, member);

	if (r >= 0)
		r = sd_bus_message_set_auto_start(m, false);
	if (r >= 0)
		r = sd_bus_message_set_allow_interactive_authorization(m, c->ask_password);
	if (r < 0)
		return r;
	*ret = m;
	m = NULL;
	return 0;
}

int client_get_all(struct client *c, const char *path, const char *interface, sd_bus_message_handler_t handler,
		   void *userdata)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r = client_new_call(c, path, INTERFACE_PROPERTIES, "GetAll", &m);

	if (r >= 0)
		r = sd_bus_message_append(m, "s", interface);
	if (r >= 0)
		r = sd_bus_call_async(c->bus, NULL, m, handler, userdata, 0);
	return r;
}

uint64_t client_call_timeout(const struct client *c)
{
	return c->ask_password ? PASSWORD_TIMEOUT_USEC : TIMEOUT_USEC;
}

/* Calls and waits. error belongs to the caller; sd-bus sets it also when no
 * answer came at all. */
static int call(struct client *c, sd_bus_message *m, sd_bus_message **ret_reply, sd_bus_error *error)
{
	return sd_bus_call(c->bus, m, TIMEOUT_USEC, error, ret_reply);
}

/* A missing or lost bus is told by the errno: the names that sd-bus makes of
 * them (FileNotFound …) say nothing to a person. */
static enum exit_code report(const char *subject, const sd_bus_error *error, int r)
{
	switch (-r) {
	case ENOENT:
	case ECONNREFUSED:
	case ECONNRESET:
	case ENOTCONN:
	case EPIPE:
		if (!error->name || strncmp(error->name, ERROR_PREFIX, strlen(ERROR_PREFIX)) != 0)
			return client_bus_error("cannot ask hotplugd", r);
	}
	return error_report(subject, error);
}

static enum exit_code bad_answer(int r)
{
	error_print("cannot read the answer of hotplugd: %s. Is it of the same version? See: hpctl --version",
		    strerror(-r));
	return EXIT_CODE_FAILED;
}

enum exit_code client_load(struct client *c, struct model *m)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
	_cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
	struct model fresh = { 0 };
	int r;

	r = client_new_call(c, PATH_MANAGER, OBJECT_MANAGER, "GetManagedObjects", &message);
	if (r < 0)
		return client_bus_error("cannot ask hotplugd", r);
	r = call(c, message, &reply, &error);
	if (r < 0)
		return report(NULL, &error, r);
	r = model_read(&fresh, reply);
	if (r < 0) {
		model_clear(&fresh);
		return bad_answer(r);
	}
	model_clear(m);
	*m = fresh;
	return EXIT_CODE_OK;
}

static int read_manager(sd_bus_message *reply, char **ret_version, char **ret_shim)
{
	_cleanup_free_ char *version = xstrdup(""), *shim = xstrdup("");
	int r = sd_bus_message_enter_container(reply, 'a', "{sv}");

	if (r < 0)
		return r;
	while ((r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
		const char *name, *text;

		r = sd_bus_message_read_basic(reply, 's', &name);
		if (r < 0)
			return r;
		if (streq(name, "Version") || streq(name, "Shim")) {
			r = sd_bus_message_read(reply, "v", "s", &text);
			if (r >= 0)
				xreplace(streq(name, "Shim") ? &shim : &version, text);
		} else {
			r = sd_bus_message_skip(reply, "v");
		}
		if (r >= 0)
			r = sd_bus_message_exit_container(reply);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	*ret_version = version;
	*ret_shim = shim;
	version = shim = NULL;
	return 0;
}

enum exit_code client_manager(struct client *c, char **ret_version, char **ret_shim)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
	_cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
	int r;

	r = client_new_call(c, PATH_MANAGER, INTERFACE_PROPERTIES, "GetAll", &message);
	if (r >= 0)
		r = sd_bus_message_append(message, "s", INTERFACE_MANAGER);
	if (r < 0)
		return client_bus_error("cannot ask hotplugd", r);
	r = call(c, message, &reply, &error);
	if (r < 0)
		return report(NULL, &error, r);
	r = read_manager(reply, ret_version, ret_shim);
	return r < 0 ? bad_answer(r) : EXIT_CODE_OK;
}

/* The daemon's message names the slots there are; should it not, we do. */
static enum exit_code no_such_slot(const struct model *m, const char *name, const sd_bus_error *error)
{
	_cleanup_free_ char *text = error_text(error), *slots = NULL;

	for (size_t i = 0; i < m->n_slots; i++)
		xappend(&slots, "%s%s", i ? ", " : "", m->slots[i]->name);
	if (m->n_slots == 0 || text_names(text, m->slots[0]->name))
		return error_report(name, error);
	error_print("%s: %s. Slots: %s", name, text, slots);
	return EXIT_CODE_NO_SUCH_SLOT;
}

enum exit_code client_find_slot(struct client *c, struct model *m, const char *name, struct slot **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
	_cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
	struct slot *s;
	const char *path;
	int r;

	/* Saves a round trip for each slot of a long command. */
	s = model_slot_by_name(m, name);
	if (s) {
		*ret = s;
		return EXIT_CODE_OK;
	}
	r = client_new_call(c, PATH_MANAGER, INTERFACE_MANAGER, "FindSlot", &message);
	if (r >= 0)
		r = sd_bus_message_append(message, "s", name);
	if (r == -EINVAL) {
		error_print("'%s' is not UTF-8, so it is no slot", name);
		return EXIT_CODE_NO_SUCH_SLOT;
	}
	if (r < 0)
		return client_bus_error("cannot ask hotplugd", r);
	r = call(c, message, &reply, &error);
	if (r < 0 && sd_bus_error_has_name(&error, ERROR_NO_SUCH_SLOT))
		return no_such_slot(m, name, &error);
	if (r < 0)
		return report(name, &error, r);
	r = sd_bus_message_read(reply, "o", &path);
	if (r < 0)
		return bad_answer(r);
	s = model_slot_by_path(m, path);
	if (!s) {
		error_print("%s: its slot came or went just now. Try again", name);
		return EXIT_CODE_NO_SUCH_SLOT;
	}
	*ret = s;
	return EXIT_CODE_OK;
}

enum exit_code client_select_slots(struct client *c, struct model *m, char **names, struct slot ***ret)
{
	_cleanup_free_ struct slot **slots = xcalloc(m->n_slots + 1, sizeof(*slots));
	size_t n = 0;

	if (!names[0]) {
		for (; n < m->n_slots; n++)
			slots[n] = m->slots[n];
	}
	for (char **name = names; *name; name++) {
		struct slot *s;
		enum exit_code code = client_find_slot(c, m, *name, &s);
		bool seen = false;

		if (code != EXIT_CODE_OK)
			return code;
		for (size_t i = 0; i < n; i++)
			seen = seen || slots[i] == s;
		if (!seen)
			slots[n++] = s;
	}
	*ret = slots;
	slots = NULL;
	return EXIT_CODE_OK;
}

static bool is_below_any(const struct model *m, const struct slot *s, struct slot *const *above)
{
	for (size_t depth = 0; s && depth < m->n_slots; depth++) {
		s = model_slot_by_name(m, s->parent);
		for (struct slot *const *a = above; s && *a; a++)
			if (*a == s)
				return true;
	}
	return false;
}

enum exit_code client_select_all(struct client *c, struct model *m, char **names, bool (*wanted)(const struct slot *s),
				 struct slot ***ret)
{
	_cleanup_free_ struct slot **slots = xcalloc(m->n_slots + 1, sizeof(*slots)), **above = NULL;
	enum exit_code code = client_select_slots(c, m, names, &above);
	size_t n = 0;

	if (code != EXIT_CODE_OK)
		return code;
	for (size_t i = 0; i < m->n_slots; i++)
		if ((!names[0] || is_below_any(m, m->slots[i], above)) && wanted(m->slots[i]))
			slots[n++] = m->slots[i];
	*ret = slots;
	slots = NULL;
	return EXIT_CODE_OK;
}

enum exit_code client_subscribe(struct client *c, const char *match, sd_bus_message_handler_t handler,
				void *userdata)
{
	_cleanup_free_ char *rule = xasprintf("type='signal',sender='%s',%s", BUS_NAME, match);
	int r = sd_bus_add_match(c->bus, NULL, rule, handler, userdata);

	return r < 0 ? client_bus_error("cannot subscribe to signals of hotplugd", r) : EXIT_CODE_OK;
}

enum exit_code client_subscribe_owner(struct client *c, sd_bus_message_handler_t handler, void *userdata)
{
	int r = sd_bus_add_match(c->bus, NULL,
				 "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
				 "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" BUS_NAME "'",
				 handler, userdata);

	return r < 0 ? client_bus_error("cannot subscribe to signals of the bus", r) : EXIT_CODE_OK;
}
