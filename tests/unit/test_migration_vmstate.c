/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Device state: what a destination takes, refuses, and takes for something else. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/world.h"
#include "migration/vmstate.h"
#include "oracle/oracle.h"

#define F(n, size, since) \
	{ \
		.name = n, .bytes = size, .version_id = since \
	}
#define SUB(n, v) \
	{ \
		.name = n, .version_id = v, .minimum_version_id = v, .bytes = 8, .needed = true, \
		.in_use = true \
	}

/* Both sides: version 2, as old as 1; a field of each version; one subsection. */
static struct vmstate
equal(void)
{
	const struct vmstate_side side = { .there = true,
					   .version_id = 2,
					   .minimum_version_id = 1,
					   .field = { F("status", 1, 0), F("isr", 1, 0),
						      F("queue_sel", 2, 2) },
					   .fields = 3,
					   .subsection = { SUB("virtio/started", 1) },
					   .subsections = 1 };

	return (struct vmstate){ .name = "vda", .source = side, .destination = side };
}

static void
assert_load(const struct vmstate *v, int ret, unsigned misplaced, unsigned left_out)
{
	struct vmstate_result r = vmstate_load(v);

	assert_int_equal(r.ret, ret);
	assert_int_equal(r.misplaced, misplaced);
	assert_int_equal(r.left_out, left_out);
}

static void
versions(void **state)
{
	struct vmstate v = equal();

	assert_load(&v, 0, 0, 0);
	assert_int_equal(vmstate_load(&v).subsections, 1);
	assert_int_equal(vmstate_bytes(&v), 12);
	v.source.version_id = 3;
	assert_load(&v, -EINVAL, 0, 0);
	/* An older source has no queue_sel, and the destination does not look for it. */
	v.source.version_id = 1;
	assert_load(&v, 0, 0, 0);
	assert_int_equal(vmstate_bytes(&v), 10);
	v.source.version_id = 0;
	assert_load(&v, -EINVAL, 0, 0);
}

static void
sections(void **state)
{
	struct vmstate v = equal();

	v.destination.there = false;
	assert_load(&v, -EINVAL, 0, 0); /* unknown savevm section */
	v.source.not_needed = true;
	assert_load(&v, 0, 0, 0);
	assert_int_equal(vmstate_bytes(&v), 0);
	v = equal();
	v.source.there = false; /* the destination's stays as a reset leaves it */
	assert_load(&v, 0, 0, 0);
	v = equal();
	v.destination.post_load = -EPROTO;
	assert_load(&v, -EPROTO, 0, 0);
}

static void
subsections(void **state)
{
	struct vmstate v = equal();

	v.destination.subsections = 0;
	assert_load(&v, -ENOENT, 0, 0);
	v.source.subsection[0].needed = v.source.subsection[0].in_use = false;
	assert_load(&v, 0, 0, 0);
	/* A destination that would have sent one does not miss it: needed() is the source's. */
	v = equal();
	v.source.subsections = 0;
	assert_load(&v, 0, 0, 0);
	/* It was in use, and the source's needed() did not say so. */
	v = equal();
	v.source.subsection[0].needed = false;
	assert_load(&v, 0, 0, 1);
	/* It has a version, too. */
	v = equal();
	v.source.subsection[0].version_id = 2;
	assert_load(&v, -EINVAL, 0, 0);
	v.destination.subsection[0].version_id = 2;
	assert_load(&v, 0, 0, 0);
	v.source.subsection[0].version_id = 0;
	assert_load(&v, -EINVAL, 0, 0);
	/* Their order is the source's. */
	v = equal();
	v.source.subsections = v.destination.subsections = 2;
	v.source.subsection[1] = (struct vmstate_subsection)SUB("virtio/64bit_features", 1);
	v.destination.subsection[1] = v.destination.subsection[0];
	v.destination.subsection[0] = (struct vmstate_subsection)SUB("virtio/64bit_features", 1);
	assert_load(&v, 0, 0, 0);
}

static void
field_by_function(void **state)
{
	struct vmstate v = equal();

	/* field_exists() decides alone, whatever the version. */
	v.source.version_id = 1;
	v.source.field[2].exists = v.destination.field[2].exists = VMSTATE_YES;
	assert_load(&v, 0, 0, 0);
	assert_int_equal(vmstate_bytes(&v), 12);
	v.source.field[2].exists = v.destination.field[2].exists = VMSTATE_NO;
	v.source.version_id = 2;
	assert_load(&v, 0, 0, 0);
	assert_int_equal(vmstate_bytes(&v), 10);
	/* The two disagree: too much is left, or there is too little. */
	v.source.field[2].exists = VMSTATE_YES;
	assert_load(&v, -EINVAL, 0, 0);
	v.source.subsections = 0;
	assert_load(&v, -EINVAL, 0, 0);
	v.source.field[2].exists = VMSTATE_NO;
	v.destination.field[2].exists = VMSTATE_YES;
	assert_load(&v, -EINVAL, 0, 0);
	/* VMSTATE_VALIDATE */
	v.destination.field[2].exists = VMSTATE_NO;
	v.destination.field[2].must_exist = true;
	assert_load(&v, -EPERM, 0, 0);
}

/* A field too many reads into the subsection behind it, whose name is then not found. */
static void
misparsed(void **state)
{
	struct vmstate v = equal();

	v.destination.field[2].bytes = 6;
	assert_load(&v, -EINVAL, 0, 0);
	/* Other bytes, as many: nothing notices but the guest. */
	v = equal();
	v.destination.field[0] = (struct vmstate_field)F("isr", 1, 0);
	v.destination.field[1] = (struct vmstate_field)F("status", 1, 0);
	assert_load(&v, 0, 2, 0);
	v.destination.field[0] = (struct vmstate_field)F("both", 2, 0);
	v.destination.field[1] = (struct vmstate_field)F("nothing", 0, 0);
	assert_load(&v, 0, 1, 0);
	/* A version of its own would have said so. */
	v.source.version_id = 3;
	assert_load(&v, -EINVAL, 0, 0);
}

/* Without fields a section is its bytes. */
static void
plain(void **state)
{
	struct vmstate v = { .name = "serial",
			     .bytes = 100,
			     .source = { .there = true, .version_id = 1 },
			     .destination = { .there = true, .version_id = 1 } };

	assert_load(&v, 0, 0, 0);
	assert_int_equal(vmstate_bytes(&v), 100);
}

static struct vmstate second, first;
static int loaded;

static void
load_all(struct world *w, void *arg)
{
	oracle_attach(w);
	loaded = vmstate_load_all(w, &first);
}

static struct finding
run_all(void)
{
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, NULL);
	struct finding f;

	first.next = &second;
	world_setup(w, load_all, NULL, NULL);
	oracle_judge(w, world_run(w), &f);
	world_destroy(w);
	return f;
}

static void
all(void **state)
{
	first = equal();
	second = equal();
	assert_int_equal(run_all().verdict, VERDICT_OK);
	assert_int_equal(loaded, 0);
	second.source.version_id = 3;
	assert_int_equal(run_all().verdict, VERDICT_OK); /* refused: nothing is lost */
	assert_int_equal(loaded, -EINVAL);
	first.source.pre_save = -EIO;
	run_all();
	assert_int_equal(loaded, -EIO);
	first = equal();
	second = equal();
	second.source.subsection[0].needed = false;
	assert_string_equal(run_all().oracle, "INV-VMSTATE");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions),    cmocka_unit_test(sections),
		cmocka_unit_test(subsections), cmocka_unit_test(field_by_function),
		cmocka_unit_test(misparsed),   cmocka_unit_test(plain),
		cmocka_unit_test(all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
