/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conformance matrix: which cells there are, and which of them cannot be.
 *
 * A variant has a home: the rings and the memory model that it has by itself, with native ring code
 * on both sides.  What it expects at home is what `ringside test` wants of it.  Elsewhere:
 *
 *	holds, without a fault     must hold in every cell that can be
 *	holds in spite of a fault  is about its home; other rings are no cells of it
 *	names a memory model       is about that one
 *	fails                      fails where the mechanism is: a fault of ring code only in ring
 *	                           code that has the place, and with the features it needs; if
 *	                           nothing is found elsewhere, nobody says that it must: skipped
 */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/runner.h"
#include "cli/test.h"
#include "datapath/native.h"
#include "datapath/registry.h"
#include "virtio/spec.h"

#define DATAPATHS_MAX 6u
#define RUNS_HOLDING 100u /* schedules of a cell, where --runs does not say */
#define RUNS_FAILING 500u

struct matrix {
	const struct options *o;
	test_add_fn add;
	void *arg;
	/* Names, and the ring code or why there is none. */
	char name[DATAPATHS_MAX][100];
	const struct datapath *datapath[DATAPATHS_MAX];
	const char *missing[DATAPATHS_MAX];
	unsigned datapaths;
	/* The variant in hand. */
	const char *path;
	struct scenario *s;
	const struct scenario_variant *v;
	bool used; /* it has virtqueues */
	char own_datapath[DATAPATH_TEXT_MAX]; /* that the scenario names; "native" else */
	uint64_t home_features;
	enum memory_model home_memory;
};

/* --- ring code ------------------------------------------------------------------------------ */

static int
add_datapath(struct matrix *m, const char *name, size_t n, struct error *err)
{
	unsigned i = m->datapaths;

	if (n >= sizeof(m->name[0]) || i == DATAPATHS_MAX)
		return error_set(err, "--datapath: too many, or a name that is too long");
	snprintf(m->name[i], sizeof(m->name[i]), "%.*s", (int)n, name);
	for (unsigned k = 0; k < i; k++)
		if (!strcmp(m->name[k], m->name[i]))
			return 0;
	m->datapaths++;
	m->missing[i] = datapath_missing(m->name[i]);
	if (m->missing[i])
		return 0;
	m->datapath[i] = datapath_find(m->name[i], err);
	return m->datapath[i] ? 0 : -1;
}

static int
find_datapaths(struct matrix *m, struct error *err)
{
	const char *more = m->o->datapath;

	if (add_datapath(m, "native", 6, err) || add_datapath(m, "linux", 5, err))
		return -1;
	while (more && *more) {
		size_t n = strcspn(more, ",");

		if (add_datapath(m, more, n, err))
			return error_prefix(err, "--datapath");
		more += n + (more[n] == ',');
	}
	return 0;
}

/* --- what cannot be ------------------------------------------------------------------------- */

struct place {
	unsigned driver, device; /* of the datapaths */
	uint64_t features;
	enum memory_model memory;
};

/* ORDER AXIS: which bit a kind of ring is about. */
static const uint64_t axis_feature[AXES] = {
	[AXIS_RING] = VIRTIO_BIT(VIRTIO_F_RING_PACKED),
	[AXIS_EVENT_IDX] = VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX),
	[AXIS_INDIRECT] = VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC),
	[AXIS_IN_ORDER] = VIRTIO_BIT(VIRTIO_F_IN_ORDER),
};

static bool
own_axis(const struct matrix *m, const struct place *p, struct error *why)
{
	for (unsigned i = 0; i < AXES; i++) {
		bool away = i == AXIS_DRIVER   ? p->driver != 0
			    : i == AXIS_DEVICE ? p->device != 0
			    : i == AXIS_MEMORY ? p->memory != m->home_memory
					       : (p->features ^ m->home_features) & axis_feature[i];

		if (!(m->s->matrix_own >> i & 1) || !away)
			continue;
		error_set(why, "%s sets its own %s", m->s->name, scenario_axis_name[i]);
		return true;
	}
	return false;
}

