/* SPDX-License-Identifier: GPL-2.0-or-later */
/* API: who writes guest memory, and how the writes are fetched, cleared and reset. */
#include "kvm/dirty_log.h"
#include "kvm/dirty_ring.h"
#include "script/kvm_api.h"

struct script_kvm_vcpu {
	struct script_kvm *k;
	struct kvm_vcpu *vcpu;
	bool inside; /* KVM_RUN, as far as userspace knows */
};

static int
kvm_new_vcpu(lua_State *L)
{
	struct script_kvm *k = api_kvm_check(L);
	struct script_kvm_vcpu *v;

	script_must_not_check(L, "vcpu");
	v = world_alloc(script_world(L), sizeof(*v));
	v->k = k;
	v->vcpu = kvm_create_vcpu(k->kvm);
	api_push(L, "kvm_vcpu", v);
	return 1;
}

static struct script_kvm_vcpu *
check_vcpu(lua_State *L, const char *what)
{
	script_world(L);
	script_must_not_check(L, what);
	return api_check(L, 1, "kvm_vcpu");
}

static void
leave(struct script_kvm_vcpu *v)
{
	kvm_vcpu_exit(v->vcpu);
	if (v->inside && v->k->listener)
		memory_listener_cpu_leave(v->k->listener);
	v->inside = false;
}

/* KVM_RUN as far as into the guest. */
static bool
enter(struct script_kvm_vcpu *v)
{
	if (v->inside)
		leave(v);
	if (v->k->listener)
		memory_listener_cpu_enter(v->k->listener);
	v->inside = true;
	if (kvm_vcpu_enter(v->vcpu))
		return true;
	leave(v);
	return false;
}

/* The vCPU runs on: others may go first, and who inhibits makes it leave. */
static bool
run(lua_State *L, struct script_kvm_vcpu *v)
{
	actor_point(script_world(L));
	if (v->inside && v->k->listener && memory_listener_cpu_kicked(v->k->listener))
		leave(v);
	return v->inside || enter(v);
}

static int
cpu_enter(lua_State *L)
{
	lua_pushboolean(L, enter(check_vcpu(L, "enter")));
	return 1;
}

static int
cpu_exit(lua_State *L)
{
	leave(check_vcpu(L, "exit"));
	return 0;
}

static int
write_by(lua_State *L, const char *what, enum kvm_write (*write)(struct kvm_vcpu *vcpu, gfn_t gfn))
{
	struct script_kvm_vcpu *v = check_vcpu(L, what);
	uint64_t gfn = (uint64_t)api_range(L, 2, 0, PAGES_MAX);
	enum kvm_write how = KVM_WRITE_RING_FULL;

	if (run(L, v))
		how = write(v->vcpu, gfn);
	if (how != KVM_WRITE_RAM)
		leave(v);
	api_kvm_push_write(L, how);
	return 1;
}

static int
cpu_write(lua_State *L)
{
	return write_by(L, "write", kvm_vcpu_write);
}

static int
cpu_emulated_write(lua_State *L)
{
	return write_by(L, "emulated_write", kvm_vcpu_emulated_write);
}

static int
cpu_emulated_cmpxchg(lua_State *L)
{
	return write_by(L, "emulated_cmpxchg", kvm_vcpu_emulated_cmpxchg);
}

static int
cpu_read(lua_State *L)
{
	struct script_kvm_vcpu *v = check_vcpu(L, "read");
	uint64_t gfn = (uint64_t)api_range(L, 2, 0, PAGES_MAX);
	bool ran = run(L, v), there = ran && kvm_vcpu_read(v->vcpu, gfn);

	if (!there)
		leave(v);
	lua_pushstring(L, there ? "ram" : ran ? "mmio" : "ring_full");
	return 1;
}

static int
cpu_mark(lua_State *L)
{
	struct script_kvm_vcpu *v = check_vcpu(L, "mark");

	lua_pushboolean(L,
			kvm_vcpu_mark_page_dirty(v->vcpu, (uint64_t)api_range(L, 2, 0, PAGES_MAX)));
	return 1;
}

static int
cpu_smm(lua_State *L)
{
	struct script_kvm_vcpu *v = check_vcpu(L, "smm");

	if (kvm_address_spaces(v->k->kvm) < 2)
		return luaL_error(L, "smm: this host has one address space");
	kvm_vcpu_set_smm(v->vcpu, lua_toboolean(L, 2));
	return 0;
}

static int
cpu_pml(lua_State *L)
{
	lua_pushinteger(L, kvm_vcpu_pml_pending(check_vcpu(L, "pml")->vcpu));
	return 1;
}

static int
cpu_harvest(lua_State *L)
{
	struct script_kvm_vcpu *v = check_vcpu(L, "harvest");
	uint32_t slot;
	uint64_t offset;

	if (!kvm_dirty_ring_enabled(v->k->kvm))
		return luaL_error(L, "harvest: make it with kvm{ring = 4096}");
	if (!kvm_dirty_ring_harvest(v->vcpu, &slot, &offset))
		return 0;
	lua_pushinteger(L, slot);
	lua_pushinteger(L, (lua_Integer)offset);
	return 2;
}

