/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest/suspend.h"

#include <errno.h>

#define POLL_NS INT64_C(1000000)
#define POLL_2024_NS INT64_C(10000000)
#define STATUS_GONE 0xffu
/* Looks before the rest of the world is let go first in relaxed mode. */
#define EAGER_LOOKS 2

#define SUSPEND VIRTIO_CONFIG_S_SUSPEND
#define DRIVER_OK VIRTIO_CONFIG_S_DRIVER_OK

static uint8_t
get_status(struct guest_virtio *dev, struct guest_cpu *cpu)
{
	return (uint8_t)guest_pci_get(&dev->pci, cpu, device_status);
}

static void
set_status(struct guest_virtio *dev, struct guest_cpu *cpu, uint8_t status)
{
	guest_pci_set(&dev->pci, cpu, device_status, status);
}

/* What is waited for: bits of status and what they are to read. */
struct target {
	uint8_t mask, want;
};

/* Until the bits read so: 0, or why not. */
static int
wait_status(struct guest_virtio *dev, struct guest_cpu *cpu, const struct guest_suspend *how,
	    struct target t)
{
	/* The driver of 2024 knows no end. */
	bool ends = how->design != SUSPEND_STEVENS_2024;
	int64_t poll_ns = ends ? POLL_NS : POLL_2024_NS;
	int64_t timeout = how->timeout_ns ? how->timeout_ns : GUEST_SUSPEND_TIMEOUT_NS;

	for (int64_t looks = 0;; looks++) {
		uint8_t status = get_status(dev, cpu);

		if (status == STATUS_GONE)
			return -ENODEV;
		if (status & VIRTIO_CONFIG_S_NEEDS_RESET)
			return -EIO;
		if ((status & t.mask) == t.want)
			return 0;
		if (ends && looks * poll_ns >= timeout)
			return -ETIMEDOUT;
		if (!ends || how->impatient || looks < EAGER_LOOKS)
			actor_sleep(dev->w, poll_ns);
		else
			actor_sleep_bound(dev->w, poll_ns);
	}
}

static struct target
suspended_target(const struct guest_virtio *dev, const struct guest_suspend *how, uint8_t asked)
{
	if (how->design == SUSPEND_STEVENS_2024 || fault_on(dev->w, FAULT_GUEST_SUSPEND_EQUALITY))
		return (struct target){ 0xff, asked };
	if (how->design == SUSPEND_ZHU_2023)
		return (struct target){ SUSPEND, SUSPEND };
	return (struct target){ SUSPEND | DRIVER_OK, SUSPEND };
}

static void
emit_state(struct guest_virtio *dev, const char *state, int ret)
{
	emit(dev->w, EV_DRIVER_SUSPEND, dev->name, world_name(dev->w, state), -ret);
}

static int
resume(struct guest_virtio *dev, struct guest_cpu *cpu, const struct guest_suspend *how)
{
	bool clears = how->design == SUSPEND_STEVENS_2024;
	uint8_t status = get_status(dev, cpu);
	struct target t = { SUSPEND | DRIVER_OK, DRIVER_OK };

	set_status(dev, cpu, clears ? status & (uint8_t)~SUSPEND : status | DRIVER_OK);
	if (clears)
		t = (struct target){ 0xff, status & (uint8_t)~SUSPEND };
	if (fault_on(dev->w, FAULT_GUEST_RESUME_NO_WAIT))
		return 0;
	return wait_status(dev, cpu, how, t);
}

static void
give_up(struct guest_virtio *dev, struct guest_cpu *cpu, int ret)
{
	guest_virtio_break(dev);
	if (ret != -ENODEV)
		guest_virtio_fail(dev, cpu);
}

/* The time is up.  Nothing takes a SUSPEND back that the device has not answered. */
static void
roll_back(struct guest_virtio *dev, struct guest_cpu *cpu, const struct guest_suspend *how)
{
	uint8_t status = get_status(dev, cpu);
	int ret = -ETIMEDOUT;

	if (status & SUSPEND)
		ret = resume(dev, cpu, how);
	else if (how->go_on && status & DRIVER_OK)
		ret = 0;
	dev->suspended = false;
	if (ret)
		give_up(dev, cpu, ret);
}

int
guest_virtio_suspend(struct guest_virtio *dev, struct guest_cpu *cpu,
		     const struct guest_suspend *how)
{
	uint8_t status;
	int ret;

	guest_cpu_enter(cpu);
	if (dev->suspended)
		return -EALREADY;
	if (dev->state != GUEST_VIRTIO_READY || !guest_virtio_has(dev, VIRTIO_F_SUSPEND))
		return -EINVAL;
	dev->suspended = true;
	status = get_status(dev, cpu) | SUSPEND;
	emit_state(dev, "suspend", 0);
	set_status(dev, cpu, status);
	ret = 0;
	if (!fault_on(dev->w, FAULT_GUEST_SUSPEND_NO_WAIT))
		ret = wait_status(dev, cpu, how, suspended_target(dev, how, status));
	if (ret == -ETIMEDOUT) {
		roll_back(dev, cpu, how);
	} else if (ret) {
		dev->suspended = false;
		give_up(dev, cpu, ret);
	}
	emit_state(dev, "suspended", ret);
	return ret;
}

int
guest_virtio_resume(struct guest_virtio *dev, struct guest_cpu *cpu,
		    const struct guest_suspend *how)
{
	int ret;

	guest_cpu_enter(cpu);
	if (!dev->suspended)
		return -EINVAL;
	emit_state(dev, "resume", 0);
	ret = resume(dev, cpu, how);
	dev->suspended = false;
	if (ret)
		give_up(dev, cpu, ret);
	emit_state(dev, "resumed", ret);
	return ret;
}
