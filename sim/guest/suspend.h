/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Suspending and resuming a device by its driver (virtio 1.4, 3.4), beside freezing and restoring
 * it, which resets it and sets all up again.
 *
 *	guest_virtio_suspend()   status |= SUSPEND
 *	                         look, sleep, look … until SUSPEND 1 and DRIVER_OK 0
 *	guest_virtio_resume()    status |= DRIVER_OK, SUSPEND as it is: 2.1.1 lets no bit be cleared
 *	                         look, sleep, look … until SUSPEND 0 and DRIVER_OK 1
 *
 * Between the two nothing is made available, no doorbell is written, no configuration is: that is
 * for the caller, who stops what it has before and starts it again afterwards (guest_blk_suspend(),
 * guest_net_suspend()).  Handlers of interrupts stay.
 *
 * How a wait ends (the specification has no bound and no way back, so this is a policy):
 *	DEVICE_NEEDS_RESET      -EIO: the device has failed; on resume nobody told the driver of it
 *	all ones                -ENODEV: it is gone
 *	no answer in time       -ETIMEDOUT, after one last look: suspended by now: resumed again;
 *	                        as if never asked: FAILED is set, or with go_on the driver goes on,
 *	                        which is wrong if the device suspends after all
 */
#ifndef RINGSIDE_GUEST_SUSPEND_H
#define RINGSIDE_GUEST_SUSPEND_H

#include "guest/virtio_driver.h"
#include "virtio/suspend.h"

#define GUEST_SUSPEND_TIMEOUT_NS INT64_C(1000000000) /* the default */

struct guest_suspend {
	/* v1.4, or zhu-2023 (SUSPEND alone is looked at), stevens-2024 (SUSPEND is cleared to
	 * resume, every 10 ms it is looked at, and for ever). SUSPEND_NONE: v1.4 */
	enum virtio_suspend_design design;
	int64_t timeout_ns; /* 0: GUEST_SUSPEND_TIMEOUT_NS */
	bool go_on; /* after a time-out with the device as it was */
	bool impatient; /* relaxed mode: the time may be up before anybody else did anything */
};

/* 0; -EINVAL the feature was not negotiated or the driver is not ready; -EALREADY. */
int
guest_virtio_suspend(struct guest_virtio *dev, struct guest_cpu *cpu,
		     const struct guest_suspend *how);
/* 0; -EINVAL it is not suspended. */
int
guest_virtio_resume(struct guest_virtio *dev, struct guest_cpu *cpu,
		    const struct guest_suspend *how);

#endif
