/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Linux's virtio_ring.c against vringh.c: random schedules a second, not recorded. */
#include <stdint.h>

#include "../unit/linux_queue.h"
#include "../unit/linux_util.h"
#include "bench.h"

#define SCHEDULES 100000L

static struct plan plan = {
	.features = VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX),
	.size = 4,
	.buffers = 3,
	.chain = 1,
};

static double
round_schedules(long schedules)
{
	double start = bench_seconds();
	struct tally t = queue_explore(&plan, schedules);

	must(!t.lost && !t.livelock && !t.errors && !t.wrong);
	return (double)schedules / (bench_seconds() - start);
}

int
main(void)
{
	plan.driver = plan.device = &datapath_native;
	bench_print("random, native ring, 3 buffers, size 4, event idx",
		    bench_best(round_schedules, SCHEDULES), "schedules/s");
	if (!&datapath_linux) {
		printf("# ");
		return linux_skip() == 77 ? 0 : 1;
	}
	plan.driver = plan.device = &datapath_linux;
	bench_print("random, virtio_ring.c against vringh.c, 3 buffers, size 4, event idx",
		    bench_best(round_schedules, SCHEDULES), "schedules/s");
	return 0;
}
