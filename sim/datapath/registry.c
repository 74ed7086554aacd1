/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/registry.h"

#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "datapath/barrier.h"
#include "datapath/plugin_load.h"
#include "engine/world.h"
#include "memory/access.h"
#include "virtio/features.h"
#include "virtio/ring_svq.h"
#include "virtio/spec.h"

/* Ring code stands alone, and says its barriers by numbers of its own. */
must_static((int)DP_FENCE_MB == FENCE_MB && (int)DP_FENCE_RMB == FENCE_RMB &&
		    (int)DP_FENCE_WMB == FENCE_WMB && (int)DP_FENCE_ACQUIRE == FENCE_ACQUIRE &&
		    (int)DP_FENCE_RELEASE == FENCE_RELEASE,
	    "ORDER FENCE");

/* There when Linux's ring code was there to be built; the program links the whole library. */
extern const struct datapath datapath_linux __attribute__((weak));

/* The driver side of QEMU's shadow virtqueue. */
static const struct datapath datapath_svq = { .name = "svq", .driver = &ring_svq_driver_ops };

/* --- names ---------------------------------------------------------------------------------- */

static bool
is_file(const char *name)
{
	size_t n = strlen(name);

	return strchr(name, '/') || (n >= 3 && !strcmp(name + n - 3, ".so"));
}

const char *
datapath_missing(const char *name)
{
	if (!strcmp(name, "linux") && !&datapath_linux)
		return "not built in: Ringside was built where there is no kernel source "
		       "(scripts/deps.sh installs Debian's; LINUX_SRC names another)";
	return NULL;
}

const struct datapath *
datapath_find(const char *name, struct error *err)
{
	const char *missing = datapath_missing(name);

	if (missing) {
		error_set(err, "datapath %s: %s", name, missing);
		return NULL;
	}
	if (!strcmp(name, "native"))
		return &datapath_native;
	if (!strcmp(name, "linux"))
		return &datapath_linux;
	if (!strcmp(name, "svq"))
		return &datapath_svq;
	if (is_file(name))
		return plugin_load(name, err);
	error_set(err, "datapath %s: there are native, linux, svq, and files: ./NAME.so", name);
	return NULL;
}

/* One side named by itself. */
static const struct datapath *
find_side(const char *name, bool driver, struct error *err)
{
	const struct datapath *dp = datapath_find(name, err);

	if (dp && (driver ? !dp->driver : !dp->device)) {
		error_set(err, "datapath %s has no %s side", name, driver ? "driver" : "device");
		return NULL;
	}
	return dp;
}

int
datapath_choose(struct datapath_choice *c, const char *text, struct error *err)
{
	const char *comma = strchr(text, ',');
	char first[DATAPATH_TEXT_MAX];
	const struct datapath *both;

	*c = (struct datapath_choice){ 0 };
	if (!*text || strlen(text) >= sizeof(c->text) || (comma && strchr(comma + 1, ',')))
		return error_set(err, "datapath %s: must be NAME or DRIVER,DEVICE", text);
	snprintf(c->text, sizeof(c->text), "%s", text);
	if (comma) {
		snprintf(first, sizeof(first), "%.*s", (int)(comma - text), text);
		c->driver = find_side(first, true, err);
		c->device = c->driver ? find_side(comma + 1, false, err) : NULL;
		return c->device ? 0 : -1;
	}
	both = datapath_find(text, err);
	if (!both)
		return -1;
	c->driver = both->driver ? both : &datapath_native;
	c->device = both->device ? both : &datapath_native;
	return 0;
}

/* --- kinds of rings -------------------------------------------------------------------------- */

static const struct {
	const char *word;
	uint64_t feature;
	const char *name; /* of the bit */
} ring_word[] = {
	{ "split", 0, "" },
	{ "packed", VIRTIO_BIT(VIRTIO_F_RING_PACKED), "VIRTIO_F_RING_PACKED" },
	{ "event_idx", VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX), "VIRTIO_RING_F_EVENT_IDX" },
	{ "indirect", VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC), "VIRTIO_RING_F_INDIRECT_DESC" },
	{ "in_order", VIRTIO_BIT(VIRTIO_F_IN_ORDER), "VIRTIO_F_IN_ORDER" },
};
#define RING_WORDS (sizeof(ring_word) / sizeof(ring_word[0]))

const uint64_t datapath_ring_features =
	VIRTIO_BIT(VIRTIO_F_RING_PACKED) | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) |
	VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_F_IN_ORDER);

