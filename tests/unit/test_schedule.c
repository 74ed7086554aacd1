/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Schedules as text: round trips, exact errors, garbage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/prng.h"
#include "explore/schedule.h"

static void
assert_same(const struct schedule *a, const struct schedule *b)
{
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->choices, b->choices);
	assert_true(a->digest == b->digest);
	for (size_t i = 0; i < a->count; i++) {
		assert_int_equal(a->picks[i].at, b->picks[i].at);
		assert_int_equal(a->picks[i].pick, b->picks[i].pick);
		assert_int_equal(a->picks[i].n, b->picks[i].n);
		assert_int_equal(a->picks[i].kind, b->picks[i].kind);
	}
}

static void
known_text(void **state)
{
	struct schedule s = { 0 };
	char *text;

	schedule_add(&s, (struct pick){ 12, 1, 3, CHOICE_ACTOR });
	schedule_add(&s, (struct pick){ 18, 2, 4, CHOICE_TIE });
	schedule_add(&s, (struct pick){ 19, 1, 2, SCHEDULE_KIND_UNKNOWN });
	s.choices = 340;
	s.digest = 0x9f3c0d6b5a3e1f77;
	text = schedule_print(&s);
	assert_string_equal(text, "rs1:12a1/3,5t2/4,0.1/2:340:9f3c0d6b5a3e1f77");
	free(text);
	schedule_free(&s);

	/* The same pick three times and more is written once; the first one of a run may stand
	 * behind other zeros. */
	for (uint32_t i = 0; i < 5; i++)
		schedule_add(&s, (struct pick){ i < 2 ? i : i * 3 + 1, 15, 16, CHOICE_ACTOR });
	schedule_add(&s, (struct pick){ 14, 15, 16, CHOICE_TIE });
	s.choices = 20;
	text = schedule_print(&s);
	assert_string_equal(
		text, "rs1:0a15/16,0a15/16,5a15/16,2a15/16,2a15/16,0t15/16:20:0000000000000000");
	free(text);
	schedule_clear(&s);
	for (uint32_t i = 0; i < 2500; i++)
		schedule_add(&s, (struct pick){ i * 2 + 1, 1, 2, CHOICE_ACTOR });
	s.choices = 5000;
	text = schedule_print(&s);
	assert_string_equal(text, "rs1:1a1/2x1000,1a1/2x1000,1a1/2x500:5000:0000000000000000");
	free(text);
	schedule_free(&s);

	text = schedule_print(&s);
	assert_string_equal(text, "rs1:-:0:0000000000000000");
	assert_int_equal(schedule_parse(&s, text, strlen(text), NULL), 0);
	assert_int_equal(s.count, 0);
	free(text);
	schedule_free(&s);
}

static void
random_schedule(struct schedule *s, struct prng *p)
{
	uint64_t at = 0;

	schedule_clear(s);
	for (uint32_t i = prng_below(p, 40); i; i--) {
		uint16_t n = (uint16_t)(2 + prng_below(p, i % 2 ? 3 : UINT16_MAX - 1));

		uint32_t skip = prng_below(p, i % 3 ? 50 : 20000);
		bool again = s->count && prng_below(p, 2);

		if (at + skip + 1 >= CHOICES_MAX)
			break;
		if (again) { /* runs of equal picks */
			struct pick last = s->picks[s->count - 1];

			last.at = (uint32_t)at++;
			schedule_add(s, last);
			continue;
		}
		at += skip;
		schedule_add(s,
			     (struct pick){ (uint32_t)at++, (uint16_t)(1 + prng_below(p, n - 1u)),
					    n, (uint8_t)prng_below(p, CHOICE_KINDS + 1) });
	}
	s->choices = (uint32_t)at + prng_below(p, CHOICES_MAX - (uint32_t)at);
	s->digest = prng_next(p);
}

/* White space anywhere, as a mail program would put it, changes nothing. */
static char *
broken_by_mail(const char *text, struct prng *p)
{
	char *out = malloc(strlen(text) * 4 + 1), *o = out;

	for (; *text; text++) {
		*o++ = *text;
		if (!prng_below(p, 9))
			o = stpcpy(o, prng_below(p, 2) ? "\r\n " : " \t");
	}
	*o = 0;
	return out;
}

static void
round_trips(void **state)
{
	struct schedule s = { 0 }, t = { 0 };
	struct prng p;

	prng_seed(&p, 1);
	for (int i = 0; i < 5000; i++) {
		struct error err = { "" };

		random_schedule(&s, &p);

		char *text = schedule_print(&s), *mail = broken_by_mail(text, &p);

		assert_int_equal(schedule_parse(&t, text, strlen(text), &err), 0);
		assert_same(&s, &t);
		assert_null(strpbrk(text, " \n\"'\\$"));
		assert_int_equal(schedule_parse(&t, mail, strlen(mail), &err), 0);
		assert_same(&s, &t);
		schedule_copy(&t, &s);
		assert_same(&s, &t);
		free(mail);
		free(text);
	}
	schedule_free(&s);
	schedule_free(&t);
}

