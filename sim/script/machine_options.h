/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of a machine and of a device: one table each, from which vm:device{}, machine{}, the
 * YAML reader and the reference in `ringside api` come.  An option is a field of the models' own
 * configuration (vmm/machine.h), with its range or words.
 */
#ifndef RINGSIDE_SCRIPT_MACHINE_OPTIONS_H
#define RINGSIDE_SCRIPT_MACHINE_OPTIONS_H

#include "script/lua_world.h"
#include "vmm/machine.h"

enum option_kind {
	OPTION_INTEGER,
	OPTION_BYTES, /* an integer; in YAML with KiB, MiB, GiB, too */
	OPTION_BOOLEAN,
	OPTION_WORD, /* one of a list; the field is its number */
	OPTION_TEXT,
	OPTION_FEATURES /* a list of names of feature bits */
};

struct option_spec {
	const char *name;
	enum option_kind kind;
	size_t offset, size; /* of the field in the options struct */
	int64_t min, max;
	const char *const *words;
	unsigned word_count;
	const char *what;
};

/* Texts are owned by whoever filled it in: Lua's heap, or a machine file. */
struct device_options {
	struct machine_device_config config;
	const char *bridge, *iothread; /* by name; null: none */
};

extern const struct option_spec
	machine_option_table[]; /* of struct machine_config, ended by a null name */
extern const struct option_spec device_option_table[]; /* of struct device_options */

/* Set one field of @options; false if @value is out of range. */
bool
option_set_integer(const struct option_spec *o, void *options, int64_t value);
void
option_set_text(const struct option_spec *o, void *options, const char *value);

/* Number of a word, or -1. */
int
option_find_word(const struct option_spec *o, const char *word);

/* "1 … 8", "one of: a b c": what is allowed, for messages. */
void
option_allowed(const struct option_spec *o, char *text, size_t size);

/*
 * Fill @options from the Lua table at @index; unknown names and bad values are errors of @function.
 */
void
options_from_lua(lua_State *L, int index, const char *function, const struct option_spec *table,
		 void *options);

#endif
