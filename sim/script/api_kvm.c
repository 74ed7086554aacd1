/* SPDX-License-Identifier: GPL-2.0-or-later */
/* API: KVM's memory slots and QEMU's listener on them. */
#include <string.h>

#include "kvm/dirty_log.h"
#include "kvm/dirty_ring.h"
#include "memory/guest_memory.h"
#include "script/kvm_api.h"

/* Room for rings, where the script made no memory itself. */
#define RING_RAM_BYTES (UINT64_C(1) << 20)

struct script_kvm *
api_kvm_check(lua_State *L)
{
	script_world(L);
	return api_check(L, 1, "kvm");
}

/* ORDER KVM_HOST */
static const char *const host_words[] = { "x86", "x86-pml", "arm64", "3.19" };
static const struct kvm_rules *const host_rules[] = { &kvm_rules_today, &kvm_rules_today_pml,
						      &kvm_rules_arm64, &kvm_rules_3_19 };

/* What userspace asks for by itself, without QEMU's listener. */
static void
enable_by_hand(lua_State *L, struct script_kvm *k, uint64_t ring_bytes)
{
	static const char *const words[] = { "off", "on", "initially_set" };
	static const uint64_t args[] = { 0, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE,
					 KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
						 KVM_DIRTY_LOG_INITIALLY_SET };
	unsigned manual = api_word(L, 1, "manual", 0, words, 3);

	if (ring_bytes && kvm_enable_dirty_log_ring(k->kvm, ring_bytes))
		luaL_error(L, "kvm: ring: this host has no dirty ring of %d bytes",
			   (int)ring_bytes);
	if (ring_bytes)
		kvm_enable_dirty_log_ring_with_bitmap(k->kvm);
	if (manual && kvm_enable_manual_dirty_log_protect2(k->kvm, args[manual]))
		luaL_error(L, "kvm: manual: this host has no manual protection");
}

static void
make_listener(lua_State *L, struct script_kvm *k, uint64_t ring_bytes)
{
	struct world *w = script_world(L);
	const char *version = api_string(L, 1, "version", NULL);
	bool clear_log = api_boolean(L, 1, "clear_log", false);

	k->listener = memory_listener_create(w, k->kvm, k->ram_pages << KVM_PAGE_SHIFT);
	page_bitmap_init(&k->migration, w, k->ram_pages);
	if (version && !memory_listener_set_version(k->listener, version)) {
		luaL_Buffer b;

		luaL_buffinit(L, &b);
		for (unsigned i = 0; memory_listener_versions[i]; i++) {
			luaL_addstring(&b, i ? ", " : "");
			luaL_addstring(&b, memory_listener_versions[i]);
		}
		luaL_pushresult(&b);
		luaL_error(L, "kvm: version: there is no %s; allowed: %s", version,
			   lua_tostring(L, -1));
	}
	if ((ring_bytes || clear_log) && memory_listener_enable(k->listener, ring_bytes))
		luaL_error(L, "kvm: ring: this host has no dirty ring of %d bytes",
			   (int)ring_bytes);
}

static int
l_kvm(lua_State *L)
{
	static const char *const allowed[] = { "listener", "ram_pages", "version", "host",
					       "ring",	   "clear_log", "manual",  NULL };
	struct world *w = script_world(L);
	struct script_kvm *k;
	uint64_t ring;

	script_must_not_check(L, "kvm");
	api_options(L, 1, "kvm", allowed);
	k = world_alloc(w, sizeof(*k));
	k->kvm = kvm_create(w, host_rules[api_word(L, 1, "host", 0, host_words, 4)]);
	k->ram_pages = (uint64_t)api_integer(L, 1, "ram_pages", 1024, 1, PAGES_MAX);
	ring = (uint64_t)api_integer(L, 1, "ring", 0, 0, 1 << 20);
	/* What is shared by threads must be in memory that the memory model sees. */
	if (ring && !gm_size(w))
		gm_create(w, RING_RAM_BYTES);
	if (api_boolean(L, 1, "listener", false))
		make_listener(L, k, ring);
	else
		enable_by_hand(L, k, ring);
	api_push(L, "kvm", k);
	return 1;
}

