/* SPDX-License-Identifier: GPL-2.0-or-later */
/* API: a source's machine: blocks of RAM, where the guest sees them, and who changes that. */
#include <errno.h>
#include <string.h>

#include "kvm/dirty_ring.h"
#include "kvm/memslot.h"
#include "memory/guest_memory.h"
#include "migration/vm.h"
#include "migration/vm_layout.h"
#include "script/machine_api.h"
#include "vmm/memory_listener.h"

#define PAGES_MAX ((INT64_C(1) << 31) - 1) /* KVM_MEM_MAX_NR_PAGES: one slot */
#define GFN_MAX (INT64_C(1) << 34)
#define HOST_PAGES_MAX 262144 /* 1 GiB */
#define VRAM_PAGES 4096 /* vgamem_mb: 16 MiB */

/* --- blocks and regions --------------------------------------------------------------------- */

/* host_pages = 512: the block is backed by huge pages of 2 MiB. */
static void
read_host_pages(lua_State *L, int index, struct ram_block *block)
{
	lua_Integer n = api_integer(L, index, "host_pages", 1, 1, HOST_PAGES_MAX);

	if (block->pages % (uint64_t)n)
		luaL_error(L, "host_pages: the block's pages must be a multiple of it");
	block->host_pages = (uint64_t)n;
}

/* blocks = { { name = "pc.ram", pages = 1024 }, … } */
static unsigned
read_blocks(lua_State *L, int index, struct ram_block *blocks)
{
	static const char *const allowed[] = { "name", "pages", "host_pages", NULL };
	lua_Integer n, total = 0;

	if (lua_getfield(L, index, "blocks") != LUA_TTABLE)
		luaL_error(L, "blocks: must be a list of { name =, pages = }");
	n = (lua_Integer)lua_rawlen(L, -1);
	if (n < 1 || n > (lua_Integer)RAM_BLOCKS_MAX)
		luaL_error(L, "blocks: must be 1 to %d", (int)RAM_BLOCKS_MAX);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, -1, i);
		api_options(L, lua_gettop(L), "blocks", allowed);
		blocks[i - 1] = (struct ram_block){
			.name = world_strdup(script_world(L),
					     api_string(L, lua_gettop(L), "name", "pc.ram")),
			.pages = (uint64_t)api_integer(L, lua_gettop(L), "pages", 1, 1, PAGES_MAX)
		};
		read_host_pages(L, lua_gettop(L), &blocks[i - 1]);
		total += (lua_Integer)blocks[i - 1].pages;
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	if (total > PAGES_MAX)
		luaL_error(L, "blocks: at most %I pages in all", PAGES_MAX);
	return (unsigned)n;
}

/* layout = "pc": its four blocks. */
static unsigned
pc_blocks(lua_State *L, struct ram_block *blocks)
{
	uint64_t pages = (uint64_t)api_integer(L, 1, "pages", 1024, VM_PC_RAM_MIN,
					       PAGES_MAX - 2 * VRAM_PAGES);

	blocks[0] = (struct ram_block){ .name = "pc.ram", .pages = pages };
	blocks[1] = (struct ram_block){ .name = "vga.vram" };
	blocks[1].pages = (uint64_t)api_integer(L, 1, "vram_pages", VRAM_PAGES, 1, VRAM_PAGES);
	blocks[2] = (struct ram_block){ .name = "pc.bios", .pages = VM_PC_BIOS_PAGES };
	blocks[3] = (struct ram_block){ .name = "pc.rom", .pages = VM_PC_ROM_PAGES };
	return 4;
}

/* Where a block begins, by its name; they lie behind each other. */
static uint64_t
block_first(lua_State *L, const struct migration_vm_config *c, const char *name, uint64_t *pages)
{
	uint64_t first = 0;

	for (unsigned i = 0; i < c->block_count; i++) {
		*pages = c->blocks[i].pages;
		if (!strcmp(c->blocks[i].name, name))
			return first;
		first += c->blocks[i].pages;
	}
	luaL_error(L, "layout: there is no block '%s'", name);
	return 0;
}

