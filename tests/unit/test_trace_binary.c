/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The importers of simpletrace files and of logs by the user's patterns. */
#include "trace_import.h"

#include <unistd.h>

struct image {
	char byte[4096];
	size_t size;
	bool swap;
};

static void
put64(struct image *i, uint64_t v)
{
	v = i->swap ? __builtin_bswap64(v) : v;
	memcpy(i->byte + i->size, &v, 8);
	i->size += 8;
}

static void
put32(struct image *i, uint32_t v)
{
	v = i->swap ? __builtin_bswap32(v) : v;
	memcpy(i->byte + i->size, &v, 4);
	i->size += 4;
}

static void
put_text(struct image *i, const char *text)
{
	put32(i, (uint32_t)strlen(text));
	memcpy(i->byte + i->size, text, strlen(text));
	i->size += strlen(text);
}

static void
put_header(struct image *i, uint64_t version)
{
	put64(i, UINT64_MAX);
	put64(i, UINT64_C(0xf2b177cb0aa429b4));
	put64(i, version);
}

static void
put_mapping(struct image *i, uint64_t number, const char *name)
{
	put64(i, 0);
	put64(i, number);
	put_text(i, name);
}

static void
put_event(struct image *i, uint64_t version, uint64_t number, uint64_t ns, uint32_t payload)
{
	if (version == 4)
		put64(i, 1);
	put64(i, number);
	put64(i, ns);
	put32(i, 24 + payload);
	put32(i, 4711);
}

/* A pop, a page, an event that nobody knows and a note of dropped ones. */
static void
put_sample(struct image *i)
{
	put_header(i, 4);
	put_mapping(i, 17, "virtqueue_pop");
	put_event(i, 4, 17, 1500000001, 32);
	put64(i, 0x7f0000001000);
	put64(i, 0x5500);
	put64(i, 2);
	put64(i, 1);
	put_mapping(i, 3, "ram_save_page");
	put_event(i, 4, 3, 1500000002, 4 + 6 + 16);
	put_text(i, "pc.ram");
	put64(i, 0x6000);
	put64(i, 0x7fe7c3e06000);
	put_mapping(i, 9, "of_another_world");
	put_event(i, 4, 9, 1500000003, 8);
	put64(i, 1);
	put_event(i, 4, UINT64_MAX - 1, 1500000004, 8);
	put64(i, 12);
}

static void
simpletrace(void **state)
{
	for (int swap = 0; swap < 2; swap++) {
		struct image i = { .swap = swap };
		struct recording r;
		struct error err;

		put_sample(&i);
		if (import_as(NULL, i.byte, i.size, &r, &err))
			fail_msg("%s", err.text);
		assert_string_equal(r.format, "simpletrace");
		assert_int_equal(r.count, 2);
		assert_int_equal(r.lines, 4);
		assert_int_equal(r.lines_skipped, 1);
		assert_int_equal(r.events_lost, 12);
		record_is(&r, 0, "1.500000001 4711 pop vq=vq0 elem=elem0 in=2 out=1");
		record_is(&r, 1, "1.500000002 4711 page_sent block=pc.ram offset=0x6000");
		recording_free(&r);
	}
}

/* Cut at each byte: refused, but between records. */
static void
simpletrace_cut(void **state)
{
	struct image i = { .size = 0 };
	unsigned whole = 0;

	put_sample(&i);
	for (size_t cut = 1; cut < i.size; cut++) {
		char *copy = malloc(cut);
		struct recording r;
		struct error err;

		assert_non_null(copy);
		memcpy(copy, i.byte, cut);
		if (!import_as("simpletrace", copy, cut, &r, &err))
			whole++;
		else
			assert_non_null(strstr(err.text, "log:"));
		recording_free(&r);
		free(copy);
	}
	assert_int_equal(whole, 7); /* behind the header and six records, not behind the last */
	assert_true(bytes_changed("simpletrace", i.byte, i.size, 5000) > 1000);
}

