/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/arena_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/must.h"

/* Preferred addresses: above the shadow of AddressSanitizer, below mmap's own area. */
#define PLACE_BASE UINT64_C(0x200000000000)
#define PLACE_STEP (UINT64_C(1) << 40)
#define PLACES 32u

#define COMMIT_STEP (UINT64_C(1) << 20) /* bytes made accessible at a time */
/* What a block is filled with when it is freed: zeroed then and not when it is allocated again, so
 * that what it was used for does not tell equal worlds apart. */
#define FREED_BYTE LIMIT(0, 0xdb)
/* A page made writable alone splits a mapping in three; vm.max_map_count is 65,530 by default.
 * Above this many faults since the last protection, 2 MiB are copied and made writable at once. */
#define HOT_SINGLE_MAX 8192u
#define HOT_RUN 512u
/* So many pages and their copies stay in the first-level cache from one restore to the next. */
#define HOT_CACHED 6u

#define ARENAS_MAX 256
static _Atomic(struct arena *) arenas[ARENAS_MAX];
static _Thread_local void *alternate_stack;

/* --- the fault handler ---------------------------------------------------------------------- */

/* Runs in the signal handler, but synchronously: the fault is a store of our own code. */
static uint32_t
copy_new(struct arena *a)
{
	uint32_t copy = a->copies++, chunk = copy / COPIES_PER_CHUNK;

	if (chunk >= a->chunks_capacity) {
		uint32_t n = a->chunks_capacity ? a->chunks_capacity * 2 : 16;
		char **grown = mmap(NULL, n * sizeof(*grown), PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		must(grown != MAP_FAILED);
		if (a->copy_chunk) {
			memcpy(grown, a->copy_chunk, a->chunks_capacity * sizeof(*grown));
			munmap(a->copy_chunk, a->chunks_capacity * sizeof(*grown));
		}
		a->copy_chunk = grown;
		a->chunks_capacity = n;
	}
	if (!a->copy_chunk[chunk]) {
		a->copy_chunk[chunk] =
			mmap(NULL, (size_t)COPIES_PER_CHUNK * ARENA_PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		must(a->copy_chunk[chunk] != MAP_FAILED);
	}
	return copy;
}

static void
hot_append(struct arena *a, uint32_t page)
{
	if (a->hot_count == a->hot_capacity) {
		size_t n = a->hot_capacity ? a->hot_capacity * 2 : 1024;
		uint32_t *grown = mmap(NULL, n * sizeof(*grown), PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		must(grown != MAP_FAILED);
		if (a->hot) {
			memcpy(grown, a->hot, a->hot_count * sizeof(*grown));
			munmap(a->hot, a->hot_capacity * sizeof(*grown));
		}
		a->hot = grown;
		a->hot_capacity = n;
	}
	a->hot[a->hot_count++] = page;
	a->hot_changes++;
}

/* Whether a hot page is listed twice does not matter: HOT_RUN may meet pages that are hot already.
 */
static void
page_heat(struct arena *a, uint32_t page)
{
	if (!a->copy_of[page]) {
		a->copy_of[page] = copy_new(a);
		arena_page_copy(arena_copy_at(a, a->copy_of[page]),
				a->base + (size_t)page * ARENA_PAGE);
	}
	hot_append(a, page);
}

static bool
arena_fault(struct arena *a, char *address)
{
	if (!a->armed || address < a->base || address >= a->base + a->protected_bytes)
		return false;

	uint32_t page = (uint32_t)((size_t)(address - a->base) / ARENA_PAGE), count = 1;

	if (a->hot_count >= HOT_SINGLE_MAX) {
		page -= page % HOT_RUN;
		count = HOT_RUN;
		if ((size_t)(page + count) * ARENA_PAGE > a->protected_bytes)
			count = (uint32_t)(a->protected_bytes / ARENA_PAGE) - page;
	}
	/* A run may hold pages that are hot and changed: their copy is older and must stay as it
	 * is. */
	for (uint32_t i = 0; i < count; i++)
		page_heat(a, page + i);
	must(!mprotect(a->base + (size_t)page * ARENA_PAGE, (size_t)count * ARENA_PAGE,
		       PROT_READ | PROT_WRITE));
	return true;
}

static arena_fault_hook fault_hook; /* the process's */

static const void *
fault_pc(const void *context)
{
	const ucontext_t *u = context;

#if defined(__x86_64__)
	return (const void *)u->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return (const void *)u->uc_mcontext.pc;
#else
	return u ? NULL : NULL;
#endif
}

static void
on_fault(int signal_number, siginfo_t *info, void *context)
{
	int saved = errno;

	for (int i = 0; i < ARENAS_MAX; i++) {
		struct arena *a = atomic_load_explicit(&arenas[i], memory_order_acquire);

		if (a && arena_fault(a, info->si_addr)) {
			errno = saved;
			return;
		}
	}
	if (fault_hook)
		fault_hook(signal_number, fault_pc(context), info->si_addr);
	fprintf(stderr, "ringside: BUG in Ringside or in linked code: %s at address %p\n",
		signal_number == SIGBUS ? "bus error" : "segmentation fault", info->si_addr);
	must_context_print();
	fflush(NULL);
	abort();
}

/* What kills a process without a page being touched. */
static void
on_death(int signal_number, siginfo_t *info, void *context)
{
	(void)info;
	fault_hook(signal_number, fault_pc(context), NULL);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

/* The stack that faulted may be the page that is protected: the handler needs one of its own. */
static void
handler_install(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault,
				.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	struct sigaction now;

	if (!alternate_stack) {
		stack_t ss = { .ss_size = 64 << 10 };

		alternate_stack = mmap(NULL, ss.ss_size, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		must(alternate_stack != MAP_FAILED);
		ss.ss_sp = alternate_stack;
		must(!sigaltstack(&ss, NULL));
	}
	/* Asked each time: test frameworks and sanitizers install theirs between snapshots. */
	must(!sigaction(SIGSEGV, NULL, &now));
	if (now.sa_sigaction == on_fault)
		return;
	must(!sigaction(SIGSEGV, &sa, NULL));
	must(!sigaction(SIGBUS, &sa, NULL));
}

void
arena_catch_faults(arena_fault_hook hook)
{
	struct sigaction sa = { .sa_sigaction = on_death,
				.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	handler_install();
	fault_hook = hook;
	must(!sigaction(SIGFPE, &sa, NULL));
	must(!sigaction(SIGILL, &sa, NULL));
	must(!sigaction(SIGABRT, &sa, NULL));
}

/* --- life ----------------------------------------------------------------------------------- */

static void *
reserve_at(unsigned place, size_t reserve)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

	for (unsigned i = 0; i < PLACES; i++) {
		void *want = (void *)(PLACE_BASE + (uint64_t)((place + i) % PLACES) * PLACE_STEP);
		void *got = mmap(want, reserve, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0);

		if (got == want)
			return got;
		if (got != MAP_FAILED)
			munmap(got, reserve);
	}
	return mmap(NULL, reserve, PROT_NONE, flags, -1, 0);
}

static bool
registry_add(struct arena *a)
{
	for (int i = 0; i < ARENAS_MAX; i++) {
		struct arena *none = NULL;

		if (atomic_compare_exchange_strong(&arenas[i], &none, a))
			return true;
	}
	return false;
}

struct arena *
arena_create(size_t reserve, unsigned place, struct error *err)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (!a) {
		error_set(err, "out of memory");
		return NULL;
	}
	a->reserve = reserve;
	a->base = reserve_at(place, reserve);
	if (a->base == MAP_FAILED) {
		error_set(err, "cannot reserve %zu MiB of address space: %s", reserve >> 20,
			  strerror(errno));
		free(a);
		return NULL;
	}
	a->copy_of_bytes = reserve / 2 / ARENA_PAGE * sizeof(*a->copy_of);
	a->copy_of = mmap(NULL, a->copy_of_bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	a->copies = 1; /* 0 in copy_of: there is no copy */
	a->high_water = 0;
	if (a->copy_of == MAP_FAILED || !registry_add(a)) {
		error_set(err, "too many worlds in one process (at most %d)", ARENAS_MAX);
		munmap(a->base, a->reserve);
		free(a);
		return NULL;
	}
	must(!mprotect(a->base, COMMIT_STEP, PROT_READ | PROT_WRITE));
	a->committed = COMMIT_STEP;
	arena_header(a)->top = (sizeof(struct arena_header) + 63) & ~(size_t)63;
	a->high_water = arena_header(a)->top;
	return a;
}

void
arena_destroy(struct arena *a)
{
	if (!a)
		return;
	for (int i = 0; i < ARENAS_MAX; i++) {
		struct arena *self = a;

		if (atomic_compare_exchange_strong(&arenas[i], &self, NULL))
			break;
	}
	for (uint32_t i = 0; i < a->chunks_capacity; i++)
		if (a->copy_chunk[i])
			munmap(a->copy_chunk[i], (size_t)COPIES_PER_CHUNK * ARENA_PAGE);
	if (a->copy_chunk)
		munmap(a->copy_chunk, a->chunks_capacity * sizeof(*a->copy_chunk));
	if (a->hot)
		munmap(a->hot, a->hot_capacity * sizeof(*a->hot));
	munmap(a->copy_of, a->copy_of_bytes);
	munmap(a->base, a->reserve);
	free(a->sorted);
	free(a);
}

/* --- allocation ----------------------------------------------------------------------------- */

/* Class of a size and, in *rounded, the bytes that blocks of this class have. */
static unsigned
size_class(size_t size, size_t *rounded)
{
	if (size <= CLASS_SMALL) {
		*rounded = size ? (size + 15) & ~(size_t)15 : 16;
		return (unsigned)(*rounded / 16);
	}

	unsigned power =
		63 - (unsigned)__builtin_clzll(size - 1); /* 2^power < size <= 2^(power+1) */
	size_t quarter = (size_t)1 << (power - 2);

	*rounded = (size + quarter - 1) & ~(quarter - 1);
	return CLASS_SMALL / 16 + (power - 9) * 4 +
	       (unsigned)((*rounded - ((size_t)1 << power)) / quarter);
}

static bool
commit(char *start, size_t *committed, size_t need, size_t most)
{
	size_t want = (need + COMMIT_STEP - 1) & ~(COMMIT_STEP - 1);

	if (need <= *committed)
		return true;
	if (need > most)
		return false;
	if (want > most)
		want = most;
	if (mprotect(start + *committed, want - *committed, PROT_READ | PROT_WRITE))
		return false;
	*committed = want;
	return true;
}

static bool
must_fail_now(struct arena *a)
{
	if (!a->fail_countdown)
		return false;
	if (--a->fail_countdown)
		return false;
	if (a->fail_forever)
		a->fail_countdown = 1;
	return true;
}

static void *
bump(struct arena *a, size_t size, size_t align)
{
	struct arena_header *h = arena_header(a);
	size_t start = (h->top + align - 1) & ~(align - 1);

	if (size > a->reserve || !commit(a->base, &a->committed, start + size, a->reserve / 2))
		return NULL;
	h->top = start + size;

	size_t fresh = start > a->high_water ? start : a->high_water;

	if (start < fresh)
		memset(a->base + start, 0, (fresh < h->top ? fresh : h->top) - start);
	if (h->top > a->high_water)
		a->high_water = h->top;
	return a->base + start;
}

/* In the gap, so that a small world's objects share few pages: each costs a copy a restore. */
static void *
object_place(struct arena *a, size_t size)
{
	struct arena_header *h = arena_header(a);
	void *object = a->base + h->gap;

	if (size > h->gap_end - h->gap)
		return bump(a, size, 16);
	h->gap += size;
	return object;
}

static struct free_block *
large_take(struct arena_header *h, size_t rounded)
{
	for (struct free_block **p = &h->large_free; *p; p = &(*p)->next)
		if ((*p)->size == rounded) {
			struct free_block *block = *p;

			*p = block->next;
			return block;
		}
	return NULL;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	struct arena_header *h = arena_header(a);
	struct free_block *block = NULL;
	size_t rounded;

	if (size > a->reserve / 2 || must_fail_now(a))
		return NULL;

	unsigned class = size_class(size, &rounded);

	if (a->limit && h->live_bytes + rounded > a->limit)
		return NULL;
	if (rounded > CLASS_MAX) {
		block = large_take(h, rounded);
	} else if (h->class_free[class]) {
		block = h->class_free[class];
		h->class_free[class] = block->next;
	}
	if (block)
		memset(block, 0, FREED_BYTE ? rounded : sizeof(*block));
	else
		block = object_place(a, rounded);
	if (block)
		h->live_bytes += rounded;
	return block;
}

void
arena_free(struct arena *a, void *pointer, size_t size)
{
	struct arena_header *h = arena_header(a);
	struct free_block *block = pointer;
	size_t rounded;

	if (!block)
		return;
	must((char *)pointer >= a->base && (char *)pointer < a->base + h->top);

	unsigned class = size_class(size, &rounded);

	must(h->live_bytes >= rounded);
	h->live_bytes -= rounded;
	memset(block, FREED_BYTE, rounded);
	if (rounded > CLASS_MAX) {
		block->size = rounded;
		block->next = h->large_free;
		h->large_free = block;
	} else {
		block->next = h->class_free[class];
		h->class_free[class] = block;
	}
}

void *
arena_alloc_pages(struct arena *a, size_t bytes)
{
	struct arena_header *h = arena_header(a);
	size_t left = h->top, size;

	if (bytes > a->reserve / 2 || must_fail_now(a))
		return NULL;
	bytes = (bytes + ARENA_PAGE - 1) & ~(size_t)(ARENA_PAGE - 1);
	if (a->limit && h->live_bytes + bytes > a->limit)
		return NULL;

	char *pages = bump(a, bytes, ARENA_PAGE);

	if (!pages)
		return NULL;
	h->live_bytes += bytes;
	size = (size_t)(pages - a->base) - left;
	memset(a->base + left, 0, size);
	if (size > h->gap_end - h->gap) {
		h->gap = left;
		h->gap_end = left + size;
	}
	return pages;
}

void *
arena_alloc_stacks(struct arena *a, size_t bytes, bool huge)
{
	struct arena_header *h = arena_header(a);
	size_t start = h->stack_top;

	bytes = (bytes + ARENA_PAGE - 1) & ~(size_t)(ARENA_PAGE - 1);
	if (must_fail_now(a))
		return NULL;
	if (!commit(a->base + a->reserve / 2, &a->stack_committed, start + bytes, a->reserve / 2))
		return NULL;
	h->stack_top = start + bytes;
	if (huge)
		(void)madvise(a->base + a->reserve / 2 + start, bytes, MADV_HUGEPAGE);
	return a->base + a->reserve / 2 + start;
}

void
arena_guard(struct arena *a, void *page)
{
	must(arena_holds(a, page));
	must(!mprotect(page, ARENA_PAGE, PROT_NONE));
}

/* --- snapshot ------------------------------------------------------------------------------- */

void
arena_protect(struct arena *a)
{
	must(!mprotect(a->base, a->protected_bytes, PROT_READ));
	a->hot_count = 0;
	a->hot_changes++;
	a->restores_since_cooling = 0;
}

void
arena_snapshot(struct arena *a)
{
	handler_install();
	if (a->copies > 1) /* copies of an older snapshot are worthless now */
		must(!madvise(a->copy_of, a->copy_of_bytes, MADV_DONTNEED));
	a->copies = 1;
	a->armed = true;
	a->protected_bytes = (arena_header(a)->top + ARENA_PAGE - 1) & ~(size_t)(ARENA_PAGE - 1);
	arena_protect(a);
}

/*
 * Of a size that the compiler does not know, and below the one from which the library takes the
 * processor's string instructions, as the compiler does for a page: they are the fastest way for
 * what comes from the second-level cache, but take half as long again for what is in the first.
 */
static void
page_copy_cached(char *to, const char *from)
{
	size_t half = ARENA_PAGE / 2;

	__asm__("" : "+r"(half));
	memcpy(to, from, half);
	memcpy(to + half, from + half, half);
}

void
arena_restore(struct arena *a)
{
	bool cached = a->hot_count <= HOT_CACHED;

	must(a->armed);
	for (size_t i = 0; i < a->hot_count; i++) {
		char *page = a->base + (size_t)a->hot[i] * ARENA_PAGE;
		const char *copy = arena_copy_at(a, a->copy_of[a->hot[i]]);

		if (cached)
			page_copy_cached(page, copy);
		else
			arena_page_copy(page, copy);
	}
	if (++a->restores_since_cooling >= ARENA_COOL_PERIOD) {
		a->restores_since_cooling = 0;
		if (a->hot_count > COOL_MIN_HOT)
			arena_protect(a);
	}
}

size_t
arena_hot_pages(const struct arena *a)
{
	return a->hot_count;
}

/* --- the rest ------------------------------------------------------------------------------- */

void
arena_limit(struct arena *a, size_t bytes)
{
	a->limit = bytes;
}

void
arena_fail_nth(struct arena *a, uint64_t nth, bool forever)
{
	a->fail_countdown = nth;
	a->fail_forever = forever;
}

void *
arena_base(const struct arena *a)
{
	return a->base;
}

size_t
arena_used(const struct arena *a)
{
	return arena_header(a)->top;
}

bool
arena_holds(const struct arena *a, const void *address)
{
	const char *p = address;

	return (p >= a->base && p < a->base + a->committed) ||
	       (p >= a->base + a->reserve / 2 && p < a->base + a->reserve / 2 + a->stack_committed);
}