/* The table on top of the stack. */
static void
read_region(lua_State *L, const struct migration_vm_config *c, struct vm_region *r)
{
	static const char *const allowed[] = { "name",	   "gfn",      "pages",	   "block",
					       "offset",   "priority", "readonly", "log",
					       "disabled", "space",    NULL };
	static const char *const space[] = { "both", "system", "smm" };
	int at = lua_gettop(L);
	const char *name, *block;
	uint64_t first, pages = 0, offset;

	api_options(L, at, "layout", allowed);
	name = api_string(L, at, "name", NULL);
	if (!name)
		luaL_error(L, "layout: each region has a name");
	block = api_string(L, at, "block", NULL);
	*r = (struct vm_region){ .name = world_strdup(script_world(L), name),
				 .ram_page = VM_NO_RAM };
	offset = (uint64_t)api_integer(L, at, "offset", 0, 0, PAGES_MAX);
	if (block) {
		first = block_first(L, c, block, &pages);
		if (offset >= pages)
			luaL_error(L, "layout: block '%s' has %I pages", block, (lua_Integer)pages);
		r->ram_page = first + offset;
		pages -= offset;
	}
	r->gfn = (uint64_t)api_integer(L, at, "gfn", 0, 0, GFN_MAX);
	r->pages = (uint64_t)api_integer(L, at, "pages", (lua_Integer)pages, 1,
					 block ? (lua_Integer)pages : GFN_MAX);
	r->priority = (int)api_integer(L, at, "priority", 0, -1000, 1000);
	r->readonly = api_boolean(L, at, "readonly", false);
	r->log = api_boolean(L, at, "log", false);
	r->disabled = api_boolean(L, at, "disabled", false);
	r->spaces = (uint8_t)api_word(L, at, "space", 0, space, 3);
}

static unsigned
read_layout(lua_State *L, const struct migration_vm_config *c, struct vm_region *regions)
{
	lua_Integer n = (lua_Integer)lua_rawlen(L, -1);

	if (n < 1 || n > (lua_Integer)VM_REGIONS_MAX)
		luaL_error(L, "layout: 1 to %d regions", (int)VM_REGIONS_MAX);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, -1, i);
		read_region(L, c, &regions[i - 1]);
		lua_pop(L, 1);
	}
	return (unsigned)n;
}

/* Blocks and regions: layout is "pc", a list, or nothing, which is all RAM from frame 0 on. */
static void
read_memory(lua_State *L, struct migration_vm_config *c, struct ram_block *blocks,
	    struct vm_region *regions)
{
	int type = lua_getfield(L, 1, "layout");
	bool pc = type == LUA_TSTRING && !strcmp(lua_tostring(L, -1), "pc");

	if (type != LUA_TNIL && type != LUA_TTABLE && !pc)
		luaL_error(L, "layout: must be \"pc\" or a list of regions");
	c->block_count = 1;
	if (lua_getfield(L, 1, "blocks") != LUA_TNIL) {
		if (pc)
			luaL_error(L, "blocks: a pc has its own; pages = is what pc.ram has");
		c->block_count = read_blocks(L, 1, blocks);
	} else if (pc) {
		c->block_count = pc_blocks(L, blocks);
	} else {
		blocks[0].pages = (uint64_t)api_integer(L, 1, "pages", 1024, 1, PAGES_MAX);
		read_host_pages(L, 1, &blocks[0]);
	}
	lua_pop(L, 1);
	if (type == LUA_TTABLE)
		c->region_count = read_layout(L, c, regions);
	if (pc) {
		for (unsigned i = 1; i < c->block_count; i++)
			blocks[i].first = blocks[i - 1].first + blocks[i - 1].pages;
		c->region_count = vm_layout_pc(blocks, regions);
	}
	if (c->region_count)
		c->regions = regions;
	lua_pop(L, 1);
}

/* --- the machine ---------------------------------------------------------------------------- */

/* ORDER SOURCE_HOST */
static const char *const host_word[] = { "x86", "x86-pml", "arm64", "3.19" };
static const struct kvm_rules *const host_rules[] = { &kvm_rules_today, &kvm_rules_today_pml,
						      &kvm_rules_arm64, &kvm_rules_3_19 };

static void
read_version(lua_State *L, struct migration_vm_config *c)
{
	unsigned i = 0;

	c->version = api_string(L, 1, "version", NULL);
	while (c->version && memory_listener_versions[i] &&
	       strcmp(memory_listener_versions[i], c->version))
		i++;
	if (c->version && !memory_listener_versions[i])
		luaL_error(L,
			   "version: there is no %s; allowed: 1.0 1.1 2.3 4.1 4.2 5.0 6.1 8.0 8.1",
			   c->version);
	if (c->version)
		c->version = memory_listener_versions[i];
}

