/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * multifd: pages of content leave by several channels, each a thread with one packet at a time;
 * zero pages leave by the main channel.  Channels are not ordered among each other, so two contents
 * of one page may be under way at the same time unless what was queued has arrived before a page
 * can be sent again: that is the flush at the end of a round.
 */
#include <stdio.h>

#include "base/must.h"
#include "engine/cost.h"
#include "migration/precopy_impl.h"

static void
packet_time(struct multifd_channel *c)
{
	struct precopy *m = c->m;
	int64_t now = world_now(m->w), ns = 0;

	if (m->vm->steps)
		return;
	actor_work(m->w, cost_of(m->w, COST_MIG_SEND) * c->pages);
	if (!m->config.link_bandwidth)
		return;
	/* One wire for all. */
	now = world_now(m->w);
	ns = (int64_t)((__int128)c->pages * PAGE_BYTES * 1000000000 / m->config.link_bandwidth);
	m->link_free_ns = (m->link_free_ns > now ? m->link_free_ns : now) + ns;
	actor_sleep(m->w, m->link_free_ns - now);
}

static void
channel_thread(struct actor *self, void *arg)
{
	struct multifd_channel *c = arg;
	struct precopy *m = c->m;

	for (;;) {
		while (!c->busy)
			waitq_wait(m->w, &c->work);
		packet_time(c);
		for (unsigned i = 0; i < c->pages; i++) {
			precopy_point(m);

			struct sent_page p = c->packet[i];

			c->packet[i].page = RAM_NOT_WRITING;
			precopy_load(m, &p, c->number, "multifd");
			precopy_check_page(m, p.page, UNCOVERED_STALE);
		}
		c->pages = 0;
		c->busy = false;
		waitq_wake_all(m->w, &m->channel_ready);
	}
}

void
multifd_start(struct precopy *m)
{
	must(m->config.channels <= PRECOPY_CHANNELS_MAX);
	must(m->config.packet_pages > 0 && m->config.packet_pages <= PRECOPY_PACKET_PAGES_MAX);
	m->channel = world_alloc(m->w, m->config.channels * sizeof(*m->channel));
	for (unsigned i = 0; i < m->config.channels; i++) {
		struct multifd_channel *c = &m->channel[i];
		char name[32];

		c->m = m;
		c->number = i + 1;
		snprintf(name, sizeof(name), "multifdsend_%u", i);
		waitq_init(&c->work, m->w, name);
		actor_set_daemon(actor_create(m->w, name, channel_thread, c, 0), true);
	}
}

/* multifd_send_pages(): to the next channel that has nothing to do. */
static void
send_packet(struct precopy *m)
{
	struct multifd_channel *c = NULL;

	/* First, since channels end packets meanwhile: a wake-up must not come before the wait. */
	precopy_spend(m, 0, true);
	while (!c) {
		for (unsigned i = 0; i < m->config.channels && !c; i++) {
			unsigned n = (m->next_channel + i) % m->config.channels;

			if (!m->channel[n].busy)
				c = &m->channel[n];
		}
		if (!c)
			waitq_wait(m->w, &m->channel_ready);
	}
	m->next_channel = c->number % m->config.channels;
	for (unsigned i = 0; i < m->queued; i++)
		c->packet[i] = m->fill[i];
	c->pages = m->queued;
	c->busy = true;
	m->stats.bytes += m->queued * (PAGE_BYTES + WIRE_HEADER);
	m->queued = 0;
	waitq_wake_all(m->w, &c->work);
}

void
multifd_queue(struct precopy *m, uint64_t page, ram_content content)
{
	m->fill[m->queued++] = (struct sent_page){ page, content };
	if (m->queued == m->config.packet_pages)
		send_packet(m);
}

void
multifd_flush(struct precopy *m)
{
	if (m->queued)
		send_packet(m);
	precopy_spend(m, 0, true);
	for (unsigned i = 0; i < m->config.channels; i++)
		while (m->channel[i].busy)
			waitq_wait(m->w, &m->channel_ready);
}

bool
multifd_carries(const struct precopy *m, uint64_t page, ram_content content)
{
	for (unsigned i = 0; i < m->queued; i++)
		if (m->fill[i].page == page && m->fill[i].content == content)
			return true;
	for (unsigned c = 0; m->channel && c < m->config.channels; c++)
		for (unsigned i = 0; i < m->channel[c].pages; i++)
			if (m->channel[c].packet[i].page == page &&
			    m->channel[c].packet[i].content == content)
				return true;
	return false;
}
