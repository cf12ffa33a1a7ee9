/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What /sys tells about slots and what is in them.
 *
 * Responsible for: reading. Writes nothing, decides nothing.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/names.h"
#include "base/text.h"
#include "pci.h"
#include "sysfs.h"

static inline void cleanup_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

const char *sysfs_slot_kind_to_string(enum sysfs_slot_kind k)
{
	switch (k) {
	case SYSFS_SLOT_PCIE:
		return "pcie";
	case SYSFS_SLOT_SHPC:
		return "shpc";
	case SYSFS_SLOT_OTHER:
		return "other";
	default:
		return NULL;
	}
}

/* Reads a short file below a directory, without its last newline. */
static int read_text(int dir, const char *name, char *to, size_t size)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, to, size - 1);
	if (n < 0)
		return -errno;
	while (n > 0 && to[n - 1] == '\n')
		n--;
	to[n] = '\0';
	return 0;
}

static int read_number(int dir, const char *name, int base, long *ret)
{
	char text[32];
	int r = read_text(dir, name, text, sizeof(text));

	if (r >= 0)
		*ret = strtol(text, NULL, base);
	return r;
}

/* The last component of what a link points to; "" when there is no link. */
static void link_name(int dir, const char *name, char *to, size_t size)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);
	const char *slash;

	to[0] = '\0';
	if (n <= 0)
		return;
	target[n] = '\0';
	slash = strrchr(target, '/');
	snprintf(to, size, "%.*s", (int)size - 1, slash ? slash + 1 : target);
}

static int open_directory(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int open_device(const char *address)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", SYSFS_DEVICES, address);
	return open_directory(AT_FDCWD, path);
}

static DIR *list_directory(int at, const char *path)
{
	int fd = open_directory(at, path);
	DIR *d;

	if (fd < 0)
		return NULL;
	d = fdopendir(fd);
	if (!d)
		close(fd);
	return d;
}

/* ---- slots ---- */

/* Who drives the hot-plug service of a port: "pciehp", "hpshim" or "". */
static void port_service_driver(int port, char *to, size_t size)
{
	_cleanup_(cleanup_dir) DIR *d = list_directory(port, ".");
	struct dirent *e;

	to[0] = '\0';
	while (d && (e = readdir(d))) {
		size_t n = strlen(e->d_name);
		char link[NAME_MAX + 8];

		/* Port type in front, service 4 (hot-plug) at the end. */
		if (!strstr(e->d_name, ":pcie") || n < 2 || strcmp(e->d_name + n - 2, "04") != 0)
			continue;
		snprintf(link, sizeof(link), "%s/driver", e->d_name);
		link_name(port, link, to, size);
		return;
	}
}

/* Finds the bridge whose secondary bus is @bus ("0000:01"), "" on a root bus. */
static void bridge_of_bus(const char *bus, char *to, size_t size)
{
	char link[PATH_MAX], path[PATH_MAX];
	char *slash;

	to[0] = '\0';
	snprintf(link, sizeof(link), "/sys/class/pci_bus/%s/device", bus);
	if (!realpath(link, path))
		return;
	slash = strrchr(path, '/');
	/* A root bus hangs below "pci0000:00", which is no function. */
	if (slash && strchr(slash, '.'))
		snprintf(to, size, "%.*s", (int)size - 1, slash + 1);
}

static void classify(struct sysfs_slot *s)
{
	char driver[64];
	_cleanup_close_ int port = s->port[0] ? open_device(s->port) : -1;

	s->kind = SYSFS_SLOT_OTHER;
	if (port < 0)
		return;
	port_service_driver(port, driver, sizeof(driver));
	if (driver[0] != '\0') {
		s->kind = SYSFS_SLOT_PCIE;
	} else {
		link_name(port, "driver", driver, sizeof(driver));
		if (strcmp(driver, "shpchp") == 0 || strcmp(driver, "hpshim") == 0)
			s->kind = SYSFS_SLOT_SHPC;
	}
	s->shim = strcmp(driver, "hpshim") == 0;
}

void sysfs_slot_clear(struct sysfs_slot *s)
{
	free(s->name);
	free(s->address);
	free(s->port);
}

