/* SPDX-License-Identifier: GPL-2.0-or-later */
/* API: the wake-up ring. */
#include "script/api.h"
#include "script/machine_api.h"
#include "virtio/wakeup.h"

static int
l_wakeup_ring(lua_State *L)
{
	static const char *const allowed[] = { "n", "skip_producer_fence", "skip_consumer_fence",
					       "skip_recheck", NULL };
	struct world *w = script_world(L);
	struct ring_wakeup_quirks quirks;
	unsigned n;

	if (!script_of(L)->setting_up)
		return luaL_error(L, "wakeup_ring: only in setup()");
	api_options(L, 1, "wakeup_ring", allowed);
	n = (unsigned)api_integer(L, 1, "n", 1, 1, RING_WAKEUP_ITEMS_MAX);
	quirks.skip_producer_fence = api_boolean(L, 1, "skip_producer_fence", false);
	quirks.skip_consumer_fence = api_boolean(L, 1, "skip_consumer_fence", false);
	quirks.skip_recheck = api_boolean(L, 1, "skip_recheck", false);
	api_push(L, "wakeup", wakeup_create(w, n, &quirks));
	return 1;
}

static int
wakeup_info(lua_State *L)
{
	const struct wakeup *u = api_check(L, 1, "wakeup");

	script_world(L);
	lua_newtable(L);
	api_set_integer(L, "consumed", u->end.consumed);
	api_set_integer(L, "wrong", u->end.wrong);
	api_set_boolean(L, "asleep", u->end.asleep);
	api_set_boolean(L, "lost", wakeup_lost(u));
	return 1;
}

const struct api_entry api_wakeup[] = {
	{ NULL, "wakeup_ring",
	  "{ n = 1, skip_producer_fence = false, skip_consumer_fence = false, "
	  "skip_recheck = false } -> wakeup",
	  "two actors: a producer of n items and a consumer that sleeps", l_wakeup_ring },
	{ "wakeup", "info", "() -> table", "how the consumer ended: consumed, wrong, asleep, lost",
	  wakeup_info },
	{ NULL, NULL, NULL, NULL, NULL }
};
