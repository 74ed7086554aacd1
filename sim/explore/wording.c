/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/wording.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "memory/access.h"

/* An access to a field that no region names: buffers, tables of the guest. */
#define WEIGHT_UNNAMED 15
#define WEIGHT_IDLE 20

/* What a thread waits for, by the beginning of its name, when it has nothing to do. */
static const char *const idle_waits[] = { "vcpu",	"softirq",    "main loop: ",
					  "iothread: ", "vhost work", "vhost-user message" };

/* tests/unit/test_lanes.c checks that kinds and keys are those of events.def. */
const struct wording wording_table[] = {
	{ "violation", 100, "VIOLATION {oracle} {subject}" },
	{ "note", 70, "{}" },
	{ "actor_block", 60, "waits for {on}" },
	{ "actor_wake", 60, "wakes {id@actor} ({by})" },
	{ "actor_exit", 35, "ends" },
	{ "actor_create", 10, "creates {name}" },
	{ "store", 52, "{gpa@gpa} = {value@value}" },
	{ "load", 48, "reads {gpa@gpa} -> {value@value}" },
	{ "flush", 50, "flush {gpa@gpa} = {value@value}" },
	{ "fence", 40, "{kind}" },
	/* notify/ */
	{ "eventfd_write", 56, "writes {fd}, count {count}" },
	{ "eventfd_signal", 56, "signals {fd}, count {count}" },
	{ "eventfd_read", 54, "takes {value} from {fd}" },
	{ "iobus_destroyed", 75, "no memory: the whole {space} bus is gone" },
	{ "ioeventfd_match", 56, "doorbell {address} hits {fd}" },
	{ "io_exit", 56, "write to {address} exits to the VMM" },
	{ "io_unassigned", 75, "lost: write to {address} unassigned" },
	{ "pci_config_write", 58, "{function}: config[{offset}] = {value}" },
	{ "memregion_map", 36, "maps {region} at {base}" },
	{ "memregion_unmap", 36, "unmaps {region} from {base}" },
	{ "ioeventfd_assign", 60, "ioeventfd {fd} assigned" },
	{ "ioeventfd_deassign", 60, "ioeventfd {fd} deassigned" },
	{ "vcpu_hlt", 20, "vCPU {vcpu} halts" },
	{ "vcpu_block", 20, "vCPU {vcpu} sleeps" },
	{ "vcpu_wake", 20, "vCPU {vcpu} runs again" },
	{ "irq_request", 45, "vector {vector} requested of vCPU {vcpu}" },
	{ "irqfd_inject", 56, "{fd} raises GSI {gsi}" },
	{ "irq_no_route", 75, "GSI {gsi} has no route: lost" },
	{ "msi_send", 54, "MSI to vCPU {vcpu}, vector {vector}" },
	{ "msi_lost", 75, "MSI to {address} reaches nobody: lost" },
	{ "msix_replay", 60, "unmasking sends pending vector {vector}" },
	{ "msix_no_master", 75, "vector {vector} lost: bus master is off" },
	{ "notifier_call_lost", 75, "no call fd for queue {queue}: lost" },
	{ "irq_enter", 54, "takes interrupt {vector}" },
	{ "irq_exit", 40, "interrupt {vector} handled" },
	{ "irq_spurious", 75, "interrupt {vector} has no handler: lost" },
	{ "genirq_drop", 75, "{irq} dropped: its handler was running" },
	{ "irqfd_assign", 56, "irqfd of {fd} on, GSI {gsi}" },
	{ "irqfd_deassign", 56, "irqfd of {fd} off" },
	{ "irqfd_resample", 56, "{fd} told of the EOI" },
	{ "irq_route", 50, "GSI {gsi} has a route" },
	{ "irq_route_del", 66, "GSI {gsi} loses its route" },
	{ "msix_write", 30, "MSI-X entry {vector}, offset {offset} = {value}" },
	{ "msix_control", 40, "MSI-X enabled: {enable}, function mask: {maskall}" },
	{ "msix_mask", 62, "vector {vector} masked: {masked}" },
	{ "msix_notify", 48, "asks for vector {vector}" },
	{ "msix_pending", 60, "vector {vector} pending: {pending}" },
	{ "notifier_mask", 46, "{fd} masked: {masked}, by {design}" },
	{ "notifier_call_fd", 58, "call fd of queue {queue} is {fd}" },
	{ "notifier_call", 50, "calls {fd}" },
	{ "notifier_raise", 52, "the VMM raises vector {vector}" },
	{ "notifier_write", 72, "writes {fd} on purpose, past a mask: {bypass}" },
	{ "isr_set", 44, "ISR status {isr}" },
	{ "isr_read", 50, "reads ISR status {isr}" },
	{ "ioapic_line", 50, "pin {pin} up: {up}" },
	{ "ioapic_mask", 58, "pin {pin} masked: {masked}" },
	{ "ioapic_send", 54, "pin {pin} sends vector {vector}" },
	{ "ioapic_eoi", 46, "EOI at pin {pin}" },
	{ "apic_eoi", 30, "EOI of vector {vector}" },
	{ "lapic_set", 62, "APIC state loaded, timer fires: {timer}" },
	{ "vcpu_pause", 58, "vCPU {vcpu} paused" },
	{ "vcpu_resume", 58, "vCPU {vcpu} goes on" },
	{ "genirq_request", 50, "{irq}: handler registered" },
	{ "genirq_free", 50, "{irq}: handler taken back" },
	{ "genirq_enable", 36, "{irq} enabled, depth {depth}" },
	{ "genirq_disable", 36, "{irq} disabled, depth {depth}" },
	{ "genirq_handled", 52, "{irq}: handlers ran, theirs: {ret}" },
	{ "genirq_pending", 62, "{irq} kept for later" },
	{ "genirq_resend", 58, "{irq} sent again" },
	{ "genirq_nobody_cared", 75, "{irq}: nobody cared, disabled" },
	/* kvm/ */
	{ "kvm_page_dirty", 45, "gfn {gfn} dirty in slot {slot}" },
	{ "kvm_dirty_bitmap_destroyed", 70, "slot {slot} dies with {dirty} dirty bits" },
	{ "kvm_get_dirty_log", 56, "fetches {dirty} dirty bits of slot {slot}" },
	{ "kvm_set_memslot", 52, "slot {slot}: {npages} pages at gfn {base_gfn}" },
	{ "kvm_memslot_invalid", 60, "slot {slot} on its way out" },
	{ "kvm_write_mmio", 72, "write to gfn {gfn} finds no slot: MMIO" },
	{ "kvm_clear_dirty_log", 56, "clears {cleared} dirty bits of slot {slot}" },
	{ "kvm_pml_log", 56, "gfn {gfn} noted in the PML buffer" },
	{ "kvm_pml_flush", 56, "{entries} PML entries marked dirty" },
	{ "kvm_dirty_ring_push", 56, "page {offset} of slot {slot} pushed, entry {index}" },
	{ "kvm_dirty_ring_overflow", 75, "entry {index} overwrites one not reset" },
	{ "kvm_dirty_ring_exit", 62, "dirty ring full: {used} entries" },
	{ "kvm_dirty_ring_harvest", 58, "harvests page {offset}, entry {index}" },
	{ "kvm_dirty_ring_reset", 60, "resets {entries} entries" },
	{ "kvm_dirty_unlogged", 75, "gfn {gfn} is noted nowhere" },
	{ "migration_bitmap_sync", 56, "sync finds {new} dirty pages" },
	/* virtio/ */
	{ "virtio_set_status", 56, "{dev} status = {status}" },
	{ "virtqueue_pop", 56, "{dev} vq {vq}: pops head {head}" },
	{ "virtqueue_fill", 44, "{dev} vq {vq}: used element for head {head}" },
	{ "virtqueue_flush", 52, "{dev} vq {vq}: publishes {count} used" },
	{ "virtqueue_set_notification", 54,
	  "{dev} vq {vq}: asks for kicks: {enable}, more: {more}" },
	{ "virtqueue_should_notify", 50, "{dev} vq {vq}: interrupt wanted: {wanted}" },
	{ "vhost_worker_sleep", 44, "{worker} sleeps" },
	{ "virtio_notify", 56, "{dev} vq {vq}: interrupts the driver" },
	{ "virtio_queue_ignored", 75, "{dev} vq {vq}: kick ignored" },
	{ "virtio_reset", 60, "{dev}: reset begins" },
	{ "virtio_reset_done", 60, "{dev}: reset is over" },
	{ "virtio_queue_enable", 50, "{dev} vq {vq} enabled" },
	{ "virtio_queue_reset", 60, "{dev} vq {vq}: reset, {inflight} in flight" },
	{ "virtio_queue_reset_done", 60, "{dev} vq {vq}: reset is over, {inflight} in flight" },
	{ "virtio_pci_common_write", 36, "{field} = {value}" },
	{ "virtio_pci_common_read", 30, "reads {field} -> {value}" },
	{ "virtio_config_step", 60, "{dev}: configuration changes at {offset}" },
	{ "virtio_config_read", 52, "reads configuration at {offset}" },
	{ "virtio_blk_handle", 50, "{dev} vq {vq}: request for sector {sector}" },
	{ "virtio_blk_req_complete", 56, "{dev} vq {vq}: request at head {head} ends" },
	{ "virtqueue_forget", 66, "{dev} vq {vq}: head {head} is forgotten" },
	{ "vhost_set_vring_base", 56, "{dev} vq {vq}: vhost takes it at {position}" },
	{ "vhost_get_vring_base", 60, "{dev} vq {vq}: vhost leaves it at {position}" },
	{ "vm_state", 62, "machine running: {running}" },
	{ "drained_begin", 60, "{dev}: drained section begins" },
	{ "drained_end", 60, "{dev}: drained section ends" },
	{ "debug_kick", 66, "{dev} vq {vq}: kick on purpose, {level}" },
	{ "debug_call", 66, "{dev} vq {vq}: call on purpose, {level}" },
	/* vhost/ and what goes wrong in devices */
	{ "virtio_queue_owner", 60, "{dev} vq {vq} belongs to {owner}" },
	{ "virtio_net_rx_stall", 66, "{dev}: too few buffers for {bytes} bytes" },
	{ "vhost_rx_stall", 66, "{dev}: too few buffers for {bytes} bytes" },
	{ "vhost_not_ready", 66, "{dev} vq {vq}: not ready, nothing done" },
	{ "vhost_set_backend", 58, "{dev} vq {vq}: backend {on}" },
	{ "vhost_user_send", 60, "sends {request} {value}" },
	{ "vhost_user_handle", 60, "handles {request} {value}" },
	{ "vhost_user_kick_discarded", 66, "{dev} vq {vq}: kick discarded, not enabled" },
	{ "vhost_work_queue", 40, "{worker}: work is queued" },
	{ "virtio_notification_data", 62, "{dev} vq {vq}: kick up to {position}, last {was}" },
	{ "virtio_net_wire", 54, "{dev}: {bytes} bytes from the wire" },
	/* guest/ */
	{ "net_xmit", 52, "{dev}: {bytes} bytes to be sent" },
	{ "net_rx", 54, "{dev}: {bytes} bytes received" },
	{ "net_refill", 54, "{dev}: refilled, {added} buffers" },
	{ "raw_lend", 62, "{vq}: lent {lent}, at {position}" },
	{ "driver_state", 56, "{dev}: driver is {state}" },
	{ "vq_enable_cb", 52, "{vq}: interrupts wanted, more {more}" },
	{ "napi_schedule", 56, "{vq}: schedules napi, taken {taken}" },
	{ "napi_poll", 56, "{vq}: polled {work} of {budget}" },
	{ "raw_add", 50, "{vq}: exposes buffer {token}" },
	{ "raw_get", 50, "{vq}: takes used buffer {token}" },
	{ "raw_pop", 50, "{vq}: pops head {head}" },
	{ "raw_push", 50, "{vq}: used head {head}" },
	{ "vq_kick_prepare", 50, "{vq}: kick wanted: {wanted}" },
	{ "blk_submit", 50, "{dev}: request {req}" },
	{ "blk_done", 54, "{dev}: request {req} done, status {status}" },
	{ "vq_add", 54, "{vq}: exposes buffer {token}" },
	{ "vq_notify", 58, "{vq}: writes the doorbell" },
	{ "vq_get", 54, "{vq}: takes used buffer {token}" },
	{ "vring_interrupt", 56, "{vq}: interrupt handler" },
	{ "vq_destroy", 58, "{vq}: ring memory given back" },
	{ "vq_reset", 58, "{vq}: reset, {recycled} buffers back" },
	{ "vq_bad_ring", 75, "{vq}: {what} {value}" },
	{ "vq_use_after_delete", 75, "{vq}: used after it was deleted" },
	{ "net_state", 56, "{dev} up: {up}" },
	{ "net_refill_work", 58, "{dev}: refill work" },
	{ NULL, 0, NULL },
};