static void
exact_errors(void **state)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
		{ "", "character 1: not a schedule" },
		{ "rs2:-:0:0000000000000000", "character 3: not a schedule" },
		{ "rs1", "character 4: not a schedule of this version" },
		{ "rs1::0:0000000000000000", "character 5: number of choices answered 0 expected" },
		{ "rs1:12x1/3:340:9f3c0d6b5a3e1f77", "character 7: kind of choice expected" },
		{ "rs1:12a0/3:340:9f3c0d6b5a3e1f77", "character 8: pick must be 1 to 65534" },
		{ "rs1:12a3/3:340:9f3c0d6b5a3e1f77", "character 8: pick must be below" },
		{ "rs1:12a1/1:340:9f3c0d6b5a3e1f77",
		  "character 10: number of alternatives must be" },
		{ "rs1:12a1:340:9f3c0d6b5a3e1f77", "character 9: '/'" },
		{ "rs1:12a1/99999:340:9f3c0d6b5a3e1f77",
		  "character 10: number of alternatives must" },
		{ "rs1:12a1/3,:340:9f3c0d6b5a3e1f77",
		  "character 12: number of choices answered 0" },
		{ "rs1:2a1/3,9a1/2:12:9f3c0d6b5a3e1f77", "character 11: this pick comes after" },
		{ "rs1:99999999999999999999a1/3:1:0",
		  "character 5: number of choices answered 0 must" },
		{ "rs1:1a1/2x1:9:0", "character 11: number of repetitions must be 2 to 1000" },
		{ "rs1:1a1/2x:9:0", "character 11: number of repetitions expected" },
		{ "rs1:1a1/2x5:9:0", "character 5: this pick comes after" },
		{ "rs1:65535a1/2x1000:9:0", "character " },
		{ "rs1:-:12:9f3c", "character 14: digest expected" },
		{ "rs1:-:12:9f3c0d6b5a3e1f7g", "character 25: digest expected" },
		{ "rs1:-:12:9f3c0d6b5a3e1f777", "character 26: nothing expected" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct schedule s = { 0 };
		struct error err = { "" };

		assert_int_equal(schedule_parse(&s, bad[i].text, strlen(bad[i].text), &err), -1);
		if (strncmp(err.text, bad[i].error, strlen(bad[i].error)))
			fail_msg("%s: got \"%s\", wanted \"%s\"", bad[i].text, err.text,
				 bad[i].error);
		assert_int_equal(s.count, 0);
		assert_null(s.picks);
	}
}

static void
errors_in_files(void **state)
{
	struct schedule s = { 0 };
	struct error err;
	const char *text = "rs1:12a1/3,\n  5t9/4:340:9f3c0d6b5a3e1f77";

	assert_int_equal(schedule_parse_at(&s, text, strlen(text), "a.txt", 7, 11, &err), -1);
	assert_string_equal(err.text, "a.txt:8:5: pick must be below the number of alternatives");
	assert_int_equal(schedule_parse_at(&s, "rs7", 3, "a.txt", 7, 11, &err), -1);
	assert_memory_equal(err.text, "a.txt:7:13: ", 12);
}

/* Valid lines with a few bytes changed, or cut: an answer, never a crash. */
static void
garbage(void **state)
{
	static const char alphabet[] = "rs1:/,.-atosl0123456789abcdef \n\xff";
	struct schedule s = { 0 }, t = { 0 };
	unsigned accepted = 0;
	struct prng p;

	prng_seed(&p, 2);
	for (int i = 0; i < 20000; i++) {
		char text[2048];
		struct error err = { "" };

		random_schedule(&s, &p);

		char *line = schedule_print(&s);
		size_t len = strlen(line) < sizeof(text) ? strlen(line) : sizeof(text);

		memcpy(text, line, len);
		free(line);
		for (uint32_t k = prng_below(&p, 4); k; k--)
			text[prng_below(&p, (uint32_t)len)] =
				alphabet[prng_below(&p, sizeof(alphabet))];
		if (!prng_below(&p, 8))
			len = prng_below(&p, (uint32_t)len);
		if (!schedule_parse(&t, text, len, &err)) {
			accepted++;
			for (size_t k = 0; k < t.count; k++) {
				assert_in_range(t.picks[k].pick, 1, t.picks[k].n - 1);
				assert_true(t.picks[k].at < t.choices);
			}
		} else {
			assert_memory_equal(err.text, "character ", 10);
		}
	}
	assert_in_range(accepted, 1000, 19000);
	schedule_free(&s);
	schedule_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_text),	cmocka_unit_test(round_trips),
		cmocka_unit_test(exact_errors), cmocka_unit_test(errors_in_files),
		cmocka_unit_test(garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
