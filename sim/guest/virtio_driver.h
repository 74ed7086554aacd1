/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every virtio driver of a guest does with its PCI function: probe, find queues, become
 * ready, reset, remove, freeze and restore.  The sequence is that of Linux's virtio_dev_probe()
 * and virtio_pci_modern; virtio 1.4: 3.1.1, 4.1.4.3, 4.1.5.1.
 *
 *	guest_virtio_start()    status := 0, wait for 0     (2.4.2, 4.1.4.3.2)
 *	                        ACKNOWLEDGE, DRIVER
 *	                        read device_feature, write driver_feature
 *	                        FEATURES_OK, read it back    refused: FAILED, -ENODEV
 *	guest_virtio_find_vqs() MSI-X: request vectors, program table entries, unmask
 *	                        each queue: size, ring memory, addresses, vector, read-back; enable
 *	guest_virtio_ready()    DRIVER_OK
 *	guest_virtio_reset()    status := 0, wait for 0, synchronise with interrupt handlers
 *	guest_virtio_del_vqs()  free vectors and rings
 *
 * Every register access is one MMIO access of the CPU that makes it, through the PCI decode, and
 * a point: other CPUs, the device and the host run between any two of them.
 *
 * Device drivers (blk_driver.h, net_driver.h) call these in Linux's order; a scenario may call
 * them in another.  Nothing here fails an assertion because a device answers nonsense.
 */
#ifndef RINGSIDE_GUEST_VIRTIO_DRIVER_H
#define RINGSIDE_GUEST_VIRTIO_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/cpu.h"
#include "guest/irq.h"
#include "guest/virtio_pci.h"
#include "guest/virtqueue.h"

struct datapath;

/* How queues share interrupts; a driver tries them in this order (vp_find_vqs()). */
enum guest_vectors {
	GUEST_VECTORS_EACH, /* one for configuration changes, one for each queue with a callback */
	GUEST_VECTORS_SHARED, /* one for configuration changes, one for all queues */
	GUEST_VECTORS_INTX /* the line */
};

struct guest_virtio_config {
	const char *name; /* "vda", "eth0" */
	struct pci_function *function;
	const struct datapath *datapath; /* null: the world's (datapath/registry.h) */
	uint64_t features; /* 0: all that the driver knows; else only these of them */
	enum guest_vectors vectors; /* the first to try */
	bool notify_locked; /* post notifications under the queue's lock (proposed in 2025) */
	uint64_t quirks; /* enum dp_quirk for its rings, beside those of the world's faults */
	uint32_t irq_count_max; /* of its lines, see struct irqdesc; 0: as Linux */
};

enum guest_virtio_state {
	GUEST_VIRTIO_RESET, /* not started, or reset */
	GUEST_VIRTIO_STARTED, /* features negotiated */
	GUEST_VIRTIO_READY, /* DRIVER_OK */
	GUEST_VIRTIO_FAILED,
	GUEST_VIRTIO_REMOVED
};

struct guest_virtio {
	struct world *w;
	int64_t name;
	struct guest_virtio_config config;
	struct guest_pci pci; /* where its registers are */
	uint64_t device_features, features;
	enum guest_virtio_state state;
	uint64_t known; /* features that the driver can use */
	enum guest_vectors vectors; /* in use */
	struct guest_vq *vqs;
	unsigned vq_count;
	struct guest_irq *irqs; /* by MSI-X vector; INTx: one */
	unsigned irq_count;
	bool suspended; /* SUSPEND was written: guest/suspend.h */
	bool config_pending; /* changed before the driver was ready (virtio_config_core_enable()) */
	uint64_t config_changes; /* the driver was told of */
	struct waitq config_wait; /* woken then */
	void (*changed)(struct guest_virtio *dev, void *arg); /* .config_changed, in the handler */
	void *changed_arg;
};

/* Features of rings and transport that this driver core can use. */
#define GUEST_VIRTIO_FEATURES \
	(VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
	 VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_BIT(VIRTIO_F_RING_PACKED) | \
	 VIRTIO_BIT(VIRTIO_F_IN_ORDER) | VIRTIO_BIT(VIRTIO_F_NOTIFICATION_DATA) | \
	 VIRTIO_BIT(VIRTIO_F_RING_RESET) | VIRTIO_BIT(VIRTIO_F_SUSPEND))

/* A driver that knows the features @type, bound to a function; nothing is touched yet. */
void
guest_virtio_init(struct guest_virtio *dev, struct world *w,
		  const struct guest_virtio_config *config, uint64_t type);

/* 0; -ENODEV if the device refused the features or is not there (reads all ones). */
int
guest_virtio_start(struct guest_virtio *dev, struct guest_cpu *cpu);

/* 0; -ENOENT a queue does not exist; -EBUSY no vector could be mapped. */
int
guest_virtio_find_vqs(struct guest_virtio *dev, struct guest_cpu *cpu,
		      const struct guest_vq_info *info, unsigned count);

void
guest_virtio_ready(struct guest_virtio *dev, struct guest_cpu *cpu);

void
guest_virtio_reset(struct guest_virtio *dev, struct guest_cpu *cpu);

/*
 * Free interrupts and rings. The device must have been reset (or not: fault
 * guest.remove.no_reset).
 */
void
guest_virtio_del_vqs(struct guest_virtio *dev, struct guest_cpu *cpu);

/* Register handlers that guest.probe.irq_after_driver_ok left out; nothing otherwise. */
void
guest_virtio_late_irqs(struct guest_virtio *dev, struct guest_cpu *cpu);

/* reset and del_vqs, for good. */
void
guest_virtio_remove(struct guest_virtio *dev, struct guest_cpu *cpu);

/* Mark all queues broken: no further kicks, nothing used (virtio_break_device()). */
void
guest_virtio_break(struct guest_virtio *dev);

/* Set FAILED, as Linux does when a probe fails. */
void
guest_virtio_fail(struct guest_virtio *dev, struct guest_cpu *cpu);

static inline bool
guest_virtio_has(const struct guest_virtio *dev, unsigned bit)
{
	return dev->features >> bit & 1;
}

/*
 * Read device configuration in one piece: again and again until the generation stands still
 * (2.5.1).
 */
void
guest_virtio_config_read(struct guest_virtio *dev, struct guest_cpu *cpu, unsigned offset, void *to,
			 size_t size);
/*
 * Read one field of at most 4 bytes, aligned, with one access (virtio_cread() of a u32): no
 * generation is looked at, nor need be.
 */
uint32_t
guest_virtio_config_get32(struct guest_virtio *dev, struct guest_cpu *cpu, unsigned offset);
void
guest_virtio_config_write(struct guest_virtio *dev, struct guest_cpu *cpu, unsigned offset,
			  const void *from, size_t size);

/*
 * Queue reset (VIRTIO_F_RING_RESET, 2.6.1; virtqueue_disable_and_recycle(),
 * vp_modern_disable_vq_and_reset()): write queue_reset, wait until both it and queue_enable read
 * 0, synchronise with the handler, hand each outstanding token to @recycle (may be null).
 * enable() sets the queue up again, with @size descriptors (0: as before).  0; -EOPNOTSUPP if the
 * feature was not negotiated; enable: as find_vqs().
 */
int
guest_vq_reset(struct guest_vq *vq, struct guest_cpu *cpu,
	       void (*recycle)(struct guest_vq *vq, uint64_t token));
int
guest_vq_enable(struct guest_vq *vq, struct guest_cpu *cpu, uint16_t size);

#endif
