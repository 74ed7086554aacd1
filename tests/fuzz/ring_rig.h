/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzzers of ring code share: a queue with any driver's and any device's side, a list of
 * operations, and what is done with a list that fails.
 *
 * A round is a plan (which ring code on either side, features, size) and a list of operations, both
 * made from its seed.  An operation is a kind and a number from which it draws all it needs, so
 * that a list without some of its operations is a list again: one that fails is shrunk to a list of
 * which no operation can go, and is printed with what each did.
 *
 * The rings lie in the guest memory of a world, with a margin on either side that ring code is not
 * given.  Each access of ring code is looked at before it is made: it must lie within what it was
 * given, a store where its side may write (2.7, 2.8), and an operation ends after a number of
 * accesses that does not depend on what the other side wrote.  It is there, too, that a hostile
 * side writes: between two reads.
 */
#ifndef RINGSIDE_TESTS_FUZZ_RING_RIG_H
#define RINGSIDE_TESTS_FUZZ_RING_RIG_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "base/must.h"
#include "datapath/linux/linux_datapath.h"
#include "datapath/native.h"
#include "datapath/plugin_load.h"
#include "engine/watch.h"
#include "engine/world.h"
#include "fuzz.h"
#include "memory/guest_memory.h"
#include "virtio/ring_packed_layout.h"
#include "virtio/ring_split_layout.h"
#include "virtio/spec.h"

#define RAM_BYTES 65536u
#define MARGIN 4096u
#define RINGS_AT 4096u
#define TABLES_AT 16384u
#define TABLES_BYTES 16384u
#define BUFFERS_AT 40960u
#define QUEUE_MAX 64u
#define OPS_MAX 2048u
#define MUTATIONS_MAX 8u
/* Accesses of one operation: a chain of QUEUE_MAX descriptors of two or four accesses each, and
 * what in-order use does with a full ring. */
#define ACCESSES_MAX 4096u
/* Of vringh.c, which counts neither descriptors that refer to a table nor, together, those in
 * several tables: a chain may lead through the same table until dp_elem is full. */
#define ACCESSES_MAX_VRINGH 16384u

struct op {
	unsigned what;
	uint64_t arg; /* seed of all that it draws */
};

/* What a round builds. */
struct plan {
	const struct datapath *driver, *device;
	uint64_t features, quirks;
	uint16_t size, start_idx;
	const struct dp_device_ops *careless; /* instead of @device's: must be found out */
};

/* A write of the hostile side, @after so many accesses of the next operation. */
struct mutation {
	unsigned after, bytes;
	uint64_t gpa, value;
};

enum side { SIDE_NONE, SIDE_DRIVER, SIDE_DEVICE };

struct rig {
	struct step_watch watch; /* first */
	struct world *w;
	char *ram;
	const struct plan *plan;
	const struct dp_driver_ops *drv;
	const struct dp_device_ops *dev;
	struct dp_host host;
	struct dp_vring vring;
	uint64_t ring_bytes;
	bool packed, event, in_order, indirect;
	bool native_driver, native_device;
	unsigned table_stride; /* bytes of an indirect table */
	struct dp_driver *driver;
	struct dp_device *device,
		*other; /* two owners of the device side, of which one is at work */
	unsigned complaints;
	/* the operation under way */
	struct prng prng;
	enum side side; /* whose code runs */
	unsigned accesses, accesses_max;
	unsigned long past_the_end; /* reads of vringh.c, in all */
	struct mutation mutation[MUTATIONS_MAX];
	unsigned mutations;
	/* of a list that is run */
	bool say;
	unsigned at; /* index of the operation */
	jmp_buf failed;
	char why[256];
};

static struct rig rig_storage;

/* --- failing and saying --------------------------------------------------------------------- */

static inline void __attribute__((format(printf, 2, 3), noreturn))
rig_fail(struct rig *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
	longjmp(r->failed, 1);
}

