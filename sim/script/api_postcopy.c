/* SPDX-License-Identifier: GPL-2.0-or-later */
/* API: postcopy, on a migration made by migrate{}. */
#include "migration/postcopy.h"

#include <string.h>

#include "kvm/memslot.h"
#include "script/machine_api.h"
#include "vmm/memory_listener.h"

static struct precopy *
check_migration(lua_State *L, const char *what)
{
	script_world(L);
	if (what)
		script_must_not_check(L, what);
	return api_check(L, 1, "migration");
}

static struct postcopy *
check_postcopy(lua_State *L, const char *what)
{
	struct precopy *m = check_migration(L, what);

	if (!postcopy_of(m))
		luaL_error(L, "%s: call postcopy_ram() first, where migrate{} is called", what);
	return postcopy_of(m);
}

static uint64_t
check_page(lua_State *L, int arg, const struct precopy *m)
{
	return (uint64_t)api_range(L, arg, 0, (lua_Integer)ram_pages(precopy_destination(m)) - 1);
}

static int
migration_l_postcopy_ram(lua_State *L)
{
	static const char *const allowed[] = { "preempt",    "preempt_as",   "release_ram",
					       "big_endian", "socket_bytes", "load_page",
					       NULL };
	struct precopy *m = check_migration(L, "postcopy_ram");
	struct postcopy_config c = { 0 };

	if (!lua_isnoneornil(L, 2)) {
		api_options(L, 2, "postcopy_ram", allowed);
		if (api_boolean(L, 2, "preempt", false))
			c.preempt = POSTCOPY_PREEMPT_THREAD;
		c.preempt = api_word(L, 2, "preempt_as", c.preempt, postcopy_preempt_word,
				     POSTCOPY_PREEMPTS);
		c.release_ram = api_boolean(L, 2, "release_ram", false);
		c.big_endian = api_boolean(L, 2, "big_endian", false);
		c.socket_bytes = (uint64_t)api_integer(L, 2, "socket_bytes", POSTCOPY_SOCKET_BYTES,
						       4096, INT64_C(1) << 30);
	}
	if (!lua_isnoneornil(L, 2) && lua_getfield(L, 2, "load_page") != LUA_TNIL) {
		c.load_touches = true;
		c.load_page = check_page(L, -1, m);
	}
	if (!postcopy_possible(m))
		return luaL_error(L, "postcopy_ram: only before the migration runs, once, and not "
				     "with multifd_channels (QEMU b405dfff1e)");
	postcopy_enable(m, &c);
	return 0;
}

static int
migration_l_start_postcopy(lua_State *L)
{
	postcopy_start(check_postcopy(L, "start_postcopy"));
	return 0;
}

static int
migration_l_vcpu(lua_State *L)
{
	struct postcopy *p = check_postcopy(L, "vcpu");

	api_push(
		L, "postcopy_vcpu",
		postcopy_add_vcpu(p, world_strdup(script_world(L), luaL_optstring(L, 2, "vcpu0"))));
	return 1;
}

static int
migration_l_break_link(lua_State *L)
{
	lua_pushboolean(L, postcopy_break_link(check_postcopy(L, "break_link")));
	return 1;
}

static int
migration_l_break_preempt(lua_State *L)
{
	lua_pushboolean(L, postcopy_break_preempt(check_postcopy(L, "break_preempt")));
	return 1;
}

static int
migration_l_pause(lua_State *L)
{
	lua_pushboolean(L, postcopy_pause(check_postcopy(L, "pause")));
	return 1;
}

static int
migration_l_wait_for(lua_State *L)
{
	struct postcopy *p = check_postcopy(L, "wait_for");
	const char *word = luaL_checkstring(L, 2);

	script_must_be_actor(L, "wait_for");
	for (int s = PRECOPY_POSTCOPY_ACTIVE; s <= PRECOPY_POSTCOPY_RECOVER; s++)
		if (!strcmp(word, precopy_state_word[s])) {
			lua_pushboolean(L, postcopy_wait_state(p, (enum precopy_state)s));
			return 1;
		}
	return luaL_error(L,
			  "wait_for: '%s' is none of: postcopy-active postcopy-paused "
			  "postcopy-recover",
			  word);
}

static int
migration_l_resize_block(lua_State *L)
{
	struct postcopy *p = check_postcopy(L, "resize_block");
	const struct ram_block *blocks;
	unsigned n = ram_blocks(precopy_destination(postcopy_migration(p)), &blocks);
	unsigned block = (unsigned)api_range(L, 2, 1, n) - 1;

	postcopy_resize_block(p, block,
			      (uint64_t)api_range(L, 3, 1, (lua_Integer)blocks[block].pages));
	return 0;
}

static int
migration_l_recover(lua_State *L)
{
	struct postcopy *p = check_postcopy(L, "recover");

	script_must_be_actor(L, "recover");
	lua_pushboolean(L, postcopy_recover(p));
	return 1;
}

static int
migration_l_hint(lua_State *L)
{
	struct precopy *m = check_migration(L, "hint");
	lua_Integer pages = (lua_Integer)ram_pages(precopy_destination(m));
	uint64_t first = check_page(L, 2, m);
	uint64_t count = 1;

	if (!lua_isnoneornil(L, 3))
		count = (uint64_t)api_range(L, 3, 1, pages - (lua_Integer)first);
	lua_pushinteger(L, (lua_Integer)postcopy_hint(m, first, count));
	return 1;
}

