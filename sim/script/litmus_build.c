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

/* What is built, and for what. */
struct order {
	struct litmus_test *const *t;
	unsigned count;
	bool weak, order_dependencies;
};

static void
write_tests(FILE *f, const struct order *o)
{
	if (o->weak)
		fputs("#define LITMUS_WEAK 1\n", f);
	fwrite(litmus_prelude, (size_t)(litmus_prelude_end - litmus_prelude), 1, f);
	for (unsigned i = 0; i < o->count; i++) {
		char *text = litmus_emit(o->t[i], i, o->order_dependencies);

		fputs(text, f);
		free(text);
	}
}

static int
write_source(const struct workshop *ws, const struct order *o, struct error *err)
{
	FILE *f = fopen(ws->source, "w");
	bool failed;

	if (!f)
		return error_set(err, "%s: %s", ws->source, strerror(errno));
	write_tests(f, o);
	failed = ferror(f);
	if (fclose(f) || failed)
		return error_set(err, "%s: %s", ws->source, strerror(errno));
	return 0;
}

/* --- the compiler --------------------------------------------------------------------------- */

/*
 * Volatile accesses are told from plain ones by an option that gcc and clang spell differently, and
 * clang leaves out a load before a store of the same place unless told not to.  What is for gcc
 * fails with clang (litmus_prelude.h), which takes its options and ignores them.
 */
#define OPTIONS_MAX 8
static const char *const gcc_options[OPTIONS_MAX] = { "--param", "tsan-distinguish-volatile=1" };
static const char *const clang_options[OPTIONS_MAX] = { "-DLITMUS_CLANG", "-mllvm",
							"-tsan-distinguish-volatile=1", "-mllvm",
							"-tsan-instrument-read-before-write=1" };

/* Exit status of the compiler; 127 if there is none, as the shell has it. */
static int
compile(const struct workshop *ws, const char *cc, const char *const options[OPTIONS_MAX])
{
	/* -nostdlib keeps gcc from linking its own run time behind the instrumentation. */
	const char *argv[32] = { cc,
				 "-std=gnu11",
				 "-O1",
				 "-g",
				 "-w",
				 "-fPIC",
				 "-shared",
				 "-nostdlib",
				 "-fno-strict-aliasing",
				 "-fsanitize=thread",
				 "-o",
				 ws->object,
				 ws->source };
	unsigned argc = 13;
	posix_spawn_file_actions_t actions;
	int status = 127 << 8, ret;
	pid_t pid;

	while (*options)
		argv[argc++] = *options++;
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
complain(const struct workshop *ws, const char *cc, struct error *err)
{
	char line[400] = "";
	FILE *f = fopen(ws->log, "r");

	while (f && fgets(line, sizeof(line), f) && !strstr(line, "error"))
		;
	if (f)
		fclose(f);
	line[strcspn(line, "\n")] = 0;
	error_set(err, "%s cannot compile it: %s", cc, line);
	return LITMUS_BUILD_FAILED;
}

static enum litmus_built
build_object(const struct workshop *ws, struct error *err)
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
		return complain(ws, cc, err);
	}
	return LITMUS_BUILT;
}

/* --- loading -------------------------------------------------------------------------------- */

static int
load(const struct workshop *ws, const struct litmus_test *t, unsigned number,
     struct litmus_code *code, struct error *err)
{
	code->handle = dlopen(ws->object, RTLD_NOW | RTLD_LOCAL);
	if (!code->handle)
		return error_set(err, "%s: %s", t->path, dlerror());
	for (unsigned i = 0; i < t->procs; i++) {
		char name[40];

		snprintf(name, sizeof(name), "litmus_%u_P%u", number, i);
		*(void **)&code->body[i] = dlsym(code->handle, name);
		must(code->body[i]);
	}
	code->base = dlsym(code->handle, "litmus_base");
	code->bytes = dlsym(code->handle, "litmus_bytes");
	must(code->base && code->bytes);
	return 0;
}

static enum litmus_built
load_all(const struct workshop *ws, const struct order *o, struct litmus_code *code,
	 struct error *err)
{
	for (unsigned i = 0; i < o->count; i++) {
		if (load(ws, o->t[i], i, &code[i], err)) {
			while (i--)
				litmus_unload(&code[i]);
			return LITMUS_BUILD_FAILED;
		}
	}
	return LITMUS_BUILT;
}

enum litmus_built
litmus_build(struct litmus_test *const *t, unsigned count, bool weak, bool order_dependencies,
	     struct litmus_code *code, struct error *err)
{
	const struct order o = { t, count, weak, order_dependencies };
	enum litmus_built built = LITMUS_BUILD_FAILED;
	struct workshop ws;

	memset(code, 0, count * sizeof(*code));
	if (open_workshop(&ws, err))
		return built;
	if (!write_source(&ws, &o, err))
		built = build_object(&ws, err);
	if (built == LITMUS_BUILT)
		built = load_all(&ws, &o, code, err);
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
