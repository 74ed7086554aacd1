/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "script/scenario_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "script/scenario.h"
#include "script/source.h"

#define DEPTH_MAX 4
#define INCLUDES_MAX 64

/* Where the reader stands: the keys that lead there, for messages. */
struct reader {
	lua_State *L;
	struct script *script;
	struct scenario *s;
	const char *key[DEPTH_MAX];
	unsigned depth;
};

/* --- errors --------------------------------------------------------------------------------- */

/* End the set-up with "file:line:column: variants.fails.expect: …". */
static _Noreturn void
bad(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
bad(struct reader *r, const char *fmt, ...)
{
	char text[512], where[256] = "";
	struct error err = { "" };
	long line = 0, column = 0;
	size_t n = 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (unsigned i = 0; i < r->depth && n < sizeof(where); i++)
		n += (size_t)snprintf(where + n, sizeof(where) - n, "%s%s", i ? "." : "",
				      r->key[i]);
	source_locate(r->s->source, r->s->source_bytes, r->key, r->depth, &line, &column);
	error_at(&err, r->s->path, line, column, "%s%s%s", where, n ? ": " : "", text);
	r->script->located = true;
	world_fail(r->script->w, "%s", err.text);
}

static void
enter(struct reader *r, const char *key)
{
	must(r->depth < DEPTH_MAX);
	r->key[r->depth++] = key;
}

static void
leave(struct reader *r)
{
	must(r->depth);
	r->depth--;
}

/* --- values --------------------------------------------------------------------------------- */

static char *
copy(const char *text)
{
	char *c = strdup(text ? text : "");

	must(c);
	return c;
}

/* Push table.key of the table on top, with the reader standing at it. Returns its type. */
static int
open_key(struct reader *r, const char *key)
{
	enter(r, key);
	return lua_getfield(r->L, -1, key);
}

static void
close_key(struct reader *r)
{
	lua_pop(r->L, 1);
	leave(r);
}

static void
need_type(struct reader *r, int type)
{
	if (lua_type(r->L, -1) != type)
		bad(r, "must be a %s, not %s", lua_typename(r->L, type),
		    lua_isnil(r->L, -1) ? "missing" : luaL_typename(r->L, -1));
}

/* A string on top without zero bytes and newlines; owned by Lua. */
static const char *
need_line(struct reader *r, size_t max)
{
	const char *text;
	size_t size;

	need_type(r, LUA_TSTRING);
	text = lua_tolstring(r->L, -1, &size);
	if (!size || size > max || strlen(text) != size || strchr(text, '\n'))
		bad(r, "must be one line of 1 to %zu bytes", max);
	return text;
}

static char *
read_line(struct reader *r, const char *key, size_t max, bool required)
{
	char *text = NULL;

	if (open_key(r, key) != LUA_TNIL)
		text = copy(need_line(r, max));
	else if (required)
		bad(r, "must be given");
	close_key(r);
	return text ? text : copy("");
}

static int64_t
read_integer(struct reader *r, const char *key, int64_t missing, int64_t min, int64_t max)
{
	int64_t v = missing;
	int is_integer = 1;

	if (open_key(r, key) != LUA_TNIL) {
		v = lua_tointegerx(r->L, -1, &is_integer);
		if (!is_integer || !lua_isinteger(r->L, -1) || v < min || v > max)
			bad(r, "must be an integer from %" PRId64 " to %" PRId64, min, max);
	}
	close_key(r);
	return v;
}

/* Only these keys may be in the table on top. */
static void
only_keys(struct reader *r, const char *const *allowed)
{
	lua_State *L = r->L;
	char list[256] = "";
	size_t n = 0;
	lua_Integer count;

	need_type(r, LUA_TTABLE);
	count = script_push_keys(L, -1);
	for (lua_Integer i = 1; i <= count; i++) {
		const char *key;
		unsigned k = 0;

		lua_rawgeti(L, -1, i);
		key = script_tostring(L, -1, NULL);
		while (allowed[k] && strcmp(allowed[k], key))
			k++;
		if (!allowed[k]) {
			for (k = 0; allowed[k] && n < sizeof(list); k++)
				n += (size_t)snprintf(list + n, sizeof(list) - n, " %s",
						      allowed[k]);
			enter(r, key);
			bad(r, "unknown key; allowed here:%s", list);
		}
		lua_pop(L, 2);
	}
	lua_pop(L, 1);
}

/* A name for command lines and files. */
static void
need_name(struct reader *r, const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	if (!n || name[n] || n > 64 || name[0] == '-')
		bad(r, "a name has 1 to 64 letters, digits, _ and -");
}

/* The text of a value on top, as parameters have it. */
static char *
value_text(struct reader *r)
{
	int type = lua_type(r->L, -1);
	char *text;

	if (type != LUA_TSTRING && type != LUA_TBOOLEAN && !lua_isinteger(r->L, -1))
		bad(r, "must be an integer, a boolean or a string");
	text = copy(script_tostring(r->L, -1, NULL));
	lua_pop(r->L, 1);
	return text;
}

/* --- parameters ----------------------------------------------------------------------------- */

static void
read_words(struct reader *r, struct scenario_param *p)
{
	if (open_key(r, "values") != LUA_TNIL) {
		need_type(r, LUA_TTABLE);
		for (lua_Integer i = 1; lua_rawgeti(r->L, -1, i) != LUA_TNIL; i++) {
			if (p->words == SCENARIO_WORDS_MAX)
				bad(r, "at most %u values", SCENARIO_WORDS_MAX);
			p->word[p->words++] = copy(need_line(r, 64));
			lua_pop(r->L, 1);
		}
		lua_pop(r->L, 1);
	}
	if (!p->words)
		bad(r, "a parameter that is a string lists its values");
	close_key(r);
}

static void
read_param(struct reader *r, struct scenario_param *p)
{
	static const char *const allowed[] = { "default", "min", "max", "values", "doc", NULL };
	int type;

	only_keys(r, allowed);
	p->doc = read_line(r, "doc", 200, false);
	type = open_key(r, "default");
	if (type == LUA_TNIL)
		bad(r, "must be given");
	p->value = value_text(r);
	p->type = type == LUA_TBOOLEAN	? PARAM_BOOLEAN
		  : type == LUA_TSTRING ? PARAM_WORD
					: PARAM_INTEGER;
	close_key(r);
	if (p->type == PARAM_WORD)
		read_words(r, p);
	p->min = read_integer(r, "min", 0, INT64_MIN, INT64_MAX);
	p->max = read_integer(r, "max", -1, p->min, INT64_MAX);
	if (p->type == PARAM_INTEGER && p->max < p->min)
		bad(r, "an integer has min and max");
}

static void
read_params(struct reader *r)
{
	struct scenario *s = r->s;

	if (open_key(r, "params") != LUA_TNIL) {
		need_type(r, LUA_TTABLE);

		lua_Integer n = script_push_keys(r->L, -1);

		if (n > SCENARIO_PARAMS_MAX)
			bad(r, "at most %u parameters", SCENARIO_PARAMS_MAX);
		must(s->param = calloc((size_t)n + 1, sizeof(*s->param)));
		for (lua_Integer i = 1; i <= n; i++) {
			struct scenario_param *p = &s->param[s->params++];
			struct scenario_values v = { 0 };
			struct error err;

			lua_rawgeti(r->L, -1, i);
			p->name = copy(script_tostring(r->L, -1, NULL));
			lua_pop(r->L, 2);
			lua_getfield(r->L, -2, p->name);
			enter(r, p->name);
			need_name(r, p->name);
			read_param(r, p);
			if (scenario_values_set(&v, s, p->name, p->value, &err))
				bad(r, "default: %s", err.text);
			scenario_values_free(&v);
			leave(r);
			lua_pop(r->L, 1);
		}
		lua_pop(r->L, 1);
	}
	close_key(r);
}

/* --- variants ------------------------------------------------------------------------------- */

static void
read_expect(struct reader *r, struct scenario_variant *v)
{
	char list[512] = "";
	size_t n = 0;

	open_key(r, "expect");
	need_type(r, LUA_TSTRING);
	v->expect = verdict_find(lua_tostring(r->L, -1));
	if (v->expect == VERDICT_COUNT || v->expect == VERDICT_BUDGET) {
		for (unsigned i = 0; i < VERDICT_BUDGET; i++)
			n += (size_t)snprintf(list + n, sizeof(list) - n, " %s", verdict_name[i]);
		bad(r, "'%.64s' is no verdict; allowed:%s", lua_tostring(r->L, -1), list);
	}
	close_key(r);
}

static void
read_faults(struct reader *r, struct scenario_variant *v)
{
	if (open_key(r, "faults") != LUA_TNIL) {
		need_type(r, LUA_TTABLE);
		for (lua_Integer i = 1; lua_rawgeti(r->L, -1, i) != LUA_TNIL; i++) {
			const char *name = need_line(r, 128);
			enum fault f = fault_find(name);

			if (f == FAULT_NONE)
				bad(r, "there is no fault '%s'; see: ringside faults", name);
			if (v->faults == SCENARIO_FAULTS_MAX)
				bad(r, "at most %u faults", SCENARIO_FAULTS_MAX);
			v->fault[v->faults++] = f;
			lua_pop(r->L, 1);
		}
		if (!v->faults || lua_rawlen(r->L, -2) != v->faults)
			bad(r, "must be a list of names of faults");
		lua_pop(r->L, 1);
	}
	close_key(r);
}

static void
read_set(struct reader *r, struct scenario_variant *v)
{
	if (open_key(r, "set") != LUA_TNIL) {
		need_type(r, LUA_TTABLE);

		lua_Integer n = script_push_keys(r->L, -1);

		must(v->set = calloc((size_t)n + 1, sizeof(*v->set)));
		for (lua_Integer i = 1; i <= n; i++) {
			struct scenario_setting *t = &v->set[v->sets++];
			struct scenario_values values = { 0 };
			struct error err;

			lua_rawgeti(r->L, -1, i);
			t->name = copy(script_tostring(r->L, -1, NULL));
			lua_pop(r->L, 2);
			lua_getfield(r->L, -2, t->name);
			enter(r, t->name);
			t->value = value_text(r);
			if (scenario_values_set(&values, r->s, t->name, t->value, &err))
				bad(r, "%s", err.text);
			scenario_values_free(&values);
			leave(r);
			lua_pop(r->L, 1);
		}
		lua_pop(r->L, 1);
	}
	close_key(r);
}

static void
read_runs(struct reader *r, struct scenario_variant *v)
{
	int type = open_key(r, "runs");

	v->runs = SCENARIO_RUNS_DEFAULT;
	if (type == LUA_TSTRING && !strcmp(lua_tostring(r->L, -1), "complete"))
		v->complete = true;
	else if (type != LUA_TNIL && (!lua_isinteger(r->L, -1) || lua_tointeger(r->L, -1) < 1))
		bad(r, "must be a number of schedules, 1 or more, or \"complete\"");
	else if (type != LUA_TNIL)
		v->runs = (uint64_t)lua_tointeger(r->L, -1);
	close_key(r);
}

/* @none where there is no such key. */
static int
read_memory(struct reader *r, int none)
{
	int type = open_key(r, "memory"), model = none;
	struct error err;

	if (type != LUA_TNIL)
		model = type == LUA_TSTRING ? memory_model_find(lua_tostring(r->L, -1), &err) : -2;
	if (type != LUA_TNIL && model < 0)
		bad(r, "must be \"sc\", \"tso\" or \"weak\"");
	close_key(r);
	return model;
}

/* @none where there is no such key. */
static int
read_races(struct reader *r, int none)
{
	int type = open_key(r, "races"), races = none;

	if (type != LUA_TNIL) {
		need_type(r, LUA_TBOOLEAN);
		races = lua_toboolean(r->L, -1);
	}
	close_key(r);
	return races;
}

static void
read_buffers(struct reader *r)
{
	struct scenario *s = r->s;
	const char *name;

	s->buffers = -1;
	if (open_key(r, "buffers") != LUA_TNIL) {
		name = need_line(r, 64);
		for (unsigned i = 0; i < s->params; i++)
			if (!strcmp(s->param[i].name, name))
				s->buffers = (int)i;
		if (s->buffers < 0 || s->param[s->buffers].type != PARAM_INTEGER)
			bad(r, "must be the name of a parameter that is a number");
	}
	close_key(r);
}

static void
read_variant(struct reader *r, struct scenario_variant *v)
{
	static const char *const allowed[] = { "expect", "faults", "set",   "runs",
					       "doc",	 "memory", "races", NULL };

	need_name(r, v->name);
	only_keys(r, allowed);
	v->doc = read_line(r, "doc", 200, false);
	read_expect(r, v);
	read_faults(r, v);
	read_set(r, v);
	read_runs(r, v);
	v->memory = read_memory(r, -1);
	v->races = read_races(r, -1);
}

static void
read_variants(struct reader *r)
{
	struct scenario *s = r->s;
	unsigned failing = 0, holding = 0;

	open_key(r, "variants");
	need_type(r, LUA_TTABLE);

	lua_Integer n = script_push_keys(r->L, -1);

	if (n > SCENARIO_VARIANTS_MAX)
		bad(r, "at most %u variants", SCENARIO_VARIANTS_MAX);
	must(s->variant = calloc((size_t)n + 1, sizeof(*s->variant)));
	for (lua_Integer i = 1; i <= n; i++) {
		struct scenario_variant *v = &s->variant[s->variants++];

		lua_rawgeti(r->L, -1, i);
		v->name = copy(script_tostring(r->L, -1, NULL));
		lua_pop(r->L, 2);
		lua_getfield(r->L, -2, v->name);
		enter(r, v->name);
		read_variant(r, v);
		leave(r);
		lua_pop(r->L, 1);
		if (v->expect == VERDICT_OK)
			holding++;
		else
			failing++;
	}
	lua_pop(r->L, 1);
	if (!failing || !holding)
		bad(r,
		    "a scenario has at least one variant that fails (expect a verdict) and one "
		    "that "
		    "holds (expect \"ok\"); this one has %u and %u",
		    failing, holding);
	close_key(r);
}

/* --- the rest ------------------------------------------------------------------------------- */

static void
read_evidence(struct reader *r)
{
	struct scenario *s = r->s;

	open_key(r, "evidence");
	need_type(r, LUA_TTABLE);
	for (lua_Integer i = 1; lua_rawgeti(r->L, -1, i) != LUA_TNIL; i++) {
		if (s->evidences == SCENARIO_EVIDENCE_MAX)
			bad(r, "at most %u entries", SCENARIO_EVIDENCE_MAX);
		s->evidence[s->evidences++] = copy(need_line(r, 300));
		lua_pop(r->L, 1);
	}
	if (!s->evidences || lua_rawlen(r->L, -2) != s->evidences)
		bad(r, "must be a list of commits, mails or specification sections, at least one");
	lua_pop(r->L, 1);
	close_key(r);
}

static void
read_mode(struct reader *r)
{
	int type = open_key(r, "mode");
	const char *word = type == LUA_TSTRING ? lua_tostring(r->L, -1) : NULL;

	r->s->mode = WORLD_RELAXED;
	if (word && !strcmp(word, "timed"))
		r->s->mode = WORLD_TIMED;
	else if (type != LUA_TNIL && (!word || strcmp(word, "relaxed")))
		bad(r, "must be \"relaxed\" or \"timed\"");
	close_key(r);
}

/* ORDER AXIS */
const char *const scenario_axis_name[AXES] = { "driver",   "device",   "ring",	"event_idx",
					       "indirect", "in_order", "memory" };

static void
read_axis(struct reader *r)
{
	const char *word = lua_type(r->L, -1) == LUA_TSTRING ? lua_tostring(r->L, -1) : "";
	unsigned i = 0;

	while (i < AXES && strcmp(word, scenario_axis_name[i]))
		i++;
	if (i == AXES)
		bad(r, "must be true, false, or a list of what the scenario sets itself: driver, "
		       "device, ring, event_idx, indirect, in_order, memory");
	r->s->matrix_own |= 1u << i;
}

static void
read_matrix(struct reader *r)
{
	int type = open_key(r, "matrix");

	if (type == LUA_TTABLE) {
		for (lua_Integer i = 1; lua_rawgeti(r->L, -1, i) != LUA_TNIL; i++) {
			read_axis(r);
			lua_pop(r->L, 1);
		}
		lua_pop(r->L, 1);
	} else if (type != LUA_TNIL && type != LUA_TBOOLEAN) {
		read_axis(r);
	}
	if (type != LUA_TNIL)
		r->s->matrix =
			type == LUA_TBOOLEAN && !lua_toboolean(r->L, -1) ? MATRIX_OUT : MATRIX_IN;
	close_key(r);
}

/* Path of a file beside the scenario. */
static char *
beside(const struct scenario *s, const char *name)
{
	const char *slash = strrchr(s->path, '/');
	char *path;

	if (*name == '/' || !slash)
		return copy(name);
	must(asprintf(&path, "%.*s%s", (int)(slash + 1 - s->path), s->path, name) >= 0);
	return path;
}

static void
read_functions(struct reader *r)
{
	open_key(r, "setup");
	need_type(r, LUA_TFUNCTION);
	close_key(r);
	if (open_key(r, "check") != LUA_TNIL) {
		need_type(r, LUA_TFUNCTION);
		r->s->has_check = true;
	}
	close_key(r);
}

void
scenario_read(struct script *script, struct scenario *s)
{
	static const char *const allowed[] = { "name",	      "title",	  "evidence", "mode",
					       "params",      "variants", "machine",  "steps_max",
					       "time_max_ns", "setup",	  "check",    "memory",
					       "matrix",      "races",	  "buffers",  NULL };
	struct reader r = { .L = script->L, .script = script, .s = s };
	char *machine;

	if (!lua_istable(script->L, -1))
		bad(&r, "a scenario's file returns a table, not a %s",
		    luaL_typename(script->L, -1));
	only_keys(&r, allowed);
	s->name = read_line(&r, "name", 64, true);
	enter(&r, "name");
	need_name(&r, s->name);
	leave(&r);
	s->title = read_line(&r, "title", 120, true);
	machine = read_line(&r, "machine", 300, false);
	if (*machine)
		s->machine = beside(s, machine);
	free(machine);
	s->steps_max = (uint64_t)read_integer(&r, "steps_max", 0, 0, 1000000000);
	s->time_max_ns = read_integer(&r, "time_max_ns", 0, 0, INT64_MAX);
	read_mode(&r);
	s->memory = (enum memory_model)read_memory(&r, MEMORY_SC);
	s->races = read_races(&r, false);
	read_evidence(&r);
	read_params(&r);
	read_buffers(&r);
	read_variants(&r);
	read_matrix(&r);
	read_functions(&r);
}

/* --- include() ------------------------------------------------------------------------------ */

int
script_include(lua_State *L)
{
	struct script *script = script_of(L);
	const char *name = luaL_checkstring(L, 1), *slash = strrchr(script->path, '/');
	char path[512], *text;
	struct error err;
	size_t size;
	void *copied;

	if (!script->loading)
		return luaL_error(
			L, "include: only while the file is loaded, not in setup() or later");
	if (++script->includes > INCLUDES_MAX)
		return luaL_error(L, "include: more than %d files: does one include itself?",
				  INCLUDES_MAX);
	if (*name == '/' || !slash)
		snprintf(path, sizeof(path), "%s", name);
	else
		snprintf(path, sizeof(path), "%.*s%s", (int)(slash + 1 - script->path),
			 script->path, name);
	if (source_read(path, SCRIPT_SOURCE_BYTES_MAX, &text, &size, &err))
		return luaL_error(L, "include: %s", err.text);
	copied = lua_newuserdatauv(L, size + 1, 0); /* Lua's, for running it may end the set-up */
	memcpy(copied, text, size);
	free(text);
	script_run_source(script, path, copied, size);
	return 1;
}

/* --- loading -------------------------------------------------------------------------------- */

static void
load(struct world *w, void *arg)
{
	struct scenario *s = arg;
	struct script *script = script_create(w, s->path);

	script_run_source(script, s->path, s->source, s->source_bytes);
	scenario_read(script, s);
}

int
scenario_load(const char *path, struct scenario *s, struct error *err)
{
	struct world_config config = { .mode = WORLD_TIMED };
	struct world *w = NULL;
	int ret = -1;

	*s = (struct scenario){ .path = copy(path) };
	if (!source_read(path, SCRIPT_SOURCE_BYTES_MAX, &s->source, &s->source_bytes, err))
		w = world_create(&config, err);
	if (w && world_setup(w, load, s, err))
		script_world_error(w, err);
	else if (w)
		ret = 0;
	world_destroy(w);
	if (ret)
		scenario_free(s);
	return ret;
}

static void
param_free(struct scenario_param *p)
{
	free(p->name);
	free(p->doc);
	free(p->value);
	for (unsigned i = 0; i < p->words; i++)
		free(p->word[i]);
}

static void
variant_free(struct scenario_variant *v)
{
	free(v->name);
	free(v->doc);
	for (unsigned i = 0; i < v->sets; i++) {
		free(v->set[i].name);
		free(v->set[i].value);
	}
	free(v->set);
}

void
scenario_free(struct scenario *s)
{
	free(s->path);
	free(s->source);
	free(s->name);
	free(s->title);
	free(s->machine);
	for (unsigned i = 0; i < s->evidences; i++)
		free(s->evidence[i]);
	for (unsigned i = 0; i < s->params; i++)
		param_free(&s->param[i]);
	for (unsigned i = 0; i < s->variants; i++)
		variant_free(&s->variant[i]);
	free(s->param);
	free(s->variant);
	*s = (struct scenario){ 0 };
}
