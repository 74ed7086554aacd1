/* SPDX-License-Identifier: GPL-2.0-or-later */
/* API: COLO. */
#include "migration/colo.h"
#include "migration/colo_disk.h"

#include <stdio.h>
#include <stdlib.h>

#include "script/machine_api.h"

#define NS_MAX INT64_C(1000000000000)
#define BYTES_MAX (INT64_C(1) << 50)

static struct colo *
check_colo(lua_State *L, const char *what)
{
	script_world(L);
	if (what)
		script_must_not_check(L, what);
	return api_check(L, 1, "colo");
}

static void
read_config(lua_State *L, struct colo_config *config)
{
	*config = (struct colo_config){
		.checkpoint_delay_ns = api_integer(L, 1, "checkpoint_delay_ns", 0, 0, NS_MAX),
		.loaders = (unsigned)api_integer(L, 1, "loaders", 1, 1, COLO_LOADERS_MAX),
		.migrate = api_boolean(L, 1, "migrate", false),
		.disk_sectors = (uint64_t)api_integer(L, 1, "disk_sectors", 0, 0, COLO_SECTORS_MAX),
		.commit_fails_at = api_integer(L, 1, "commit_fails_at", 0, 0, COLO_SECTORS_MAX) - 1,
		.filters_fail_at =
			(uint64_t)api_integer(L, 1, "filters_fail_at", 0, 0, INT64_C(1) << 32),
		.max_queue_size = (unsigned)api_integer(L, 1, "max_queue_size", 1024, 1, 65536),
		.vnet_hdr = api_boolean(L, 1, "vnet_hdr", true),
		.compare_timeout_ns =
			api_integer(L, 1, "compare_timeout_ns", INT64_C(3000000000), 1, NS_MAX),
		.expired_scan_cycle_ns =
			api_integer(L, 1, "expired_scan_cycle_ns", INT64_C(1000000000), 1, NS_MAX),
		.link_bandwidth = api_integer(L, 1, "link_bandwidth", 0, 0, BYTES_MAX),
		.rtt_ns = api_integer(L, 1, "rtt_ns", 0, 0, NS_MAX),
		.device_state_bytes = api_integer(L, 1, "device_state_bytes", 0, 0, BYTES_MAX),
		.ahead_rounds = (unsigned)api_integer(L, 1, "ahead_rounds", 0, 0, 1000),
		.ahead_bytes = api_integer(L, 1, "ahead_bytes", 0, 0, BYTES_MAX),
		.auto_converge = api_boolean(L, 1, "auto_converge", false),
	};
}

