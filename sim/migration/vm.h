/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The source's machine as far as a migration sees it: RAM, who writes it, which log notes each
 * write, and stopping.
 *
 *	writer            notes its write in                      fetched by
 *	vCPU, KVM itself  the slot's bitmap (kvm/memslot.h)       the memory listener, at each sync
 *	  with PML        a buffer of the processor first         the vCPU's next exit
 *	  with a ring     a ring of the vCPU's                    the reaper, full rings, each sync
 *	QEMU's devices    QEMU's dirty memory, after the write    each sync
 *	vhost             a log of its own, after the write       each sync, and when it stops
 *	VFIO              none of its own (its device has no dirty tracking): nothing
 *	KVM, no vCPU      the slot's bitmap; with a ring the      the last sync, with a ring only
 *	                  bitmap beside it, if the host has one   since 8.1 (b20cc77692)
 *
 * Manual protect (KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2): a page whose bit was handed out by
 * KVM_GET_DIRTY_LOG stays writable, and its bit set, until KVM_CLEAR_DIRTY_LOG: a write in between
 * is noted by nobody, so who sends the page must clear first and read then.
 *
 * The guest writes frames (gfn), and what they are in RAM is said by migration/vm_layout.h: a
 * vCPU's by KVM's slots, a device's by QEMU's flat view.  All else here is pages of RAM (ram_addr).
 *
 * Who changes the layout, syncs, reaps or handles a full ring has the BQL; a clear has not, and
 * waits for kvm_slots_lock alone.  Stopping is migration/vm_stop.h.
 */
#ifndef RINGSIDE_MIGRATION_VM_H
#define RINGSIDE_MIGRATION_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/world.h"
#include "kvm/page_bitmap.h"
#include "migration/ram.h"
#include "migration/vm_device.h"

struct kvm;
struct kvm_rules;
struct machine;
struct kvm_vcpu;
struct memory_listener;
struct vm_devices;
struct precopy;
struct bg_snapshot;
struct vm_layout;
struct vm_region;

/* ORDER RAM_WRITER */
enum ram_writer_kind {
	WRITER_VCPU,
	WRITER_KVM, /* on behalf of a vCPU that runs: steal time, kvmclock */
	WRITER_QEMU,
	WRITER_VHOST,
	WRITER_VFIO,
	WRITER_ITS, /* KVM, of an interrupt controller, while no vCPU runs */
	WRITERS
};
extern const char *const ram_writer_word[WRITERS];

#define RAM_NOT_WRITING UINT64_MAX

struct ram_writer {
	struct migration_vm *vm;
	enum ram_writer_kind kind;
	unsigned number; /* in contents; from 1 */
	int64_t name;
	bool logging; /* vhost: its log is used */
	bool log_asked; /* vhost-user: the message that says so was sent */
	bool stopped; /* a device that was stopped */
	bool inside; /* in a write, or asleep for the throttle */
	struct kvm_vcpu *vcpu; /* the processor, or on whose behalf KVM writes */
	uint64_t writing; /* the page that is written and not noted yet */
	struct page_bitmap log; /* vhost's */
	uint64_t first_table, tables; /* its: frames that are written when the machine stops */
	bool of_device; /* that stops it: vm_device.h */
	struct waitq halt_cond; /* a throttled vCPU sleeps here */
	uint64_t ring_fulls; /* exits because its dirty ring was full */
	struct ram_writer *next;
};

/* It writes on behalf of a vCPU, and ends with it. */
static inline bool
ram_writer_is_vcpu(const struct ram_writer *v)
{
	return v->kind == WRITER_VCPU || v->kind == WRITER_KVM;
}

/* What happened to a page, for who asks afterwards: see vm_watch(). */
struct page_record {
	int64_t time_ns;
	uint64_t page;
	ram_content content;
	const char *what; /* "written", "synced", "cleared", "hinted", "read", "loaded" */
	int64_t who; /* world_name() */
};
#define PAGE_RECORD_ALL UINT64_MAX /* of no one page: a sync */
#define PAGE_RECORDS_MAX 8192u