static int
kvm_set_memslot(lua_State *L)
{
	static const char *const allowed[] = {
		"slot", "base_gfn", "npages", "log", "readonly", NULL
	};
	struct script_kvm *k = api_kvm_check(L);
	struct kvm_userspace_memory_region mem;

	script_must_not_check(L, "set_memslot");
	if (k->listener)
		return luaL_error(
			L, "set_memslot: the listener has the slots: region_add(), region_del()");
	api_options(L, 2, "set_memslot", allowed);
	mem.slot = (uint32_t)api_integer(L, 2, "slot", 0, 0, 0x1ffff);
	mem.guest_phys_addr = (uint64_t)api_integer(L, 2, "base_gfn", 0, 0, PAGES_MAX)
			      << KVM_PAGE_SHIFT;
	mem.memory_size = (uint64_t)api_integer(L, 2, "npages", 0, 0, PAGES_MAX) << KVM_PAGE_SHIFT;
	mem.flags = (api_boolean(L, 2, "log", false) ? KVM_MEM_LOG_DIRTY_PAGES : 0) |
		    (api_boolean(L, 2, "readonly", false) ? KVM_MEM_READONLY : 0);
	mem.userspace_addr = MEMORY_LISTENER_HVA + mem.guest_phys_addr;
	return api_result(L, kvm_set_user_memory_region(k->kvm, &mem));
}

void
api_kvm_push_write(lua_State *L, enum kvm_write how)
{
	static const char *const word[] = { "ram", "mmio", "readonly", "ring_full" };

	lua_pushstring(L, word[how]);
}

static int
kvm_write_page(lua_State *L)
{
	struct script_kvm *k = api_kvm_check(L);
	uint64_t gfn = (uint64_t)api_range(L, 2, 0, PAGES_MAX);
	uint32_t as = (uint32_t)luaL_optinteger(L, 3, 0);

	script_must_not_check(L, "write_page");
	if (as >= kvm_address_spaces(k->kvm))
		return luaL_error(L, "write_page: there is no address space %d", (int)as);
	actor_point(script_world(L));
	api_kvm_push_write(L, kvm_write_guest_page(k->kvm, as, gfn));
	return 1;
}

void
api_kvm_push_bits(lua_State *L, const struct page_bitmap *b)
{
	lua_Integer n = 0;

	lua_newtable(L);
	for (uint64_t page = 0; page < b->npages && (uint64_t)n < b->set; page++) {
		if (!page_bitmap_test(b, page))
			continue;
		lua_pushinteger(L, (lua_Integer)page);
		lua_rawseti(L, -2, ++n);
	}
}

static int
kvm_dirty_log(lua_State *L)
{
	struct script_kvm *k = api_kvm_check(L);
	uint32_t slot = (uint32_t)api_range(L, 2, 0, 0x1ffff);
	const struct kvm_memory_slot *s = kvm_id_to_memslot(k->kvm, slot);
	struct page_bitmap log;
	int ret;

	script_must_not_check(L, "get_dirty_log");
	page_bitmap_init(&log, script_world(L), s ? s->npages : 1);
	ret = kvm_get_dirty_log(k->kvm, slot, &log, 0);
	if (!ret)
		api_kvm_push_bits(L, &log);
	page_bitmap_free(&log, script_world(L));
	return ret ? api_result(L, ret) : 1;
}

static int
kvm_slots(lua_State *L)
{
	struct script_kvm *k = api_kvm_check(L);
	lua_Integer n = 0;

	lua_newtable(L);
	for (uint32_t as = 0; as < kvm_address_spaces(k->kvm); as++) {
		for (uint32_t i = 0; i < kvm_memslots(k->kvm, as); i++) {
			const struct kvm_memory_slot *s = kvm_memslot(k->kvm, as, i);

			lua_newtable(L);
			api_set_integer(L, "slot", KVM_SLOT(s->as_id, s->id));
			api_set_integer(L, "base_gfn", (int64_t)s->base_gfn);
			api_set_integer(L, "npages", (int64_t)s->npages);
			api_set_integer(L, "flags", s->flags);
			api_set_boolean(L, "log", kvm_memslot_logs(s));
			api_set_integer(L, "dirty", (int64_t)s->dirty.set);
			lua_rawseti(L, -2, ++n);
		}
	}
	return 1;
}

/* --- QEMU's side ---------------------------------------------------------------------------- */

struct script_kvm *
api_kvm_check_listener(lua_State *L, const char *what)
{
	struct script_kvm *k = api_kvm_check(L);

	script_must_not_check(L, what);
	if (!k->listener)
		luaL_error(L, "%s: make it with kvm{listener = true}", what);
	return k;
}

