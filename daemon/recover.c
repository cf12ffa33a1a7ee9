/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A restart changes no outcome.
 *
 * Responsible for: writing down what is under way before it is done, putting
 * jobs back after a restart, and acting on what the slots turn out to be when
 * nobody told of it. How a job goes on is the engine's.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "fdstore.h"
#include "job-dbus.h"
#include "job.h"
#include "journal.h"
#include "recover.h"
#include "registry.h"
#include "unbind.h"
#include "worker-link.h"

/* ---- leaving behind ---- */

/* Strings of the records are borrowed: such a state is not cleared, only freed. */
static void collect_slots(struct manager *m, struct state *st)
{
	struct slot *s;

	TAILQ_FOREACH(s, &m->slots, entry) {
		struct state_slot *to = &st->slots[st->n_slots++];
		bool shim = s->backend == BACKEND_SHIM;

		*to = (struct state_slot){
			.name = s->name,
			.shim = shim,
			.shim_id = s->shim_id,
			.generation = s->generation,
			.presses = shim && m->shim ? shim_link_presses(m->shim, s->shim_id, s->generation) : 0,
			.present = s->present,
			.locate = s->locate,
			.hold = s->hold,
			.released = registry_is_released(m, s->port),
		};
		engine_slot_memory(m->engine, s->handle, &to->seen);
	}
}

static void collect_job(struct manager *m, struct state *st, const struct job *j)
{
	struct slot *s = manager_slot_by_handle(m, j->slot);

	if (!s)
		return;
	st->jobs[st->n_jobs++] = (struct state_job){
		.job = *j,
		.slot = s->name,
		.shim = s->backend == BACKEND_SHIM,
		.generation = s->generation,
	};
	unbind_identity(m->unbind, j->id, &st->jobs[st->n_jobs - 1].unbinder_pid, &st->jobs[st->n_jobs - 1].unbinder_start);
}

static void collect_jobs(struct manager *m, struct state *st)
{
	for (const struct job *j = engine_job_next(m->engine, NULL); j; j = engine_job_next(m->engine, j))
		collect_job(m, st, j);
	for (const struct job *j = engine_untold_next(m->engine, NULL); j; j = engine_untold_next(m->engine, j))
		collect_job(m, st, j);
}

static char *describe(struct manager *m)
{
	_cleanup_free_ struct state_slot *slots = NULL;
	_cleanup_free_ struct state_job *jobs = NULL;
	_cleanup_free_ struct state_legacy *legacy = NULL;
	size_t n_slots = 0, n_jobs = 0, n_legacy = 0;
	struct state st = { 0 };
	struct legacy *l;
	struct slot *s;

	TAILQ_FOREACH(s, &m->slots, entry)
		n_slots++;
	for (const struct job *j = engine_job_next(m->engine, NULL); j; j = engine_job_next(m->engine, j))
		n_jobs++;
	for (const struct job *j = engine_untold_next(m->engine, NULL); j; j = engine_untold_next(m->engine, j))
		n_jobs++;
	TAILQ_FOREACH(l, &m->legacy, entry)
		n_legacy++;
	st.slots = slots = calloc(n_slots + 1, sizeof(*slots));
	st.jobs = jobs = calloc(n_jobs + 1, sizeof(*jobs));
	st.legacy = legacy = calloc(n_legacy + 1, sizeof(*legacy));
	if (!slots || !jobs || !legacy)
		return NULL;
	collect_slots(m, &st);
	collect_jobs(m, &st);
	TAILQ_FOREACH(l, &m->legacy, entry)
		st.legacy[st.n_legacy++] = (struct state_legacy){ l->request, l->job_id };
	if (m->shim)
		shim_link_position(m->shim, &st.family, &st.seq);
	st.last_job_id = engine_last_id(m->engine);
	worker_link_identity(m->worker, &st.worker_pid, &st.worker_start);
	return state_format(&st, &m->state_memo);
}

void recover_save(struct manager *m)
{
	_cleanup_free_ char *text = NULL;
	int r = -ENOMEM;

	if (!m->recovered || !m->unsaved)
		return; /* what was left is not taken in yet, or still true */
	m->unsaved = false;
	text = describe(m);
	if (text && m->saved && strcmp(text, m->saved) == 0)
		return;
	if (text)
		r = state_write(m->state_path, text);
	if (r < 0 && !m->save_failed)
		log_error("Cannot write %s: %s; a restart of hotplugd would forget what is under way", m->state_path,
			  strerror(-r));
	m->save_failed = r < 0;
	if (r >= 0)
		m->job_saved = engine_last_id(m->engine);
	free(m->saved);
	m->saved = r < 0 ? NULL : TAKE_PTR(text);
}