static bool
no_datapath(const struct matrix *m, const struct place *p, struct error *why)
{
	const struct datapath *driver = m->datapath[p->driver], *device = m->datapath[p->device];
	unsigned missing = driver ? p->device : p->driver;
	char text[DATAPATH_TEXT_MAX];

	snprintf(text, sizeof(text), "%s,%s", m->name[p->driver], m->name[p->device]);
	if (!driver || !device)
		error_set(why, "datapath %s: %s", m->name[missing], m->missing[missing]);
	else if (!driver->driver || !device->device)
		error_set(why, "%s has no %s side", m->name[driver->driver ? p->device : p->driver],
			  driver->driver ? "device" : "driver");
	else if (!datapath_can(driver, device, p->features, why) &&
		 (!strcmp(m->own_datapath, "native") || !strcmp(m->own_datapath, text)))
		return false;
	else if (!datapath_can(driver, device, p->features, why))
		error_set(why, "%s names datapath %s", m->s->name, m->own_datapath);
	return true;
}

/* A fault of ring code in ring code that has it not, or with rings that it does not concern. */
static bool
no_mechanism(const struct matrix *m, const struct place *p, struct error *why)
{
	const struct datapath *driver = m->datapath[p->driver], *device = m->datapath[p->device];

	for (unsigned i = 0; i < m->v->faults; i++) {
		const char *fault = fault_info[m->v->fault[i]].name;
		bool matters;
		uint64_t quirk = native_quirk_of(m->v->fault[i], p->features, &matters);

		if (quirk && !((driver->driver->quirks | device->device->quirks) & quirk))
			error_set(why, "fault %s is not in the ring code", fault);
		else if (quirk && !strncmp(fault, "driver.", 7) &&
			 !(driver->driver->quirks & quirk))
			error_set(why, "fault %s is not in the driver side of %s", fault,
				  driver->name);
		else if (quirk && !strncmp(fault, "device.", 7) &&
			 !(device->device->quirks & quirk))
			error_set(why, "fault %s is not in the device side of %s", fault,
				  device->name);
		else if (!matters)
			error_set(why, "fault %s does nothing to rings of this kind", fault);
		else
			continue;
		return true;
	}
	return false;
}

static bool
at_home(const struct matrix *m, const struct place *p)
{
	return p->features == m->home_features && p->memory == m->home_memory;
}

static bool
cannot_be(const struct matrix *m, const struct place *p, struct error *why)
{
	if (!m->used) {
		error_set(why, "%s makes no virtqueue", m->s->name);
		return true;
	}
	if (no_datapath(m, p, why) || own_axis(m, p, why) || no_mechanism(m, p, why))
		return true;
	if (m->v->memory >= 0 && p->memory != m->home_memory) {
		error_set(why, "%s:%s is about the memory model %s", m->s->name, m->v->name,
			  memory_model_name[m->home_memory]);
		return true;
	}
	if (m->v->expect != VERDICT_OK || !m->v->faults || at_home(m, p))
		return false;
	error_set(why, "%s:%s holds with its faults, and says so of its own rings only", m->s->name,
		  m->v->name);
	return true;
}

/* --- cells ---------------------------------------------------------------------------------- */

static int
add_cell(struct matrix *m, const struct place *p, struct error *err)
{
	const struct scenario_variant *v = m->v;
	struct test_cell *cell = calloc(1, sizeof(*cell));
	uint64_t most = m->o->runs		  ? m->o->runs
			: v->expect == VERDICT_OK ? RUNS_HOLDING
						  : RUNS_FAILING;
	struct error why;
	char *name;

	must(cell && asprintf(&name, "%s:%s", m->path, v->name) >= 0);
	snprintf(cell->datapath, sizeof(cell->datapath), "%s,%s", m->name[p->driver],
		 m->name[p->device]);
	if (!strcmp(m->own_datapath, "native") && !p->driver && !p->device)
		cell->home = at_home(m, p);
	datapath_ring_text(p->features, cell->ring);
	cell->memory = memory_model_name[p->memory];
	/* At home a failing variant has the runs that it asks for: there it must fail. */
	cell->runs = v->complete || (cell->home && v->expect != VERDICT_OK) || v->runs > most
			     ? most
			     : v->runs;
	if (cell->home && v->expect != VERDICT_OK && !v->complete)
		cell->runs = v->runs;
	if (cannot_be(m, p, &why))
		snprintf(cell->impossible, sizeof(cell->impossible), "%.200s", why.text);
	return m->add(m->arg, name, NULL, cell, err);
}

