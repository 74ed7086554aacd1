/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Suspending a device: the designs that were proposed or are in use, as choices of one device.
 *
 *	running ──▶ suspending ──▶ suspended ──▶ running
 *	   │  SUSPEND written,  │ drained,      │ DRIVER_OK written, …
 *	   │  command, D3hot    │ presented     │ what is owed is told, queues are looked at
 *	   └──────── reset: from anywhere, all of it is forgotten ────────
 *	             (but not what the owner asked for: its command ends that)
 *
 * Designs differ in who asks, in what becomes of the rings, of notifications and of the
 * configuration meanwhile, and in how it ends (struct virtio_suspend_policy, one line a design):
 *
 *	v1.4		virtio 1.4, 3.4: status bit SUSPEND; drained, then DRIVER_OK reads 0
 *	zhu-2023	series of September 2023: finished buffers are returned, those in
 *			flight stay so, DRIVER_OK stays
 *	stevens-2024	series of April 2024, crosvm: rings go on, notifications are kept
 *			until the driver clears SUSPEND
 *	pci-pm		D3hot with No_Soft_Reset: rings go on as QEMU's do, messages cannot
 *			be sent and are lost, nothing but configuration space is decoded
 *	pci-pm-reset	the same without No_Soft_Reset: D0 comes with a reset
 *	admin-stop	VIRTIO_ADMIN_CMD_DEV_MODE_SET, STOPPED, by the group owner (admin.h)
 *	vdpa-suspend	VHOST_VDPA_SUSPEND, VHOST_VDPA_RESUME: the guest sees nothing
 *
 * VIRTIO_F_SUSPEND is bit 43 for all designs of the status bit; in 2024 it was 42.
 *
 * "Processing" (3.4.2) is what was popped and is not used yet: buffers that the device has only
 * seen, as on a receive queue without packets, stay where they are.
 *
 * Called with the big lock held.
 */
#ifndef RINGSIDE_VIRTIO_SUSPEND_H
#define RINGSIDE_VIRTIO_SUSPEND_H

#include "virtio/device.h"

/* ORDER SUSPEND_DESIGN: suspend.c has their policies, and their names once more for options. */
enum virtio_suspend_design {
	SUSPEND_NONE,
	SUSPEND_V1_4,
	SUSPEND_ZHU_2023,
	SUSPEND_STEVENS_2024,
	SUSPEND_PCI_PM,
	SUSPEND_PCI_PM_RESET,
	SUSPEND_ADMIN_STOP,
	SUSPEND_VDPA,
	SUSPEND_DESIGNS
};
extern const char *const virtio_suspend_design_name[SUSPEND_DESIGNS];

/* Who asks for it. */
enum virtio_suspend_by {
	SUSPEND_BY_NOBODY,
	SUSPEND_BY_STATUS, /* the driver, or a hypervisor in its place: device status */
	SUSPEND_BY_POWER, /* the driver: PMCSR of the PCI function */
	SUSPEND_BY_OWNER, /* the driver of the group owner, by an administration command */
	SUSPEND_BY_HOST /* the VMM */
};

enum virtio_suspend_rings {
	SUSPEND_RINGS_DRAIN, /* nothing more is popped, what was popped is finished, rings are left
			      */
	SUSPEND_RINGS_HOLD, /* nothing more is popped or finished until the end */
	SUSPEND_RINGS_RUN /* they go on */
};

/* What becomes of a notification of used buffers while suspended. */
enum virtio_suspend_used { SUSPEND_USED_KEEP, SUSPEND_USED_LOSE };

/* And of a change of configuration. */
enum virtio_suspend_config {
	SUSPEND_CONFIG_AT_RESUME, /* made and told then: nothing is modified before (3.4.2) */
	SUSPEND_CONFIG_TELL_AT_RESUME, /* made at once, told then */
	SUSPEND_CONFIG_UNTOLD /* made at once, and nobody is told */
};

struct virtio_suspend_policy {
	enum virtio_suspend_by by;
	enum virtio_suspend_rings rings;
	enum virtio_suspend_used used;
	enum virtio_suspend_config config;
	bool drops_driver_ok; /* DRIVER_OK reads 0 while suspended */
	bool leave_by_clear; /* a status without SUSPEND ends it; else one with DRIVER_OK */
	bool soft_reset; /* the end is a reset */
};

