/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which files make up the configuration, and what is written in them.
 *
 * Responsible for: finding the files, their order, masking, and reading them with
 * inih. What an assignment means is settings.c's.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <ini.h>

#include "base/cleanup.h"
#include "conf-files.h"

/* Syntax errors told of one file: the text may be no configuration at all. */
#define WRONG_LINES_MAX 10

static const char *const directories[] = { "/etc", "/run", "/usr/local/lib", "/usr/lib" };
#define N_DIRECTORIES (sizeof(directories) / sizeof(directories[0]))

/* ---- one file ---- */

struct reader {
	FILE *f;
	const char *path;
	const struct conf_files_ops *ops; /* NULL: look for syntax errors only */
	void *userdata;
	unsigned int line;
	unsigned int blank_to; /* lines up to this one are given as empty ones */
	char *text;            /* getline()'s */
	size_t size;
};

/* Why inih cannot be given a line, or NULL. It would take a line that is longer
 * than its buffer for two. */
static const char *unreadable(const char *text, size_t length, int num)
{
	if (strlen(text) != length)
		return "the line has a NUL byte in it, and is ignored";
	if (length >= (size_t)num)
		return "the line is too long, and is ignored; lists can be continued by assigning again";
	return NULL;
}

/* Hands out one line, without the blanks it begins with: inih would take it for
 * a continuation of the line before. */
static char *read_line(char *str, int num, void *stream)
{
	struct reader *r = stream;
	ssize_t length = getline(&r->text, &r->size, r->f);
	const char *text = r->text, *reason;

	if (length < 0)
		return NULL;
	r->line++;
	text += strspn(text, " \t\r\v\f");
	reason = unreadable(text, (size_t)(length - (text - r->text)), num);
	if (reason && r->ops)
		r->ops->wrong(r->path, r->line, reason, r->userdata);
	if (reason || r->line <= r->blank_to)
		text = "\n";
	return strcpy(str, text);
}

static int on_assignment(void *userdata, const char *section, const char *key, const char *value)
{
	struct reader *r = userdata;

	if (r->ops)
		r->ops->assign(r->path, r->line, section, key, value, r->userdata);
	return 1;
}

/* Returns the first line with a syntax error, 0 for none, or -ENOMEM. */
static int read_stream(struct reader *r)
{
	int found;

	rewind(r->f);
	r->line = 0;
	found = ini_parse_stream(read_line, r, on_assignment, r);
	return found == -2 ? -ENOMEM : found;
}

/* inih tells the first error only: looks again behind it, until there is none. */
static int find_syntax_errors(struct reader *r, const struct conf_files_ops *ops)
{
	for (int n = 0;; n++) {
		int found = read_stream(r);

		if (found <= 0)
			return found;
		if (n == WRONG_LINES_MAX) {
			ops->wrong(r->path, (unsigned int)found, "this line and more below are wrong, too, and are ignored",
				   r->userdata);
			return 0;
		}
		ops->wrong(r->path, (unsigned int)found, "the line is neither KEY=VALUE, nor [SECTION], nor a comment, and is ignored",
			   r->userdata);
		r->blank_to = (unsigned int)found;
	}
}

/* Opens what is to be read. Returns 1, 0 when there is nothing in it, or a
 * negative errno. */
static int open_file(const char *path, FILE **ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISCHR(st.st_mode)) /* /dev/null */
		return 0;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	*ret = fdopen(fd, "r");
	if (!*ret)
		return -errno;
	fd = -1;
	return 1;
}

static int read_file(const char *path, const struct conf_files_ops *ops, void *userdata)
{
	struct reader r = { .path = path, .userdata = userdata };
	int result = open_file(path, &r.f);

	if (result == -ENOENT || result == 0)
		return 0; /* a link that leads nowhere masks as well */
	if (result < 0) {
		char reason[128];

		snprintf(reason, sizeof(reason), "the file cannot be read, and is ignored: %s", strerror(-result));
		ops->wrong(path, 0, reason, userdata);
		return 0;
	}
	result = find_syntax_errors(&r, ops);
	r.ops = ops;
	r.blank_to = 0;
	if (result >= 0)
		result = read_stream(&r);
	free(r.text);
	fclose(r.f);
	return result < 0 ? result : 0;
}

/* ---- which files ---- */

struct file {
	char *path;
	const char *name; /* in path */
};

struct file_list {
	struct file *files;
	size_t n;
};

static void file_list_clear(struct file_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->files[i].path);
	free(l->files);
}

static bool is_drop_in(const char *name)
{
	size_t n = strlen(name);

	return name[0] != '.' && n > 5 && strcmp(name + n - 5, ".conf") == 0;
}

static bool is_listed(const struct file_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->files[i].name, name) == 0)
			return true;
	return false;
}

static int add_file(struct file_list *l, const char *directory, const char *name)
{
	struct file *more = reallocarray(l->files, l->n + 1, sizeof(*more));
	char *path;

	if (!more)
		return -ENOMEM;
	l->files = more;
	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return -ENOMEM;
	more[l->n++] = (struct file){ .path = path, .name = strrchr(path, '/') + 1 };
	return 0;
}

static int list_directory(const char *directory, struct file_list *l, const struct conf_files_ops *ops, void *userdata)
{
	DIR *d = opendir(directory);
	struct dirent *e;
	int r = 0;

	if (!d && errno != ENOENT) {
		char reason[128];

		snprintf(reason, sizeof(reason), "the directory cannot be read: %s", strerror(errno));
		ops->wrong(directory, 0, reason, userdata);
	}
	while (d && r >= 0 && (e = readdir(d)))
		if (is_drop_in(e->d_name) && !is_listed(l, e->d_name))
			r = add_file(l, directory, e->d_name);
	if (d)
		closedir(d);
	return r;
}

static int compare(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int list_drop_ins(const char *root, const char *name, struct file_list *l, const struct conf_files_ops *ops,
			 void *userdata)
{
	for (size_t i = 0; i < N_DIRECTORIES; i++) {
		_cleanup_free_ char *directory = NULL;
		int r;

		if (asprintf(&directory, "%s%s/%s.d", root, directories[i], name) < 0)
			return -ENOMEM;
		r = list_directory(directory, l, ops, userdata);
		if (r < 0)
			return r;
	}
	if (l->n > 0)
		qsort(l->files, l->n, sizeof(*l->files), compare);
	return 0;
}

static int read_main_file(const char *root, const char *name, const struct conf_files_ops *ops, void *userdata)
{
	for (size_t i = 0; i < N_DIRECTORIES; i++) {
		_cleanup_free_ char *path = NULL;
		struct stat st;

		if (asprintf(&path, "%s%s/%s", root, directories[i], name) < 0)
			return -ENOMEM;
		if (lstat(path, &st) == 0)
			return read_file(path, ops, userdata);
	}
	return 0;
}

int conf_files_read(const char *root, const char *name, const struct conf_files_ops *ops, void *userdata)
{
	_cleanup_(file_list_clear) struct file_list drop_ins = { 0 };
	int r = read_main_file(root, name, ops, userdata);

	if (r >= 0)
		r = list_drop_ins(root, name, &drop_ins, ops, userdata);
	for (size_t i = 0; r >= 0 && i < drop_ins.n; i++)
		r = read_file(drop_ins.files[i].path, ops, userdata);
	return r;
}
