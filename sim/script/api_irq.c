/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * API: interrupts below virtio: a vCPU's local APIC, irqfds on eventfds of the scenario, and
 * devices that are nothing but an interrupt and a status register, with the guest's descriptor for
 * it.
 */
#include "base/must.h"
#include "guest/irq.h"
#include "notify/irqchip.h"
#include "notify/irqdesc.h"
#include "notify/irqfd.h"
#include "script/guest_api.h"

/*
 * The device counts what it has to tell (`events`); its handler takes that.  A oneshot interrupt's
 * handler takes nothing and leaves that to a thread, which ends the interrupt with unmask().
 */
struct script_irq {
	struct irqdesc *desc;
	struct irqchip *chip;
	struct guest_cpu *cpu;
	unsigned vector;
	int pin; /* of the IOAPIC; -1: a message */
	bool oneshot, shared;
	unsigned events;
	unsigned taken, runs, idle_runs;
	struct waitq changed;
};

static struct machine *
check_vm(lua_State *L)
{
	struct script_machine *sm = api_check(L, 1, "machine");

	script_world(L);
	return sm->m;
}

static struct script_irq *
check_irq(lua_State *L)
{
	struct script_irq *q = api_check(L, 1, "irq");

	script_world(L);
	return q;
}

/* --- vCPUs ---------------------------------------------------------------------------------- */

static int
machine_vcpu(lua_State *L)
{
	struct machine *m = check_vm(L);

	api_push(L, "vcpu", m->vcpus[api_range(L, 2, 0, (lua_Integer)m->vcpu_count - 1)]);
	return 1;
}

static struct vcpu *
check_vcpu(lua_State *L, const char *what)
{
	struct vcpu *v = api_check(L, 1, "vcpu");

	script_world(L);
	script_must_not_check(L, what);
	return v;
}

static int
do_vcpu_posting(lua_State *L)
{
	static const char *const allowed[] = { "posting", "apicv", NULL };
	struct vcpu *v = check_vcpu(L, "posting");

	api_options(L, 2, "posting", allowed);
	vcpu_set_posting(v, api_boolean(L, 2, "posting", true), api_boolean(L, 2, "apicv", true));
	return 0;
}

static int
do_vcpu_set_lapic(lua_State *L)
{
	static const char *const allowed[] = { "timer_vector", "timer_expired", NULL };
	struct vcpu *v = check_vcpu(L, "set_lapic");
	struct lapic_state state;

	script_must_be_actor(L, "set_lapic");
	api_options(L, 2, "set_lapic", allowed);
	vcpu_get_lapic(v, &state);
	state.timer_vector = (uint8_t)api_integer(L, 2, "timer_vector", 0, 0, LAPIC_VECTORS - 1);
	state.timer_expired = api_boolean(L, 2, "timer_expired", false);
	vcpu_set_lapic(v, &state);
	return 0;
}

static int
do_vcpu_pause(lua_State *L)
{
	struct vcpu *v = check_vcpu(L, "pause");

	script_must_be_actor(L, "pause");
	vcpu_pause(v);
	return 0;
}

static int
do_vcpu_resume(lua_State *L)
{
	struct vcpu *v = check_vcpu(L, "resume");

	script_must_be_actor(L, "resume");
	vcpu_resume(v);
	return 0;
}

/* --- irqfds --------------------------------------------------------------------------------- */

static int
machine_irqfd(lua_State *L)
{
	struct machine *m = check_vm(L);
	struct eventfd *fd = api_check(L, 2, "eventfd");
	uint32_t gsi = (uint32_t)api_range(L, 3, 0, UINT16_MAX);
	struct eventfd *resample = lua_isnoneornil(L, 4) ? NULL : api_check(L, 4, "eventfd");
	int ret = irqfd_assign(m->chip, fd, gsi, resample);

	if (!ret) {
		lua_pushboolean(L, true);
		return 1;
	}
	lua_pushnil(L);
	lua_pushinteger(L, -ret);
	return 2;
}