static int
cpu_ring_used(lua_State *L)
{
	struct script_kvm_vcpu *v = check_vcpu(L, "ring_used");

	lua_pushinteger(L, kvm_dirty_ring_enabled(v->k->kvm) ? kvm_dirty_ring_used(v->vcpu) : 0);
	return 1;
}

/* --- of the virtual machine ----------------------------------------------------------------- */

static int
kvm_mark(lua_State *L)
{
	struct script_kvm *k = api_kvm_check(L);
	uint32_t as = (uint32_t)luaL_optinteger(L, 3, 0);

	script_must_not_check(L, "mark_page_dirty");
	luaL_argcheck(L, as < kvm_address_spaces(k->kvm), 3, "no such address space");
	actor_point(script_world(L));
	lua_pushboolean(L,
			kvm_mark_page_dirty(k->kvm, as, (uint64_t)api_range(L, 2, 0, PAGES_MAX)));
	return 1;
}

static int
kvm_reset_rings(lua_State *L)
{
	struct script_kvm *k = api_kvm_check(L);
	int r;

	script_must_not_check(L, "reset_rings");
	r = kvm_reset_dirty_rings(k->kvm);
	if (r < 0)
		return api_result(L, r);
	lua_pushinteger(L, r);
	return 1;
}

static int
kvm_clear_log(lua_State *L)
{
	struct script_kvm *k = api_kvm_check(L);
	uint32_t slot = (uint32_t)api_range(L, 2, 0, 0x1ffff);
	uint64_t first = (uint64_t)api_range(L, 3, 0, PAGES_MAX);
	uint64_t n = (uint64_t)api_range(L, 4, 0, PAGES_MAX);
	struct page_bitmap bits;
	int r;

	script_must_not_check(L, "clear_dirty_log");
	page_bitmap_init(&bits, script_world(L), n ? n : 1);
	if (lua_isnoneornil(L, 5)) {
		page_bitmap_fill(&bits, script_world(L));
	} else {
		luaL_checktype(L, 5, LUA_TTABLE);
		for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, 5); i++) {
			lua_rawgeti(L, 5, i);

			lua_Integer page = lua_tointeger(L, -1);

			luaL_argcheck(L, page >= 0 && (uint64_t)page < n, 5, "page out of range");
			page_bitmap_test_and_set(&bits, script_world(L), (uint64_t)page);
			lua_pop(L, 1);
		}
	}
	r = kvm_clear_dirty_log(k->kvm, slot, first, n, &bits, 0);
	page_bitmap_free(&bits, script_world(L));
	return api_result(L, r);
}

/* --- of QEMU -------------------------------------------------------------------------------- */

static int
kvm_begin(lua_State *L)
{
	struct script_kvm *k = api_kvm_check_listener(L, "begin");

	if (memory_listener_in_transaction(k->listener))
		return luaL_error(L, "begin: the last transaction has no commit yet");
	memory_listener_begin(k->listener);
	return 0;
}

static int
kvm_commit(lua_State *L)
{
	return api_result(L, memory_listener_commit(api_kvm_check_listener(L, "commit")->listener));
}

static int
kvm_reap(lua_State *L)
{
	struct script_kvm *k = api_kvm_check_listener(L, "reap");

	if (!kvm_dirty_ring_enabled(k->kvm))
		return luaL_error(L, "reap: make it with kvm{ring = 4096}");
	lua_pushinteger(L, memory_listener_reap(k->listener, NULL));
	return 1;
}

static int
kvm_log_clear(lua_State *L)
{
	struct script_kvm *k = api_kvm_check_listener(L, "log_clear");
	uint64_t page = (uint64_t)api_range(L, 2, 0, (lua_Integer)k->ram_pages - 1);
	uint64_t n = (uint64_t)luaL_optinteger(L, 3, 1);

	luaL_argcheck(L, n >= 1 && n <= k->ram_pages - page, 3, "not within RAM");
	return api_result(L, memory_listener_log_clear(k->listener, page, n));
}

static int
kvm_last_sync(lua_State *L)
{
	struct script_kvm *k = api_kvm_check_listener(L, "last_sync");

	memory_listener_migration_sync(k->listener, &k->migration, true);
	api_kvm_push_bits(L, &k->migration);
	return 1;
}

static int
kvm_fill(lua_State *L)
{
	struct script_kvm *k = api_kvm_check_listener(L, "all_dirty");

	page_bitmap_fill(&k->migration, script_world(L));
	return 0;
}