extern const struct virtio_suspend_policy virtio_suspend_policy[SUSPEND_DESIGNS];

/* ORDER SUSPEND_STATE */
enum virtio_suspend_state { SUSPEND_RUNNING, SUSPEND_SUSPENDING, SUSPEND_SUSPENDED };
extern const char *const virtio_suspend_state_name[SUSPEND_SUSPENDED + 1];

/* Where a device fails: DEVICE_NEEDS_RESET instead (3.4.2). ORDER SUSPEND_FAIL */
enum virtio_suspend_fail { SUSPEND_FAIL_NOT, SUSPEND_FAIL_SUSPEND, SUSPEND_FAIL_RESUME };
extern const char *const virtio_suspend_fail_name[SUSPEND_FAIL_RESUME + 1];

struct virtio_suspend_config_of { /* of a device, beside its design */
	enum virtio_suspend_design design;
	/* By status: it suspends in its own time, so long after it was asked; 0: within the write.
	 */
	int64_t ns;
	int64_t queue_ns; /* timed mode: what one queue takes to stop, and to go on */
	bool parallel; /* all queues at a time, not one after the other */
	enum virtio_suspend_fail fail;
};

struct virtio_suspend {
	struct virtio_device *vdev;
	struct virtio_suspend_config_of config;
	const struct virtio_suspend_policy *policy;
	enum virtio_suspend_state state;
	/* Runs work with the big lock held, in the VMM's main loop; null: nobody does. */
	void (*later)(void *arg, struct virtio_work *work);
	void *later_arg;
	struct timer timer; /* the device's own time */
	struct virtio_work work;

	bool config_owed; /* a notification is due at the end */
	uint8_t config_bytes[VIRTIO_CONFIG_MAX]; /* SUSPEND_CONFIG_AT_RESUME: the new values */
	bool config_changed[VIRTIO_CONFIG_MAX];
	uint16_t *kept; /* queues whose notifications are kept, in their order */
	uint16_t kept_count;
	struct virtio_work *held, **held_last; /* completions that wait for the end */
	struct virtio_work *look; /* one a queue: to be looked at by its holder */
	uint64_t suspends, resumes, kept_total, lost_total; /* for people */
};

/*
 * Make @vdev one that can be suspended this way, at set-up: with a status bit it offers
 * VIRTIO_F_SUSPEND.  @later is needed if config->ns is set.
 */
void
virtio_suspend_init(struct virtio_device *vdev, const struct virtio_suspend_config_of *config,
		    void (*later)(void *arg, struct virtio_work *work), void *later_arg);

/* Whether it is suspended in the sense of its design. */
static inline bool
virtio_suspended(const struct virtio_device *vdev)
{
	return vdev->suspend && vdev->suspend->state == SUSPEND_SUSPENDED;
}

/* By power management, the owner's command or the VMM. May wait; again does nothing. */
void
virtio_suspend_enter(struct virtio_device *vdev);
void
virtio_suspend_leave(struct virtio_device *vdev);

/* --- for virtio/device.c, queue.c and device types ------------------------------------------ */

/*
 * The driver writes @*status, not 0: true if that was all about suspending and is done; else
 * @*status is what is left to be done with it.
 */
bool
virtio_suspend_status(struct virtio_device *vdev, uint8_t *status);

/* A device reset begins: what was held goes on, so that it can be finished. */
void
virtio_suspend_reset(struct virtio_device *vdev);
/* And is over, or that of a queue is: nothing is owed any more. */
void
virtio_suspend_forget(struct virtio_device *vdev);
void
virtio_suspend_forget_queue(struct virtio_queue *vq);

/* A notification of used buffers: true if it is not to be sent now. */
bool
virtio_suspend_holds_used(struct virtio_queue *vq);
/* A change of configuration: true if it is not to be made now; if it is, whether not to tell. */
bool
virtio_suspend_holds_change(struct virtio_device *vdev, size_t offset, const void *from,
			    size_t size);
bool
virtio_suspend_holds_config(struct virtio_device *vdev);
/* A write of the driver into the configuration: whether nothing comes of it. */
bool
virtio_suspend_ignores_write(const struct virtio_device *vdev);

/* backend->run(), unless completions are held. */
void
virtio_suspend_run(struct virtio_queue *vq, struct virtio_work *work);

#endif
