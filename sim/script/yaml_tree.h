/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A YAML document as a tree with the place of each node, from libyaml's events.
 *
 * The text is not trusted: size, depth, number of nodes and length of scalars are bounded; anchors
 * and aliases (by which a few lines become gigabytes), tags and further documents are refused, and
 * so are keys that are no scalars and keys that stand twice.
 */
#ifndef RINGSIDE_SCRIPT_YAML_TREE_H
#define RINGSIDE_SCRIPT_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define YAML_BYTES_MAX (256u << 10)
#define YAML_DEPTH_MAX 16u
#define YAML_NODES_MAX 20000u
#define YAML_SCALAR_MAX 1024u /* bytes */

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_kind kind;
	long line, column; /* from 1; of a map's value: of its key */
	char *key; /* in a map, else null */
	char *text; /* of a scalar */
	bool plain; /* a scalar without quotes: may be a number or a boolean */
	struct yaml_node *child, *next; /* lists and maps, in their order */
};

struct yaml_tree {
	char *path;
	struct yaml_node *root;
};

/* 0, or -1 and @err with file:line:column. On -1 the tree is empty. */
int
yaml_tree_load(struct yaml_tree *t, const char *path, struct error *err);
int
yaml_tree_parse(struct yaml_tree *t, const char *path, const char *text, size_t size,
		struct error *err);
void
yaml_tree_free(struct yaml_tree *t);

/* -1 and "file:line:column: …". */
int
yaml_error(const struct yaml_tree *t, const struct yaml_node *n, struct error *err, const char *fmt,
	   ...) __attribute__((format(printf, 4, 5)));

/* An error unless it is of this kind; @what names it ("devices"). */
int
yaml_need(const struct yaml_tree *t, const struct yaml_node *n, enum yaml_kind kind,
	  const char *what, struct error *err);

#endif
