/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The devices of a machine as stopping and starting it sees them, on both sides, in QEMU 8.2's
 * order and with what each step costs (timed mode; engine/costs.def).
 *
 *	vm_stop (source)                            vm_start (destination, or the source again)
 *	  vCPUs are kicked and come out               images are activated
 *	  each device, deepest in the tree first:     each device, the outermost first:
 *	    main loop: ioeventfds off                   guest notifiers (irqfds) on
 *	    iothread:  it stops the queues;             host notifiers (ioeventfds) on
 *	               ioeventfds, irqfds off           vhost: memory, each queue's address, base
 *	    vhost:     (vDPA: suspend)                           and fds; enabled
 *	               GET_VRING_BASE, queue by queue   vDPA:  doorbells mapped to the guest
 *	               (vDPA: reset)                    each queue is kicked once
 *	               its log handed over            vCPUs go on
 *	               doorbells, ioeventfds, irqfds off
 *	  bdrv_drain_all(), bdrv_flush_all()
 *	last sync, RAM, device state
 *	bdrv_inactivate_all()
 *
 * A device's place in the order is its depth in the tree of devices (qdev_get_dev_tree_depth()):
 * the same depth goes in the order of creation, backwards on stopping.
 *
 * A change of host notifiers ends in a commit of a memory transaction, which looks at all
 * ioeventfds there are; so it matters whether one commit serves all queues of a vhost_dev (since
 * 0fdc6b8509, and e66f2311d6 for doorbells) or each queue has its own.  virtio-net has a vhost_dev
 * for each pair of queues.
 */
#ifndef RINGSIDE_MIGRATION_VM_DEVICE_H
#define RINGSIDE_MIGRATION_VM_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

struct migration_vm;
struct ram_writer;
struct vm_requests;

/* ORDER VM_DEVICE_TYPE */
enum vm_device_type { VM_DEVICE_NET, VM_DEVICE_BLK, VM_DEVICE_OTHER, VM_DEVICE_TYPES };
extern const char *const vm_device_type_word[VM_DEVICE_TYPES];

/* Who serves the queues. ORDER VM_BACKEND */
enum vm_backend {
	VM_BACKEND_MAIN_LOOP,
	VM_BACKEND_IOTHREAD,
	VM_BACKEND_VHOST,
	VM_BACKEND_VHOST_USER,
	VM_BACKEND_VDPA,
	VM_BACKENDS
};
extern const char *const vm_backend_word[VM_BACKENDS];

enum vm_side { VM_SOURCE, VM_DESTINATION, VM_SIDES };

/* What the guest's standing still is spent on. ORDER VM_PHASE; their sum is the downtime. */
enum vm_phase {
	VM_PHASE_VCPUS, /* pause_all_vcpus() */
	VM_PHASE_VIRTIO, /* queues that QEMU itself serves are stopped */
	VM_PHASE_VHOST, /* vhost_dev_stop() */
	VM_PHASE_NOTIFIERS, /* host and guest notifiers, doorbells: off */
	VM_PHASE_BLK, /* drained, flushed; inactivated */
	VM_PHASE_RAM, /* last sync, last pages */
	VM_PHASE_DEVICE_STATE, /* saved, sent, loaded */
	VM_PHASE_START_IOEVENTFDS, /* on, at the destination */
	VM_PHASE_START_DOORBELLS,
	VM_PHASE_START, /* the rest of starting devices there */
	VM_PHASES
};
extern const char *const vm_phase_word[VM_PHASES];

struct vm_device_config {
	const char *name; /* of the world */
	enum vm_device_type type;
	enum vm_backend backend;
	unsigned queues; /* virtqueues; at least 1 */
	unsigned group; /* of one vhost_dev; 0: 2 of virtio-net, otherwise all */
	unsigned depth;
	unsigned in_flight; /* requests to an image when the machine stops */
	bool single_commits; /* a transaction for each queue's notifier: before 0fdc6b8509 */
	bool doorbells; /* vDPA, vhost-user: mapped into the guest, a memory region each */
	bool inflight_migration; /* VHOST_USER_PROTOCOL_F_GET_VRING_BASE_INFLIGHT: not drained */
	bool status; /* VHOST_USER_PROTOCOL_F_STATUS: started as a whole (923b8921d2) */
	bool map_at_setup; /* vDPA: RAM was mapped for it before the guest stopped */
	bool rarp; /* vhost-user: VHOST_USER_PROTOCOL_F_RARP */
	bool guest_announce; /* virtio-net: VIRTIO_NET_F_GUEST_ANNOUNCE */
};

struct vm_device {
	struct migration_vm *vm;
	struct vm_device_config config;
	int64_t name;
	struct ram_writer *writer; /* as which it writes guest memory */
	struct vm_requests *requests; /* relaxed mode: vm_request.h */
	bool started[VM_SIDES];
	struct vm_device *next; /* in the order of starting */
};

/* At set-up.  The device runs at the source. */
struct vm_device *
vm_add_device(struct migration_vm *vm, const struct vm_device_config *config);

/* The devices' part of stopping at the source; what is stopped already stays so. */
void
vm_devices_stop(struct migration_vm *vm);
/* bdrv_drain_all(), bdrv_flush_all(). */
void
vm_devices_drain(struct migration_vm *vm);
/* bdrv_inactivate_all(): the source lets go of its images. */
void
vm_devices_inactivate(struct migration_vm *vm);
/* Images are activated if they were not, devices started. */
void
vm_devices_start(struct migration_vm *vm, enum vm_side side);

/*
 * From now on time counts as @phase; vm_phase_end() ends what counts.  Nothing in between two of a
 * stop and a start is left out.
 */
void
vm_phase_begin(struct migration_vm *vm, enum vm_phase phase);
void
vm_phase_end(struct migration_vm *vm);

/* Whether some network device's guest announces itself. */
bool
vm_devices_guest_announce(const struct migration_vm *vm);
/*
 * Whether all network devices are found again when a destination announces itself; @asks_guest: for
 * some of them only the guest can (vDPA, vhost-user without a message for it).
 */
bool
vm_devices_found(const struct migration_vm *vm, bool *asks_guest);

#endif
