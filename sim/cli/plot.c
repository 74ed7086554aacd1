/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside plot: gnuplot with a script of analysis/.  The script gets the variables db (path), run
 * (id, 0 for the newest) and out ("" for text on the terminal); it reads the database through the
 * sqlite3 shell.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/command.h"
#include "record/reader.h"

#define PATH_BYTES 1024

/* analysis/ here, or beside the program (bin/../share/ringside/analysis). */
static int
find_script(const char *name, char *path, size_t size, struct error *err)
{
	char self[PATH_BYTES];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(name))
		return error_set(err, "plot: '%s' is no name of a script", name);
	snprintf(path, size, "analysis/%s.gp", name);
	if (!access(path, R_OK))
		return 0;
	self[n > 0 ? n : 0] = 0;
	slash = strrchr(self, '/');
	if (slash) {
		snprintf(path, size, "%.*s/../share/ringside/analysis/%s.gp", (int)(slash - self),
			 self, name);
		if (!access(path, R_OK))
			return 0;
	}
	return error_set(err, "plot: there is no analysis/%s.gp", name);
}

/* A text that a quoted string of gnuplot can hold. */
static int
check_quotable(const char *text, struct error *err)
{
	return strpbrk(text, "'\"`\\\n")
		       ? error_set(err, "plot: a path may not hold quotes: %s", text)
		       : 0;
}

int
command_plot(const struct options *o, struct error *err)
{
	const char *db = o->arg_count > 1 ? o->args[1] : o->db, *out = o->out ? o->out : "";
	char script[PATH_BYTES], set[3 * PATH_BYTES];
	size_t db_len = strlen(db);
	int64_t id = 0;
	int status;
	pid_t child;

	if (o->arg_count > 1 && !reader_parse_ref(db, &db_len, &id))
		db_len = strlen(db);
	if (find_script(o->args[0], script, sizeof(script), err) || check_quotable(db, err) ||
	    check_quotable(out, err))
		return EXIT_USAGE;
	snprintf(set, sizeof(set), "db='%.*s'; run=%" PRId64 "; out='%s'", (int)db_len, db, id,
		 out);
	child = fork();
	if (!child) {
		execlp("gnuplot", "gnuplot", "-e", set, script, (char *)NULL);
		_exit(errno == ENOENT ? 127 : 126);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0) {
		error_set(err, "plot: %s", strerror(errno));
		return EXIT_USAGE;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		error_set(err, "plot: gnuplot is not installed");
		return EXIT_SKIPPED;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		error_set(err, "plot: gnuplot failed with %s", script);
		return EXIT_USAGE;
	}
	return EXIT_HELD;
}
