/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Barriers in a plugin's machine code, as objdump reads it.  scripts/check-barriers.sh looks for
 * the same in our own objects when they are built; ORDER BARRIERS: the two lists agree.
 */
#include "datapath/plugin_file.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX 512
#define LINES_SAID 20 /* of one plugin; the rest is counted */

/* --- another program's output --------------------------------------------------------------- */

/* Run @argv with its output in a pipe and without a word on stderr. The pipe, or -1. */
static int
run(char *const argv[], pid_t *child)
{
	static char *const environment[] = { (char *)"LC_ALL=C",
					     (char *)"PATH=/usr/local/bin:/usr/bin:/bin", NULL };
	posix_spawn_file_actions_t actions;
	int fd[2], ret;

	if (pipe2(fd, O_CLOEXEC))
		return -1;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	ret = posix_spawnp(child, argv[0], &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	close(fd[1]);
	if (!ret)
		return fd[0];
	close(fd[0]);
	return -1;
}

static bool
end(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status);
}

/* --- reading instructions ------------------------------------------------------------------- */

struct reading {
	const char *path;
	FILE *to;
	char function[TEXT_MAX], place[TEXT_MAX]; /* file:line, "" where nothing is known */
	int found;
	bool code; /* a line of it was seen */
};

/* Length of the mnemonic if the instruction orders memory by itself, else 0. */
static size_t
barrier(const char *instruction)
{
	static const char *const alone[] = { "mfence",	 "lfence",   "sfence", "lock",
					     "xacquire", "xrelease", "dmb",    "dsb" };
	size_t n = strcspn(instruction, " \t\n");

	for (size_t i = 0; i < sizeof(alone) / sizeof(alone[0]); i++)
		if (n == strlen(alone[i]) && !memcmp(instruction, alone[i], n))
			return n;
	/* xchg with memory is locked without the prefix; between registers it is nothing. */
	if (n >= 4 && !memcmp(instruction, "xchg", 4) &&
	    memchr(instruction, '(', strcspn(instruction, "#\n")))
		return n;
	return 0;
}

static void
say(struct reading *r, const char *instruction, size_t n)
{
	if (++r->found > LINES_SAID)
		return;
	fprintf(r->to,
		"ringside: WARNING: %s: %s%s%.*s in %s() is a barrier that Ringside cannot see: no "
		"memory model knows of it; use those of datapath/barrier.h\n",
		r->path, r->place, *r->place ? ": " : "", (int)n, instruction, r->function);
}

/*
 * objdump -d -l: "0000000000001139 <kick>:" begins a function; "kick():" and "dir/ring.c:12" say
 * where the next instructions come from; those are "    1139:<TAB>mfence".
 */
static void
read_line(struct reading *r, char *line)
{
	char *open = strchr(line, '<'), *tab = strchr(line, '\t');
	size_t n = strcspn(line, "\n");

	line[n] = 0;
	if (*line == ' ' && tab) {
		size_t k = barrier(tab + 1);

		r->code = true;
		if (k)
			say(r, tab + 1, k);
	} else if (n > 2 && open && !strcmp(line + n - 2, ">:")) {
		snprintf(r->function, sizeof(r->function), "%.*s", (int)(line + n - 2 - open - 1),
			 open + 1);
		r->place[0] = 0;
	} else if (n > 3 && !strcmp(line + n - 3, "():")) {
		snprintf(r->function, sizeof(r->function), "%.*s", (int)(n - 3), line);
	} else if (strrchr(line, ':')) {
		char *more = strstr(line, " (discriminator");

		if (more)
			*more = 0;
		snprintf(r->place, sizeof(r->place), "%s", line);
	}
}

int
plugin_file_barriers(const char *path, FILE *to)
{
	char *const argv[] = { (char *)"objdump",
			       (char *)"-d",
			       (char *)"-l",
			       (char *)"-w",
			       (char *)"--no-show-raw-insn",
			       (char *)"-j",
			       (char *)".text",
			       (char *)"--",
			       (char *)path,
			       NULL };
	struct reading r = { .path = path, .to = to };
	char *line = NULL;
	size_t size = 0;
	pid_t child;
	int fd = run(argv, &child);
	FILE *from = fd >= 0 ? fdopen(fd, "r") : NULL;
	bool well;

	while (from && getline(&line, &size, from) > 0)
		read_line(&r, line);
	free(line);
	if (from)
		fclose(from);
	well = fd >= 0 && end(child) && r.code;
	if (!well) {
		fprintf(to,
			"ringside: WARNING: %s: could not be looked through for barriers that "
			"Ringside cannot see (mfence, lock, xchg): objdump of binutils is missing "
			"or does not read it\n",
			path);
		return -1;
	}
	if (r.found > LINES_SAID)
		fprintf(to, "ringside: WARNING: %s: and %d more of them\n", path,
			r.found - LINES_SAID);
	return r.found;
}

/* --- a place -------------------------------------------------------------------------------- */

void
plugin_file_line(const char *path, uint64_t address, char *text, size_t size)
{
	char number[32];
	char *const argv[] = { (char *)"addr2line", (char *)"-f", (char *)"-s", (char *)"-p",
			       (char *)"-e",	    (char *)path, number,	NULL };
	ssize_t n = 0;
	pid_t child;
	int fd;

	*text = 0;
	snprintf(number, sizeof(number), "0x%llx", (unsigned long long)address);
	fd = run(argv, &child);
	if (fd < 0)
		return;
	for (ssize_t k; (size_t)n + 1 < size && (k = read(fd, text + n, size - 1 - (size_t)n)) > 0;)
		n += k;
	close(fd);
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	if (!end(child) || *text == '?')
		*text = 0;
}
