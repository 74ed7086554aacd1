/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "script/litmus_build.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"

extern const char litmus_prelude[], litmus_prelude_end[];
extern char **environ;

/* The folder and its files, all of which are removed. */
struct workshop {
	char folder[512];
	char source[544], object[544], log[544];
};

static int
open_workshop(struct workshop *ws, struct error *err)
{
	const char *tmp = getenv("TMPDIR");

	if (!tmp || !*tmp || strlen(tmp) > 400)
		tmp = "/tmp";
	snprintf(ws->folder, sizeof(ws->folder), "%s/ringside-XXXXXX", tmp);
	if (!mkdtemp(ws->folder))
		return error_set(err, "%s: %s", ws->folder, strerror(errno));
	snprintf(ws->source, sizeof(ws->source), "%s/litmus.c", ws->folder);
	snprintf(ws->object, sizeof(ws->object), "%s/litmus.so", ws->folder);
	snprintf(ws->log, sizeof(ws->log), "%s/log", ws->folder);
	return 0;
}

static void
close_workshop(const struct workshop *ws)
{
	unlink(ws->source);
	unlink(ws->object);
	unlink(ws->log);
	rmdir(ws->folder);
}

static int
write_source(const struct workshop *ws, const struct litmus_test *t, bool weak, bool ordered,
	     struct error *err)
{
	FILE *f = fopen(ws->source, "w");
	char *text = litmus_emit(t, ordered);
	int ret = 0;

	if (f && weak)
		fputs("#define LITMUS_WEAK 1\n", f);
	if (!f || !fwrite(litmus_prelude, (size_t)(litmus_prelude_end - litmus_prelude), 1, f) ||
	    fputs(text, f) < 0)
		ret = error_set(err, "%s: %s", ws->source, strerror(errno));
	if (f && fclose(f) && !ret)
		ret = error_set(err, "%s: %s", ws->source, strerror(errno));
	free(text);
	return ret;
}

/* --- the compiler --------------------------------------------------------------------------- */

/*
 * Volatile accesses are told from plain ones by an option that gcc and clang spell differently.
 * -O1 keeps the order in which independent plain accesses stand; -nostdlib keeps gcc from linking
 * its own run time.
 */
static const char *const gcc_options[] = { "--param", "tsan-distinguish-volatile=1" };
static const char *const clang_options[] = { "-mllvm", "-tsan-distinguish-volatile=1" };

/* Exit status of the compiler; 127 if there is none, as the shell has it. */
static int
compile(const struct workshop *ws, const char *cc, const char *const options[2])
{
	const char *const argv[] = { cc,
				     "-std=gnu11",
				     "-O1",
				     "-g",
				     "-w",
				     "-fPIC",
				     "-fno-strict-aliasing",
				     "-shared",
				     "-nostdlib",
				     "-fsanitize=thread",
				     options[0],
				     options[1],
				     "-o",
				     ws->object,
				     ws->source,
				     NULL };
	posix_spawn_file_actions_t actions;
	int status = 127 << 8, ret;
	pid_t pid;

	must(!posix_spawn_file_actions_init(&actions));
	must(!posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0));
	must(!posix_spawn_file_actions_addopen(&actions, 1, ws->log, O_WRONLY | O_CREAT | O_TRUNC,
					       0600));
	must(!posix_spawn_file_actions_adddup2(&actions, 1, 2));
	ret = posix_spawnp(&pid, cc, &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (ret)
		return 127;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 126;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

/* The compiler's first complaint. */
static enum litmus_built
complain(const struct workshop *ws, const char *cc, const struct litmus_test *t, struct error *err)
{
	char line[400] = "";
	FILE *f = fopen(ws->log, "r");

	while (f && fgets(line, sizeof(line), f) && !strstr(line, "error"))
		;
	if (f)
		fclose(f);
	line[strcspn(line, "\n")] = 0;
	error_set(err, "%s: %s cannot compile it: %s", t->path, cc, line);
	return LITMUS_BUILD_FAILED;
}

static enum litmus_built
build_object(const struct workshop *ws, const struct litmus_test *t, struct error *err)
{
	const char *cc = getenv("RINGSIDE_CC");
	int status;

	if (!cc || !*cc)
		cc = "cc";
	status = compile(ws, cc, gcc_options);
	if (status == 127) {
		error_set(err, "no C compiler: there is no %s", cc);
		return LITMUS_NO_COMPILER;
	}
	if (status && compile(ws, cc, clang_options)) {
		compile(ws, cc, gcc_options); /* its complaint is the one to show */
		return complain(ws, cc, t, err);
	}
	return LITMUS_BUILT;
}

/* --- loading -------------------------------------------------------------------------------- */

static enum litmus_built
load(const struct workshop *ws, const struct litmus_test *t, struct litmus_code *code,
     struct error *err)
{
	code->handle = dlopen(ws->object, RTLD_NOW | RTLD_LOCAL);
	if (!code->handle) {
		error_set(err, "%s: %s", t->path, dlerror());
		return LITMUS_BUILD_FAILED;
	}
	for (unsigned i = 0; i < t->procs; i++) {
		char name[24];

		snprintf(name, sizeof(name), "litmus_P%u", i);
		*(void **)&code->body[i] = dlsym(code->handle, name);
		must(code->body[i]);
	}
	code->base = dlsym(code->handle, "litmus_base");
	code->bytes = dlsym(code->handle, "litmus_bytes");
	must(code->base && code->bytes);
	return LITMUS_BUILT;
}

enum litmus_built
litmus_build(const struct litmus_test *t, bool weak, bool order_dependencies,
	     struct litmus_code *code, struct error *err)
{
	enum litmus_built built = LITMUS_BUILD_FAILED;
	struct workshop ws;

	*code = (struct litmus_code){ 0 };
	if (open_workshop(&ws, err))
		return built;
	if (!write_source(&ws, t, weak, order_dependencies, err))
		built = build_object(&ws, t, err);
	if (built == LITMUS_BUILT)
		built = load(&ws, t, code, err);
	close_workshop(&ws);
	return built;
}

void
litmus_unload(struct litmus_code *code)
{
	if (code->handle)
		dlclose(code->handle);
	*code = (struct litmus_code){ 0 };
}
