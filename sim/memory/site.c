/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory/site.h"

#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <inttypes.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"

#define OFFSET_MASK ((INT64_C(1) << SITE_IMAGE_SHIFT) - 1)
#define BUILD_ID_BYTES_MAX 32

extern const char __executable_start[]; /* by the linker: where the program's image begins */
extern const char _end[]; /* and where it ends */

struct image {
	uintptr_t start, end;
	char *path;
	char build_id[2 * BUILD_ID_BYTES_MAX + 1];
	Dwfl *dwfl; /* opened when the first name is asked for */
	Dwfl_Module *module; /* null: it cannot be read */
	bool opened;
};

/* What was looked up, by site: open addressing. */
struct place {
	int64_t site;
	struct site_frame frame[SITE_FRAMES_MAX];
	unsigned frames; /* 0: an empty slot */
};

static struct image images[SITE_IMAGES_MAX];
static unsigned image_count;
static struct place *places;
static size_t place_count, place_capacity;

/* --- images --------------------------------------------------------------------------------- */

struct image_query {
	uintptr_t address;
	struct image *image;
};

static void
read_build_id(struct image *m, const char *note, size_t bytes)
{
	while (bytes >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *n = (const void *)note;
		size_t name = (n->n_namesz + 3u) & ~3u, desc = (n->n_descsz + 3u) & ~3u;
		const unsigned char *id = (const void *)(note + sizeof(*n) + name);

		if (sizeof(*n) + name + desc > bytes)
			return;
		if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 &&
		    n->n_descsz <= BUILD_ID_BYTES_MAX)
			for (unsigned i = 0; i < n->n_descsz; i++)
				snprintf(m->build_id + 2 * i, 3, "%02x", id[i]);
		note += sizeof(*n) + name + desc;
		bytes -= sizeof(*n) + name + desc;
	}
}

/* For dl_iterate_phdr(): is the address in this image? */
static int
find_image(struct dl_phdr_info *info, size_t size, void *context)
{
	struct image_query *q = context;
	uintptr_t low = UINTPTR_MAX, high = 0;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD)
			continue;
		if (info->dlpi_addr + p->p_vaddr < low)
			low = info->dlpi_addr + p->p_vaddr;
		if (info->dlpi_addr + p->p_vaddr + p->p_memsz > high)
			high = info->dlpi_addr + p->p_vaddr + p->p_memsz;
	}
	if (q->address < low || q->address >= high)
		return 0;
	q->image->start = low;
	q->image->end = high;
	q->image->path = strdup(*info->dlpi_name ? info->dlpi_name : "/proc/self/exe");
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_NOTE)
			read_build_id(q->image, (const char *)(info->dlpi_addr + p->p_vaddr),
				      p->p_memsz);
	}
	return 1;
}

/* The image with this address becomes the next number, or the one it had before it was reloaded. */
static unsigned
image_add(uintptr_t address)
{
	struct image m = { 0 };
	struct image_query q = { address, &m };

	if (!dl_iterate_phdr(find_image, &q) || !m.path)
		return 0;
	for (unsigned i = 0; i < image_count; i++) {
		/* What was here before has been unloaded. */
		if (images[i].start < m.end && m.start < images[i].end)
			images[i].start = images[i].end = 0;
		if (strcmp(images[i].path, m.path) || strcmp(images[i].build_id, m.build_id))
			continue;
		images[i].start = m.start;
		images[i].end = m.end;
		free(m.path);
		return i;
	}
	if (image_count == SITE_IMAGES_MAX)
		return SITE_IMAGES_MAX - 1;
	images[image_count] = m;
	return image_count++;
}

static unsigned
image_of(uintptr_t address)
{
	if (!image_count)
		image_add((uintptr_t)__executable_start);
	for (unsigned i = 0; i < image_count; i++)
		if (address >= images[i].start && address < images[i].end)
			return i;
	return image_add(address);
}