/* Returns 1 when it is a hot-plug slot, 0 when it is none or has gone. */
static int slot_read(int slots, const char *name, struct sysfs_slot *s)
{
	_cleanup_close_ int dir = open_directory(slots, name);
	char where[32], bus[32], bridge[32];
	long value;
	char *colon;

	memset(s, 0, sizeof(*s));
	/* Without a power file it is a name for a place, not a hot-plug slot. */
	if (dir < 0 || read_text(dir, "address", where, sizeof(where)) < 0 || faccessat(dir, "power", F_OK, 0) < 0)
		return 0;
	snprintf(bus, sizeof(bus), "%s", where);
	colon = strrchr(bus, ':'); /* "0000:01:00" */
	if (!colon)
		return 0;
	*colon = '\0';
	bridge_of_bus(bus, bridge, sizeof(bridge));
	s->name = strdup(name);
	s->port = strdup(bridge);
	if (!s->name || !s->port)
		return -ENOMEM;
	classify(s);
	if (s->kind == SYSFS_SLOT_PCIE)
		s->address = strdup(bridge);
	else if (asprintf(&s->address, "%s.0", where) < 0)
		s->address = NULL;
	if (!s->address)
		return -ENOMEM;
	if (s->shim)
		return 1; /* its state comes from the shim */
	s->power = read_number(dir, "power", 10, &value) >= 0 && value > 0;
	s->present = read_number(dir, "adapter", 10, &value) >= 0 && value > 0;
	s->latch_known = read_number(dir, "latch", 10, &value) >= 0;
	s->latch_open = s->latch_known && value > 0;
	return 1;
}

int sysfs_slot_read(const char *name, struct sysfs_slot *ret)
{
	_cleanup_close_ int slots = open_directory(AT_FDCWD, SYSFS_SLOTS);

	memset(ret, 0, sizeof(*ret));
	return slots < 0 ? 0 : slot_read(slots, name, ret);
}

int sysfs_slots_read(struct sysfs_slot **ret, size_t *ret_n)
{
	_cleanup_(cleanup_dir) DIR *d = list_directory(AT_FDCWD, SYSFS_SLOTS);
	struct sysfs_slot *slots = NULL, *more;
	struct dirent *e;
	size_t n = 0;
	int r = d ? 0 : -errno;

	if (r == -ENOENT)
		r = 0; /* no slots */
	while (d && r >= 0 && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		more = reallocarray(slots, n + 1, sizeof(*slots));
		if (!more) {
			r = -ENOMEM;
			break;
		}
		slots = more;
		r = slot_read(dirfd(d), e->d_name, &slots[n]);
		if (r > 0)
			n++;
		else
			sysfs_slot_clear(&slots[n]);
	}
	if (r < 0) {
		sysfs_slots_free(slots, n);
		return r;
	}
	*ret = slots;
	*ret_n = n;
	return 0;
}

void sysfs_slots_free(struct sysfs_slot *slots, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sysfs_slot_clear(&slots[i]);
	free(slots);
}

int sysfs_adoptable_ports(char ***ret)
{
	_cleanup_(cleanup_dir) DIR *d = list_directory(AT_FDCWD, SYSFS_DEVICES);
	_cleanup_strv_ char **ports = calloc(1, sizeof(*ports));
	struct dirent *e;
	size_t n = 0;

	if (!d)
		return -errno;
	while (ports && (e = readdir(d))) {
		_cleanup_close_ int port = e->d_name[0] == '.' ? -1 : open_directory(dirfd(d), e->d_name);
		char driver[64], **more;

		if (port < 0)
			continue;
		link_name(port, "driver", driver, sizeof(driver));
		if (strcmp(driver, "pcieport") == 0)
			port_service_driver(port, driver, sizeof(driver));
		if (strcmp(driver, "pciehp") != 0 && strcmp(driver, "shpchp") != 0)
			continue;
		more = reallocarray(ports, n + 2, sizeof(*ports));
		if (!more)
			return -ENOMEM;
		ports = more;
		ports[n] = strdup(e->d_name);
		ports[n + 1] = NULL;
		if (!ports[n++])
			return -ENOMEM;
	}
	if (!ports)
		return -ENOMEM;
	*ret = TAKE_PTR(ports);
	return 0;
}

