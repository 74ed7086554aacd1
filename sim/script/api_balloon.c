/* SPDX-License-Identifier: GPL-2.0-or-later */
/* API: the balloon, both sides. */
#include "guest/balloon_driver.h"
#include "migration/vm.h"
#include "oracle/oracle.h"
#include "script/features.h"
#include "script/guest_api.h"
#include "vmm/balloon_hint.h"

/* The driver with the memory it works on, as a script sees it. */
struct script_balloon {
	struct guest_balloon *b;
	struct guest_pages *pages;
};

/* --- the guest's driver --------------------------------------------------------------------- */

int
api_make_balloon(lua_State *L, struct machine_device *d)
{
	static const char *const allowed[] = { "name",		"features",	 "vectors",
					       "notify_locked", "irq_count_max", "cpu",
					       "pages",		"poison",	 "request_pages",
					       "hint_chain",	"hint_order",	 NULL };
	struct script_machine *sm = script_of(L)->machine;
	struct world *w = script_world(L);
	struct script_balloon *s = world_alloc(w, sizeof(*s));
	struct guest_balloon_config config = { 0 };
	int64_t poison;

	api_options(L, 2, "driver", allowed);
	config.virtio = api_virtio_config(L, 2, d, "driver");
	config.cpu = sm->cpu[api_integer(L, 2, "cpu", 0, 0, (lua_Integer)sm->m->vcpu_count - 1)];
	poison = api_integer(L, 2, "poison", -1, 0, UINT32_MAX);
	config.poison_val = poison < 0 ? 0 : (uint32_t)poison;
	config.request_pages =
		(unsigned)api_integer(L, 2, "request_pages", 0, 1, GUEST_BALLOON_PFNS);
	config.hint_chain = (unsigned)api_integer(L, 2, "hint_chain", 1, 1, GUEST_HINT_CHAIN_MAX);
	config.hint_order = (unsigned)api_integer(L, 2, "hint_order", 0, 0, GUEST_HINT_ORDER_MAX);
	s->pages =
		guest_pages_create(w, (uint32_t)api_integer(L, 2, "pages", 8, 1, GUEST_PAGES_MAX),
				   poison >= 0, config.poison_val);
	config.pages = s->pages;
	s->b = guest_balloon_create(w, &config);
	oracle_watch_driver(w, &s->b->dev);
	api_push(L, "balloon", s);
	return 1;
}

static struct script_balloon *
check(lua_State *L)
{
	script_world(L);
	return api_check(L, 1, "balloon");
}

/* A page by its number from 0, as scripts count them. */
static uint64_t
check_gfn(lua_State *L, int arg, const struct script_balloon *s)
{
	return s->pages->first + (uint64_t)api_range(L, arg, 0, (lua_Integer)s->pages->count - 1);
}

static int
balloon_probe(lua_State *L)
{
	struct script_balloon *s = check(L);

	return api_result(L, guest_balloon_probe(s->b, api_cpu(L, "probe")));
}

static int
balloon_alloc(lua_State *L)
{
	struct script_balloon *s = check(L);
	uint64_t gfn = guest_page_alloc(s->pages, api_cpu(L, "alloc"));

	if (gfn == GUEST_NO_PAGE)
		lua_pushnil(L);
	else
		lua_pushinteger(L, (lua_Integer)(gfn - s->pages->first));
	return 1;
}

static int
balloon_free(lua_State *L)
{
	struct script_balloon *s = check(L);
	uint64_t gfn = check_gfn(L, 2, s);

	api_cpu(L, "free");
	if (guest_page_state(s->pages, gfn) != GUEST_PAGE_USED)
		return luaL_error(L, "free: page %d is not one that alloc() gave",
				  (int)(gfn - s->pages->first));
	guest_page_free(s->pages, gfn);
	return 0;
}

static int
balloon_write(lua_State *L)
{
	struct script_balloon *s = check(L);
	uint64_t gfn = check_gfn(L, 2, s);
	uint64_t value = (uint64_t)luaL_checkinteger(L, 3);

	api_cpu(L, "write");
	guest_page_write(s->pages, gfn, value);
	return 0;
}

static int
balloon_read(lua_State *L)
{
	struct script_balloon *s = check(L);

	lua_pushinteger(L, (lua_Integer)guest_page_read(s->pages, check_gfn(L, 2, s)));
	return 1;
}

static int
balloon_state(lua_State *L)
{
	struct script_balloon *s = check(L);

	lua_pushstring(L, guest_page_state_name[guest_page_state(s->pages, check_gfn(L, 2, s))]);
	return 1;
}

typedef uint32_t (*pages_fn)(struct guest_balloon *b, struct guest_cpu *cpu, uint32_t pages);

