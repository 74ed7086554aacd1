/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/tracecmd/walk.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <trace-cmd.h>

#include "trace/kvm_events.h"

/*
 * Not declared to all, exported to trace-cmd: whether times are ns (bit 2, if so), and the clock's
 * name.  A library that has them no more is taken to give ns.
 */
extern unsigned long
tracecmd_get_flags(struct tracecmd_input *in) __attribute__((weak));
extern const char *
tracecmd_get_trace_clock(struct tracecmd_input *in) __attribute__((weak));
#define FLAG_NS (1ul << 2)

struct walk {
	FILE *to;
	struct walk_message next; /* what adds up until it is sent */
	struct kvm_events wanted;
	struct trace_seq printed;
	const struct tep_event *last; /* of the record before */
	const struct kvm_event *last_wanted; /* null: not */
	int last_bytes; /* a record of it has at least so many */
	int pid; /* of `thread` */
	char thread[KVM_THREAD_MAX];
	size_t thread_size;
	uint64_t unprintable; /* a bit for each of kvm_events.def: said so already */
	unsigned long long unknown; /* events without a format */
	bool failed; /* and said so */
};

static size_t
short_enough(size_t size)
{
	return size < WALK_TEXT_MAX ? size : WALK_TEXT_MAX;
}

static bool
send_message(struct walk *w, enum walk_type type, const char *name, const char *args, size_t size)
{
	struct walk_message m = w->next;

	m.type = type;
	m.thread_size = type == WALK_EVENT ? (uint32_t)w->thread_size : 0;
	m.name_size = name ? (uint32_t)short_enough(strlen(name)) : 0;
	m.args_size = (uint32_t)short_enough(size);
	w->next.lost = 0;
	w->next.gaps = 0;
	return fwrite(&m, sizeof(m), 1, w->to) == 1 &&
	       fwrite(w->thread, 1, m.thread_size, w->to) == m.thread_size &&
	       (!name || fwrite(name, 1, m.name_size, w->to) == m.name_size) &&
	       fwrite(args, 1, m.args_size, w->to) == m.args_size;
}

