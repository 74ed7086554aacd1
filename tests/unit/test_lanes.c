/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Swim lanes: the page as people see it, and its bounds for any log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "engine/world.h"
#include "explore/lanes.h"
#include "memory/access.h"
#include "explore/wording.h"

enum { KICK0 = 1, ORACLE, SUBJECT, NOTE, MB };

static const char *
text_name(const void *context, int64_t number)
{
	static const char *const texts[] = { "-", "kick0", "INV-KICK", "vq=0", "one buffer\nof 512",
					     "mb" };

	return number >= 0 && number < 6 ? texts[number] : NULL;
}

static const char *
actor_name_of(const void *context, uint32_t id)
{
	static const char *const names[] = { NULL, "driver", "device", "vcpu0.irq" };

	return id < 4 ? names[id] : NULL;
}

static void
gpa_name(const void *context, uint64_t gpa, char *text, size_t size)
{
	static const char *const fields[] = { "avail.idx", "avail.flags", "used.idx",
					      "used.flags" };

	if (gpa < 4)
		snprintf(text, size, "vq0.%s", fields[gpa]);
	else
		snprintf(text, size, "gpa 0x%llx", (unsigned long long)gpa);
}

static const struct event_names names = {
	text_name, actor_name_of, gpa_name, NULL, NULL, NULL, NULL
};

static void
add(struct event_log *log, uint64_t step, uint32_t actor, enum event_kind kind, int64_t a,
    int64_t b, int64_t c)
{
	struct event e = { .step = step,
			   .time_ns = (int64_t)step * 10,
			   .actor = actor,
			   .kind = (uint16_t)kind,
			   .arg = { a, b, c, 0, 0 } };

	event_log_add(log, &e, 1);
}

/* Not inlined: gcc 12 takes what open_memstream() allocated for a local of ours. */
__attribute__((noinline)) static char *
page(const struct event_log *log, const struct lanes_options *options)
{
	struct lanes l;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	lanes_build(&l, log, &names, options);
	lanes_print(&l, out);
	lanes_free(&l);
	fclose(out);
	return text;
}

static void
lost_kick(struct event_log *log)
{
	add(log, 1, 2, EV_LOAD, 0, 2, 0);
	add(log, 2, 1, EV_NOTE, NOTE, 0, 0);
	add(log, 3, 1, EV_STORE, 0x4000, 8, 0x12345678);
	add(log, 4, 1, EV_STORE, 0, 2, 1);
	add(log, 5, 1, EV_FENCE, MB, 0, 0);
	add(log, 6, 1, EV_LOAD, 3, 2, 1);
	add(log, 7, 1, EV_ACTOR_BLOCK, KICK0, 0, 0);
	add(log, 8, 2, EV_STORE, 3, 2, 0);
	add(log, 9, 2, EV_ACTOR_BLOCK, KICK0, 0, 0);
	add(log, 10, 0, EV_VIOLATION, ORACLE, SUBJECT, 0);
}

static const struct finding finding = { .verdict = VERDICT_LOST_KICK,
					.oracle = "INV-KICK",
					.subject = "vq=0",
					.message =
						"the device sleeps while a buffer is available" };

static void
the_picture(void **state)
{
	static const char expect[] =
		"step  driver                               device\n"
		"   1  |                                    reads vq0.avail.idx -> 0\n"
		"   2  one buffer of 512                    |\n"
		"   3  gpa 0x4000 = 0x12345678              |\n"
		"   4  vq0.avail.idx = 1                    |\n"
		"   5  mb                                   |\n"
		"   6  reads vq0.used.flags -> 1 (no kick)  |\n"
		"   7  waits for kick0                      |\n"
		"   8  :                                    vq0.used.flags = 0 (kick wanted)\n"
		"   9  :                                    waits for kick0\n"
		"  10  VIOLATION INV-KICK vq=0              :\n"
		"lost-kick (vq=0): the device sleeps while a buffer is available [INV-KICK]\n"
		"at the end: driver waits for kick0; device waits for kick0\n";
	struct event_log log = { 0 };
	char *text;

	lost_kick(&log);
	text = page(&log, &(struct lanes_options){ .finding = &finding });
	assert_string_equal(text, expect);
	free(text);
	event_log_free(&log);
}

