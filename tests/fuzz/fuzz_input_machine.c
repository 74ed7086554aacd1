/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Damaged machines in YAML. */
#include "fuzz_input.h"
#include "script/machine_file.h"

static const char *const words[] = { "- ",
				     "  - name: a\n",
				     "\n",
				     "\n  ",
				     ": ",
				     "&x ",
				     "*x",
				     "<<: *x\n",
				     "!!int ",
				     "!<tag:x> ",
				     "---\n",
				     "...\n",
				     "%YAML 9.9\n",
				     "? ",
				     "| \n",
				     ">-\n",
				     "[",
				     "]",
				     "{",
				     "}",
				     ", ",
				     "\"",
				     "'",
				     "\t",
				     "# ",
				     "ram: 4KiB\n",
				     "16EiB",
				     "bridges:\n",
				     "devices:\n",
				     "parent: br0\n",
				     "type: virtio-blk\n",
				     "queues: ",
				     "name: disk0\n",
				     "\xff\xfe",
				     "\xef\xbb\xbf",
				     "\x85",
				     "\\x00",
				     "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
				     "true",
				     "~" };
static struct input examples[1];

static void
look(struct fuzz *f, const struct machine_file *m)
{
	fuzz_check(f, m->bridges <= MACHINE_FILE_BRIDGES_MAX &&
			      m->devices <= MACHINE_FILE_DEVICES_MAX);
	for (unsigned i = 0; i < m->bridges; i++)
		fuzz_check(f, m->bridge[i].name && *m->bridge[i].name);
	for (unsigned i = 0; i < m->devices; i++) {
		fuzz_check(f, m->device[i].config.name && *m->device[i].config.name);
		for (unsigned j = 0; j < i; j++)
			fuzz_check(f, strcmp(m->device[i].config.name, m->device[j].config.name));
	}
}

static void
round_one(struct fuzz *f)
{
	struct error err = { "" };
	struct machine_file *m;
	struct input in;

	input_watch(f);
	in = input_damage(f, examples, 1, INPUT_WORDS(words));
	m = machine_file_parse("damaged.yaml", in.data, in.size, &err);
	if (m)
		look(f, m);
	else
		input_check_error(f, &err);
	machine_file_free(m);
	free(in.data);
}

int
main(int argc, char **argv)
{
	examples[0] = input_read("tests/fuzz/data/two-disks.yaml");
	return fuzz_main(argc, argv, "input_machine", 60000, round_one);
}
