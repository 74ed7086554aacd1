/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths of scenarios: files as they are, folders searched for *.lua, all sorted bytewise. */
#ifndef RINGSIDE_CLI_SCENARIO_FILES_H
#define RINGSIDE_CLI_SCENARIO_FILES_H

#include <stddef.h>

#include "base/error.h"

#define SCENARIO_FILES_MAX 4096
/* Folders within folders. */
#define SCENARIO_DEPTH_MAX 16

struct scenario_files {
	char **path;
	size_t count;
};

/*
 * In folders, files whose name begins with "_" or "." are left out: shared Lua code, not scenarios.
 * 0, or -1 and @err.
 */
int
scenario_files_find(struct scenario_files *f, char **paths, int count, struct error *err);
/* The same for *.failure in one folder (or one file). */
int
failure_files_find(struct scenario_files *f, const char *path, struct error *err);
void
scenario_files_free(struct scenario_files *f);

#endif
