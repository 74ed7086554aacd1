/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Failure files: round trips, mails, exact errors, garbage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/prng.h"
#include "explore/failure.h"

static char *
print(const struct failure *f)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct error err;

	assert_int_equal(failure_write(f, out, &err), 0);
	fclose(out);
	return text;
}

static void
example(struct failure *f)
{
	failure_init(f);
	failure_set(&f->version, "0.1.0 28f4e31dcaf4");
	failure_set(&f->scenario, "scenarios/suppression/lost-kick.lua");
	failure_set(&f->variant, "no-barrier");
	failure_add_param(f, "ring_size", "4");
	failure_add_param(f, "name", "a = b");
	f->seed = 7;
	failure_set(&f->strategy, "random");
	failure_set(&f->memory, "sc");
	failure_set(&f->datapath, "native");
	f->mode = WORLD_RELAXED;
	f->finding = (struct finding){ .verdict = VERDICT_LOST_KICK,
				       .oracle = "INV-KICK",
				       .statement = "VIRTIO-2.7.10.1-R6",
				       .subject = "vq=0",
				       .message = "the device sleeps while a buffer is available" };
	f->stop = STOP_QUIESCENT;
	f->steps = 93;
	schedule_add(&f->schedule, (struct pick){ 12, 1, 3, CHOICE_ACTOR });
	f->schedule.choices = 61;
	f->schedule.digest = 0x9f3c0d6b5a3e1f77;
	f->trail.stride = 1;
	f->trail.count = 61;
	f->trail.marks = calloc(1, TRAIL_MARKS_MAX + 1);
	memset(f->trail.marks, 'Q', 61);
}

static const char *
or_empty(const char *text)
{
	return text ? text : "";
}

static void
assert_same(const struct failure *a, const struct failure *b)
{
	char *sa = schedule_print(&a->schedule), *sb = schedule_print(&b->schedule);

	assert_string_equal(or_empty(a->version), or_empty(b->version));
	assert_string_equal(or_empty(a->scenario), or_empty(b->scenario));
	assert_string_equal(or_empty(a->variant), or_empty(b->variant));
	assert_int_equal(a->param_count, b->param_count);
	for (size_t i = 0; i < a->param_count; i++) {
		assert_string_equal(a->params[i].name, b->params[i].name);
		assert_string_equal(a->params[i].value, b->params[i].value);
	}
	assert_true(a->seed == b->seed && a->steps == b->steps && a->time_ns == b->time_ns);
	assert_string_equal(or_empty(a->strategy), or_empty(b->strategy));
	assert_string_equal(or_empty(a->memory), or_empty(b->memory));
	assert_string_equal(or_empty(a->datapath), or_empty(b->datapath));
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->stop, b->stop);
	assert_true(finding_same(&a->finding, &b->finding));
	assert_string_equal(a->finding.message, b->finding.message);
	assert_string_equal(sa, sb);
	assert_int_equal(a->trail.stride, b->trail.stride);
	assert_string_equal(or_empty(a->trail.marks), or_empty(b->trail.marks));
	free(sa);
	free(sb);
}

static void
known_text(void **state)
{
	static const char expect[] =
		"ringside-failure: 1\n"
		"version: 0.1.0 28f4e31dcaf4\n"
		"scenario: scenarios/suppression/lost-kick.lua\n"
		"variant: no-barrier\n"
		"param: ring_size=4\n"
		"param: name=a = b\n"
		"seed: 7\n"
		"strategy: random\n"
		"memory: sc\n"
		"datapath: native\n"
		"mode: relaxed\n"
		"verdict: lost-kick\n"
		"oracle: INV-KICK\n"
		"statement: VIRTIO-2.7.10.1-R6\n"
		"subject: vq=0\n"
		"message: the device sleeps while a buffer is available\n"
		"stop: quiescent\n"
		"steps: 93\n"
		"time_ns: 0\n"
		"schedule: rs1:12a1/3:61:9f3c0d6b5a3e1f77\n"
		"trail: 1:QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ\n"
		"end: ringside-failure\n";
	struct failure f, g;
	struct error err;
	char *text;

	example(&f);
	text = print(&f);
	assert_string_equal(text, expect);
	assert_int_equal(failure_parse(&g, text, strlen(text), "f", &err), 0);
	assert_same(&f, &g);
	free(text);
	failure_free(&f);
	failure_free(&g);
}

