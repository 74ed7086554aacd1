/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * API: what actors of a scenario wait on, for bugs that need no model of ours.  None of these is a
 * point by itself: where others may go between two steps, the scenario says so with point().
 */
#include <string.h>

#include "memory/race.h"
#include "script/api.h"

#define NS_MAX (INT64_C(1) << 60)

/* --- wait queues ---------------------------------------------------------------------------- */

static int
l_waitq(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	struct waitq *q = world_alloc(script_world(L), sizeof(*q));

	waitq_init(q, script_world(L), name);
	api_push(L, "waitq", q);
	return 1;
}

static int
waitq_do_wait(lua_State *L)
{
	struct waitq *q = api_check(L, 1, "waitq");

	script_must_be_actor(L, "wait");
	if (lua_isnoneornil(L, 2)) {
		waitq_wait(script_world(L), q);
		lua_pushboolean(L, true);
	} else {
		int64_t ns = api_range(L, 2, 0, NS_MAX);

		lua_pushboolean(L, waitq_wait_for(script_world(L), q, ns, lua_toboolean(L, 3)));
	}
	return 1;
}

static int
waitq_do_wake(lua_State *L)
{
	struct waitq *q = api_check(L, 1, "waitq");

	script_must_not_check(L, "wake");
	lua_pushboolean(L, waitq_wake_one(script_world(L), q));
	return 1;
}

static int
waitq_do_wake_all(lua_State *L)
{
	struct waitq *q = api_check(L, 1, "waitq");

	script_must_not_check(L, "wake_all");
	waitq_wake_all(script_world(L), q);
	return 0;
}

static int
waitq_is_empty(lua_State *L)
{
	lua_pushboolean(L, waitq_empty(api_check(L, 1, "waitq")));
	return 1;
}

/* --- flags and semaphores ------------------------------------------------------------------- */

/*
 * Both are a number and who waits for it to be above 0; a flag's is 0 or 1 and waiting takes
 * nothing.
 */
struct counter {
	struct waitq q;
	lua_Integer value;
};

static struct counter *
counter_create(lua_State *L, lua_Integer value)
{
	const char *name = luaL_checkstring(L, 1);
	struct counter *c = world_alloc(script_world(L), sizeof(*c));

	waitq_init(&c->q, script_world(L), name);
	c->value = value;
	return c;
}

static void
counter_wait(lua_State *L, struct counter *c, const char *what)
{
	script_must_be_actor(L, what);
	while (!c->value)
		waitq_wait(script_world(L), &c->q);
	race_acquire(script_world(L), &c->q);
}

static int
l_flag(lua_State *L)
{
	api_push(L, "flag", counter_create(L, lua_toboolean(L, 2)));
	return 1;
}

static int
flag_set(lua_State *L)
{
	struct counter *c = api_check(L, 1, "flag");

	script_must_not_check(L, "set");
	c->value = 1;
	waitq_wake_all(script_world(L), &c->q);
	return 0;
}

static int
flag_clear(lua_State *L)
{
	struct counter *c = api_check(L, 1, "flag");

	script_must_not_check(L, "clear");
	lua_pushboolean(L, c->value != 0);
	c->value = 0;
	return 1;
}

static int
flag_test(lua_State *L)
{
	struct counter *c = api_check(L, 1, "flag");

	race_acquire(script_world(L), &c->q);
	lua_pushboolean(L, c->value != 0);
	return 1;
}

static int
flag_wait(lua_State *L)
{
	counter_wait(L, api_check(L, 1, "flag"), "wait");
	return 0;
}

static int
l_semaphore(lua_State *L)
{
	api_push(L, "semaphore", counter_create(L, luaL_optinteger(L, 2, 0)));
	return 1;
}

static int
semaphore_acquire(lua_State *L)
{
	struct counter *c = api_check(L, 1, "semaphore");

	counter_wait(L, c, "acquire");
	c->value--;
	return 0;
}

static int
semaphore_try(lua_State *L)
{
	struct counter *c = api_check(L, 1, "semaphore");

	script_must_not_check(L, "try");
	race_acquire(script_world(L), &c->q);
	lua_pushboolean(L, c->value != 0);
	if (c->value)
		c->value--;
	return 1;
}

