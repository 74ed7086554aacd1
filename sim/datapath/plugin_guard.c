/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/plugin_guard.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/must.h"
#include "datapath/plugin_file.h"
#include "datapath/plugin_guard_impl.h"
#include "datapath/registry.h"
#include "engine/world.h"

/* The process's: code is not a world's. */
static struct plugin plugins[PLUGINS_MAX];
static unsigned plugin_count;

/* --- who is where --------------------------------------------------------------------------- */

/* A call from outside of a world, as a judge makes. */
static struct call *outside;

void
plugin_enter(struct call *c, const struct plugin *p, const char *operation)
{
	struct world *w = world_current();
	struct call **first = w ? (struct call **)datapath_calls(w) : &outside;

	*c = (struct call){ *first, p, operation, w ? actor_current(w) : NULL, w };
	*first = c;
}

/* Actors come and go: the call to be taken out need not be the first. */
void
plugin_leave(struct call *c)
{
	struct call **at = c->w ? (struct call **)datapath_calls(c->w) : &outside;

	while (*at != c)
		at = &(*at)->outer;
	*at = c->outer;
}

/* --- when it goes wrong --------------------------------------------------------------------- */

static struct call *
find_call(void)
{
	struct world *w = world_current();
	const struct actor *self = w ? actor_current(w) : NULL;
	struct call *c = w ? *(struct call **)datapath_calls(w) : outside;

	while (c && c->actor != self)
		c = c->outer;
	return c;
}

static _Noreturn void
end_run(struct call *c, const char *what)
{
	struct world *w = c->w;
	char actor[64];

	snprintf(actor, sizeof(actor), "%s", c->actor ? actor_name(c->actor) : "nobody");
	if (w)
		world_fail(w, "datapath %s: %s in the %s(), called by actor %s", c->plugin->path,
			   what, c->operation, actor);
	fprintf(stderr, "ringside: datapath %s: %s in the %s(), called after the run\n",
		c->plugin->path, what, c->operation);
	fflush(NULL);
	_exit(2); /* as for each other input that cannot be used */
}

void
plugin_interrupt(const char *what)
{
	struct call *c = find_call();
	sigset_t all;

	if (!c)
		return;
	/* The handler is left for good: what it holds back must come through again. */
	sigemptyset(&all);
	sigaddset(&all, SIGVTALRM);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	end_run(c, what);
}

/* Of a signal: in words, with the place in the plugin. */
static void
on_crash(int number, const void *pc, const void *address)
{
	struct call *c = find_call();
	char place[200], what[300];

	if (!c)
		return;
	plugin_file_line(c->plugin->path, (uint64_t)((const char *)pc - c->plugin->base), place,
			 sizeof(place));
	if (number == SIGSEGV || number == SIGBUS)
		snprintf(what, sizeof(what), "%s at address 0x%llx%s%s",
			 number == SIGBUS ? "bus error" : "segmentation fault",
			 (unsigned long long)(uintptr_t)address, *place ? ", " : "", place);
	else
		snprintf(what, sizeof(what), "%s%s%s",
			 number == SIGFPE    ? "division by zero"
			 : number == SIGABRT ? "abort()"
					     : "illegal instruction",
			 *place ? ", " : "", place);
	end_run(c, what);
}

void
plugin_check_init(const struct plugin *p, const char *side, int ret, const void *ring)
{
	struct world *w = world_current();

	if (ret > 0 || (!ret && !ring)) {
		if (!w)
			must(!"a plugin outside of a world");
		world_fail(w,
			   "datapath %s: the %s's init() returned %d%s; it must be 0 with an "
			   "object, or a negative errno",
			   p->path, side, ret, ret ? "" : " and no object");
	}
}

/* --- one plugin's tables -------------------------------------------------------------------- */

/* init() gets no object that says whose it is: each plugin has functions of its own. */
#define INIT(n) \
	static int driver_init_##n(struct dp_driver **driver, const struct dp_vring *vring, \
				   const struct dp_host *host) \
	{ \
		return plugin_driver_init(&plugins[n], driver, vring, host); \
	} \
	static int device_init_##n(struct dp_device **device, const struct dp_vring *vring, \
				   const struct dp_host *host) \
	{ \
		return plugin_device_init(&plugins[n], device, vring, host); \
	}
INIT(0)
INIT(1)
INIT(2)
INIT(3)

static const struct {
	int (*driver)(struct dp_driver **driver, const struct dp_vring *vring,
		      const struct dp_host *host);
	int (*device)(struct dp_device **device, const struct dp_vring *vring,
		      const struct dp_host *host);
} init_of[PLUGINS_MAX] = {
	{ driver_init_0, device_init_0 },
	{ driver_init_1, device_init_1 },
	{ driver_init_2, device_init_2 },
	{ driver_init_3, device_init_3 },
};

const struct datapath *
plugin_guard(const char *path, const void *base, const struct datapath *dp)
{
	struct plugin *p = &plugins[plugin_count];

	if (plugin_count == PLUGINS_MAX)
		return NULL;
	*p = (struct plugin){ .path = path, .base = base, .inner = dp };
	p->outer.name = dp->name;
	if (dp->driver) {
		plugin_guard_driver(&p->driver, dp->driver);
		p->driver.init = init_of[plugin_count].driver;
		p->outer.driver = &p->driver;
	}
	if (dp->device) {
		plugin_guard_device(&p->device, dp->device);
		p->device.init = init_of[plugin_count].device;
		p->outer.device = &p->device;
	}
	plugin_count++;
	arena_catch_faults(on_crash);
	return &p->outer;
}
