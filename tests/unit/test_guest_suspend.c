/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A driver that suspends its device: what it answers, what it leaves behind, under any schedule. */
#include "test_guest_rig.h"

#include <errno.h>

#include "guest/blk_driver.h"
#include "guest/suspend.h"
#include "virtio/suspend.h"

#define FEATURES (VIRTIO_BLK_FEATURES | VIRTIO_BIT(VIRTIO_F_SUSPEND))

struct state {
	struct guest_blk *blk;
	struct guest_suspend how;
	uint64_t features; /* that the driver knows; 0: all */
	int suspend, again, resume, resume_again; /* what the calls answered */
	int reads; /* good ones */
	bool gone; /* the device is pulled out while suspended */
};

static void
read_one(struct state *s, struct guest_cpu *cpu)
{
	uint64_t gpa = gm_alloc(s->blk->w, 512, 512);

	s->reads += guest_blk_rw(s->blk, cpu, VIRTIO_BLK_T_IN, 0, gpa, 512) == VIRTIO_BLK_S_OK;
}

static void
task(struct actor *self, void *arg)
{
	struct rig *r = arg;
	struct state *s = r->state;
	struct guest_cpu *cpu = r->cpu[0];

	assert_int_equal(guest_blk_probe(s->blk, cpu), 0);
	assert_int_equal(guest_blk_resume(s->blk, cpu, &s->how), -EINVAL);
	read_one(s, cpu);
	s->suspend = guest_blk_suspend(s->blk, cpu, &s->how);
	s->again = guest_virtio_suspend(&s->blk->dev, cpu, &s->how);
	if (s->gone)
		machine_unplug(r->d);
	s->resume = guest_blk_resume(s->blk, cpu, &s->how);
	s->resume_again = guest_virtio_resume(&s->blk->dev, cpu, &s->how);
	if (!s->resume || s->suspend == -EINVAL)
		read_one(s, cpu);
}

static void
setup(struct rig *r)
{
	const struct state *wanted = r->config.arg;
	struct state *s = world_alloc(r->w, sizeof(*s));
	struct guest_blk_config config = { .cpus = r->cpu, .cpu_count = 1 };

	*s = *wanted;
	config.virtio = (struct guest_virtio_config){ .name = "vda",
						      .function = r->d->pci->function,
						      .features = s->features };
	s->blk = guest_blk_create(r->w, &config);
	r->state = s;
	rig_task(r, "task", task, r);
}

static void
run(const struct state *wanted, const struct virtio_suspend_config_of *how,
    bool (*good)(struct rig *r))
{
	struct rig_config c = {
		.device = { .name = "blk0",
			    .type = MACHINE_BLK,
			    .backend = MACHINE_IOTHREAD,
			    .suspend = *how,
			    .blk = { .delay_ns = 1000 } },
		.setup = setup,
		.good = good,
		.arg = wanted,
	};

	rig_assert_clean(rig_explore(&c, 200));
}

static bool
cycled(struct rig *r)
{
	const struct state *s = r->state;

	return !s->suspend && s->again == -EALREADY && !s->resume && s->resume_again == -EINVAL &&
	       s->reads == 2 && r->d->vdev.suspend->resumes == 1 && !s->blk->dev.suspended;
}

static void
cycle(void **state)
{
	static const enum virtio_suspend_design designs[] = { SUSPEND_V1_4, SUSPEND_ZHU_2023,
							      SUSPEND_STEVENS_2024 };

	for (unsigned i = 0; i < sizeof(designs) / sizeof(designs[0]); i++) {
		struct state s = { .how = { .design = designs[i] } };

		run(&s, &(struct virtio_suspend_config_of){ .design = designs[i] }, cycled);
		run(&s, &(struct virtio_suspend_config_of){ .design = designs[i], .ns = 700 },
		    cycled);
	}
}

/* Not negotiated: nothing is written, requests go on. */
static bool
refused(struct rig *r)
{
	const struct state *s = r->state;

	return s->suspend == -EINVAL && s->again == -EINVAL && s->resume == -EINVAL &&
	       s->reads == 2 && !r->d->vdev.suspend->suspends;
}

static bool
failed(struct rig *r)
{
	const struct state *s = r->state;

	return s->suspend == -EIO && s->reads == 1 && r->d->vdev.status & VIRTIO_CONFIG_S_FAILED &&
	       s->blk->dev.state == GUEST_VIRTIO_FAILED;
}

static bool
failed_late(struct rig *r)
{
	const struct state *s = r->state;

	return !s->suspend && s->resume == -EIO && s->reads == 1 &&
	       s->blk->dev.state == GUEST_VIRTIO_FAILED;
}

static bool
vanished(struct rig *r)
{
	const struct state *s = r->state;

	return !s->suspend && s->resume == -ENODEV && s->reads == 1;
}

/* The device takes longer than the driver waits: it is given up, or the last look shows it. */
static bool
timed_out(struct rig *r)
{
	const struct state *s = r->state;
	bool resumed = s->blk->dev.state == GUEST_VIRTIO_READY;

	return s->suspend == -ETIMEDOUT ? resumed || r->d->vdev.status & VIRTIO_CONFIG_S_FAILED
					: !s->suspend;
}

static void
refusals(void **state)
{
	static const struct virtio_suspend_config_of v14 = { .design = SUSPEND_V1_4 };
	struct virtio_suspend_config_of fails = { .design = SUSPEND_V1_4 };
	struct state s = { .features = VIRTIO_BLK_FEATURES };

	run(&s, &v14, refused);
	s = (struct state){ .features = FEATURES };
	fails.fail = SUSPEND_FAIL_SUSPEND;
	run(&s, &fails, failed);
	fails.fail = SUSPEND_FAIL_RESUME;
	run(&s, &fails, failed_late);
	s.gone = true;
	run(&s, &v14, vanished);
	s = (struct state){ .how = { .timeout_ns = 2000000, .impatient = true } };
	fails = (struct virtio_suspend_config_of){ .design = SUSPEND_V1_4, .ns = 5000000 };
	run(&s, &fails, timed_out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cycle),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
