/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vDPA devices and their VMM's half: what ioctls and messages refuse, what a region may be, where
 * the VMM's own pages are.  Traffic, switches and faults are in scenarios/svq/ and, for the plain
 * backend, in every test that goes over all backends of a machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "datapath/native.h"
#include "engine/world.h"
#include "memory/guest_memory.h"
#include "vhost/vdpa.h"
#include "vhost/vhost_blk.h"

#define RAM (UINT64_C(8) << 20)

static struct vdpa_config config;

static void
no_watch(void *arg, struct vdpa_handler *h)
{
}

static struct vdpa *
make(struct world *w)
{
	struct virtio_device *vdev = world_alloc(w, sizeof(*vdev));
	struct vdpa_loop loop = { NULL, no_watch, no_watch };

	gm_create(w, RAM);
	virtio_blk_create(vdev, w, "blk0", datapath_native.device, VIRTIO_BLK_FEATURES, 2, 4,
			  &(struct blk_config){ .delay_ns = 0 });
	config.control = VDPA_NO_CONTROL;
	return vdpa_create(vdev, vhost_worker_create(w, "vdpa", false), &vhost_blk_ops, &loop,
			   &config);
}

static void
in_world(void (*fn)(struct world *w, void *arg))
{
	struct world_config wc = { .mode = WORLD_TIMED };
	struct error err;
	struct world *w = world_create(&wc, &err);

	assert_non_null(w);
	if (world_setup(w, fn, NULL, &err))
		fail_msg("set-up: %s", err.text);
	world_destroy(w);
}

static struct dma_map
own(uint64_t iova, uint64_t bytes)
{
	return (struct dma_map){ iova, HVA_OWN, bytes - 1, IOVA_RO };
}

static void
iotlb(struct world *w, void *arg)
{
	struct vdpa *v = make(w);
	struct vdpa_dev *d = &v->dev;
	struct dma_map m = own(0x10000, 0x3000);

	assert_int_equal(vdpa_iotlb_update(d, 0, &m), 0);
	assert_int_equal(vdpa_iotlb_update(d, 0, &m), -EEXIST);
	assert_int_equal(vdpa_iotlb_update(d, 1, &m), 0); /* another address space */
	m = own(0x12000, 0x1000);
	assert_int_equal(vdpa_iotlb_update(d, 0, &m), -EEXIST);
	m = own(0, 0x1000); /* below the device's range */
	assert_int_equal(vdpa_iotlb_update(d, 0, &m), -EINVAL);
	m = own(0xfffff000, 0x2000);
	assert_int_equal(vdpa_iotlb_update(d, 0, &m), -EINVAL);
	m = own(0x20000, (uint64_t)(v->hva->own_pages + 1) * HVA_PAGE); /* more than there is */
	assert_int_equal(vdpa_iotlb_update(d, 0, &m), -EINVAL);
	assert_int_equal(vdpa_own_maps(d), 2);
	d->config.page_bytes = 65536;
	m = own(0x30000, 0x1000);
	assert_int_equal(vdpa_iotlb_update(d, 0, &m), -EINVAL);
	m = own(0x31000, 0x10000);
	assert_int_equal(vdpa_iotlb_update(d, 0, &m), -EINVAL);
	m = own(0x30000, 0x10000);
	assert_int_equal(vdpa_iotlb_update(d, 0, &m), 0);
	assert_int_equal(vdpa_iotlb_invalidate(d, 0, 0x30000, 0x10000), 0);
	/* Part of a map: all of it goes. */
	assert_int_equal(vdpa_iotlb_invalidate(d, 0, 0x11000, 1), 0);
	assert_int_equal(vdpa_own_maps(d), 1);
	assert_int_equal(d->iotlb[0].count, 0);
}

static void
translation(struct world *w, void *arg)
{
	struct vdpa *v = make(w);
	struct vdpa_dev *d = &v->dev;
	const struct dma_domain *dma = &d->group[0].dma;
	struct dma_map m = own(0x10000, 0x1000);
	uint32_t word = 0x12345678, got = 0;

	assert_int_equal(vdpa_iotlb_update(d, 0, &m), 0);
	m = (struct dma_map){ 0x11000, HVA_OWN + 0x5000, 0xfff, IOVA_RW };
	assert_int_equal(vdpa_iotlb_update(d, 0, &m), 0);
	hva_write(v->hva, HVA_OWN + 0xffe, &word, 2);
	hva_write(v->hva, HVA_OWN + 0x5000, (char *)&word + 2, 2);
	/* Across two maps; then a write to what may be read; then beyond. */
	assert_int_equal(dma_copy(w, dma_mark(dma, 0x10ffe), &got, NULL, 4), 4);
	assert_int_equal(got, word);
	assert_int_equal(d->faults, 0);
	assert_int_equal(dma_copy(w, dma_mark(dma, 0x10ffe), NULL, &word, 4), 0);
	assert_int_equal(d->faults, 1);
	assert_int_equal(dma_copy(w, dma_mark(dma, 0x11ffe), NULL, &word, 4), 2);
	assert_int_equal(d->faults, 2);
	assert_null(dma_map(w, dma, 0x10ffe, 4)); /* not in one piece */
	assert_non_null(dma_map(w, dma, 0x11ffc, 4));
	assert_null(dma_map(w, dma, 0x11ffd, 4));
	assert_int_equal(d->faults, 2); /* a look is no access */
	assert_true(dma_touch(dma, 0x11fff, true));
	assert_false(dma_touch(dma, 0x10000, true));
	assert_int_equal(d->faults, 3);
	/* A plain address is the guest's. */
	assert_int_equal(dma_copy(w, 0x100, NULL, &word, 4), 4);
	assert_int_equal(dma_copy(w, RAM - 2, NULL, &word, 4), 0);
}