static int
machine_split_irqchip(lua_State *L)
{
	check_vm(L)->chip->ioapic.split = true;
	return 0;
}

/* A VMM that tidies up too much. */
static int
machine_route_del(lua_State *L)
{
	struct machine *m = check_vm(L);
	uint32_t gsi = (uint32_t)api_range(L, 2, 0, UINT16_MAX);

	script_must_be_actor(L, "route_del");
	irqroute_del(m->chip, gsi);
	irqroute_commit(m->chip);
	return 0;
}

static int
machine_ioapic(lua_State *L)
{
	struct machine *m = check_vm(L);
	const struct ioapic_pin *pin = &m->chip->ioapic.pin[api_range(L, 2, 0, IOAPIC_PINS - 1)];

	lua_newtable(L);
	api_set_boolean(L, "up", pin->sources != 0);
	api_set_boolean(L, "irr", pin->irr);
	api_set_boolean(L, "remote_irr", pin->remote_irr);
	api_set_boolean(L, "masked", pin->masked);
	api_set_integer(L, "vector", pin->vector);
	return 1;
}

/* The dword with the vector's pending bit, as a driver would read it. */
static int
msix_read_pba(lua_State *L)
{
	struct msix *m = api_check(L, 1, "msix");
	struct guest_cpu *cpu = api_cpu(L, "read_pba");
	unsigned vector = (unsigned)api_range(L, 2, 0, m->vectors - 1);
	uint64_t pba = pci_bar_address(m->function, m->bar) + m->offset +
		       (uint64_t)m->vectors * MSIX_ENTRY_BYTES;

	lua_pushboolean(L, guest_mmio_read(cpu, pba + vector / 32 * 4, 4) >> vector % 32 & 1);
	return 1;
}

/* irq_set_affinity() of a queue's vector, by the running CPU. */
static int
vq_affinity(lua_State *L)
{
	struct script_vq *q = api_check(L, 1, "vq");
	struct guest_cpu *cpu = api_cpu(L, "affinity");
	struct script_machine *sm = script_of(L)->machine;
	struct guest_cpu *to = sm->cpu[api_range(L, 2, 0, (lua_Integer)sm->m->vcpu_count - 1)];

	if (!q->vq || q->vq->vector == VIRTIO_MSI_NO_VECTOR)
		return luaL_error(L, "affinity: the queue has no vector");
	guest_irq_set_affinity(&q->vq->dev->irqs[q->vq->vector], cpu, to);
	return 0;
}

/* --- devices that are an interrupt ---------------------------------------------------------- */

static enum irq_return
take_events(struct vcpu *v, void *arg)
{
	struct script_irq *q = arg;
	bool some = q->events;

	(void)v;
	q->runs++;
	q->idle_runs += !some;
	if (!q->oneshot) {
		q->taken += q->events;
		q->events = 0;
	}
	waitq_wake_all(q->cpu->w, &q->changed);
	/* The status is read: what the device has to tell from here on, this run will not see. */
	actor_point(q->cpu->w);
	return some ? IRQ_HANDLED : IRQ_NONE;
}

static void
mask_pin(void *arg, struct vcpu *v, bool masked)
{
	struct script_irq *q = arg;

	(void)v;
	ioapic_mask(&q->chip->ioapic, (unsigned)q->pin, masked);
}

/* The first that nobody has. */
static unsigned
free_vector(lua_State *L, const struct vcpu *v)
{
	unsigned vector = GUEST_VECTOR_FIRST;

	while (vector <= GUEST_VECTOR_LAST && v->idt[vector].fn)
		vector++;
	if (vector > GUEST_VECTOR_LAST)
		luaL_error(L, "irq: the CPU has no vector left");
	return vector;
}