#define rig_check(r, condition) \
	do { \
		if (!(condition)) \
			rig_fail(r, "%s:%d: %s does not hold", __FILE__, __LINE__, #condition); \
	} while (0)

static inline void __attribute__((format(printf, 2, 3)))
rig_say(const struct rig *r, const char *fmt, ...)
{
	va_list ap;

	if (!r->say)
		return;
	fprintf(stderr, "  %4u  ", r->at);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static inline uint32_t
rig_below(struct rig *r, uint32_t n)
{
	return prng_below(&r->prng, n);
}

/* --- each access of ring code --------------------------------------------------------------- */

static inline bool
rig_within(uint64_t gpa, uint64_t bytes, uint64_t from, uint64_t size)
{
	return gpa >= from && bytes <= size && gpa - from <= size - bytes;
}

/* Whether the side that runs may write there. */
static inline bool
rig_may_store(const struct rig *r, uint64_t gpa, uint32_t size)
{
	const struct dp_vring *v = &r->vring;
	bool driver = r->side == SIDE_DRIVER;

	/* Linux's driver writes used_event whether it was negotiated or not. */
	bool event = r->event || (driver && !r->native_driver);

	if (driver && rig_within(gpa, size, TABLES_AT, TABLES_BYTES))
		return true;
	if ((driver || r->packed) && rig_within(gpa, size, v->desc, 16u * v->size))
		return true;
	if (r->packed)
		return rig_within(gpa, size, driver ? v->driver : v->device,
				  RING_PACKED_EVENT_BYTES);
	if (driver)
		return rig_within(gpa, size, v->driver, 4u + 2u * v->size + (event ? 2u : 0u));
	return rig_within(gpa, size, v->device, 4u + 8u * v->size + (event ? 2u : 0u));
}

static inline void
rig_mutate(struct rig *r)
{
	for (unsigned i = 0; i < r->mutations; i++) {
		const struct mutation *m = &r->mutation[i];

		if (m->after == r->accesses)
			memcpy(r->ram + m->gpa, &m->value, m->bytes);
	}
}

/* vringh.c reads the first descriptor of a table of no bytes, and then says that it loops: 16 bytes
 * that may begin with the last ones of guest memory, or behind them. */
static inline bool
rig_empty_table(struct rig *r, uint64_t gpa, unsigned how)
{
	if (r->side != SIDE_DEVICE || r->native_device || how & WATCH_STORE)
		return false;
	if (gpa + 16 <= RAM_BYTES || gpa >= RAM_BYTES + 16)
		return false;
	r->past_the_end++;
	return true;
}

static inline void
rig_access(struct step_watch *watch, struct world *w, struct actor *a, uint64_t offset,
	   uint32_t size, unsigned how)
{
	struct rig *r = (struct rig *)watch;
	uint64_t gpa = offset - MARGIN;

	if (r->side == SIDE_NONE)
		return;
	if (!rig_within(offset, size, MARGIN, RAM_BYTES) && !rig_empty_table(r, gpa, how))
		rig_fail(r, "an access of %u bytes at gpa %lld, outside guest memory", size,
			 (long long)gpa);
	if (how & WATCH_STORE && !rig_may_store(r, gpa, size))
		rig_fail(r, "the %s writes %u bytes at gpa 0x%llx",
			 r->side == SIDE_DRIVER ? "driver" : "device", size,
			 (unsigned long long)gpa);
	rig_mutate(r);
	if (++r->accesses > r->accesses_max)
		rig_fail(r, "more than %u accesses in one operation", r->accesses_max);
}

static inline void
rig_begin(struct rig *r, enum side side)
{
	r->side = side;
	r->accesses = 0;
	r->accesses_max =
		side == SIDE_DEVICE && !r->native_device ? ACCESSES_MAX_VRINGH : ACCESSES_MAX;
}

static inline void
rig_end(struct rig *r)
{
	r->side = SIDE_NONE;
}

/* An operation of ring code, watched. */
#define RIG_CALL(r, of_side, call) \
	({ \
		rig_begin(r, of_side); \
		__auto_type ret_ = (call); \
		rig_end(r); \
		ret_; \
	})
#define RIG_DO(r, of_side, call) \
	do { \
		rig_begin(r, of_side); \
		call; \
		rig_end(r); \
	} while (0)
#define DRV(r, op, ...) RIG_CALL(r, SIDE_DRIVER, (r)->drv->op((r)->driver, ##__VA_ARGS__))
#define DEV(r, op, ...) RIG_CALL(r, SIDE_DEVICE, (r)->dev->op((r)->device, ##__VA_ARGS__))

/* --- host ----------------------------------------------------------------------------------- */

static inline void *
rig_map(void *ctx, uint64_t gpa, uint64_t len)
{
	struct rig *r = ctx;

	return gpa <= RAM_BYTES && len <= RAM_BYTES - gpa ? r->ram + gpa : NULL;
}

static inline void *
rig_take(void *ctx, size_t size)
{
	return calloc(1, size);
}

static inline void
rig_give(void *ctx, void *block, size_t size)
{
	free(block);
}

static inline void
rig_complain(void *ctx, const char *what, uint64_t value)
{
	struct rig *r = ctx;

	r->complaints++;
	rig_say(r, "complaint: %s (%llu)", what, (unsigned long long)value);
}

/* --- life ----------------------------------------------------------------------------------- */

static inline void
rig_place(struct rig *r)
{
	if (r->packed) {
		struct ring_packed_layout layout;

		ring_packed_layout_init(&layout, r->plan->size);
		ring_packed_layout_place(&layout, RINGS_AT, &r->vring);
		r->ring_bytes = layout.bytes;
	} else {
		struct ring_split_layout layout;

		ring_split_layout_init(&layout, r->plan->size, 4);
		ring_split_layout_place(&layout, RINGS_AT, &r->vring);
		r->ring_bytes = layout.bytes;
	}
}

static inline void
rig_create(struct rig *r, const struct plan *plan)
{
	r->plan = plan;
	r->drv = plan->driver->driver;
	r->dev = plan->careless ? plan->careless : plan->device->device;
	r->host = (struct dp_host){ r, rig_map, rig_take, rig_give, rig_complain };
	r->packed = virtio_has(plan->features, VIRTIO_F_RING_PACKED);
	r->event = virtio_has(plan->features, VIRTIO_RING_F_EVENT_IDX);
	r->in_order = virtio_has(plan->features, VIRTIO_F_IN_ORDER);
	r->indirect = virtio_has(plan->features, VIRTIO_RING_F_INDIRECT_DESC);
	r->native_driver = plan->driver == &datapath_native;
	r->native_device = plan->device == &datapath_native;
	r->vring = (struct dp_vring){ .features = plan->features,
				      .quirks = plan->quirks,
				      .start_idx = plan->start_idx };
	memset(r->ram, 0, RAM_BYTES);
	rig_place(r);
	r->complaints = r->mutations = 0;
	rig_end(r);
	if (r->drv->init(&r->driver, &r->vring, &r->host)) {
		r->vring.start_idx = 0; /* it has no other beginning */
		must(!r->drv->init(&r->driver, &r->vring, &r->host));
	}
	must(!r->dev->init(&r->device, &r->vring, &r->host));
	must(!r->dev->init(&r->other, &r->vring, &r->host));
}

static inline void
rig_destroy(struct rig *r)
{
	rig_end(r);
	r->drv->destroy(r->driver);
	r->dev->destroy(r->device);
	r->dev->destroy(r->other);
}

/* --- plans ---------------------------------------------------------------------------------- */

/* Ring code that there is: ours, Linux's, and a plugin if one was named. */
static const struct datapath *rig_path[3] = { &datapath_native };
static unsigned rig_paths = 1;
static const char *rig_plugin_file = "";
static const struct datapath *rig_plugin; /* one side at least is its */

static inline const struct datapath *
rig_pick(struct fuzz *f, bool driver)
{
	for (;;) {
		const struct datapath *p = rig_path[fuzz_below(f, rig_paths)];

		if (driver ? p->driver != NULL : p->device != NULL)
			return p;
	}
}

/* Any pair of them, with features that both have. */
static inline struct plan
rig_plan(struct fuzz *f)
{
	uint32_t bits = fuzz_below(f, 32);
	struct plan p = { .driver = rig_pick(f, true), .device = rig_pick(f, false) };

	while (rig_plugin && p.driver != rig_plugin && p.device != rig_plugin) {
		p.driver = rig_pick(f, true);
		p.device = rig_pick(f, false);
	}

	uint64_t both = p.driver->driver->features & p.device->device->features;
	bool packed;

	p.features = VIRTIO_BIT(VIRTIO_F_VERSION_1) |
		     (bits & 1 ? VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) : 0) |
		     (bits & 2 ? VIRTIO_BIT(VIRTIO_F_IN_ORDER) : 0) |
		     (bits & 4 ? VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) : 0) |
		     (bits & 8 ? VIRTIO_BIT(VIRTIO_F_NOTIFICATION_DATA) : 0) |
		     (bits & 16 ? VIRTIO_BIT(VIRTIO_F_RING_PACKED) : 0);
	p.features &= both;
	packed = virtio_has(p.features, VIRTIO_F_RING_PACKED);
	/* Linux 7.3 is wrong there, see sim/datapath/linux/README.md. */
	if (packed && p.driver == &datapath_linux)
		p.features &= ~VIRTIO_BIT(VIRTIO_F_IN_ORDER);
	p.size = (uint16_t)(packed ? 1 + fuzz_below(f, QUEUE_MAX) : 1u << fuzz_below(f, 7));
	if (!packed && fuzz_below(f, 2))
		p.start_idx = (uint16_t)(65536 - fuzz_below(f, 40));
	return p;
}

