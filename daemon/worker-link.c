/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's end of the commit worker.
 *
 * Responsible for: starting the worker, telling it what to write, bringing back
 * the answer, noticing its death, waiting until that of a daemon before this one
 * has ended, and looking where it is stuck. Never blocks.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/names.h"
#include "worker-link.h"

struct worker_link {
	sd_event *event;
	char *path;
	pid_t pid;  /* 0: none */
	uint64_t start; /* when it started, 0: not known */
	int socket; /* -1: none */
	sd_event_source *source, *child;
	worker_handler_t handler; /* NULL: idle */
	void *userdata;
	worker_started_t started;
	void *started_userdata;
	char *work;               /* the request under way, or one that waits for the predecessor */
	size_t work_size;
	unsigned int tries;

	pid_t predecessor;        /* 0: none */
	uint64_t predecessor_start;
	int predecessor_fd;       /* pidfd */
	sd_event_source *predecessor_source;
};

/* A worker that is killed is replaced as often as this for one piece of work. */
#define TRIES_MAX 5

static void forget_worker(struct worker_link *l)
{
	l->source = sd_event_source_disable_unref(l->source);
	l->child = sd_event_source_disable_unref(l->child);
	if (l->socket >= 0)
		close(l->socket);
	l->socket = -1;
	l->pid = 0;
}

static void answer(struct worker_link *l, int error, const char *text)
{
	worker_handler_t handler = l->handler;

	l->handler = NULL;
	free(l->work);
	l->work = NULL;
	if (handler)
		handler(error, text, l->userdata);
}

/* Takes the worker's answer from the socket. Returns 1, or 0 when there is none,
 * or -ENOTCONN when none will come. */
static int read_answer(struct worker_link *l, int *ret_error, char *text, size_t size)
{
	ssize_t n = recv(l->socket, text, size - 1, MSG_DONTWAIT);
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -ENOTCONN;
	text[n] = '\0';
	*ret_error = (int)strtol(text, &end, 10);
	end += strspn(end, " ");
	memmove(text, end, strlen(end) + 1);
	return 1;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct worker_link *l = userdata;
	char text[512];
	int error, r = read_answer(l, &error, text, sizeof(text));

	if (r > 0)
		answer(l, error, text);
	else if (r < 0) /* on_exit_of_worker() tells whoever waits */
		l->source = sd_event_source_disable_unref(l->source);
	return 0;
}

static int send_request(struct worker_link *l, const char *text, size_t size);

/* The work again, by another worker. Returns whether somebody has it now. */
static bool try_again(struct worker_link *l)
{
	int r;

	if (!l->work || ++l->tries >= TRIES_MAX)
		return false;
	r = send_request(l, l->work, l->work_size);
	if (r < 0)
		log_error("Cannot start another commit worker: %s", strerror(-r));
	return r >= 0;
}

static int on_exit_of_worker(sd_event_source *source, const siginfo_t *info, void *userdata)
{
	struct worker_link *l = userdata;
	char text[512] = "the commit worker died; see the journal. What the slot is now is read anew";
	/* Not one that the kernel ended for its own faults: there is a bug then. */
	bool killed = info->si_code == CLD_KILLED && info->si_status != SIGSEGV && info->si_status != SIGBUS;
	int error = EOWNERDEAD;

	log_warning("The commit worker (pid %d) ended %s %d%s", (int)info->si_pid,
		    info->si_code == CLD_EXITED ? "with status" : "by signal", info->si_status,
		    l->handler ? ", in the middle of its work" : "");
	/* An answer that it sent before it died counts. */
	if (l->handler && read_answer(l, &error, text, sizeof(text)) <= 0)
		error = EOWNERDEAD;
	forget_worker(l);
	if (error != EOWNERDEAD || !killed || !try_again(l))
		answer(l, error, text);
	return 0;
}

/* When a process started, in clock ticks since boot; -ENOENT. */
static int start_of(pid_t pid, uint64_t *ret_start)
{
	char path[64], text[1024];
	_cleanup_close_ int fd = -1;
	unsigned long long start;
	const char *p;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -ENOENT;
	text[n] = '\0';
	/* Field 22; the name, field 2, may hold anything but ends with the last ")". */
	p = strrchr(text, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p || sscanf(p, "%llu", &start) != 1)
		return -ENOENT;
	*ret_start = start;
	return 0;
}