int64_t
site_of(const void *pc)
{
	uintptr_t address = (uintptr_t)pc;
	unsigned i;

	if (!pc)
		return 0;
	if (address - (uintptr_t)__executable_start < (uintptr_t)(_end - __executable_start))
		return (int64_t)(address - (uintptr_t)__executable_start);
	i = image_of(address);
	return (int64_t)i << SITE_IMAGE_SHIFT |
	       ((int64_t)(address - images[i].start) & OFFSET_MASK);
}

unsigned
site_images(void)
{
	image_of((uintptr_t)__executable_start);
	return image_count;
}

const char *
site_build_id(unsigned image)
{
	return image < site_images() ? images[image].build_id : "";
}

/* --- debug information ---------------------------------------------------------------------- */

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

static Dwfl_Module *
open_module(struct image *m)
{
	if (m->opened)
		return m->module;
	m->opened = true;
	m->dwfl = dwfl_begin(&callbacks);
	if (m->dwfl) {
		dwfl_report_begin(m->dwfl);
		m->module = dwfl_report_offline(m->dwfl, "", m->path, -1);
		dwfl_report_end(m->dwfl, NULL, NULL);
	}
	return m->module;
}

/* clang writes no .debug_aranges: then each unit is asked. */
static Dwarf_Die *
unit_at(Dwfl_Module *module, Dwarf_Addr address, Dwarf_Addr *bias)
{
	Dwarf_Die *unit = dwfl_module_addrdie(module, address, bias);

	while (!unit && (unit = dwfl_module_nextcu(module, unit, bias)) != NULL) {
		while (unit && dwarf_haspc(unit, address - *bias) <= 0)
			unit = dwfl_module_nextcu(module, unit, bias);
		break;
	}
	return unit;
}

/* Base name, kept for good: strings of a unit may go when libdw is closed. */
static const char *
base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	char *copy = path ? strdup(slash ? slash + 1 : path) : NULL;

	must(copy || !path);
	return copy;
}

static const char *
name_of(Dwarf_Die *die)
{
	Dwarf_Attribute a;
	const char *name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_name, &a));
	char *copy = strdup(name ? name : "?");

	must(copy);
	return copy;
}

static const char *
call_file(Dwarf_Die *unit, Dwarf_Die *inlined)
{
	Dwarf_Attribute a;
	Dwarf_Files *files;
	Dwarf_Word index;
	size_t count;

	if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &a), &index) ||
	    dwarf_getsrcfiles(unit, &files, &count))
		return NULL;
	return index < count ? dwarf_filesrc(files, index, NULL, NULL) : NULL;
}

static int
call_line(Dwarf_Die *inlined)
{
	Dwarf_Attribute a;
	Dwarf_Word line;

	return dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &a), &line) ? 0 : (int)line;
}

/* From the innermost scope outwards: each inlined function, then the one that was called. */
static void
read_frames(struct place *p, Dwarf_Die *unit, Dwarf_Addr address)
{
	Dwarf_Line *at = dwarf_getsrc_die(unit, address);
	const char *file = at ? dwarf_linesrc(at, NULL, NULL) : NULL;
	Dwarf_Die *inner = NULL, *scope = NULL;
	int line = 0, scopes = dwarf_getscopes(unit, address, &inner);

	if (at)
		dwarf_lineno(at, &line);
	/* Scopes of a definition that was inlined are where it was written; wanted is where it is.
	 */
	scopes = scopes > 0 ? dwarf_getscopes_die(&inner[0], &scope) : 0;
	for (int i = 0; i < scopes && p->frames < SITE_FRAMES_MAX; i++) {
		int tag = dwarf_tag(&scope[i]);

		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
			continue;
		p->frame[p->frames++] =
			(struct site_frame){ name_of(&scope[i]), base_name(file), line, 0 };
		if (tag == DW_TAG_subprogram)
			break;
		file = call_file(unit, &scope[i]);
		line = call_line(&scope[i]);
	}
	free(inner);
	free(scope);
}

static void
read_symbol(struct place *p, Dwfl_Module *module, Dwarf_Addr address)
{
	GElf_Off offset = 0;
	GElf_Sym symbol;
	const char *name =
		dwfl_module_addrinfo(module, address, &offset, &symbol, NULL, NULL, NULL);

	if (!name)
		return;
	p->frame[0].function = strdup(name);
	p->frame[0].offset = (unsigned)offset;
	p->frames = 1;
}