static inline void
plan_print(const struct plan *p)
{
	fprintf(stderr, "driver %s, device %s, %s, %u descriptors from index %u%s%s%s%s\n",
		p->driver->name, p->device->name,
		virtio_has(p->features, VIRTIO_F_RING_PACKED) ? "packed" : "split", p->size,
		p->start_idx, virtio_has(p->features, VIRTIO_RING_F_EVENT_IDX) ? ", event idx" : "",
		virtio_has(p->features, VIRTIO_RING_F_INDIRECT_DESC) ? ", indirect" : "",
		virtio_has(p->features, VIRTIO_F_IN_ORDER) ? ", in order" : "",
		virtio_has(p->features, VIRTIO_F_NOTIFICATION_DATA) ? ", notification data" : "");
}

/* --- lists ---------------------------------------------------------------------------------- */

struct list {
	struct op op[OPS_MAX];
	unsigned count;
};

/* What a fuzzer brings: begin() is called with the rig made, do_op() for each operation. */
struct rig_fuzzer {
	void (*begin)(struct rig *r);
	void (*do_op)(struct rig *r, const struct op *op);
};

/* Whether the list fails; then r->why says how, and r->at where. */
static inline bool
list_fails(struct rig *r, const struct rig_fuzzer *z, const struct plan *p, const struct list *l)
{
	volatile bool fails = true;

	r->at = 0;
	rig_create(r, p);
	z->begin(r);
	if (!setjmp(r->failed)) {
		for (unsigned i = 0; i < l->count; i++) {
			r->at = i;
			prng_seed(&r->prng, l->op[i].arg);
			z->do_op(r, &l->op[i]);
		}
		fails = false;
	}
	rig_destroy(r);
	return fails;
}