static void
elided_runs_are_counted(void **state)
{
	struct event_log log = { 0 };
	unsigned long more = 0, shown = 0;
	char *text;

	for (unsigned i = 0; i < 500; i++)
		add(&log, i, 1 + i / 50 % 2, EV_STORE, 0x4000 + (int)i, 8, i);
	for (size_t i = 0; i < 10; i++)
		log.events[490 + i].kind = EV_NOTE;
	text = page(&log, &(struct lanes_options){ .finding = &finding });
	for (const char *p = text; (p = strstr(p, "… ")); p += 3)
		more += strtoul(p + strlen("… "), NULL, 10);
	for (const char *p = strchr(text, '\n') + 1; strncmp(p, "lost-kick", 9);
	     p = strchr(p, '\n') + 1)
		shown += strspn(p, " ") < 4 && (p[3] >= '0' && p[3] <= '9');
	assert_int_equal(shown + more, 500);
	assert_true(more > 400);
	/* The last ones are there, the notes; so is the switch before. */
	assert_non_null(strstr(text, " 499  "));
	assert_non_null(strstr(text, " 490  "));
	free(text);
	event_log_free(&log);
}

/* Lines and columns of the page, in characters. */
static void
assert_bounds(const char *text, unsigned lines_max, unsigned columns_max)
{
	unsigned lines = 0;

	for (const char *p = text; *p;) {
		const char *end = strchr(p, '\n');
		char line[2000];

		assert_non_null(end);
		snprintf(line, sizeof(line), "%.*s", (int)(end - p), p);
		if (lanes_columns(line) > columns_max)
			fail_msg("%u columns: %s", lanes_columns(line), line);
		assert_true(end == p || end[-1] != ' ');
		for (const char *q = p; q < end; q++)
			assert_true((unsigned char)*q >= ' ');
		lines++;
		p = end + 1;
	}
	if (lines > lines_max)
		fail_msg("%u lines of %u:\n%s", lines, lines_max, text);
}

static void
any_log_fits(void **state)
{
	static const struct finding rude = { .verdict = VERDICT_HANG,
					     .oracle = "A\nB",
					     .subject = "vq=\t0",
					     .message = "it\r\nhangs \x7f" };
	struct prng p;

	prng_seed(&p, 5);
	for (int i = 0; i < 400; i++) {
		struct event_log log = { .max = 1 + prng_below(&p, 3000) };
		struct lanes_options o = { .lines_max = prng_below(&p, 3) * 20,
					   .columns_max = i % 2 ? 72 : 0,
					   .time = prng_below(&p, 2),
					   .finding = prng_below(&p, 2) ? &rude : NULL };
		uint32_t actors = 1 + prng_below(&p, i % 5 ? 4 : 300);
		uint64_t step = prng_below(&p, 2) ? 0 : UINT64_C(1) << 40;

		for (uint32_t k = prng_below(&p, i % 7 ? 60 : 6000); k; k--)
			add(&log, step += prng_below(&p, 3), prng_below(&p, actors + 1),
			    (enum event_kind)prng_below(&p, EV_COUNT),
			    prng_below(&p, 9) ? prng_below(&p, 8) : (int64_t)prng_next(&p),
			    prng_below(&p, 6), (int64_t)prng_next(&p) >> prng_below(&p, 64));

		char *text = page(&log, &o);

		assert_bounds(text, o.lines_max ? o.lines_max : 40, o.columns_max ? 72 : 100);
		free(text);
		event_log_free(&log);
	}
}

static void
crowds_show_who_matters(void **state)
{
	struct event_log log = { 0 };
	char *text;

	for (unsigned i = 0; i < 2000; i++)
		add(&log, i, 10 + i % 200, EV_STORE, 0x4000, 8, i);
	for (unsigned i = 0; i < 10; i++)
		add(&log, 2000 + i, 10 + i % 2, EV_NOTE, NOTE, 0, 0);
	add(&log, 2010, 3, EV_VIOLATION, ORACLE, SUBJECT, 0);
	text = page(&log, &(struct lanes_options){ .finding = &finding });
	assert_non_null(strstr(text, "vcpu0.irq"));
	assert_non_null(strstr(text, "actor 10 "));
	assert_non_null(strstr(text, "actor 11 "));
	assert_non_null(strstr(text, "not shown: "));
	free(text);
	event_log_free(&log);
}