/* Version 3 numbers its events by the list of all. */
static void
simpletrace_old(void **state)
{
	static const char defs[] = "first(void) \"\"\n"
				   "virtio_notify(void *vdev, void *vq) \"vdev %p vq %p\"\n";
	char path[] = "trace-events-XXXXXX";
	struct trace_options o = { .events = path };
	struct image i = { .size = 0 };
	struct recording r = { 0 };
	struct error err = { "" };
	int fd = mkstemp(path);

	assert_int_equal(write(fd, defs, sizeof(defs) - 1), sizeof(defs) - 1);
	close(fd);
	put_header(&i, 3);
	put_event(&i, 3, 1, 7, 16);
	put64(&i, 0x10);
	put64(&i, 0x20);
	if (trace_open_text_with("log", i.byte, i.size, &o, &r, &err))
		fail_msg("%s", err.text);
	unlink(path);
	record_is(&r, 0, "0.000000007 4711 interrupt vdev=vdev0 vq=vq0");
	recording_free(&r);
	assert_int_equal(import_as(NULL, i.byte, i.size, &r, &err), -1);
	assert_non_null(strstr(err.text, "--events"));
	i.size = 0;
	put_header(&i, 5);
	assert_int_equal(import_as(NULL, i.byte, i.size, &r, &err), -1);
	assert_non_null(strstr(err.text, "version 5"));
}

/* --- patterns -----------------------------------------------------------------------------------
 */

static int
by_pattern(const char *lua, const char *log, struct recording *r, struct error *err)
{
	char path[] = "pattern-XXXXXX";
	struct trace_options o = { .pattern = path };
	int fd = mkstemp(path), ret;

	*r = (struct recording){ 0 };
	err->text[0] = 0;
	assert_int_equal(write(fd, lua, strlen(lua)), strlen(lua));
	close(fd);
	ret = trace_open_text_with("log", log, strlen(log), &o, r, err);
	unlink(path);
	return ret;
}

static void
patterns(void **state)
{
	static const char lua[] =
		"return { time = '^(%d+%.%d+) ', thread = 'Cpu:(%d+)',\n"
		"{ match = ' RX .* (%S+) vring_len:(%d+) .* avail_idx:(%d+)', record = 'rx',\n"
		"  key = ' RX ', args = { 'queue:n', 'len', 'avail_idx' } },\n"
		"{ match = 'kick vq:(%S+)', record = 'kick', args = { 'vq' } } }\n";
	struct recording r;
	struct error err;

	if (by_pattern(lua,
		       "6559.113315402 RX Cpu:7 input.0 vring_len:256 num:1 avail_idx:43981\n"
		       "hello\n"
		       "6559.2 Cpu:8 kick vq:output.1\n",
		       &r, &err))
		fail_msg("%s", err.text);
	record_is(&r, 0, "6559.113315402 7 rx queue=queue0 len=256 avail_idx=43981");
	record_is(&r, 1, "6559.200000000 8 kick vdev=vdev0 n=0 vq=vq0");
	assert_int_equal(r.lines_skipped, 1);
	recording_free(&r);
	assert_int_equal(by_pattern(lua, "1.0 RX Cpu:7 torn\n", &r, &err), -1);
	assert_non_null(strstr(err.text, "log:1: damaged line"));
}

static void
bad_patterns(void **state)
{
	static const char *const bad[][2] = {
		{ "return 3", "must return a table" },
		{ "return {}", "has no patterns" },
		{ "return { 1 }", "pattern 1: must be a table" },
		{ "return { { match = 'x' } }", "must have the texts" },
		{ "return { { match = '(x', record = 'kick' } }", "unfinished capture" },
		{ "return { { match = '(x)', record = 'kick', args = { 'nobody' } } }",
		  "no such argument" },
		{ "return { { match = '(x)', record = 'kick', args = { 'n' } } }", "not a number" },
		{ "return { { match = 'x', record = 'own', args = { 'a', 'b' } } }",
		  "1 captures and its record takes 2" },
		{ "return { { match = 'x', record = 'own', args = { 'a:q' } } }", "NAME:x" },
		{ "return { { match = 'x', time = 1 ", "expected" },
		{ "while true do end", "runs for too long" },
		{ "return os.exit(0)", "nil value" },
	};
	struct recording r;
	struct error err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(by_pattern(bad[i][0], "x\n", &r, &err), -1);
		if (!strstr(err.text, bad[i][1]))
			fail_msg("\"%s\" has no \"%s\"", err.text, bad[i][1]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(simpletrace),	   cmocka_unit_test(simpletrace_cut),
		cmocka_unit_test(simpletrace_old), cmocka_unit_test(patterns),
		cmocka_unit_test(bad_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
