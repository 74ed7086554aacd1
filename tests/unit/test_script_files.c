/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that users write: finding the place of a key, YAML that is hostile, parameters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "script/machine_file.h"
#include "script/scenario.h"
#include "script/source.h"
#include "script/yaml_tree.h"

/* --- places --------------------------------------------------------------------------------- */

static void
find(const char *text, long line, long column, unsigned count, ...)
{
	const char *path[8];
	long l = 0, c = 0;
	va_list ap;

	va_start(ap, count);
	for (unsigned i = 0; i < count; i++)
		path[i] = va_arg(ap, const char *);
	va_end(ap);
	assert_true(source_locate(text, strlen(text), path, count, &l, &c));
	assert_int_equal(l, line);
	assert_int_equal(c, column);
}

static void
places_are_found(void **state)
{
	find("return { a = 1, b = 2 }", 1, 17, 1, "b");
	find("return {\n\ta = { c = 1 },\n\tb = { c = 2 },\n}", 3, 8, 2, "b", "c");
	find("return { ['b'] = 1 }", 1, 11, 1, "b");
	/* What looks like the key and is not. */
	find("-- return { b = 0 }\nreturn { b = 1 }", 2, 10, 1, "b");
	find("--[[ return { b = 0 } ]]\nreturn { b = 1 }", 2, 10, 1, "b");
	find("--[==[ ]] return { b = 0 }\n]==] return { b = 1 }", 2, 15, 1, "b");
	find("return { a = 'b = 3', c = [[b = 4]], d = \"\\\"b = 5\", b = 1 }", 1, 53, 1, "b");
	find("return { f = function() b = 1 local t = { b = 2 } end, b = 3 }", 1, 56, 1, "b");
	find("return { f = function() if x then b = 1 end while y do b = 2 end repeat b = 3 until "
	     "z end,"
	     " b = 4 }",
	     1, 92, 1, "b");
	find("return { a = b == 1, b = 2 }", 1, 22, 1, "b");
	find("local function f() return { b = 0 } end\nreturn { b = 1 }", 2, 10, 1, "b");
	find("return { b = 1 } -- the end", 1, 10, 1, "b");
	/* Not there: the place of what holds it. */
	find("return { a = { } }", 1, 10, 2, "a", "b");
	find("return { a = 1 }", 1, 8, 1, "b");

	long line, column;
	const char *path[] = { "b" };

	assert_false(source_locate("local t = { b = 1 } return t", 28, path, 1, &line, &column));
}

/* Any bytes: no crash, no loop, and a place within the text. */
static void
any_bytes_have_places(void **state)
{
	static const char alphabet[] = "{}[]()=,'\"-\\\n \tab[[]]return end function";
	const char *path[] = { "a", "b" };
	struct prng p;
	char text[200];

	prng_seed(&p, 4);
	for (int i = 0; i < 20000; i++) {
		size_t n = prng_below(&p, sizeof(text));
		long line = 1, column = 1;

		for (size_t k = 0; k < n; k++)
			text[k] = alphabet[prng_below(&p, sizeof(alphabet) - 1)];
		source_locate(text, n, path, 2, &line, &column);
		assert_true(line >= 1 && line <= (long)n + 1 && column >= 1 &&
			    column <= (long)n + 1);
	}
}

/* --- YAML ----------------------------------------------------------------------------------- */

static const char machine_yaml[] =
	"ram: 32MiB\nvcpus: 2\nbridges:\n  - {name: br0}\n  - name: br1\n    parent: br0\n"
	"devices:\n  - name: a\n    type: virtio-net\n    features: [VIRTIO_NET_F_MAC]\n    "
	"bridge: br1\n"
	"    same_doorbell: true\n    queue_size: 16\n";

