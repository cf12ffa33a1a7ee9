/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From what a person calls a device to where it is.
 *
 * Responsible for: names of slots, PCI addresses, device nodes, block devices,
 * network interfaces, controllers and sysfs paths. Which slot holds a device is
 * the registry's to say.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/names.h"
#include "resolve.h"

void resolved_clear(struct resolved *r)
{
	free(r->slot);
	strv_free(r->chain);
	*r = (struct resolved){ 0 };
}

/* "0000:02:00.0": domain of four or more digits. */
static bool is_address(const char *s, size_t n)
{
	size_t domain = 0;

	while (domain < n && isxdigit((unsigned char)s[domain]))
		domain++;
	if (domain < 4 || n != domain + 8)
		return false;
	s += domain;
	return s[0] == ':' && isxdigit((unsigned char)s[1]) && isxdigit((unsigned char)s[2]) && s[3] == ':' &&
	       isxdigit((unsigned char)s[4]) && isxdigit((unsigned char)s[5]) && s[6] == '.' && s[7] >= '0' && s[7] <= '7';
}

/* Takes the PCI addresses out of a canonical path below /sys/devices. */
static int chain_of_path(const char *path, char ***ret)
{
	_cleanup_strv_ char **chain = NULL;
	size_t n = 0, room = 1;

	for (const char *p = path; *p; p++)
		room += *p == '/';
	chain = calloc(room, sizeof(*chain));
	if (!chain)
		return -ENOMEM;
	/* From the end to the front: nearest first. */
	for (const char *end = path + strlen(path); end > path;) {
		const char *start = end;

		while (start > path && start[-1] != '/')
			start--;
		if (is_address(start, (size_t)(end - start))) {
			chain[n] = strndup(start, (size_t)(end - start));
			if (!chain[n++])
				return -ENOMEM;
		}
		end = start > path ? start - 1 : path;
	}
	if (n == 0)
		return -ENODEV;
	*ret = TAKE_PTR(chain);
	return 0;
}

static int chain_of_link(const char *link, char ***ret)
{
	char path[PATH_MAX];

	if (!realpath(link, path))
		return -errno;
	return chain_of_path(path, ret);
}

int resolve_chain(const char *address, char ***ret)
{
	char link[PATH_MAX];
	int n = snprintf(link, sizeof(link), "%s/", SYSFS_DEVICES);

	/* "0000:0A:00.0" is what lspci does not say, but people do. */
	for (; *address && n < PATH_MAX - 1; address++)
		link[n++] = (char)tolower((unsigned char)*address);
	link[n] = '\0';
	return chain_of_link(link, ret);
}

/* Puts what the link @fd says before the rest of the path. Returns 1 when it begins at /dev. */
static int follow_link(int fd, const char *rest, char *path)
{
	char target[PATH_MAX], longer[PATH_MAX];
	ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);
	bool from_dev;

	if (n < 0)
		return -errno;
	target[n] = '\0';
	from_dev = strncmp(target, "/dev/", 5) == 0;
	if (target[0] == '/' && !from_dev)
		return -ENODEV;
	n = snprintf(longer, sizeof(longer), "%s/%s", from_dev ? target + 5 : target, rest);
	if (n >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(path, longer, (size_t)n + 1);
	return from_dev;
}

/*
 * What a path below /dev leads to, step by step: who asks may be anybody, so no
 * other file system than /dev's own is entered. It might never answer, or tell who
 * may not know what is there. (openat2() could do this; the sandbox has none.)
 */
static int stat_node(const char *name, struct stat *st)
{
	_cleanup_close_ int dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC), at = -1;
	char path[PATH_MAX];
	struct stat top;
	int links = 0;

	if (dev < 0 || fstat(dev, &top) < 0)
		return -errno;
	at = fcntl(dev, F_DUPFD_CLOEXEC, 0);
	snprintf(path, sizeof(path), "%s", name);
	*st = top;
	for (char *step = path; *(step += strspn(step, "/"));) {
		_cleanup_close_ int fd = -1;
		size_t n = strcspn(step, "/");
		char *rest = step + n;
		int r = 0, next;

		if (*rest)
			*rest++ = '\0';
		fd = openat(at, step, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fstat(fd, st) < 0)
			return -errno;
		if (st->st_dev != top.st_dev)
			return -ENODEV;
		step = rest;
		if (S_ISLNK(st->st_mode)) {
			r = ++links > 8 ? -ELOOP : follow_link(fd, rest, path);
			if (r < 0)
				return r;
			step = path;
		}
		if (S_ISLNK(st->st_mode) && r == 0)
			continue;
		next = fcntl(r > 0 ? dev : fd, F_DUPFD_CLOEXEC, 0);
		if (next < 0)
			return -errno;
		close(at);
		at = next;
	}
	return 0;
}

