/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Drivers let go, before the commit.
 *
 * Responsible for: which functions of a slot have their drivers unbound, and which
 * worker does it. When it is done is the engine's; a driver that cannot be unbound here
 * (the kernel forbids it for some) is so by the commit.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "config.h"
#include "manager.h"
#include "unbind.h"

/* So many at once: more than that are no faster, and a process is slow to start. */
#define AT_ONCE 4
/* A worker that has been at the same work for so long may be stuck, and is not counted. */
#define STUCK_AFTER USEC_PER_SEC
/* With so many of them nothing is unbound here any more. */
#define LINKS_MAX 40

struct work {
	TAILQ_ENTRY(work) entry;
	struct unbind *pool;
	uint32_t job_id;
	slot_handle_t slot;
	struct worker_link *link; /* NULL: waits for one */
	usec_t since;             /* likewise: when it was handed out */
	bool demoted;             /* it is no real-time process any more */
	bool again;               /* a process of the daemon before this one is at it */
	worker_handler_t done;
	void *userdata;
};

struct unbind {
	struct manager *manager;
	struct worker_link *links[LINKS_MAX]; /* without gaps */
	TAILQ_HEAD(, work) works;             /* oldest first */
	sd_event_source *timer;               /* a worker may be stuck by then */
};

static void work_done(struct work *w, int error, const char *text)
{
	worker_handler_t done = w->done;
	void *userdata = w->userdata;

	TAILQ_REMOVE(&w->pool->works, w, entry);
	free(w);
	done(error, text, userdata);
}

static void hand_out(struct unbind *u);

static void on_done(int error, const char *text, void *userdata)
{
	struct work *w = userdata;
	struct unbind *u = w->pool;

	if (error && error != EOWNERDEAD) {
		log_warning("job %" PRIu32 ": a driver was not unbound before the commit, which does it: %s", w->job_id, text);
		error = 0;
	}
	work_done(w, error, error ? text : NULL);
	hand_out(u);
}

/* A driver of a physical function may remove its virtual ones, which needs the lock of
 * the commit: the worker sees to that. A bridge's own goes with the commit, too. */
static int request_for(const struct slot *s, struct worker_request *ret)
{
	size_t n = 0;

	*ret = (struct worker_request){
		.type = WORKER_UNBIND,
		.functions = calloc(s->n_functions + 1, sizeof(*ret->functions)),
		.drivers = calloc(s->n_functions + 1, sizeof(*ret->drivers)),
	};
	if (!ret->functions || !ret->drivers)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_functions; i++) {
		const struct sysfs_function *f = &s->functions[i];

		if (f->bridge)
			continue;
		ret->functions[n] = f->address;
		ret->drivers[n++] = f->driver;
	}
	ret->n_functions = n;
	return 0;
}

/* Who talks to hardware that does not answer waits for nothing; the commit tells drivers. */
static bool is_alive(const struct slot *s)
{
	return s->present && !s->fault && (s->link || !s->link_known);
}

/* Who does it is written down before it is begun. Returns 1, 0 when there is nothing to
 * do, or a negative errno. */
static int begin(struct work *w, struct worker_link *link)
{
	struct manager *m = w->pool->manager;
	struct slot *s = manager_slot_by_handle(m, w->slot);
	struct worker_request request = { 0 };
	const struct job *job = engine_job(m->engine, w->job_id);
	bool wanted = s && job && job->step == STEP_UNBIND, alive = wanted && is_alive(s);
	int r = alive && s->stale ? slot_refresh_functions(s) : 0;

	if (r >= 0 && alive)
		r = request_for(s, &request);
	if (r >= 0 && wanted && (request.n_functions > 0 || w->again)) {
		w->link = link;
		w->since = manager_now(m);
		r = worker_link_prepare(link);
		if (r >= 0) {
			manager_save(m);
			r = worker_link_submit(link, &request, on_done, w);
		}
		r = r < 0 ? r : 1;
	}
	free(request.functions);
	free(request.drivers);
	return r;
}

