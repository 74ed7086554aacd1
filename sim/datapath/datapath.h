/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The seam through which real ring code is linked: what a virtqueue's driver side and device side
 * can do, in the words of the virtio specification (2.7, 2.8) and of Linux's and QEMU's ring code.
 *
 * This header stands alone: no Ringside type is in it, and ring code written to it runs outside the
 * simulator.  Ring code reaches guest memory only through dp_host.map() and through pointers got
 * from it; it is compiled with -fsanitize=thread so that each access is seen, and takes its
 * barriers and marked accesses from datapath/barrier.h, because inline assembly is invisible to the
 * compiler's instrumentation.
 *
 * Objects.  init() makes one side of one queue in memory from dp_host.alloc(); destroy() gives all
 * of it back.  An operation is called by one actor at a time for each side (drivers hold their
 * queue's lock); the two sides run concurrently, and that is the point.
 *
 * Errors are negative errno values.  Nothing that the other side writes into the rings may make an
 * operation crash, loop for ever or touch memory outside what map() returned: it is reported
 * through dp_host.guest_error() and the operation returns -EINVAL, with the queue marked broken.
 */
#ifndef DATAPATH_H
#define DATAPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATAPATH_ABI_VERSION 1u

/* Longest chain an element holds: the largest queue size of a split ring would be 32768, but a
 * chain may not be longer than the queue, and no queue here is larger than this. 16 bytes an entry.
 */
#define DP_SG_MAX 1024u

/* One buffer of a chain, in guest-physical addresses. */
struct dp_buf {
	uint64_t addr;
	uint32_t len; /* bytes */
};

/* A queue as the driver programmed it into the transport. */
struct dp_vring {
	uint16_t index; /* of the queue in its device */
	uint16_t size; /* descriptors; a power of two for split rings */
	uint64_t desc; /* gpa of the descriptor table or, packed, of the descriptor ring */
	uint64_t driver; /* gpa of the available ring or, packed, of the driver event suppression
			    area */
	uint64_t device; /* gpa of the used ring or, packed, of the device event suppression area */
	uint64_t features; /* as negotiated: VIRTIO_F_RING_PACKED, VIRTIO_RING_F_EVENT_IDX, … */
	uint64_t quirks; /* enum dp_quirk: what this ring code is to do wrong */
	/* Split: the index at which both sides begin, 0 in a real queue; another shows what happens
	 * at the wrap without 65,536 buffers first. The driver's init() then writes both idx and
	 * event fields. Ring code that cannot refuses it with -ENOTSUP. */
	uint16_t start_idx;
};

/* What ring code gets from whoever links it. @ctx is passed back in each call. */
struct dp_host {
	void *ctx;
	/* Pointer to [gpa, gpa + len), or null if any byte of it is not guest memory. */
	void *(*map)(void *ctx, uint64_t gpa, uint64_t len);
	void *(*alloc)(void *ctx, size_t size); /* zeroed; null when there is none */
	void (*free)(void *ctx, void *block, size_t size);
	/* The other side broke the specification: @what in words, @value the offending number. */
	void (*guest_error)(void *ctx, const char *what, uint64_t value);
};

/*
 * Deliberate defects of the native rings, each what some real ring code once did; native_quirks()
 * makes the bits from the faults that are on.  Evidence and exact meaning stand beside the code
 * that has the defect (virtio/ring_*.c) and in engine/faults.def (ORDER RING_FAULT).  Ring
 * code that has no such place ignores them.
 */
enum dp_quirk {
	/* no full barrier between avail idx and event/flags */
	DP_QUIRK_DRIVER_KICK_SKIP_MB = 1 << 0,
	/* new >= event + 1 as numbers: wrong after the wrap */
	DP_QUIRK_DRIVER_KICK_NO_WRAP = 1 << 1,
	/* enable_cb*() do not look at used idx again */
	DP_QUIRK_DRIVER_ENABLE_NO_RECHECK = 1 << 2,
	/* no full barrier between event/flags and used idx */
	DP_QUIRK_DRIVER_ENABLE_SKIP_MB = 1 << 3,
	/* get() leaves used_event behind */
	DP_QUIRK_DRIVER_STALE_USED_EVENT = 1 << 4,
	/* no full barrier between used idx and event/flags */
	DP_QUIRK_DEVICE_PUBLISH_SKIP_MB = 1 << 5,
	/* no full barrier between event/flags and avail idx */
	DP_QUIRK_DEVICE_ENABLE_SKIP_MB = 1 << 6,
	/* enable_notify() never reports new buffers */
	DP_QUIRK_DEVICE_ENABLE_NO_RECHECK = 1 << 7,
	/* event idx negotiated, avail_event never moved */
	DP_QUIRK_DEVICE_NO_AVAIL_EVENT = 1 << 8,
	/* avail_event := an index sampled too early; too few buffers at a second look: sleep */
	DP_QUIRK_DEVICE_STALE_AVAIL_EVENT = 1 << 9,
	/* signalled_used survives set_position() */
	DP_QUIRK_DEVICE_SIGNALLED_VALID = 1 << 10,
	/* signalled_used moves on each check, unfenced */
	DP_QUIRK_DEVICE_SIGNALLED_EAGER = 1 << 11,
	/* used idx published before the element */
	DP_QUIRK_DEVICE_IDX_BEFORE_ELEM = 1 << 12,
	/* used_event re-read only when it seems passed */
	DP_QUIRK_DEVICE_CACHED_USED_EVENT = 1 << 13,
	/* avail_event written although not negotiated */
	DP_QUIRK_DEVICE_EVENT_OOB = 1 << 14,
	/* enable_notify(): "not all consumed" for "new came" */
	DP_QUIRK_DEVICE_EMPTY_IS_NONEMPTY = 1 << 15,
	/* packed: id and len read before the flags */
	DP_QUIRK_DRIVER_PACKED_CONTENT_FIRST = 1 << 16,
	/* packed: enable_cb_delayed() looks where the event is, not at what is used next */
	DP_QUIRK_DRIVER_PACKED_DELAYED_SLOT = 1 << 17,
	/* packed: addr, len and id read before the flags */
	DP_QUIRK_DEVICE_PACKED_CONTENT_FIRST = 1 << 18,
	/* packed: signalled_used is compared with an offset of another lap */
	DP_QUIRK_DEVICE_PACKED_SIGNALLED_WRAP = 1 << 19,
	/* no read barrier after an avail idx seen by empty() or enable_notify() */
	DP_QUIRK_DEVICE_EMPTY_SKIP_RMB = 1 << 20,
	/* used_event read before used idx is published, and believed afterwards */
	DP_QUIRK_DEVICE_EARLY_USED_EVENT = 1 << 21,
	/* interrupt only if used_event is the last used index */
	DP_QUIRK_DEVICE_EQUAL_USED_EVENT = 1 << 22,
	/* packed: the event's wrap counter is not looked at */
	DP_QUIRK_DRIVER_PACKED_EVENT_LAP = 1 << 23,
};

/* A ring's state in the words of QEMU's x-query-virtio-queue-status; what a side cannot know is 0.
 */
struct dp_state {
	/* Packed: a device's are offsets in the ring; a driver counts buffers, so that differences
	 * mean what they do for a split ring. */
	uint16_t last_avail_idx, shadow_avail_idx, avail_idx;
	uint16_t last_used_idx, used_idx;
	uint16_t signalled_used;
	bool signalled_used_valid;
	uint16_t used_event, avail_event; /* as they stand in memory; packed: off_wrap */
	uint16_t avail_flags, used_flags;
	bool avail_wrap_counter, used_wrap_counter; /* packed */
	uint16_t inuse; /* popped, not yet pushed */
	uint16_t num_free; /* driver: free descriptors */
	bool event_idx, packed, broken;
	bool callbacks_enabled, notify_enabled; /* what this side last asked for */
	/* Packed driver: whether the event areas, as they stand, ask for a kick for what is
	 * available and not used, and for an interrupt for what is used and not got. */
	bool kick_asked, call_asked;
};

/* --- driver side ---------------------------------------------------------------------------- */

struct dp_driver;

struct dp_driver_ops {
	uint32_t abi_version; /* DATAPATH_ABI_VERSION */
	const char *name; /* "native", "linux", … */
	uint64_t features; /* ring features it can do; others must not be negotiated with it */
	uint64_t quirks; /* enum dp_quirk: the deliberate defects it has a place for; 0: none */

	/* The rings' memory is zeroed by the caller. */
	int (*init)(struct dp_driver **driver, const struct dp_vring *vring,
		    const struct dp_host *host);
	void (*destroy)(struct dp_driver *driver);

	/*
	 * Expose @out readable, then @in writable buffers as one chain (virtqueue_add_sgs()).
	 * @token comes back from get().  @indirect: use an indirect table if that was negotiated;
	 * @table is the gpa of (out + in) * table_entry_bytes for it.  -ENOSPC if the descriptors
	 * do not suffice.
	 */
	int (*add)(struct dp_driver *driver, const struct dp_buf *sg, unsigned out, unsigned in,
		   uint64_t token, bool indirect, uint64_t table);
	/* Whether the device wants to be notified of what was added since the last call. */
	bool (*kick_prepare)(struct dp_driver *driver);
	/* The 32 bits a notification carries with VIRTIO_F_NOTIFICATION_DATA (2.9): the queue's
	 * index below, the position (split: avail idx; packed: offset and wrap counter) in the
	 * upper 16. */
	uint32_t (*notify_data)(struct dp_driver *driver);
	/* Take the next used buffer: 1, 0 if there is none, -EINVAL if the device broke the ring.
	 */
	int (*get)(struct dp_driver *driver, uint64_t *token, uint32_t *len);
	void (*disable_cb)(struct dp_driver *driver);
	/* Ask for interrupts; returns an opaque position for poll(). */
	unsigned (*enable_cb_prepare)(struct dp_driver *driver);
	/* Whether buffers were used since @position was taken. */
	bool (*poll)(struct dp_driver *driver, unsigned position);
	/* prepare and poll: false if there are used buffers already, i.e. go on reaping. */
	bool (*enable_cb)(struct dp_driver *driver);
	/* Same, but ask for the interrupt only after about 3/4 of the outstanding buffers. Packed:
	 * false as soon as one is used (Linux 40ce7919d873). */
	bool (*enable_cb_delayed)(struct dp_driver *driver);
	/* After a (queue) reset: next outstanding token, 1, or 0 when none is left. */
	int (*detach_unused)(struct dp_driver *driver, uint64_t *token);
	void (*state)(struct dp_driver *driver, struct dp_state *state);
	/*
	 * An interrupt came for this queue (vring_interrupt()), at any time, also within another
	 * operation: whether anything is used. May be null: then the ring code keeps no note of
	 * interrupts, and whoever calls may keep one (guest/virtqueue.h, event_triggered).
	 */
	bool (*interrupt)(struct dp_driver *driver);
	/* Bytes of guest memory it wants for an entry of an indirect table; 0: 16, the descriptor.
	 */
	uint32_t table_entry_bytes;
};

/* --- device side ---------------------------------------------------------------------------- */

struct dp_device;

/* One popped chain. The caller owns it; sg[0 … out) is readable, sg[out … out + in) writable. */
struct dp_elem {
	uint16_t head; /* id to be given back */
	uint16_t ndescs; /* descriptors it took from the ring (packed: for the position) */
	uint16_t out, in;
	uint32_t out_bytes, in_bytes;
	struct dp_buf sg[DP_SG_MAX];
};

struct dp_device_ops {
	uint32_t abi_version;
	const char *name;
	uint64_t features;
	uint64_t quirks;

	int (*init)(struct dp_device **device, const struct dp_vring *vring,
		    const struct dp_host *host);
	void (*destroy)(struct dp_device *device);

	/* Take the next available chain: 1, 0 if there is none, negative if the driver broke the
	 * ring. */
	int (*pop)(struct dp_device *device, struct dp_elem *elem);
	/* Give the last popped chain back unprocessed, as if it had not been popped. */
	void (*unpop)(struct dp_device *device, const struct dp_elem *elem);
	/* Write the @offset-th used element after the current used idx; not visible before flush().
	 */
	void (*fill)(struct dp_device *device, const struct dp_elem *elem, uint32_t len,
		     unsigned offset);
	/* Publish @count filled elements. With VIRTIO_F_IN_ORDER: whatever is filled and has
	 * nothing unfilled before it; chains may be filled in any order then, and @offset and
	 * @count mean nothing. */
	void (*flush)(struct dp_device *device, unsigned count);
	/* Ask the driver not to notify: a hint. */
	void (*disable_notify)(struct dp_device *device);
	/*
	 * Ask for notifications again; true if buffers came that this side had not seen, i.e. go on
	 * popping. "Not seen" is measured against the last look at avail idx, whoever made it: a
	 * device that leaves buffers which do not suffice it may sleep on false, and must ask again
	 * after true.
	 */
	bool (*enable_notify)(struct dp_device *device);
	/* Whether the driver wants an interrupt for what was published since the last call: call it
	 * after each flush(), and interrupt if it says so. */
	bool (*should_notify)(struct dp_device *device);
	/* Whether there is nothing to pop, by a look at the ring. */
	bool (*empty)(struct dp_device *device);
	/* Position for hand-over to another owner of the ring: VHOST_GET_VRING_BASE,
	 * VHOST_SET_VRING_BASE. Split: last_avail_idx; packed: last_avail_idx | avail wrap << 15 |
	 * used idx << 16 | used wrap << 31. */
	uint32_t (*get_position)(struct dp_device *device);
	void (*set_position)(struct dp_device *device, uint32_t position);
	void (*state)(struct dp_device *device, struct dp_state *state);
};

/* A datapath: either side may be null. */
struct datapath {
	const char *name;
	const struct dp_driver_ops *driver;
	const struct dp_device_ops *device;
};

extern const struct datapath datapath_native;

#endif
