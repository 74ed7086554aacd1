/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/registry.h"

#include <stdio.h>
#include <string.h>

#include "datapath/plugin_load.h"
#include "engine/world.h"

/* There when Linux's ring code was there to be built; the program links the whole library. */
extern const struct datapath datapath_linux __attribute__((weak));

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
	if (is_file(name))
		return plugin_load(name, err);
	error_set(err, "datapath %s: there are native, linux, and files: ./NAME.so", name);
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

/* --- a world's ------------------------------------------------------------------------------ */

struct datapath_world {
	struct datapath_choice choice;
	bool selected, used;
	uint64_t feature_mask, feature_value;
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
