/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/plugin_load.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/must.h"
#include "datapath/plugin.h"
#include "datapath/plugin_file.h"
#include "datapath/plugin_guard.h"

/* memory/access_tsan.c: the compiler's ABI has no header. */
void *
__tsan_memcpy(void *to, const void *from, size_t size);
void *
__tsan_memmove(void *to, const void *from, size_t size);
void *
__tsan_memset(void *to, int byte, size_t size);

/* --- looking it over ------------------------------------------------------------------------ */

/* An operation that is left out would be a call of address 0 in the middle of a run. */
struct operation {
	const char *name;
	size_t offset;
};

#define OPERATION(type, name) \
	{ \
#name, offsetof(struct type, name) \
	}
static const struct operation driver_operation[] = {
	OPERATION(dp_driver_ops, init),
	OPERATION(dp_driver_ops, destroy),
	OPERATION(dp_driver_ops, add),
	OPERATION(dp_driver_ops, kick_prepare),
	OPERATION(dp_driver_ops, notify_data),
	OPERATION(dp_driver_ops, get),
	OPERATION(dp_driver_ops, disable_cb),
	OPERATION(dp_driver_ops, enable_cb_prepare),
	OPERATION(dp_driver_ops, poll),
	OPERATION(dp_driver_ops, enable_cb),
	OPERATION(dp_driver_ops, enable_cb_delayed),
	OPERATION(dp_driver_ops, detach_unused),
	OPERATION(dp_driver_ops, state),
};
static const struct operation device_operation[] = {
	OPERATION(dp_device_ops, init),
	OPERATION(dp_device_ops, destroy),
	OPERATION(dp_device_ops, pop),
	OPERATION(dp_device_ops, unpop),
	OPERATION(dp_device_ops, fill),
	OPERATION(dp_device_ops, flush),
	OPERATION(dp_device_ops, disable_notify),
	OPERATION(dp_device_ops, enable_notify),
	OPERATION(dp_device_ops, should_notify),
	OPERATION(dp_device_ops, empty),
	OPERATION(dp_device_ops, get_position),
	OPERATION(dp_device_ops, set_position),
	OPERATION(dp_device_ops, state),
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Both tables begin with the version and the name. */
static int
check_side(const char *path, const char *side, const void *ops, uint32_t version, const char *name,
	   const struct operation *list, size_t count, struct error *err)
{
	if (version != DATAPATH_ABI_VERSION)
		return error_set(err,
				 "datapath %s: the %s side has abi_version %u, this Ringside has "
				 "%u; compile it with the headers of this one",
				 path, side, version, DATAPATH_ABI_VERSION);
	if (!name || !*name)
		return error_set(err, "datapath %s: the %s side has no name", path, side);
	for (size_t i = 0; i < count; i++) {
		void *operation;

		memcpy(&operation, (const char *)ops + list[i].offset, sizeof(operation));
		if (!operation)
			return error_set(err, "datapath %s: the %s side has no %s()", path, side,
					 list[i].name);
	}
	return 0;
}

static int
check(const char *path, const struct datapath *dp, struct error *err)
{
	if (!dp->name || !*dp->name)
		return error_set(err, "datapath %s: %s has no name", path, RINGSIDE_PLUGIN_SYMBOL);
	if (!dp->driver && !dp->device)
		return error_set(err, "datapath %s: has neither a driver side nor a device side",
				 path);
	if (dp->driver &&
	    check_side(path, "driver", dp->driver, dp->driver->abi_version, dp->driver->name,
		       driver_operation, COUNT(driver_operation), err))
		return -1;
	if (dp->device &&
	    check_side(path, "device", dp->device, dp->device->abi_version, dp->device->name,
		       device_operation, COUNT(device_operation), err))
		return -1;
	return 0;
}

/* --- copies --------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void *to;
} copies[] = {
	{ "memcpy", (void *)__tsan_memcpy },
	{ "memmove", (void *)__tsan_memmove },
	{ "memset", (void *)__tsan_memset },
	/* _FORTIFY_SOURCE: the size of the object comes after the arguments. */
	{ "__memcpy_chk", (void *)__tsan_memcpy },
	{ "__memmove_chk", (void *)__tsan_memmove },
	{ "__memset_chk", (void *)__tsan_memset },
};