bool sysfs_is_shpc_bridge(const char *syspath)
{
	_cleanup_close_ int device = open_directory(AT_FDCWD, syspath);
	char driver[64];

	if (device < 0)
		return false;
	link_name(device, "driver", driver, sizeof(driver));
	return strcmp(driver, "shpchp") == 0;
}

/* ---- functions ---- */

static int add_string(char ***strings, const char *text)
{
	size_t n = 0;
	char **more;

	while (*strings && (*strings)[n])
		n++;
	more = reallocarray(*strings, n + 2, sizeof(*more));
	if (!more)
		return -ENOMEM;
	*strings = more;
	more[n] = strdup(text);
	more[n + 1] = NULL;
	return more[n] ? 0 : -ENOMEM;
}

/*
 * Devices lie below a function in it, below each other and below directories that
 * only group them (nvme/nvme0/nvme0n1, virtio0/block/vda/vda1). Each tells its
 * subsystem by its own link. Deeper than this nothing is looked for.
 */
#define DEVICE_DEPTH 8

static bool is_pci_address(const char *name)
{
	const char *colon = strchr(name, ':');

	return colon && strchr(colon + 1, ':') && strchr(name, '.');
}

/* Directories of devices that hold none themselves, and have many entries. */
static bool holds_no_devices(const char *name)
{
	static const char *const names[] = { "power",  "msi_irqs", "link",  "queue",	  "queues",    "mq",
					     "slaves", "holders",  "trace", "statistics", "integrity" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Adds a device below a function; returns whether more nodes may lie below it. */
static int add_device(int dir, const char *name, struct sysfs_function *f, bool *nodes)
{
	_cleanup_free_ char *device = NULL;
	char subsystem[64], printable[NAME_MAX + 1];
	long hidden = 0;
	int r;

	link_name(dir, "subsystem", subsystem, sizeof(subsystem));
	if (subsystem[0] == '\0' || strcmp(subsystem, "pci") == 0)
		return 0;
	if (asprintf(&device, "%s:%s", subsystem, name) < 0)
		return -ENOMEM;
	r = add_string(&f->devices, device);
	if (r < 0 || !*nodes || (strcmp(subsystem, "block") != 0 && strcmp(subsystem, "net") != 0))
		return r;
	*nodes = false;
	/* The hidden paths of a multipath drive are no nodes. */
	if (read_number(dir, "hidden", 10, &hidden) >= 0 && hidden)
		return 0;
	text_make_printable(name, printable, sizeof(printable));
	return add_string(&f->nodes, printable);
}

/* Finds the devices in and below a directory. @nodes: people's names are wanted too. */
static int find_devices(int at, const char *name, int depth, bool nodes, struct sysfs_function *f)
{
	_cleanup_(cleanup_dir) DIR *d = list_directory(at, name);
	struct dirent *e;
	int r;

	if (!d)
		return 0;
	r = add_device(dirfd(d), name, f, &nodes);
	while (depth > 0 && r >= 0 && (e = readdir(d)))
		if (e->d_type == DT_DIR && e->d_name[0] != '.' && !holds_no_devices(e->d_name) &&
		    !is_pci_address(e->d_name))
			r = find_devices(dirfd(d), e->d_name, depth - 1, nodes, f);
	return r;
}

static void function_clear(struct sysfs_function *f)
{
	free(f->address);
	free(f->name);
	free(f->driver);
	strv_free(f->nodes);
	strv_free(f->devices);
}

/* @drivers: nothing but its driver is wanted. */
static int function_read(const char *address, bool drivers, struct sysfs_function *f)
{
	_cleanup_close_ int dir = open_device(address);
	long vendor = 0, device = 0, class = 0;
	char driver[64];
	int r;

	memset(f, 0, sizeof(*f));
	if (dir < 0)
		return dir;
	read_number(dir, "class", 16, &class);
	link_name(dir, "driver", driver, sizeof(driver));
	f->bridge = class >> 16 == 0x06; /* base class: bridge */
	f->address = strdup(address);
	f->driver = strdup(driver);
	if (drivers)
		return f->address && f->driver ? 0 : -ENOMEM;
	read_number(dir, "vendor", 16, &vendor);
	read_number(dir, "device", 16, &device);
	f->name = pci_device_name((unsigned int)vendor, (unsigned int)device);
	if (!f->address || !f->driver || !f->name)
		return -ENOMEM;
	r = f->bridge ? 0 : find_devices(dir, ".", DEVICE_DEPTH, true, f);
	return r;
}

struct functions {
	bool drivers; /* no names, no devices below */
	struct sysfs_function *list;
	size_t n;
};

/* Whether a bridge has hot-plug slots itself. */
static bool has_slots(const char *address)
{
	_cleanup_close_ int dir = open_device(address);
	char driver[64];

	if (dir < 0)
		return false;
	port_service_driver(dir, driver, sizeof(driver));
	if (driver[0] != '\0')
		return true;
	link_name(dir, "driver", driver, sizeof(driver));
	return strcmp(driver, "shpchp") == 0 || strcmp(driver, "hpshim") == 0;
}

/* Whether a directory entry is a function below its bus. @device: of this device. */
static bool is_function(const struct dirent *e, const char *device)
{
	size_t n = device ? strcspn(device, ".") : 0;

	if (e->d_type != DT_DIR || !is_pci_address(e->d_name) || strstr(e->d_name, "pcie"))
		return false;
	return !device || (strncmp(e->d_name, device, n) == 0 && e->d_name[n] == '.');
}

/* Adds what is below a bridge, and below the bridges there. @device: only this one;
 * @other: it is in another slot. */
static int read_below(int at, const char *path, const char *device, int depth, bool other, struct functions *f)
{
	_cleanup_(cleanup_dir) DIR *d = list_directory(at, path);
	struct dirent *e;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		struct sysfs_function *more, *one;
		int r;

		if (!is_function(e, device))
			continue;
		more = reallocarray(f->list, f->n + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		f->list = more;
		one = &f->list[f->n];
		r = function_read(e->d_name, f->drivers, one);
		if (r >= 0) {
			one->other_slot = !f->drivers && (other || (one->bridge && has_slots(one->address)));
			f->n++;
			if (one->bridge && depth > 0)
				r = read_below(dirfd(d), e->d_name, NULL, depth - 1, one->other_slot, f);
		} else {
			function_clear(one);
		}
		if (r < 0 && r != -ENOENT && r != -ENODEV) /* it may go while it is looked at */
			return r;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct sysfs_function *x = a, *y = b;

	return strcmp(x->address, y->address);
}

static int open_above(const char *port, const char *device)
{
	char path[64];

	if (port[0] != '\0')
		return open_device(port);
	if (!device || device[0] == '\0')
		return -ENOENT;
	/* on a root bus: below the host bridge */
	snprintf(path, sizeof(path), "/sys/devices/pci%.*s", (int)(strrchr(device, ':') - device), device);
	return open_directory(AT_FDCWD, path);
}

bool sysfs_functions_exist(const char *port, const char *device)
{
	_cleanup_close_ int dir = open_above(port, device);
	_cleanup_(cleanup_dir) DIR *d = dir < 0 ? NULL : list_directory(dir, ".");
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (is_function(e, device))
			return true;
	return false;
}

static int functions_read(const char *port, const char *device, bool drivers, struct sysfs_function **ret, size_t *ret_n)
{
	_cleanup_close_ int dir = open_above(port, device);
	struct functions f = { .drivers = drivers };
	int r;

	if (dir < 0)
		return dir;
	r = read_below(dir, ".", device, 32, false, &f);
	if (r < 0) {
		sysfs_functions_free(f.list, f.n);
		return r;
	}
	if (f.n > 0)
		qsort(f.list, f.n, sizeof(*f.list), compare);
	*ret = f.list;
	*ret_n = f.n;
	return 0;
}

int sysfs_functions_read(const char *port, const char *device, struct sysfs_function **ret, size_t *ret_n)
{
	return functions_read(port, device, false, ret, ret_n);
}

int sysfs_drivers_read(const char *port, const char *device, struct sysfs_function **ret, size_t *ret_n)
{
	return functions_read(port, device, true, ret, ret_n);
}

void sysfs_functions_free(struct sysfs_function *functions, size_t n)
{
	for (size_t i = 0; i < n; i++)
		function_clear(&functions[i]);
	free(functions);
}
