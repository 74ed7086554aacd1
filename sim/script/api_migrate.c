/* SPDX-License-Identifier: GPL-2.0-or-later */
/* API: a machine's memory with its writers, and live migration of it. */
#include <string.h>

#include "migration/dirtier.h"
#include "migration/precopy.h"
#include "migration/vm_layout.h"
#include "script/machine_api.h"

#define BYTES_MAX (INT64_C(1) << 50)

static struct migration_vm *
check_vm(lua_State *L, const char *what)
{
	script_world(L);
	if (what)
		script_must_not_check(L, what);
	return api_check(L, 1, "source_vm");
}

static uint64_t
check_page(lua_State *L, int arg, const struct migration_vm *vm)
{
	return (uint64_t)api_range(L, arg, 0, (lua_Integer)ram_pages(vm->ram) - 1);
}

static uint64_t
check_gfn(lua_State *L, int arg, const struct migration_vm *vm)
{
	return (uint64_t)api_range(L, arg, 0, (lua_Integer)vm_layout_frames(vm->layout) - 1);
}

/* --- the source ----------------------------------------------------------------------------- */

static int
vm_l_writer(lua_State *L)
{
	struct migration_vm *vm = check_vm(L, "writer");
	const char *word = luaL_checkstring(L, 2);
	unsigned kind = 0;

	while (kind < WRITERS && strcmp(ram_writer_word[kind], word))
		kind++;
	if (kind == WRITERS)
		return luaL_error(L, "writer: '%s' is none of: vcpu kvm qemu vhost vfio its", word);
	if (vm->writer_count == 0xffff)
		return luaL_error(L, "writer: at most 65535 of them");
	api_push(L, "ram_writer",
		 vm_add_writer(vm, (enum ram_writer_kind)kind, luaL_optstring(L, 3, word)));
	return 1;
}

static int
vm_l_dirtier(lua_State *L)
{
	static const char *const allowed[] = { "name",	  "first", "pages", "pages_per_second",
					       "pattern", "seed",  NULL };
	struct migration_vm *vm = check_vm(L, "dirtier");
	lua_Integer pages = (lua_Integer)ram_pages(vm->ram);
	struct dirtier_config c = { 0 };

	api_options(L, 2, "dirtier", allowed);
	if (vm->steps)
		return luaL_error(L, "dirtier: only in mode = \"timed\"");
	c.first = (uint64_t)api_integer(L, 2, "first", 0, 0, pages - 1);
	c.pages = (uint64_t)api_integer(L, 2, "pages", pages - (lua_Integer)c.first, 1,
					pages - (lua_Integer)c.first);
	c.pages_per_second =
		(uint64_t)api_integer(L, 2, "pages_per_second", 1000, 1, INT64_C(1) << 32);
	c.pattern = (enum dirtier_pattern)api_word(L, 2, "pattern", DIRTIER_UNIFORM,
						   dirtier_pattern_word, DIRTIER_PATTERNS);
	c.seed = (uint64_t)api_integer(L, 2, "seed", 1, 0, INT64_MAX);
	api_push(L, "dirtier", dirtier_create(vm, api_string(L, 2, "name", "vcpu0"), &c));
	return 1;
}

static int
vm_l_fill(lua_State *L)
{
	struct migration_vm *vm = check_vm(L, "fill");
	uint64_t first = check_page(L, 2, vm);
	uint64_t count = (uint64_t)api_range(L, 3, 1, (lua_Integer)(ram_pages(vm->ram) - first));

	if (vm->migration)
		return luaL_error(L, "fill: not while the machine is being migrated");
	ram_fill(vm->ram, first, count, 0xffff);
	return 0;
}

static int
vm_l_destination(lua_State *L)
{
	struct migration_vm *vm = check_vm(L, "destination");
	const struct ram_block *blocks;
	unsigned n = ram_blocks(vm->ram, &blocks);

	api_push(L, "destination", ram_create(script_world(L), blocks, n));
	return 1;
}

static int
push_digest(lua_State *L, const struct ram *ram)
{
	const struct ram_block *blocks;
	unsigned n = ram_blocks(ram, &blocks), block;
	char text[128];

	block = (unsigned)luaL_optinteger(L, 2, 1) - 1;
	if (block >= n)
		return luaL_error(L, "digest: there are %d blocks", (int)n);
	lua_pushstring(L, ram_block_digest_text(ram, block, text, sizeof(text)));
	return 1;
}

