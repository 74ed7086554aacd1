/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-vdpa as the backend of a virtio device: the VMM's half (QEMU hw/virtio/vhost-vdpa.c,
 * net/vhost-vdpa.c) in front of vhost/vdpa_dev.h.
 *
 *	passthrough                             with shadow virtqueues
 *	guest's ring ◀─────────▶ device         guest's ring ◀─▶ VMM ◀─▶ shadow vring ◀─▶ device
 *	kick fd ──▶ device                      kick fd ──▶ VMM ──▶ hdev_kick ──▶ device
 *	guest notifier ◀── device               guest notifier ◀── VMM ◀── hdev_call ◀── device
 *	IOVA is the guest-physical address      IOVAs are allocated in a tree
 *	nobody notes what the device writes     the VMM writes it, or unmaps it, and notes it
 *
 * A queue of its own for control (VIRTIO_NET_F_CTRL_VQ) may be shadowed alone, in an address space
 * of its own that holds nothing but two bounce buffers: vhost/vdpa_net.h.
 *
 *	start    guest notifiers, host notifiers; features
 *	         each queue: addresses, base, kick and call fd, or the shadow's
 *	         memory listener: map what the guest has            (in one batch)
 *	         DRIVER_OK; control queue enabled, state replayed; data queues enabled
 *	stop     SUSPEND, or a reset where that is not offered
 *	         shadow virtqueues stopped: vrings unmapped
 *	         each queue: GET_VRING_BASE — the shadow's own count; the device's if it is
 *	         suspended; else what the guest's used ring says
 *	         reset; memory unmapped
 *
 * Switching (migration's log_global_start, _stop) is a whole stop and a whole start (QEMU
 * 6949843046; a comment there says that RESUME could do).  The guest runs meanwhile.
 *
 * Called with the big lock held, by an actor that is not the device's worker.  Memory: the world's.
 */
#ifndef RINGSIDE_VHOST_VDPA_H
#define RINGSIDE_VHOST_VDPA_H

#include "vhost/svq.h"
#include "vhost/vdpa_dev.h"
#include "vhost/vdpa_net.h"

#define VDPA_OWN_PAGES 256u /* of the VMM's for one device's copies, beside its vrings: 1 MiB */
#define VDPA_NO_CONTROL UINT16_MAX

/* A piece of the guest's address space (MemoryRegionSection) that is RAM. */
struct vdpa_section {
	uint64_t gpa, bytes, hva;
	bool readonly, mapped;
	struct dma_map map; /* as the device has it */
	struct vdpa_section *next; /* by gpa */
};

/* Who reads eventfds for the VMM: its main loop. */
struct vdpa_loop {
	void *arg;
	void (*watch)(void *arg, struct vdpa_handler *h); /* h->fd is set */
	void (*unwatch)(void *arg, struct vdpa_handler *h);
};

struct vdpa_config {
	struct vdpa_dev_config dev;
	unsigned ram_blocks; /* that guest memory is made of; 0: 1 */
	bool svq; /* shadow virtqueues from the start (x-svq=on) */
	bool copy; /* … with copied descriptors, as in the series of 2022 */
	bool maps_stay; /* guest memory stays mapped while the device is stopped, or is reset */
	bool migrate_without_svq; /* a migration leaves it as it is */
	uint16_t control; /* the control queue, or VDPA_NO_CONTROL */
};

struct vdpa {
	struct vhost_vqs set; /* first: vhost_vq_of() */
	struct vdpa_config config;
	struct vdpa_dev dev;
	struct virtio_device hw; /* whose queues the shadow vrings are */
	struct hva_space *hva;
	struct vdpa_section *sections;
	struct vhost_iova_tree *tree; /* null: nothing is shadowed */
	struct svq *svq; /* one a queue */
	struct vdpa_net net; /* of the control queue */
	struct vdpa_loop loop;
	bool shadow; /* shadow_vqs_enabled, of data queues */
	bool switching_off; /* between the stop and the start of a switch */
	bool started, listening;
	bool mapped_shadow; /* the listener mapped with IOVAs of the tree */
	bool suspended; /* positions can be trusted */
	uint64_t switches;
	unsigned syncs; /* of the migration that it is part of: its notifier's */
};

extern const struct virtio_backend_ops vdpa_backend_ops;
/* Of vdpa.hw. */
extern const struct virtio_backend_ops vdpa_hw_ops;

/* As vhost_dev_create(); @loop is copied. At set-up. */
struct vdpa *
vdpa_create(struct virtio_device *vdev, struct vhost_worker *worker, const struct vhost_ops *ops,
	    const struct vdpa_loop *loop, const struct vdpa_config *config);

/*
 * Shadow virtqueues on or off, while the device runs or not: 0, or -ENOTSUP if what was negotiated
 * cannot be shadowed.
 */
int
vdpa_set_shadow(struct vdpa *v, bool on);

/* Those of @features that a shadow virtqueue can pass on: of a device with config.svq, all. */
uint64_t
vdpa_svq_features(uint64_t features);

/* --- the memory listener -------------------------------------------------------------------- */

/*
 * RAM appears at @gpa: the bytes that the guest has at @of too (an alias: SMRAM, a ROM shadow).  0,
 * -EINVAL if that is no RAM or something is at @gpa.
 */
int
vdpa_region_add(struct vdpa *v, uint64_t gpa, uint64_t bytes, uint64_t of);
/* The region that begins at @gpa goes away: 0 or -ENOENT. */
int
vdpa_region_del(struct vdpa *v, uint64_t gpa);
/* All of it is mapped, in one batch, and from now on what comes and goes; unmapped, no longer. */
void
vdpa_listener_register(struct vdpa *v);
void
vdpa_listener_unregister(struct vdpa *v);
const struct vdpa_section *
vdpa_find_section(const struct vdpa *v, uint64_t gpa);

/* --- for shadow virtqueues ------------------------------------------------------------------ */

/* Map memory of the VMM's own: 0 and where it is, or a negative errno and nothing is left. */
int
vdpa_map_own(struct vdpa *v, unsigned asid, uint64_t hva, uint64_t bytes, enum iova_access perm,
	     uint64_t *iova);
void
vdpa_unmap_own(struct vdpa *v, unsigned asid, uint64_t hva);

/* How far a look-up for @len bytes reaches beyond the first. */
uint64_t
vdpa_needle_size(const struct vdpa *v, uint64_t len);

/* Have the main loop read @fd and call h->fn, or no longer. */
void
vdpa_watch(struct vdpa *v, struct vdpa_handler *h, struct eventfd *fd);
void
vdpa_unwatch(struct vdpa *v, struct vdpa_handler *h);

/* The device does not run queue @i: what it was given stays where it is. */
bool
vdpa_device_idle(const struct vdpa *v, uint16_t i);

#endif
