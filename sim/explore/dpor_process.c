/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes by number, and what stands in an actor's store buffer in the run so far. */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "explore/dpor.h"

static unsigned
add(struct dpor *d, struct process p)
{
	unsigned number = d->processes;

	/* Said at the next question: not everywhere that a process is named a run can be ended. */
	if (number == DPOR_PROCESSES_MAX) {
		d->too_many = true;
		return DPOR_PROCESSES_MAX - 1;
	}
	d->processes++;
	d->process[number].p = p;
	d->process[number].owner = (uint8_t)number;
	d->woken_by[number] = d->held_by[number] = d->last[number] = DPOR_NONE;
	return number;
}

static unsigned
of_actor(struct dpor *d, struct process p, bool flush)
{
	uint32_t id = actor_id(p.id);
	unsigned number;

	if (id >= d->actor_capacity) {
		uint32_t was = d->actor_capacity, capacity = was;

		for (unsigned i = 0; i < 2; i++) {
			capacity = was;
			d->of_actor[i] = dpor_grow(d->of_actor[i], &capacity, id + 1, 1);
			memset(d->of_actor[i] + was, 0, capacity - was);
		}
		d->actor_capacity = capacity;
	}
	if (d->of_actor[flush][id]) {
		number = d->of_actor[flush][id] - 1u;
		d->process[number].p = p;
		return number;
	}
	number = add(d, p);
	d->of_actor[flush][id] = (uint8_t)(number + 1);
	if (flush)
		d->process[number].owner = (uint8_t)of_actor(
			d, (struct process){ .kind = PROCESS_ACTOR, .id = p.id }, false);
	return number;
}

unsigned
dpor_process_look_up(struct dpor *d, struct process p)
{
	if (p.kind != PROCESS_CALLBACK)
		return of_actor(d, p, p.kind == PROCESS_FLUSH);
	for (unsigned i = 0; i < d->processes; i++) {
		const struct process *known = &d->process[i].p;

		if (known->kind == p.kind && known->id == p.id && known->code == p.code)
			return i;
	}
	return add(d, p);
}

void
dpor_process_reset(struct dpor *d)
{
	for (unsigned i = 0; i < d->processes; i++) {
		struct dpor_buffer *b = &d->process[i].buffer;

		d->woken_by[i] = d->held_by[i] = d->last[i] = DPOR_NONE;
		b->first = b->count = b->readers = 0;
	}
}

void
dpor_process_free(struct dpor *d)
{
	for (unsigned i = 0; i < d->processes; i++) {
		free(d->process[i].buffer.entry);
		free(d->process[i].buffer.reader);
	}
	free(d->of_actor[0]);
	free(d->of_actor[1]);
}

/* --- store buffers -------------------------------------------------------------------------- */

void
dpor_buffer_store(struct dpor *d, unsigned actor, uint64_t at, uint32_t bytes)
{
	struct dpor_buffer *b = &d->process[actor].buffer;

	b->entry = dpor_grow(b->entry, &b->capacity, b->count + 1, sizeof(*b->entry));
	b->entry[b->count++] = (struct dpor_pending){ at, bytes, d->at };
}

static void
reader_add(struct dpor *d, struct dpor_buffer *b, uint32_t entry, uint64_t at, uint64_t end)
{
	b->reader = dpor_grow(b->reader, &b->reader_capacity, b->readers + 1, sizeof(*b->reader));
	b->reader[b->readers++] =
		(struct dpor_reader){ d->at, entry, { at, (uint32_t)(end - at), WATCH_LOAD } };
}

/* Newest first: what a newer store gives is not taken from an older one. */
static uint64_t
uncovered(const struct dpor_buffer *b, uint64_t at, uint32_t bytes, struct dpor *d,
	  struct dpor_buffer *readers)
{
	uint64_t missing = bytes < 64 ? (UINT64_C(1) << bytes) - 1 : UINT64_MAX;

	for (uint32_t i = b->count; i-- > b->first && missing;) {
		const struct dpor_pending *s = &b->entry[i];
		uint64_t from = s->at > at ? s->at : at;
		uint64_t to = s->at + s->bytes < at + bytes ? s->at + s->bytes : at + bytes;
		uint64_t mask;

		if (from >= to)
			continue;
		mask = to - from < 64 ? ((UINT64_C(1) << (to - from)) - 1) << (from - at)
				      : UINT64_MAX;
		if (mask & missing && readers)
			reader_add(d, readers, i, from, to);
		missing &= ~mask;
	}
	return missing;
}

uint64_t
dpor_buffer_load(struct dpor *d, unsigned actor, uint64_t at, uint32_t bytes)
{
	struct dpor_buffer *b = &d->process[actor].buffer;

	return uncovered(b, at, bytes, d, b);
}

bool
dpor_buffer_covers(const struct dpor_buffer *b, uint64_t at, uint32_t bytes)
{
	return !uncovered(b, at, bytes, NULL, NULL);
}

uint32_t
dpor_buffer_flush(struct dpor *d, unsigned actor)
{
	struct dpor_buffer *b = &d->process[actor].buffer;

	must(b->first < b->count);
	return b->first++;
}
