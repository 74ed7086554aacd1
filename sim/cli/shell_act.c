/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "cli/shell.h"
#include "notify/notifier.h"
#include "script/actor.h"
#include "vmm/debug.h"

/* In the world: it may wait for a lock, and be looked at by then. */
struct deed {
	struct machine_device *dev;
	unsigned queue;
	enum debug_level level;
	uint32_t notifier;
	int (*fn)(struct machine_device *d, unsigned queue, enum debug_level level);
};

static void
do_deed(struct machine *m, void *arg)
{
	struct deed *d = arg;
	int ret = d->fn ? d->fn(d->dev, d->queue, d->level)
			: notifier_write(m->notifiers, d->notifier);
	char text[80];

	if (!ret)
		return;
	snprintf(text, sizeof(text), "not possible: %s", strerrorname_np(-ret));
	emit(m->w, EV_NOTE, world_name(m->w, text));
}

/* "blk0.vq1 eventfd" */
static int
parse_queue(struct machine *m, const char *args, struct deed *d, struct error *err)
{
	const char *dot = strchr(args, '.'), *end;
	uint64_t queue = 0;

	for (d->dev = m->devices; dot && d->dev; d->dev = d->dev->next)
		if (!strncmp(d->dev->config.name, args, (size_t)(dot - args)) &&
		    !d->dev->config.name[dot - args])
			break;
	if (!dot || !d->dev || strncmp(dot, ".vq", 3))
		return error_set(err, "%s: must be DEVICE.vqN, and may say a level", args);
	queue = strtoull(dot + 3, (char **)&end, 10);
	if (end == dot + 3 || (*end && *end != ' ') || queue >= d->dev->vdev.queue_count)
		return error_set(err, "%s: the device has %u queues", args,
				 d->dev->vdev.queue_count);
	d->queue = (unsigned)queue;
	end += strspn(end, " ");
	d->level = DEBUG_EVENTFD;
	for (unsigned l = 0; *end; l++) {
		if (!debug_level_name[l])
			return error_set(err, "%s: must be ring, eventfd, doorbell or msi", end);
		if (!strcmp(debug_level_name[l], end)) {
			d->level = (enum debug_level)l;
			break;
		}
	}
	return 0;
}

static int
act_notify(struct shell *sh, const char *what, const char *args, struct error *err)
{
	struct machine *m = shell_machine(sh, err);
	struct deed *d, parsed = { 0 };
	uint64_t id;

	if (!m)
		return -1;
	if (!strcmp(what, "write")) {
		if (shell_number(args, UINT32_MAX, &id, err))
			return -1;
		if (!notifier_find(m->notifiers, (uint32_t)id))
			return error_set(err, "%s: there is no notifier of that id", args);
		parsed.notifier = (uint32_t)id;
	} else if (parse_queue(m, args, &parsed, err)) {
		return -1;
	} else {
		parsed.fn = !strcmp(what, "kick") ? debug_kick : debug_call;
	}
	d = world_alloc(sh->s.w, sizeof(*d));
	*d = parsed;
	debug_run(m, do_deed, d);
	return 0;
}

/* An expression is printed, as if it were print()'s argument; else it is run as statements. */
static int
act_lua(struct shell *sh, const char *code, struct error *err)
{
	struct script *script = script_of_world(sh->s.w);
	char text[SHELL_LINE_BYTES + 16];
	lua_State *L = script->L;

	snprintf(text, sizeof(text), "print(%s\n)", code);
	if (luaL_loadbufferx(L, text, strlen(text), "=shell", "t")) {
		lua_pop(L, 1);
		if (luaL_loadbufferx(L, code, strlen(code), "=shell", "t")) {
			error_set(err, "%s", lua_tostring(L, -1));
			lua_pop(L, 1);
			return -1;
		}
	}
	script_actor_create(L, "shell", true);
	return 0;
}

/* An act_fn: "kick blk0.vq0", as it was typed. */
int
shell_act_line(struct by_hand *h, const char *line, struct error *err)
{
	struct shell *sh = h->context;
	size_t n = strcspn(line, " ");
	char what[16];

	snprintf(what, sizeof(what), "%.*s", (int)n, line);
	line += n;
	line += strspn(line, " ");
	return strcmp(what, "lua") ? act_notify(sh, what, line, err) : act_lua(sh, line, err);
}

static int
act_and_tell(struct shell *sh, const char *what, const char *args, struct error *err)
{
	char line[SHELL_LINE_BYTES + 16];

	snprintf(line, sizeof(line), "%s %s", what, args);
	if (sh->h.stop == STOP_ERROR)
		return error_set(err, "the run has ended; `back` and `restart` go back");
	if (by_hand_act(&sh->h, line, err))
		return -1;
	shell_tell(sh);
	return 0;
}

int
shell_kick(struct shell *sh, const char *args, struct error *err)
{
	return act_and_tell(sh, "kick", args, err);
}

int
shell_call(struct shell *sh, const char *args, struct error *err)
{
	return act_and_tell(sh, "call", args, err);
}

int
shell_write(struct shell *sh, const char *args, struct error *err)
{
	return act_and_tell(sh, "write", args, err);
}

int
shell_lua(struct shell *sh, const char *args, struct error *err)
{
	return act_and_tell(sh, "lua", args, err);
}
