/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lua in a world: waiting anywhere, orders, bounds, failing allocations, two worlds side by side.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "engine/world.h"
#include "oracle/oracle.h"
#include "script/lua_world.h"

/* --- running a text as if it were setup() --------------------------------------------------- */

struct text {
	const char *source;
	uint64_t fail_nth; /* 0: no allocation fails */
	bool forever;
};

static void
set_up(struct world *w, void *arg)
{
	struct text *t = arg;
	struct script *s;
	char *whole;

	oracle_attach(w);
	if (t->fail_nth)
		arena_fail_nth(world_arena(w), t->fail_nth, t->forever);
	s = script_create(w, "test.lua");
	/* The text defines setup(): what it calls must find the file loaded. */
	if (asprintf(&whole, "local must = assert return function() %s end", t->source) < 0)
		abort();
	char *copy = lua_newuserdatauv(s->L, strlen(whole) + 1, 0);

	memcpy(copy, whole, strlen(whole) + 1);
	free(whole);
	script_run_source(s, "test.lua", copy, strlen(copy));
	s->loading = false;
	script_call(s->L, 0, 0);
	s->setting_up = false;
}

static struct world *
make(const char *source, struct error *err)
{
	struct text t = { source, 0, false };
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, err);

	assert_non_null(w);
	err->text[0] = 0;
	if (world_setup(w, set_up, &t, err))
		script_world_error(w, err);
	else
		world_snapshot(w);
	return w;
}

static void
runs_to_the_end(const char *source)
{
	struct error err;
	struct world *w = make(source, &err);

	assert_string_equal(err.text, "");
	for (int i = 0; i < 3; i++) {
		enum stop stop;

		world_restore(w);
		stop = world_run(w);
		if (stop == STOP_ERROR)
			script_world_error(w, &err);
		assert_string_equal(err.text, "");
		assert_int_equal(stop, STOP_QUIESCENT);
		for (uint32_t id = 2; id <= world_actors(w); id++)
			assert_int_equal(actor_state(world_actor(w, id)), ACTOR_DONE);
	}
	world_destroy(w);
}

static void
set_up_says(const char *source, const char *text)
{
	struct error err;
	struct world *w = make(source, &err);

	if (!strstr(err.text, text))
		fail_msg("'%s' is not in: %s", text, err.text);
	world_destroy(w);
}

/* --- waiting -------------------------------------------------------------------------------- */

/* Two actors that wait for each other at each step, from inside whatever Lua can put between. */
static const char ping_pong[] =
	"local ping, pong, done = semaphore('ping'), semaphore('pong'), false\n"
	"local function turn() ping:release() pong:acquire() return true end\n"
	"actor('a', function()\n"
	"  must(pcall(turn))\n"
	"  must(select(2, pcall(function() turn() error('x', 0) end)) == 'x')\n"
	"  must(xpcall(turn, print))\n"
	"  local m = setmetatable({}, { __index = function() turn() return 7 end,\n"
	"    __add = function() turn() return 8 end, __tostring = function() turn() return 'm' "
	"end,\n"
	"    __pairs = function() turn() return next, { k = 1 } end,\n"
	"    __close = function() turn() end, __concat = function() turn() return 'c' end })\n"
	"  must(m.x == 7 and m + 1 == 8 and tostring(m) == 'm' and m .. 'a' == 'c')\n"
	"  must(('%s'):format(m) == 'm')\n"
	"  for k in pairs(m) do must(k == 'k') end\n"
	"  for _ in (function(_, i) turn() if not i then return 1 end end) do end\n"
	"  do local c <close> = m end\n"
	"  local t = { 3, 1, 2 }\n"
	"  table.sort(t, function(x, y) turn() return x < y end)\n"
	"  must(t[1] == 1 and t[2] == 2 and t[3] == 3)\n"
	"  must(('ab'):gsub('.', function(c) turn() return c:upper() end) == 'AB')\n"
	"  local co = coroutine.wrap(function() turn() coroutine.yield(1) turn() return 2 end)\n"
	"  must(co() == 1 and co() == 2)\n"
	"  done = true\n"
	"  ping:release()\n"
	"end)\n"
	"actor('b', function()\n"
	"  local n = 0\n"
	"  repeat\n"
	"    ping:acquire()\n"
	"    n = n + 1\n"
	"    pong:release()\n"
	"  until done\n"
	"  note('turns ' .. n)\n"
	"end)\n";