static char *
random_text(struct prng *p)
{
	static const char alphabet[] = "abc    \\\n\r\t:=#>rst\xc3\xa9";
	size_t n = prng_below(p, 4) ? prng_below(p, 20) : prng_below(p, 300);
	char *text = calloc(1, n + 1);

	for (size_t i = 0; i < n; i++)
		text[i] = alphabet[prng_below(p, sizeof(alphabet) - 1)];
	return text;
}

static void
random_failure(struct failure *f, struct prng *p)
{
	char **const texts[] = { &f->version, &f->scenario, &f->variant, &f->strategy, &f->memory };

	failure_init(f);
	for (size_t i = 0; i < 5; i++)
		*texts[i] = random_text(p);
	for (uint32_t i = prng_below(p, 4); i; i--) {
		char *value = random_text(p);

		failure_add_param(f, "name", value);
		free(value);
	}
	f->seed = prng_next(p);
	f->steps = prng_next(p);
	f->time_ns = (int64_t)(prng_next(p) >> 1);
	f->mode = prng_below(p, 2) ? WORLD_RELAXED : WORLD_TIMED;
	f->stop = (enum stop)prng_below(p, STOP_ERROR + 1);
	f->finding.verdict = (enum verdict)prng_below(p, VERDICT_COUNT);

	char *message = random_text(p);

	snprintf(f->finding.message, sizeof(f->finding.message), "%s", message);
	free(message);

	uint32_t at = 0;

	for (uint32_t i = prng_below(p, 60); i; i--, at += 1 + prng_below(p, 9))
		schedule_add(&f->schedule, (struct pick){ at, 1, 2, CHOICE_TIE });
	f->schedule.choices = at + 1;
	f->schedule.digest = prng_next(p);
	if (prng_below(p, 2)) {
		f->trail =
			(struct trail){ 1 + prng_below(p, 90), 1 + prng_below(p, TRAIL_MARKS_MAX),
					calloc(1, TRAIL_MARKS_MAX + 1) };
		for (size_t i = 0; i < f->trail.count; i++)
			f->trail.marks[i] = "AZaz09+/"[prng_below(p, 8)];
	}
}

/* As a reply on a list would carry it. */
static char *
mailed(const char *text, const char *quote)
{
	char *mail = NULL;
	size_t size;
	FILE *out = open_memstream(&mail, &size);

	fputs("From: someone\nSubject: it hangs: ringside-failure: see below\n\nHello,\n\n", out);
	for (bool begin = true; *text; begin = *text++ == '\n') {
		if (begin)
			fputs(quote, out);
		if (*text == '\n')
			fputc('\r', out);
		fputc(*text, out);
	}
	fprintf(out, "%s\nWhat do you think?\n-- \nme: too\n", quote);
	fclose(out);
	return mail;
}

static void
round_trips(void **state)
{
	struct prng p;

	prng_seed(&p, 3);
	for (int i = 0; i < 2000; i++) {
		static const char *const quotes[] = { "", "> ", "> > ", ">| " };
		struct failure f, g;
		struct error err = { "" };

		random_failure(&f, &p);

		char *text = print(&f), *mail = mailed(text, quotes[i % 4]);

		if (failure_parse(&g, text, strlen(text), "f", &err))
			fail_msg("%s\n%s", err.text, text);
		assert_same(&f, &g);
		failure_free(&g);
		if (failure_parse(&g, mail, strlen(mail), "f", &err))
			fail_msg("%s\n%s", err.text, mail);
		assert_same(&f, &g);
		failure_free(&g);
		failure_free(&f);
		free(mail);
		free(text);
	}
}

static void
lines_are_short(void **state)
{
	struct failure f;
	unsigned lines = 0;

	example(&f);
	f.trail.count = TRAIL_MARKS_MAX;
	memset(f.trail.marks, 'Q', TRAIL_MARKS_MAX);
	for (uint32_t i = 13; i < 40; i += 3)
		schedule_add(&f.schedule, (struct pick){ i, 1, 3, CHOICE_ACTOR });
	memset(f.finding.message, 'a', sizeof(f.finding.message) - 1);
	for (size_t i = 7; i + 1 < sizeof(f.finding.message); i += 8)
		f.finding.message[i] = ' ';

	char *text = print(&f);

	for (const char *line = text; *line; line += strcspn(line, "\n") + 1, lines++)
		assert_true(strcspn(line, "\n") <= 72);
	assert_true(lines <= 40);
	free(text);
	failure_free(&f);
}