/* Begins, or leaves it to the commit. */
static void begin_or_leave(struct work *w, struct worker_link *link)
{
	int r = begin(w, link);

	if (r < 0)
		log_warning("job %" PRIu32 ": drivers are left to the commit: %s", w->job_id, strerror(-r));
	if (r <= 0)
		work_done(w, 0, NULL);
}

static void on_worker_started(void *userdata)
{
	manager_save(userdata);
}

static struct worker_link *new_link(struct unbind *u)
{
	size_t n = 0;

	while (n < LINKS_MAX && u->links[n])
		n++;
	if (n == LINKS_MAX || worker_link_new(&u->links[n], u->manager->event, HOTPLUGD_WORKER) < 0)
		return NULL;
	worker_link_on_start(u->links[n], on_worker_started, u->manager);
	return u->links[n];
}

/* How many workers are busy and not stuck, and in *ret_next when the first of them has
 * been at its work for too long. */
static unsigned int count_busy(const struct unbind *u, usec_t now, usec_t *ret_next)
{
	unsigned int n = 0;
	struct work *w;

	*ret_next = USEC_INFINITY;
	TAILQ_FOREACH(w, &u->works, entry) {
		if (!w->link || w->since + STUCK_AFTER <= now)
			continue;
		n++;
		if (w->since + STUCK_AFTER < *ret_next)
			*ret_next = w->since + STUCK_AFTER;
	}
	return n;
}

/* A worker for the next one; NULL when it has to wait until *ret_next, or for ever. */
static struct worker_link *link_for_next(struct unbind *u, usec_t *ret_next)
{
	if (count_busy(u, manager_now(u->manager), ret_next) >= AT_ONCE)
		return NULL;
	for (size_t i = 0; i < LINKS_MAX && u->links[i]; i++)
		if (worker_link_is_idle(u->links[i]))
			return u->links[i];
	return new_link(u);
}

static struct work *first_waiting(struct unbind *u)
{
	struct work *w;

	TAILQ_FOREACH(w, &u->works, entry)
		if (!w->link)
			return w;
	return NULL;
}

/* Some drivers poll hardware that is dead: they may not take the processors from all else. */
static void demote_stuck(struct unbind *u)
{
	usec_t now = manager_now(u->manager);
	struct work *w;

	TAILQ_FOREACH(w, &u->works, entry) {
		if (!w->link || w->demoted || w->since + STUCK_AFTER > now)
			continue;
		w->demoted = true;
		worker_link_demote(w->link);
	}
}

static void hand_out(struct unbind *u)
{
	struct worker_link *link;
	struct work *w;
	usec_t next;

	while ((w = first_waiting(u))) {
		link = link_for_next(u, &next);
		if (link) {
			begin_or_leave(w, link);
		} else if (next == USEC_INFINITY) {
			log_warning("job %" PRIu32 ": drivers are left to the commit: there are no more workers", w->job_id);
			work_done(w, 0, NULL);
		} else {
			break;
		}
	}
	demote_stuck(u);
	if (count_busy(u, manager_now(u->manager), &next) > 0) {
		sd_event_source_set_time(u->timer, next);
		sd_event_source_set_enabled(u->timer, SD_EVENT_ONESHOT);
	}
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	hand_out(userdata);
	return 0;
}

/* The process that the daemon before this one had at it; NULL when it has ended. */
static struct worker_link *succeed(struct unbind *u, pid_t pid, uint64_t start)
{
	struct worker_link *link = pid ? new_link(u) : NULL;

	return link && worker_link_succeed(link, pid, start) > 0 ? link : NULL;
}

int unbind_start(struct unbind *u, const struct slot *s, uint32_t job_id, pid_t pid, uint64_t start,
		 worker_handler_t done, void *userdata)
{
	struct work *w = malloc(sizeof(*w));
	struct worker_link *link;

	if (!w)
		return -ENOMEM;
	*w = (struct work){ .pool = u, .job_id = job_id, .slot = s->handle, .done = done, .userdata = userdata };
	TAILQ_INSERT_TAIL(&u->works, w, entry);
	link = succeed(u, pid, start);
	w->again = link;
	if (link)
		begin_or_leave(w, link);
	hand_out(u);
	return 0;
}

