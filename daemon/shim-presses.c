/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many presses of each slot were passed on.
 *
 * Responsible for: the count, by which a press that a dump shows is told from one
 * that was dealt with. Tells nobody.
 */
#include <stdlib.h>

#include "shim-internal.h"

struct presses *shim_presses_of(struct shim_link *l, const struct shim_slot *s, bool from_start)
{
	struct presses *p;

	TAILQ_FOREACH(p, &l->presses, entry)
		if (p->slot == s->id && p->generation == s->generation)
			return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->slot = s->id;
	p->generation = s->generation;
	p->count = from_start ? 0 : s->presses;
	p->known = from_start;
	TAILQ_INSERT_TAIL(&l->presses, p, entry);
	return p;
}

static void presses_free(struct shim_link *l, struct presses *p)
{
	TAILQ_REMOVE(&l->presses, p, entry);
	free(p);
}

void shim_presses_forget(struct shim_link *l, const struct shim_slot *s)
{
	struct presses *p;

	TAILQ_FOREACH(p, &l->presses, entry) {
		if (p->slot != s->id || p->generation != s->generation)
			continue;
		presses_free(l, p);
		return;
	}
}

void shim_presses_prune(struct shim_link *l)
{
	struct presses *p, *next;

	for (p = TAILQ_FIRST(&l->presses); p; p = next) {
		size_t i = 0;

		next = TAILQ_NEXT(p, entry);
		while (i < l->n_slots && !(l->slots[i].id == p->slot && l->slots[i].generation == p->generation))
			i++;
		if (i == l->n_slots)
			presses_free(l, p);
	}
}

void shim_presses_clear(struct shim_link *l)
{
	struct presses *p;

	while ((p = TAILQ_FIRST(&l->presses)))
		presses_free(l, p);
}

uint64_t shim_link_presses(const struct shim_link *l, uint32_t slot, uint32_t generation)
{
	const struct presses *p;

	TAILQ_FOREACH(p, &l->presses, entry)
		if (p->slot == slot && p->generation == generation)
			return p->count;
	return 0;
}
