/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block requests as the device sees them: what each answers, and what is on the disk then. */
#include "test_virtio.h"

#include "virtio/blk.h"

#define FEATURES (VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_BLK_F_FLUSH))

static const struct blk_config *disk_config;
static uint16_t disk_queues;

static void
make(void)
{
	b->type = virtio_blk_create(&b->vdev, b->w, "blk0", datapath_native.device, FEATURES,
				    disk_queues ? disk_queues : 1, 8, disk_config);
}

static void
run_on(const struct blk_config *c, uint16_t queues, void (*body)(void))
{
	disk_config = c;
	disk_queues = queues;
	bench_run(make, body, FAULT_NONE);
}

/* A request whose data starts as @fill; returns its status, 0xff while there is none. */
static uint8_t
request_on(uint16_t queue, uint32_t type, uint64_t sector, uint32_t bytes, uint8_t fill,
	   uint8_t *data)
{
	struct virtio_blk_outhdr header = { .type = type, .sector = sector };
	uint64_t gpa = gm_alloc(b->w, 64 + bytes, 16);
	struct dp_buf sg[3] = { { gpa, 16 }, { gpa + 64, bytes }, { gpa + 32, 1 } };
	bool writes = type == VIRTIO_BLK_T_OUT;
	uint8_t status = 0xff;
	uint64_t token;
	uint32_t len;

	gm_write(b->w, gpa, &header, sizeof(header));
	gm_write(b->w, gpa + 32, &status, 1);
	memset(gm_map(b->w, gpa + 64, bytes), fill, bytes);
	if (!bytes)
		sg[1] = sg[2];
	assert_int_equal(bench_add(queue, sg, writes ? 2 : 1, (writes ? 1 : 2) - !bytes, 1), 0);
	virtio_queue_notify(&b->vdev.vqs[queue]);
	if (bench_get(queue, &token, &len))
		gm_read(b->w, gpa + 32, &status, 1);
	if (data)
		gm_read(b->w, gpa + 64, data, bytes);
	return status;
}

static uint8_t
request(uint32_t type, uint64_t sector, uint32_t bytes, uint8_t fill, uint8_t *data)
{
	return request_on(0, type, sector, bytes, fill, data);
}

static void
requests_body(void)
{
	struct virtio_blk *blk = b->type;
	uint8_t data[1024];

	bench_ready(FEATURES);
	/* Never written: zeros, version 0. */
	assert_int_equal(request(VIRTIO_BLK_T_IN, 3, 512, 0xee, data), VIRTIO_BLK_S_OK);
	assert_int_equal(data[0] | data[511], 0);
	assert_null(virtio_blk_sector(blk, 3));
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 3, 1024, 0xab, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 4, 512, 0xcd, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 3, 1024, 0, data), VIRTIO_BLK_S_OK);
	assert_int_equal(data[0], 0xab);
	assert_int_equal(data[512], 0xcd);
	assert_int_equal(virtio_blk_sector(blk, 3)->version, 1);
	assert_int_equal(virtio_blk_sector(blk, 4)->version, 2);
	assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(blk->flushes, 1);
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, 20, 0, data), VIRTIO_BLK_S_OK);
	assert_string_equal((char *)data, "ringside");
	assert_int_equal(request(77, 0, 512, 0, NULL), VIRTIO_BLK_S_UNSUPP);
	/* Part of a sector; past the end; so far past it that the sum wraps. */
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 100, 0, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_IN, BLK_CAPACITY_SECTORS - 1, 1024, 0, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, UINT64_MAX, 512, 0, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_IN, BLK_CAPACITY_SECTORS - 1, 512, 0, NULL),
			 VIRTIO_BLK_S_OK);
	assert_int_equal(blk->requests, blk->completed);
	assert_int_equal(blk->errors, 4);
	assert_int_equal(b->vdev.vqs[0].inflight, 0);
	assert_false(b->vdev.broken);
}

static void
requests(void **state)
{
	run_on(&(struct blk_config){ 0 }, 1, requests_body);
}

