/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtio device as its VMM holds it: status, features, configuration space, queues.
 *
 *	transport ──▶ device ──▶ type      features, configuration, requests (blk.h, net.h)
 *	                 │   ──▶ backend   which thread runs the rings (vmm/, vhost/)
 *	                 └─────▶ transport ops: interrupt, ioeventfd, doorbell
 *
 * Status (2.1, 3.1).  The driver adds bits, the device may refuse FEATURES_OK and raise
 * DEVICE_NEEDS_RESET:
 *
 *	0 ─▶ ACKNOWLEDGE ─▶ DRIVER ─▶ FEATURES_OK ─▶ DRIVER_OK        FAILED from anywhere
 *	▲                              (refused: stays clear)
 *	└── write 0: backend stopped, requests in flight finished, queues, features and vectors
 *	    forgotten; only then the register reads 0 (2.4.1, 4.1.4.3.1)
 *
 * Locking is QEMU's: all of this is called with the big lock held (vmm/main_loop.h), or at set-up.
 *
 * A driver that breaks the specification is input: an event, and at worst a broken device.
 * Memory: the world's.
 */
#ifndef RINGSIDE_VIRTIO_DEVICE_H
#define RINGSIDE_VIRTIO_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtio/features.h"
#include "virtio/queue.h"
#include "virtio/spec.h"

#define VIRTIO_QUEUES_MAX 1024u /* of one device, as QEMU's VIRTIO_QUEUE_MAX; 400 bytes each */
#define VIRTIO_CONFIG_MAX 256u /* bytes of device-specific configuration */

/* --- what a device is made of --------------------------------------------------------------- */

/* To be run by the thread that runs a queue. Embedded in its owner; zeroed memory is idle. */
struct virtio_work {
	void (*fn)(struct virtio_work *work);
	void *arg; /* the owner's */
	struct virtio_work *next;
	bool queued; /* queueing again does nothing until it has begun to run */
};

/* A device type. Members may be null unless said otherwise. */
struct virtio_type_ops {
	const char *name; /* "virtio-blk" */
	uint16_t device_id; /* VIRTIO_ID_… */
	uint64_t features; /* its own that it can do, beside ring and transport features */
	const struct virtio_feature_dep *deps;
	size_t config_bytes;
	virtio_handle_fn handle_output; /* never null */
	/* May refuse a set that satisfies the tables; false: FEATURES_OK does not stick. */
	bool (*validate_features)(struct virtio_device *vdev, uint64_t features);
	void (*set_status)(struct virtio_device *vdev, uint8_t status);
	/* The backend has begun to run the queues, or is about to stop: a thread of the type's own
	 * that reads one has to be out of it when this returns. May wait. */
	void (*running)(struct virtio_device *vdev, bool running);
	/* The device begins to suspend. */
	void (*suspend)(struct virtio_device *vdev);
	void (*config_written)(struct virtio_device *vdev, size_t offset, size_t size);
	/* The holder is about to let go of @vq: give back what was popped and nobody works on. */
	void (*rewind)(struct virtio_queue *vq);
	/* @vq goes away, its holder has let go: forget what waits for it. */
	void (*queue_reset)(struct virtio_queue *vq);
};

/* Who runs the queues. No member is null. */
struct virtio_backend_ops {
	const char *name; /* "main-loop" */
	/* DRIVER_OK was set, or the machine goes on: take the enabled queues. May wait. */
	void (*start)(struct virtio_device *vdev);
	/* Let go of all queues, with nothing in flight and the positions in them. */
	void (*stop)(struct virtio_device *vdev);
	/* Same for one queue, while the device runs (2.6.1). */
	void (*queue_start)(struct virtio_queue *vq);
	void (*queue_stop)(struct virtio_queue *vq);
	/* Run @work in the thread that runs @vq: bottom half, vhost work. From anywhere. */
	void (*run)(struct virtio_queue *vq, struct virtio_work *work);
	/* Wait until nothing of @vq is in flight, and let completions run meanwhile. */
	void (*drain)(struct virtio_queue *vq);
};

/* What a transport does for a device: the seam for MMIO and CCW. No member is null. */
struct virtio_transport_ops {
	const char *name; /* "virtio-pci" */
	/*
	 * Used-buffer notification by the thread that holds the ring: the main loop sets
	 * interrupt status and sends the vector there and then (virtio_notify()), an iothread
	 * sets the status and signals the guest notifier (virtio_notify_irqfd()), vhost and
	 * vhost-user signal the call fd that they were given.
	 */
	void (*interrupt)(struct virtio_queue *vq, enum virtio_owner by);
	void (*config_interrupt)(struct virtio_device *vdev);
	/* Doorbell writes of @vq signal its host notifier from now on, or no longer. */
	void (*ioeventfd)(struct virtio_queue *vq, bool assign);
	/* Changes of ioeventfds between these two come into force together. */
	void (*transaction_begin)(struct virtio_device *vdev);
	void (*transaction_commit)(struct virtio_device *vdev);
	/* Guest notifiers for interrupts of other threads: set up, taken down. */
	void (*guest_notifiers)(struct virtio_device *vdev, bool assign);
	/* Where the driver rings for @vq, whether or not it is decoded. */
	uint64_t (*doorbell)(const struct virtio_queue *vq);
	/* Forget what the driver programmed: selectors, vectors of the configuration and of @vq. */
	void (*reset)(struct virtio_device *vdev);
	void (*queue_reset)(struct virtio_queue *vq);
};