struct migration_vm {
	struct world *w;
	struct ram *ram;
	struct kvm *kvm;
	struct memory_listener *listener;
	struct vm_layout *layout;
	bool log_global;
	bool bql;
	struct waitq bql_wait;
	uint64_t ring_pages; /* dirty-ring-size; 0: bitmaps */
	bool reaper_idle; /* it waits for an entry */
	struct waitq ring_work; /* here */
	bool clear_asserted; /* QEMU 4.1, 4.2: KVM_CLEAR_DIRTY_LOG of a slot without bitmap */
	struct ram_writer *writers, **writers_end;
	unsigned writer_count;
	bool running, stop_asked;
	bool moved; /* the guest runs at a destination */
	int64_t stop_asked_ns;
	struct waitq stopped; /* who stops the machine waits here */
	struct waitq started;
	struct waitq log_message; /* vhost-user's control thread */
	int64_t throttle_percent;
	int64_t dirty_limit; /* bytes a second for each dirtier; 0: none */
	int64_t dirty_rate_max; /* MiB a second: the highest that was measured for it */
	bool steps; /* each access is a step of its own: relaxed mode */
	bool dropping; /* pages were given up: each write is looked at */
	struct precopy *migration; /* that looks after covers, or null */
	struct bg_snapshot *snapshot; /* that write-protects pages, or null */
	struct vm_devices *devices; /* vm_device.h, or null */
	unsigned vcpus; /* threads to be kicked; they may be more than write here */
	bool in_phase;
	enum vm_phase phase;
	int64_t phase_began_ns;
	int64_t phase_ns[VM_PHASES]; /* since the last vm_stop() */
	struct machine *machine; /* whose guest's pages these are; null: there is none */
	uint64_t machine_gpa; /* of page 0 */
	struct ram_writer *machine_writer;
	struct ram_writer *machine_dma[2]; /* its vDPA devices: unnoted, noted by shadow; or null */
	struct page_record *record;
	unsigned records;
	uint64_t watch_first, watch_count;
};

struct migration_vm_config {
	const struct ram_block *blocks;
	unsigned block_count;
	bool manual_protect; /* unless @version says what QEMU asks for */
	bool initially_set; /* with it: KVM_DIRTY_LOG_INITIALLY_SET */
	const char *version; /* of memory_listener_versions[]; null: 6.1 but for the two above */
	const struct kvm_rules *rules; /* the host; null: kvm_rules_today */
	const struct vm_region *regions; /* null: all RAM from frame 0 on */
	unsigned region_count;
	uint64_t ring_pages; /* dirty-ring-size: entries a vCPU; 0: none */
};

/*
 * At set-up. Takes the defaults of costs "mig_…" in timed mode if they are 0.  Null and *@wrong, a
 * constant: no such version, regions that do not fit, a ring that the host or the version has not.
 */
struct migration_vm *
vm_try_create(struct world *w, const struct migration_vm_config *config, const char **wrong);
/* The same of what cannot be wrong. */
struct migration_vm *
vm_create(struct world *w, const struct migration_vm_config *config);

/*
 * The RAM is a part of that of machine @m, from @gpa on: what its guest writes there is a vCPU's
 * write here (a vDPA device's: nobody's note, or with a shadow virtqueue the VMM's, when the chain
 * is given back: virtio/dma.h), stopping the one stops the other, and devices' hints of free pages
 * reach the migration (vmm/precopy_notify.h).  At set-up, once.
 */
void
vm_link_machine(struct migration_vm *vm, struct machine *m, uint64_t gpa);

struct ram_writer *
vm_add_writer(struct migration_vm *vm, enum ram_writer_kind kind, const char *name);
struct ram_writer *
vm_writer(const struct migration_vm *vm, unsigned number);