static int resolve_node(const char *path, char ***ret)
{
	char link[64];
	struct stat st;
	int r;

	if (strncmp(path, "/dev/", 5) != 0)
		return -EINVAL;
	r = stat_node(path + 5, &st);
	if (r < 0)
		return r == -ENOTDIR ? -ENOENT : r;
	if (!S_ISBLK(st.st_mode) && !S_ISCHR(st.st_mode))
		return -ENODEV;
	snprintf(link, sizeof(link), "/sys/dev/%s/%u:%u", S_ISBLK(st.st_mode) ? "block" : "char", major(st.st_rdev),
		 minor(st.st_rdev));
	return chain_of_link(link, ret);
}

/* nvme0, nvme0n1, eth0: by the name in one of these. */
static int resolve_class(const char *name, char ***ret)
{
	static const char *const classes[] = { "block", "net", "nvme" };

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		char link[PATH_MAX];
		int r;

		snprintf(link, sizeof(link), "/sys/class/%s/%s", classes[i], name);
		r = chain_of_link(link, ret);
		if (r != -ENOENT)
			return r;
	}
	return -ENOENT;
}

/* An interface may have other names, which are not in sysfs. */
static int resolve_altname(const char *name, char ***ret)
{
	char real[IF_NAMESIZE];
	unsigned int index = if_nametoindex(name);

	if (index == 0 || !if_indextoname(index, real))
		return -ENOENT;
	return resolve_class(real, ret);
}

static bool is_slot(const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", SYSFS_SLOTS, name);
	return stat(path, &st) == 0;
}

static int resolve_device(const char *text, char ***ret)
{
	char full[32];
	int r;

	if (text[0] == '/')
		return strncmp(text, "/sys/", 5) == 0 ? chain_of_link(text, ret) : resolve_node(text, ret);
	if (is_address(text, strlen(text)))
		return resolve_chain(text, ret);
	snprintf(full, sizeof(full), "0000:%.16s", text);
	if (is_address(full, strlen(full)))
		return resolve_chain(full, ret);
	if (strchr(text, '/'))
		return -EINVAL;
	r = resolve_class(text, ret);
	return r == -ENOENT ? resolve_altname(text, ret) : r;
}

/* "slot3" is a slot, and so is "3": a number is nothing else. */
static const char *slot_part(const char *text)
{
	if (strchr(text, '/') || strchr(text, ':'))
		return NULL;
	if (strncmp(text, "slot", 4) == 0 && text[4])
		return text + 4;
	return isdigit((unsigned char)text[0]) && !strchr(text, '.') ? text : NULL;
}

/* "3" of /sys/bus/pci/slots/3 or of a file in it, to be freed; NULL: it is no such path. */
static char *slot_of_path(const char *path)
{
	const size_t n = strlen(SYSFS_SLOTS "/");

	if (strncmp(path, SYSFS_SLOTS "/", n) != 0 || path[n] == '/' || path[n] == '\0')
		return NULL;
	return strndup(path + n, strcspn(path + n, "/"));
}

int resolve_name(const char *text, struct resolved *ret)
{
	_cleanup_free_ char *of_path = NULL;
	struct resolved found = { .kind = RESOLVED_DEVICE };
	const char *slot;
	int r;

	if (text[0] == '\0' || strlen(text) >= PATH_MAX - 64 || strstr(text, ".."))
		return -EINVAL;
	of_path = slot_of_path(text);
	slot = of_path ?: slot_part(text);
	if (slot) {
		if (!is_slot(slot))
			return -ENOENT;
		found.kind = RESOLVED_SLOT;
		found.slot = strdup(slot);
		r = found.slot ? 0 : -ENOMEM;
	} else {
		r = resolve_device(text, &found.chain);
	}
	if (r >= 0)
		*ret = found;
	return r;
}