static int
machine_irq(lua_State *L)
{
	static const char *const allowed[] = { "cpu", "vector", "pin", "oneshot", "shared", NULL };
	struct script_machine *sm = api_check(L, 1, "machine");
	const char *name = luaL_checkstring(L, 2);
	struct world *w = script_world(L);
	struct script_irq *q = world_alloc(w, sizeof(*q));

	script_must_not_check(L, "irq");
	api_options(L, 3, "irq", allowed);
	q->chip = sm->m->chip;
	q->cpu = sm->cpu[api_integer(L, 3, "cpu", 0, 0, (lua_Integer)sm->m->vcpu_count - 1)];
	q->vector = (unsigned)api_integer(L, 3, "vector", 0, 0, GUEST_VECTOR_LAST);
	if (!q->vector)
		q->vector = free_vector(L, q->cpu->vcpu);
	if (q->vector < GUEST_VECTOR_FIRST || q->cpu->vcpu->idt[q->vector].fn)
		return luaL_error(L, "irq: vector %d is not free; devices have %d to %d",
				  (int)q->vector, (int)GUEST_VECTOR_FIRST, (int)GUEST_VECTOR_LAST);
	q->pin = (int)api_integer(L, 3, "pin", -1, -1, IOAPIC_PINS - 1);
	q->oneshot = api_boolean(L, 3, "oneshot", false);
	q->shared = api_boolean(L, 3, "shared", false);
	waitq_init(&q->changed, w, name);
	q->desc = irqdesc_create(w, name, q->pin < 0 ? IRQ_FLOW_EDGE : IRQ_FLOW_FASTEOI,
				 q->pin < 0 ? NULL : mask_pin, q);
	if (q->oneshot)
		q->desc->istate |= IRQS_ONESHOT;
	irqdesc_set_vector(q->desc, q->cpu->vcpu, q->vector);
	if (q->pin >= 0)
		ioapic_set_entry(&q->chip->ioapic, (unsigned)q->pin, (uint8_t)q->vector,
				 (uint8_t)q->cpu->vcpu->id, true, true);
	api_push(L, "irq", q);
	return 1;
}

static int
irq_request(lua_State *L)
{
	struct script_irq *q = check_irq(L);

	script_must_not_check(L, "request");
	lua_pushboolean(L, !irqdesc_request(q->desc, take_events, q, q->shared));
	return 1;
}

static int
irq_free(lua_State *L)
{
	struct script_irq *q = check_irq(L);

	script_must_be_actor(L, "free");
	irqdesc_free(q->desc, q);
	return 0;
}

static int
irq_post(lua_State *L)
{
	struct script_irq *q = check_irq(L);

	script_must_be_actor(L, "post");
	q->events++;
	actor_point(q->cpu->w); /* DMA first, the interrupt later */
	return 0;
}

static int
irq_events(lua_State *L)
{
	lua_pushinteger(L, check_irq(L)->events);
	return 1;
}

static int
irq_take(lua_State *L)
{
	struct script_irq *q = check_irq(L);

	script_must_be_actor(L, "take");
	actor_point(q->cpu->w);
	lua_pushinteger(L, q->events);
	q->taken += q->events;
	q->events = 0;
	waitq_wake_all(q->cpu->w, &q->changed);
	return 1;
}

static int
irq_send(lua_State *L)
{
	struct script_irq *q = check_irq(L);

	script_must_be_actor(L, "send");
	if (q->pin >= 0)
		return luaL_error(L, "send: this one is a line of the IOAPIC; use an irqfd");
	actor_point(q->cpu->w);
	irqchip_msi(q->chip, msi_address(q->cpu->vcpu->id), msi_data(q->vector));
	return 0;
}

static int
irq_poll(lua_State *L)
{
	struct script_irq *q = check_irq(L);

	lua_pushboolean(L, irqdesc_poll(q->desc, api_cpu(L, "poll")->vcpu, false) == IRQ_HANDLED);
	return 1;
}

static int
irq_unmask(lua_State *L)
{
	struct script_irq *q = check_irq(L);

	script_must_be_actor(L, "unmask");
	actor_point(q->cpu->w);
	irqdesc_unmask(q->desc);
	return 0;
}

