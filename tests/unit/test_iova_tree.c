/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IOVA trees: holes, edges of the address space, aliases. fuzz_iova_tree has the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/world.h"
#include "vhost/iova_tree.h"

static struct world *w;

static int
set_up(void **state)
{
	struct error err;

	w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);
	return !w;
}

static int
tear_down(void **state)
{
	world_destroy(w);
	return 0;
}

static struct dma_map
map_of(uint64_t iova, uint64_t addr, uint64_t bytes)
{
	return (struct dma_map){ iova, addr, bytes - 1, IOVA_RW };
}

static void
test_insert(void **state)
{
	struct iova_tree t = { .w = w };
	struct dma_map m = map_of(0x2000, 0x7000, 0x1000);

	assert_int_equal(iova_tree_insert(&t, &m), IOVA_OK);
	assert_int_equal(iova_tree_insert(&t, &m), IOVA_ERR_OVERLAP);
	m = map_of(0x2fff, 0, 1);
	assert_int_equal(iova_tree_insert(&t, &m), IOVA_ERR_OVERLAP);
	m = map_of(0x1000, 0, 0x1001);
	assert_int_equal(iova_tree_insert(&t, &m), IOVA_ERR_OVERLAP);
	m = map_of(0x1000, 0, 0x1000);
	assert_int_equal(iova_tree_insert(&t, &m), IOVA_OK);
	m = map_of(UINT64_MAX, 0, 2);
	assert_int_equal(iova_tree_insert(&t, &m), IOVA_ERR_INVALID);
	m = map_of(UINT64_MAX, 0, 1);
	assert_int_equal(iova_tree_insert(&t, &m), IOVA_OK);
	m.iova = 0;
	m.perm = IOVA_NONE;
	assert_int_equal(iova_tree_insert(&t, &m), IOVA_ERR_INVALID);
	assert_int_equal(iova_tree_find(&t, 0, UINT64_MAX)->iova, 0x1000);
	assert_int_equal(iova_tree_find(&t, 0x2001, 0)->iova, 0x2000);
	assert_null(iova_tree_find(&t, 0x3000, 0x1000));
	assert_int_equal(iova_tree_remove(&t, 0, UINT64_MAX), 3);
	iova_tree_free(&t);
}

static void
test_holes(void **state)
{
	struct iova_tree t = { .w = w };
	struct dma_map m = map_of(0, 0, 0x1000);

	/* [0x1000, 0x5000) in pages, the second and third taken out again. */
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(iova_tree_alloc_map(&t, &m, 0x1000, 0x4fff), IOVA_OK);
	assert_int_equal(m.iova, 0x4000);
	assert_int_equal(iova_tree_alloc_map(&t, &m, 0x1000, 0x4fff), IOVA_ERR_NOMEM);
	assert_int_equal(iova_tree_remove(&t, 0x2000, 0x1fff), 2);
	m = map_of(0, 0, 0x2001);
	assert_int_equal(iova_tree_alloc_map(&t, &m, 0x1000, 0x4fff), IOVA_ERR_NOMEM);
	m = map_of(0, 0, 0x2000);
	assert_int_equal(iova_tree_alloc_map(&t, &m, 0x1000, 0x4fff), IOVA_OK);
	assert_int_equal(m.iova, 0x2000);
	/* The end of the address space, and a range that ends before it begins. */
	m = map_of(0, 0, 0x1000);
	assert_int_equal(iova_tree_alloc_map(&t, &m, UINT64_MAX - 0xfff, UINT64_MAX), IOVA_OK);
	assert_int_equal(m.iova, UINT64_MAX - 0xfff);
	assert_int_equal(iova_tree_alloc_map(&t, &m, UINT64_MAX - 0xfff, UINT64_MAX),
			 IOVA_ERR_NOMEM);
	assert_int_equal(iova_tree_alloc_map(&t, &m, 2, 1), IOVA_ERR_INVALID);
	iova_tree_free(&t);
}

/* Guest memory stands in the guest's address space twice, as SMRAM does. */
static void
test_alias(void **state)
{
	static const uint64_t ram = 0x7f0000000000, at = 0xa0000;

	for (int split = 0; split < 2; split++) {
		struct vhost_iova_tree *t = vhost_iova_tree_new(w, 0, UINT64_MAX, split);
		struct dma_map whole = map_of(0, ram, 0x100000);
		struct dma_map alias = map_of(0, ram + at, 0x20000);
		const struct dma_map *m;
		uint64_t offset;

		assert_int_equal(vhost_iova_tree_map_alloc_gpa(t, &whole, 0), IOVA_OK);
		assert_int_equal(whole.iova, IOVA_MIN_ADDR);
		assert_int_equal(vhost_iova_tree_map_alloc_gpa(t, &alias, 0xfeda0000), IOVA_OK);
		m = vhost_iova_tree_find_guest(t, 0xfeda0010, ram + at + 0x10, 3, &offset);
		assert_int_equal(m->iova, split ? alias.iova : whole.iova);
		assert_int_equal(offset, split ? 0x10 : at + 0x10);
		vhost_iova_tree_remove_guest(t, alias);
		assert_int_equal(vhost_iova_tree_count(t), 1);
		assert_non_null(vhost_iova_tree_find_guest(t, 0x10, ram + 0x10, 3, &offset));
		vhost_iova_tree_delete(t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_insert, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_holes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alias, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