static int
kvm_device_write(lua_State *L)
{
	struct script_kvm *k = api_kvm_check_listener(L, "device_write");
	uint64_t page = (uint64_t)api_range(L, 2, 0, (lua_Integer)k->ram_pages - 1);

	actor_point(script_world(L));
	memory_listener_set_dirty(k->listener, page << KVM_PAGE_SHIFT, KVM_PAGE_SIZE);
	return 0;
}

static int
kvm_device_log(lua_State *L)
{
	struct script_kvm *k = api_kvm_check_listener(L, "device_log");

	api_push(L, "device_log",
		 memory_listener_device_log(k->listener,
					    lua_isnoneornil(L, 2) || lua_toboolean(L, 2)));
	return 1;
}

static int
log_write(lua_State *L)
{
	struct device_log *log = api_check(L, 1, "device_log");
	uint64_t page = (uint64_t)api_range(L, 2, 0, PAGES_MAX);

	script_must_not_check(L, "write");
	actor_point(script_world(L));
	if (!device_log_write(log, page << KVM_PAGE_SHIFT, KVM_PAGE_SIZE))
		return luaL_error(L, "write: page %d is not within RAM", (int)page);
	return 0;
}

static int
log_stop(lua_State *L)
{
	script_must_not_check(L, "stop");
	device_log_stop(api_check(L, 1, "device_log"));
	return 0;
}

const struct api_entry api_kvm_vcpu[] = {
	{ "kvm", "vcpu", "() -> kvm_vcpu", "KVM_CREATE_VCPU, as far as dirty logging goes",
	  kvm_new_vcpu },
	{ "kvm_vcpu", "enter", "() -> entered",
	  "KVM_RUN; waits while inhibited; false: the dirty ring is full", cpu_enter },
	{ "kvm_vcpu", "exit", "()", "it leaves the guest: its PML buffer is emptied", cpu_exit },
	{ "kvm_vcpu", "write", "(gfn) -> ram, mmio, readonly or ring_full",
	  "it writes a page, entering first if it is not in the guest", cpu_write },
	{ "kvm_vcpu", "emulated_write", "(gfn) -> ram, mmio, readonly or ring_full",
	  "KVM's instruction emulator writes for it: always noted", cpu_emulated_write },
	{ "kvm_vcpu", "emulated_cmpxchg", "(gfn) -> ram, mmio, readonly or ring_full",
	  "the same for a locked instruction", cpu_emulated_cmpxchg },
	{ "kvm_vcpu", "read", "(gfn) -> ram, mmio or ring_full", "it reads or fetches", cpu_read },
	{ "kvm_vcpu", "mark", "(gfn) -> noted", "KVM itself writes for it: steal time, kvmclock",
	  cpu_mark },
	{ "kvm_vcpu", "smm", "(on)", "system management mode: address space 1", cpu_smm },
	{ "kvm_vcpu", "pml", "() -> n", "pages that are in the PML buffer only", cpu_pml },
	{ "kvm_vcpu", "harvest", "() -> slot, page or nothing",
	  "userspace takes the next entry of its dirty ring", cpu_harvest },
	{ "kvm_vcpu", "ring_used", "() -> n", "entries that were not reset yet", cpu_ring_used },
	{ "kvm", "mark_page_dirty", "(gfn [, as]) -> noted",
	  "KVM writes a page while no vCPU runs: tables of an interrupt controller", kvm_mark },
	{ "kvm", "reset_rings", "() -> n or nil, errno", "KVM_RESET_DIRTY_RINGS", kvm_reset_rings },
	{ "kvm", "clear_dirty_log", "(slot, first, n [, pages]) -> true or nil, errno",
	  "KVM_CLEAR_DIRTY_LOG of these pages, counted from first; of all", kvm_clear_log },
	{ "kvm", "begin", "()", "a memory transaction: from 8.0 on slots change at its end",
	  kvm_begin },
	{ "kvm", "commit", "() -> true or nil, errno", "its end: deletions, then additions",
	  kvm_commit },
	{ "kvm", "reap", "() -> n", "a round of QEMU's reaper: harvest all rings, reset",
	  kvm_reap },
	{ "kvm", "log_clear", "(page [, n]) -> true or nil, errno",
	  "KVM_CLEAR_DIRTY_LOG before the migration reads these pages of RAM", kvm_log_clear },
	{ "kvm", "last_sync", "() -> pages", "migration_sync() for the last time, guest stopped",
	  kvm_last_sync },
	{ "kvm", "all_dirty", "()", "a migration begins: all of RAM is to be sent", kvm_fill },
	{ "kvm", "device_write", "(page)", "a device in QEMU writes a page of RAM",
	  kvm_device_write },
	{ "kvm", "device_log", "([tracks]) -> device_log",
	  "a writer with a log of its own (vhost, VFIO), or with none", kvm_device_log },
	{ "device_log", "write", "(page)", "it writes a page of RAM", log_write },
	{ "device_log", "stop", "()", "it stopped: its log is fetched and given up", log_stop },
	{ NULL, NULL, NULL, NULL, NULL }
};
