/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exported runs are well-formed, whatever the names and numbers, and say what they should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "trace/export_html.h"
#include "trace/export_json.h"
#include "trace/export_perfetto.h"

/* --- a JSON reader that only says yes or no ------------------------------------------------- */

static const char *
json_blank(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

static const char *
json_string(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p != '"'; p++) {
		if ((unsigned char)*p < ' ')
			return NULL;
		if (*p != '\\')
			continue;
		p++;
		if (!*p || !strchr("\"\\u", *p))
			return NULL;
		if (*p == 'u' && strspn(p + 1, "0123456789abcdef") < 4)
			return NULL;
	}
	return p + 1;
}

static const char *
json_value(const char *p)
{
	char close = *p == '{' ? '}' : ']';

	if (*p == '"')
		return json_string(p);
	if (*p != '{' && *p != '[') {
		char *end;

		if (!strncmp(p, "null", 4))
			return p + 4;
		if (*p != '-' && (*p < '0' || *p > '9'))
			return NULL;
		strtod(p, &end);
		return end;
	}
	p = json_blank(p + 1);
	if (*p == close)
		return p + 1;
	for (;;) {
		if (close == '}') {
			p = json_string(p);
			if (!p || *(p = json_blank(p)) != ':')
				return NULL;
			p = json_blank(p + 1);
		}
		p = json_value(p);
		if (!p)
			return NULL;
		p = json_blank(p);
		if (*p == close)
			return p + 1;
		if (*p != ',')
			return NULL;
		p = json_blank(p + 1);
	}
}

static void
assert_json(const char *text)
{
	const char *end = json_value(text);

	if (!end || *json_blank(end))
		fail_msg("not JSON: %.2000s", text);
}

static unsigned
count(const char *text, const char *what)
{
	unsigned n = 0;

	while ((text = strstr(text, what))) {
		n++;
		text += strlen(what);
	}
	return n;
}

/* --- runs ----------------------------------------------------------------------------------- */

static const char *
odd_text(const void *context, int64_t number)
{
	static const char *const texts[] = {
		"-",	      "kick0",	     "a\"b\\c", "<script>&", "\xff\x80 \xc3\xa9",
		"line\nline", "\xed\xa0\x80"
	};

	return number >= 0 && number < 7 ? texts[number] : NULL;
}

static const char *
odd_actor(const void *context, uint32_t id)
{
	return id == 1 ? "driver" : id == 2 ? "dev<ice>" : NULL;
}

static const struct event_names names = { odd_text, odd_actor, NULL, NULL, NULL, NULL, NULL };

static void
add(struct event_log *log, uint64_t step, int64_t ns, uint32_t actor, enum event_kind kind,
    int64_t a, int64_t b)
{
	struct event e = { .step = step,
			   .time_ns = ns,
			   .actor = actor,
			   .kind = (uint16_t)kind,
			   .arg = { a, b, INT64_MIN, -1, 0 } };

	event_log_add(log, &e, 1);
}

static struct failure
example_failure(void)
{
	struct failure f;

	failure_init(&f);
	failure_set(&f.scenario, "a<b>&\"c\".lua");
	failure_add_param(&f, "ring", "\"4\"");
	f.finding = (struct finding){ .verdict = VERDICT_LOST_KICK,
				      .oracle = "INV-KICK",
				      .subject = "vq=0",
				      .message = "it \"hangs\"" };
	return f;
}

enum format { JSON, PERFETTO, HTML };

static char *text_out;
static size_t text_size;

static char *export(const struct event_log *log, enum format format, const struct failure *f)
{
	FILE *out = open_memstream(&text_out, &text_size);
	struct lanes l;

	if (format == JSON) {
		export_json(log, &names, f, out);
	} else if (format == PERFETTO) {
		export_perfetto(log, &names, f ? f->scenario : NULL, out);
	} else {
		lanes_build(&l, log, &names, &(struct lanes_options){ .lines_max = 10 });
		export_html(&l, f, out);
		lanes_free(&l);
	}
	fclose(out);
	return text_out;
}

