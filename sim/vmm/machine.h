/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine: one guest with its VMM, put together from the rooms' parts.
 *
 *	vCPUs ── memview ── PCI tree ── functions ── virtio devices ── backends
 *	  └──── irqchip ── routes ── irqfds ── guest notifiers ──┘        │
 *	                                main loop (BQL), iothreads, vhost workers
 *
 * A device has one backend for all its queues, and goes where a firmware would put it: BARs get
 * addresses inside the windows of its bridge, decode and bus mastering are switched on.  From then
 * on the guest may reprogram all of it.
 *
 * Everything is made at set-up, in the order of the calls, and lives as long as the world.  One
 * machine a world: machine_of() finds it.  Nonsense in a configuration ends the run with an error
 * that says what is allowed.
 */
#ifndef RINGSIDE_VMM_MACHINE_H
#define RINGSIDE_VMM_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/cost.h"
#include "notify/guest_notifier.h"
#include "notify/iobus.h"
#include "notify/irqchip.h"
#include "notify/memview.h"
#include "notify/notifier.h"
#include "notify/pci.h"
#include "notify/vcpu.h"
#include "vhost/vdpa.h"
#include "vhost/vhost_dev.h"
#include "vhost/vhost_user.h"
#include "virtio/admin.h"
#include "virtio/balloon.h"
#include "virtio/blk.h"
#include "virtio/device.h"
#include "virtio/net.h"
#include "virtio/pci_transport.h"
#include "virtio/suspend.h"
#include "vmm/balloon_hint.h"
#include "vmm/dataplane.h"
#include "vmm/iothread.h"
#include "vmm/main_loop.h"

#define MACHINE_RAM_BYTES (UINT64_C(16) << 20) /* the default */
#define MACHINE_RAM_MAX UINT64_C(0xc0000000) /* 32-bit BARs go up from here */
#define MACHINE_MMIO64_BASE (UINT64_C(32) << 30) /* and prefetchable ones from here */
#define MACHINE_VCPUS_MAX 255u /* APIC ids of 8 bits */
#define MACHINE_QUEUE_SIZE 8u /* the default */

struct machine_config {
	uint64_t ram_bytes; /* 0: MACHINE_RAM_BYTES */
	unsigned vcpus; /* 0: 1 */
	const char *datapath; /* "linux", "native,linux"; null: the world's (datapath/registry.h) */
	int64_t cost_ns[COST_COUNT]; /* of timed mode (engine/costs.def); 0: nothing */
};

/* ORDER MACHINE_TYPE: machine.c names them. */
enum machine_type { MACHINE_BLK, MACHINE_NET, MACHINE_BALLOON, MACHINE_TYPES };
extern const char *const machine_type_name[MACHINE_TYPES]; /* "virtio-blk", … */

/* ORDER MACHINE_BACKEND */
enum machine_backend {
	MACHINE_MAIN_LOOP, /* the VMM's main loop */
	MACHINE_IOTHREAD,
	MACHINE_VHOST, /* a worker in the host's kernel */
	MACHINE_VHOST_USER, /* another process, told by messages */
	MACHINE_VDPA, /* a device of its own, through an IOTLB */
	MACHINE_BACKENDS
};
extern const char *const machine_backend_name[MACHINE_BACKENDS]; /* "main-loop", … */

struct machine;