static void
status(struct world *w, void *arg)
{
	struct vdpa_dev *d = &make(w)->dev;

	assert_int_equal(vdpa_set_group_asid(d, 1, 1), 0);
	assert_int_equal(vdpa_set_group_asid(d, 0, 2), -EOPNOTSUPP);
	vdpa_set_status(d, VIRTIO_CONFIG_S_DRIVER_OK);
	assert_int_equal(vdpa_set_group_asid(d, 1, 0), -EBUSY);
	assert_int_equal(vdpa_suspend(d), 0);
	assert_true(d->suspended);
	assert_int_equal(vdpa_resume(d), 0);
	assert_int_equal(vdpa_suspend(d), 0);
	vdpa_set_status(d, 0);
	assert_false(d->suspended || d->status);
	d->config.no_suspend = d->config.no_asid = true;
	assert_int_equal(vdpa_suspend(d), -EOPNOTSUPP);
	assert_int_equal(vdpa_resume(d), -EOPNOTSUPP);
	assert_int_equal(vdpa_set_group_asid(d, 1, 1), -EOPNOTSUPP);
}

static void
regions(struct world *w, void *arg)
{
	struct vdpa *v = make(w);
	const struct vdpa_section *s = vdpa_find_section(v, RAM - 1);

	assert_int_equal(s->gpa, RAM / 2);
	assert_int_equal(s->hva, hva_of_block(v->hva, 1));
	assert_null(vdpa_find_section(v, RAM));
	assert_int_equal(vdpa_region_add(v, 1 << 30, 0x1000, 0x2000), 0);
	assert_int_equal(vdpa_find_section(v, (1 << 30) + 5)->hva, HVA_RAM + 0x2000);
	assert_int_equal(vdpa_region_add(v, (1 << 30) - 0x1000, 0x2000, 0), -EINVAL); /* taken */
	assert_int_equal(vdpa_region_add(v, 0, 0x1000, 0), -EINVAL);
	assert_int_equal(vdpa_region_add(v, 1 << 29, 0x10, 0), -EINVAL);
	assert_int_equal(vdpa_region_add(v, 1 << 29, 0x1000, RAM), -EINVAL);
	assert_int_equal(vdpa_region_add(v, 1 << 29, 0x2000, RAM / 2 - 0x1000), -EINVAL);
	assert_int_equal(vdpa_region_del(v, 1 << 29), -ENOENT);
	assert_int_equal(vdpa_region_del(v, 1 << 30), 0);
	assert_int_equal(vdpa_region_del(v, 1 << 30), -ENOENT);
}

static void
own_pages(struct world *w, void *arg)
{
	struct hva_space *s = make(w)->hva;
	uint64_t a = hva_alloc(s, 1), b = hva_alloc(s, 2 * HVA_PAGE), len = 3 * HVA_PAGE, gpa;

	assert_int_equal(a, HVA_OWN);
	assert_int_equal(b, HVA_OWN + HVA_PAGE);
	hva_free(s, a, 1);
	assert_int_equal(hva_alloc(s, 2 * HVA_PAGE),
			 HVA_OWN + 3 * HVA_PAGE); /* does not fit there */
	assert_int_equal(hva_alloc(s, HVA_PAGE), a);
	assert_int_equal(s->own_used, 5);
	assert_int_equal(hva_alloc(s, 0), 0);
	assert_int_equal(hva_alloc(s, (uint64_t)s->own_pages * HVA_PAGE), 0);
	/* Blocks end, and a gap is behind them. */
	assert_true(hva_to_gpa(s, HVA_RAM + RAM / 2 - HVA_PAGE, &len, &gpa));
	assert_int_equal(len, HVA_PAGE);
	assert_int_equal(gpa, RAM / 2 - HVA_PAGE);
	assert_false(hva_to_gpa(s, HVA_RAM + RAM / 2, &len, &gpa));
	assert_false(hva_to_gpa(s, HVA_OWN - 1, &len, &gpa));
	assert_true(hva_to_gpa(s, hva_of_block(s, 1), &len, &gpa));
	assert_int_equal(gpa, RAM / 2);
}

static void
test_iotlb(void **state)
{
	config = (struct vdpa_config){ .dev = { .iova_first = 0x1000, .iova_last = 0xffffffff } };
	in_world(iotlb);
}

static void
test_translation(void **state)
{
	config = (struct vdpa_config){ 0 };
	in_world(translation);
}

static void
test_status(void **state)
{
	config = (struct vdpa_config){ 0 };
	in_world(status);
}

static void
test_memory(void **state)
{
	config = (struct vdpa_config){ .ram_blocks = 2 };
	in_world(regions);
	in_world(own_pages);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_iotlb),
		cmocka_unit_test(test_translation),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