/* Until no operation can go: pieces of half the list first, then of a quarter, … */
static inline void
list_shrink(struct rig *r, const struct rig_fuzzer *z, const struct plan *p, struct list *l)
{
	static struct list shorter;

	l->count = r->at + 1;
	for (unsigned piece = l->count; piece > 0;) {
		bool gone = false;

		for (unsigned from = 0; from < l->count;) {
			unsigned n = piece < l->count - from ? piece : l->count - from;

			memcpy(shorter.op, l->op, from * sizeof(l->op[0]));
			memcpy(&shorter.op[from], &l->op[from + n],
			       (l->count - from - n) * sizeof(l->op[0]));
			shorter.count = l->count - n;
			if (list_fails(r, z, p, &shorter)) {
				*l = shorter;
				gone = true;
			} else {
				from += n;
			}
		}
		if (!gone || piece > l->count)
			piece = piece > 1 && piece > l->count ? l->count : piece / 2;
	}
	must(list_fails(r, z, p, l));
}

/* Print what a list that failed comes down to, and end the program. */
static inline void __attribute__((noreturn))
list_report(struct rig *r, const struct rig_fuzzer *z, const struct plan *p, struct list *l,
	    const struct fuzz *f)
{
	list_shrink(r, z, p, l);
	fprintf(stderr, "%s: round %llu: ", f->name, (unsigned long long)f->round);
	plan_print(p);
	r->say = true;
	list_fails(r, z, p, l);
	fprintf(stderr, "%s\nrepeat with: fuzz_%s 1 %llu %s\n", r->why, f->name,
		(unsigned long long)(f->seed + f->round), rig_plugin_file);
	exit(1);
}