/* What a value of a flags field means, by the end of the field's name. */
static const struct {
	const char *field;
	uint64_t value;
	const char *meaning;
} meanings[] = {
	{ "used.flags", 0, "kick wanted" }, /* VIRTQ_USED_F_NO_NOTIFY, split ring */
	{ "used.flags", 1, "no kick" },
	{ "avail.flags", 0, "interrupt wanted" }, /* VIRTQ_AVAIL_F_NO_INTERRUPT */
	{ "avail.flags", 1, "no interrupt" },
	{ "device_event.flags", 0, "kick wanted" }, /* RING_EVENT_FLAGS_*, packed ring */
	{ "device_event.flags", 1, "no kick" },
	{ "device_event.flags", 2, "kick at desc" },
	{ "driver_event.flags", 0, "interrupt wanted" },
	{ "driver_event.flags", 1, "no interrupt" },
	{ "driver_event.flags", 2, "interrupt at desc" },
};

static const struct wording *
wording_of(unsigned kind)
{
	const char *name = event_info[kind].name;

	for (const struct wording *w = wording_table; w->kind; w++)
		if (!strcmp(w->kind, name))
			return w;
	return NULL;
}

/* --- one argument --------------------------------------------------------------------------- */

static void
print_gpa(const struct event_names *names, uint64_t gpa, FILE *out)
{
	char text[96];

	if (names->gpa)
		names->gpa(names->context, gpa, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "gpa 0x%" PRIx64, gpa);
	fputs(text, out);
}

