/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside bisect: exit statuses as `git bisect run` wants them.  There 0 is good, 125 is "cannot
 * be tested", other values below 128 are bad, and from 128 on the bisection ends.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/command.h"

#define GIT_SKIP 125
#define GIT_STOP 128

/* A build that does not compile, a replay that diverged, no verdict, a crash: all say nothing. */
static int
git_status(int status)
{
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGTERM ? GIT_STOP
										 : GIT_SKIP;
	switch (WEXITSTATUS(status)) {
	case EXIT_HELD:
		return 0;
	case EXIT_BROKEN:
		return 1;
	default:
		return GIT_SKIP;
	}
}

int
command_bisect(const struct options *o, struct error *err)
{
	int failed, status;
	pid_t child;

	/* A signal from the terminal is for the command, whose end then says so. */
	signal(SIGINT, SIG_IGN);

	posix_spawnattr_t attr;
	sigset_t defaults;

	sigemptyset(&defaults);
	sigaddset(&defaults, SIGINT);
	sigaddset(&defaults, SIGTERM);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	failed = posix_spawnp(&child, o->args[0], NULL, &attr, o->args, environ);
	posix_spawnattr_destroy(&attr);
	if (failed) {
		error_set(err, "bisect: %s: %s", o->args[0], strerror(failed));
		return GIT_STOP;
	}
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR) {
			error_set(err, "bisect: %s", strerror(errno));
			return GIT_STOP;
		}
	}
	return git_status(status);
}
