/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/scenario_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/must.h"

static int
add(struct scenario_files *f, const char *path, struct error *err)
{
	if (f->count == SCENARIO_FILES_MAX)
		return error_set(err, "more than %d scenarios", SCENARIO_FILES_MAX);
	must(f->path = realloc(f->path, (f->count + 1) * sizeof(*f->path)));
	must(f->path[f->count++] = strdup(path));
	return 0;
}

static int
search(struct scenario_files *f, const char *folder, const char *suffix, unsigned depth,
       struct error *err);

static int
entry(struct scenario_files *f, const char *path, const char *name, const char *suffix,
      unsigned depth, struct error *err)
{
	size_t n = strlen(name), k = strlen(suffix);
	struct stat st;

	if (*name == '.' || *name == '_' || stat(path, &st))
		return 0;
	if (S_ISDIR(st.st_mode))
		return depth ? search(f, path, suffix, depth - 1, err) : 0;
	return n > k && !strcmp(name + n - k, suffix) ? add(f, path, err) : 0;
}

static int
search(struct scenario_files *f, const char *folder, const char *suffix, unsigned depth,
       struct error *err)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	int ret = 0;

	if (!d)
		return error_set(err, "%s: %s", folder, strerror(errno));
	while (!ret && (e = readdir(d))) {
		char *path;
		size_t n = strlen(folder);

		must(asprintf(&path, "%s%s%s", folder, n && folder[n - 1] == '/' ? "" : "/",
			      e->d_name) >= 0);
		ret = entry(f, path, e->d_name, suffix, depth, err);
		free(path);
	}
	closedir(d);
	return ret;
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
find(struct scenario_files *f, char **paths, int count, const char *suffix, struct error *err)
{
	for (int i = 0; i < count; i++) {
		struct stat st;
		size_t first = f->count;

		if (stat(paths[i], &st))
			return error_set(err, "%s: %s", paths[i], strerror(errno));
		if (S_ISDIR(st.st_mode) ? search(f, paths[i], suffix, SCENARIO_DEPTH_MAX, err)
					: add(f, paths[i], err))
			return -1;
		if (f->count > first)
			qsort(f->path + first, f->count - first, sizeof(*f->path), by_path);
	}
	return 0;
}

int
scenario_files_find(struct scenario_files *f, char **paths, int count, struct error *err)
{
	return find(f, paths, count, ".lua", err);
}

int
failure_files_find(struct scenario_files *f, const char *path, struct error *err)
{
	char *paths[] = { (char *)path };

	return find(f, paths, 1, ".failure", err);
}

void
scenario_files_free(struct scenario_files *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->path[i]);
	free(f->path);
	*f = (struct scenario_files){ 0 };
}