static int
push_md5(lua_State *L, const struct ram *ram)
{
	const struct ram_block *blocks;
	unsigned n = ram_blocks(ram, &blocks), block = (unsigned)luaL_optinteger(L, 2, 1) - 1;
	char text[128];

	if (block >= n)
		return luaL_error(L, "md5: there are %d blocks", (int)n);
	lua_pushstring(L, ram_block_md5_text(ram, block, text, sizeof(text)));
	return 1;
}

static int
vm_l_digest(lua_State *L)
{
	return push_digest(L, check_vm(L, NULL)->ram);
}

static int
destination_l_digest(lua_State *L)
{
	script_world(L);
	return push_digest(L, api_check(L, 1, "destination"));
}

static int
vm_l_watch(lua_State *L)
{
	struct migration_vm *vm = check_vm(L, "watch");
	uint64_t first = check_page(L, 2, vm);

	vm_watch(vm, first, (uint64_t)luaL_optinteger(L, 3, 1));
	return 0;
}

/* "12 ns: written by vcpu0, version 3" */
static int
vm_l_history(lua_State *L)
{
	struct migration_vm *vm = check_vm(L, NULL);
	uint64_t page = check_page(L, 2, vm);
	lua_Integer n = 0;

	lua_newtable(L);
	for (unsigned i = 0; i < vm->records; i++) {
		const struct page_record *r = &vm->record[i];

		if (r->page != page && r->page != PAGE_RECORD_ALL)
			continue;
		lua_pushfstring(L, "%I ns: %s by %s, version %I", (lua_Integer)r->time_ns, r->what,
				world_name_text(vm->w, r->who),
				(lua_Integer)ram_version(r->content));
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

static int
vm_l_running(lua_State *L)
{
	struct migration_vm *vm = check_vm(L, NULL);

	lua_pushboolean(L, vm->running && !vm->stop_asked);
	return 1;
}

/* --- writers -------------------------------------------------------------------------------- */

static int
writer_l_write(lua_State *L)
{
	struct ram_writer *v = api_check(L, 1, "ram_writer");

	script_world(L);
	script_must_be_actor(L, "write");
	lua_pushboolean(L, vm_write(v, check_gfn(L, 2, v->vm), lua_toboolean(L, 3)));
	return 1;
}

static int
writer_l_tables(lua_State *L)
{
	struct ram_writer *v = api_check(L, 1, "ram_writer");

	script_world(L);
	script_must_not_check(L, "tables");
	if (v->kind != WRITER_ITS)
		return luaL_error(L, "tables: an its has them, this is a %s",
				  ram_writer_word[v->kind]);
	v->first_table = check_gfn(L, 2, v->vm);
	v->tables = (uint64_t)api_range(
		L, 3, 1, (lua_Integer)(vm_layout_frames(v->vm->layout) - v->first_table));
	return 0;
}

static int
writer_l_write_range(lua_State *L)
{
	struct ram_writer *v = api_check(L, 1, "ram_writer");
	uint64_t first = check_gfn(L, 2, v->vm);
	lua_Integer room = (lua_Integer)(vm_layout_frames(v->vm->layout) - first);

	script_world(L);
	script_must_be_actor(L, "write_range");
	lua_pushboolean(L, vm_write_range(v, first, (uint64_t)api_range(L, 3, 1, room)));
	return 1;
}

static int
writer_l_store(lua_State *L)
{
	struct ram_writer *v = api_check(L, 1, "ram_writer");
	unsigned offset = (unsigned)api_range(L, 3, 0, RAM_PAGE_BYTES - 1);
	size_t size;
	const char *text = luaL_checklstring(L, 4, &size);

	script_world(L);
	script_must_be_actor(L, "store");
	if (!size || size > RAM_PAGE_BYTES - offset)
		return luaL_error(L, "store: 1 to %d bytes fit there",
				  (int)(RAM_PAGE_BYTES - offset));
	lua_pushboolean(L, vm_store(v, check_gfn(L, 2, v->vm), offset, text, (unsigned)size));
	return 1;
}

static int
push_bytes(lua_State *L, const struct ram *ram)
{
	uint64_t page = (uint64_t)api_range(L, 2, 0, (lua_Integer)ram_pages(ram) - 1);
	unsigned offset = (unsigned)api_range(L, 3, 0, RAM_PAGE_BYTES - 1);
	uint8_t bytes[RAM_PAGE_BYTES];

	ram_bytes_of(ram, ram_read(ram, page), bytes);
	lua_pushlstring(L, (const char *)bytes + offset,
			(size_t)api_range(L, 4, 1, RAM_PAGE_BYTES - offset));
	return 1;
}

static int
vm_l_load(lua_State *L)
{
	return push_bytes(L, check_vm(L, NULL)->ram);
}

static int
destination_l_load(lua_State *L)
{
	script_world(L);
	return push_bytes(L, api_check(L, 1, "destination"));
}

static int
vm_l_md5(lua_State *L)
{
	return push_md5(L, check_vm(L, NULL)->ram);
}

static int
destination_l_md5(lua_State *L)
{
	script_world(L);
	return push_md5(L, api_check(L, 1, "destination"));
}

static int
dirtier_l_stop(lua_State *L)
{
	script_world(L);
	script_must_not_check(L, "stop");
	dirtier_stop(api_check(L, 1, "dirtier"));
	return 0;
}

static int
dirtier_l_writes(lua_State *L)
{
	script_world(L);
	lua_pushinteger(L, (lua_Integer)dirtier_writes(api_check(L, 1, "dirtier")));
	return 1;
}

/* --- migrations ----------------------------------------------------------------------------- */

static const char *const migrate_options[] = { "vm",
					       "destination",
					       "name",
					       "max_bandwidth",
					       "downtime_limit_ns",
					       "avail_switchover_bandwidth",
					       "link_bandwidth",
					       "thread_percent",
					       "threshold_bytes",
					       "auto_converge",
					       "cpu_throttle_tailslow",
					       "throttle_trigger_threshold",
					       "cpu_throttle_initial",
					       "cpu_throttle_increment",
					       "max_cpu_throttle",
					       "vcpu_dirty_limit",
					       "xbzrle",
					       "xbzrle_cache_pages",
					       "multifd_channels",
					       "packet_pages",
					       "multifd_flush_after_each_section",
					       "unplugged_first",
					       "unplugged_pages",
					       "clear_chunk_pages",
					       "bitmap_mutex",
					       "budget_pages",
					       "slow_link",
					       "announce_rounds",
					       "announce_initial_ns",
					       "announce_step_ns",
					       "announce_max_ns",
					       "devices",
					       NULL };

static unsigned
percent(lua_State *L, const char *name, unsigned missing)
{
	return (unsigned)api_integer(L, 1, name, missing, 1, 99);
}

/* What the thread holds bitmap_mutex for: an iteration, or a page as until 2021. */
static const char *const mutex_word[] = { "iterate", "page" };

/* QEMU's announce parameters take at most 100 s each. */
static void
read_announce(lua_State *L, struct precopy_config *c)
{
	const int64_t most = INT64_C(100000000000);

	c->announce_initial_ns =
		api_integer(L, 1, "announce_initial_ns", c->announce_initial_ns, 0, most);
	c->announce_step_ns = api_integer(L, 1, "announce_step_ns", c->announce_step_ns, 0, most);
	c->announce_max_ns = api_integer(L, 1, "announce_max_ns", c->announce_max_ns, 0, most);
}

/* What migrate_caps_check() and migrate_params_check() refuse. */
static void
check_capabilities(lua_State *L, const struct precopy_config *c)
{
	if (c->xbzrle && c->channels)
		luaL_error(L, "migrate: xbzrle and multifd_channels exclude each other");
	if (c->vcpu_dirty_limit && c->auto_converge)
		luaL_error(L, "migrate: vcpu_dirty_limit and auto_converge exclude each other");
	if (c->vcpu_dirty_limit && c->vcpu_dirty_limit < 1 << 20)
		luaL_error(L, "vcpu_dirty_limit: must be 1 MiB (1048576) a second at least");
	if (c->xbzrle_pages & (c->xbzrle_pages - 1))
		luaL_error(L, "xbzrle_cache_pages: must be a power of two");
	if (c->throttle_max < c->throttle_initial)
		luaL_error(L, "max_cpu_throttle: must be from cpu_throttle_initial (%d) to 99",
			   (int)c->throttle_initial);
}

static void
read_config(lua_State *L, struct precopy_config *c)
{
	c->max_bandwidth = api_integer(L, 1, "max_bandwidth", c->max_bandwidth, 0, BYTES_MAX);
	c->downtime_limit_ns = api_integer(L, 1, "downtime_limit_ns", c->downtime_limit_ns, 0,
					   INT64_C(2000000000000));
	c->switchover_bandwidth = api_integer(L, 1, "avail_switchover_bandwidth", 0, 0, BYTES_MAX);
	c->link_bandwidth = api_integer(L, 1, "link_bandwidth", 0, 0, BYTES_MAX);
	c->thread_percent = (unsigned)api_integer(L, 1, "thread_percent", 100, 1, 100);
	c->threshold_bytes = api_integer(L, 1, "threshold_bytes", -1, -1, BYTES_MAX);
	c->auto_converge = api_boolean(L, 1, "auto_converge", false);
	c->tailslow = api_boolean(L, 1, "cpu_throttle_tailslow", false);
	c->throttle_trigger = percent(L, "throttle_trigger_threshold", c->throttle_trigger);
	c->throttle_initial = percent(L, "cpu_throttle_initial", c->throttle_initial);
	c->throttle_increment = percent(L, "cpu_throttle_increment", c->throttle_increment);
	c->throttle_max = percent(L, "max_cpu_throttle", c->throttle_max);
	c->vcpu_dirty_limit = api_integer(L, 1, "vcpu_dirty_limit", 0, 0, BYTES_MAX);
	c->xbzrle = api_boolean(L, 1, "xbzrle", false);
	c->xbzrle_pages = (uint64_t)api_integer(L, 1, "xbzrle_cache_pages",
						(lua_Integer)c->xbzrle_pages, 1, INT64_C(1) << 24);
	c->channels = (unsigned)api_integer(L, 1, "multifd_channels", 0, 0, PRECOPY_CHANNELS_MAX);
	c->packet_pages = (unsigned)api_integer(L, 1, "packet_pages", c->packet_pages, 1,
						PRECOPY_PACKET_PAGES_MAX);
	c->section_flush = api_boolean(L, 1, "multifd_flush_after_each_section", false);
	c->clear_chunk_pages = (uint64_t)api_integer(
		L, 1, "clear_chunk_pages", (lua_Integer)c->clear_chunk_pages, 64, INT64_C(1) << 30);
	c->mutex_per_page = api_word(L, 1, "bitmap_mutex", 0, mutex_word, 2);
	c->budget_pages = (uint64_t)api_integer(L, 1, "budget_pages", 0, 0, INT64_C(1) << 32);
	c->slow_link = api_boolean(L, 1, "slow_link", false);
	c->announce_rounds =
		(unsigned)api_integer(L, 1, "announce_rounds", c->announce_rounds, 0, 1000);
	read_announce(L, c);
	if (c->clear_chunk_pages & (c->clear_chunk_pages - 1))
		luaL_error(L, "clear_chunk_pages: must be a power of two");
	check_capabilities(L, c);
}

void
api_unplugged(lua_State *L, uint64_t pages, uint64_t *first, uint64_t *count)
{
	lua_Integer most = (lua_Integer)pages;

	*first = (uint64_t)api_integer(L, 1, "unplugged_first", 0, 0, most - 1);
	*count = (uint64_t)api_integer(L, 1, "unplugged_pages", 0, 0, most - (lua_Integer)*first);
}

static int
l_migrate(lua_State *L)
{
	struct precopy_config config = precopy_config_default();
	struct migration_vm *vm;
	struct ram *dst;
	const char *name;

	script_world(L);
	script_must_not_check(L, "migrate");
	api_options(L, 1, "migrate", migrate_options);
	vm = api_object(L, 1, "vm", "source_vm");
	dst = api_object(L, 1, "destination", "destination");
	if (!vm)
		return api_missing(L, "migrate", "vm");
	if (!dst)
		return api_missing(L, "migrate", "destination");
	if (vm->migration || !vm->running)
		return luaL_error(L, "migrate: the machine is being migrated, or was");
	if (ram_pages(vm->ram) != ram_pages(dst))
		return luaL_error(L, "migrate: the destination is another machine's");
	read_config(L, &config);
	api_unplugged(L, ram_pages(dst), &config.unplugged_first, &config.unplugged_pages);
	if (config.vcpu_dirty_limit && !vm->ring_pages)
		return luaL_error(L, "vcpu_dirty_limit: needs source_vm{dirty_ring_size = …}");
	name = world_strdup(vm->w, api_string(L, 1, "name", "migration"));
	api_push(L, "migration", precopy_start(vm, dst, &config, api_vmstate(L, 1), name));
	return 1;
}

static struct precopy *
check_migration(lua_State *L, const char *what)
{
	script_world(L);
	if (what)
		script_must_not_check(L, what);
	return api_check(L, 1, "migration");
}

static void
record_metrics(lua_State *L, const struct precopy_stats *s)
{
	api_metric(L, "rounds", (int64_t)s->rounds, "");
	api_metric(L, "total_time_ns", s->total_ns, "ns");
	api_metric(L, "setup_time_ns", s->setup_ns, "ns");
	api_metric(L, "downtime_ns", s->downtime_ns, "ns");
	api_metric(L, "stop_ns", s->stop_ns, "ns");
	api_metric(L, "pages_sent", (int64_t)s->normal_pages, "pages");
	api_metric(L, "zero_pages", (int64_t)s->zero_pages, "pages");
	api_metric(L, "xbzrle_pages", (int64_t)s->xbzrle_pages, "pages");
	api_metric(L, "transferred", (int64_t)s->bytes, "bytes");
	api_metric(L, "dirty_rate", s->dirty_rate, "pages/s");
	api_metric(L, "throttle", s->throttle_percent, "%");
	if (s->decomposed)
		api_downtime_metrics(L, s->phase_ns, s->network_ns);
}

static int
migration_l_wait(lua_State *L)
{
	struct precopy *m = check_migration(L, "wait");
	enum precopy_state state;

	script_must_be_actor(L, "wait");
	state = precopy_wait(m);
	record_metrics(L, precopy_stats(m));
	lua_pushstring(L, precopy_state_word[state]);
	return 1;
}

static int
migration_l_set_parameters(lua_State *L)
{
	static const char *const allowed[] = { "threshold_bytes", "budget_pages", NULL };
	struct precopy *m = check_migration(L, "set_parameters");

	api_options(L, 2, "set_parameters", allowed);
	precopy_set_parameters(
		m,
		&(struct precopy_parameters){
			.threshold_bytes = api_integer(L, 2, "threshold_bytes", -1, 0, BYTES_MAX),
			.budget_pages = api_integer(L, 2, "budget_pages", -1, 0, INT64_C(1) << 32),
		});
	return 0;
}

static int
migration_l_cancel(lua_State *L)
{
	precopy_cancel(check_migration(L, "cancel"));
	return 0;
}

static int
migration_l_state(lua_State *L)
{
	lua_pushstring(L, precopy_state_word[precopy_state(check_migration(L, NULL))]);
	return 1;
}

static int
migration_l_stats(lua_State *L)
{
	const struct precopy *m = check_migration(L, NULL);
	const struct precopy_stats *s = precopy_stats(m);

	lua_newtable(L);
	api_set_integer(L, "rounds", (int64_t)s->rounds);
	api_set_integer(L, "total_time_ns", s->total_ns);
	api_set_integer(L, "setup_time_ns", s->setup_ns);
	api_set_integer(L, "downtime_ns", s->downtime_ns);
	api_set_integer(L, "expected_downtime_ns", s->expected_downtime_ns);
	api_set_integer(L, "pages_sent", (int64_t)s->normal_pages);
	api_set_integer(L, "zero_pages", (int64_t)s->zero_pages);
	api_set_integer(L, "xbzrle_pages", (int64_t)s->xbzrle_pages);
	api_set_integer(L, "hinted_pages", (int64_t)s->hinted_pages);
	api_set_integer(L, "dirty_pages", (int64_t)precopy_dirty_pages(m));
	api_set_integer(L, "dirty_bits", (int64_t)precopy_bitmap(m)->set);
	api_set_integer(L, "transferred", (int64_t)s->bytes);
	api_set_integer(L, "bandwidth", s->bandwidth);
	api_set_integer(L, "threshold", s->threshold);
	api_set_integer(L, "dirty_rate", s->dirty_rate);
	api_set_integer(L, "throttle", s->throttle_percent);
	return 1;
}

/* Pages that differ now, at most 1000 of them. */
static int
vm_l_difference(lua_State *L)
{
	struct migration_vm *vm = check_vm(L, NULL);
	const struct ram *dst = api_check(L, 2, "destination");
	uint64_t pages = ram_pages(vm->ram);
	lua_Integer n = 0;

	if (ram_pages(dst) != pages)
		return luaL_error(L, "difference: the destination is another machine's");
	lua_newtable(L);
	for (uint64_t p = 0; n < 1000 && (p = ram_next_difference(vm->ram, dst, p)) < pages; p++) {
		lua_pushinteger(L, (lua_Integer)p);
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

const struct api_entry api_migrate[] = {
	{ "source_vm", "writer", "(kind [, name]) -> ram_writer",
	  "who writes it: vcpu, kvm, qemu, vhost, vfio or its decides which log notes it",
	  vm_l_writer },
	{ "source_vm", "dirtier",
	  "{name=, first=, pages=, pages_per_second=, pattern=, seed=} -> dirtier",
	  "mode timed: a vCPU that writes uniform, sweep or hot", vm_l_dirtier },
	{ "source_vm", "fill", "(first, count)", "pages have content before anything runs",
	  vm_l_fill },
	{ "source_vm", "destination", "() -> destination", "memory of the same size, all zeros",
	  vm_l_destination },
	{ "source_vm", "digest", "([block]) -> text", "XXH3 of a RAM block", vm_l_digest },
	{ "source_vm", "md5", "([block]) -> text", "MD5 of a RAM block's bytes, 4 KiB a page",
	  vm_l_md5 },
	{ "source_vm", "load", "(page, offset, count) -> bytes", "look at real bytes", vm_l_load },
	{ "source_vm", "difference", "(destination) -> pages", "those that differ, 1000 at most",
	  vm_l_difference },
	{ "source_vm", "watch", "(first [, count])",
	  "mode timed: what happens to these pages is said and kept", vm_l_watch },
	{ "source_vm", "history", "(page) -> list",
	  "what happened to a watched page: written, synced, hinted, cleared, read, loaded",
	  vm_l_history },
	{ "source_vm", "running", "() -> boolean", "whether its vCPUs may run", vm_l_running },
	{ "ram_writer", "write", "(gfn [, zero]) -> done",
	  "write a frame; waits while the machine stands; false from a stopped device, and where "
	  "nothing can be written",
	  writer_l_write },
	{ "ram_writer", "write_range", "(first, count) -> done",
	  "a request for several pages: a DMA, a batch of buffers", writer_l_write_range },
	{ "ram_writer", "tables", "(first, count)",
	  "an its: KVM writes these frames when the machine has stopped (SAVE_TABLES)",
	  writer_l_tables },
	{ "ram_writer", "store", "(gfn, offset, bytes) -> done",
	  "the same with real bytes: equal bytes are equal content", writer_l_store },
	{ "dirtier", "stop", "()", "no more writes", dirtier_l_stop },
	{ "dirtier", "writes", "() -> count", "so far", dirtier_l_writes },
	{ "destination", "digest", "([block]) -> text", "XXH3 of a RAM block",
	  destination_l_digest },
	{ "destination", "md5", "([block]) -> text", "MD5 of a RAM block's bytes, 4 KiB a page",
	  destination_l_md5 },
	{ "destination", "load", "(page, offset, count) -> bytes", "look at real bytes",
	  destination_l_load },
	{ NULL, "migrate",
	  "{vm=, destination=, max_bandwidth=, downtime_limit_ns=, …} -> migration",
	  "precopy as QEMU does it; an unknown option lists all", l_migrate },
	{ "migration", "wait", "() -> state", "wait for its end and record its metrics",
	  migration_l_wait },
	{ "migration", "set_parameters", "{threshold_bytes=, budget_pages=}",
	  "migrate-set-parameters while it runs; a thread that waits for its budget goes on",
	  migration_l_set_parameters },
	{ "migration", "cancel", "()", "migrate_cancel", migration_l_cancel },
	{ "migration", "state", "() -> state", "active, completed, cancelled, failed, …",
	  migration_l_state },
	{ "migration", "stats", "() -> table", "info migrate", migration_l_stats },
	{ NULL, NULL, NULL, NULL, NULL }
};
