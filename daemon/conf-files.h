/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which files make up the configuration, and what is written in them. */
#ifndef HOTPLUGD_CONF_FILES_H
#define HOTPLUGD_CONF_FILES_H

/* The strings are valid during the call. */
struct conf_files_ops {
	/* KEY=VALUE below [SECTION] ("": above the first); comments and the
	 * blanks around are gone. */
	void (*assign)(const char *file, unsigned int line, const char *section, const char *key, const char *value,
		       void *userdata);
	/* A line, or with line 0 a whole file, cannot be read. @reason ends a
	 * sentence, without a full stop. */
	void (*wrong)(const char *file, unsigned int line, const char *reason, void *userdata);
};

/*
 * Reads the configuration @name ("hotplugd.conf"), in the order in which later
 * assignments override earlier ones, by the rules of systemd (see
 * systemd-system.conf(5), "Configuration directories and precedence"):
 *
 *   - of /etc/NAME, /run/NAME, /usr/local/lib/NAME and /usr/lib/NAME the first
 *     that exists;
 *   - then NAME.d/x.conf of these directories, all together in the order of their
 *     file names. Of files with the same name only the first is read, in the
 *     order of the directories above; it may be empty or a link to /dev/null,
 *     which makes the others ineffective.
 *
 * @root is put in front of all these paths ("": none). What is wrong in the files
 * is told to ops->wrong() and the rest is read. No files are no error. Returns 0
 * or -ENOMEM.
 */
int conf_files_read(const char *root, const char *name, const struct conf_files_ops *ops, void *userdata);

#endif
