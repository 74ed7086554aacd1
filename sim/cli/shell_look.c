/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "cli/look.h"
#include "cli/shell.h"

#define EVENTS_DEFAULT 20u

int
shell_choices(struct shell *sh, const char *args, struct error *err)
{
	if (shell_check_open(sh, err))
		return -1;
	shell_print_choices(sh);
	return 0;
}

int
shell_actors(struct shell *sh, const char *args, struct error *err)
{
	look_actors(sh->s.w, stdout);
	return 0;
}

struct machine *
shell_machine(const struct shell *sh, struct error *err)
{
	struct machine *m = machine_of(sh->s.w);

	if (!m)
		error_set(err, "the scenario has no machine; `words` shows its rings");
	return m;
}

int
shell_queues(struct shell *sh, const char *args, struct error *err)
{
	struct machine *m = shell_machine(sh, err);
	struct debug_queue_status s;

	if (!m)
		return -1;
	for (struct machine_device *d = m->devices; d; d = d->next)
		for (unsigned k = 0; k < d->vdev.queue_count; k++)
			if (debug_queue_status(d, k, &s))
				look_queue(&s, stdout);
	return 0;
}

int
shell_notifiers(struct shell *sh, const char *args, struct error *err)
{
	struct machine *m = shell_machine(sh, err);

	if (m)
		look_notifiers(m, stdout);
	return m ? 0 : -1;
}

int
shell_words(struct shell *sh, const char *args, struct error *err)
{
	unsigned n;

	if (*args) {
		n = look_words(sh->s.w, args, stdout);
		return n ? 0 : error_set(err, "%s: no word of memory has such a name", args);
	}
	n = look_words(sh->s.w, "*.idx", stdout) + look_words(sh->s.w, "*avail.flags", stdout) +
	    look_words(sh->s.w, "*used.flags", stdout) + look_words(sh->s.w, "*_event*", stdout);
	return n ? 0 : error_set(err, "no ring here");
}

int
shell_events(struct shell *sh, const char *args, struct error *err)
{
	const struct event_log *log = &sh->h.log;
	uint64_t n = EVENTS_DEFAULT;

	if (*args && shell_number(args, UINT32_MAX, &n, err))
		return -1;
	for (size_t i = log->count > n ? log->count - n : 0; i < log->count; i++)
		shell_print_event(sh, &log->events[i]);
	return 0;
}
