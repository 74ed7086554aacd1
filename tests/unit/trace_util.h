/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Synthetic syslogs for the tests of the trace room. */
#ifndef RINGSIDE_TESTS_TRACE_UTIL_H
#define RINGSIDE_TESTS_TRACE_UTIL_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct log {
	char text[16384];
	size_t size;
	int seconds;
};

/* A kernel line, one second after the line before. */
static inline void __attribute__((format(printf, 2, 3)))
log_kernel(struct log *l, const char *fmt, ...)
{
	va_list ap;

	l->seconds++;
	l->size += (size_t)snprintf(l->text + l->size, sizeof(l->text) - l->size,
				    "Jan  5 10:00:%02d host kernel: [%5d.000000] ", l->seconds % 60,
				    100 + l->seconds);
	va_start(ap, fmt);
	l->size += (size_t)vsnprintf(l->text + l->size, sizeof(l->text) - l->size, fmt, ap);
	va_end(ap);
	l->text[l->size++] = '\n';
}

static inline void
log_dirty(struct log *l, unsigned gfn, unsigned id, unsigned base, unsigned npages)
{
	log_kernel(l, "+++ gfn=0x%x is marked dirty, id=%u, base_gfn=0x%x, npages=%u", gfn, id,
		   base, npages);
}

static inline void
log_destroyed(struct log *l, unsigned id, unsigned base, unsigned npages)
{
	log_kernel(l, "memslot dirty bitmap of '%u' was destroyed, base_gfn 0x%x, npages %u", id,
		   base, npages);
}

/* A line of QEMU's: no time of its own. */
static inline void __attribute__((format(printf, 2, 3)))
log_qemu(struct log *l, const char *fmt, ...)
{
	va_list ap;

	l->size += (size_t)snprintf(l->text + l->size, sizeof(l->text) - l->size,
				    "Jan  5 10:00:%02d host qemu-system-x86_64: ", l->seconds % 60);
	va_start(ap, fmt);
	l->size += (size_t)vsnprintf(l->text + l->size, sizeof(l->text) - l->size, fmt, ap);
	va_end(ap);
	l->text[l->size++] = '\n';
}

static inline void
log_sync(struct log *l)
{
	log_qemu(l, "== migration_bitmap_sync ==");
}

static inline void
log_seen(struct log *l, unsigned gfn, int set)
{
	if (set)
		log_qemu(l, "qemu: +++ OK, addr=0x%x000 (hva=0x7f00) , who's bitap is set +++",
			 gfn);
	else
		log_qemu(l, "qemu:  --- addr=0x%x000 (hva=0x7f00), who's bitmap not set ---", gfn);
}

#endif