static void
print_plain(const struct event_names *names, char conversion, int64_t v, FILE *out)
{
	const char *text;

	if (conversion == 's') {
		text = names->text ? names->text(names->context, v) : NULL;
		if (text)
			fputs(text, out);
		else
			fprintf(out, "#%" PRId64, v);
	} else if (conversion == 'x') {
		fprintf(out, "0x%" PRIx64, (uint64_t)v);
	} else {
		fprintf(out, conversion == 'u' ? "%" PRIu64 : "%" PRId64, v);
	}
}

static bool
ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

/* Compilers access len, flags and next of a split descriptor as one word of eight bytes. */
static bool
is_descriptor_tail(const struct event_names *names, const struct event *e)
{
	char field[96];
	int size = event_arg(e->kind, "size");

	if (size < 0 || e->arg[size] != 8 || !names->gpa)
		return false;
	names->gpa(names->context, (uint64_t)e->arg[0], field, sizeof(field));
	return strstr(field, "desc[") && ends_with(field, ".len");
}

/* @key is what stands in the braces, "gpa@gpa"; a null key is the format's first argument. */
static void
print_arg(const struct event_names *names, const struct event *e, const char *key, FILE *out)
{
	char name[32], how[8] = "";
	struct event_field f = { 0 };
	bool found = false;

	snprintf(name, sizeof(name), "%s", key);

	char *at = strchr(name, '@');

	if (at) {
		snprintf(how, sizeof(how), "%s", at + 1);
		*at = 0;
	}
	while (!found && event_field_next(e->kind, &f))
		found = !*name ||
			(f.key_len == (int)strlen(name) && !strncmp(f.key, name, strlen(name)));
	if (!found)
		return;

	int64_t v = e->arg[f.arg];

	if (!strcmp(how, "gpa")) {
		print_gpa(names, (uint64_t)v, out);
	} else if (!strcmp(how, "actor")) {
		char actor[64];

		event_names_actor(names, (uint32_t)v, actor, sizeof(actor));
		fputs(actor, out);
	} else if (!strcmp(how, "value") && is_descriptor_tail(names, e)) {
		fprintf(out, "%" PRIu32 ", flags %u, next %u", (uint32_t)v,
			(unsigned)((uint64_t)v >> 32 & 0xffff), (unsigned)((uint64_t)v >> 48));
	} else if (!strcmp(how, "value")) {
		fprintf(out, (uint64_t)v <= UINT16_MAX ? "%" PRIu64 : "0x%" PRIx64, (uint64_t)v);
	} else {
		print_plain(names, f.conversion, v, out);
	}
}