/* Bit k of a column is the k-th of these. */
static uint64_t
column_features(unsigned column)
{
	static const enum scenario_axis order[] = { AXIS_EVENT_IDX, AXIS_INDIRECT, AXIS_IN_ORDER,
						    AXIS_RING };
	uint64_t features = 0;

	for (unsigned k = 0; k < 4; k++)
		if (column >> k & 1)
			features |= axis_feature[order[k]];
	return features;
}

static int
add_variant(struct matrix *m, struct error *err)
{
	int only = m->o->memory ? memory_model_find(m->o->memory, err) : -1;

	if (m->o->memory && only < 0)
		return error_prefix(err, "--memory");
	for (unsigned pair = 0; pair < m->datapaths * m->datapaths; pair++) {
		for (int memory = 0; memory < MEMORY_MODELS; memory++) {
			struct place p = { .driver = pair / m->datapaths,
					   .device = pair % m->datapaths,
					   .memory = (enum memory_model)memory };

			if (only >= 0 && memory != only)
				continue;
			for (unsigned i = 0; i < TEST_MATRIX_COLUMNS; i++) {
				p.features = column_features(i);
				if (add_cell(m, &p, err))
					return -1;
			}
		}
	}
	return 0;
}

/* Set the variant up as it is by itself, and see what that is. */
static int
look_at_home(struct matrix *m, const char *name, struct error *err)
{
	struct options by_itself = *m->o;
	struct session s;

	by_itself.datapath = by_itself.ring = by_itself.memory = NULL;
	if (session_open(&s, name, &by_itself, err))
		return -1;
	m->used = datapath_used(s.w);
	m->home_features = datapath_features_asked(s.w) & datapath_ring_features;
	m->home_memory = memory_model_of(s.w);
	snprintf(m->own_datapath, sizeof(m->own_datapath), "%s", datapath_text(s.w));
	session_close(&s);
	return 0;
}

static int
add_scenario(struct matrix *m, struct error *err)
{
	for (unsigned k = 0; k < m->s->variants; k++) {
		struct error broken;
		char *name;
		int ret;

		m->v = &m->s->variant[k];
		must(asprintf(&name, "%s:%s", m->path, m->v->name) >= 0);
		ret = look_at_home(m, name, &broken);
		if (ret)
			ret = m->add(m->arg, strdup(name), strdup(broken.text), NULL, err);
		else
			ret = add_variant(m, err);
		free(name);
		if (ret)
			return -1;
	}
	return 0;
}

/* In a folder: those that say so, and those of ring/ that do not say no. */
static bool
takes_part(const struct matrix *m)
{
	for (int i = 0; i < m->o->arg_count; i++)
		if (!strcmp(m->o->args[i], m->path))
			return true;
	return m->s->matrix == MATRIX_IN ||
	       (m->s->matrix == MATRIX_UNSAID && strstr(m->path, "/ring/"));
}

int
test_matrix_list(const struct options *o, const char *const *path, size_t count, test_add_fn add,
		 void *arg, struct error *err)
{
	struct matrix m = { .o = o, .add = add, .arg = arg };

	if (find_datapaths(&m, err))
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct scenario s;
		struct error broken;
		int ret = 0;

		m.path = path[i];
		m.s = &s;
		if (scenario_load(path[i], &s, &broken)) {
			ret = add(arg, strdup(path[i]), strdup(broken.text), NULL, err);
		} else {
			if (takes_part(&m))
				ret = add_scenario(&m, err);
			scenario_free(&s);
		}
		if (ret)
			return -1;
	}
	return 0;
}
