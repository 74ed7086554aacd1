/* SPDX-License-Identifier: GPL-2.0-or-later */
/* API: background snapshots. */
#include "migration/bg_snapshot.h"

#include <stdio.h>

#include "script/machine_api.h"

#define CAPABILITIES_MAX 32

/* What scripts hold: the snapshot, and how many pages it has. */
struct script_snapshot {
	struct bg_snapshot *s;
	uint64_t pages;
};

static struct script_snapshot *
check_snapshot(lua_State *L)
{
	script_world(L);
	return api_check(L, 1, "background_snapshot");
}

/* "5.19" as 519. */
static unsigned
linux_version(lua_State *L)
{
	const char *text = api_string(L, 1, "linux", "5.19");
	unsigned major, minor;
	char rest;

	if (sscanf(text, "%u.%u%c", &major, &minor, &rest) != 2 || major > 99 || minor > 99)
		luaL_error(L, "linux: '%s' is no version; it is written as \"5.19\"", text);
	return major * 100 + minor;
}

/* capabilities = { "xbzrle", … }: what migrate_caps_check() says. */
static void
check_capabilities(lua_State *L)
{
	const char *list[CAPABILITIES_MAX + 1] = { NULL }, *refused;
	unsigned memory =
		api_word(L, 1, "memory", BG_SNAPSHOT_ANONYMOUS, bg_snapshot_memory_word, 3);
	int type = lua_getfield(L, 1, "capabilities");
	lua_Integer n = type == LUA_TTABLE ? (lua_Integer)lua_rawlen(L, -1) : 0;

	if ((type != LUA_TNIL && type != LUA_TTABLE) || n > CAPABILITIES_MAX)
		luaL_error(L, "capabilities: must be a list of at most %d words", CAPABILITIES_MAX);
	for (lua_Integer i = 1; i <= n; i++) {
		if (lua_rawgeti(L, -1, i) != LUA_TSTRING)
			luaL_error(L, "capabilities: must be a list of words");
		list[i - 1] = lua_tostring(L, -1);
		lua_pop(L, 1); /* the list keeps it */
	}
	refused = bg_snapshot_refused(list, (enum bg_snapshot_memory)memory, linux_version(L));
	if (refused && refused[0] == 'B')
		luaL_error(L, "background_snapshot: %s", refused);
	if (refused)
		luaL_error(L, "background_snapshot: Background-snapshot is not compatible with %s",
			   refused);
	lua_pop(L, 1);
}

static int
l_background_snapshot(lua_State *L)
{
	static const char *const allowed[] = { "vm",
					       "file",
					       "file_bandwidth",
					       "state_bytes",
					       "ring_page",
					       "capabilities",
					       "memory",
					       "linux",
					       "unplugged_first",
					       "unplugged_pages",
					       NULL };
	struct bg_snapshot_config config = bg_snapshot_config_default();
	struct script_snapshot *s;
	struct migration_vm *vm;
	struct ram *file;

	script_world(L);
	script_must_not_check(L, "background_snapshot");
	api_options(L, 1, "background_snapshot", allowed);
	vm = api_object(L, 1, "vm", "source_vm");
	file = api_object(L, 1, "file", "destination");
	if (!vm)
		return api_missing(L, "background_snapshot", "vm");
	if (!file)
		return api_missing(L, "background_snapshot", "file");
	if (vm->migration || vm->snapshot || vm->log_global || !vm->running)
		return luaL_error(L, "background_snapshot: the machine is being migrated or saved");
	if (ram_pages(vm->ram) != ram_pages(file))
		return luaL_error(L, "background_snapshot: the file is another machine's");
	check_capabilities(L);
	config.file_bandwidth = api_integer(L, 1, "file_bandwidth", 0, 0, INT64_C(1) << 50);
	config.state_bytes = (uint64_t)api_integer(L, 1, "state_bytes",
						   (lua_Integer)config.state_bytes, 1, 1 << 30);
	config.ring_page =
		(uint64_t)api_integer(L, 1, "ring_page", -1, -1, (lua_Integer)ram_pages(file) - 1);
	api_unplugged(L, ram_pages(file), &config.unplugged_first, &config.unplugged_pages);
	s = world_alloc(vm->w, sizeof(*s));
	s->s = bg_snapshot_start(vm, file, &config);
	s->pages = ram_pages(file);
	api_push(L, "background_snapshot", s);
	return 1;
}

static int
snapshot_l_wait(lua_State *L)
{
	struct bg_snapshot *s = check_snapshot(L)->s;
	const struct bg_snapshot_stats *t = bg_snapshot_stats(s);

	script_must_be_actor(L, "wait");
	bg_snapshot_wait(s);
	api_metric(L, "snapshot_pages", (int64_t)t->pages, "pages");
	api_metric(L, "snapshot_faults", (int64_t)t->faults, "pages");
	api_metric(L, "snapshot_total_ns", t->total_ns, "ns");
	api_metric(L, "snapshot_downtime_ns", t->downtime_ns, "ns");
	api_metric(L, "snapshot_wait_ns", t->wait_ns, "ns");
	api_metric(L, "snapshot_wait_max", t->wait_max_ns, "ns");
	return 0;
}

static int
snapshot_l_discard(lua_State *L)
{
	struct script_snapshot *s = check_snapshot(L);

	script_must_not_check(L, "discard");
	lua_pushboolean(L, bg_snapshot_discard(
				   s->s, (uint64_t)api_range(L, 2, 0, (lua_Integer)s->pages - 1)));
	return 1;
}

static int
snapshot_l_stats(lua_State *L)
{
	const struct bg_snapshot_stats *t = bg_snapshot_stats(check_snapshot(L)->s);

	lua_newtable(L);
	api_set_integer(L, "pages", (int64_t)t->pages);
	api_set_integer(L, "zero_pages", (int64_t)t->zero_pages);
	api_set_integer(L, "faults", (int64_t)t->faults);
	api_set_integer(L, "total_ns", t->total_ns);
	api_set_integer(L, "downtime_ns", t->downtime_ns);
	api_set_integer(L, "populated", (int64_t)t->populated);
	api_set_integer(L, "populate_ns", t->populate_ns);
	api_set_integer(L, "wait_ns", t->wait_ns);
	api_set_integer(L, "wait_max_ns", t->wait_max_ns);
	return 1;
}

const struct api_entry api_snapshot[] = {
	{ NULL, "background_snapshot",
	  "{vm=, file=, file_bandwidth=, state_bytes=, ring_page=, capabilities=, memory=, "
	  "linux=, unplugged_first=, unplugged_pages=} -> background_snapshot",
	  "save a running machine's memory as it is now; file: vm:destination(); ring_page: "
	  "written by a device that starts; capabilities, memory (anonymous, shmem, hugetlbfs) and "
	  "linux: whether QEMU 8.2 takes it",
	  l_background_snapshot },
	{ "background_snapshot", "wait", "()", "wait for its end and record its metrics",
	  snapshot_l_wait },
	{ "background_snapshot", "discard", "(page) -> done",
	  "a balloon gives the page back to the host; false: inhibited", snapshot_l_discard },
	{ "background_snapshot", "stats", "() -> table", "pages, faults, times", snapshot_l_stats },
	{ NULL, NULL, NULL, NULL, NULL }
};
