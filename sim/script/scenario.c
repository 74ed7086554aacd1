/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is left when a scenario is loaded: values, set-up, judging. scenario_read.c reads the table.
 */
#include "script/scenario.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "datapath/registry.h"
#include "memory/guest_memory.h"
#include "oracle/oracle.h"
#include "script/lua_world.h"
#include "script/machine_file.h"
#include "script/scenario_read.h"
#include "script/source.h"

/* --- names ---------------------------------------------------------------------------------- */

const char *
scenario_split(const char *text, size_t *path_len)
{
	const char *colon = strrchr(text, ':');

	if (!colon || colon == text || strchr(colon, '/') || !colon[1]) {
		*path_len = strlen(text);
		return NULL;
	}
	*path_len = (size_t)(colon - text);
	return colon + 1;
}

const struct scenario_variant *
scenario_find_variant(const struct scenario *s, const char *name, struct error *err)
{
	char list[512] = "";
	size_t n = 0;

	for (unsigned i = 0; i < s->variants; i++) {
		const struct scenario_variant *v = &s->variant[i];

		if (name ? !strcmp(v->name, name) : verdict_fails(v->expect))
			return v;
		if (n < sizeof(list))
			n += (size_t)snprintf(list + n, sizeof(list) - n, " %s", v->name);
	}
	must(name); /* there is a failing one */
	error_set(err, "%s: there is no variant '%s'; it has:%s", s->path, name, list);
	return NULL;
}

/* --- values --------------------------------------------------------------------------------- */

static const struct scenario_param *
param_find(const struct scenario *s, const char *name)
{
	for (unsigned i = 0; i < s->params; i++)
		if (!strcmp(s->param[i].name, name))
			return &s->param[i];
	return NULL;
}

static int
no_param(const struct scenario *s, const char *name, struct error *err)
{
	char list[512] = "";
	size_t n = 0;

	for (unsigned i = 0; i < s->params && n < sizeof(list); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, " %s", s->param[i].name);
	return error_set(err, "there is no parameter '%s'; %s%s", name,
			 s->params ? "it has:" : "the scenario has none", list);
}

static int
check_value(const struct scenario_param *p, const char *value, struct error *err)
{
	char list[512] = "", *end;
	size_t n = 0;
	long long number;

	switch (p->type) {
	case PARAM_BOOLEAN:
		if (!strcmp(value, "true") || !strcmp(value, "false"))
			return 0;
		return error_set(err, "%s=%s: must be true or false", p->name, value);
	case PARAM_INTEGER:
		errno = 0;
		number = strtoll(value, &end, 0);
		if (end != value && !*end && !errno && number >= p->min && number <= p->max)
			return 0;
		return error_set(err, "%s=%s: must be an integer from %lld to %lld", p->name, value,
				 (long long)p->min, (long long)p->max);
	case PARAM_WORD:
		break;
	}
	for (unsigned i = 0; i < p->words; i++) {
		if (!strcmp(p->word[i], value))
			return 0;
		if (n < sizeof(list))
			n += (size_t)snprintf(list + n, sizeof(list) - n, " %s", p->word[i]);
	}
	return error_set(err, "%s=%s: must be one of:%s", p->name, value, list);
}

int
scenario_values_set(struct scenario_values *v, const struct scenario *s, const char *name,
		    const char *value, struct error *err)
{
	const struct scenario_param *p = param_find(s, name);
	char *copy;

	if (!p)
		return no_param(s, name, err);
	if (check_value(p, value, err))
		return -1;
	must(copy = strdup(value));
	free(v->value[p - s->param]);
	v->value[p - s->param] = copy;
	return 0;
}

void
scenario_values_init(struct scenario_values *v, const struct scenario *s,
		     const struct scenario_variant *variant)
{
	*v = (struct scenario_values){ 0 };
	for (unsigned i = 0; i < s->params; i++)
		must(v->value[i] = strdup(s->param[i].value));
	for (unsigned i = 0; variant && i < variant->sets; i++) {
		struct error err;

		must(!scenario_values_set(v, s, variant->set[i].name, variant->set[i].value, &err));
	}
}

void
scenario_values_free(struct scenario_values *v)
{
	for (unsigned i = 0; i < SCENARIO_PARAMS_MAX; i++)
		free(v->value[i]);
	*v = (struct scenario_values){ 0 };
}

/* --- set-up --------------------------------------------------------------------------------- */

struct set_up {
	const struct scenario *s;
	const struct scenario_variant *variant;
	const struct scenario_values *values;
	const struct machine_file *machine;
	const struct scenario_set_up *how;
	enum memory_model memory;
	bool races;
};

