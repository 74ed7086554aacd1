/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "script/machine_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "script/features.h"
#include "script/yaml_tree.h"

struct file_reader {
	struct machine_file *f;
	const struct yaml_tree *t;
	struct error *err;
};

static const char *
own(struct machine_file *f, const char *text)
{
	char *copy = strdup(text);

	must(copy);
	must(f->owned = realloc(f->owned, (f->owned_count + 1) * sizeof(*f->owned)));
	return f->owned[f->owned_count++] = copy;
}

/* --- values --------------------------------------------------------------------------------- */

static int
refuse(struct file_reader *r, const struct yaml_node *n, const struct option_spec *o)
{
	char allowed[400];

	option_allowed(o, allowed, sizeof(allowed));
	return yaml_error(r->t, n, r->err, "%s: must be %s%s%.80s", o->name, allowed,
			  n->text ? ", not " : "", n->text ? n->text : "");
}

static bool
parse_integer(const struct yaml_node *n, bool bytes, int64_t *value)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = { { "", 0 }, { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 } };
	char *end;
	long long number;

	if (n->kind != YAML_SCALAR || !n->plain)
		return false;
	errno = 0;
	number = strtoll(n->text, &end, 0);
	if (end == n->text || errno || *n->text == ' ')
		return false;
	for (unsigned i = 0; i < (bytes ? 4u : 1u); i++) {
		if (strcmp(end, units[i].unit))
			continue;
		if (number > INT64_MAX >> units[i].shift || number < -(INT64_MAX >> units[i].shift))
			return false;
		*value = number * (INT64_C(1) << units[i].shift);
		return true;
	}
	return false;
}

static int
read_features(struct file_reader *r, const struct yaml_node *n, const struct option_spec *o,
	      void *options)
{
	uint64_t mask = 0;

	if (n->kind != YAML_LIST)
		return refuse(r, n, o);
	for (const struct yaml_node *c = n->child; c; c = c->next) {
		int bit = c->kind == YAML_SCALAR ? features_find(c->text) : -1;

		if (bit < 0)
			return refuse(r, c, o);
		mask |= UINT64_C(1) << bit;
	}
	option_set_integer(o, options, (int64_t)mask);
	return 0;
}

static int
read_option(struct file_reader *r, const struct yaml_node *n, const struct option_spec *o,
	    void *options)
{
	int64_t value = -1;

	if (o->kind == OPTION_FEATURES)
		return read_features(r, n, o, options);
	if (n->kind != YAML_SCALAR)
		return refuse(r, n, o);
	switch (o->kind) {
	case OPTION_TEXT:
		if (!*n->text)
			return refuse(r, n, o);
		option_set_text(o, options, own(r->f, n->text));
		return 0;
	case OPTION_WORD:
		value = option_find_word(o, n->text);
		break;
	case OPTION_BOOLEAN:
		value = n->plain && !strcmp(n->text, "true")	? 1
			: n->plain && !strcmp(n->text, "false") ? 0
								: -1;
		break;
	default:
		if (!parse_integer(n, o->kind == OPTION_BYTES, &value))
			return refuse(r, n, o);
	}
	return option_set_integer(o, options, value) ? 0 : refuse(r, n, o);
}

/* --- maps ----------------------------------------------------------------------------------- */

static int
unknown_key(struct file_reader *r, const struct yaml_node *n, const struct option_spec *table,
	    const char *more)
{
	char list[600];
	size_t k = (size_t)snprintf(list, sizeof(list), "%s", more);

	for (const struct option_spec *o = table; o && o->name && k < sizeof(list); o++)
		k += (size_t)snprintf(list + k, sizeof(list) - k, " %s", o->name);
	return yaml_error(r->t, n, r->err, "unknown key '%.80s'; allowed here:%s", n->key, list);
}

static const struct option_spec *
find_option(const struct option_spec *table, const char *name)
{
	for (; table->name; table++)
		if (!strcmp(table->name, name))
			return table;
	return NULL;
}

static bool
bridge_exists(const struct machine_file *f, const char *name)
{
	for (unsigned i = 0; i < f->bridges; i++)
		if (!strcmp(f->bridge[i].name, name))
			return true;
	return false;
}

static int
read_device(struct file_reader *r, const struct yaml_node *n)
{
	struct machine_file *f = r->f;
	struct device_options *d = &f->device[f->devices];
	const struct yaml_node *c;

	if (yaml_need(r->t, n, YAML_MAP, "a device", r->err))
		return -1;
	if (f->devices == MACHINE_FILE_DEVICES_MAX)
		return yaml_error(r->t, n, r->err, "at most %u devices", MACHINE_FILE_DEVICES_MAX);
	for (c = n->child; c; c = c->next) {
		const struct option_spec *o = find_option(device_option_table, c->key);

		if (!o)
			return unknown_key(r, c, device_option_table, "");
		if (read_option(r, c, o, d))
			return -1;
		if (!strcmp(o->name, "bridge") && !bridge_exists(f, d->bridge))
			return yaml_error(r->t, c, r->err, "there is no bridge '%.80s'", d->bridge);
	}
	if (!d->config.name)
		return yaml_error(r->t, n, r->err, "a device needs a name");
	for (unsigned i = 0; i < f->devices; i++)
		if (!strcmp(f->device[i].config.name, d->config.name))
			return yaml_error(r->t, n, r->err, "a second device '%.80s'",
					  d->config.name);
	f->devices++;
	return 0;
}