static int
move(lua_State *L, pages_fn fn, const char *what)
{
	struct script_balloon *s = check(L);
	uint32_t n = (uint32_t)api_range(L, 2, 0, GUEST_PAGES_MAX);

	lua_pushinteger(L, fn(s->b, api_cpu(L, what), n));
	return 1;
}

static int
balloon_inflate(lua_State *L)
{
	return move(L, guest_balloon_inflate, "inflate");
}

static int
balloon_deflate(lua_State *L)
{
	return move(L, guest_balloon_deflate, "deflate");
}

static int
balloon_report(lua_State *L)
{
	return move(L, guest_balloon_report, "report");
}

static int
balloon_remove(lua_State *L)
{
	struct script_balloon *s = check(L);

	guest_balloon_remove(s->b, api_cpu(L, "remove"));
	return 0;
}

static int
balloon_freeze(lua_State *L)
{
	struct script_balloon *s = check(L);

	guest_balloon_freeze(s->b, api_cpu(L, "freeze"));
	return 0;
}

static int
balloon_restore(lua_State *L)
{
	struct script_balloon *s = check(L);

	return api_result(L, guest_balloon_restore(s->b, api_cpu(L, "restore")));
}

static int
balloon_info(lua_State *L)
{
	struct script_balloon *s = check(L);

	lua_newtable(L);
	features_push(L, s->b->dev.features);
	lua_setfield(L, -2, "features");
	api_set_integer(L, "pages", s->pages->count);
	api_set_integer(L, "free", s->pages->free);
	api_set_integer(L, "inflated", s->b->pages);
	api_set_integer(L, "held", (int64_t)s->b->hints << s->b->config.hint_order);
	api_set_integer(L, "hinted", (int64_t)s->b->hinted);
	api_set_integer(L, "released", (int64_t)s->b->released);
	api_set_integer(L, "reports", (int64_t)s->b->reports);
	api_set_integer(L, "cmd_id", s->b->id_received);
	api_set_integer(L, "poison_errors", (int64_t)s->pages->poison_errors);
	api_set_integer(L, "failed", (int64_t)s->pages->failed);
	api_set_boolean(L, "idle", guest_balloon_idle(s->b));
	return 1;
}

/* --- the device ----------------------------------------------------------------------------- */

static struct machine_device *
check_device(lua_State *L, const char *what)
{
	struct machine_device *d = api_check(L, 1, "device");

	script_world(L);
	if (!d->balloon)
		luaL_error(L, "%s: only a virtio-balloon has that", what);
	return d;
}

static int
device_target(lua_State *L)
{
	struct machine_device *d = check_device(L, "balloon_target");
	uint32_t n = (uint32_t)api_range(L, 2, 0, GUEST_PAGES_MAX);

	script_must_be_actor(L, "balloon_target");
	api_lock(L, d->machine);
	virtio_balloon_target(d->balloon, n);
	api_unlock(L, d->machine);
	return 0;
}

static int
device_stats(lua_State *L)
{
	struct machine_device *d = check_device(L, "balloon_stats");
	bool asked;

	script_must_be_actor(L, "balloon_stats");
	api_lock(L, d->machine);
	asked = virtio_balloon_request_stats(d->balloon);
	api_unlock(L, d->machine);
	lua_pushboolean(L, asked);
	return 1;
}

static int
device_inhibit(lua_State *L)
{
	struct machine_device *d = check_device(L, "balloon_inhibit");
	bool on = lua_toboolean(L, 2);

	if (!on && !d->balloon->inhibit)
		return luaL_error(L, "balloon_inhibit: it is not");
	virtio_balloon_inhibit(d->balloon, on);
	return 0;
}

static struct balloon_hint *
check_hint(lua_State *L, const char *what)
{
	struct balloon_hint *h = balloon_hint_of(check_device(L, what)->balloon);

	if (!h)
		luaL_error(L, "%s: VIRTIO_BALLOON_F_FREE_PAGE_HINT is not offered", what);
	return h;
}

static int
device_hint_limit(lua_State *L)
{
	struct balloon_hint *h = check_hint(L, "hint_limit");

	if (!h->posted)
		return luaL_error(L, "hint_limit: the device needs hints_as_posted = true");
	h->limit_ns = (int64_t)api_range(L, 2, 0, INT64_C(1) << 50);
	return 0;
}

static int
device_hint_start(lua_State *L)
{
	struct balloon_hint *h = check_hint(L, "hint_start");
	struct machine *m = script_of(L)->machine->m;
	bool asked;

	script_must_be_actor(L, "hint_start");
	if (!h->discards)
		return luaL_error(L, "hint_start: the device needs hints_discard = true");
	api_lock(L, m);
	asked = balloon_discard_start(h);
	api_unlock(L, m);
	lua_pushboolean(L, asked);
	return 1;
}

