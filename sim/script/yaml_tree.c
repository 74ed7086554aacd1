/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "script/yaml_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/must.h"
#include "script/source.h"

struct builder {
	struct yaml_tree *t;
	struct yaml_node *open[YAML_DEPTH_MAX]; /* lists and maps that are not closed */
	struct yaml_node **tail[YAML_DEPTH_MAX]; /* where the next child goes */
	unsigned depth, nodes;
	struct yaml_node *key; /* a map's key whose value comes next: has its text and place */
	bool done;
};

/* --- errors --------------------------------------------------------------------------------- */

int
yaml_error(const struct yaml_tree *t, const struct yaml_node *n, struct error *err, const char *fmt,
	   ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_at(err, t->path, n ? n->line : 0, n ? n->column : 0, "%s", text);
}

int
yaml_need(const struct yaml_tree *t, const struct yaml_node *n, enum yaml_kind kind,
	  const char *what, struct error *err)
{
	static const char *const word[] = { "a single value", "a list", "a map" };

	return n->kind == kind ? 0
			       : yaml_error(t, n, err, "%s: must be %s, not %s", what, word[kind],
					    word[n->kind]);
}

static int
at_mark(struct builder *b, const yaml_mark_t *m, struct error *err, const char *text)
{
	return error_at(err, b->t->path, (long)m->line + 1, (long)m->column + 1, "%s", text);
}

/* --- building ------------------------------------------------------------------------------- */

static void
node_free(struct yaml_node *n)
{
	while (n) {
		struct yaml_node *next = n->next;

		node_free(n->child); /* at most YAML_DEPTH_MAX deep */
		free(n->key);
		free(n->text);
		free(n);
		n = next;
	}
}

static struct yaml_node *
node_new(struct builder *b, enum yaml_kind kind, const yaml_mark_t *m)
{
	struct yaml_node *n = calloc(1, sizeof(*n));

	must(n);
	n->kind = kind;
	n->line = (long)m->line + 1;
	n->column = (long)m->column + 1;
	b->nodes++;
	return n;
}

/* Whether the next scalar is a key. */
static bool
wants_key(const struct builder *b)
{
	return b->depth && b->open[b->depth - 1]->kind == YAML_MAP && !b->key;
}

static void
append(struct builder *b, struct yaml_node *n)
{
	if (b->key) {
		n->key = b->key->text;
		n->line = b->key->line;
		n->column = b->key->column;
		b->key->text = NULL;
		node_free(b->key);
		b->key = NULL;
	}
	if (!b->depth) {
		b->t->root = n;
	} else {
		*b->tail[b->depth - 1] = n;
		b->tail[b->depth - 1] = &n->next;
	}
}

static int
scalar(struct builder *b, const yaml_event_t *e, struct error *err)
{
	const char *value = (const char *)e->data.scalar.value;
	size_t size = e->data.scalar.length;
	struct yaml_node *n;

	if (size > YAML_SCALAR_MAX)
		return at_mark(b, &e->start_mark, err, "a value of more than 1024 bytes");
	if (strlen(value) != size)
		return at_mark(b, &e->start_mark, err, "a zero byte in a value");
	n = node_new(b, YAML_SCALAR, &e->start_mark);
	must(n->text = strdup(value));
	n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (!wants_key(b)) {
		append(b, n);
		return 0;
	}
	b->key = n;
	for (struct yaml_node *c = b->open[b->depth - 1]->child; c; c = c->next)
		if (!strcmp(c->key, n->text))
			return yaml_error(b->t, n, err, "'%s' stands twice (first in line %ld)",
					  n->text, c->line);
	return 0;
}

static int
open_node(struct builder *b, enum yaml_kind kind, const yaml_event_t *e, struct error *err)
{
	struct yaml_node *n;

	if (wants_key(b))
		return at_mark(b, &e->start_mark, err, "a key must be a single value");
	if (b->depth == YAML_DEPTH_MAX)
		return at_mark(b, &e->start_mark, err, "nested more than 16 deep");
	n = node_new(b, kind, &e->start_mark);
	append(b, n);
	b->open[b->depth] = n;
	b->tail[b->depth++] = &n->child;
	return 0;
}

static bool
is_marked(const yaml_event_t *e)
{
	return (e->type == YAML_SCALAR_EVENT && (e->data.scalar.anchor || e->data.scalar.tag)) ||
	       (e->type == YAML_SEQUENCE_START_EVENT &&
		(e->data.sequence_start.anchor || e->data.sequence_start.tag)) ||
	       (e->type == YAML_MAPPING_START_EVENT &&
		(e->data.mapping_start.anchor || e->data.mapping_start.tag));
}

static int
take(struct builder *b, const yaml_event_t *e, struct error *err)
{
	if (is_marked(e))
		return at_mark(b, &e->start_mark, err, "anchors and tags are not taken here");
	if (b->nodes >= YAML_NODES_MAX)
		return at_mark(b, &e->start_mark, err, "more than 20000 values");
	switch (e->type) {
	case YAML_ALIAS_EVENT:
		return at_mark(b, &e->start_mark, err, "aliases are not taken here");
	case YAML_DOCUMENT_START_EVENT:
		return b->t->root ? at_mark(b, &e->start_mark, err, "a second document") : 0;
	case YAML_SCALAR_EVENT:
		return scalar(b, e, err);
	case YAML_SEQUENCE_START_EVENT:
		return open_node(b, YAML_LIST, e, err);
	case YAML_MAPPING_START_EVENT:
		return open_node(b, YAML_MAP, e, err);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		must(b->depth);
		b->depth--;
		return 0;
	case YAML_STREAM_END_EVENT:
		b->done = true;
		return 0;
	default:
		return 0;
	}
}

static int
parser_error(struct builder *b, const yaml_parser_t *p, struct error *err)
{
	const yaml_mark_t *m = p->error == YAML_READER_ERROR ? &p->mark : &p->problem_mark;

	return at_mark(b, m, err, p->problem ? p->problem : "is no YAML");
}

int
yaml_tree_parse(struct yaml_tree *t, const char *path, const char *text, size_t size,
		struct error *err)
{
	struct builder b = { .t = t };
	yaml_parser_t parser;
	yaml_event_t event;
	int ret = 0;

	*t = (struct yaml_tree){ 0 };
	must(t->path = strdup(path));
	must(yaml_parser_initialize(&parser));
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	while (!ret && !b.done) {
		if (!yaml_parser_parse(&parser, &event)) {
			ret = parser_error(&b, &parser, err);
			break;
		}
		ret = take(&b, &event, err);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	node_free(b.key);
	if (!ret && !t->root)
		ret = error_set(err, "%s: is empty", path);
	if (ret)
		yaml_tree_free(t);
	return ret;
}

int
yaml_tree_load(struct yaml_tree *t, const char *path, struct error *err)
{
	char *text;
	size_t size;
	int ret;

	*t = (struct yaml_tree){ 0 };
	if (source_read(path, YAML_BYTES_MAX, &text, &size, err))
		return -1;
	ret = yaml_tree_parse(t, path, text, size, err);
	free(text);
	return ret;
}

void
yaml_tree_free(struct yaml_tree *t)
{
	node_free(t->root);
	free(t->path);
	*t = (struct yaml_tree){ 0 };
}