int
datapath_can(const struct datapath *driver, const struct datapath *device, uint64_t features,
	     struct error *err)
{
	for (size_t i = 0; i < RING_WORDS; i++) {
		uint64_t f = features & ring_word[i].feature;

		if (f & ~driver->driver->features)
			return error_set(err, "the driver side of %s has no %s", driver->name,
					 ring_word[i].name);
		if (f & ~device->device->features)
			return error_set(err, "the device side of %s has no %s", device->name,
					 ring_word[i].name);
	}
	return 0;
}

int
datapath_ring_parse(const char *text, uint64_t *features, struct error *err)
{
	bool seen[RING_WORDS] = { false };

	*features = 0;
	for (const char *p = text; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
		size_t n = strcspn(p, ","), i = 0;

		while (i < RING_WORDS &&
		       (n != strlen(ring_word[i].word) || memcmp(ring_word[i].word, p, n)))
			i++;
		if (i == RING_WORDS || seen[i])
			break;
		seen[i] = true;
		*features |= ring_word[i].feature;
		if (!p[n])
			return seen[0] == seen[1]
				       ? error_set(err, "ring %s: is it split or packed?", text)
				       : 0;
	}
	return error_set(err,
			 "ring %s: must be split or packed, with any of event_idx, indirect and "
			 "in_order after a comma",
			 text);
}

char *
datapath_ring_text(uint64_t features, char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < RING_WORDS; i++) {
		bool on = i ? features & ring_word[i].feature
			    : !(features & VIRTIO_BIT(VIRTIO_F_RING_PACKED));

		if (on)
			n += (size_t)snprintf(text + n, DATAPATH_RING_TEXT_MAX - n, "%s%s",
					      n ? "," : "", ring_word[i].word);
	}
	return text;
}

/* --- a world's ------------------------------------------------------------------------------ */

struct datapath_world {
	struct datapath_choice choice;
	bool selected, used;
	uint64_t feature_mask, feature_value, asked;
	void *calls;
};

static struct datapath_world *
state_of(struct world *w)
{
	struct datapath_world *s = world_room(w, ROOM_DATAPATH);

	if (!s) {
		s = world_alloc(w, sizeof(*s));
		s->choice.driver = s->choice.device = &datapath_native;
		snprintf(s->choice.text, sizeof(s->choice.text), "native");
		world_set_room(w, ROOM_DATAPATH, s);
	}
	return s;
}

void
datapath_select(struct world *w, const struct datapath_choice *c)
{
	struct datapath_world *s = state_of(w);

	s->choice = *c;
	s->selected = true;
}

void
datapath_select_default(struct world *w, const char *text)
{
	struct datapath_choice c;
	struct error err;

	if (state_of(w)->selected)
		return;
	if (datapath_choose(&c, text, &err))
		world_fail(w, "%s", err.text);
	datapath_select(w, &c);
}

void
datapath_force_features(struct world *w, uint64_t mask, uint64_t value)
{
	struct datapath_world *s = state_of(w);

	s->feature_mask = mask;
	s->feature_value = value & mask;
}

uint64_t
datapath_features(const struct world *w, uint64_t features)
{
	const struct datapath_world *s = world_room(w, ROOM_DATAPATH);

	return s ? (features & ~s->feature_mask) | s->feature_value : features;
}

const struct datapath *
datapath_driver(struct world *w)
{
	struct datapath_world *s = state_of(w);

	s->used = true;
	return s->choice.driver;
}

const struct datapath *
datapath_device(struct world *w)
{
	struct datapath_world *s = state_of(w);

	s->used = true;
	return s->choice.device;
}

uint64_t
datapath_features_of_queue(struct world *w, uint64_t features)
{
	struct datapath_world *s = state_of(w);
	struct error err;

	s->asked |= features;
	if (datapath_can(s->choice.driver, s->choice.device, s->feature_value, &err))
		world_fail(w, "%s", err.text);
	return datapath_features(w, features);
}

uint64_t
datapath_features_asked(const struct world *w)
{
	const struct datapath_world *s = world_room(w, ROOM_DATAPATH);

	return s ? s->asked : 0;
}

void **
datapath_calls(struct world *w)
{
	return &state_of(w)->calls;
}

bool
datapath_used(const struct world *w)
{
	const struct datapath_world *s = world_room(w, ROOM_DATAPATH);

	return s && s->used;
}

const char *
datapath_text(const struct world *w)
{
	const struct datapath_world *s = world_room(w, ROOM_DATAPATH);

	return s ? s->choice.text : "native";
}