static void
any_run_is_well_formed(void **state)
{
	struct failure f = example_failure();
	struct prng p;

	prng_seed(&p, 6);
	for (int i = 0; i < 300; i++) {
		struct event_log log = { 0 };
		int64_t ns = 0;
		char *text;

		for (uint32_t k = prng_below(&p, 200); k; k--)
			add(&log, 200 - k, ns += prng_below(&p, 2) * 1500,
			    prng_below(&p, i % 9 ? 4 : UINT32_MAX),
			    (enum event_kind)prng_below(&p, EV_COUNT), prng_below(&p, 8),
			    (int64_t)prng_next(&p));
		text = export(&log, JSON, i % 2 ? &f : NULL);
		assert_json(text);
		assert_int_equal(count(text, "{\"step\":"), log.count);
		free(text);

		text = export(&log, PERFETTO, i % 2 ? &f : NULL);
		assert_json(text);
		assert_int_equal(count(text, "{\"ph\":\"i\""), log.count);
		assert_int_equal(count(text, "{\"ph\":\"s\""), count(text, "{\"ph\":\"f\""));
		free(text);

		text = export(&log, HTML, i % 2 ? &f : NULL);
		assert_int_equal(count(text, "<script"), 0);
		assert_int_equal(count(text, "<div"), count(text, "</div>"));
		assert_int_equal(count(text, "<span"), count(text, "</span>"));
		assert_int_equal(count(text, "<details>"), count(text, "</details>"));
		free(text);
		event_log_free(&log);
	}
	failure_free(&f);
}

static void
arrows_and_slices(void **state)
{
	struct event_log log = { 0 };
	char *text;

	add(&log, 1, 1000, 2, EV_ACTOR_BLOCK, 1, 0);
	add(&log, 2, 2000, 1, EV_EVENTFD_SIGNAL, 1, 1);
	add(&log, 2, 2000, 1, EV_ACTOR_WAKE, 2, 1);
	add(&log, 3, 4500, 2, EV_EVENTFD_READ, 1, 1);
	text = export(&log, PERFETTO, NULL);
	assert_json(text);
	assert_non_null(
		strstr(text, "\"tid\":1,\"name\":\"thread_name\",\"args\":{\"name\":\"driver\"}"));
	assert_non_null(strstr(text, "{\"ph\":\"X\",\"pid\":1,\"tid\":2,\"ts\":1.000,\"dur\":3.500,"
				     "\"name\":\"waits for kick0\"}"));
	assert_non_null(strstr(text, "{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":2.000,\"dur\":2.500,"
				     "\"name\":\"runs\"}"));
	/* From the wake-up and from the signal to where the device goes on. */
	assert_int_equal(count(text, "{\"ph\":\"s\",\"pid\":1,\"tid\":1,\"ts\":2.000"), 2);
	assert_int_equal(count(text, "{\"ph\":\"f\",\"pid\":1,\"tid\":2,\"ts\":4.500"), 2);
	free(text);

	/* Where time stands still a step is a microsecond. */
	for (size_t i = 0; i < log.count; i++)
		log.events[i].time_ns = 7;
	text = export(&log, PERFETTO, NULL);
	assert_non_null(strstr(text, "\"ts\":1.000,\"dur\":2.000,\"name\":\"waits for kick0\""));
	free(text);
	event_log_free(&log);
}

static void
json_says_what_happened(void **state)
{
	struct event_log log = { 0 };
	struct failure f = example_failure();
	char *text;

	add(&log, 3, 10, 1, EV_STORE, 0x1042, 2);
	add(&log, 4, 10, 2, EV_ACTOR_WAKE, 1, 2);
	text = export(&log, JSON, &f);
	assert_json(text);
	assert_non_null(strstr(text, "\"kind\":\"store\""));
	assert_non_null(
		strstr(text, "{\"gpa\":\"0x1042\",\"size\":2,\"value\":\"0x8000000000000000\""));
	assert_non_null(strstr(text, "\"args\":{\"id\":1,\"by\":\"a\\\"b\\\\c\"}"));
	assert_non_null(strstr(text, "\"verdict\":\"lost-kick\""));
	assert_non_null(strstr(text, "\"params\":{\"ring\":\"\\\"4\\\"\"}"));
	free(text);
	failure_free(&f);
	event_log_free(&log);
}

static void
html_holds_every_event(void **state)
{
	struct event_log log = { 0 };
	struct failure f = example_failure();
	char *text;

	for (unsigned i = 0; i < 300; i++)
		add(&log, i, i, 1 + i % 2, EV_EVENTFD_READ, 1, i);
	text = export(&log, HTML, &f);
	assert_int_equal(count(text, "title=\"eventfd_read, "), 300);
	assert_non_null(strstr(text, "dev&lt;ice&gt;"));
	assert_non_null(strstr(text, "<title>a&lt;b&gt;&amp;&quot;c&quot;.lua</title>"));
	assert_true(count(text, "<details>") >= 1);
	free(text);
	failure_free(&f);
	event_log_free(&log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_run_is_well_formed),
		cmocka_unit_test(arrows_and_slices),
		cmocka_unit_test(json_says_what_happened),
		cmocka_unit_test(html_holds_every_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
