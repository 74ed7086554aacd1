/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/tracedat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "trace/kvm_events.h"
#include "trace/tracecmd/walk.h"

/*
 * What the reading process may use.  The library maps a MiB of each CPU's data and keeps the
 * formats and symbols of a kernel, some tens of MiB.  It reads 20 MiB a second and more.
 */
#define MEMORY_BYTES (UINT64_C(1) << 30)
#define SECONDS 20u
#define BYTES_PER_SECOND (1u << 20)
#define FILE_BYTES (UINT64_C(4) << 30) /* of what it decompresses */

struct import {
	struct recording *r;
	struct error *err;
	struct kvm_events events;
	FILE *from; /* messages of the reading process */
	int said; /* what the library prints comes here */
	pid_t child;
	bool library_failed; /* the error is its own */
	char text[3 * WALK_TEXT_MAX];
};

bool
tracedat_built_in(void)
{
	return tracecmd_walk;
}

int
tracedat_recognise(const char *text, size_t size)
{
	static const char magic[] = "\x17\x08\x44tracing";

	return size >= sizeof(magic) - 1 && !memcmp(text, magic, sizeof(magic) - 1) ? 100 : 0;
}

/* --- the reading process ------------------------------------------------------------------------
 */

static void
limit(int what, rlim_t value)
{
	struct rlimit l;

	if (!getrlimit(what, &l) && (l.rlim_cur == RLIM_INFINITY || l.rlim_cur > value)) {
		l.rlim_cur = value;
		setrlimit(what, &l);
	}
}

