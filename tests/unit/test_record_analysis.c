/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * analysis/ works with the plain sqlite3 shell and gnuplot alone.  The run here is written down by
 * hand: a driver and a device say what ring code would, so that each figure that comes out is
 * known.
 */
#include "record_util.h"

#include <sys/wait.h>

#include "engine/world.h"
#include "memory/guest_memory.h"

enum { AVAIL_IDX = 0x1002, USED_IDX = 0x1042, USED_EVENT = 0x1010 };

static struct ring {
	struct waitq kick;
	int64_t vq, kick_name, call_name;
	int step;
} * ring;

static void
describe(const void *context, uint64_t offset, char *text, size_t size)
{
	snprintf(text, size, "%s",
		 offset == 0x2	  ? "avail.idx"
		 : offset == 0x42 ? "used.idx"
		 : offset == 0x10 ? "used_event"
				  : "desc[0].addr");
}

static void
store(struct world *w, uint64_t gpa, int64_t value)
{
	actor_point(w);
	world_emit_detail(w, EV_STORE, (int64_t)gpa, 2, value, 0, 0);
}

static void
driver(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	for (int i = 1; i <= 3; i++) {
		store(w, 0x1000, i);
		store(w, AVAIL_IDX, i);
		/* The third kick is lost. */
		if (i < 3) {
			emit(w, EV_EVENTFD_SIGNAL, ring->kick_name, 1);
			waitq_wake_all(w, &ring->kick);
		}
		actor_sleep(w, 100);
	}
	store(w, USED_EVENT, 2);
}

static void
device(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	for (int i = 1;; i++) {
		waitq_wait(w, &ring->kick);
		emit(w, EV_EVENTFD_READ, ring->kick_name, 1, 0);
		emit(w, EV_RAW_POP, ring->vq, i - 1);
		store(w, USED_IDX, i);
		emit(w, EV_EVENTFD_SIGNAL, ring->call_name, 1);
	}
}

static void
setup(struct world *w, void *arg)
{
	gm_create(w, 1 << 16);
	gm_region(w, 0x1000, 0x100, "vq0", describe, NULL);
	ring = world_alloc(w, sizeof(*ring));
	waitq_init(&ring->kick, w, "eventfd vq0.kick");
	ring->vq = world_name(w, "vq0");
	ring->kick_name = world_name(w, "vq0.kick");
	ring->call_name = world_name(w, "vq0.call");
	actor_create(w, "device", device, NULL, 0);
	actor_create(w, "driver", driver, NULL, 0);
}

/* Run 1 has the ring, run 2 has no events. */
static void
write_runs(const char *path)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ 0 }, &err);
	struct record *r = record_open(path, &err);
	struct run_info info = sample_info(1);
	struct run_violation v = { .statement = "INV-KICK",
				   .actor = "device",
				   .message = "it's asleep" };
	struct run_progress p[] = { { 1000000000, 500, 0, 10 }, { 3000000000, 1500, 1, 12 } };

	assert_int_equal(world_setup(w, setup, NULL, &err), 0);
	assert_int_equal(record_run_begin(r, &info, &err), 1);
	world_set_sink(w, record_sink, r);
	assert_int_equal(world_run(w), STOP_QUIESCENT);
	v.step = world_step(w);
	assert_int_equal(record_names(r, w, &err), 0);
	assert_int_equal(record_violation(r, &v, &err), 0);
	assert_int_equal(record_progress(r, &p[0], &err), 0);
	assert_int_equal(record_progress(r, &p[1], &err), 0);
	assert_int_equal(record_run_end(r, &sample_result, &err), 0);
	assert_int_equal(record_run_begin(r, &info, &err), 2);
	assert_int_equal(record_run_end(r, &sample_result, &err), 0);
	record_close(r);
	world_destroy(w);
}

/* What the shell prints for @query after analysis/views.sql, its lines joined by spaces. */
static const char *
shell(const char *query)
{
	static char answer[4096];
	char command[1024];
	size_t n;
	FILE *f;

	snprintf(command, sizeof(command),
		 "sqlite3 -readonly -bail -cmd '.read analysis/views.sql' %s \"%s\" 2>&1",
		 in_folder("runs.db"), query);
	f = popen(command, "r");
	n = fread(answer, 1, sizeof(answer) - 1, f);
	assert_int_equal(pclose(f), 0);
	answer[n] = 0;
	for (char *c = answer; *c; c++)
		if (*c == '\n')
			*c = c[1] ? ' ' : 0;
	return answer;
}

