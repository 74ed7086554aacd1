/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/pattern.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/must.h"
#include "trace/cursor.h"

#define STEPS_MAX 10000000 /* of Lua, for the file itself */
#define PATTERNS_MAX 256

struct pattern {
	int match; /* in the registry */
	const char *key; /* Lua's; null */
	size_t key_size;
	unsigned kind;
	unsigned args;
	uint8_t slot[RECORD_ARGS]; /* of the record, by capture */
	uint8_t class[RECORD_ARGS];
	char how[RECORD_ARGS]; /* d x n s h */
};

struct import {
	struct recording *r;
	struct error *err;
	const char *file;
	lua_State *L;
	int time, thread, string_match; /* in the registry; LUA_NOREF */
	struct pattern *pattern;
	unsigned patterns;
	uint64_t line;
	int64_t last_ns;
	bool timed;
};

static void
on_steps(lua_State *L, lua_Debug *d)
{
	luaL_error(L, "runs for too long");
}

static int
wrong(const struct import *in, unsigned entry, const char *what)
{
	return error_at(in->err, in->file, 0, 0, "pattern %u: %s", entry, what);
}

/* --- the table ----------------------------------------------------------------------------------
 */

/* The @slot-th argument called @name in a kind's format: its letter, or 0. */
static char
kind_arg(const struct recording *r, unsigned kind, const char *name, size_t size, unsigned *slot,
	 uint8_t *class, struct recording *classes)
{
	const char *format = recording_kind(r, kind)->format, *word = format;

	*slot = 0;
	for (const char *f = format; *f; f++) {
		if (*f == ' ')
			word = f + 1;
		if (*f != '%')
			continue;
		if (!strncmp(word, name, size) && word[size] == '=') {
			const char *c = f;

			while (c > word && c[-1] != '=')
				c--;
			if (f[1] == 'n')
				*class = recording_class(classes, c, (size_t)(f - c));
			return f[1];
		}
		++*slot;
	}
	return 0;
}

/* A text field of the table on top of the stack; null if it is not there. Stays Lua's. */
static const char *
text_field(lua_State *L, const char *name)
{
	const char *text = NULL;

	if (lua_getfield(L, -1, name) == LUA_TSTRING)
		text = lua_tostring(L, -1);
	lua_pop(L, 1);
	return text;
}

/* A kind of the user's own: its format from the list of arguments. */
static int
own_kind(struct import *in, unsigned entry, const char *record)
{
	char format[512] = "";
	size_t used = 0;

	lua_getfield(in->L, -1, "args");
	for (unsigned i = 1; lua_istable(in->L, -1) && i <= RECORD_ARGS; i++) {
		const char *arg, *colon;
		int n;

		lua_geti(in->L, -1, i);
		arg = lua_type(in->L, -1) == LUA_TSTRING ? lua_tostring(in->L, -1) : NULL;
		lua_pop(in->L, 1);
		if (!arg)
			break;
		colon = strchr(arg, ':');
		n = colon ? (int)(colon - arg) : (int)strlen(arg);
		if (n > 40 || !n || (colon && (!colon[1] || !strchr("xns", colon[1]) || colon[2])))
			return wrong(in, entry, "an argument is NAME, NAME:x, NAME:n or NAME:s");
		used += (size_t)snprintf(
			format + used, sizeof(format) - used, "%s%.*s=%s%.*s%%%c", used ? " " : "",
			n, arg, colon && colon[1] == 'x' ? "0x" : "",
			colon && colon[1] == 'n' ? n : 0, arg, colon ? colon[1] : 'd');
	}
	lua_pop(in->L, 1);
	if (strlen(record) > 64 || !*record)
		return wrong(in, entry, "the name of a kind has 1 to 64 letters");
	in->pattern[in->patterns].kind = recording_kind_add(in->r, record, format);
	return 0;
}

static int
read_args(struct import *in, unsigned entry)
{
	struct pattern *p = &in->pattern[in->patterns];
	int ret = 0;

	if (lua_getfield(in->L, -1, "args") != LUA_TTABLE) {
		lua_pop(in->L, 1);
		return 0;
	}
	for (unsigned i = 1; !ret; i++) {
		unsigned slot = 0;
		const char *arg;

		if (lua_geti(in->L, -1, i) == LUA_TNIL) {
			lua_pop(in->L, 1);
			break;
		}
		arg = lua_type(in->L, -1) == LUA_TSTRING ? lua_tostring(in->L, -1) : "";
		if (p->args == RECORD_ARGS)
			ret = wrong(in, entry, "a record has at most 7 arguments");
		else
			p->how[p->args] = kind_arg(in->r, p->kind, arg, strcspn(arg, ":"), &slot,
						   &p->class[p->args], in -> r);
		if (!ret && !p->how[p->args])
			ret = wrong(in, entry, "args: that kind of record has no such argument");
		if (!ret)
			p->slot[p->args++] = (uint8_t)slot;
		lua_pop(in->L, 1);
	}
	lua_pop(in->L, 1);
	return ret;
}