static void on_probed(int error, const char *text, void *userdata)
{
	if (error)
		log_warning("Drivers that were unbound for nothing are not back: %s", text);
	hand_out(userdata);
}

/* Has drivers offered to the devices that have none. */
static void probe(struct unbind *u, const struct slot *s)
{
	_cleanup_free_ const char **functions = calloc(s->n_functions + 1, sizeof(*functions));
	struct worker_request request = { .type = WORKER_PROBE, .functions = functions };
	struct worker_link *link = NULL;
	int r;

	if (!functions || !is_alive(s))
		return;
	for (size_t i = 0; i < s->n_functions; i++)
		if (s->functions[i].driver[0] == '\0')
			functions[request.n_functions++] = s->functions[i].address;
	if (request.n_functions == 0)
		return;
	for (size_t i = 0; i < LINKS_MAX && u->links[i] && !link; i++)
		if (worker_link_is_idle(u->links[i]))
			link = u->links[i];
	link = link ?: new_link(u);
	r = link ? worker_link_submit(link, &request, on_probed, u) : -ENOMEM;
	if (r < 0)
		log_warning("%s: drivers that were unbound for nothing are not back: %s", s->name, strerror(-r));
}

void unbind_undo(struct unbind *u, const struct job *job, struct slot *s)
{
	struct slot *below;

	if (s)
		s->unbound = job->unbound && job->state == JOB_GONE;
	/* An oops in a driver has left its device locked. */
	if (!s || job->state != JOB_FAILED || job->error == EOWNERDEAD)
		return;
	if (job->unbound && slot_refresh_functions(s) >= 0)
		probe(u, s);
	TAILQ_FOREACH(below, &u->manager->slots, entry) {
		if (!below->unbound || strcmp(below->port, s->port) == 0 || !slot_is_below(below, s->port))
			continue; /* not in this slot, nor in another one on its bus */
		below->unbound = false;
		if (slot_refresh_functions(below) >= 0)
			probe(u, below);
	}
}

static struct worker_link *link_of(const struct unbind *u, uint32_t job_id)
{
	struct work *w;

	TAILQ_FOREACH(w, &u->works, entry)
		if (w->job_id == job_id)
			return w->link;
	return NULL;
}

int unbind_identity(const struct unbind *u, uint32_t job_id, pid_t *ret_pid, uint64_t *ret_start)
{
	struct worker_link *link = link_of(u, job_id);

	return link ? worker_link_identity(link, ret_pid, ret_start) : -ENOENT;
}

int unbind_stack(const struct unbind *u, uint32_t job_id, char **ret)
{
	struct worker_link *link = link_of(u, job_id);

	return link ? worker_link_stack(link, ret) : -ENOENT;
}

int unbind_new(struct unbind **ret, struct manager *m)
{
	struct unbind *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	u->manager = m;
	TAILQ_INIT(&u->works);
	r = sd_event_add_time(m->event, &u->timer, CLOCK_MONOTONIC, UINT64_MAX, 1, on_timer, u);
	if (r >= 0)
		r = sd_event_source_set_enabled(u->timer, SD_EVENT_OFF);
	if (r < 0)
		u = unbind_free(u);
	*ret = u;
	return r;
}

struct unbind *unbind_free(struct unbind *u)
{
	struct work *w;

	if (!u)
		return NULL;
	for (size_t i = 0; i < LINKS_MAX; i++)
		worker_link_free(u->links[i]);
	while ((w = TAILQ_FIRST(&u->works))) {
		TAILQ_REMOVE(&u->works, w, entry);
		free(w);
	}
	sd_event_source_disable_unref(u->timer);
	free(u);
	return NULL;
}
