/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/watchdog.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli/command.h"
#include "datapath/plugin_guard.h"
#include "engine/world.h"
#include "script/lua_world.h"

/* The process's, not a world's. */
static const struct world *volatile judged;
static uint32_t last_beat;
static uint64_t last_step;
static unsigned seconds;

static void
on_second(int number)
{
	static const char text[] =
		"ringside: the scenario called a function of Lua's library that takes too long "
		"(a pattern with many repetitions, a range that is too large)\n";
	const struct world *w = world_current() ? world_current() : judged;
	uint64_t step = w ? world_step(w) : 0;

	if (!w || script_beat != last_beat || step != last_step)
		seconds = 0;
	last_beat = script_beat;
	last_step = step;
	if (++seconds > PLUGIN_SECONDS)
		plugin_interrupt("endless loop without an access to guest memory");
	if (seconds <= WATCHDOG_SECONDS)
		return;

	ssize_t ignored = write(STDERR_FILENO, text, strlen(text));

	(void)ignored;
	_exit(EXIT_USAGE);
}

void
watchdog_start(void)
{
	/* On the arena's stack for signals: an actor's is too small. */
	struct sigaction sa = { .sa_handler = on_second, .sa_flags = SA_RESTART | SA_ONSTACK };
	struct itimerval second = { { 1, 0 }, { 1, 0 } };

	sigaction(SIGVTALRM, &sa, NULL);
	setitimer(ITIMER_VIRTUAL, &second, NULL);
}

void
watchdog_judge(const struct world *w)
{
	judged = w;
	script_beat++;
}