static int
semaphore_release(lua_State *L)
{
	struct counter *c = api_check(L, 1, "semaphore");

	script_must_not_check(L, "release");
	c->value++;
	waitq_wake_one(script_world(L), &c->q);
	return 0;
}

static int
semaphore_value(lua_State *L)
{
	struct counter *c = api_check(L, 1, "semaphore");

	lua_pushinteger(L, c->value);
	return 1;
}

/* --- timers --------------------------------------------------------------------------------- */

struct script_timer {
	struct timer timer;
	lua_State *L; /* the function is its only value */
	bool bound;
};

static void
timer_fired(struct world *w, struct timer *t)
{
	struct script_timer *st = t->arg;

	lua_pushvalue(st->L, 1);
	script_call(st->L, 0, 0);
}

static int
l_timer(lua_State *L)
{
	struct script_timer *t;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	t = world_alloc(script_world(L), sizeof(*t));
	timer_init(&t->timer, timer_fired, t);
	t->bound = lua_toboolean(L, 2);
	t->L = lua_newthread(L);
	luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pushvalue(L, 1);
	lua_xmove(L, t->L, 1);
	api_push(L, "timer", t);
	return 1;
}

static int
timer_do_arm(lua_State *L)
{
	struct script_timer *t = api_check(L, 1, "timer");
	int64_t ns = api_range(L, 2, 0, NS_MAX);

	script_must_not_check(L, "arm");
	timer_arm(script_world(L), &t->timer, ns, t->bound);
	return 0;
}

static int
timer_do_cancel(lua_State *L)
{
	struct script_timer *t = api_check(L, 1, "timer");

	script_must_not_check(L, "cancel");
	lua_pushboolean(L, timer_cancel(script_world(L), &t->timer));
	return 1;
}

static int
timer_is_pending(lua_State *L)
{
	struct script_timer *t = api_check(L, 1, "timer");

	lua_pushboolean(L, timer_pending(&t->timer));
	return 1;
}

const struct api_entry api_sync[] = {
	{ NULL, "waitq", "(name) -> waitq", "a wait queue; the name is shown for who hangs on it",
	  l_waitq },
	{ "waitq", "wait", "([ns [, bound]]) -> woken",
	  "block until woken, or false after ns; check the condition again afterwards",
	  waitq_do_wait },
	{ "waitq", "wake", "() -> woken", "wake the one that waits longest", waitq_do_wake },
	{ "waitq", "wake_all", "()", "wake all", waitq_do_wake_all },
	{ "waitq", "empty", "() -> boolean", "whether nobody waits", waitq_is_empty },
	{ NULL, "flag", "(name [, set]) -> flag", "a condition that actors wait for", l_flag },
	{ "flag", "set", "()", "set it and wake all that wait", flag_set },
	{ "flag", "clear", "() -> was", "clear it; whether it was set", flag_clear },
	{ "flag", "test", "() -> boolean", "whether it is set", flag_test },
	{ "flag", "wait", "()", "wait until it is set", flag_wait },
	{ NULL, "semaphore", "(name [, value]) -> semaphore", "a counting semaphore; with 1 a lock",
	  l_semaphore },
	{ "semaphore", "acquire", "()", "wait until it is above 0 and take 1", semaphore_acquire },
	{ "semaphore", "try", "() -> taken", "take 1 if there is one", semaphore_try },
	{ "semaphore", "release", "()", "add 1 and wake one", semaphore_release },
	{ "semaphore", "value", "() -> n", "what is left", semaphore_value },
	{ NULL, "timer", "(fn [, bound]) -> timer",
	  "calls fn() when it fires; bound: a real bound in mode relaxed too", l_timer },
	{ "timer", "arm", "(ns)", "fire in ns from now", timer_do_arm },
	{ "timer", "cancel", "() -> was_pending", "do not fire", timer_do_cancel },
	{ "timer", "pending", "() -> boolean", "whether it will fire", timer_is_pending },
	{ NULL, NULL, NULL, NULL, NULL }
};