/*
 * @writer writes frame @gfn; zeros with @zero.  Waits while the machine is stopped or stopping;
 * false if the writer is a device that was stopped, or nothing is there that can be written: ROM, a
 * hole, RAM that is read-only now.  In relaxed mode there are points before it, and between a
 * device's write and its note.
 */
bool
vm_write(struct ram_writer *writer, uint64_t gfn, bool zero);

/* One request of a device for several pages: a DMA, a batch of buffers. */
bool
vm_write_range(struct ram_writer *writer, uint64_t first, uint64_t count);

/* The same, with real bytes (ram.h): @size of them at @offset of the page, which they fit. */
bool
vm_store(struct ram_writer *writer, uint64_t gfn, unsigned offset, const void *bytes,
	 unsigned size);

/*
 * The same without points and without waiting, for many writes of one time slice: the caller sees
 * that the machine runs.
 */
void
vm_write_now(struct ram_writer *writer, uint64_t gfn);

/*
 * A vCPU runs for @ns, or until the machine is to stop; returns for how long.  It is in the guest
 * until vm_leave(): what it wrote meanwhile, the caller writes in between with vm_write_now().
 */
int64_t
vm_run(struct ram_writer *writer, int64_t ns);
void
vm_leave(struct ram_writer *writer);
/* A vCPU enters the guest when the machine runs, a device starts a request: false if it may no
 * more. Until vm_leave(). */
bool
vm_enter(struct ram_writer *writer);

/* Sleep of a vCPU for auto-converge, after it ran @ran_ns. */
void
vm_throttle_sleep(struct ram_writer *writer, int64_t ran_ns);

/* The big QEMU lock; does not nest. */
void
vm_bql_lock(struct migration_vm *vm);
void
vm_bql_unlock(struct migration_vm *vm);

/*
 * What @writer, a vCPU, did to a register changes the memory map: its exit, the BQL, @change of
 * regions (vm_layout.h), a transaction.  Others run meanwhile, unless QEMU keeps them out.  @arg is
 * for @change.  0, or the negative errno of a slot that KVM refused.
 */
int
vm_change_layout(struct ram_writer *writer, void (*change)(struct migration_vm *vm, void *arg),
		 void *arg);
/* It enters system management mode, or leaves it. The host must have two address spaces. */
void
vm_set_smm(struct ram_writer *writer, bool smm);

/* vm_ring.c: @writer's ring is full: take what is in it and all others, or in it alone if a dirty
 * limit is in service (since 7.1). */
void
vm_ring_full(struct ram_writer *writer);
/* The reaper was idle, and there is something. */
void
vm_ring_noted(struct migration_vm *vm);
/* The reaper, at set-up. */
void
vm_start_reaper(struct migration_vm *vm);

/* Dirty logging of a migration, for KVM and for devices; waits for vhost-user's answer. */
void
vm_log_start(struct migration_vm *vm);
void
vm_log_stop(struct migration_vm *vm);

/* Move all logs into @bitmap; returns how many pages became dirty in it. @last: vCPUs stopped. */
uint64_t
vm_log_sync(struct migration_vm *vm, struct page_bitmap *bitmap, bool last);
/*
 * KVM_CLEAR_DIRTY_LOG of what KVM reported of a range; nothing without manual protect.  May wait
 * for slots that are being changed.  False: QEMU of this version has failed an assertion.
 */
bool
vm_log_clear(struct migration_vm *vm, uint64_t first, uint64_t count);

/* Whether some log has the page, or a writer is about to note it. */
bool
vm_log_has(const struct migration_vm *vm, uint64_t page);

/* Keep what happens to these pages, and say it as events. Relaxed mode watches all at first. */
void
vm_watch(struct migration_vm *vm, uint64_t first, uint64_t count);
static inline bool
vm_watches(const struct migration_vm *vm, uint64_t page)
{
	return page - vm->watch_first < vm->watch_count;
}
void
vm_record(struct migration_vm *vm, uint64_t page, ram_content content, const char *what,
	  int64_t who);

#endif