static void
views_say_what_happened(void **state)
{
	write_runs(in_folder("runs.db"));
	assert_string_equal(shell("SELECT id, scenario, outcome, events > 20 FROM runs"),
			    "1|scenarios/lost-kick.lua|as expected|1 "
			    "2|scenarios/lost-kick.lua|as expected|0");
	assert_string_equal(shell("SELECT statement, violations FROM violations_by_statement"),
			    "INV-KICK|1");
	assert_string_equal(shell("SELECT schedules_per_s, new_classes_per_s FROM exploration"),
			    "500|10 500|1");
	assert_string_equal(
		shell("SELECT group_concat(queue||'.'||name||'='||value||'@'||actor) FROM"
		      " (SELECT * FROM ring_index WHERE run_id = 1 ORDER BY id)"),
		"vq0.avail_idx=1@driver,vq0.last_avail_idx=1@device,"
		"vq0.used_idx=1@device,vq0.avail_idx=2@driver,"
		"vq0.last_avail_idx=2@device,vq0.used_idx=2@device,"
		"vq0.avail_idx=3@driver,vq0.used_event=2@driver");
	assert_string_equal(shell("SELECT queue, kicks, kicks_taken, interrupts, interrupts_taken"
				  " FROM notifications_per_queue WHERE run_id = 1"),
			    "vq0|2|2|2|0");
	/* The device waits three times, and the third time for ever. */
	assert_string_equal(shell("SELECT actor, waits_for, until_step IS NULL FROM asleep"
				  " ORDER BY id"),
			    "device|eventfd vq0.kick|0 device|eventfd vq0.kick|0 "
			    "device|eventfd vq0.kick|1");
}

/* Exit status of analysis/plot.sh with these arguments after the database. */
static int
plot(const char *arguments)
{
	char command[512];

	snprintf(command, sizeof(command), "cd / && '%s/analysis/plot.sh' %s %s >%s 2>&1",
		 getcwd((char[256]){ 0 }, 256), in_folder("runs.db"), arguments,
		 in_folder("plot.out"));
	return WEXITSTATUS(system(command));
}

static size_t
said(const char *name, const char *what)
{
	static char text[200000];
	FILE *f = fopen(in_folder(name), "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	text[n] = 0;
	if (f)
		fclose(f);
	return strstr(text, what) ? n : 0;
}

static void
pictures_are_drawn(void **state)
{
	char arguments[256];

	for (const char *const *name = (const char *const[]){ "r.svg", "r.png", "r.txt", NULL };
	     *name; name++) {
		snprintf(arguments, sizeof(arguments), "1 %s", in_folder(*name));
		assert_int_equal(plot(arguments), 0);
		assert_false(said("plot.out", "warning"));
		assert_false(said("plot.out", "rror"));
	}
	assert_true(said("r.svg", "last_avail_idx (device)") > 5000);
	assert_true(said("r.svg", "INV-KICK: its asleep"));
	assert_true(said("r.svg", "lost-kick"));
	assert_true(said("r.svg", "step of the run"));
	assert_false(said("r.svg", "avail_event")); /* this ring has none */
	assert_true(said("r.png", "\x89PNG") > 0);
	assert_true(said("r.txt", "used_idx (device)") > 1000);
	assert_true(said("r.dat", "# avail_idx\n0 0\n"));
	/* A part of the run begins with what the indices were then. */
	snprintf(arguments, sizeof(arguments), "1 %s vq0 5 6", in_folder("part.svg"));
	assert_int_equal(plot(arguments), 0);
	assert_true(said("part.dat", "first_step = 5; last_step = 6"));
	assert_false(said("part.dat", "# avail_idx\n5 0\n"));
}

static void
what_cannot_be_drawn_is_said(void **state)
{
	char arguments[256];

	snprintf(arguments, sizeof(arguments), "2 %s", in_folder("none.svg"));
	assert_int_equal(plot(arguments), 1);
	assert_true(said("plot.out", "no stores to the indices"));
	snprintf(arguments, sizeof(arguments), "3 %s", in_folder("none.svg"));
	assert_int_equal(plot(arguments), 2);
	assert_true(said("plot.out", "there is no run 3"));
	snprintf(arguments, sizeof(arguments), "1x %s", in_folder("none.svg"));
	assert_int_equal(plot(arguments), 2);
	snprintf(arguments, sizeof(arguments), "1 %s \"x'y\"", in_folder("none.svg"));
	assert_int_equal(plot(arguments), 2);
	assert_true(said("plot.out", "not the name of a queue"));
	assert_int_equal(plot(""), 2);
	assert_true(said("plot.out", "usage"));
	assert_int_equal(access(in_folder("none.svg"), F_OK), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(views_say_what_happened),
		cmocka_unit_test(pictures_are_drawn),
		cmocka_unit_test(what_cannot_be_drawn_is_said),
	};

	if (system("command -v sqlite3 >/dev/null && command -v gnuplot >/dev/null")) {
		puts("sqlite3 or gnuplot is not installed");
		return 77;
	}
	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