/* Of this process: what there is already may be much under a sanitizer. */
static uint64_t
address_space(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	if (f && fscanf(f, "%lu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
limit_all(size_t size)
{
	uint64_t now = address_space();

	if (now)
		limit(RLIMIT_AS, now + MEMORY_BYTES);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, FILE_BYTES);
	limit(RLIMIT_CPU, SECONDS + size / BYTES_PER_SECOND);
}

/* A file of @text that exists in memory only; -1 if there is no room. */
static int
file_of(const char *text, size_t size)
{
	int fd = memfd_create("trace.dat", MFD_CLOEXEC);

	for (size_t done = 0; fd >= 0 && done < size;) {
		ssize_t n = write(fd, text + done, size - done);

		if (n <= 0 && errno != EINTR) {
			close(fd);
			return -1;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	return fd >= 0 && lseek(fd, 0, SEEK_SET) < 0 ? -1 : fd;
}

/* Never returns.  What the library prints to either output goes to the pipe @said. */
static _Noreturn void
read_for(int to, const int said[2], const char *text, size_t size)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGXCPU, SIGXFSZ };
	FILE *out = fdopen(to, "w");
	int fd = file_of(text, size), ret;

	if (fd < 0 || !out || dup2(said[1], 1) < 0 || dup2(said[1], 2) < 0)
		_exit(1);
	/* A sanitizer's handlers, or ours, are not for another's bug. */
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		signal(deadly[i], SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	limit_all(size);
	ret = tracecmd_walk(fd, said[0], out);
	fflush(stdout);
	_exit(fflush(out) || ret ? 1 : 0);
}

static int
start(struct import *in, const char *text, size_t size)
{
	int to[2], said[2];

	if (pipe2(to, O_CLOEXEC))
		return error_set(in->err, "pipe: %s", strerror(errno));
	/* What the library says has no reader yet: what there is no room for is dropped. */
	if (pipe2(said, O_CLOEXEC | O_NONBLOCK)) {
		close(to[0]);
		close(to[1]);
		return error_set(in->err, "pipe: %s", strerror(errno));
	}
	fflush(stdout); /* lest its copy be taken for the library's words */
	in->child = fork();
	if (!in->child)
		read_for(to[1], said, text, size);
	close(to[1]);
	close(said[1]);
	in->said = said[0];
	in->from = in->child < 0 ? NULL : fdopen(to[0], "r");
	if (in->from)
		return 0;
	close(to[0]);
	close(said[0]);
	return error_set(in->err, "cannot start a process: %s", strerror(errno));
}

/* --- its messages -------------------------------------------------------------------------------
 */

static bool
take(struct import *in, struct walk_message *m)
{
	size_t size;

	if (fread(m, sizeof(*m), 1, in->from) != 1 || m->thread_size > WALK_TEXT_MAX ||
	    m->name_size > WALK_TEXT_MAX || m->args_size > WALK_TEXT_MAX)
		return false;
	size = m->thread_size + m->name_size + m->args_size;
	return fread(in->text, 1, size, in->from) == size;
}

static int
add_event(struct import *in, const struct walk_message *m)
{
	const char *name = in->text + m->thread_size, *args = name + m->name_size;
	const struct kvm_event *e = kvm_event_find(&in->events, name, m->name_size);
	struct kvm_said said = { .thread = in->text,
				 .thread_size = m->thread_size,
				 .ns = in->r->timeless ? (int64_t)m->number : m->ns,
				 .line = m->number,
				 .args = { args, args + m->args_size } };

	return e ? kvm_event_add(&in->events, e, &said)
		 : error_at(in->err, in->r->name, (long)m->number, 0, "an event out of turn");
}

/* 1 after the last, 0 if there may be more, -1 and the error. */
static int
take_in(struct import *in, const struct walk_message *m)
{
	struct recording *r = in->r;
	int size = (int)m->args_size;

	if (m->number < r->lines || m->ns < 0)
		return error_at(in->err, r->name, 0, 0, "damaged after event %" PRIu64, r->lines);
	r->lines = m->number;
	r->events_lost += m->lost;
	r->gaps += m->gaps;
	switch (m->type) {
	case WALK_EVENT:
		return add_event(in, m);
	case WALK_NOTE:
		recording_note(r, "%.*s", size, in->text);
		return 0;
	case WALK_TICKS:
		r->timeless = true;
		recording_note(r, "its clock %.*s does not count time", size, in->text);
		return 0;
	case WALK_FAILED:
		in->library_failed = true;
		return error_at(in->err, r->name, 0, 0, "%.*s", size, in->text);
	case WALK_END:
		return 1;
	default:
		return error_at(in->err, r->name, 0, 0, "damaged after event %" PRIu64, r->lines);
	}
}

/* The first line of what the library said; "" if it was silent. */
static void
library_words(const struct import *in, char *text, size_t size)
{
	ssize_t n = read(in->said, text, size - 1);

	text[n > 0 ? n : 0] = '\0';
	n = (ssize_t)strspn(text, " \n");
	memmove(text, text + n, strlen(text + n) + 1);
	text[strcspn(text, "\n")] = '\0';
}

/* How the process ended, if it said no more. */
static void
why_dead(const struct import *in, int status, const char *words)
{
	const char *colon = *words ? ": " : "";
	uint64_t after = in->r->lines;

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		error_at(in->err, in->r->name, 0, 0,
			 "damaged: libtracecmd finds no end after event %" PRIu64 "%s%s", after,
			 colon, words);
	else if (WIFSIGNALED(status))
		error_at(in->err, in->r->name, 0, 0,
			 "damaged: libtracecmd crashed (%s) after event %" PRIu64 "%s%s",
			 strsignal(WTERMSIG(status)), after, colon, words);
	else
		error_at(in->err, in->r->name, 0, 0,
			 "damaged: libtracecmd gave up after event %" PRIu64 "%s%s", after, colon,
			 words);
}

static int
finish(struct import *in, int result)
{
	struct error own = in->err ? *in->err : (struct error){ "" };
	bool ended = !result;
	int status = 0;
	char words[400];

	fclose(in->from);
	if (result < 0)
		kill(in->child, SIGKILL);
	while (waitpid(in->child, &status, 0) < 0 && errno == EINTR)
		;
	library_words(in, words, sizeof(words));
	close(in->said);
	if (ended)
		why_dead(in, status, words);
	else if (in->library_failed && *words)
		error_set(in->err, "%s (libtracecmd says: %s)", own.text, words);
	else if (result > 0 && *words)
		recording_note(in->r, "libtracecmd says: %s", words);
	return result > 0 ? 0 : -1;
}

int
tracedat_import(struct recording *r, const char *text, size_t size, const struct trace_options *o,
		struct error *err)
{
	struct import in = { .r = r, .err = err };
	struct walk_message m;
	int result = 0;

	if (!tracedat_recognise(text, size))
		return error_at(err, r->name, 0, 0, "does not begin as a trace.dat does");
	if (!tracedat_built_in())
		return error_at(err, r->name, 0, 0,
				"trace-cmd's own file, and this build has no libtracecmd (Debian: "
				"libtracecmd-dev): build again with it, or make text of the file "
				"first, with trace-cmd report -t %s >trace.txt",
				r->name);
	if (tracedat_check(r->name, text, size, err))
		return -1;
	kvm_events_init(&in.events, r, "event", err);
	if (start(&in, text, size))
		return -1;
	while (!result && take(&in, &m))
		result = take_in(&in, &m);
	result = finish(&in, result);
	r->lines_skipped = r->lines - r->count;
	recording_times_check(r);
	return result;
}