/* As a task of the CPU, which may go to sleep in HLT meanwhile. */
static int
wait_for(lua_State *L, const unsigned *count, const char *what)
{
	struct script_irq *q = check_irq(L);
	struct guest_cpu *cpu = api_cpu(L, what);
	unsigned n = (unsigned)api_range(L, 2, 0, INT32_MAX);

	while (*count < n)
		guest_wait(cpu, &q->changed);
	return 0;
}

static int
irq_wait(lua_State *L)
{
	return wait_for(L, &check_irq(L)->taken, "wait");
}

static int
irq_wait_runs(lua_State *L)
{
	return wait_for(L, &check_irq(L)->runs, "wait_runs");
}

static int
irq_info(lua_State *L)
{
	struct script_irq *q = check_irq(L);

	lua_newtable(L);
	api_set_integer(L, "events", q->events);
	api_set_integer(L, "taken", q->taken);
	api_set_integer(L, "runs", q->runs);
	api_set_integer(L, "idle_runs", q->idle_runs);
	api_set_integer(L, "vector", q->vector);
	return 1;
}

const struct api_entry api_irq[] = {
	{ "machine", "vcpu", "(n) -> vcpu", "a processor as KVM sees it", machine_vcpu },
	{ "vcpu", "posting", "{posting=true, apicv=true}",
	  "senders post from now on; apicv: it runs with APIC virtualisation itself",
	  do_vcpu_posting },
	{ "vcpu", "set_lapic", "{timer_vector=, timer_expired=}",
	  "KVM_SET_LAPIC of the state it is in, with a one-shot timer", do_vcpu_set_lapic },
	{ "vcpu", "pause", "()", "the VMM stops it", do_vcpu_pause },
	{ "vcpu", "resume", "()", "and lets it go on", do_vcpu_resume },
	{ "machine", "irqfd", "(eventfd, gsi [, resample]) -> true or nil, errno",
	  "KVM_IRQFD; resample: an eventfd signalled at the EOI", machine_irqfd },
	{ "machine", "split_irqchip", "()", "the IOAPIC is the VMM's, the local APICs KVM's",
	  machine_split_irqchip },
	{ "machine", "route_del", "(gsi)", "the VMM takes a GSI's route away", machine_route_del },
	{ "machine", "ioapic", "(pin) -> table", "a pin: up, irr, remote_irr, masked, vector",
	  machine_ioapic },
	{ "msix", "read_pba", "(vector) -> pending", "the guest reads the pending bit",
	  msix_read_pba },
	{ "vq", "affinity", "(cpu)", "irq_set_affinity() of its vector", vq_affinity },
	{ "machine", "irq", "(name, {cpu=, vector=, pin=, oneshot=, shared=}) -> irq",
	  "a device that is an interrupt and a status register; pin: a level line, else a message",
	  machine_irq },
	{ "irq", "request", "() -> ok", "request_irq(): the handler takes what the register tells",
	  irq_request },
	{ "irq", "free", "()", "free_irq()", irq_free },
	{ "irq", "post", "()", "the device has one more thing to tell, and says nothing yet",
	  irq_post },
	{ "irq", "events", "() -> n", "what it has to tell: above 0 its line is up", irq_events },
	{ "irq", "take", "() -> n", "a thread takes it: what a oneshot handler leaves undone",
	  irq_take },
	{ "irq", "send", "()", "the device sends its message", irq_send },
	{ "irq", "poll", "() -> handled", "try_one_irq(): the running CPU calls the handler",
	  irq_poll },
	{ "irq", "unmask", "()", "the end of a oneshot interrupt's thread", irq_unmask },
	{ "irq", "wait", "(n)", "wait until n things have been taken, at all", irq_wait },
	{ "irq", "wait_runs", "(n)", "wait until its handler has run n times, at all",
	  irq_wait_runs },
	{ "irq", "info", "() -> table", "events, taken, runs, idle_runs (found nothing), vector",
	  irq_info },
	{ NULL, NULL, NULL, NULL, NULL }
};