static int
l_source_vm(lua_State *L)
{
	static const char *const allowed[] = { "pages",		 "blocks",	  "layout",
					       "vram_pages",	 "version",	  "host",
					       "manual_protect", "initially_set", "dirty_ring_size",
					       "vcpus",		 "host_pages",	  NULL };
	struct ram_block blocks[RAM_BLOCKS_MAX] = { { .name = "pc.ram" } };
	struct vm_region regions[VM_REGIONS_MAX];
	struct migration_vm_config config = { .blocks = blocks };
	struct migration_vm *vm;
	const char *wrong;

	script_world(L);
	script_must_not_check(L, "source_vm");
	api_options(L, 1, "source_vm", allowed);
	read_memory(L, &config, blocks, regions);
	read_version(L, &config);
	config.rules = host_rules[api_word(L, 1, "host", 0, host_word, 4)];
	config.manual_protect = api_boolean(L, 1, "manual_protect", config.rules->manual_protect);
	config.initially_set = api_boolean(L, 1, "initially_set", false);
	config.ring_pages =
		(uint64_t)api_integer(L, 1, "dirty_ring_size", 0, 0, KVM_DIRTY_RING_MAX_ENTRIES);
	if (config.ring_pages && gm_size(script_world(L)))
		return luaL_error(L, "dirty_ring_size: not beside machine{}");
	vm = vm_try_create(script_world(L), &config, &wrong);
	if (!vm)
		return luaL_error(L, "source_vm: %s", wrong);
	vm->vcpus = (unsigned)api_integer(L, 1, "vcpus", 0, 0, 4096);
	api_push(L, "source_vm", vm);
	return 1;
}

static struct migration_vm *
check_vm(lua_State *L)
{
	script_world(L);
	return api_check(L, 1, "source_vm");
}

static int
vm_l_page(lua_State *L)
{
	struct migration_vm *vm = check_vm(L);
	uint64_t gfn = (uint64_t)api_range(L, 2, 0, GFN_MAX), page;
	lua_Integer space = luaL_optinteger(L, 3, 0);

	luaL_argcheck(L, space == 0 || space == 1, 3, "address space 0 or 1");
	page = vm_layout_page(vm->layout, (unsigned)space, gfn, false);
	if (page == VM_NO_RAM)
		return 0;
	lua_pushinteger(L, (lua_Integer)page);
	return 1;
}

static int
vm_l_slots(lua_State *L)
{
	const struct migration_vm *vm = check_vm(L);
	lua_Integer n = 0;

	lua_newtable(L);
	for (uint32_t as = 0; as < kvm_address_spaces(vm->kvm); as++) {
		for (uint32_t i = 0; i < kvm_memslots(vm->kvm, as); i++) {
			const struct kvm_memory_slot *s = kvm_memslot(vm->kvm, as, i);

			lua_newtable(L);
			api_set_integer(L, "slot", KVM_SLOT(s->as_id, s->id));
			api_set_integer(L, "gfn", (int64_t)s->base_gfn);
			api_set_integer(L, "pages", (int64_t)s->npages);
			api_set_integer(L, "page",
					(int64_t)((s->userspace_addr - MEMORY_LISTENER_HVA) >>
						  KVM_PAGE_SHIFT));
			api_set_boolean(L, "readonly", s->flags & KVM_MEM_READONLY);
			api_set_boolean(L, "log", s->flags & KVM_MEM_LOG_DIRTY_PAGES);
			lua_rawseti(L, -2, ++n);
		}
	}
	return 1;
}

/* --- vCPUs that change it ------------------------------------------------------------------- */

static struct ram_writer *
check_vcpu(lua_State *L, const char *what)
{
	struct ram_writer *v;

	script_world(L);
	script_must_be_actor(L, what);
	v = api_check(L, 1, "ram_writer");
	if (v->kind != WRITER_VCPU)
		luaL_error(L, "%s: a vCPU does it, this is a %s", what, ram_writer_word[v->kind]);
	return v;
}

/* Regions as they are to be: what change() below does. */
struct map_change {
	const char *name;
	struct vm_region now;
};
struct map_changes {
	struct map_change change[VM_REGIONS_MAX];
	unsigned count;
};

static void
read_change(lua_State *L, struct migration_vm *vm, struct map_changes *c)
{
	static const char *const allowed[] = { "name", "enabled", "gfn", "readonly", NULL };
	struct map_change *x = &c->change[c->count];
	const struct vm_region *r;
	int at = lua_gettop(L);
	const char *name;

	api_options(L, at, "map", allowed);
	name = api_string(L, at, "name", NULL);
	r = name ? vm_layout_region(vm->layout, name) : NULL;
	if (!r)
		luaL_error(L, "map: there is no region '%s'", name ? name : "");
	x->name = r->name;
	x->now = *r;
	x->now.disabled = !api_boolean(L, at, "enabled", !r->disabled);
	x->now.gfn = (uint64_t)api_integer(L, at, "gfn", (lua_Integer)r->gfn, 0, GFN_MAX);
	x->now.readonly = api_boolean(L, at, "readonly", r->readonly);
	c->count++;
}

