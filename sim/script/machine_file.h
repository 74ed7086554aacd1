/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine written in YAML, shared by scenarios: `machine = "file.yaml"` in a scenario, or
 * --machine.
 *
 *	ram: 64MiB                         bytes, or a number with KiB, MiB, GiB
 *	vcpus: 2
 *	bridges:
 *	  - name: br0
 *	    parent: br1                    left out: on the root bus; else one that stands before it
 *	devices:
 *	  - name: blk0
 *	    type: virtio-blk
 *	    backend: iothread
 *	    queues: 2
 *	    …                              the options of vm:device{} (machine_options.h)
 *
 * The scenario's machine{} makes it all; its own options go over those of the file, and
 * vm:device("blk0") finds what the file made.  Names, ranges and words are checked when the file is
 * read: errors name file, line and column, and what is allowed.
 */
#ifndef RINGSIDE_SCRIPT_MACHINE_FILE_H
#define RINGSIDE_SCRIPT_MACHINE_FILE_H

#include "base/error.h"
#include "script/machine_options.h"

#define MACHINE_FILE_DEVICES_MAX 64u
#define MACHINE_FILE_BRIDGES_MAX 64u

struct machine_file_bridge {
	const char *name, *parent; /* parent may be null */
};

/* A machine{} without a file uses an empty one. */
struct machine_file {
	struct machine_config machine;
	struct machine_file_bridge bridge[MACHINE_FILE_BRIDGES_MAX];
	unsigned bridges;
	struct device_options device[MACHINE_FILE_DEVICES_MAX];
	unsigned devices;
	char **owned; /* texts */
	unsigned owned_count;
};

/* Null and @err. */
struct machine_file *
machine_file_load(const char *path, struct error *err);
struct machine_file *
machine_file_parse(const char *path, const char *text, size_t size, struct error *err);
void
machine_file_free(struct machine_file *f); /* null is allowed */

/* Copy it into the world, for machine{} to find. */
void
machine_file_keep(struct script *s, const struct machine_file *f);

#endif
