/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * API: guest memory from a script.  Each access is a point, before it takes effect: scripts race
 * with each other and with ring code as vCPUs and devices do.  Values are little-endian, as
 * virtio's.
 */
#include <string.h>

#include "memory/guest_memory.h"
#include "memory/model.h"
#include "script/api.h"

#define RAM_BYTES_MAX (INT64_C(1) << 34)
#define TRANSFER_BYTES_MAX (1 << 20)

static int
ram_create(lua_State *L)
{
	struct world *w = script_world(L);
	lua_Integer bytes = api_range(L, 1, 4096, RAM_BYTES_MAX);

	if (gm_size(w))
		return luaL_error(L, "ram: the guest has memory already (%I bytes)",
				  (lua_Integer)gm_size(w));
	gm_create(w, (uint64_t)bytes);
	return 0;
}

static int
ram_alloc(lua_State *L)
{
	struct world *w = script_world(L);
	lua_Integer bytes = api_range(L, 1, 1, RAM_BYTES_MAX);
	lua_Integer align = luaL_optinteger(L, 2, 16);
	uint64_t gpa;

	if (!gm_size(w))
		return luaL_error(
			L, "ram_alloc: the guest has no memory: ram(bytes) or machine{} first");
	if (align < 1 || (align & (align - 1)))
		return luaL_error(L, "ram_alloc: alignment %I is no power of two", align);
	gpa = gm_alloc(w, (uint64_t)bytes, (uint64_t)align);
	if (!lua_isnoneornil(L, 3))
		gm_region(w, gpa, (uint64_t)bytes, luaL_checkstring(L, 3), NULL, NULL);
	lua_pushinteger(L, (lua_Integer)gpa);
	return 1;
}

static unsigned
check_size(lua_State *L, int arg)
{
	lua_Integer size = luaL_optinteger(L, arg, 4);

	if (size != 1 && size != 2 && size != 4 && size != 8)
		luaL_error(L, "an access has 1, 2, 4 or 8 bytes, not %I", size);
	return (unsigned)size;
}

static int
outside(lua_State *L, lua_Integer gpa)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)gpa);
	return luaL_error(L, "gpa %s is outside of the guest's memory", text);
}

static int
ram_load(lua_State *L)
{
	struct world *w = script_world(L);
	lua_Integer gpa = luaL_checkinteger(L, 1);
	unsigned size = check_size(L, 2);
	uint8_t bytes[8];
	uint64_t value = 0;

	if (!script_of(L)->checking)
		actor_point(w);
	if (!gm_read(w, (uint64_t)gpa, bytes, size))
		return outside(L, gpa);
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	lua_pushinteger(L, (lua_Integer)value);
	return 1;
}

static int
ram_store(lua_State *L)
{
	struct world *w = script_world(L);
	lua_Integer gpa = luaL_checkinteger(L, 1);
	uint64_t value = (uint64_t)luaL_checkinteger(L, 2);
	unsigned size = check_size(L, 3);
	uint8_t bytes[8];

	script_must_not_check(L, "ram_store");
	for (unsigned i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	actor_point(w);
	if (!gm_write(w, (uint64_t)gpa, bytes, size))
		return outside(L, gpa);
	return 0;
}

static int
ram_read(lua_State *L)
{
	struct world *w = script_world(L);
	lua_Integer gpa = luaL_checkinteger(L, 1);
	size_t size = (size_t)api_range(L, 2, 0, TRANSFER_BYTES_MAX);
	luaL_Buffer b;
	char *to = luaL_buffinitsize(L, &b, size);

	if (!script_of(L)->checking)
		actor_point(w);
	if (!gm_read(w, (uint64_t)gpa, to, size))
		return outside(L, gpa);
	luaL_pushresultsize(&b, size);
	return 1;
}

static int
ram_write(lua_State *L)
{
	struct world *w = script_world(L);
	lua_Integer gpa = luaL_checkinteger(L, 1);
	size_t size;
	const char *bytes = luaL_checklstring(L, 2, &size);

	script_must_not_check(L, "ram_write");
	actor_point(w);
	if (!gm_write(w, (uint64_t)gpa, bytes, size))
		return outside(L, gpa);
	return 0;
}

static int
skip_barrier(lua_State *L)
{
	struct world *w = script_world(L);
	const char *function = luaL_checkstring(L, 1);
	const char *word = luaL_checkstring(L, 2);
	int kind = memory_fence_kind(word);

	if (!gm_size(w))
		return luaL_error(L, "skip_barrier: after machine{}, raw{} or ram()");
	if (kind < 0)
		return luaL_error(L,
				  "skip_barrier: '%s' is no kind of barrier; there are: mb rmb wmb "
				  "acquire release",
				  word);
	if (!*function)
		return luaL_error(L, "skip_barrier: of which function?");
	if (!memory_skip_barrier(w, function, kind))
		return luaL_error(L, "skip_barrier: no more than eight");
	return 0;
}

const struct api_entry api_memory[] = {
	{ NULL, "ram", "(bytes)", "give the guest memory; machine{} does it by itself",
	  ram_create },
	{ NULL, "ram_alloc", "(bytes [, align [, name]]) -> gpa",
	  "guest memory for the scenario; the name is shown in lanes", ram_alloc },
	{ NULL, "ram_load", "(gpa [, size]) -> value", "read 1, 2, 4 (default) or 8 bytes",
	  ram_load },
	{ NULL, "ram_store", "(gpa, value [, size])", "write 1, 2, 4 (default) or 8 bytes",
	  ram_store },
	{ NULL, "ram_read", "(gpa, bytes) -> string", "copy bytes out", ram_read },
	{ NULL, "ram_write", "(gpa, string)", "copy bytes in", ram_write },
	{ NULL, "skip_barrier", "(function, kind)",
	  "leave out the barriers of a kind (mb, rmb, wmb, acquire, release) in functions of ring "
	  "code whose names begin so",
	  skip_barrier },
	{ NULL, NULL, NULL, NULL, NULL }
};
