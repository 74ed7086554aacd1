/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shadow: what the statement oracles know of a device, built from events alone.  It says where
 * the driver is in its initialisation, what was offered and accepted, what was programmed into each
 * queue, and (ring.h) what was exposed, taken and given back.  The model under test is never asked
 * whether it is right; its structures give names, addresses and sizes only.
 *
 * One shadow_device per device name, made when the name is first met, and one shadow_queue per
 * queue index. A file of statements (status.c, negotiation.c, registers.c, …) checks an event
 * against what was known before it, then updates its own part.  Observers run in the order of
 * shadow_attach().
 *
 * Which side acts.  An actor that says things only drivers say is the driver's, one that says
 * things only devices say is the device's; a vCPU whose exits run the device's handler is both, and
 * nothing is concluded from what it writes (ROLE_*).
 *
 * Cost: a lookup by number and a few comparisons an event; nothing for worlds without virtio
 * devices.
 */
#ifndef RINGSIDE_ORACLE_SHADOW_H
#define RINGSIDE_ORACLE_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/world.h"
#include "oracle/oracle_impl.h"

struct ring;
struct virtio_device;
struct virtio_pci;

/* ORDER SHADOW_FIELD: shadow.c has the names, which are those of struct virtio_pci_common_cfg. */
enum shadow_field {
	FIELD_OTHER,
	FIELD_DEVICE_FEATURE_SELECT,
	FIELD_DEVICE_FEATURE,
	FIELD_DRIVER_FEATURE_SELECT,
	FIELD_DRIVER_FEATURE,
	FIELD_CONFIG_MSIX_VECTOR,
	FIELD_NUM_QUEUES,
	FIELD_DEVICE_STATUS,
	FIELD_CONFIG_GENERATION,
	FIELD_QUEUE_SIZE,
	FIELD_QUEUE_MSIX_VECTOR,
	FIELD_QUEUE_ENABLE,
	FIELD_QUEUE_NOTIFY_OFF,
	FIELD_QUEUE_DESC,
	FIELD_QUEUE_DRIVER,
	FIELD_QUEUE_DEVICE,
	FIELD_QUEUE_RESET,
	SHADOW_FIELDS
};

/* What the driver mapped an event to (4.1.5.1.2). */
struct shadow_vector {
	uint16_t now; /* as written last; VIRTIO_MSI_NO_VECTOR after a reset */
	uint16_t before; /* before that write: in force until the write has taken effect */
	bool written, read; /* since the reset; read back since */
};

struct shadow_queue {
	bool desc_written, driver_written, device_written; /* since the last reset of it */
	bool enable_asked; /* the driver wrote queue_enable := 1 */
	bool enabled; /* and the device took it */
	bool reset_asked, reset_done, reset_read; /* queue_reset := 1; over; 0 read back */
	bool was_reset; /* and not enabled since */
	bool again; /* enabled for another time, after a queue reset */
	struct shadow_vector vector;
	struct ring *ring; /* while enabled */
	struct ring *old; /* the one before the last reset */
};

struct shadow_device {
	bool behind_svq; /* a vDPA device as shadow virtqueues see it: nothing is reported */
	struct shadow_device *next;
	int64_t name; /* world_name() */
	const char *text;
	const struct virtio_device *vdev; /* null until it is found */

	/* status.c */
	uint8_t driver_bits; /* what the driver has written since the last reset */
	uint8_t status; /* as it is, refused bits left out */
	bool failed; /* FAILED was written: latched until reset */
	bool needs_reset_untold; /* DEVICE_NEEDS_RESET, and no notification of it yet */
	bool needs_reset, broken_ring;
	bool reset_written; /* ever: the driver began with a reset */
	bool reset_asked; /* 0 written, 0 not read yet */
	bool resetting, reset_from_nonzero; /* the device is at it */
	bool reset_over; /* and the device said that it is done */
	bool live, was_live; /* DRIVER_OK since the last reset; and before it */
	bool features_ok_written, features_ok_read, features_refused;
	uint64_t register_step; /* of the last register read that the device answered */

