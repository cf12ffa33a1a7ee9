/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Uevents, and policy by udev properties.
 *
 * Responsible for: the monitor, and reading HOTPLUGD_* from udev's database.
 * What policy means is the engine's business.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <linux/filter.h>

#include <libudev.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/names.h"
#include "base/text.h"
#include "base/time-span.h"
#include "udev.h"

#define GRACE_MAX_SEC 3600

/* Its files are named by sd_device_get_device_id() of systemd, its lines are
 * "E:PROPERTY=VALUE" and others. */
#define UDEV_DATABASE "/run/udev/data"

struct udev_link {
	struct udev *udev;
	struct udev_monitor *monitor, *kernel;
	sd_event_source *source, *kernel_source;
	udev_handler_t handler;
	udev_bound_handler_t bound;
	void *userdata;
};

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct udev_link *l = userdata;
	struct udev_device *d;

	while ((d = udev_monitor_receive_device(l->monitor))) {
		const char *path = udev_device_get_syspath(d), *subsystem = udev_device_get_subsystem(d);

		if (path && strstr(path, "/devices/pci"))
			l->handler(udev_device_get_action(d) ?: "", path, subsystem ?: "", l->userdata);
		udev_device_unref(d);
	}
	if (errno == ENOBUFS)
		l->handler("", NULL, "", l->userdata);
	return 0;
}

/* What is lost here udev tells, later. */
static int on_kernel_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct udev_link *l = userdata;
	struct udev_device *d;

	while ((d = udev_monitor_receive_device(l->kernel))) {
		const char *path = udev_device_get_syspath(d), *action = udev_device_get_action(d);

		if (path && action && strcmp(action, "bind") == 0)
			l->bound(path, l->userdata);
		udev_device_unref(d);
	}
	return 0;
}

/*
 * Has the kernel leave out all but "bind@/devices/…": of a card's many uevents only those
 * are of use, and a burst of the others would cost more than all else that is done for it.
 */
static int bound_alone(struct udev_monitor *monitor)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'b' << 24 | 'i' << 16 | 'n' << 8 | 'd', 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return setsockopt(udev_monitor_get_fd(monitor), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ?
		       -errno : 0;
}

/* Listens to what @from tells; @bound: of the binding of drivers alone. */
static int listen_to(struct udev *udev, const char *from, bool bound, struct udev_monitor **ret)
{
	struct udev_monitor *monitor = udev_monitor_new_from_netlink(udev, from);
	int r = monitor ? 0 : -ENOMEM;

	if (r >= 0 && bound)
		r = bound_alone(monitor);
	if (r >= 0) {
		udev_monitor_set_receive_buffer_size(monitor, 16 * 1024 * 1024);
		r = udev_monitor_enable_receiving(monitor);
	}
	if (r < 0)
		udev_monitor_unref(monitor);
	else
		*ret = monitor;
	return r;
}