static int
read_bridge(struct file_reader *r, const struct yaml_node *n)
{
	struct machine_file *f = r->f;
	struct machine_file_bridge *b = &f->bridge[f->bridges];

	if (yaml_need(r->t, n, YAML_MAP, "a bridge", r->err))
		return -1;
	if (f->bridges == MACHINE_FILE_BRIDGES_MAX)
		return yaml_error(r->t, n, r->err, "at most %u bridges", MACHINE_FILE_BRIDGES_MAX);
	for (const struct yaml_node *c = n->child; c; c = c->next) {
		bool is_parent = !strcmp(c->key, "parent");

		if (!is_parent && strcmp(c->key, "name"))
			return unknown_key(r, c, NULL, " name parent");
		if (yaml_need(r->t, c, YAML_SCALAR, c->key, r->err))
			return -1;
		if (is_parent ? !bridge_exists(f, c->text) : bridge_exists(f, c->text) || !*c->text)
			return yaml_error(r->t, c, r->err,
					  is_parent ? "there is no bridge '%.80s' above"
						    : "'%.80s' is no name for a further bridge",
					  c->text);
		if (is_parent)
			b->parent = own(f, c->text);
		else
			b->name = own(f, c->text);
	}
	if (!b->name)
		return yaml_error(r->t, n, r->err, "a bridge needs a name");
	f->bridges++;
	return 0;
}

static int
read_list(struct file_reader *r, const struct yaml_node *n,
	  int (*read)(struct file_reader *r, const struct yaml_node *n))
{
	if (yaml_need(r->t, n, YAML_LIST, n->key, r->err))
		return -1;
	for (const struct yaml_node *c = n->child; c; c = c->next)
		if (read(r, c))
			return -1;
	return 0;
}

static int
read_file(struct file_reader *r)
{
	const struct yaml_node *root = r->t->root, *devices = NULL;

	if (yaml_need(r->t, root, YAML_MAP, "a machine", r->err))
		return -1;
	for (const struct yaml_node *c = root->child; c; c = c->next) {
		const struct option_spec *o = find_option(machine_option_table, c->key);

		if (!strcmp(c->key, "devices"))
			devices = c; /* after the bridges, wherever they stand */
		else if (!strcmp(c->key, "bridges") ? read_list(r, c, read_bridge)
			 : o			    ? read_option(r, c, o, &r->f->machine)
			     : unknown_key(r, c, machine_option_table, " devices bridges"))
			return -1;
	}
	return devices ? read_list(r, devices, read_device) : 0;
}

static struct machine_file *
from_tree(struct yaml_tree *t, struct error *err)
{
	struct machine_file *f = calloc(1, sizeof(*f));
	struct file_reader r = { f, t, err };

	must(f);
	if (read_file(&r)) {
		machine_file_free(f);
		f = NULL;
	}
	yaml_tree_free(t);
	return f;
}

struct machine_file *
machine_file_load(const char *path, struct error *err)
{
	struct yaml_tree t;

	return yaml_tree_load(&t, path, err) ? NULL : from_tree(&t, err);
}

struct machine_file *
machine_file_parse(const char *path, const char *text, size_t size, struct error *err)
{
	struct yaml_tree t;

	return yaml_tree_parse(&t, path, text, size, err) ? NULL : from_tree(&t, err);
}

void
machine_file_free(struct machine_file *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < f->owned_count; i++)
		free(f->owned[i]);
	free(f->owned);
	free(f);
}

static const char *
keep_text(struct world *w, const char *text)
{
	return text ? world_strdup(w, text) : NULL;
}

void
machine_file_keep(struct script *s, const struct machine_file *f)
{
	struct machine_file *k = world_alloc(s->w, sizeof(*k));

	*k = *f;
	k->owned = NULL;
	k->owned_count = 0;
	for (unsigned i = 0; i < k->bridges; i++) {
		k->bridge[i].name = keep_text(s->w, f->bridge[i].name);
		k->bridge[i].parent = keep_text(s->w, f->bridge[i].parent);
	}
	for (unsigned i = 0; i < k->devices; i++) {
		k->device[i].config.name = keep_text(s->w, f->device[i].config.name);
		k->device[i].bridge = keep_text(s->w, f->device[i].bridge);
		k->device[i].iothread = keep_text(s->w, f->device[i].iothread);
	}
	s->machine_file = k;
}