static void
change(struct migration_vm *vm, void *arg)
{
	const struct map_changes *c = arg;

	for (unsigned i = 0; i < c->count; i++)
		*vm_layout_region(vm->layout, c->change[i].name) = c->change[i].now;
}

static int
writer_l_map(lua_State *L)
{
	struct ram_writer *v = check_vcpu(L, "map");
	struct map_changes changes = { .count = 0 };
	lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
	int r;

	luaL_checktype(L, 2, LUA_TTABLE);
	if (vm_layout_is_flat(v->vm->layout))
		return luaL_error(L, "map: make it with source_vm{layout = …}");
	if (n > (lua_Integer)VM_REGIONS_MAX)
		return luaL_error(L, "map: at most %d regions", (int)VM_REGIONS_MAX);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, 2, i);
		read_change(L, v->vm, &changes);
		lua_pop(L, 1);
	}
	lua_settop(L, 2);
	if (!n)
		read_change(L, v->vm, &changes);
	r = vm_change_layout(v, change, &changes);
	if (r)
		return luaL_error(L, "map: KVM refuses a slot: %s", strerror(-r));
	return 0;
}

struct pam_change {
	unsigned first, count;
	enum vm_pam mode;
};

static void
change_pam(struct migration_vm *vm, void *arg)
{
	const struct pam_change *c = arg;

	for (unsigned i = 0; i < c->count; i++)
		vm_layout_pc_pam(vm->layout, vm->ram, c->first + i, c->mode);
}

static int
writer_l_pam(lua_State *L)
{
	struct ram_writer *v = check_vcpu(L, "pam");
	struct pam_change c = { .first = (unsigned)api_range(L, 2, 0, VM_PC_PAMS - 1) };
	const char *word = luaL_checkstring(L, 3);

	while (c.mode < VM_PAM_MODES && strcmp(vm_pam_word[c.mode], word))
		c.mode++;
	if (c.mode == VM_PAM_MODES)
		return luaL_error(L, "pam: '%s' is none of: off read write ram", word);
	c.count = lua_isnoneornil(L, 4)
			  ? 1
			  : (unsigned)api_range(L, 4, 1, (lua_Integer)(VM_PC_PAMS - c.first));
	if (!vm_layout_region(v->vm->layout, "pam0"))
		return luaL_error(L, "pam: make it with source_vm{layout = \"pc\"}");
	if (vm_change_layout(v, change_pam, &c))
		return luaL_error(L, "pam: KVM refuses a slot");
	return 0;
}

static int
writer_l_smm(lua_State *L)
{
	struct ram_writer *v = check_vcpu(L, "smm");
	const struct vm_range *ranges;

	if (!vm_layout_ranges(v->vm->layout, 1, &ranges))
		return luaL_error(L, "smm: this machine has one address space");
	vm_set_smm(v, lua_toboolean(L, 2));
	return 0;
}

const struct api_entry api_layout[] = {
	{ NULL, "source_vm",
	  "([{pages=, blocks=, layout=, version=, host=, manual_protect=, initially_set=, "
	  "dirty_ring_size=, vram_pages=, vcpus=}]) -> source_vm",
	  "a machine's memory by versions, with KVM's and QEMU's dirty logs; layout is \"pc\" or a "
	  "list of regions of blocks, version a QEMU's",
	  l_source_vm },
	{ "source_vm", "page", "(gfn [, space]) -> page",
	  "which page of RAM the guest has there, by QEMU's view; nothing: none", vm_l_page },
	{ "source_vm", "slots", "() -> list", "KVM's slots: slot, gfn, pages, page of RAM",
	  vm_l_slots },
	{ "ram_writer", "map", "{name=, enabled=, gfn=, readonly=}, or a list of them",
	  "a vCPU has QEMU map regions otherwise: one memory transaction", writer_l_map },
	{ "ram_writer", "pam", "(segment, mode [, count])",
	  "a vCPU writes a PAM register of a pc: off, read, write or ram; 12 of 16 KiB from 1 on, "
	  "number 0 is 64 KiB",
	  writer_l_pam },
	{ "ram_writer", "smm", "(on)", "a vCPU enters or leaves system management mode",
	  writer_l_smm },
	{ NULL, NULL, NULL, NULL, NULL }
};