static void
machines_are_read(void **state)
{
	struct error err;
	struct machine_file *f = machine_file_parse("m", machine_yaml, strlen(machine_yaml), &err);

	assert_non_null(f);
	assert_int_equal(f->machine.ram_bytes, 32 << 20);
	assert_int_equal(f->machine.vcpus, 2);
	assert_int_equal(f->bridges, 2);
	assert_string_equal(f->bridge[1].parent, "br0");
	assert_int_equal(f->devices, 1);
	assert_int_equal(f->device[0].config.type, MACHINE_NET);
	assert_int_equal(f->device[0].config.features, UINT64_C(1) << 5);
	assert_int_equal(f->device[0].config.queue_size, 16);
	assert_true(f->device[0].config.same_doorbell);
	assert_string_equal(f->device[0].bridge, "br1");
	machine_file_free(f);
}

/* Bytes changed, cut, doubled: read, or refused with the file's name in front. */
static void
broken_yaml_is_refused(void **state)
{
	struct prng p;
	unsigned refused = 0;

	prng_seed(&p, 11);
	for (int i = 0; i < 4000; i++) {
		char text[2 * sizeof(machine_yaml)];
		size_t n = sizeof(machine_yaml) - 1;
		struct error err = { "" };
		struct machine_file *f;

		memcpy(text, machine_yaml, n);
		for (unsigned k = prng_below(&p, 4); k-- > 0;)
			text[prng_below(&p, (uint32_t)n)] = (char)prng_below(&p, 256);
		if (prng_below(&p, 4) == 0) {
			size_t from = prng_below(&p, (uint32_t)n);

			memcpy(text + n, text + from, n - from);
			n += n - from;
		}
		n -= prng_below(&p, 20);
		f = machine_file_parse("m.yaml", text, n, &err);
		if (!f) {
			assert_int_equal(strncmp(err.text, "m.yaml:", 7), 0);
			refused++;
		}
		machine_file_free(f);
	}
	assert_true(refused > 1000);
}

/* --- parameters ----------------------------------------------------------------------------- */

static void
parameters_are_checked(void **state)
{
	char zero[] = "n", word[] = "w", truth[] = "b";
	struct scenario_param param[] = {
		{ .name = zero, .type = PARAM_INTEGER, .min = -3, .max = 8 },
		{ .name = word, .type = PARAM_WORD, .word = { truth, zero }, .words = 2 },
		{ .name = truth, .type = PARAM_BOOLEAN },
	};
	struct scenario s = { .param = param, .params = 3 };
	struct scenario_values v = { 0 };
	static const struct {
		const char *name, *value;
		int ret;
	} cases[] = {
		{ "n", "-3", 0 },
		{ "n", "0x8", 0 },
		{ "n", "9", -1 },
		{ "n", "-4", -1 },
		{ "n", "", -1 },
		{ "n", "1x", -1 },
		{ "n", "99999999999999999999", -1 },
		{ "w", "b", 0 },
		{ "w", "c", -1 },
		{ "b", "true", 0 },
		{ "b", "1", -1 },
		{ "x", "1", -1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = { "" };

		assert_int_equal(scenario_values_set(&v, &s, cases[i].name, cases[i].value, &err),
				 cases[i].ret);
		assert_int_equal(err.text[0] != 0, cases[i].ret != 0);
	}
	scenario_values_free(&v);
}

static void
names_are_split(void **state)
{
	size_t n;

	assert_string_equal(scenario_split("a/b.lua:fails", &n), "fails");
	assert_int_equal(n, 7);
	assert_null(scenario_split("a/b.lua", &n));
	assert_int_equal(n, 7);
	assert_null(scenario_split("a:b/c.lua", &n));
	assert_int_equal(n, 9);
	assert_null(scenario_split("a.lua:", &n));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_found),	  cmocka_unit_test(any_bytes_have_places),
		cmocka_unit_test(machines_are_read),	  cmocka_unit_test(broken_yaml_is_refused),
		cmocka_unit_test(parameters_are_checked), cmocka_unit_test(names_are_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