static void
errors_body(void)
{
	uint8_t data[1024];

	bench_ready(FEATURES);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 9, 512, 0, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 9, 1024, 0xee, data), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 10, 512, 0xee, data), VIRTIO_BLK_S_IOERR);
	assert_int_equal(data[0], 0xee); /* nothing was read */
	assert_int_equal(request(VIRTIO_BLK_T_IN, 11, 512, 0, NULL), VIRTIO_BLK_S_IOERR);
	/* The fifth transfer fails for no reason. */
	assert_int_equal(request(VIRTIO_BLK_T_IN, 12, 512, 0, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 12, 512, 0, NULL), VIRTIO_BLK_S_OK);
}

static void
readonly_body(void)
{
	assert_true(b->vdev.device_features & VIRTIO_BIT(VIRTIO_BLK_F_RO));
	bench_ready(FEATURES);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, 512, 1, NULL), VIRTIO_BLK_S_IOERR);
	assert_null(virtio_blk_sector(b->type, 0));
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 512, 1, NULL), VIRTIO_BLK_S_OK);
}

static void
errors(void **state)
{
	run_on(&(struct blk_config){ .error_first = 10, .error_sectors = 2, .fail_every = 5 }, 1,
	       errors_body);
	run_on(&(struct blk_config){ .readonly = true }, 1, readonly_body);
}

static void
delay_body(void)
{
	uint64_t token;
	uint32_t len;

	bench_ready(FEATURES);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 1, 512, 0x11, NULL), 0xff);
	assert_int_equal(b->vdev.vqs[0].inflight, 1);
	assert_null(virtio_blk_sector(b->type, 1)); /* written when it completes */
	actor_sleep(b->w, 99);
	assert_int_equal(b->works, 0);
	actor_sleep(b->w, 1);
	assert_int_equal(b->works, 1); /* in the thread that runs the queue */
	assert_false(bench_get(0, &token, &len));
	bench_run_works();
	assert_true(bench_get(0, &token, &len));
	assert_int_equal(virtio_blk_sector(b->type, 1)->version, 1);
}

static void
delay(void **state)
{
	run_on(&(struct blk_config){ .delay_ns = 100 }, 1, delay_body);
}

static void
queues_body(void)
{
	uint8_t data[512];

	assert_true(b->vdev.device_features & VIRTIO_BIT(VIRTIO_BLK_F_MQ));
	bench_ready(FEATURES | VIRTIO_BIT(VIRTIO_BLK_F_MQ));
	assert_int_equal(request_on(2, VIRTIO_BLK_T_OUT, 5, 512, 0x77, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(request_on(1, VIRTIO_BLK_T_IN, 5, 512, 0, data), VIRTIO_BLK_S_OK);
	assert_int_equal(data[0], 0x77);
	assert_int_equal(b->interrupts[0], 0);
	assert_int_equal(b->interrupts[1] + b->interrupts[2], 2);
}

static void
malformed_body(void)
{
	uint64_t gpa = gm_alloc(b->w, 64, 16);
	struct dp_buf sg[2] = { { gpa, 8 }, { gpa + 32, 1 } };

	bench_ready(FEATURES);
	assert_int_equal(bench_add(0, sg, 1, 1, 1), 0); /* half a header */
	virtio_queue_notify(&b->vdev.vqs[0]);
	assert_true(b->vdev.status & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(b->vdev.vqs[0].inflight, 0);
	virtio_set_status(&b->vdev, 0);
	bench_ready(FEATURES);
	sg[0].len = 16;
	assert_int_equal(bench_add(0, sg, 2, 0, 1), 0); /* no room for the status */
	virtio_queue_notify(&b->vdev.vqs[0]);
	assert_true(b->vdev.status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void
queues_and_malformed(void **state)
{
	run_on(&(struct blk_config){ 0 }, 3, queues_body);
	run_on(&(struct blk_config){ 0 }, 1, malformed_body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(errors),
		cmocka_unit_test(delay),
		cmocka_unit_test(queues_and_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
