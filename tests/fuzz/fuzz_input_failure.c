/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Damaged failure files.  What is taken is written as text that reads back and is written the same.
 */
#include "explore/failure.h"
#include "fuzz_input.h"

static const char *const words[] = { "ringside-failure: 1\n",
				     "end: ringside-failure\n",
				     "> ",
				     "\r\n",
				     "\n ",
				     "\n",
				     "param: ",
				     "param: a=b\n",
				     "schedule: ",
				     "trail: ",
				     "verdict: ok\n",
				     "mode: timed\n",
				     "\\",
				     "\\s",
				     "steps: ",
				     "# ",
				     "unknown: 1\n" };
static struct input examples[2];

static char *
written(struct fuzz *f, const struct failure *failure)
{
	struct error err = { "" };
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	fuzz_check(f, !failure_write(failure, out, &err));
	fclose(out);
	return text;
}

static void
round_trip(struct fuzz *f, const struct failure *failure)
{
	struct error err = { "" };
	struct failure again;
	char *first = written(f, failure), *second;
	int ret = failure_parse(&again, first, strlen(first), "again", &err);

	if (ret)
		fprintf(stderr, "%s\n%s", err.text, first);
	fuzz_check(f, !ret);
	second = written(f, &again);
	fuzz_check(f, !strcmp(first, second));
	failure_free(&again);
	free(first);
	free(second);
}

static void
round_one(struct fuzz *f)
{
	struct error err = { "" };
	struct failure failure;
	struct input in;

	input_watch(f);
	in = input_damage(f, examples, 2, INPUT_WORDS(words));
	if (failure_parse(&failure, in.data, in.size, "damaged", &err))
		input_check_error(f, &err);
	else
		round_trip(f, &failure);
	failure_free(&failure);
	free(in.data);
}

int
main(int argc, char **argv)
{
	examples[0] = input_read("tests/fuzz/data/lost-wakeup.failure");
	examples[1] = input_read("tests/fuzz/data/mail.failure");
	return fuzz_main(argc, argv, "input_failure", 20000, round_one);
}
