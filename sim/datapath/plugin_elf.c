/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the ELF file says of a plugin. Nothing in it is trusted: it may be any file. */
#include "datapath/plugin_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#define MACHINE_NAME "x86-64"
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#define MACHINE_NAME "aarch64"
#else
#define MACHINE EM_NONE
#define MACHINE_NAME "this processor"
#endif

struct image {
	const char *path;
	const unsigned char *bytes;
	size_t size;
};

/* [offset, offset + size) of the file, or null. */
static const void *
part(const struct image *m, uint64_t offset, uint64_t size)
{
	return offset <= m->size && size <= m->size - offset ? m->bytes + offset : NULL;
}

static const Elf64_Shdr *
section(const struct image *m, unsigned index)
{
	const Elf64_Ehdr *h = (const void *)m->bytes;

	if (index >= h->e_shnum || h->e_shentsize != sizeof(Elf64_Shdr) || h->e_shoff % 8)
		return NULL;
	return part(m, h->e_shoff + (uint64_t)index * sizeof(Elf64_Shdr), sizeof(Elf64_Shdr));
}

static const Elf64_Shdr *
section_of_type(const struct image *m, unsigned type)
{
	const Elf64_Shdr *s;

	for (unsigned i = 0; (s = section(m, i)); i++)
		if (s->sh_type == type)
			return s;
	return NULL;
}

/* A string of the table that belongs to section @s; "" if it is not one. */
static const char *
string(const struct image *m, const Elf64_Shdr *s, uint64_t offset)
{
	const Elf64_Shdr *table = section(m, s->sh_link);
	const char *text =
		table && offset < table->sh_size ? part(m, table->sh_offset, table->sh_size) : NULL;

	if (!text || !memchr(text + offset, 0, table->sh_size - offset))
		return "";
	return text + offset;
}

static int
check_header(const struct image *m, struct error *err)
{
	const Elf64_Ehdr *h = part(m, 0, sizeof(*h));

	if (!h || memcmp(h->e_ident, ELFMAG, SELFMAG))
		return error_set(err, "datapath %s: is no ELF file", m->path);
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_machine != MACHINE)
		return error_set(err, "datapath %s: was not compiled for " MACHINE_NAME, m->path);
	if (h->e_type != ET_DYN)
		return error_set(err,
				 "datapath %s: is no shared object; it is linked with cc -shared",
				 m->path);
	return 0;
}

/* A second run time would take the instrumentation over, or stop the process at once. */
static int
check_needed(const struct image *m, struct error *err)
{
	static const char *const taken[] = { "libtsan", "libasan", "libubsan", "libclang_rt",
					     "liblsan" };
	const Elf64_Shdr *s = section_of_type(m, SHT_DYNAMIC);
	const Elf64_Dyn *d = s ? part(m, s->sh_offset, s->sh_size) : NULL;

	for (size_t i = 0; d && i < s->sh_size / sizeof(*d) && d[i].d_tag != DT_NULL; i++) {
		const char *name = d[i].d_tag == DT_NEEDED ? string(m, s, d[i].d_un.d_val) : "";

		for (size_t k = 0; k < sizeof(taken) / sizeof(taken[0]); k++)
			if (!strncmp(name, taken[k], strlen(taken[k])))
				return error_set(err,
						 "datapath %s: is linked against %s; link it with "
						 "-nodefaultlibs: Ringside answers those calls",
						 m->path, name);
	}
	return 0;
}

static int
check_symbols(const struct image *m, struct error *err)
{
	const Elf64_Shdr *s = section_of_type(m, SHT_DYNSYM);
	const Elf64_Sym *symbol = s ? part(m, s->sh_offset, s->sh_size) : NULL;

	if (!symbol)
		return error_set(err, "datapath %s: has no dynamic symbols", m->path);
	for (size_t i = 0; i < s->sh_size / sizeof(*symbol); i++)
		if (symbol[i].st_shndx == SHN_UNDEF &&
		    !strncmp(string(m, s, symbol[i].st_name), "__tsan_", 7))
			return 0;
	return error_set(err,
			 "datapath %s: was not compiled with -fsanitize=thread: Ringside would see "
			 "none of its accesses",
			 m->path);
}

/* --- the file ------------------------------------------------------------------------------- */

/* 0, or -1 and @err. */
static int
image_open(struct image *m, const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *bytes;

	m->path = path;
	if (fd < 0)
		return error_set(err, "datapath %s: %s", path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !st.st_size) {
		close(fd);
		return error_set(err, "datapath %s: is no ELF file", path);
	}
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (bytes == MAP_FAILED)
		return error_set(err, "datapath %s: %s", path, strerror(errno));
	m->bytes = bytes;
	m->size = (size_t)st.st_size;
	return 0;
}

static void
image_close(struct image *m)
{
	munmap((void *)(uintptr_t)m->bytes, m->size);
}

int
plugin_file_check(const char *path, struct error *err)
{
	struct image m;
	int ret = -1;

	if (image_open(&m, path, err))
		return -1;
	if (!check_header(&m, err) && !check_needed(&m, err) && !check_symbols(&m, err))
		ret = 0;
	image_close(&m);
	return ret;
}

/* --- what is outside of the world ----------------------------------------------------------- */

/* Whether a variable of the source, and not of the linker or of crtstuff.c, may be written. */
static bool
is_static(const struct image *m, const Elf64_Sym *symbol, const char *name)
{
	const Elf64_Ehdr *h = (const void *)m->bytes;
	const Elf64_Shdr *s = section(m, symbol->st_shndx), *names = section(m, h->e_shstrndx);
	const char *text = names ? part(m, names->sh_offset, names->sh_size) : NULL;

	if (ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT || !symbol->st_size || !s || !text ||
	    !(s->sh_flags & SHF_WRITE) || s->sh_name >= names->sh_size)
		return false;
	text += s->sh_name;
	return (!strncmp(text, ".data", 5) || !strncmp(text, ".bss", 4)) &&
	       strncmp(text, ".data.rel.ro", 12) && strncmp(name, "completed.", 10) &&
	       strcmp(name, "__dso_handle");
}

int
plugin_file_statics(const char *path, FILE *to)
{
	const Elf64_Shdr *s;
	const Elf64_Sym *symbol;
	struct image m;
	struct error err;
	int found = 0;

	if (image_open(&m, path, &err))
		return 0;
	s = section_of_type(&m, SHT_SYMTAB);
	symbol = s ? part(&m, s->sh_offset, s->sh_size) : NULL;
	for (size_t i = 0; symbol && i < s->sh_size / sizeof(*symbol); i++) {
		const char *name = string(&m, s, symbol[i].st_name);

		if (!is_static(&m, &symbol[i], name))
			continue;
		found++;
		fprintf(to,
			"ringside: WARNING: %s: %s is a variable outside of the world: nobody puts "
			"it back between two schedules; memory comes from dp_host.alloc()\n",
			path, name);
	}
	image_close(&m);
	return found;
}
