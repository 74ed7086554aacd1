/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The split ring outside Ringside: its sources built here without instrumentation, two real
 * threads, real barriers, real sleeping.  No buffer may be lost, and nobody may sleep while there
 * is work: a sleep of ten seconds is taken for a lost notification.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* With these here the linker takes no ring code from the library. */
#include "virtio/ring_split_chain.c"
#include "virtio/ring_split_layout.c"
#include "virtio/ring_split_vring.c"
#include "virtio/ring_split_driver.c"
#include "virtio/ring_split_device.c"

#define BUFFERS 100000u
#define QUEUE_SIZE 16u
#define RAM_BYTES 65536u

struct machine {
	char *ram;
	unsigned errors;
	sem_t kick, call;
	struct dp_driver *driver;
	struct dp_device *device;
	unsigned lost_kicks, lost_interrupts;
	uint64_t sum; /* of what the device read */
};

static void *
map(void *ctx, uint64_t gpa, uint64_t len)
{
	struct machine *m = ctx;

	return gpa <= RAM_BYTES && len <= RAM_BYTES - gpa ? m->ram + gpa : NULL;
}

static void *
take(void *ctx, size_t size)
{
	return calloc(1, size);
}

static void
give(void *ctx, void *block, size_t size)
{
	free(block);
}

static void
broke(void *ctx, const char *what, uint64_t value)
{
	struct machine *m = ctx;

	m->errors++;
}

static bool
wait_for(sem_t *sem)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	while (sem_timedwait(sem, &until))
		if (errno == ETIMEDOUT)
			return false;
	return true;
}

/* Reads a number from each buffer and writes its complement behind it. */
static void *
device_thread(void *arg)
{
	struct machine *m = arg;
	const struct dp_device_ops *ops = &ring_split_device_ops;
	struct dp_elem *elem = malloc(sizeof(*elem));

	for (uint32_t done = 0; done < BUFFERS;) {
		int ret = ops->pop(m->device, elem);

		if (ret < 0)
			break;
		if (!ret) {
			if (!ops->enable_notify(m->device) && !wait_for(&m->kick)) {
				m->lost_kicks++;
				break;
			}
			ops->disable_notify(m->device);
			continue;
		}

		uint64_t value;

		memcpy(&value, m->ram + elem->sg[0].addr, sizeof(value));
		m->sum += value;
		value = ~value;
		memcpy(m->ram + elem->sg[1].addr, &value, sizeof(value));
		ops->fill(m->device, elem, sizeof(value), 0);
		ops->flush(m->device, 1);
		done++;
		if (ops->should_notify(m->device))
			sem_post(&m->call);
	}
	free(elem);
	return NULL;
}

/* Token i has its buffers and its indirect table at 4096 + 64 * (i % QUEUE_SIZE). */
static int
submit(struct machine *m, uint64_t i, bool indirect)
{
	uint64_t gpa = 4096 + 64 * (i % QUEUE_SIZE);
	struct dp_buf sg[2] = { { gpa, 8 }, { gpa + 8, 8 } };

	memcpy(m->ram + gpa, &i, sizeof(i));
	return ring_split_driver_ops.add(m->driver, sg, 1, 1, i, indirect, gpa + 16);
}

static unsigned
reap(struct machine *m, uint64_t *next)
{
	unsigned n = 0;
	uint64_t token, value;
	uint32_t len;

	while (ring_split_driver_ops.get(m->driver, &token, &len) == 1) {
		memcpy(&value, m->ram + 4096 + 64 * (token % QUEUE_SIZE) + 8, sizeof(value));
		assert_int_equal(token, *next);
		assert_int_equal(value, ~token);
		assert_int_equal(len, 8);
		++*next;
		n++;
	}
	return n;
}

static void
drive(struct machine *m, bool delayed)
{
	const struct dp_driver_ops *ops = &ring_split_driver_ops;
	uint64_t added = 0, got = 0;

	while (got < BUFFERS) {
		while (added < BUFFERS && added - got < QUEUE_SIZE / 2 &&
		       !submit(m, added, added % 3 == 0))
			added++;
		if (ops->kick_prepare(m->driver))
			sem_post(&m->kick);
		ops->disable_cb(m->driver);
		if (reap(m, &got))
			continue;
		if ((delayed ? ops->enable_cb_delayed : ops->enable_cb)(m->driver) &&
		    !wait_for(&m->call)) {
			m->lost_interrupts++;
			return;
		}
	}
}

static void
move_buffers(uint64_t features, bool delayed, uint16_t start_idx)
{
	struct machine m = { .ram = aligned_alloc(4096, RAM_BYTES) };
	struct dp_host host = { &m, map, take, give, broke };
	struct dp_vring vring = { .features = features | VIRTIO_BIT(VIRTIO_F_VERSION_1),
				  .start_idx = start_idx };
	struct ring_split_layout layout;
	pthread_t thread;

	memset(m.ram, 0, RAM_BYTES);
	sem_init(&m.kick, 0, 0);
	sem_init(&m.call, 0, 0);
	ring_split_layout_init(&layout, QUEUE_SIZE, 4);
	ring_split_layout_place(&layout, 0, &vring);
	assert_int_equal(ring_split_driver_ops.init(&m.driver, &vring, &host), 0);
	assert_int_equal(ring_split_device_ops.init(&m.device, &vring, &host), 0);
	assert_int_equal(pthread_create(&thread, NULL, device_thread, &m), 0);
	drive(&m, delayed);
	pthread_join(thread, NULL);
	assert_int_equal(m.lost_kicks, 0);
	assert_int_equal(m.lost_interrupts, 0);
	assert_int_equal(m.errors, 0);
	assert_int_equal(m.sum, (uint64_t)BUFFERS * (BUFFERS - 1) / 2);
	ring_split_driver_ops.destroy(m.driver);
	ring_split_device_ops.destroy(m.device);
	free(m.ram);
}

static void
flags(void **state)
{
	move_buffers(0, false, 0);
}

static void
event_idx(void **state)
{
	move_buffers(VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC),
		     false, 65530);
}

static void
event_idx_delayed(void **state)
{
	move_buffers(VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX), true, 0);
}

static void
in_order(void **state)
{
	move_buffers(VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_BIT(VIRTIO_F_IN_ORDER) |
			     VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC),
		     false, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags),
		cmocka_unit_test(event_idx),
		cmocka_unit_test(event_idx_delayed),
		cmocka_unit_test(in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