struct machine_device_config {
	const char *name; /* "blk0"; not null */
	enum machine_type type;
	enum machine_backend backend;
	uint64_t features; /* to offer; 0: VIRTIO_BLK_FEATURES, … of its type */
	uint16_t queues; /* blk: request queues; net: pairs; 0: 1 */
	uint16_t queue_size; /* 0: MACHINE_QUEUE_SIZE */
	const struct dp_device_ops *datapath; /* null: the world's (datapath/registry.h) */
	uint64_t quirks; /* enum dp_quirk, beside those of the world's faults */
	uint16_t start_idx; /* of its rings, see struct dp_vring */
	int64_t reset_ns, enable_ns; /* see struct virtio_device */
	struct virtio_suspend_config_of suspend; /* how it can be suspended; zeros: it cannot */
	struct pci_function *bridge; /* null: on the root bus */
	enum guest_notifier_design design; /* what masking a vector does */
	uint32_t notify_multiplier; /* 0: 4, unless same_doorbell */
	bool same_doorbell; /* multiplier 0: all queues ring at one address */
	bool no_ioeventfd; /* each doorbell write exits to the VMM */
	bool no_irqfd; /* the main loop reads guest notifiers */
	bool activate_async; /* see vmm/dataplane.h */
	bool unplugged; /* not present yet: machine_plug() */
	unsigned vectors; /* MSI-X; 0: one for each queue and one for the configuration */
	struct iothread *iothread; /* MACHINE_IOTHREAD; null: one of its own */
	bool poll; /* that one polls before it sleeps */
	struct vhost_user_config vhost_user;
	struct vdpa_config vdpa; /* without control */
	struct blk_config blk;
	struct net_config net;
	struct balloon_config balloon;
	bool hints_as_posted; /* free page hinting of 2018; needs the main loop */
	bool hints_discard; /* that of Firecracker; the same */
};

struct machine_device {
	struct machine *machine;
	struct machine_device *next;
	struct machine_device_config config;
	struct virtio_device vdev;
	struct virtio_pci *pci;
	uint64_t bar_address[PCI_BARS]; /* where firmware puts them */
	struct call_relay relay;
	void *backend[MACHINE_BACKENDS]; /* made when first used */
	struct virtio_blk *blk; /* of the type it is; the others are null */
	struct virtio_net *net;
	struct virtio_balloon *balloon;
};

/* Addresses that firmware gives out, on the root bus or behind a bridge. */
struct machine_space {
	struct pci_function *bridge; /* null: the root */
	uint64_t mmio_next, mmio_end, mmio64_next, mmio64_end;
	struct machine_space *next;
};

struct machine {
	struct world *w;
	struct machine_config config;
	struct memview *view;
	struct iobus *bus;
	struct pci_bus *pci;
	struct irqchip *chip;
	struct notifiers *notifiers;
	struct vcpu **vcpus;
	unsigned vcpu_count;
	struct main_loop *loop;
	struct machine_device *devices, **last_device; /* in the order of creation */
	unsigned device_count;
	struct machine_space root; /* and those behind bridges */
	bool running;
};

/* RAM (gm_create()), vCPUs, irqchip, PCI root, main loop. @config may be null. */
struct machine *
machine_create(struct world *w, const struct machine_config *config);
/* The world's machine, or null. */
struct machine *
machine_of(const struct world *w);

/* A bridge under @parent (null: on the root bus), both memory windows open around its space. */
struct pci_function *
machine_add_bridge(struct machine *m, struct pci_function *parent, const char *name);

struct machine_device *
machine_add_device(struct machine *m, const struct machine_device_config *config);
struct machine_device *
machine_find_device(const struct machine *m, const char *name);

/* Program BARs and command register, as firmware or (with @v) a guest's hot-plug driver does. */
void
machine_program(struct machine_device *d, struct vcpu *v);

/*
 * The function appears, with all decode off, for the guest to program; or it is reset and goes
 * away. Takes the big lock.
 */
void
machine_plug(struct machine_device *d);
void
machine_unplug(struct machine_device *d);

/* The group owner's driver gives a command about this member, and waits for it. By an actor. */
void
machine_admin(struct machine_device *d, struct virtio_admin_cmd *c);

/* Another backend takes the device over, while it runs or before. Takes the big lock. */
void
machine_set_backend(struct machine_device *d, enum machine_backend backend);
enum machine_backend
machine_backend_of(const struct machine_device *d);
/* The dataplane of a device in the main loop or an iothread, else null. */
struct dataplane *
machine_dataplane(const struct machine_device *d);
/* The vDPA device's other half, if it was its backend once, else null. */
static inline struct vdpa *
machine_vdpa(const struct machine_device *d)
{
	return d->backend[MACHINE_VDPA];
}

/*
 * vm_stop() and vm_start() in QEMU's order: vCPUs pause, then backends stop; backends start, then
 * vCPUs go on.  By an actor that is no vCPU; takes the big lock.
 */
void
machine_stop(struct machine *m);
void
machine_start(struct machine *m);

#endif
