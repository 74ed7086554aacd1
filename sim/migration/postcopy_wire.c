/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Postcopy's channels in timed mode.  A thread that sends hands a page to a socket and goes on,
 * until the sockets of both sides are full; the destination reads in order.  So a page that is
 * asked for waits behind all that the main channel holds, and a channel of its own is what saves it
 * from that.  Both share one wire by halves while both have something to send.
 */
#include "engine/cost.h"
#include "migration/postcopy_impl.h"

static const char *const reader_name[POSTCOPY_CHANNELS] = { "postcopy/listen", "postcopy/preempt" };

void
postcopy_wire_init(struct postcopy *p)
{
	for (unsigned i = 0; i < POSTCOPY_CHANNELS; i++) {
		struct postcopy_wire *wire = &p->wire[i];

		wire->p = p;
		wire->number = (enum postcopy_channel)i;
		waitq_init(&wire->arrived, p->w, reader_name[i]);
		waitq_init(&wire->room, p->w, "socket");
	}
}

int64_t
postcopy_request_arrival(const struct postcopy *p)
{
	return p->m->vm->steps ? 0 : world_now(p->w) + cost_of(p->w, COST_MIG_ROUND_TRIP) / 2;
}

bool
postcopy_wire_empty(const struct postcopy *p, enum postcopy_channel channel)
{
	const struct postcopy_wire *wire = &p->wire[channel];

	return !wire->count && !wire->reading && p->flight[channel].page == RAM_NOT_WRITING;
}

void
postcopy_wire_drop(struct postcopy *p, enum postcopy_channel channel)
{
	struct postcopy_wire *wire = &p->wire[channel];

	p->flight[channel].page = RAM_NOT_WRITING;
	wire->count = 0;
	wire->bytes = 0;
	wire->free_ns = 0;
	waitq_wake_all(p->w, &wire->room);
}

/* When the last byte of @bytes leaves. */
static int64_t
departure(struct postcopy_wire *wire, uint64_t bytes)
{
	struct postcopy *p = wire->p;
	struct postcopy_wire *other = &p->wire[!wire->number];
	int64_t now = world_now(p->w), ns, shared;

	if (!p->m->config.link_bandwidth)
		return now;
	ns = (int64_t)((__int128)bytes * 1000000000 / p->m->config.link_bandwidth);
	if (wire->free_ns < now)
		wire->free_ns = now;
	shared = other->free_ns - wire->free_ns;
	if (shared > ns)
		shared = ns;
	if (shared > 0) {
		other->free_ns += shared;
		ns += shared;
	}
	wire->free_ns += ns;
	return wire->free_ns;
}

void
postcopy_wire_rest(struct postcopy *p, enum postcopy_channel channel)
{
	int64_t ns = p->wire[channel].ahead_ns;

	p->wire[channel].ahead_ns = 0;
	if (ns)
		actor_work(p->w, ns);
}

void
postcopy_wire_work(struct postcopy *p, enum postcopy_channel channel, bool zero)
{
	struct postcopy_wire *wire = &p->wire[channel];

	wire->ahead_ns += cost_of(p->w, COST_MIG_PAGE);
	if (!zero)
		wire->ahead_ns += cost_of(p->w, COST_MIG_SEND);
	if (wire->ahead_ns >= POSTCOPY_QUANTUM_NS)
		postcopy_wire_rest(p, channel);
}

bool
postcopy_wire_send(struct postcopy *p, enum postcopy_channel channel, const struct sent_page *page,
		   uint64_t bytes)
{
	struct postcopy_wire *wire = &p->wire[channel];
	struct postcopy_flight *f;
	unsigned generation = p->generation;

	while (p->generation == generation && wire->count &&
	       (wire->count == POSTCOPY_FLIGHT_MAX || wire->bytes + bytes > p->config.socket_bytes))
		waitq_wait(p->w, &wire->room);
	if (p->generation != generation || p->link != POSTCOPY_UP)
		return false;
	if (channel == POSTCOPY_PREEMPT && !p->preempt_up)
		return true; /* into a socket that is dead */
	f = &wire->flight[(wire->head + wire->count++) % POSTCOPY_FLIGHT_MAX];
	f->page = *page;
	f->bytes = bytes;
	f->at_ns = departure(wire, bytes) + cost_of(p->w, COST_MIG_ROUND_TRIP) / 2;
	wire->bytes += bytes;
	waitq_wake_all(p->w, &wire->arrived);
	return true;
}

/* A writer that sleeps wakes when a third of its buffer is free (sk_stream_write_space()): of what
 * both sides hold, a fifth. */
static void
make_room(struct postcopy_wire *wire)
{
	if (wire->bytes * 5 <= wire->p->config.socket_bytes * 4 &&
	    wire->count * 5 <= POSTCOPY_FLIGHT_MAX * 4)
		waitq_wake_all(wire->p->w, &wire->room);
}

/* What has arrived, as far as a quantum takes. */
static void
read_some(struct postcopy_wire *wire)
{
	struct postcopy *p = wire->p;
	unsigned generation = p->generation;
	int64_t now = world_now(p->w), ns = 0;

	wire->reading = true;
	while (wire->count && wire->flight[wire->head].at_ns <= now && ns < POSTCOPY_QUANTUM_NS &&
	       p->generation == generation && !p->ended) {
		struct postcopy_flight f = wire->flight[wire->head];

		wire->head = (wire->head + 1) % POSTCOPY_FLIGHT_MAX;
		wire->count--;
		wire->bytes -= f.bytes;
		ns += cost_of(p->w, COST_POSTCOPY_READ);
		if (postcopy_load(p, &f.page, wire->number))
			precopy_set_state(p->m, PRECOPY_FAILED);
		if (!p->tmp[wire->number].pages)
			ns += cost_of(p->w, COST_POSTCOPY_PLACE);
	}
	make_room(wire);
	actor_work(p->w, ns);
	wire->reading = false;
	if (!wire->count)
		waitq_wake_all(p->w, &p->work);
}

/* postcopy_ram_listen_thread(), postcopy_preempt_thread() */
static void
reader(struct actor *self, void *arg)
{
	struct postcopy_wire *wire = arg;
	struct world *w = wire->p->w;

	for (;;) {
		while (!wire->count || wire->p->ended ||
		       (wire->number == POSTCOPY_PREEMPT && !wire->p->accepted))
			waitq_wait(w, &wire->arrived);

		int64_t wait = wire->flight[wire->head].at_ns - world_now(w);

		if (wait > 0)
			actor_sleep(w, wait);
		else
			read_some(wire);
	}
}

void
postcopy_wire_start(struct postcopy *p)
{
	if (p->m->vm->steps)
		return;
	for (unsigned i = 0; i < (postcopy_preempts(p) ? POSTCOPY_CHANNELS : 1u); i++) {
		p->wire[i].flight =
			world_alloc(p->w, POSTCOPY_FLIGHT_MAX * sizeof(*p->wire[i].flight));
		actor_set_daemon(actor_create(p->w, reader_name[i], reader, &p->wire[i], 0), true);
	}
}