struct virtio_device {
	struct world *w;
	int64_t name; /* world_name(): "blk0" */
	const char *name_text;
	int64_t owner_name[VIRTIO_OWNERS]; /* the same for events */
	const struct virtio_type_ops *type;
	const struct virtio_backend_ops *backend; /* null: DRIVER_OK starts nothing */
	void *backend_data;
	const struct virtio_transport_ops *transport;
	void *transport_data;
	const struct dp_device_ops *datapath;
	uint64_t quirks; /* enum dp_quirk for its rings */
	uint64_t (*fault_quirks)(const struct world *w); /* more of them, by faults; null: none */
	uint16_t start_idx; /* of its rings, see struct dp_vring; 0 in real life */
	int64_t reset_ns; /* a queue reset ends by itself after so long; 0: within the write */
	int64_t enable_ns; /* timed mode: what queue_enable takes the device */

	uint64_t device_features; /* offered */
	uint64_t driver_features; /* as written; in force once FEATURES_OK sticks */
	uint8_t status;
	bool resetting; /* a write of 0 is not finished */
	bool started; /* the backend runs */
	bool vm_running; /* false while the VMM has stopped the machine */
	bool disabled; /* may not reach guest memory: bus mastering is off (QEMU 9d7bd0826f) */
	bool broken; /* the driver broke a ring: no queue is touched until reset */
	struct virtio_suspend *suspend; /* suspend.h; null: it cannot be suspended */
	bool quiesced; /* suspended, or about to be: nothing is popped, nobody looks at a ring */
	bool runs_on; /* suspended, and its rings run on: DRIVER_OK may read 0 */
	bool no_look; /* the backend starts, and is not to look at what is there already */

	uint8_t config[VIRTIO_CONFIG_MAX];
	uint8_t config_generation;
	uint16_t config_vector;

	struct virtio_queue *vqs;
	uint16_t queue_count;
	void *priv; /* the type's */
};

/*
 * A device with @queue_count queues of up to @queue_size descriptors.  @features: what to offer;
 * those that type and datapath cannot do and those that lack a prerequisite are left out (2.2.2).
 * VIRTIO_F_VERSION_1 is always offered (6.2).
 */
void
virtio_device_init(struct virtio_device *vdev, struct world *w, const char *name,
		   const struct virtio_type_ops *type, const struct dp_device_ops *datapath,
		   uint64_t features, uint16_t queue_count, uint16_t queue_size);

static inline bool
virtio_device_has(const struct virtio_device *vdev, unsigned feature)
{
	return virtio_has(vdev->driver_features, feature);
}

/* Whether queues may be run: DRIVER_OK, and not broken, suspended or without access to memory. */
static inline bool
virtio_device_live(const struct virtio_device *vdev)
{
	return (vdev->status & VIRTIO_CONFIG_S_DRIVER_OK || vdev->runs_on) && !vdev->broken &&
	       !vdev->disabled && !vdev->quiesced;
}

/* --- for transports ------------------------------------------------------------------------- */

/* The driver writes device status; 0 resets. May wait: the CPU that writes is in an exit. */
void
virtio_set_status(struct virtio_device *vdev, uint8_t status);

/* @select 0: bits 0 to 31, 1: bits 32 to 63, more: none. Written after FEATURES_OK: no effect. */
uint32_t
virtio_features_read(const struct virtio_device *vdev, uint32_t select);
uint32_t
virtio_driver_features_read(const struct virtio_device *vdev, uint32_t select);
void
virtio_features_write(struct virtio_device *vdev, uint32_t select, uint32_t value);

/* Device-specific configuration; what is outside reads 0 and is not written. */
void
virtio_config_read(struct virtio_device *vdev, size_t offset, void *to, size_t size);
void
virtio_config_write(struct virtio_device *vdev, size_t offset, const void *from, size_t size);

/* Bus mastering went on or off: queues are looked at again when it comes back. */
void
virtio_set_disabled(struct virtio_device *vdev, bool disabled);

/* --- for backends and device types ---------------------------------------------------------- */

/*
 * The device changes its configuration: @size bytes at @offset in steps of 32 bits with points
 * between, the generation moving with the first and the last of them, then the driver is told (2.5,
 * 3.2).  With the big lock held no driver access falls between the steps, and only reads of several
 * registers can be torn; without it the steps themselves show.
 */
void
virtio_config_update(struct virtio_device *vdev, size_t offset, const void *from, size_t size);
/* The same, and the driver is not told: who calls this does. */
void
virtio_config_apply(struct virtio_device *vdev, size_t offset, const void *from, size_t size);
/* No generation, no notification: at creation, or where what is read follows from a state. */
void
virtio_config_init(struct virtio_device *vdev, size_t offset, const void *from, size_t size);

/* Unrecoverable: DEVICE_NEEDS_RESET, told if DRIVER_OK (2.1.2), queues dead until reset. */
void
virtio_error(struct virtio_device *vdev, const char *what);

/* The VMM stops or continues the machine (vm_stop(), migration): the backend stops, starts. */
void
virtio_vm_state(struct virtio_device *vdev, bool running);

/* The backend takes the queues if they may run, or leaves them: for suspend.c. May wait. */
void
virtio_backend_start(struct virtio_device *vdev);
void
virtio_backend_stop(struct virtio_device *vdev);

/* Another backend takes over while the device runs: vhost to userspace and back. */
void
virtio_set_backend(struct virtio_device *vdev, const struct virtio_backend_ops *backend,
		   void *data);

#endif