static void
redirect(const struct link_map *map, const Elf64_Rela *rela, const Elf64_Sym *symbols,
	 const char *strings)
{
	const char *name = strings + symbols[ELF64_R_SYM(rela->r_info)].st_name;
	void **slot = (void **)(map->l_addr + rela->r_offset);
	char *page = (char *)((uintptr_t)slot & ~(uintptr_t)4095);

	for (size_t i = 0; i < COUNT(copies); i++) {
		if (strcmp(name, copies[i].name))
			continue;
		/* The table may be read-only by now (-z relro). */
		must(!mprotect(page, 4096, PROT_READ | PROT_WRITE));
		*slot = copies[i].to;
	}
}

/*
 * Compilers make calls of memcpy() from assignments and leave those of the source as they are; a
 * sanitizer's run time catches them by being linked before libc.  Here the object's own table of
 * addresses is made to lead to us.
 */
static void
plugin_see_copies(const struct link_map *map)
{
	const Elf64_Sym *symbols = NULL;
	const char *strings = NULL;
	const Elf64_Rela *rela[2] = { NULL, NULL };
	size_t bytes[2] = { 0, 0 };

	for (const Elf64_Dyn *d = map->l_ld; d->d_tag != DT_NULL; d++) {
		const void *at = (const void *)d->d_un.d_ptr;

		if (d->d_tag == DT_SYMTAB)
			symbols = at;
		else if (d->d_tag == DT_STRTAB)
			strings = at;
		else if (d->d_tag == DT_RELA)
			rela[0] = at;
		else if (d->d_tag == DT_RELASZ)
			bytes[0] = d->d_un.d_val;
		else if (d->d_tag == DT_JMPREL)
			rela[1] = at;
		else if (d->d_tag == DT_PLTRELSZ)
			bytes[1] = d->d_un.d_val;
	}
	for (unsigned k = 0; k < 2 && symbols && strings; k++)
		for (size_t i = 0; rela[k] && i < bytes[k] / sizeof(**rela); i++)
			if (ELF64_R_SYM(rela[k][i].r_info))
				redirect(map, &rela[k][i], symbols, strings);
}

/* --- loading -------------------------------------------------------------------------------- */

/* The process's: what was loaded stays. */
static struct loaded {
	char path[4096]; /* as dlopen() got it */
	const struct datapath *datapath;
} loaded[PLUGINS_MAX];
static unsigned loaded_count;

static const struct datapath *
guarded(struct loaded *l, void *handle, struct error *err)
{
	const struct datapath *dp = dlsym(handle, RINGSIDE_PLUGIN_SYMBOL);
	struct link_map *map = NULL;

	if (!dp) {
		error_set(err, "datapath %s: has no symbol %s (datapath/plugin.h)", l->path,
			  RINGSIDE_PLUGIN_SYMBOL);
		return NULL;
	}
	if (check(l->path, dp, err))
		return NULL;
	must(!dlinfo(handle, RTLD_DI_LINKMAP, &map));
	plugin_see_copies(map);
	l->datapath = plugin_guard(l->path, (const void *)map->l_addr, dp);
	plugin_file_barriers(l->path, stderr);
	plugin_file_statics(l->path, stderr);
	loaded_count++;
	return l->datapath;
}

const struct datapath *
plugin_load(const char *path, struct error *err)
{
	const struct datapath *dp;
	struct loaded *l;
	char here[sizeof(l->path)];
	void *handle;

	/* dlopen() would search for a name without a slash. */
	snprintf(here, sizeof(here), "%s%s", strchr(path, '/') ? "" : "./", path);
	for (unsigned i = 0; i < loaded_count; i++)
		if (!strcmp(loaded[i].path, here))
			return loaded[i].datapath;
	if (loaded_count == PLUGINS_MAX) {
		error_set(err, "datapath %s: at most %u plugins", path, PLUGINS_MAX);
		return NULL;
	}
	l = &loaded[loaded_count];
	memcpy(l->path, here, sizeof(here));
	if (plugin_file_check(here, err))
		return NULL;
	handle = dlopen(here, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		error_set(err, "datapath %s", dlerror());
		return NULL;
	}
	dp = guarded(l, handle, err);
	if (!dp)
		dlclose(handle);
	return dp;
}