int udev_link_new(struct udev_link **ret, sd_event *event, udev_handler_t handler, udev_bound_handler_t bound,
		  void *userdata)
{
	struct udev_link *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->handler = handler;
	l->bound = bound;
	l->userdata = userdata;
	l->udev = udev_new();
	r = l->udev ? listen_to(l->udev, "udev", false, &l->monitor) : -ENOMEM;
	if (r >= 0)
		r = listen_to(l->udev, "kernel", true, &l->kernel);
	if (r >= 0)
		r = sd_event_add_io(event, &l->source, udev_monitor_get_fd(l->monitor), EPOLLIN, on_readable, l);
	if (r >= 0)
		r = sd_event_add_io(event, &l->kernel_source, udev_monitor_get_fd(l->kernel), EPOLLIN,
				    on_kernel_readable, l);
	if (r < 0) {
		udev_link_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

struct udev_link *udev_link_free(struct udev_link *l)
{
	if (!l)
		return NULL;
	sd_event_source_disable_unref(l->source);
	sd_event_source_disable_unref(l->kernel_source);
	udev_monitor_unref(l->monitor);
	udev_monitor_unref(l->kernel);
	udev_unref(l->udev);
	free(l);
	return NULL;
}

/* ---- policy ---- */

/* As the administrator has configured it: one for the daemon, as udev's database is. */
static struct policy standard = { .button = BUTTON_EJECT, .insert = INSERT_AUTO, .grace = 5 * USEC_PER_SEC };

void policy_set_default(enum button_policy button, enum insert_policy insert, usec_t grace)
{
	standard.button = button;
	standard.insert = insert;
	standard.grace = grace;
}

void policy_default(struct policy *p)
{
	*p = standard;
}

void policy_clear(struct policy *p)
{
	free(p->name);
	p->name = NULL;
}

static void wrong_value(const char *device, const char *property, const char *value, const char *right)
{
	log_warning("%s: udev property %s=\"%s\" is ignored: it should be %s", device, property,
		    value, right);
}

static void apply_button(const char *device, const char *value, struct policy *p)
{
	enum button_policy b = button_policy_from_string(value);

	if (b == _BUTTON_POLICY_INVALID)
		wrong_value(device, UDEV_PROPERTY_BUTTON, value, "eject, notify or ignore");
	else
		p->button = b;
}

static void apply_insert(const char *device, const char *value, struct policy *p)
{
	enum insert_policy i = insert_policy_from_string(value);

	if (i == _INSERT_POLICY_INVALID)
		wrong_value(device, UDEV_PROPERTY_INSERT, value, "auto, notify or ignore");
	else
		p->insert = i;
}

static void apply_protect(const char *device, const char *value, struct policy *p)
{
	if (strcmp(value, "1") == 0)
		p->protect = true;
	else if (strcmp(value, "0") != 0)
		wrong_value(device, UDEV_PROPERTY_PROTECT, value, "0 or 1");
}

static void apply_grace(const char *device, const char *value, struct policy *p)
{
	uint64_t usec;

	if (time_span_parse(value, &usec) < 0 || usec > GRACE_MAX_SEC * USEC_PER_SEC)
		wrong_value(device, UDEV_PROPERTY_GRACE_SEC, value, "a time from 0 to 1h, such as 5 or 500ms");
	else
		p->grace = usec;
}

/* D-Bus takes no other text. */
static void apply_name(const char *device, const char *value, struct policy *p)
{
	char *name;

	if (!text_is_utf8(value)) {
		wrong_value(device, UDEV_PROPERTY_NAME, "…", "UTF-8");
		return;
	}
	name = strdup(value);
	if (!name)
		return;
	text_make_printable(value, name, strlen(value) + 1);
	free(p->name);
	p->name = name;
}

static void apply(const char *device, const char *property, const char *value, struct policy *p)
{
	static const struct {
		const char *property;
		void (*apply)(const char *device, const char *value, struct policy *p);
	} properties[] = {
		{ UDEV_PROPERTY_BUTTON, apply_button },	  { UDEV_PROPERTY_INSERT, apply_insert },
		{ UDEV_PROPERTY_PROTECT, apply_protect }, { UDEV_PROPERTY_GRACE_SEC, apply_grace },
		{ UDEV_PROPERTY_NAME, apply_name },
	};

	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
		if (strcmp(property, properties[i].property) == 0)
			properties[i].apply(device, value, p);
}

/*
 * udev's database is read by ourselves: libudev reads the device's "uevent" file
 * first, and that waits for the device's lock (Linux 6.1.97 and later), which a
 * driver's remove() holds for as long as it likes. The daemon never waits for a
 * driver.
 */
static void apply_database(const char *id, const char *device, struct policy *p)
{
	_cleanup_free_ char *path = NULL, *line = NULL;
	size_t size = 0;
	ssize_t n;
	FILE *f;

	if (asprintf(&path, UDEV_DATABASE "/%s", id) < 0) {
		path = NULL;
		return;
	}
	f = fopen(path, "re");
	if (!f) { /* no rule said anything, or it has gone meanwhile */
		if (errno != ENOENT)
			p->protect = true; /* who knows what a rule said */
		return;
	}
	while ((n = getline(&line, &size, f)) > 0) {
		char *value = strchr(line, '=');

		if (strncmp(line, "E:", 2) != 0 || !value)
			continue;
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		*value++ = '\0';
		/* An empty value is how a rule takes a property back. */
		if (value[0])
			apply(device, line + 2, value, p);
	}
	fclose(f);
}

/* Reads one word of a file in /sys/class; NULL when there is none. */
static char *class_word(const char *subsystem, const char *device, const char *file)
{
	_cleanup_free_ char *path = NULL;
	char *word = NULL;
	FILE *f;

	if (asprintf(&path, "/sys/class/%s/%s/%s", subsystem, device, file) < 0) {
		path = NULL;
		return NULL;
	}
	f = fopen(path, "re");
	if (!f)
		return NULL;
	if (fscanf(f, "%63ms", &word) != 1)
		word = NULL;
	fclose(f);
	return word;
}

/* The name of a device's file in udev's database: "b259:0", "n2", "+pci:…". */
static char *database_id(const char *subsystem, const char *device)
{
	bool net = strcmp(subsystem, "net") == 0, block = strcmp(subsystem, "block") == 0;
	_cleanup_free_ char *number = NULL;
	char *id;
	int r;

	if (strcmp(subsystem, "pci") != 0)
		number = class_word(subsystem, device, net ? "ifindex" : "dev");
	if (number)
		r = asprintf(&id, "%s%s", net ? "n" : block ? "b" : "c", number);
	else
		r = asprintf(&id, "+%s:%s", subsystem, device);
	return r < 0 ? NULL : id;
}

static int apply_device(const char *subsystem, const char *device, struct policy *p)
{
	_cleanup_free_ char *id = database_id(subsystem, device);

	if (!id)
		return -ENOMEM;
	apply_database(id, device, p);
	return 0;
}

/* @device as in struct sysfs_function, "block:nvme0n1". */
static int apply_below(const char *device, struct policy *p)
{
	size_t n = strcspn(device, ":");
	_cleanup_free_ char *subsystem = strndup(device, n);

	return subsystem ? apply_device(subsystem, device + n + 1, p) : -ENOMEM;
}

/* All that the properties of a function, and of devices below it, say. */
static int apply_function(const struct sysfs_function *f, struct policy *p)
{
	int r = apply_device("pci", f->address, p);

	for (char **d = f->devices; r >= 0 && d && *d; d++)
		r = apply_below(*d, p);
	return r;
}

/* Of what is in a slot below only this counts: ejecting the upper slot takes it along.
 * How that one's button works, or what it is called, is its own. */
static int apply_protect_of(const struct sysfs_function *f, struct policy *p)
{
	struct policy its;
	int r;

	policy_default(&its);
	r = apply_function(f, &its);
	p->protect |= its.protect;
	policy_clear(&its);
	return r;
}

int policy_read(const char *port, const struct sysfs_function *functions, size_t n, struct policy *p)
{
	struct policy fresh;
	int r = 0;

	policy_default(&fresh);
	if (port[0])
		r = apply_device("pci", port, &fresh);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = (functions[i].other_slot ? apply_protect_of : apply_function)(&functions[i], &fresh);
	if (r < 0) {
		policy_clear(&fresh);
		return r;
	}
	policy_clear(p);
	*p = fresh;
	return 0;
}