static void
lua_waits_anywhere(void **state)
{
	runs_to_the_end(ping_pong);
}

static void
coroutines_and_actors_do_not_mix(void **state)
{
	struct error err;
	struct world *w = make("actor('a', function() coroutine.yield() end)", &err);

	assert_string_equal(err.text, "");
	assert_int_equal(world_run(w), STOP_ERROR);
	script_world_error(w, &err);
	assert_non_null(strstr(err.text, "attempt to yield"));
	world_destroy(w);
}

static void
timers_call_lua(void **state)
{
	runs_to_the_end(
		"local n, f = 0, flag('f')\n"
		"local t t = timer(function() n = n + 1 if n < 3 then t:arm(5) else f:set() end "
		"end)\n"
		"t:arm(5)\n"
		"actor('a', function() f:wait() must(n == 3 and not t:pending() and not "
		"t:cancel()) end)");
	set_up_says("local t = timer(function() sleep(1) end, true) t:arm(1)", "");
}

/* --- orders --------------------------------------------------------------------------------- */

/*
 * pairs() against an order that is obvious: keys collected, and sorted by comparison of each with
 * each.
 */
static void
keys_come_in_order(void **state)
{
	set_up_says(
		"local seed = 1\n"
		"local function random(n) seed = (seed * 1103515245 + 12345) & 0x7fffffff\n"
		"  return (seed >> 8) % n end\n"
		"local function before(a, b)\n"
		"  local rank = { number = 1, string = 2, boolean = 3 }\n"
		"  if type(a) ~= type(b) then return rank[type(a)] < rank[type(b)] end\n"
		"  if type(a) == 'boolean' then return not a and b end\n"
		"  return a < b\n"
		"end\n"
		"for round = 1, 60 do\n"
		"  local t, n = {}, 0\n"
		"  for i = 1, random(60) do\n"
		"    local kind, k = random(5)\n"
		"    if kind == 0 then k = random(50) - 25 elseif kind == 1 then k = random(100) "
		"/ 8 - 4\n"
		"    elseif kind == 2 then k = random(2) == 0\n"
		"    else k = ('k'):rep(random(3)) .. string.char(random(256)) .. random(20) end\n"
		"    if kind == 4 and random(2) == 0 then t[k] = nil else t[k] = i end\n"
		"  end\n"
		"  local last, has, count = nil, false, 0\n"
		"  for k, v in pairs(t) do\n"
		"    must(rawget(t, k) == v)\n"
		"    must(not has or before(last, k))\n"
		"    must(not has and next(t) == k or has and next(t, last) == k)\n"
		"    last, has, count = k, true, count + 1\n"
		"  end\n"
		"  must(not has or next(t, last) == nil)\n"
		"  for k in pairs(t) do t[k] = nil n = n + 1 end\n"
		"  must(n == count and next(t) == nil)\n"
		"end",
		"");
	runs_to_the_end("local t = { 1, 2, 3 } local seen = 0\n"
			"for k in pairs(t) do seen = seen + 1 t[k + 1] = nil end must(seen == 2)");
}

static void
big_numbers_have_an_order(void **state)
{
	runs_to_the_end(
		"local t = { [math.maxinteger] = 1, [2^53 | 0] = 2, [(2^53 | 0) + 1] = 3, [-0.5] "
		"= 4,\n"
		"  [math.mininteger] = 5, [math.huge] = 6, [-math.huge] = 7 }\n"
		"local s = '' for _, v in pairs(t) do s = s .. v end must(s == '7542316', s)");
}

/* --- bounds --------------------------------------------------------------------------------- */