static void
exact_errors(void **state)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
		{ "", "x.fail:1: no failure in here" },
		{ "hello\nringside-failures: 1\n", "x.fail:3: no failure in here" },
		{ "ringside-failure: 2\n", "x.fail:1:19: this Ringside reads format 1 only" },
		{ "ringside-failure: 1\nseed: x\n", "x.fail:2:7: a decimal number expected" },
		{ "ringside-failure: 1\nseed: 99999999999999999999\n", "x.fail:2:7: a decimal" },
		{ "ringside-failure: 1\nsead: 1\n", "x.fail:2:1: unknown key \"sead\"" },
		{ "ringside-failure: 1\nseed: 1\nseed: 1\n", "x.fail:3:1: a second \"seed\"" },
		{ "ringside-failure: 1\nseed\n", "x.fail:2:1: \"key: value\" expected" },
		{ "ringside-failure: 1\nverdict: lost\n",
		  "x.fail:2:10: expected one of ok lost-kick" },
		{ "ringside-failure: 1\nmode: warm\n",
		  "x.fail:2:7: expected one of timed relaxed" },
		{ "ringside-failure: 1\nparam: x\n", "x.fail:2:8: a parameter is name=value" },
		{ "ringside-failure: 1\ntrail: 0:A\n", "x.fail:2:8: a trail is" },
		{ "ringside-failure: 1\ntrail: 1:A!\n", "x.fail:2:8: a mark is" },
		{ "ringside-failure: 1\nmessage: a\\b\n", "x.fail:2:10: a backslash" },
		{ "ringside-failure: 1\nscenario: a\nverdict: ok\n", "x.fail:4: no \"schedule\"" },
		{ "> ringside-failure: 1\n> schedule: rs1:12a1/3,\n>  5t9/4:340:9f3c0d6b5a3e1f77\n",
		  "x.fail:3:6: pick must be below" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct failure f;
		struct error err = { "" };

		assert_int_equal(
			failure_parse(&f, bad[i].text, strlen(bad[i].text), "x.fail", &err), -1);
		if (strncmp(err.text, bad[i].error, strlen(bad[i].error)))
			fail_msg("%s: got \"%s\", wanted \"%s\"", bad[i].text, err.text,
				 bad[i].error);
		assert_null(f.scenario);
		assert_null(f.schedule.picks);
	}
}

static void
garbage(void **state)
{
	struct prng p;

	prng_seed(&p, 4);
	for (int i = 0; i < 5000; i++) {
		struct failure f;
		struct error err = { "" };

		random_failure(&f, &p);

		char *text = print(&f);
		size_t len = strlen(text);

		failure_free(&f);
		for (uint32_t k = 1 + prng_below(&p, 6); k; k--)
			text[prng_below(&p, (uint32_t)len)] = (char)prng_below(&p, 256);
		if (!prng_below(&p, 4))
			len = prng_below(&p, (uint32_t)len);
		if (failure_parse(&f, text, len, "f", &err))
			assert_memory_equal(err.text, "f:", 2);
		failure_free(&f);
		free(text);
	}
}

static void
files(void **state)
{
	char path[] = "/tmp/test_explore_failure."
		      "XX"
		      "XX"
		      "XX";
	int fd = mkstemp(path);
	struct failure f, g;
	struct error err;

	assert_true(fd >= 0);
	close(fd);
	example(&f);
	assert_int_equal(failure_save(&f, path, &err), 0);
	assert_int_equal(failure_load(&g, path, &err), 0);
	assert_same(&f, &g);
	failure_free(&g);
	unlink(path);
	assert_int_equal(failure_load(&g, path, &err), -1);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(failure_save(&f, "/nonexistent/x", &err), -1);
	assert_non_null(strstr(err.text, "/nonexistent/x"));
	failure_free(&f);

	FILE *full = fopen("/dev/full", "w");

	if (full) {
		example(&f);
		assert_int_equal(failure_write(&f, full, &err), -1);
		fclose(full);
		failure_free(&f);
	}
}

static void
verdict_words(void **state)
{
	for (enum verdict v = 0; v < VERDICT_COUNT; v++) {
		assert_non_null(verdict_name[v]);
		assert_int_equal(verdict_find(verdict_name[v]), v);
	}
	assert_int_equal(verdict_find("fine"), VERDICT_COUNT);
	assert_false(verdict_fails(VERDICT_OK) || verdict_fails(VERDICT_BUDGET));
	assert_true(verdict_fails(VERDICT_HANG));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_text),	   cmocka_unit_test(round_trips),
		cmocka_unit_test(lines_are_short), cmocka_unit_test(exact_errors),
		cmocka_unit_test(garbage),	   cmocka_unit_test(files),
		cmocka_unit_test(verdict_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