/* --- a defect that must be found ------------------------------------------------------------ */

/* That lists of @z, made by @make, find the defect of @p within so many rounds, and shrink to at
 * most @longest operations: fuzzers that find nothing are no good. */
static inline void
rig_must_find(struct rig *r, const struct rig_fuzzer *z,
	      void (*make)(struct fuzz *f, struct list *l), const char *what, const struct plan *p,
	      unsigned rounds, unsigned longest)
{
	static struct list l;
	struct fuzz f = { .name = what };

	for (unsigned i = 0; i < rounds; i++) {
		prng_seed(&f.prng, 77 + i);
		make(&f, &l);
		if (!list_fails(r, z, p, &l))
			continue;
		list_shrink(r, z, p, &l);
		if (l.count <= longest)
			return;
		fprintf(stderr, "%s shrinks to %u operations only, not to %u: %s\n", what, l.count,
			longest, r->why);
		exit(1);
	}
	fprintf(stderr, "%s is not found in %u rounds\n", what, rounds);
	exit(1);
}

/* --- a program ------------------------------------------------------------------------------ */

/* fuzz_NOUN [rounds] [seed] [plugin]: with a plugin (datapath/plugin.h), pairs of which it is a
 * side.
 */

struct rig_main {
	int argc;
	char **argv;
	const char *name;
	uint64_t rounds;
	void (*first)(struct rig *r); /* what must be found */
	void (*round)(struct fuzz *f);
	int status;
};

static inline void
rig_in_world(struct world *w, void *arg)
{
	static const char guard[MARGIN];
	struct rig_main *m = arg;
	struct rig *r = &rig_storage;

	gm_create(w, RAM_BYTES + 2 * MARGIN);
	*r = (struct rig){ .watch.access = rig_access, .w = w };
	r->ram = (char *)gm_map(w, 0, RAM_BYTES + 2 * MARGIN) + MARGIN;
	world_set_watch(w, &r->watch);
	m->first(r);
	if (&datapath_linux)
		rig_path[rig_paths++] = &datapath_linux;
	if (m->argc > 3) {
		struct error err;

		rig_plugin_file = m->argv[3];
		rig_plugin = rig_path[rig_paths++] = plugin_load(m->argv[3], &err);
		if (!rig_plugin) {
			fprintf(stderr, "%s\n", err.text);
			exit(2);
		}
	}
	m->status = fuzz_main(m->argc, m->argv, m->name, m->rounds, m->round);
	must(!memcmp(r->ram - MARGIN, guard, MARGIN));
	must(!memcmp(r->ram + RAM_BYTES, guard, MARGIN));
	world_set_watch(w, NULL);
}

/* All of it runs in a world's set-up: there the hooks report, and nothing is a choice. */
static inline int
rig_main(struct rig_main *m)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);

	must(w);
	must(!world_setup(w, rig_in_world, m, &err));
	world_destroy(w);
	return m->status;
}

#endif