/* The entry on top of the stack. */
static int
read_entry(struct import *in, unsigned entry)
{
	struct pattern *p = &in->pattern[in->patterns];
	const char *match = text_field(in->L, "match"), *record = text_field(in->L, "record");
	int ret = 0;

	if (!match || !record)
		return wrong(in, entry, "must have the texts `match` and `record`");
	*p = (struct pattern){ .key = text_field(in->L, "key") };
	p->key_size = p->key ? strlen(p->key) : 0;
	p->kind = recording_kind_find(in->r, record, strlen(record));
	if (p->kind >= RECORD_KINDS)
		ret = own_kind(in, entry, record);
	if (ret || read_args(in, entry))
		return -1;
	lua_getfield(in->L, -1, "match");
	p->match = luaL_ref(in->L, LUA_REGISTRYINDEX);
	in->patterns++;
	return 0;
}

static int
keep_field(struct import *in, const char *name)
{
	if (lua_getfield(in->L, -1, name) == LUA_TSTRING)
		return luaL_ref(in->L, LUA_REGISTRYINDEX);
	lua_pop(in->L, 1);
	return LUA_NOREF;
}

/* The table of the file, which stays on the stack: texts in it live as long. */
static int
read_table(struct import *in)
{
	lua_State *L = in->L;

	if (!lua_istable(L, -1))
		return error_at(in->err, in->file, 0, 0, "must return a table of patterns");
	in->time = keep_field(in, "time");
	in->thread = keep_field(in, "thread");
	for (unsigned i = 1; lua_geti(L, -1, i) != LUA_TNIL; i++) {
		if (!lua_istable(L, -1))
			return wrong(in, i, "must be a table");
		if (i > PATTERNS_MAX)
			return wrong(in, i, "there may be 256 patterns");
		if (read_entry(in, i))
			return -1;
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	if (!in->patterns)
		return error_at(in->err, in->file, 0, 0, "has no patterns");
	return 0;
}

static int
load(struct import *in)
{
	static const luaL_Reg libs[] = { { "_G", luaopen_base },
					 { "string", luaopen_string },
					 { "table", luaopen_table },
					 { "math", luaopen_math },
					 { NULL, NULL } };

	for (const luaL_Reg *l = libs; l->name; l++) {
		luaL_requiref(in->L, l->name, l->func, 1);
		lua_pop(in->L, 1);
	}
	lua_getglobal(in->L, "string");
	lua_getfield(in->L, -1, "match");
	in->string_match = luaL_ref(in->L, LUA_REGISTRYINDEX);
	lua_settop(in->L, 0);
	lua_sethook(in->L, on_steps, LUA_MASKCOUNT, STEPS_MAX);
	if (luaL_loadfilex(in->L, in->file, "t") || lua_pcall(in->L, 0, 1, 0))
		return error_set(in->err, "%s", lua_tostring(in->L, -1));
	in->pattern = calloc(PATTERNS_MAX, sizeof(*in->pattern));
	must(in->pattern);
	return read_table(in);
}

/* --- lines --------------------------------------------------------------------------------------
 */

/* The captures of @pattern on the stack: how many, 0 if it does not match, -1 and the error. */
static int
match(struct import *in, int pattern, struct cursor line)
{
	int top = lua_gettop(in->L);

	lua_rawgeti(in->L, LUA_REGISTRYINDEX, in->string_match);
	lua_pushlstring(in->L, line.at, (size_t)(line.end - line.at));
	lua_rawgeti(in->L, LUA_REGISTRYINDEX, pattern);
	if (lua_pcall(in->L, 2, LUA_MULTRET, 0))
		return error_at(in->err, in->file, 0, 0, "%s", lua_tostring(in->L, -1));
	return lua_isnil(in->L, top + 1) ? 0 : lua_gettop(in->L) - top;
}

static int
damaged(const struct import *in, const char *what)
{
	return error_at(in->err, in->r->name, (long)in->line, 0, "damaged line: %s", what);
}

static bool
number_of(struct cursor t, bool hex, int64_t *arg)
{
	uint64_t value = 0;
	bool negative = cursor_take(&t, '-');

	if (t.end - t.at > 2 && t.at[0] == '0' && t.at[1] == 'x') {
		t.at += 2;
		hex = true;
	}
	if (!(hex ? cursor_hex(&t, &value) : cursor_decimal(&t, &value)) || t.at != t.end)
		return false;
	*arg = (int64_t)(negative ? -value : value);
	return true;
}

/* Any text can be a name: a pointer by its value, another text by its number. */
static int64_t
name_of(struct import *in, uint8_t class, struct cursor t)
{
	int64_t value;

	if (!number_of(t, false, &value))
		value = -1 - recording_text(in->r, t.at, (size_t)(t.end - t.at));
	return recording_name(in->r, class, (uint64_t)value);
}

static int
take_captures(struct import *in, const struct pattern *p, int top, int captures,
	      struct record *record)
{
	if ((unsigned)captures < p->args)
		return error_at(in->err, in->file, 0, 0,
				"a pattern has %d captures and its record takes %u", captures,
				p->args);
	for (unsigned i = 0; i < p->args; i++) {
		struct cursor t;
		size_t n;

		t.at = luaL_tolstring(in->L, top + 1 + (int)i, &n);
		t.end = t.at + n;
		if (p->how[i] == 's')
			record->arg[p->slot[i]] = recording_text(in->r, t.at, n);
		else if (p->how[i] == 'n')
			record->arg[p->slot[i]] = name_of(in, p->class[i], t);
		else if (!number_of(t, false, &record->arg[p->slot[i]]))
			return damaged(in, "a capture is not a number");
		lua_pop(in->L, 1);
	}
	return 0;
}

/* Texts must be texts: arguments that no capture sets are "?". */
static void
texts_unset(struct import *in, struct record *record)
{
	unsigned slot = 0;

	for (const char *f = recording_kind(in->r, record->kind)->format; *f; f++) {
		if (*f != '%')
			continue;
		if (f[1] == 's')
			record->arg[slot] = recording_text(in->r, "?", 1);
		slot++;
	}
}

static int
line_time(struct import *in, struct cursor line, struct record *record)
{
	int top = lua_gettop(in->L), n = in->time == LUA_NOREF ? 0 : match(in, in->time, line);
	struct cursor t;
	size_t size;

	if (n < 0)
		return -1;
	record->estimated = !n;
	record->time_ns = in->timed ? in->last_ns : (int64_t)in->r->count;
	if (n) {
		t.at = luaL_tolstring(in->L, top + 1, &size);
		t.end = t.at + size;
		if (!cursor_seconds(&t, &record->time_ns))
			return damaged(in, "the time is not seconds with a fraction");
		in->timed = true;
		in->last_ns = record->time_ns;
	}
	lua_settop(in->L, top);
	return 0;
}

static int
line_thread(struct import *in, struct cursor line, struct record *record)
{
	int top = lua_gettop(in->L), n = in->thread == LUA_NOREF ? 0 : match(in, in->thread, line);
	const char *name = "log";
	size_t size = 3;

	if (n < 0)
		return -1;
	if (n)
		name = luaL_tolstring(in->L, top + 1, &size);
	record->thread = recording_thread(in->r, name, size);
	lua_settop(in->L, top);
	return 0;
}

static int
import_line(struct import *in, struct cursor line)
{
	for (unsigned i = 0; i < in->patterns; i++) {
		const struct pattern *p = &in->pattern[i];
		struct record record = { .kind = (uint16_t)p->kind, .line = in->line };
		int top = lua_gettop(in->L), n = match(in, p->match, line);

		if (n < 0)
			return -1;
		if (n) {
			texts_unset(in, &record);
			if (take_captures(in, p, top, n, &record) || line_time(in, line, &record) ||
			    line_thread(in, line, &record))
				return -1;
			*recording_add(in->r, p->kind, in->line) = record;
			lua_settop(in->L, top);
			return 0;
		}
		lua_settop(in->L, top);
		if (p->key && memmem(line.at, (size_t)(line.end - line.at), p->key, p->key_size))
			return damaged(in, "has the key of a pattern and does not match it");
	}
	in->r->lines_skipped++;
	return 0;
}

int
pattern_import(struct recording *r, const char *text, size_t size, const struct trace_options *o,
	       struct error *err)
{
	struct import in = { .r = r, .err = err, .file = o ? o->pattern : NULL };
	const char *at = text, *end = text + size;
	bool cut;
	int ret;

	if (!in.file)
		return error_set(err, "format pattern: name the file of patterns with --pattern");
	in.L = luaL_newstate();
	must(in.L);
	ret = load(&in);
	lua_sethook(in.L, NULL, 0, 0);
	while (!ret && at < end) {
		struct cursor line = cursor_line(&at, end, &cut);

		in.line++;
		r->lines++;
		ret = import_line(&in, line);
	}
	r->timeless = !in.timed;
	if (!ret)
		recording_times_check(r);
	lua_close(in.L);
	free(in.pattern);
	return ret;
}