static int spawn_worker(struct worker_link *l, int fd)
{
	_cleanup_free_ char *name = NULL;
	char *const *argv;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	pid_t pid;
	int error;

	/* At shutdown systemd waits for no process of such a name, nor kills it
	 * (https://systemd.io/ROOT_STORAGE_DAEMONS); in the kernel it could not. */
	if (asprintf(&name, "@%s", l->path) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	argv = (char *const []){ name, NULL };
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	error = posix_spawn_file_actions_adddup2(&actions, fd, WORKER_FD);
	if (!error)
		error = posix_spawn_file_actions_addclosefrom_np(&actions, WORKER_FD + 1);
	if (!error)
		error = posix_spawnattr_setsigmask(&attributes, &none);
	if (!error)
		error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	if (!error)
		error = posix_spawn(&pid, l->path, &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		return -error;
	l->pid = pid;
	return 0;
}

static int start_worker(struct worker_link *l)
{
	_cleanup_close_ int theirs = -1;
	int ends[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	l->socket = ends[0];
	/* Not WORKER_FD itself: dup2() onto itself would leave it close-on-exec. */
	theirs = fcntl(ends[1], F_DUPFD_CLOEXEC, WORKER_FD + 1);
	r = theirs < 0 ? -errno : 0;
	close(ends[1]);
	if (r >= 0)
		r = spawn_worker(l, theirs);
	if (r >= 0)
		r = sd_event_add_io(l->event, &l->source, l->socket, EPOLLIN, on_readable, l);
	/* The next commit waits for this one's answer. */
	if (r >= 0)
		r = sd_event_source_set_priority(l->source, SD_EVENT_PRIORITY_IMPORTANT);
	if (r >= 0 && start_of(l->pid, &l->start) < 0)
		l->start = 0;
	if (r >= 0)
		r = sd_event_add_child(l->event, &l->child, l->pid, WEXITED, on_exit_of_worker, l);
	if (r < 0)
		forget_worker(l); /* its socket is closed: it ends */
	else if (l->started)
		l->started(l->started_userdata);
	return r;
}

/* Names of slots are the firmware's choice: "PHB 1" is one. */
static bool name_possible(const char *name)
{
	return name[0] != '\0' && !strpbrk(name, "/\t\n") && strcmp(name, "..") != 0;
}

/* The kernel's file for the bus below a port is in a directory with the bus's
 * number in its name. */
static int write_rescan(FILE *f, const char *port)
{
	_cleanup_free_ char *pattern = NULL;
	glob_t found;
	int r;

	if (asprintf(&pattern, "%s/%s/pci_bus/*/rescan", SYSFS_DEVICES, port) < 0)
		return -ENOMEM;
	r = glob(pattern, GLOB_NOSORT, NULL, &found);
	if (r == GLOB_NOSPACE)
		return -ENOMEM;
	if (r != 0)
		return -ENODEV; /* the port went away */
	fprintf(f, "!\t%s\t1\n", found.gl_pathv[0]);
	globfree(&found);
	return 0;
}

/* Backwards, as the kernel's drivers remove: what depends comes last. Both files that are
 * read before take the device's lock, so they wait for who makes virtual functions at the
 * moment, or for a driver that shows no more, because its remove() is running. */
static int write_unbind(FILE *f, const struct worker_request *q)
{
	fputc('\n', f); /* of none, too, the end can be awaited */
	for (size_t i = q->n_functions; i > 0; i--) {
		const char *function = q->functions[i - 1], *driver = q->drivers[i - 1];

		if (driver[0] == '\0') {
			fprintf(f, "?\t%s/%s/uevent\t\n", SYSFS_DEVICES, function);
			continue;
		}
		if (!name_possible(driver))
			return -EINVAL;
		fprintf(f, "=\t%s/%s/sriov_numvfs\t0\n", SYSFS_DEVICES, function);
		fprintf(f, "-\t%s/%s/unbind\t%s\n", SYSFS_DRIVERS, driver, function);
	}
	return 0;
}

static int write_request(FILE *f, const struct worker_request *q)
{
	if (q->slot && !name_possible(q->slot))
		return -EINVAL;
	switch (q->type) {
	case WORKER_REMOVE_SHIM:
		fprintf(f, "!\t%s\t%s %u\n", SYSFS_SHIM_REMOVE, q->address, q->generation);
		return 0;
	case WORKER_RESCAN_SHIM:
		fprintf(f, "!\t%s\t%s %u\n", SYSFS_SHIM_RESCAN, q->address, q->generation);
		return 0;
	case WORKER_REMOVE_NATIVE:
		/* Backwards, as the kernel's drivers do: what depends comes last. */
		for (size_t i = q->n_functions; i > 0; i--)
			fprintf(f, "-\t%s/%s/remove\t1\n", SYSFS_DEVICES, q->functions[i - 1]);
		if (q->slot)
			fprintf(f, "!\t%s/%s/power\t0\n", SYSFS_SLOTS, q->slot);
		return 0;
	case WORKER_RESCAN_BUS:
		return write_rescan(f, q->address);
	case WORKER_INSERT_NATIVE:
		fprintf(f, "!\t%s/%s/power\t1\n", SYSFS_SLOTS, q->slot);
		return 0;
	case WORKER_UNBIND:
		return write_unbind(f, q);
	case WORKER_PROBE:
		for (size_t i = 0; i < q->n_functions; i++)
			fprintf(f, "-\t%s\t%s\n", SYSFS_DRIVERS_PROBE, q->functions[i]);
		return 0;
	default:
		return -EINVAL;
	}
}

static int send_request(struct worker_link *l, const char *text, size_t size)
{
	int r = worker_link_prepare(l);

	if (r < 0 || l->predecessor)
		return r; /* on_exit_of_predecessor() sends it */

	if (send(l->socket, text, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		r = -errno;
	return r;
}

/* A worker that died while it had nothing to do, and whose death we have not
 * heard of. It has closed its end, so the kernel is nearly done with it and
 * waiting is short. */
static void reap_worker(struct worker_link *l)
{
	pid_t pid = l->pid;

	log_debug("The commit worker (pid %d) died while idle", (int)pid);
	forget_worker(l);
	waitpid(pid, NULL, 0);
}

int worker_link_submit(struct worker_link *l, const struct worker_request *request, worker_handler_t handler,
		       void *userdata)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f;
	int r;

	if (l->handler)
		return -EBUSY;
	f = open_memstream(&text, &size);
	if (!f)
		return -ENOMEM;
	r = write_request(f, request);
	if (fclose(f) != 0)
		return -ENOMEM;
	if (r >= 0 && size > WORKER_MESSAGE_MAX)
		r = -E2BIG;
	if (r < 0)
		return r;
	r = send_request(l, text, size);
	if (r == -EPIPE || r == -ECONNRESET) {
		reap_worker(l);
		r = send_request(l, text, size);
	}
	if (r < 0)
		return r;
	l->work = TAKE_PTR(text);
	l->work_size = size;
	l->tries = 0;
	l->handler = handler;
	l->userdata = userdata;
	return 0;
}

bool worker_link_is_idle(const struct worker_link *l)
{
	return !l->handler;
}

int worker_link_stack(struct worker_link *l, char **ret)
{
	static const char *const files[] = { "stack", "wchan" };

	pid_t pid = l->predecessor ?: l->pid;

	if (pid == 0 || !l->handler)
		return -ENOENT;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[64], text[4096];
		_cleanup_close_ int fd = -1;
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, files[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
		if (n <= 0)
			continue;
		text[n] = '\0';
		*ret = strdup(text);
		return *ret ? 0 : -ENOMEM;
	}
	return -EACCES;
}

int worker_link_identity(const struct worker_link *l, pid_t *ret_pid, uint64_t *ret_start)
{
	pid_t pid = l->predecessor ?: l->pid;
	uint64_t start = l->predecessor ? l->predecessor_start : l->start;

	if (!pid || !start)
		return -ENOENT;
	*ret_pid = pid;
	*ret_start = start;
	return 0;
}

/* ---- the worker of a daemon before this one ---- */

static void forget_predecessor(struct worker_link *l)
{
	l->predecessor_source = sd_event_source_disable_unref(l->predecessor_source);
	if (l->predecessor_fd >= 0)
		close(l->predecessor_fd);
	l->predecessor_fd = -1;
	l->predecessor = 0;
}

static int on_exit_of_predecessor(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct worker_link *l = userdata;
	int r;

	log_info("The commit worker of the hotplugd before this one (pid %d) has ended", (int)l->predecessor);
	forget_predecessor(l);
	if (!l->work)
		return 0;
	r = send_request(l, l->work, l->work_size);
	if (r < 0)
		answer(l, -r, "the commit worker cannot be started");
	return 0;
}

int worker_link_succeed(struct worker_link *l, pid_t pid, uint64_t start)
{
	uint64_t is;
	int r;

	/* First a descriptor, then a look: the number cannot be another's then. */
	l->predecessor_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (l->predecessor_fd < 0)
		return errno == ESRCH ? 0 : -errno;
	l->predecessor = pid;
	if (start_of(pid, &is) < 0 || is != start) {
		forget_predecessor(l);
		return 0;
	}
	l->predecessor_start = start;
	r = sd_event_add_io(l->event, &l->predecessor_source, l->predecessor_fd, EPOLLIN, on_exit_of_predecessor, l);
	if (r < 0) {
		forget_predecessor(l);
		return r;
	}
	return 1;
}

void worker_link_demote(struct worker_link *l)
{
	pid_t pid = l->predecessor ?: l->pid;

	if (pid && sched_setscheduler(pid, SCHED_OTHER, &(struct sched_param){ 0 }) < 0)
		log_debug("Cannot make worker %d an ordinary process: %s", (int)pid, strerror(errno));
}

int worker_link_prepare(struct worker_link *l)
{
	return l->predecessor || l->pid ? 0 : start_worker(l);
}

void worker_link_on_start(struct worker_link *l, worker_started_t started, void *userdata)
{
	l->started = started;
	l->started_userdata = userdata;
}

int worker_link_new(struct worker_link **ret, sd_event *event, const char *path)
{
	struct worker_link *l = calloc(1, sizeof(*l));
	sigset_t child;

	if (!l)
		return -ENOMEM;
	l->socket = l->predecessor_fd = -1;
	l->event = sd_event_ref(event);
	l->path = strdup(path);
	if (!l->path) {
		worker_link_free(l);
		return -ENOMEM;
	}
	/* sd_event_add_child() wants it so. */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	*ret = l;
	return 0;
}

struct worker_link *worker_link_free(struct worker_link *l)
{
	if (!l)
		return NULL;
	forget_worker(l);
	forget_predecessor(l);
	sd_event_unref(l->event);
	free(l->work);
	free(l->path);
	free(l);
	return NULL;
}
