/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzzers of input share: good examples are read, damaged in many ways, and given to a
 * parser. The parser must come back within FUZZ_INPUT_SECONDS, and what it refuses has an error of
 * one line of printable text.  What it takes is looked at by the fuzzer.
 *
 * Examples are named from the top folder of the project, where make starts the fuzzers.
 */
#ifndef RINGSIDE_TESTS_FUZZ_INPUT_H
#define RINGSIDE_TESTS_FUZZ_INPUT_H

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "fuzz.h"

#define FUZZ_INPUT_SECONDS 30
#define FUZZ_INPUT_MAX (512u << 10)

struct input {
	char *data;
	size_t size;
};

/* --- examples ------------------------------------------------------------------------------- */

static inline struct input
input_read(const char *path)
{
	struct input in = { malloc(FUZZ_INPUT_MAX), 0 };
	FILE *file = fopen(path, "rb");

	if (!file || !in.data) {
		fprintf(stderr, "%s: cannot be read; start this in the top folder of the project\n",
			path);
		exit(2);
	}
	in.size = fread(in.data, 1, FUZZ_INPUT_MAX, file);
	fclose(file);
	return in;
}

static inline struct input
input_text(const char *text)
{
	return (struct input){ (char *)text, strlen(text) };
}

/* --- watching ------------------------------------------------------------------------------- */

static struct fuzz *input_watched;

static inline void
input_on_alarm(int number)
{
	static const char text[] = "a round takes too long: this input makes it hang\n";
	ssize_t ignored = write(2, text, sizeof(text) - 1);

	(void)ignored;
	abort();
}

static inline void
input_on_abort(int number)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "repeat with: fuzz_%s 1 %llu\n", input_watched->name,
			 (unsigned long long)(input_watched->seed + input_watched->round));
	ssize_t ignored = write(2, text, (size_t)n);

	(void)ignored;
	signal(number, SIG_DFL);
	raise(number);
}

/* At the begin of a round: what dies in it says how to repeat it. */
static inline void
input_watch(struct fuzz *f)
{
	if (!input_watched) {
		signal(SIGALRM, input_on_alarm);
		signal(SIGABRT, input_on_abort);
		signal(SIGFPE, input_on_abort);
#ifndef __SANITIZE_ADDRESS__
		signal(SIGSEGV, input_on_abort);
#endif
	}
	input_watched = f;
	alarm(FUZZ_INPUT_SECONDS);
}

/* What was refused: one line, not empty, nothing that a terminal would obey. */
static inline void
input_check_error(struct fuzz *f, const struct error *err)
{
	fuzz_check(f, err->text[0]);
	fuzz_check(f, strlen(err->text) < ERROR_TEXT_MAX);
	for (const char *c = err->text; *c; c++)
		fuzz_check(f, (unsigned char)*c >= ' ' && *c != 127);
}

/* --- damage --------------------------------------------------------------------------------- */

/* Put @n bytes of @with in the place of @gone bytes at @at. What would be too long is left alone.
 */
static inline void
input_splice(struct input *in, size_t at, size_t gone, const char *with, size_t n)
{
	char *copy;

	if (in->size - gone + n > FUZZ_INPUT_MAX)
		return;
	copy = malloc(n + 1); /* @with may be part of it */
	memcpy(copy, with, n);
	memmove(in->data + at + n, in->data + at + gone, in->size - at - gone);
	memcpy(in->data + at, copy, n);
	in->size = in->size - gone + n;
	free(copy);
}

static inline size_t
input_below(struct fuzz *f, size_t n)
{
	return fuzz_below(f, (uint32_t)n);
}

/* A place, and a length from there: mostly short, now and then to the end. */
static inline size_t
input_span(struct fuzz *f, const struct input *in, size_t *at)
{
	size_t left;

	*at = input_below(f, in->size + 1);
	left = in->size - *at;
	return input_below(f, (left > 40 && fuzz_below(f, 8) ? 40 : left) + 1);
}