static int
kvm_region_add(lua_State *L)
{
	static const char *const allowed[] = { "base_gfn", "npages", "ram_page", "readonly",
					       "id",	   "as",     NULL };
	struct script_kvm *k = api_kvm_check_listener(L, "region_add");
	struct memory_section s = { 0 };
	int64_t base;
	int id;

	api_options(L, 2, "region_add", allowed);
	base = api_integer(L, 2, "base_gfn", 0, 0, PAGES_MAX);
	s.guest_phys_addr = (uint64_t)base << KVM_PAGE_SHIFT;
	s.size = (uint64_t)api_integer(L, 2, "npages", 1, 1, PAGES_MAX) << KVM_PAGE_SHIFT;
	s.ram_addr = (uint64_t)api_integer(L, 2, "ram_page", base, 0, PAGES_MAX) << KVM_PAGE_SHIFT;
	s.readonly = api_boolean(L, 2, "readonly", false);
	s.as_id = (uint8_t)api_integer(L, 2, "as", 0, 0, KVM_ADDRESS_SPACES_MAX - 1);
	id = memory_listener_region_add(
		k->listener, &s, (int)api_integer(L, 2, "id", MEMORY_LISTENER_ANY_ID, -1, 0xffff));
	if (id < 0)
		return api_result(L, id);
	lua_pushinteger(L, id);
	return 1;
}

static int
kvm_region_del(lua_State *L)
{
	struct script_kvm *k = api_kvm_check_listener(L, "region_del");

	uint8_t as = (uint8_t)luaL_optinteger(L, 3, 0);

	luaL_argcheck(L, as < KVM_ADDRESS_SPACES_MAX, 3, "no such address space");
	return api_result(
		L, memory_listener_region_del(k->listener, as, (int)api_range(L, 2, 0, 0xffff)));
}

static int
kvm_log_global(lua_State *L)
{
	struct script_kvm *k = api_kvm_check_listener(L, "log_global");

	if (lua_toboolean(L, 2))
		memory_listener_log_global_start(k->listener);
	else
		memory_listener_log_global_stop(k->listener);
	return 0;
}

static int
kvm_sync(lua_State *L)
{
	struct script_kvm *k = api_kvm_check_listener(L, "migration_sync");

	memory_listener_migration_sync(k->listener, &k->migration, false);
	api_kvm_push_bits(L, &k->migration);
	return 1;
}

static int
kvm_sent(lua_State *L)
{
	struct script_kvm *k = api_kvm_check_listener(L, "page_sent");
	uint64_t page = (uint64_t)api_range(L, 2, 0, (lua_Integer)k->ram_pages - 1);

	lua_pushboolean(L, page_bitmap_test_and_clear(&k->migration, script_world(L), page));
	return 1;
}

const struct api_entry api_kvm[] = {
	{ NULL, "kvm",
	  "([{listener=, ram_pages=, host=, ring=, version=, clear_log=, manual=}]) -> kvm",
	  "memory slots of a host (x86, x86-pml, arm64, 3.19), with a dirty ring of so many bytes; "
	  "with listener QEMU's dirty logging on them, of a version, with KVM_CLEAR_DIRTY_LOG; "
	  "without, manual protection is off, on or initially_set",
	  l_kvm },
	{ "kvm", "set_memslot",
	  "{slot=, base_gfn=, npages=, log=, readonly=} -> true or nil, errno",
	  "KVM_SET_USER_MEMORY_REGION", kvm_set_memslot },
	{ "kvm", "write_page", "(gfn [, as]) -> ram, mmio or readonly", "a vCPU writes a page",
	  kvm_write_page },
	{ "kvm", "get_dirty_log", "(slot) -> pages or nil, errno",
	  "KVM_GET_DIRTY_LOG: fetches and clears", kvm_dirty_log },
	{ "kvm", "slots", "() -> list", "all slots", kvm_slots },
	{ "kvm", "region_add",
	  "{base_gfn=, npages=, ram_page=, readonly=, id=, as=} -> id or nil, errno",
	  "a section of RAM appears in the guest", kvm_region_add },
	{ "kvm", "region_del", "(id [, as]) -> true or nil, errno",
	  "it goes; faults choose the order", kvm_region_del },
	{ "kvm", "log_global", "(on)", "dirty logging for a migration", kvm_log_global },
	{ "kvm", "migration_sync", "() -> pages",
	  "migration_bitmap_sync(): pages that are to be sent", kvm_sync },
	{ "kvm", "page_sent", "(page) -> was set", "the migration sends a page", kvm_sent },
	{ NULL, NULL, NULL, NULL, NULL }
};