static void
push_values(lua_State *L, const struct scenario *s, const struct scenario_values *values)
{
	lua_createtable(L, 0, (int)s->params);
	for (unsigned i = 0; i < s->params; i++) {
		const char *value = values->value[i];

		switch (s->param[i].type) {
		case PARAM_INTEGER:
			lua_pushinteger(L, strtoll(value, NULL, 0));
			break;
		case PARAM_BOOLEAN:
			lua_pushboolean(L, !strcmp(value, "true"));
			break;
		case PARAM_WORD:
			lua_pushstring(L, value);
			break;
		}
		lua_setfield(L, -2, s->param[i].name);
	}
}

static void
set_up(struct world *w, void *arg)
{
	struct set_up *u = arg;
	struct script *script;
	lua_State *L;

	for (unsigned i = 0; u->variant && i < u->variant->faults; i++)
		fault_set(w, u->variant->fault[i], true);
	if (u->how->datapath)
		datapath_select(w, u->how->datapath);
	if (u->how->feature_mask)
		datapath_force_features(w, u->how->feature_mask, u->how->feature_value);
	oracle_attach(w);
	script = script_create(w, u->s->path);
	if (u->machine)
		machine_file_keep(script, u->machine);
	L = script->L;
	script_run_source(script, u->s->path, u->s->source, u->s->source_bytes);
	script->loading = false;
	if (!lua_istable(L, -1)) {
		script->located = true;
		world_fail(w, "%s: returned a table before, and now a %s", u->s->path,
			   luaL_typename(L, -1));
	}
	script->scenario_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_rawgeti(L, LUA_REGISTRYINDEX, script->scenario_ref);
	lua_getfield(L, -1, "setup");
	push_values(L, u->s, u->values);
	lua_pushvalue(L, -1);
	lua_setfield(L, -4, "\1values"); /* check() gets them, too */
	script_call(L, 1, 0);
	lua_settop(L, 0);
	script->setting_up = false;
	if (gm_size(w)) {
		memory_set_model(w, u->memory);
		if (u->races)
			oracle_watch_races(w);
	}
	/* A full collection now, so that runs need none and touch few pages. */
	lua_gc(L, LUA_GCCOLLECT);
}

struct world *
scenario_set_up(const struct scenario *s, const struct scenario_variant *variant,
		const struct scenario_values *values, const struct scenario_set_up *how,
		struct error *err)
{
	static const struct scenario_set_up nothing;
	struct machine_file *file = NULL;
	struct set_up u = { s, variant, values, NULL, how ? how : &nothing, s->memory, s->races };
	int memory = variant ? variant->memory : -1;
	const char *machine = u.how->machine;
	struct world_config config = { .mode = s->mode,
				       .steps_max = s->steps_max,
				       .time_max_ns = s->time_max_ns };
	struct world *w;

	if (u.how->memory && (memory = memory_model_find(u.how->memory, err)) < 0) {
		error_prefix(err, "--memory");
		return NULL;
	}
	if (memory >= 0)
		u.memory = (enum memory_model)memory;
	if (variant && variant->races >= 0)
		u.races = variant->races;
	u.races |= u.how->races;
	if (machine || s->machine) {
		file = machine_file_load(machine ? machine : s->machine, err);
		if (!file)
			return NULL;
		u.machine = file;
	}
	w = world_create(&config, err);
	if (w && world_setup(w, set_up, &u, err)) {
		script_world_error(w, err);
		world_destroy(w);
		w = NULL;
	}
	machine_file_free(file);
	if (w)
		world_snapshot(w);
	return w;
}

/* --- judging -------------------------------------------------------------------------------- */

/* Looking up a name may need memory: that is done in the protected call, too. */
static int
call_check(lua_State *L)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, script_of(L)->scenario_ref);
	if (lua_getfield(L, -1, "check") == LUA_TFUNCTION) {
		lua_getfield(L, -2, "\1values");
		lua_call(L, 1, 0);
	}
	return 0;
}

static void
run_check(struct script *s, struct error *err)
{
	lua_State *L = s->L;

	s->checked = true;
	s->check_verdict = VERDICT_OK;
	s->checking = true;
	lua_settop(L, 0);
	lua_pushcfunction(L, call_check);
	script_try(L, 0, 0, err);
	lua_settop(L, 0);
	s->checking = false;
}

enum verdict
scenario_judge(struct world *w, enum stop stop, struct finding *f, struct error *err)
{
	struct script *s = script_of_world(w);

	err->text[0] = 0;
	if (stop == STOP_STEPS || stop == STOP_TIME || oracle_violations(w, NULL))
		return oracle_judge(w, stop, f);
	if (s && !s->checked)
		run_check(s, err);
	if (err->text[0])
		return VERDICT_BUDGET;
	if (s && s->check_verdict != VERDICT_OK) {
		*f = s->check_finding;
		return s->check_verdict;
	}
	return oracle_judge(w, stop, f);
}