static inline void
input_number(struct fuzz *f, struct input *in)
{
	static const char *const numbers[] = { "0",
					       "-1",
					       "1",
					       "65535",
					       "65536",
					       "4294967295",
					       "4294967296",
					       "9223372036854775807",
					       "-9223372036854775808",
					       "18446744073709551615",
					       "18446744073709551616",
					       "1e999",
					       "nan",
					       "0x",
					       "0xffffffffffffffff",
					       "99999999999999999999999999999999999999999999999999",
					       "1/0" };
	const char *with = numbers[fuzz_below(f, sizeof(numbers) / sizeof(numbers[0]))];
	size_t at = input_below(f, in->size + 1), end;

	while (at < in->size && (in->data[at] < '0' || in->data[at] > '9'))
		at++;
	for (end = at; end < in->size && in->data[end] >= '0' && in->data[end] <= '9';)
		end++;
	input_splice(in, at, end - at, with, strlen(with));
}

/* One byte very often, or a bracket nested deep. */
static inline void
input_long(struct fuzz *f, struct input *in)
{
	static const char bytes[] = "a \n\t([{-0\\\"'<&*:#\0\xff";
	size_t n = 1u << fuzz_below(f, 17), at = input_below(f, in->size + 1);
	char *with = malloc(n);

	memset(with, bytes[fuzz_below(f, sizeof(bytes) - 1)], n);
	input_splice(in, at, 0, with, n);
	free(with);
}

static inline void
input_damage_once(struct fuzz *f, struct input *in, const struct input *other,
		  const char *const *words, unsigned word_count)
{
	size_t at, n = input_span(f, in, &at), from;
	const char *word = words[fuzz_below(f, word_count)];
	char byte = (char)fuzz_below(f, 256);

	switch (fuzz_below(f, 10)) {
	case 0:
		if (at < in->size)
			in->data[at] = (char)(in->data[at] ^ (1 << fuzz_below(f, 8)));
		break;
	case 1:
		input_splice(in, at, at < in->size, &byte, 1);
		break;
	case 2:
		input_splice(in, at, n, "", 0);
		break;
	case 3:
		input_splice(in, at, 0, in->data + at, n);
		break;
	case 4:
		n = input_span(f, other, &from);
		input_splice(in, at, fuzz_below(f, 2) ? in->size - at : 0, other->data + from, n);
		break;
	case 5:
		input_number(f, in);
		break;
	case 6:
		if (!fuzz_below(f, 4))
			input_long(f, in);
		break;
	case 7:
		if (!fuzz_below(f, 4))
			in->size = at;
		break;
	default:
		input_splice(in, at, fuzz_below(f, 2) ? n : 0, word, strlen(word));
	}
}

/* A damaged copy of an example, to be freed; it ends with a zero that does not count. */
static inline struct input
input_damage(struct fuzz *f, const struct input *examples, unsigned count, const char *const *words,
	     unsigned word_count)
{
	static char scratch[FUZZ_INPUT_MAX];
	const struct input *good = &examples[fuzz_below(f, count)];
	struct input in = { scratch, good->size };

	memcpy(in.data, good->data, good->size);
	for (uint32_t times = fuzz_below(f, 6) + !!fuzz_below(f, 32); times; times--)
		input_damage_once(f, &in, &examples[fuzz_below(f, count)], words, word_count);
	/* Exactly as long as it says: a read past the end is seen by the sanitizer. */
	in.data = malloc(in.size + 1);
	memcpy(in.data, scratch, in.size);
	in.data[in.size] = 0;
	return in;
}

/* --- files ---------------------------------------------------------------------------------- */

/* A name in a folder of its own, for parsers that open files. */
static inline const char *
input_path(const char *name)
{
	static char folder[64], path[128];
	const char *tmp = getenv("TMPDIR");

	if (!folder[0]) {
		if (!tmp ||
		    strlen(tmp) > 40) /* a disk would be asked to write thousands of times */
			tmp = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
		snprintf(folder, sizeof(folder), "%s/fuzz-XXXXXX", tmp);
		if (!mkdtemp(folder)) {
			perror(folder);
			exit(2);
		}
	}
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static inline void
input_write(const char *path, const struct input *in)
{
	FILE *file = fopen(path, "wb");

	if (!file || fwrite(in->data, 1, in->size, file) != in->size || fclose(file)) {
		perror(path);
		exit(2);
	}
}

/* Remove the files and the folder. */
static inline void
input_remove(const char *const *names, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		unlink(input_path(names[i]));
	rmdir(input_path(""));
}

#define INPUT_WORDS(words) words, sizeof(words) / sizeof(words[0])

#endif
