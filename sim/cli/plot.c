/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside plot: a picture of a run by a script of analysis/, which needs sqlite3 and gnuplot
 * alone.  Without --out it is text on the terminal.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/command.h"
#include "record/reader.h"

#define PATH_BYTES 1024

static const struct picture {
	const char *name; /* of --of */
	const char *script;
} pictures[] = { { "rings", "plot.sh" }, { "exploration", "plot-exploration.sh" } };

#define PICTURES (sizeof(pictures) / sizeof(pictures[0]))

static const struct picture *
find_picture(const char *name, struct error *err)
{
	char names[128] = "";

	for (size_t i = 0; i < PICTURES; i++) {
		if (!name || !strcmp(name, pictures[i].name))
			return &pictures[i];
		strncat(names, " ", sizeof(names) - strlen(names) - 1);
		strncat(names, pictures[i].name, sizeof(names) - strlen(names) - 1);
	}
	error_set(err, "--of %s: must be one of:%s", name, names);
	return NULL;
}

int
find_analysis(const char *name, char *path, size_t size, struct error *err)
{
	char self[PATH_BYTES];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	snprintf(path, size, "analysis/%s", name);
	if (!access(path, R_OK))
		return 0;
	self[n > 0 ? n : 0] = 0;
	slash = strrchr(self, '/');
	if (slash) {
		snprintf(path, size, "%.*s/../share/ringside/analysis/%s", (int)(slash - self),
			 self, name);
		if (!access(path, R_OK))
			return 0;
	}
	return error_set(err, "there is no analysis/%s, here or where Ringside is installed", name);
}

/* Database and run of "DB#ID", or the newest failing run of --db. */
static int
find_run(const struct options *o, char *db, size_t size, int64_t *id, struct error *err)
{
	const char *text = o->arg_count ? o->args[0] : o->db;
	size_t len = strlen(text);
	struct stored_run run;
	struct reader *rd;
	int ret;

	*id = 0;
	if (!reader_parse_ref(text, &len, id))
		len = strlen(text);
	if (len >= size)
		return error_set(err, "plot: the path is too long");
	snprintf(db, size, "%.*s", (int)len, text);
	rd = reader_open(db, err);
	if (!rd)
		return -1;
	ret = reader_run(rd, *id, &run, err);
	if (!ret) {
		*id = run.id;
		stored_run_free(&run);
	}
	reader_close(rd);
	return ret;
}

/* Without @err its messages go nowhere. */
static int
spawn(const char *script, const char *db, int64_t id, const char *out, struct error *err)
{
	char number[32];
	int status;
	pid_t child;

	snprintf(number, sizeof(number), "%" PRId64, id);
	fflush(stdout);
	child = fork();
	if (!child) {
		if (!err)
			(void)!freopen("/dev/null", "w", stderr);
		execl(script, script, db, number, out, (char *)NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return error_set(err, "plot: %s", strerror(errno));
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	return error_set(err, "plot: %s failed", script);
}

int
plot_draw(const char *name, const char *db, int64_t run, const char *out, struct error *err)
{
	const struct picture *picture = find_picture(name, err);
	char script[2 * PATH_BYTES];

	if (!picture || find_analysis(picture->script, script, sizeof(script), err))
		return -1;
	return spawn(script, db, run, out, err);
}

/* Draw into a folder of our own, and print. */
static int
plot_text(const char *script, const char *db, int64_t id, struct error *err)
{
	char folder[] = "/tmp/ringside-plot-XXXXXX", path[64], data[64], line[512];
	int status;
	FILE *f;

	if (!mkdtemp(folder))
		return error_set(err, "plot: %s", strerror(errno));
	snprintf(path, sizeof(path), "%s/ring.txt", folder);
	snprintf(data, sizeof(data), "%s/ring.dat", folder);
	status = spawn(script, db, id, path, err);
	f = !status ? fopen(path, "r") : NULL;
	while (f && fgets(line, sizeof(line), f))
		fputs(line, stdout);
	if (f)
		fclose(f);
	unlink(path);
	unlink(data);
	rmdir(folder);
	return status;
}

int
command_plot(const struct options *o, struct error *err)
{
	const struct picture *picture = find_picture(o->of, err);
	char script[2 * PATH_BYTES], db[PATH_BYTES];
	int64_t id;

	if (!picture || find_analysis(picture->script, script, sizeof(script), err) ||
	    find_run(o, db, sizeof(db), &id, err))
		return EXIT_USAGE;
	if (system("command -v gnuplot >/dev/null && command -v sqlite3 >/dev/null")) {
		error_set(err, "plot: gnuplot and sqlite3 are needed");
		return EXIT_SKIPPED;
	}
	if (o->out ? spawn(script, db, id, o->out, err) : plot_text(script, db, id, err))
		return EXIT_USAGE;
	return EXIT_HELD;
}