static int
device_balloon_info(lua_State *L)
{
	struct virtio_balloon *b = check_device(L, "balloon_info")->balloon;
	const struct balloon_hint *h = balloon_hint_of(b);

	lua_newtable(L);
	api_set_integer(L, "actual",
			virtio_balloon_field(b, offsetof(struct virtio_balloon_config, actual)));
	api_set_integer(L, "inflated", (int64_t)b->inflated);
	api_set_integer(L, "deflated", (int64_t)b->deflated);
	api_set_integer(L, "discarded", (int64_t)b->discarded);
	api_set_integer(L, "reported", (int64_t)b->reported);
	api_set_integer(L, "stats_updates", (int64_t)b->stats_updates);
	api_set_integer(L, "free_memory", (int64_t)b->stats[VIRTIO_BALLOON_S_MEMFREE]);
	if (!h)
		return 1;
	api_set_string(L, "hint_status", hint_status_name[h->status]);
	api_set_integer(L, "cmd_id", h->cmd_id);
	api_set_integer(L, "hints", (int64_t)h->hints);
	api_set_integer(L, "skipped", (int64_t)h->skipped);
	api_set_integer(L, "rounds", (int64_t)h->rounds);
	return 1;
}

/* --- a migration of its pages --------------------------------------------------------------- */

static int
balloon_source_vm(lua_State *L)
{
	static const char *const allowed[] = { "manual_protect", NULL };
	struct script_balloon *s = check(L);
	struct ram_block block = { .name = "pc.ram", .pages = s->pages->count };
	struct migration_vm_config config = { .blocks = &block, .block_count = 1 };
	struct migration_vm *vm;

	if (!script_of(L)->setting_up)
		return luaL_error(L, "source_vm: only in setup()");
	api_options(L, 2, "source_vm", allowed);
	config.manual_protect = api_boolean(L, 2, "manual_protect", true);
	vm = vm_create(script_world(L), &config);
	vm_link_machine(vm, script_of(L)->machine->m, s->pages->first * GUEST_PAGE_BYTES);
	api_push(L, "source_vm", vm);
	return 1;
}

const struct api_entry api_balloon[] = {
	{ "balloon", "probe", "() -> true or nil, errno", "virtballoon_probe()", balloon_probe },
	{ "balloon", "alloc", "() -> page or nil",
	  "a page of the guest's memory, numbered from 0; short of it the balloon gives some back",
	  balloon_alloc },
	{ "balloon", "free", "(page)", "to the guest's free list", balloon_free },
	{ "balloon", "write", "(page, value)", "the guest writes the page", balloon_write },
	{ "balloon", "read", "(page) -> value", "what it holds", balloon_read },
	{ "balloon", "state", "(page) -> free, used, balloon, hinted or reported", "where it is",
	  balloon_state },
	{ "balloon", "inflate", "(pages) -> pages", "fill_balloon(), one request",
	  balloon_inflate },
	{ "balloon", "deflate", "(pages) -> pages", "leak_balloon(), one request",
	  balloon_deflate },
	{ "balloon", "report", "(pages) -> pages", "report free pages, and wait", balloon_report },
	{ "balloon", "remove", "()", "virtballoon_remove()", balloon_remove },
	{ "balloon", "freeze", "()", "virtballoon_freeze()", balloon_freeze },
	{ "balloon", "restore", "() -> true or nil, errno", "virtballoon_restore()",
	  balloon_restore },
	{ "balloon", "info", "() -> table", "the driver's features, pages, counts", balloon_info },
	{ "balloon", "source_vm", "([{manual_protect=}]) -> source_vm",
	  "these pages as the RAM of a migrate{}, which stops and starts the machine",
	  balloon_source_vm },
	{ "device", "balloon_target", "(pages)", "how many pages the host wants", device_target },
	{ "device", "balloon_stats", "() -> asked", "ask for statistics", device_stats },
	{ "device", "balloon_inhibit", "(on)", "nothing is discarded meanwhile", device_inhibit },
	{ "device", "balloon_info", "() -> table", "the device's counts; state of hinting",
	  device_balloon_info },
	{ "device", "hint_start", "() -> asked", "hints_discard: ask the driver for its free pages",
	  device_hint_start },
	{ "device", "hint_limit", "(ns)",
	  "hints_as_posted: for how long the migration thread polls; 0, as at first: no limit",
	  device_hint_limit },
	{ NULL, NULL, NULL, NULL, NULL }
};