static void
depth_is_bounded(void **state)
{
	set_up_says("local function deep(n) return (('a'):gsub('.', function() return deep(n + 1) "
		    "end)) end deep(1)",
		    "C stack overflow");
	set_up_says("local function f() return f() .. 'x' end f()", "stack overflow");
	set_up_says(
		"local t = {} for i = 1, 300 do t = setmetatable({}, { __index = t }) end return "
		"t.x",
		"");
	set_up_says("local s = {} s = setmetatable(s, { __tostring = function() return tostring(s) "
		    "end })"
		    " tostring(s)",
		    "C stack overflow");
	/* The same on an actor's stack. */
	struct error err;
	struct world *w = make(
		"actor('a', function() local function deep(n) return (('a'):gsub('.', function()"
		" return ('%s'):format(setmetatable({}, { __tostring = function() return"
		" deep(n + 1) end })) end)) end deep(1) end)",
		&err);

	assert_string_equal(err.text, "");
	assert_int_equal(world_run(w), STOP_ERROR);
	script_world_error(w, &err);
	assert_non_null(strstr(err.text, "stack overflow"));
	world_destroy(w);
}

static void
sandbox_has_no_doors(void **state)
{
	static const char *const gone[] = {
		"load",	   "loadstring",  "dofile",	 "loadfile",	    "require",
		"os",	   "io",	  "debug",	 "package",	    "collectgarbage",
		"_G",	   "string.dump", "math.random", "math.randomseed", "math.sin",
		"math.exp"
	};
	char source[128];

	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
		snprintf(source, sizeof(source), "must(%s == nil, '%s')", gone[i], gone[i]);
		set_up_says(source, "");
		runs_to_the_end(source);
	}
	set_up_says("getmetatable(flag('f')).__index = nil", "attempt to index a boolean value");
}

/* Fail the first allocation, then the second, …: a clean error each time, until all succeed. */
static void
every_allocation_may_fail(void **state)
{
	unsigned failures[2] = { 0, 0 };

	for (int forever = 0; forever < 2; forever++) {
		for (uint64_t nth = 1;; nth += nth < 200 ? 1 : 37) {
			struct text t = { ping_pong, nth, forever };
			struct error err;
			struct world *w =
				world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);
			enum stop stop;

			if (world_setup(w, set_up, &t, &err)) {
				assert_non_null(strstr(err.text, "memory"));
				failures[forever]++;
				world_destroy(w);
				continue;
			}
			stop = world_run(w);
			assert_true(stop == STOP_QUIESCENT || stop == STOP_ERROR);
			if (stop == STOP_ERROR)
				assert_non_null(strstr(world_error(w)->text, "memory"));
			world_destroy(w);
			if (stop == STOP_QUIESCENT)
				break;
			failures[forever]++;
		}
	}
	/* Lua collects and tries again when one allocation fails: fewer failures, but some. */
	assert_true(failures[0] > 3);
	assert_true(failures[1] > 20);
}

/* --- worlds --------------------------------------------------------------------------------- */

static const char noisy[] =
	"local t = {} for i = 1, 50 do t['k' .. i] = i end\n"
	"for a = 1, 3 do actor('a' .. a, function() for i = 1, 20 do for k, v in pairs(t) do\n"
	"  if v % 7 == a then t[k] = v + 1 end end point() note(tostring({})) end end) end\n";

static uint64_t
digest_alone(void)
{
	struct error err;
	struct world *w = make(noisy, &err);
	uint64_t digest;

	assert_int_equal(world_run(w), STOP_QUIESCENT);
	digest = world_digest(w);
	world_destroy(w);
	return digest;
}

static void
worlds_do_not_touch(void **state)
{
	uint64_t alone = digest_alone();
	struct error err;
	struct world *a = make(noisy, &err), *b = make(ping_pong, &err), *c = make(noisy, &err);

	for (int i = 0; i < 20; i++) {
		world_restore(i % 2 ? a : c);
		world_restore(b);
		assert_int_equal(world_run(i % 2 ? a : c), STOP_QUIESCENT);
		assert_int_equal(world_run(b), STOP_QUIESCENT);
		assert_int_equal(world_digest(i % 2 ? a : c), alone);
	}
	world_destroy(a);
	world_destroy(b);
	world_destroy(c);
	assert_int_equal(digest_alone(), alone);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lua_waits_anywhere),
		cmocka_unit_test(coroutines_and_actors_do_not_mix),
		cmocka_unit_test(timers_call_lua),
		cmocka_unit_test(keys_come_in_order),
		cmocka_unit_test(big_numbers_have_an_order),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(sandbox_has_no_doors),
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(worlds_do_not_touch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