static int
vm_l_mark_dirty(lua_State *L)
{
	struct migration_vm *vm;
	uint64_t page;

	script_world(L);
	script_must_not_check(L, "mark_dirty");
	vm = api_check(L, 1, "source_vm");
	page = (uint64_t)api_range(L, 2, 0, (lua_Integer)ram_pages(vm->ram) - 1);
	memory_listener_set_dirty(vm->listener, page << KVM_PAGE_SHIFT, 1);
	return 0;
}

static int
migration_l_postcopy_stats(lua_State *L)
{
	const struct postcopy_stats *s = postcopy_stats(check_postcopy(L, "postcopy_stats"));

	lua_newtable(L);
	api_set_integer(L, "discarded", (int64_t)s->discarded);
	api_set_integer(L, "pushed", (int64_t)s->pushed);
	api_set_integer(L, "requested", (int64_t)s->requested);
	api_set_integer(L, "urgent", (int64_t)s->urgent);
	api_set_integer(L, "recovered", (int64_t)s->recovered);
	api_set_integer(L, "faults", (int64_t)s->faults);
	api_set_integer(L, "broken", (int64_t)s->broken);
	api_set_integer(L, "pauses", (int64_t)s->pauses);
	api_set_integer(L, "blocktime_all_ns", s->blocktime_all_ns);
	api_set_integer(L, "blocktime_ns", s->blocktime_ns);
	api_set_integer(L, "blocktime_max_ns", s->blocktime_max_ns);
	api_metric(L, "postcopy_requests", (int64_t)s->requested, "pages");
	api_metric(L, "postcopy_faults", (int64_t)s->faults, "pages");
	api_metric(L, "postcopy_discarded", (int64_t)s->discarded, "pages");
	api_metric(L, "postcopy_blocktime_ns", s->blocktime_ns, "ns");
	api_metric(L, "postcopy_blocktime_max", s->blocktime_max_ns, "ns");
	return 1;
}

static int
access_page(lua_State *L, const char *what, bool write)
{
	struct postcopy_vcpu *v = api_check(L, 1, "postcopy_vcpu");
	const struct precopy *m = postcopy_migration(postcopy_vcpu_of(v));

	script_world(L);
	script_must_be_actor(L, what);
	lua_pushboolean(L, postcopy_access(v, check_page(L, 2, m), write));
	return 1;
}

static int
vcpu_l_read(lua_State *L)
{
	return access_page(L, "read", false);
}

static int
vcpu_l_write(lua_State *L)
{
	return access_page(L, "write", true);
}

static int
vcpu_l_blocktime(lua_State *L)
{
	const struct postcopy_vcpu_stats *s;

	script_world(L);
	s = postcopy_vcpu_stats(api_check(L, 1, "postcopy_vcpu"));
	lua_newtable(L);
	api_set_integer(L, "faults", (int64_t)s->faults);
	api_set_integer(L, "blocktime_ns", s->blocktime_ns);
	api_set_integer(L, "blocktime_max_ns", s->blocktime_max_ns);
	return 1;
}

const struct api_entry api_postcopy[] = {
	{ "migration", "postcopy_ram",
	  "([{preempt=, preempt_as=, release_ram=, big_endian=, socket_bytes=, load_page=}])",
	  "capability postcopy-ram, with preempt also postcopy-preempt (preempt_as: \"7.1\", "
	  "\"8.0\", \"10.1\"), load_page: loading a device reads it; right after migrate{}",
	  migration_l_postcopy_ram },
	{ "migration", "start_postcopy", "()", "migrate_start_postcopy",
	  migration_l_start_postcopy },
	{ "migration", "vcpu", "([name]) -> postcopy_vcpu",
	  "a vCPU of the guest once it runs there", migration_l_vcpu },
	{ "migration", "break_link", "() -> done",
	  "the link fails: both sides pause; false unless the guest left and pages are missing",
	  migration_l_break_link },
	{ "migration", "break_preempt", "() -> done",
	  "the preempt channel alone fails; false where there is none", migration_l_break_preempt },
	{ "migration", "pause", "() -> done",
	  "migrate_pause: false but in postcopy-active and postcopy-recover", migration_l_pause },
	{ "migration", "wait_for", "(state) -> reached",
	  "postcopy-active, postcopy-paused or postcopy-recover; false: it ended before",
	  migration_l_wait_for },
	{ "migration", "recover", "() -> done",
	  "migrate_recover over another link; false if it failed again, or cannot be",
	  migration_l_recover },
	{ "migration", "resize_block", "(block, pages)",
	  "the destination's firmware gives a block (from 1 on) another size",
	  migration_l_resize_block },
	{ "migration", "hint", "(page [, count]) -> pages",
	  "the guest's hint that they are free; how many need not be sent: none with postcopy-ram",
	  migration_l_hint },
	{ "migration", "postcopy_stats", "() -> table",
	  "requests, discards, time that vCPUs waited; recorded as metrics",
	  migration_l_postcopy_stats },
	{ "postcopy_vcpu", "read", "(page) -> done",
	  "waits until the guest runs there and the page has come; false if it never runs there",
	  vcpu_l_read },
	{ "postcopy_vcpu", "write", "(page) -> done", "the same, and writes it", vcpu_l_write },
	{ "postcopy_vcpu", "blocktime", "() -> table",
	  "postcopy-vcpu-blocktime: how long it waited, at most, and how often", vcpu_l_blocktime },
	{ "source_vm", "mark_dirty", "(page)", "QEMU notes a page as written, though it was not",
	  vm_l_mark_dirty },
	{ NULL, NULL, NULL, NULL, NULL }
};