static int
l_colo(lua_State *L)
{
	/* clang-format off */
	static const char *const allowed[] = {
		"vm", "checkpoint_delay_ns", "loaders", "migrate", "disk_sectors",
		"commit_fails_at", "filters_fail_at", "max_queue_size", "vnet_hdr",
		"compare_timeout_ns", "expired_scan_cycle_ns", "link_bandwidth", "rtt_ns",
		"device_state_bytes", "ahead_rounds", "ahead_bytes", "auto_converge", NULL
	};
	/* clang-format on */
	struct colo_config config;
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
	read_config(L, &config);
	if (config.auto_converge && (vm->steps || config.ahead_rounds))
		return luaL_error(L, "colo: auto_converge is of mode = \"timed\", and not with "
				     "ahead_rounds");
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
colo_l_write(lua_State *L)
{
	struct colo *c = check_colo(L, "write");
	enum colo_side side = check_side(L, 2);
	lua_Integer pages = (lua_Integer)ram_pages(colo_secondary(c));
	lua_Integer first = api_range(L, 3, 0, pages - 1);
	lua_Integer count = lua_isnoneornil(L, 4) ? 1 : api_range(L, 4, 0, pages - first);

	script_must_be_actor(L, "write");
	lua_pushboolean(L, colo_write(c, side, (uint64_t)first, (uint64_t)count));
	return 1;
}

static int
colo_l_wait_started(lua_State *L)
{
	struct colo *c = check_colo(L, "wait_started");

	script_must_be_actor(L, "wait_started");
	lua_pushboolean(L, colo_wait_started(c));
	return 1;
}

/* --- its disk ------------------------------------------------------------------------------- */

static struct colo *
check_disk(lua_State *L, const char *what)
{
	struct colo *c = check_colo(L, what);

	if (!colo_disk_sectors(c))
		luaL_error(L, "%s: colo{} was made without disk_sectors",
			   what ? what : "disk_read");
	return c;
}

static int
colo_l_disk_write(lua_State *L)
{
	struct colo *c = check_disk(L, "disk_write");
	enum colo_side side = check_side(L, 2);
	lua_Integer sector = api_range(L, 3, 0, (lua_Integer)colo_disk_sectors(c) - 1);

	script_must_be_actor(L, "disk_write");
	lua_pushboolean(L, colo_disk_write(c, side, (uint64_t)sector));
	return 1;
}

static int
colo_l_disk_read(lua_State *L)
{
	const struct colo *c = check_disk(L, NULL);
	enum colo_side side = check_side(L, 2);
	lua_Integer sector = api_range(L, 3, 0, (lua_Integer)colo_disk_sectors(c) - 1);

	lua_pushinteger(L, (lua_Integer)colo_disk_read(c, side, (uint64_t)sector));
	return 1;
}

static int
colo_l_disk_link_fails(lua_State *L)
{
	colo_disk_link_fails(check_disk(L, "disk_link_fails"));
	return 0;
}

static int
colo_l_disk_checkpoint_promoted(lua_State *L)
{
	struct colo *c = check_disk(L, "disk_checkpoint_promoted");

	script_must_be_actor(L, "disk_checkpoint_promoted");
	if (colo_disk_stage(c) <= COLO_DISK_RUNNING)
		return luaL_error(L, "disk_checkpoint_promoted: there was no failover");
	colo_disk_checkpoint_promoted(c);
	return 0;
}

static int
colo_l_disk_wait_commit(lua_State *L)
{
	struct colo *c = check_disk(L, "disk_wait_commit");

	script_must_be_actor(L, "disk_wait_commit");
	lua_pushboolean(L, colo_disk_wait_commit(c));
	return 1;
}

/* --- life ----------------------------------------------------------------------------------- */

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
colo_l_secondary_dies(lua_State *L)
{
	struct colo *c = check_colo(L, "secondary_dies");

	script_must_be_actor(L, "secondary_dies");
	if (!colo_wait_started(c))
		return luaL_error(L, "secondary_dies: COLO had not begun");
	colo_secondary_dies(c);
	return 0;
}

static int
colo_l_failover(lua_State *L)
{
	struct colo *c = check_colo(L, "failover");

	script_must_be_actor(L, "failover");
	if (!lua_isnoneornil(L, 2) && check_side(L, 2) == COLO_PRIMARY) {
		if (!colo_secondary_dead(c))
			return luaL_error(L, "failover: the secondary lives");
		if (colo_primary_dead(c))
			return luaL_error(L, "failover: the primary is dead, too");
		colo_failover_primary(c);
		return 0;
	}
	if (!colo_primary_dead(c))
		return luaL_error(L, "failover: the primary lives");
	if (colo_secondary_dead(c))
		return luaL_error(L, "failover: the secondary is dead, too");
	if (!colo_wait_started(c))
		return luaL_error(L, "failover: COLO had not begun");
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
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Mean and 99th percentile of a phase, as metrics and in the table: "ram_mean_ns", "ram_p99_ns". */
static void
set_phase(lua_State *L, const struct colo *c, enum colo_phase p)
{
	uint64_t n;
	const struct colo_sample *s = colo_samples(c, &n);
	int64_t *sorted = malloc((n ? n : 1) * sizeof(*sorted)), sum = 0, p99;
	char name[64];

	if (!sorted)
		luaL_error(L, "stats: out of memory");
	for (uint64_t i = 0; i < n; i++)
		sum += sorted[i] = s[i].ns[p];
	qsort(sorted, n, sizeof(*sorted), by_value);
	p99 = n ? sorted[(n * 99 + 99) / 100 - 1] : 0;
	free(sorted);
	snprintf(name, sizeof(name), "checkpoint_%s_mean_ns", colo_phase_word[p]);
	api_metric(L, name, n ? sum / (int64_t)n : 0, "ns");
	api_set_integer(L, name + sizeof("checkpoint_") - 1, n ? sum / (int64_t)n : 0);
	snprintf(name, sizeof(name), "checkpoint_%s_p99_ns", colo_phase_word[p]);
	api_metric(L, name, p99, "ns");
	api_set_integer(L, name + sizeof("checkpoint_") - 1, p99);
}

static int
colo_l_stats(lua_State *L)
{
	const struct colo *c = check_colo(L, "stats");
	const struct colo_stats *s = colo_stats(c);

	lua_newtable(L);
	api_set_integer(L, "checkpoints", (int64_t)s->checkpoints);
	api_set_integer(L, "pages", (int64_t)s->pages);
	api_set_integer(L, "ahead_pages", (int64_t)s->ahead_pages);
	api_set_integer(L, "flushed", (int64_t)s->flushed);
	api_set_integer(L, "matched", (int64_t)s->matched);
	api_set_integer(L, "mismatched", (int64_t)s->mismatched);
	api_set_integer(L, "released", (int64_t)s->released);
	api_set_integer(L, "dropped", (int64_t)s->dropped);
	api_set_integer(L, "expired", (int64_t)s->expired);
	api_set_integer(L, "stop_ns", s->stop_ns);
	api_set_integer(L, "throttle", s->throttle_percent);
	api_set_integer(L, "held_mean_ns", s->released ? s->held_ns / (int64_t)s->released : 0);
	api_set_integer(L, "held_most_ns", s->held_most_ns);
	if (colo_disk_sectors(c))
		api_set_string(L, "disk", colo_disk_stage_word[colo_disk_stage(c)]);
	api_metric(L, "checkpoints", (int64_t)s->checkpoints, "");
	api_metric(L, "checkpoint_pages", (int64_t)s->pages, "pages");
	api_metric(L, "checkpoint_ahead_pages", (int64_t)s->ahead_pages, "pages");
	api_metric(L, "packets_matched", (int64_t)s->matched, "");
	api_metric(L, "packets_mismatched", (int64_t)s->mismatched, "");
	api_metric(L, "packets_dropped", (int64_t)s->dropped, "");
	api_metric(L, "checkpoints_for_old_packets", (int64_t)s->expired, "");
	api_metric(L, "checkpoint_stop_ns", s->stop_ns, "ns");
	if (colo_vm(c)->steps)
		return 1;
	api_metric(L, "throttle", s->throttle_percent, "%");
	api_metric(L, "packet_held_mean_ns", s->released ? s->held_ns / (int64_t)s->released : 0,
		   "ns");
	api_metric(L, "packet_held_most_ns", s->held_most_ns, "ns");
	for (int p = 0; p < COLO_PHASES; p++)
		set_phase(L, c, (enum colo_phase)p);
	return 1;
}

const struct api_entry api_colo[] = {
	{ NULL, "colo",
	  "{vm=, checkpoint_delay_ns=, loaders=, migrate=, disk_sectors=, commit_fails_at=, "
	  "filters_fail_at=, max_queue_size=, vnet_hdr=, compare_timeout_ns=, "
	  "expired_scan_cycle_ns=, link_bandwidth=, rtt_ns=, device_state_bytes=, ahead_rounds=, "
	  "ahead_bytes=, auto_converge=} -> colo",
	  "a second machine that runs the same guest, kept equal by checkpoints", l_colo },
	{ "colo", "step", "(side, page [, payload]) -> done",
	  "the guest of primary or secondary counts, writes a page and sends a packet",
	  colo_l_step },
	{ "colo", "write", "(side, page [, count]) -> done",
	  "that guest writes pages and sends nothing", colo_l_write },
	{ "colo", "wait_started", "() -> started", "wait for the end of the first migration",
	  colo_l_wait_started },
	{ "colo", "disk_write", "(side, sector) -> done",
	  "that guest writes a sector and waits until it is written", colo_l_disk_write },
	{ "colo", "disk_read", "(side, sector) -> version", "what that guest would read",
	  colo_l_disk_read },
	{ "colo", "disk_link_fails", "()", "the NBD client's connection fails",
	  colo_l_disk_link_fails },
	{ "colo", "disk_checkpoint_promoted", "()",
	  "a checkpoint of the COLO that the promoted secondary begins reaches its disk",
	  colo_l_disk_checkpoint_promoted },
	{ "colo", "disk_wait_commit", "() -> done",
	  "wait for the commit of a failover; false: it failed", colo_l_disk_wait_commit },
	{ "colo", "checkpoint", "() -> done",
	  "ask for a checkpoint and wait; false: no primary, or an error", colo_l_checkpoint },
	{ "colo", "primary_dies", "()", "the primary's host is no more", colo_l_primary_dies },
	{ "colo", "secondary_dies", "()", "the secondary's host is no more",
	  colo_l_secondary_dies },
	{ "colo", "failover", "([side])",
	  "x-colo-lost-heartbeat: the secondary, or this side, goes on alone", colo_l_failover },
	{ "colo", "stop", "()", "no more checkpoints, no more steps", colo_l_stop },
	{ "colo", "count", "(side) -> steps", "the guest's register", colo_l_count },
	{ "colo", "stats", "() -> table", "checkpoints, pages, packets; recorded as metrics",
	  colo_l_stats },
	{ NULL, NULL, NULL, NULL, NULL }
};