	/* negotiation.c */
	uint64_t offered, wanted; /* at the last FEATURES_OK */
	uint64_t accepted; /* 0 until FEATURES_OK stuck */
	uint64_t last_offered, last_accepted; /* of a set that once stuck */
	uint32_t device_select, driver_select;
	uint32_t window[2]; /* device_feature as read */
	bool window_read[2], invalid_set, deciding; /* FEATURES_OK was written just now */
	uint32_t driver_window[2]; /* driver_feature as written */

	/* pci.c */
	int64_t generation; /* as read last; -1: never */
	uint64_t generation_read[4],
		generation_dirty[4]; /* bytes read, and changed after a read, since */
	bool generation_owed;
	uint16_t num_queues; /* as read; 0: not yet */
	bool capability_checked;

	/* admin.c, suspend.c */
	uint32_t processing; /* popped, not used yet; of all queues */
	struct shadow_admin *admin; /* admin.c; null: no command was given about it */
	struct shadow_suspend *suspend; /* null: SUSPEND was never written */

	/* interrupt.c */
	struct shadow_irq *irq;
	struct shadow_vector config_vector;

	struct shadow_queue *queue;
	uint32_t queue_count; /* room in it */
};

/* A guest's name for a ring: "vda.vq0" is queue 0 of blk0. */
struct guest_ring {
	struct guest_ring *next;
	int64_t name;
	uint64_t desc_gpa;
	struct shadow_device *device; /* null until the queue is enabled */
	uint16_t queue;
	bool told; /* its handler ran, */
	uint16_t told_idx; /* and used.idx stood here then */
};

enum { ROLE_NONE, ROLE_DRIVER, ROLE_DEVICE, ROLE_BOTH };

struct balloon_watch; /* balloon.c */

struct shadow {
	struct shadow_device *devices, *last; /* last: asked for last */
	struct guest_ring *guest_rings;
	struct balloon_watch *balloon;
	struct ring *rings; /* all that are enabled */
	int64_t field[SHADOW_FIELDS];
	uint8_t *role; /* by actor id */
	uint32_t roles;
	bool writes_watched;
	uint64_t unassigned_step; /* when a register read was answered by nobody */
};

struct shadow *
shadow_state(const struct world *w);

/* The shadow of that device; made if new. */
struct shadow_device *
shadow_of(struct world *w, int64_t name);

/* Queue @index, made if new; null if no device can have it. */
struct shadow_queue *
shadow_queue_of(struct world *w, struct shadow_device *d, int64_t index);

enum shadow_field
shadow_field_of(const struct world *w, int64_t name);

/* The device's PCI transport, or null. */
const struct virtio_pci *
shadow_pci(const struct shadow_device *d);

/* The ring that a guest driver calls @name; null if it never made it. */
struct guest_ring *
shadow_guest_ring(const struct world *w, int64_t name);
/* Its queue, and the ring if it is enabled: else null. */
struct shadow_queue *
shadow_guest_queue(struct world *w, int64_t name);
struct ring *
shadow_guest_live(struct world *w, int64_t name);

/* The running actor said something that only @role says. */
void
shadow_role(struct world *w, uint32_t actor, uint8_t role);
uint8_t
shadow_role_of(const struct world *w);

/* A register read found nobody since the device last answered: it may be gone, and waits for
 * nothing. */
bool
shadow_maybe_gone(const struct world *w, const struct shadow_device *d);

/* Report @o of a device and a queue (-1: none). */
void
shadow_report(struct world *w, const struct shadow_device *d, int64_t queue, enum oracle o,
	      const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The files of statements. */
void
status_attach(struct world *w);
void
negotiation_attach(struct world *w);
void
registers_attach(struct world *w);
void
pci_attach(struct world *w);
void
interrupt_attach(struct world *w);
void
balloon_attach(struct world *w);
void
ring_attach(struct world *w);
void
suppression_attach(struct world *w);
void
suspend_attach(struct world *w);
void
admin_attach(struct world *w);

/* The device forgets on reset, and is unplugged: each file its own part. */
void
registers_forget(struct world *w, struct shadow_device *d);
void
negotiation_forget(struct shadow_device *d);
void
interrupt_forget(struct shadow_device *d);

/* What a finished run shows. */
void
status_judge(struct world *w, struct shadow_device *d);
void
suspend_judge(struct world *w, struct shadow_device *d);
void
interrupt_judge(struct world *w, struct shadow_device *d);
void
balloon_judge(struct world *w);

#endif
