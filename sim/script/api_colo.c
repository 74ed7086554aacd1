/* SPDX-License-Identifier: GPL-2.0-or-later */
/* API: COLO. */
#include "migration/colo.h"

#include "script/machine_api.h"

static struct colo *
check_colo(lua_State *L, const char *what)
{
	script_world(L);
	if (what)
		script_must_not_check(L, what);
	return api_check(L, 1, "colo");
}

static int
l_colo(lua_State *L)
{
	static const char *const allowed[] = { "vm", "checkpoint_delay_ns", "loaders", NULL };
	struct colo_config config = { 0 };
	struct migration_vm *vm;

	script_world(L);
	script_must_not_check(L, "colo");
	api_options(L, 1, "colo", allowed);
	vm = api_object(L, 1, "vm", "source_vm");
	if (!vm)
		return api_missing(L, "colo", "vm");
	if (vm->migration || !vm->running || vm->log_global)
		return luaL_error(L, "colo: the machine is being migrated, or was");
	for (const struct ram_writer *v = vm->writers; v; v = v->next)
		if (v->kind == WRITER_VHOST || v->kind == WRITER_VFIO)
			return luaL_error(L, "colo: a %s device's packets cannot be compared",
					  ram_writer_word[v->kind]);
	config.checkpoint_delay_ns =
		api_integer(L, 1, "checkpoint_delay_ns", 0, 0, INT64_C(1000000000000));
	config.loaders = (unsigned)api_integer(L, 1, "loaders", 1, 1, 2);
	api_push(L, "colo", colo_start(vm, &config));
	return 1;
}

static enum colo_side
check_side(lua_State *L, int arg)
{
	return (enum colo_side)luaL_checkoption(
		L, arg, NULL, (const char *const[]){ "primary", "secondary", NULL });
}

static int
colo_l_step(lua_State *L)
{
	struct colo *c = check_colo(L, "step");
	enum colo_side side = check_side(L, 2);
	uint64_t page = (uint64_t)api_range(L, 3, 0, (lua_Integer)ram_pages(colo_secondary(c)) - 1);

	script_must_be_actor(L, "step");
	lua_pushboolean(L, colo_step(c, side, page, luaL_optinteger(L, 4, 0)));
	return 1;
}

static int
colo_l_checkpoint(lua_State *L)
{
	struct colo *c = check_colo(L, "checkpoint");

	script_must_be_actor(L, "checkpoint");
	colo_checkpoint(c);
	lua_pushboolean(L, colo_wait_checkpoint(c));
	return 1;
}

static int
colo_l_primary_dies(lua_State *L)
{
	struct colo *c = check_colo(L, "primary_dies");

	script_must_be_actor(L, "primary_dies");
	colo_primary_dies(c);
	return 0;
}

static int
colo_l_failover(lua_State *L)
{
	struct colo *c = check_colo(L, "failover");

	script_must_be_actor(L, "failover");
	if (!colo_primary_dead(c))
		return luaL_error(L, "failover: the primary lives");
	colo_failover(c);
	return 0;
}

static int
colo_l_stop(lua_State *L)
{
	colo_stop(check_colo(L, "stop"));
	return 0;
}

static int
colo_l_count(lua_State *L)
{
	const struct colo *c = check_colo(L, NULL);

	lua_pushinteger(L, (lua_Integer)colo_register(c, check_side(L, 2)));
	return 1;
}

static int
colo_l_stats(lua_State *L)
{
	const struct colo_stats *s = colo_stats(check_colo(L, "stats"));

	lua_newtable(L);
	api_set_integer(L, "checkpoints", (int64_t)s->checkpoints);
	api_set_integer(L, "pages", (int64_t)s->pages);
	api_set_integer(L, "flushed", (int64_t)s->flushed);
	api_set_integer(L, "matched", (int64_t)s->matched);
	api_set_integer(L, "mismatched", (int64_t)s->mismatched);
	api_set_integer(L, "released", (int64_t)s->released);
	api_set_integer(L, "stop_ns", s->stop_ns);
	api_metric(L, "checkpoints", (int64_t)s->checkpoints, "");
	api_metric(L, "checkpoint_pages", (int64_t)s->pages, "pages");
	api_metric(L, "packets_matched", (int64_t)s->matched, "");
	api_metric(L, "packets_mismatched", (int64_t)s->mismatched, "");
	api_metric(L, "checkpoint_stop_ns", s->stop_ns, "ns");
	return 1;
}

const struct api_entry api_colo[] = {
	{ NULL, "colo", "{vm=, checkpoint_delay_ns=, loaders=} -> colo",
	  "a second machine that runs the same guest, kept equal by checkpoints", l_colo },
	{ "colo", "step", "(side, page [, payload]) -> done",
	  "the guest of primary or secondary counts, writes a page and sends a packet",
	  colo_l_step },
	{ "colo", "checkpoint", "() -> done", "ask for a checkpoint and wait; false: no primary",
	  colo_l_checkpoint },
	{ "colo", "primary_dies", "()", "the primary's host is no more", colo_l_primary_dies },
	{ "colo", "failover", "()", "x-colo-lost-heartbeat: the secondary goes on alone",
	  colo_l_failover },
	{ "colo", "stop", "()", "no more checkpoints, no more steps", colo_l_stop },
	{ "colo", "count", "(side) -> steps", "the guest's register", colo_l_count },
	{ "colo", "stats", "() -> table", "checkpoints, pages, packets; recorded as metrics",
	  colo_l_stats },
	{ NULL, NULL, NULL, NULL, NULL }
};