static void
logs_are_bounded(void **state)
{
	struct event_log log = { .max = 100 };

	for (unsigned i = 0; i < 1000; i++)
		add(&log, i, 1, EV_NOTE, 0, 0, 0);
	assert_true(log.count <= 100 && log.count >= 50);
	assert_int_equal(log.count + log.dropped, 1000);
	assert_int_equal(log.events[log.count - 1].step, 999);
	assert_int_equal(log.events[0].step, log.dropped);

	char *text = page(&log, &(struct lanes_options){ 0 });

	assert_non_null(strstr(text, "earlier events are not in this log"));
	free(text);
	event_log_free(&log);
}

static void
live_worlds_name_things(void **state)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ 0 }, &err);
	struct event_names live = event_names_of_world(w);
	struct event e = { .kind = EV_ACTOR_BLOCK };
	char text[100], by_engine[100];

	assert_non_null(w);
	e.arg[0] = world_name(w, "call3");
	wording_text(&live, &e, text, sizeof(text));
	assert_string_equal(text, "waits for call3");
	event_names_format(&live, &e, text, sizeof(text));
	event_format(w, &e, by_engine, sizeof(by_engine));
	assert_string_equal(text, by_engine);
	event_names_actor(&live, 9, text, sizeof(text));
	assert_string_equal(text, "actor 9");
	world_destroy(w);
}

/* Each kind has words: an event's name and arguments are no sentence. */
static void
each_event_has_words(void **state)
{
	for (unsigned kind = EV_NONE + 1; kind < EV_COUNT; kind++) {
		const struct wording *w = wording_table;

		while (w->kind && strcmp(w->kind, event_info[kind].name))
			w++;
		if (!w->kind)
			fail_msg("wording_table.c has no words for %s", event_info[kind].name);
	}
}

/* Each wording is of a kind in events.def, and each key in its braces is one of its format. */
static void
wordings_match_events(void **state)
{
	for (const struct wording *w = wording_table; w->kind; w++) {
		unsigned kind = 0;

		while (kind < EV_COUNT && strcmp(event_info[kind].name, w->kind))
			kind++;
		if (kind == EV_COUNT)
			fail_msg("no event kind \"%s\"", w->kind);
		for (const char *p = w->text; (p = strchr(p, '{')); p++) {
			char key[32];
			size_t n = strcspn(p + 1, "@?}");

			snprintf(key, sizeof(key), "%.*s", (int)n, p + 1);
			if (n && event_arg(kind, key) < 0)
				fail_msg("%s has no \"%s\"", w->kind, key);
		}
	}
	for (const struct wording_little *l = wording_little_table; l->kind; l++) {
		unsigned kind = 0;

		while (kind < EV_COUNT && strcmp(event_info[kind].name, l->kind))
			kind++;
		if (kind == EV_COUNT || event_arg(kind, l->key) < 0)
			fail_msg("\"%s\" of \"%s\" is of no event", l->key, l->kind);
	}
}

static void
fields_of_formats(void **state)
{
	struct event_field f = { 0 };

	assert_int_equal(event_arg(EV_STORE, "gpa"), 0);
	assert_int_equal(event_arg(EV_STORE, "value"), 2);
	assert_int_equal(event_arg(EV_STORE, "val"), -1);
	assert_true(event_field_next(EV_NOTE, &f));
	assert_int_equal(f.key_len, 0);
	assert_int_equal(f.conversion, 's');
	assert_false(event_field_next(EV_NOTE, &f));
}

/* --- linked code ---------------------------------------------------------------------------- */

static unsigned
one_frame(const void *context, int64_t site, struct site_frame *frame, unsigned max)
{
	*frame = (struct site_frame){ "virtqueue_add_split", "a_rather_long_name_of_a_ring.c",
				      (int)site, 0 };
	return 1;
}

static void
the_frame(const void *context, int64_t site, struct site_frame *frame)
{
	one_frame(context, site, frame, 1);
}

static void
add_access(struct event_log *log, uint64_t step, uint32_t actor, enum event_kind kind, int64_t gpa,
	   int64_t value, int64_t how)
{
	struct event e = { .step = step,
			   .actor = actor,
			   .kind = (uint16_t)kind,
			   .arg = { gpa, 2, value, 800 + (int64_t)step, how } };

	event_log_add(log, &e, 1);
}