/* --- one event ------------------------------------------------------------------------------ */

static void
print_template(const struct event_names *names, const struct event *e, const char *t, FILE *out)
{
	while (*t) {
		const char *close = *t == '{' ? strchr(t, '}') : NULL;
		char key[32];

		if (!close) {
			fputc(*t++, out);
			continue;
		}
		snprintf(key, sizeof(key), "%.*s", (int)(close - t - 1), t + 1);
		print_arg(names, e, key, out);
		t = close + 1;
	}
}

/* "kick vq=0": the kind's name as words, then its arguments. */
static void
print_default(const struct event_names *names, const struct event *e, FILE *out)
{
	char detail[400];

	for (const char *p = event_info[e->kind].name; *p; p++)
		fputc(*p == '_' ? ' ' : *p, out);
	if (event_names_format(names, e, detail, sizeof(detail)))
		fprintf(out, " %s", detail);
}

static void
print_meaning(const struct event_names *names, const struct event *e, FILE *out)
{
	int gpa = event_arg(e->kind, "gpa"), value = event_arg(e->kind, "value");
	char field[96];

	if (gpa < 0 || value < 0 || !names->gpa)
		return;
	names->gpa(names->context, (uint64_t)e->arg[gpa], field, sizeof(field));
	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if ((uint64_t)e->arg[value] == meanings[i].value &&
		    ends_with(field, meanings[i].field))
			fprintf(out, " (%s)", meanings[i].meaning);
}