/* ---- taking over ---- */

static void succeed_worker(struct manager *m)
{
	int r;

	if (m->before.worker_pid == 0)
		return;
	r = worker_link_succeed(m->worker, m->before.worker_pid, m->before.worker_start);
	if (r > 0)
		log_debug("The commit worker of the hotplugd before this one (pid %d) has not ended yet",
			  (int)m->before.worker_pid);
	else if (r < 0)
		log_warning("Cannot watch the commit worker of the hotplugd before this one: %s", strerror(-r));
}

/* One daemon at a time: two would write one file. The lock ends with the process. */
static int lock_state(struct manager *m, const char *directory)
{
	_cleanup_free_ char *path = NULL;
	char pid[32];
	ssize_t n;

	if (asprintf(&path, "%s/lock", directory) < 0)
		return -ENOMEM;
	m->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (m->lock_fd < 0) {
		log_error("Cannot open %s: %s; as root, let systemd start hotplugd", path, strerror(errno));
		return -errno;
	}
	if (flock(m->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		n = pread(m->lock_fd, pid, sizeof(pid) - 1, 0);
		pid[n > 0 ? n : 0] = '\0';
		log_error("Another hotplugd is running (pid %s); 'systemctl stop hotplugd' ends it", n > 0 ? pid : "unknown");
		return -EEXIST;
	}
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (ftruncate(m->lock_fd, 0) < 0 || pwrite(m->lock_fd, pid, strlen(pid), 0) < 0)
		log_debug("Cannot write %s: %s", path, strerror(errno));
	return 0;
}

/* What is kept is kept for the time of a restart only, so one thing at least always is:
 * there may be no shim. */
static void take_restart(struct manager *m, int kept)
{
	int fd = kept >= 0 ? kept : eventfd(0, EFD_CLOEXEC);

	m->restarted = kept >= 0;
	if (fd < 0)
		return;
	if (!m->restarted)
		fdstore_put(FDSTORE_RESTART, fd);
	close(fd);
}

int recover_init(struct manager *m)
{
	struct fdstore_item kept[] = { { FDSTORE_SHIM, -1 }, { FDSTORE_RESTART, -1 }, { NULL, -1 } };
	const char *directory = getenv("RUNTIME_DIRECTORY") ?: "/run/hotplugd";
	int r = lock_state(m, directory);

	if (r < 0)
		return r;
	fdstore_take(kept);
	m->resume_fd = kept[0].fd;
	take_restart(m, kept[1].fd);
	if (asprintf(&m->state_path, "%s/state", directory) < 0) {
		m->state_path = NULL;
		r = -ENOMEM;
	} else {
		r = state_read(&m->before, m->state_path);
	}
	if (r == -EPROTO)
		log_notice("%s is of another version of hotplugd: starting afresh", m->state_path);
	else if (r < 0 && r != -ENOENT)
		log_warning("Cannot use %s: %s; starting afresh", m->state_path ?: "the state file", strerror(-r));
	engine_restore_last_id(m->engine, m->before.last_job_id);
	succeed_worker(m);
	return 0;
}

void recover_free(struct manager *m)
{
	state_clear(&m->before);
	state_memo_clear(&m->state_memo);
	free(m->saved);
	free(m->state_path);
	free(m->resume_presses);
	if (m->lock_fd >= 0)
		close(m->lock_fd);
}

void recover_resume(struct manager *m, struct shim_resume *ret)
{
	*ret = (struct shim_resume){ .fd = m->resume_fd, .family = m->before.family, .seq = m->before.seq };
	m->resume_presses = calloc(m->before.n_slots + 1, sizeof(*m->resume_presses));
	if (!m->resume_presses) {
		ret->family = 0;
		return;
	}
	for (size_t i = 0; i < m->before.n_slots; i++) {
		const struct state_slot *s = &m->before.slots[i];

		if (s->shim)
			m->resume_presses[ret->n_presses++] = (struct shim_presses){ s->shim_id, s->generation, s->presses };
	}
	ret->presses = m->resume_presses;
}

/* A job that cannot go on is told of all the same: nothing ends unseen. */
static void end_job(struct manager *m, const struct state_job *from, struct slot *s, enum job_state state, int error,
		    const char *reason)
{
	struct job job = from->job;

	job.state = state;
	job.step = STEP_NONE;
	job.error = error;
	job.reason = (char *)reason;
	journal_job_ended(&job, s, manager_now(m));
	job_dbus_ended(m, &job, from->slot);
	/* Beside a commit that goes on in the kernel, drivers are not offered anything. */
	if (from->job.state < JOB_COMMITTING || job_state_is_final(from->job.state))
		unbind_undo(m->unbind, &job, s);
}

static bool same_life(const struct state_job *from, const struct slot *s)
{
	bool shim = s->backend == BACKEND_SHIM;

	return from->shim == shim && (!shim || from->generation == s->generation);
}

static void put_back(struct manager *m, const struct state_job *from, bool stopped)
{
	struct slot *s = manager_slot_by_name(m, from->slot);
	struct job job = from->job;
	int r;

	if (job_state_is_final(job.state)) {
		/* It had ended, and nobody was told. */
		end_job(m, from, s, job.state, job.error, job.reason);
		return;
	}
	if (!s) {
		end_job(m, from, NULL, JOB_GONE, 0, "The slot went away while hotplugd was restarted.");
		return;
	}
	if (!same_life(from, s)) {
		end_job(m, from, s, JOB_FAILED, ECONNRESET,
			"The slot changed its driver while hotplugd was stopped: what it is now is listed anew.");
		return;
	}
	job.slot = s->handle;
	r = engine_restore_job(m->engine, &job, manager_now(m));
	if (r < 0) {
		end_job(m, from, s, JOB_FAILED, -r, "The job could not be taken up again after a restart of hotplugd.");
		return;
	}
	log_info("%s: job %" PRIu32 " (%s) goes on: %s, step %s", s->name, job.id, operation_to_string(job.operation),
		 job_state_to_string(job.state), job_step_to_string(job.step));
	/* Who stops hotplugd and starts it another day does not expect it to eject. */
	if (stopped && job.state < JOB_COMMITTING)
		engine_cancel(m->engine, job.id, "hotplugd was stopped before the job had come to its commit.",
			      manager_now(m));
}

static void put_back_legacy(struct manager *m, const struct state_legacy *from)
{
	struct legacy *l = engine_job(m->engine, from->job_id) ? calloc(1, sizeof(*l)) : NULL;

	if (!l)
		return; /* if he still waits, the shim asks for him again */
	l->request = from->request;
	l->job_id = from->job_id;
	TAILQ_INSERT_TAIL(&m->legacy, l, entry);
}

static void put_back_holds(struct manager *m)
{
	for (size_t i = 0; i < m->before.n_slots; i++) {
		struct slot *s = manager_slot_by_name(m, m->before.slots[i].name);

		if (!s || !m->before.slots[i].hold)
			continue;
		s->hold = true;
		manager_slot_changed(m, s);
	}
}

/* Events that were dealt with are not replayed: what they left to be looked at. */
static void put_back_memory(struct manager *m)
{
	for (size_t i = 0; i < m->before.n_slots; i++) {
		const struct state_slot *from = &m->before.slots[i];
		struct slot *s = from->shim ? registry_by_shim(m, from->shim_id, from->generation) : NULL;

		if (!s)
			continue; /* another life of the slot */
		engine_slot_remember(m->engine, s->handle, &from->seen);
		manager_slot_changed(m, s);
	}
}

/* A replace waits for a card, which may have come unseen. */
static void settle_replace(struct manager *m, struct slot *s, bool was_present)
{
	const struct job *job = engine_slot_job(m->engine, s->handle);

	if (job->step == STEP_CARD && s->present && !was_present)
		manager_feed(m, s, SLOT_EVENT_PRESENCE, "presence", "card came unseen");
}

void recover_jobs(struct manager *m)
{
	bool shim = m->shim && shim_link_present(m->shim);
	/* Without the socket, a press that cancels may have been lost as well. */
	bool stopped = shim ? !shim_link_kept(m->shim) : !m->restarted;

	if (m->recovered)
		return;
	if (!shim)
		registry_list(m); /* slots that it may have lost are others' now */
	put_back_holds(m); /* before the events that they are about */
	for (size_t i = 0; i < m->before.n_jobs; i++)
		put_back(m, &m->before.jobs[i], stopped);
	for (size_t i = 0; i < m->before.n_legacy; i++)
		put_back_legacy(m, &m->before.legacy[i]);
	put_back_memory(m);
	m->recovered = m->unsaved = true;
	manager_later(m);
	m->restoring = true;
	manager_run_engine(m);
	m->restoring = false;
}

/* ---- what nobody was told of ---- */

/* A job that ended unseen, or a refused press, may have left them blinking. */
static void settle_indicators(struct manager *m, struct slot *s)
{
	bool on = slot_is_on(s) && !s->fault;

	if (s->has_power_indicator && s->power_indicator == INDICATOR_BLINK)
		shim_link_set_power_indicator(m->shim, s->shim_id, s->generation,
					      on ? HPSHIM_INDICATOR_ON : HPSHIM_INDICATOR_OFF, 0);
	if (s->has_attention_indicator && s->attention_indicator == INDICATOR_BLINK && !s->locate)
		shim_link_set_attention_indicator(m->shim, s->shim_id, s->generation,
						  s->fault ? HPSHIM_INDICATOR_ON : HPSHIM_INDICATOR_OFF, 0);
}

/* A card that is in since before we came, and that nobody has brought up. */
static void settle_found_card(struct manager *m, struct slot *s)
{
	static const struct request insert = {
		.operation = OPERATION_INSERT, .origin = ORIGIN_BOOT, .requested_by = "boot"
	};
	const struct job *job;
	int r;

	if (s->policy.insert != INSERT_AUTO) {
		journal_event(s, SLOT_EVENT_PRESENCE, "card found",
			      s->policy.insert == INSERT_NOTIFY ? VERDICT_NOTIFY : VERDICT_IGNORED);
		return;
	}
	r = engine_request(m->engine, s->handle, &insert, manager_now(m), &job);
	journal_event(s, SLOT_EVENT_PRESENCE, "card found", r == 0 ? VERDICT_STARTED : VERDICT_REFUSED);
	manager_run_engine(m);
}

static void settle(struct manager *m, struct slot *s)
{
	const struct state_slot *before = s->was_known ? NULL : state_slot_by_name(&m->before, s->name);
	bool known = s->was_known || before, was_present = before ? before->present : s->was_present;
	const struct job *job = engine_slot_job(m->engine, s->handle);

	/* Only the same life of the slot in the shim blinks still. */
	if (before && before->shim_id == s->shim_id && before->generation == s->generation)
		s->locate = before->locate;
	s->unsettled = false;
	s->was_known = true;
	if (!job || job->operation == OPERATION_RESCAN) /* other jobs set them */
		settle_indicators(m, s);
	if (job) { /* which finds out by itself, but for one step */
		settle_replace(m, s, was_present);
		return;
	}
	if (s->occupied && !s->present)
		manager_feed(m, s, SLOT_EVENT_PRESENCE, "presence", "card is not there any more");
	else if (s->occupied && s->link_known && !s->link)
		manager_feed(m, s, SLOT_EVENT_LINK, "link", "link is down");
	else if (!s->occupied && s->present && known && !was_present)
		manager_feed(m, s, SLOT_EVENT_PRESENCE, "presence", "card came unseen");
	else if (!s->occupied && s->present && !known)
		settle_found_card(m, s);
}

/* What changed while events were lost is told as the event would have been, to a job
 * as well; without a job settle() finds out the rest. */
static void settle_lost(struct manager *m, struct slot *s)
{
	bool present = s->present != s->was_present, link = s->link_known && s->link != s->was_link;
	bool fault = s->fault && !s->was_fault;

	if (engine_slot_job(m->engine, s->handle)) {
		s->was_present = s->present; /* told here */
		if (present)
			manager_feed(m, s, SLOT_EVENT_PRESENCE, "presence",
				     s->present ? "card came unseen" : "card went unseen");
		else if (link)
			manager_feed(m, s, SLOT_EVENT_LINK, "link",
				     s->link ? "link came up unseen" : "link went down unseen");
	}
	s->was_fault = s->fault;
	if (fault)
		manager_feed(m, s, SLOT_EVENT_POWER_FAULT, "power-fault", "power fault, unseen");
}

void recover_settle(struct manager *m)
{
	struct slot *s, *next;

	if (!m->recovered || !m->shim || !shim_link_live(m->shim))
		return;
	for (s = TAILQ_FIRST(&m->slots); s; s = next) {
		next = TAILQ_NEXT(s, entry);
		if (!s->unsettled || s->backend != BACKEND_SHIM || !manager_drives(m, s))
			continue;
		if (s->was_known) /* by this daemon */
			settle_lost(m, s);
		settle(m, s);
	}
	if (m->shim_state != SHIM_BUSY)
		state_clear(&m->before); /* what is seen from now on is newer */
}
