/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Damaged schedules.  What is taken can be printed, and reads back as the same. */
#include "explore/schedule.h"
#include "fuzz_input.h"

static const char *const words[] = { "rs1:",  ":",  ",",     "-",     "a1/2", "t2/4", "*3",
				     "*1000", "./", "0a1/2", "\n > ", "1:",   "/" };

static bool
same(const struct schedule *a, const struct schedule *b)
{
	if (a->count != b->count || a->choices != b->choices || a->digest != b->digest)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->picks[i].at != b->picks[i].at || a->picks[i].pick != b->picks[i].pick ||
		    a->picks[i].n != b->picks[i].n || a->picks[i].kind != b->picks[i].kind)
			return false;
	return true;
}

static void
round_trip(struct fuzz *f, const struct schedule *s)
{
	struct schedule again = { 0 };
	struct error err = { "" };
	char *line = schedule_print(s);

	for (size_t i = 0; i < s->count; i++) {
		fuzz_check(f, s->picks[i].at < s->choices &&
				      (!i || s->picks[i].at > s->picks[i - 1].at));
		fuzz_check(f, s->picks[i].pick && s->picks[i].pick < s->picks[i].n);
	}
	fuzz_check(f, !schedule_parse(&again, line, strlen(line), &err));
	fuzz_check(f, same(s, &again));
	schedule_free(&again);
	free(line);
}

static void
round_one(struct fuzz *f)
{
	const struct input examples[] = {
		input_text("rs1:1a1/2:3:fa5209ebbd17ffe5"),
		input_text("rs1:12a1/3,5t2/4,0o1/2,7s3/9,65535l1/65535:340000:9f3c0d6b5a3e1f77"),
		input_text("rs1:12a1/3x4,5t2/4x1000:340000:9f3c0d6b5a3e1f77"),
		input_text("rs1:-:0:0000000000000000"),
		input_text("rs1:12.1/3,\n  5.2/4\n:34:9f3c0d6b\n5a3e1f77\n"),
	};
	struct error err = { "" };
	struct schedule s = { 0 };
	struct input in;

	input_watch(f);
	in = input_damage(f, examples, 4, INPUT_WORDS(words));
	if (schedule_parse(&s, in.data, in.size, &err)) {
		input_check_error(f, &err);
		fuzz_check(f, !s.count);
	} else {
		round_trip(f, &s);
	}
	schedule_free(&s);
	free(in.data);
}

int
main(int argc, char **argv)
{
	return fuzz_main(argc, argv, "input_schedule", 200000, round_one);
}