/* What the memory model made of it. */
static void
print_fate(const struct event *e, FILE *out)
{
	unsigned how = (unsigned)e->arg[event_arg(e->kind, "how")];

	if (how & ACCESS_BUFFERED)
		fputs(" (buffered)", out);
	if (how & ACCESS_LATE)
		fputs(" (overwritten already)", out);
	if (how & ACCESS_FORWARDED)
		fputs(" (own store)", out);
	if (how & ACCESS_STALE)
		fputs(" (stale)", out);
}

const char *
wording_access(const struct event *e)
{
	unsigned how;

	if (e->kind != EV_LOAD && e->kind != EV_STORE)
		return "";
	how = (unsigned)e->arg[event_arg(e->kind, "how")];
	if (how & ACCESS_SEQ_CST)
		return "seq_cst";
	if ((how & ACCESS_ACQUIRE) && e->kind == EV_LOAD)
		return "acquire";
	if ((how & ACCESS_RELEASE) && e->kind == EV_STORE)
		return "release";
	if (how & ACCESS_ATOMIC)
		return "atomic";
	return how & ACCESS_ONCE ? "once" : "";
}

size_t
wording_text(const struct event_names *names, const struct event *e, char *text, size_t size)
{
	const struct wording *wording = wording_of(e->kind);
	char line[1024] = "";
	FILE *out = fmemopen(line, sizeof(line), "w");
	size_t n = 0;

	must(out && size);
	if (wording)
		print_template(names, e, wording->text, out);
	else
		print_default(names, e, out);
	if (e->kind == EV_LOAD || e->kind == EV_STORE || e->kind == EV_FLUSH)
		print_meaning(names, e, out);
	if (e->kind == EV_LOAD || e->kind == EV_STORE)
		print_fate(e, out);
	fclose(out);
	line[sizeof(line) - 1] = 0;
	for (; line[n] && n + 1 < size; n++)
		text[n] = (unsigned char)line[n] < ' ' || line[n] == 0x7f ? ' ' : line[n];
	/* Do not end within a character. */
	if (line[n])
		while (n && ((unsigned char)line[n] & 0xc0) == 0x80)
			n--;
	text[n] = 0;
	return n;
}

bool
wording_idle(const struct event_names *names, const struct event *e)
{
	int on = event_arg(e->kind, e->kind == EV_ACTOR_BLOCK ? "on" : "by");
	const char *text;

	if (e->kind == EV_VCPU_HLT || e->kind == EV_VCPU_BLOCK || e->kind == EV_VCPU_WAKE)
		return true;
	if (e->kind != EV_ACTOR_BLOCK && e->kind != EV_ACTOR_WAKE)
		return false;
	text = names->text ? names->text(names->context, e->arg[on]) : NULL;
	for (size_t i = 0; text && i < sizeof(idle_waits) / sizeof(*idle_waits); i++)
		if (!strncmp(text, idle_waits[i], strlen(idle_waits[i])))
			return true;
	return false;
}

int
wording_weight(const struct event_names *names, const struct event *e)
{
	const struct wording *wording = wording_of(e->kind);
	char field[96];

	if (wording_idle(names, e))
		return WEIGHT_IDLE;
	if ((e->kind == EV_LOAD || e->kind == EV_STORE || e->kind == EV_FLUSH) && names->gpa) {
		names->gpa(names->context, (uint64_t)e->arg[0], field, sizeof(field));
		if (!strncmp(field, "gpa ", 4))
			return WEIGHT_UNNAMED;
	}
	return wording ? wording->weight : WORDING_WEIGHT_DEFAULT;
}