static void
look_up(struct place *p)
{
	unsigned number = (unsigned)(p->site >> SITE_IMAGE_SHIFT);
	int64_t offset = p->site & OFFSET_MASK;
	Dwfl_Module *module = NULL;
	Dwarf_Addr start, bias = 0;

	if (number < site_images() && offset)
		module = open_module(&images[number]);
	if (module && dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, NULL, NULL)) {
		Dwarf_Addr address = start + (Dwarf_Addr)offset - 1;
		Dwarf_Die *unit = unit_at(module, address, &bias);

		if (unit)
			read_frames(p, unit, address - bias);
		if (!p->frames)
			read_symbol(p, module, address);
	}
	if (!p->frames) {
		p->frame[0] = (struct site_frame){ "?", NULL, 0, (unsigned)offset };
		p->frames = 1;
	}
}

/* --- what is known of a site ---------------------------------------------------------------- */

static struct place *
slot_of(struct place *table, size_t capacity, int64_t site)
{
	size_t i = hash_u64((uint64_t)site) & (capacity - 1);

	while (table[i].frames && table[i].site != site)
		i = (i + 1) & (capacity - 1);
	return &table[i];
}

static void
grow(void)
{
	size_t capacity = place_capacity ? place_capacity * 2 : 64;
	struct place *table = calloc(capacity, sizeof(*table));

	must(table);
	for (size_t i = 0; i < place_capacity; i++)
		if (places[i].frames)
			*slot_of(table, capacity, places[i].site) = places[i];
	free(places);
	places = table;
	place_capacity = capacity;
}

static void *
look_up_thread(void *p)
{
	look_up(p);
	return NULL;
}

/* libdw needs far more stack than the actor may have that asks: a line table's is on the stack. */
static void
look_up_apart(struct place *p)
{
	pthread_t thread;

	must(!pthread_create(&thread, NULL, look_up_thread, p));
	must(!pthread_join(thread, NULL));
}

static const struct place *
place_of(int64_t site)
{
	struct place *p;

	if (place_count * 2 >= place_capacity)
		grow();
	p = slot_of(places, place_capacity, site);
	if (!p->frames) {
		p->site = site;
		look_up_apart(p);
		place_count++;
	}
	return p;
}

unsigned
site_frames(int64_t site, struct site_frame *frame, unsigned max)
{
	const struct place *p = place_of(site);
	unsigned n = p->frames < max ? p->frames : max;

	memcpy(frame, p->frame, n * sizeof(*frame));
	return n;
}

static bool
in_header(const struct site_frame *f)
{
	size_t n = f->file ? strlen(f->file) : 0;

	return n > 2 && !strcmp(f->file + n - 2, ".h");
}

unsigned
site_frames_of_code(int64_t site, struct site_frame *frame, unsigned max)
{
	const struct place *p = place_of(site);
	unsigned first = 0, n;

	while (first < p->frames && in_header(&p->frame[first]))
		first++;
	if (first == p->frames)
		first = 0;
	n = p->frames - first < max ? p->frames - first : max;
	memcpy(frame, &p->frame[first], n * sizeof(*frame));
	return n;
}

void
site_frame(int64_t site, struct site_frame *frame)
{
	site_frames_of_code(site, frame, 1);
}

void
site_text(int64_t site, char *text, size_t size)
{
	struct site_frame f;

	site_frame(site, &f);
	if (f.file)
		snprintf(text, size, "%s:%d", f.file, f.line);
	else
		snprintf(text, size, "%s+0x%x", f.function, f.offset);
}

size_t
site_frame_text(const struct site_frame *f, char *text, size_t size)
{
	int n = f->file ? snprintf(text, size, "%s %s:%d", f->function, f->file, f->line)
			: snprintf(text, size, "%s+0x%x", f->function, f->offset);

	return (size_t)n < size ? (size_t)n : size - 1;
}
