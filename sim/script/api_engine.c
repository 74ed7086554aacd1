/* SPDX-License-Identifier: GPL-2.0-or-later */
/* API: time, actors, choices, notes and verdicts. */
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "engine/fault.h"
#include "memory/race.h"
#include "oracle/oracle.h"
#include "script/actor.h"
#include "script/api.h"
#include "script/scenario_read.h"

#define NS_MAX (INT64_C(1) << 60) /* 36 years */

/* --- time ----------------------------------------------------------------------------------- */

static int
l_now(lua_State *L)
{
	lua_pushinteger(L, world_now(script_world(L)));
	return 1;
}

static int
l_sleep(lua_State *L)
{
	int64_t ns = api_range(L, 1, 0, NS_MAX);

	script_must_be_actor(L, "sleep");
	if (lua_toboolean(L, 2))
		actor_sleep_bound(script_world(L), ns);
	else
		actor_sleep(script_world(L), ns);
	return 0;
}

static int
l_work(lua_State *L)
{
	int64_t ns = api_range(L, 1, 0, NS_MAX);

	script_must_be_actor(L, "work");
	actor_work(script_world(L), ns);
	return 0;
}

static int
l_point(lua_State *L)
{
	script_must_not_check(L, "point");
	actor_point(script_world(L));
	return 0;
}

static int
l_yield(lua_State *L)
{
	script_must_be_actor(L, "yield");
	actor_yield(script_world(L));
	return 0;
}

static int
l_choice(lua_State *L)
{
	lua_Integer n = api_range(L, 1, 1, CHOICE_N_MAX);

	script_must_not_check(L, "choice");
	if (script_of(L)->loading)
		return luaL_error(L, "choice: only in a run, not while the file is loaded");
	lua_pushinteger(
		L, 1 + (lua_Integer)world_choose(script_world(L), (uint32_t)n, CHOICE_OUTCOME));
	return 1;
}

/* --- actors --------------------------------------------------------------------------------- */

static int
l_actor(lua_State *L)
{
	static const char *const allowed[] = { "daemon", NULL };
	const char *name = luaL_checkstring(L, 1);
	struct script_actor *a;

	luaL_checktype(L, 2, LUA_TFUNCTION);
	script_must_not_check(L, "actor");
	if (script_of(L)->loading)
		return luaL_error(L,
				  "actor: only in setup() or later, not while the file is loaded");
	api_options(L, 3, "actor", allowed);
	lua_settop(L, 3);
	lua_pushvalue(L, 2);
	a = script_actor_create(L, name, api_boolean(L, 3, "daemon", false));
	api_push(L, "actor", a);
	return 1;
}

static int
actor_get_name(lua_State *L)
{
	struct script_actor *a = api_check(L, 1, "actor");

	lua_pushstring(L, actor_name(a->actor));
	return 1;
}

static int
actor_get_state(lua_State *L)
{
	static const char *const word[] = { "ready", "blocked", "sleeping", "done" };
	struct script_actor *a = api_check(L, 1, "actor");

	lua_pushstring(L, word[actor_state(a->actor)]);
	lua_pushstring(L, actor_waits_for(a->actor));
	return 2;
}

static int
actor_join(lua_State *L)
{
	struct script_actor *a = api_check(L, 1, "actor");

	script_must_be_actor(L, "join");
	while (!a->done)
		waitq_wait(script_world(L), &a->joiners);
	race_acquire(script_world(L), &a->joiners);
	return 0;
}