/* The driver's index is late; the flags are not, nor is what the device stores. */
static void
late(struct event_log *log)
{
	add_access(log, 1, 1, EV_STORE, 1, 0, ACCESS_STORE | ACCESS_BUFFERED | ACCESS_ONCE);
	add_access(log, 2, 0, EV_FLUSH, 1, 0, 1);
	add_access(log, 3, 1, EV_STORE, 0, 5, ACCESS_STORE | ACCESS_BUFFERED | ACCESS_RELEASE);
	add_access(log, 4, 1, EV_LOAD, 3, 1, ACCESS_LOAD | ACCESS_ATOMIC);
	add_access(log, 5, 2, EV_STORE, 3, 0, ACCESS_STORE | ACCESS_BUFFERED);
	add_access(log, 6, 0, EV_FLUSH, 3, 0, 2);
	add_access(log, 7, 2, EV_LOAD, 0, 4, ACCESS_LOAD | ACCESS_ACQUIRE | ACCESS_STALE);
	add_access(log, 8, 0, EV_FLUSH, 0, 5, 1);
	add_access(log, 9, 2, EV_LOAD, 3, 0, ACCESS_LOAD | ACCESS_FORWARDED);
}

static char *
page_of_code(const struct event_log *log, unsigned columns)
{
	struct event_names code = names;
	struct lanes_options options = { .columns_max = columns };
	struct lanes l;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	code.site = one_frame;
	code.frame = the_frame;
	lanes_build(&l, log, &code, &options);
	lanes_print(&l, out);
	lanes_free(&l);
	fclose(out);
	return text;
}

static unsigned
times(const char *text, const char *what)
{
	unsigned n = 0;

	while ((text = strstr(text, what))) {
		n++;
		text += strlen(what);
	}
	return n;
}

static void
late_stores_are_marked(void **state)
{
	struct event_log log = { 0 };
	char *text;

	late(&log);
	text = page_of_code(&log, 100);
	assert_int_equal(times(text, "(buffered)"), 1);
	assert_non_null(strstr(text, "vq0.avail.idx = 5 (buffered)"));
	assert_non_null(strstr(text, "   8  flush vq0.avail.idx = 5"));
	assert_non_null(strstr(text, "reads vq0.avail.idx -> 4 (stale)"));
	assert_non_null(strstr(text, "reads vq0.used.flags -> 0 (kick wanted) (own store)"));
	/* Plain, ONCE and atomic accesses are told apart. */
	assert_non_null(strstr(text, "ring.c:801 once\n"));
	assert_non_null(strstr(text, "ring.c:803 release\n"));
	assert_non_null(strstr(text, "ring.c:804 atomic\n"));
	assert_non_null(strstr(text, "ring.c:805\n"));
	assert_non_null(strstr(text, "ring.c:807 acquire\n"));
	free(text);
	event_log_free(&log);
}

/* However narrow: each line keeps within the page and ends with the place, or the end of it. */
static void
places_keep_within_the_page(void **state)
{
	struct event_log log = { 0 };

	late(&log);
	for (unsigned columns = 50; columns <= 140; columns++) {
		char *text = page_of_code(&log, columns), *line = strtok(text, "\n");
		unsigned lines = 0;

		for (; line; line = strtok(NULL, "\n")) {
			assert_true(lanes_columns(line) <= columns);
			lines += strstr(line, ":80") != NULL;
		}
		if (lines != 9)
			fail_msg("%u columns: %u places", columns, lines);
		free(text);
	}
	event_log_free(&log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_picture),
		cmocka_unit_test(elided_runs_are_counted),
		cmocka_unit_test(any_log_fits),
		cmocka_unit_test(crowds_show_who_matters),
		cmocka_unit_test(logs_are_bounded),
		cmocka_unit_test(live_worlds_name_things),
		cmocka_unit_test(each_event_has_words),
		cmocka_unit_test(wordings_match_events),
		cmocka_unit_test(fields_of_formats),
		cmocka_unit_test(late_stores_are_marked),
		cmocka_unit_test(places_keep_within_the_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