/* A message of text; always -1. */
static int __attribute__((format(printf, 3, 4)))
say(struct walk *w, enum walk_type type, const char *format, ...)
{
	char text[512];
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	send_message(w, type, NULL, text,
		     (size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1);
	w->failed |= type == WALK_FAILED;
	return -1;
}

/* Where the last of its fields ends. */
static int
event_bytes(const struct tep_event *event)
{
	int bytes = 0;

	for (const struct tep_format_field *f = event->format.fields; f; f = f->next)
		if (f->offset + f->size > bytes)
			bytes = f->offset + f->size;
	return bytes;
}

/* Null if it is of no kind that we take in, or nobody can print it. */
static const struct kvm_event *
look_up(struct walk *w, const struct tep_event *event)
{
	const struct kvm_event *e = NULL;
	uint64_t bit;

	if (event && event->name)
		e = kvm_event_find(&w->wanted, event->name, strlen(event->name));
	if (!e || !(event->flags & TEP_EVENT_FL_FAILED))
		return e;
	bit = UINT64_C(1) << (e - w->wanted.event);
	if (!(w->unprintable & bit))
		say(w, WALK_NOTE, "libtraceevent cannot parse the format of %s: those are skipped",
		    e->name);
	w->unprintable |= bit;
	return NULL;
}

static const struct kvm_event *
event_wanted(struct walk *w, const struct tep_event *event)
{
	if (event != w->last) {
		w->last = event;
		w->last_wanted = look_up(w, event);
		w->last_bytes = w->last_wanted ? event_bytes(event) : 0;
	}
	return w->last_wanted;
}

static void
name_thread(struct walk *w, struct tep_handle *tep, struct tep_record *record)
{
	int pid = tep_data_pid(tep, record), size;
	const char *comm;

	if (pid == w->pid && w->thread_size)
		return;
	comm = tep_data_comm_from_pid(tep, pid);
	comm = comm ? comm + strspn(comm, " \t") : "<...>";
	size = snprintf(w->thread, sizeof(w->thread), "%.64s-%d", comm, pid);
	w->thread_size = size > 0 ? (size_t)size : 0;
	w->pid = pid;
}

/*
 * The arguments as the event's format prints them.  libtraceevent (1.7, 1.8) takes the numbers in a
 * condition for unsigned, so an exit with a negative errno is printed here as the kernel does.
 */
static void
print_args(struct walk *w, struct tep_event *event, struct tep_record *record)
{
	unsigned long long value;

	trace_seq_reset(&w->printed);
	if (w->last_wanted->kind == RECORD_KVM_USERSPACE_EXIT &&
	    !tep_get_field_val(NULL, event, "errno", record, &value, 0) && (int32_t)value < 0)
		trace_seq_printf(&w->printed, "reason %s (%u)",
				 (int32_t)value == -EINTR ? "restart" : "error", -(uint32_t)value);
	else
		tep_print_event(event->tep, &w->printed, record, "%s", TEP_PRINT_INFO);
}

_Static_assert(KVM_EVENTS <= 64, "a bit for each in walk.unprintable");

/* libtracecmd's callback: below 0 ends the walk. */
static int
see_record(struct tracecmd_input *in, struct tep_record *record, int cpu, void *context)
{
	struct walk *w = context;
	struct tep_handle *tep = tracecmd_get_tep(in);
	struct tep_event *event;

	w->next.number++;
	if (record->missed_events > 0)
		w->next.lost += (uint64_t)record->missed_events;
	else if (record->missed_events)
		w->next.gaps++;
	event = tep_find_event_by_record(tep, record);
	w->unknown += !event;
	if (!event_wanted(w, event))
		return 0;
	if (record->size < w->last_bytes)
		return say(
			w, WALK_FAILED,
			"event %llu (%s, CPU %d) has %d bytes, its format %d: the file is damaged",
			(unsigned long long)w->next.number, event->name, record->cpu, record->size,
			w->last_bytes);
	if (record->ts > INT64_MAX)
		return say(w, WALK_FAILED, "event %llu (%s, CPU %d) has a time past the year 2262",
			   (unsigned long long)w->next.number, event->name, record->cpu);
	w->next.ns = (int64_t)record->ts;
	name_thread(w, tep, record);
	print_args(w, event, record);
	return send_message(w, WALK_EVENT, event->name, w->printed.buffer, w->printed.len) ? 0 : -1;
}

/*
 * The library decompresses into files in /tmp and removes them at its end.  This process may have
 * another end: they live on without a name.
 */
static void
unlink_temporary(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;
	char path[64], to[64];

	while (dir && (d = readdir(dir))) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%.20s", d->d_name);
		n = readlink(path, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = '\0';
		if (!strncmp(to, "/tmp/trace_cpu_data", 19))
			unlink(to);
	}
	if (dir)
		closedir(dir);
}

static int
walk_buffers(struct walk *w, struct tracecmd_input *in)
{
	int n = tracecmd_buffer_instances(in);
	struct tracecmd_input **all;

	all = calloc((size_t)n + 1, sizeof(struct tracecmd_input *));
	if (!all)
		return say(w, WALK_FAILED, "%d buffers: there is no memory for them", n);
	all[0] = in;
	for (int i = 0; i < n; i++) {
		const char *name = tracecmd_buffer_instance_name(in, i);

		all[i + 1] = tracecmd_buffer_instance_handle(in, i);
		if (!all[i + 1])
			return say(w, WALK_FAILED,
				   "damaged or cut off: its buffer %s cannot be read",
				   name ? name : "?");
		unlink_temporary();
		say(w, WALK_NOTE, "the buffer %s is read beside the main one, by time",
		    name ? name : "?");
	}
	return tracecmd_iterate_events_multi(all, n + 1, see_record, w);
}

int
tracecmd_walk(int fd, int said, FILE *to)
{
	struct walk w = { .to = to };
	struct tracecmd_input *in;
	const char *clock;

	tracecmd_set_loglevel(TEP_LOG_WARNING);
	kvm_events_init(&w.wanted, NULL, "event", NULL);
	trace_seq_init(&w.printed);
	/* The kernel's own words: a plugin's kvm_exit has no vcpu, and its reasons are its own. */
	in = tracecmd_open_fd(fd, TRACECMD_FL_LOAD_NO_PLUGINS);
	unlink_temporary();
	if (!in)
		return say(&w, WALK_FAILED, "damaged or cut off: libtracecmd cannot read it");
	fflush(stdout);
	while (read(said, w.thread, sizeof(w.thread)) > 0)
		;
	if (tracecmd_get_flags && !(tracecmd_get_flags(in) & FLAG_NS)) {
		clock = tracecmd_get_trace_clock ? tracecmd_get_trace_clock(in) : NULL;
		clock = clock ? clock : "?";
		send_message(&w, WALK_TICKS, NULL, clock, strlen(clock));
	}
	if (walk_buffers(&w, in) < 0)
		return w.failed
			       ? -1
			       : say(&w, WALK_FAILED, "libtracecmd cannot read on after event %llu",
				     (unsigned long long)w.next.number);
	if (w.unknown)
		say(&w, WALK_NOTE, "%llu events are of no format that is in the file", w.unknown);
	return send_message(&w, WALK_END, NULL, "", 0) ? 0 : -1;
}