static int
l_blocked(lua_State *L)
{
	struct world *w = script_world(L);
	lua_Integer n = 0;

	lua_newtable(L);
	for (uint32_t id = 1; id <= world_actors(w); id++) {
		struct actor *a = world_actor(w, id);

		if (actor_is_daemon(a) || actor_state(a) != ACTOR_BLOCKED)
			continue;
		lua_createtable(L, 0, 2);
		lua_pushstring(L, actor_name(a));
		lua_setfield(L, -2, "name");
		lua_pushstring(L, actor_waits_for(a));
		lua_setfield(L, -2, "waits_for");
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

/* --- faults --------------------------------------------------------------------------------- */

static int
l_fault(lua_State *L)
{
	struct world *w = script_world(L);
	const char *name = luaL_checkstring(L, 1);
	enum fault f = fault_find(name);

	if (f == FAULT_NONE)
		return luaL_error(L, "fault: there is no '%s'; see: ringside faults", name);
	if (!lua_isnoneornil(L, 2)) {
		luaL_checktype(L, 2, LUA_TBOOLEAN);
		script_must_not_check(L, "fault");
		fault_set(w, f, lua_toboolean(L, 2));
	}
	lua_pushboolean(L, fault_on(w, f));
	return 1;
}

/* --- oracles -------------------------------------------------------------------------------- */

static int
l_oracle(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	enum oracle o = oracle_find(name);

	if (o == ORACLE_COUNT)
		return luaL_error(L, "oracle: there is no '%s'; see: ringside oracles", name);
	luaL_checktype(L, 2, LUA_TBOOLEAN);
	script_must_not_check(L, "oracle");
	oracle_enable(script_world(L), o, lua_toboolean(L, 2));
	return 0;
}

static int
l_oracle_count(lua_State *L)
{
	size_t n;
	const char *prefix = luaL_checklstring(L, 1, &n);
	struct world *w = script_world(L);
	unsigned found = 0;

	script_must_not_check(L, "oracle_count");
	for (int o = 0; o < ORACLE_COUNT; o++) {
		if (strncmp(oracle_info[o].name, prefix, n) != 0)
			continue;
		oracle_count(w, (enum oracle)o);
		found++;
	}
	if (!found)
		return luaL_error(L, "oracle_count: none begins with '%s'; see: ringside oracles",
				  prefix);
	return 0;
}

/* --- notes, figures ------------------------------------------------------------------------- */

static int
l_note(lua_State *L)
{
	struct world *w = script_world(L);

	script_tostring(L, 1, NULL);
	if (!script_of(L)->checking)
		emit(w, EV_NOTE, world_name(w, lua_tostring(L, -1)));
	return 0;
}

static int
l_progress(lua_State *L)
{
	script_must_not_check(L, "progress");
	oracle_progress(script_world(L));
	return 0;
}

void
api_metric(lua_State *L, const char *name, int64_t value, const char *unit)
{
	struct script *s = script_of(L);
	unsigned i = 0;

	while (i < s->metrics && strcmp(s->metric[i].name, name))
		i++;
	if (i == SCRIPT_METRICS_MAX || strlen(name) >= sizeof(s->metric[i].name) ||
	    strlen(unit) >= sizeof(s->metric[i].unit))
		luaL_error(L,
			   "metric: at most %d of them, with names below %d bytes and units below "
			   "%d",
			   SCRIPT_METRICS_MAX, (int)sizeof(s->metric[0].name),
			   (int)sizeof(s->metric[0].unit));
	if (i == s->metrics)
		s->metrics++;
	snprintf(s->metric[i].name, sizeof(s->metric[i].name), "%s", name);
	snprintf(s->metric[i].unit, sizeof(s->metric[i].unit), "%s", unit);
	s->metric[i].value = value;
}

static int
l_metric(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	lua_Integer value = luaL_checkinteger(L, 2);

	api_metric(L, name, value, luaL_optstring(L, 3, ""));
	return 0;
}

/* --- verdicts ------------------------------------------------------------------------------- */

static enum verdict
check_verdict(lua_State *L, int arg)
{
	const char *word = luaL_checkstring(L, arg);
	enum verdict v = verdict_find(word);
	luaL_Buffer b;

	if (v < VERDICT_COUNT && verdict_fails(v))
		return v;
	luaL_buffinit(L, &b);
	for (unsigned i = 0; i < VERDICT_COUNT; i++) {
		if (!verdict_fails((enum verdict)i))
			continue;
		if (luaL_bufflen(&b))
			luaL_addstring(&b, " ");
		luaL_addstring(&b, verdict_name[i]);
	}
	luaL_pushresult(&b);
	return (enum verdict)luaL_error(L, "'%s' is no failing verdict; allowed: %s", word,
					lua_tostring(L, -1));
}

/* In check() the first finding counts and nothing is emitted: the run is over. */
static void
report(lua_State *L, enum verdict v, const char *subject, const char *message)
{
	struct script *s = script_of(L);
	struct finding *f = &s->check_finding;

	if (s->setting_up)
		luaL_error(
			L,
			"%s: it is a run that breaks a property: say so in an actor or in check()",
			verdict_name[v]);
	if (!s->checking) {
		oracle_report_as(s->w, v, subject, message);
		return;
	}
	if (s->check_verdict != VERDICT_OK)
		return;
	s->check_verdict = f->verdict = v;
	snprintf(f->oracle, sizeof(f->oracle), "scenario");
	snprintf(f->subject, sizeof(f->subject), "%s", subject);
	snprintf(f->message, sizeof(f->message), "%s", message);
}

static int
l_violate(lua_State *L)
{
	enum verdict v = check_verdict(L, 1);
	const char *subject = luaL_checkstring(L, 2), *message = luaL_checkstring(L, 3);

	script_world(L);
	report(L, v, subject, message);
	return 0;
}

static int
l_expect(lua_State *L)
{
	enum verdict v = check_verdict(L, 2);
	const char *subject = luaL_checkstring(L, 3), *message = luaL_checkstring(L, 4);

	script_world(L);
	if (!lua_toboolean(L, 1))
		report(L, v, subject, message);
	return 0;
}

static int
l_stop(lua_State *L)
{
	script_must_not_check(L, "stop");
	world_stop(script_world(L), STOP_ASKED);
	return 0;
}

const struct api_entry api_engine[] = {
	{ NULL, "now", "() -> ns", "simulated time in nanoseconds", l_now },
	{ NULL, "sleep", "(ns [, bound])",
	  "sleep; mode relaxed: only orders this actor's own steps, unless bound is true",
	  l_sleep },
	{ NULL, "work", "(ns)", "spend processor time: a sleep in mode timed, a point in relaxed",
	  l_work },
	{ NULL, "point", "()", "others may go first here: a step that they could observe",
	  l_point },
	{ NULL, "yield", "()", "let everything else that is ready go first, as a busy wait does",
	  l_yield },
	{ NULL, "choice", "(n) -> 1 … n", "an outcome that exploration decides; 1 is the dullest",
	  l_choice },
	{ NULL, "actor", "(name, fn [, {daemon=}]) -> actor",
	  "a thread that runs fn(); a daemon may be blocked at the end without that being a hang",
	  l_actor },
	{ "actor", "name", "() -> string", "its name", actor_get_name },
	{ "actor", "state", "() -> state, waits_for",
	  "ready, blocked, sleeping or done, and what a blocked one waits for", actor_get_state },
	{ "actor", "join", "()", "wait until it is done", actor_join },
	{ NULL, "blocked", "() -> {{name=, waits_for=}, …}",
	  "actors that are blocked, daemons left out", l_blocked },
	{ NULL, "fault", "(name [, on]) -> on",
	  "whether a fault is on; sets it first if on is given", l_fault },
	{ NULL, "oracle_count", "(prefix)",
	  "violations of oracles whose names begin so are counted, and the run goes on",
	  l_oracle_count },
	{ NULL, "oracle", "(name, on)",
	  "switch one off: a driver or device that breaks that rule on purpose", l_oracle },
	{ NULL, "note", "(text)", "a line of text among the events", l_note },
	{ NULL, "progress", "()", "something got done: what the livelock oracle looks for",
	  l_progress },
	{ NULL, "metric", "(name, value [, unit])", "a figure of the run, recorded with it",
	  l_metric },
	{ NULL, "violate", "(verdict, subject, message)",
	  "report a broken property; ends the run, except in check()", l_violate },
	{ NULL, "expect", "(condition, verdict, subject, message)",
	  "violate() unless condition holds", l_expect },
	{ NULL, "include", "(path) -> value",
	  "while the file is loaded: run another Lua file, found beside it", script_include },
	{ NULL, "stop", "()", "end the run here; it is judged as it stands", l_stop },
	{ NULL, NULL, NULL, NULL, NULL }
};
