/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An arena: one reserved range of addresses in which all state of a world lives, and which can be
 * put back to a snapshot at the price of the pages that were written since.
 *
 *     base                                                       half               base + reserve
 *     | header | objects and guest memory, growing upwards -> ... | stacks, growing upwards -> ...
 * |
 *     |<------------ tracked: put back by arena_restore() ------->|<-- not tracked: the engine
 * --->| saves live stacks itself
 *
 * Restoring by what was touched.  arena_snapshot() write-protects the tracked part.  The first
 * write to a page faults once; the handler keeps a copy of the page, makes it writable and lists it
 * as hot. arena_restore() copies the hot pages back and leaves them writable, so that a page costs
 * one fault in an exploration of a million schedules and one 4 KiB copy a schedule.  Every
 * ARENA_COOL_PERIOD restores the list is begun anew, lest pages that one rare schedule touched are
 * copied for ever. No write barrier is needed in any code that lives here: linked kernel code and
 * Lua included.
 *
 * A system call must not be asked to write into tracked memory (the kernel answers EFAULT where a
 * store would fault): nothing that runs inside a world makes system calls.
 *
 * The allocator's own state is in the header, hence restored too.  It is deterministic: addresses
 * depend on nothing but the sequence of calls.  Blocks are freed with their size, and carry no
 * header.
 *
 * The one global of Ringside is here: the table that lets the process-wide SIGSEGV handler find the
 * arena of an address.  It orders nothing.
 */
#ifndef RINGSIDE_BASE_ARENA_H
#define RINGSIDE_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct error;

#define ARENA_PAGE 4096u
#define ARENA_COOL_PERIOD 1024u

/*
 * Reserve @reserve bytes (a multiple of 2 MiB).  @place asks for the @place-th preferred address
 * (0, 1, …): the same place gives the same addresses in each process, if the system lets us have
 * them; any free one is taken if not.  Null and @err on failure.
 */
struct arena *
arena_create(size_t reserve, unsigned place, struct error *err);

void
arena_destroy(struct arena *a);

/* Zeroed memory, 16-byte aligned; null when the limit is reached. O(1) but for the zeroing. */
void *
arena_alloc(struct arena *a, size_t size);

/* @size as given to arena_alloc(). Null is allowed. */
void
arena_free(struct arena *a, void *block, size_t size);

/* Zeroed pages, page-aligned, for guest memory: untouched ones take no memory. Never freed. */
void *
arena_alloc_pages(struct arena *a, size_t bytes);

/*
 * Page-aligned untracked memory for a slab of stacks, not zeroed; null when the limit is reached.
 * @huge asks for huge pages: in worlds of very many actors page-table walks cost more than the
 * work.
 */
void *
arena_alloc_stacks(struct arena *a, size_t bytes, bool huge);

/* Make one page inaccessible: the guard below a slab of stacks. */
void
arena_guard(struct arena *a, void *page);

/* Take the snapshot (forgetting an earlier one). O(1) and one system call. */
void
arena_snapshot(struct arena *a);

/* Back to the snapshot, which must exist. */
void
arena_restore(struct arena *a);

/* Pages written since the snapshot (or since the last cooling). */
size_t
arena_hot_pages(const struct arena *a);

/*
 * Images: what differs from the snapshot, as lines of 64 bytes, each behind its number.  Worlds
 * with the same bytes in the tracked part have the same image, whatever ran before.  Stacks are
 * not in it.
 *
 * Written to @to, at most @room bytes; returns how many, 0 if they do not suffice.  Costs a
 * comparison of each hot page.
 */
size_t
arena_image_take(struct arena *a, void *to, size_t room);
/* Put back what arena_image_take() wrote since the snapshot. Costs a copy of each hot page. */
void
arena_image_load(struct arena *a, const void *image, size_t bytes);

/* Let only @bytes of objects be allocated from now on; 0 takes the limit away. */
void
arena_limit(struct arena *a, size_t bytes);

/* For tests: the @nth allocation from now fails (1 = the next), and all after it if @forever. */
void
arena_fail_nth(struct arena *a, uint64_t nth, bool forever);

/* First address and used bytes of the tracked part. */
void *
arena_base(const struct arena *a);
size_t
arena_used(const struct arena *a);

/*
 * Tell @hook of faults that are no write to a protected page, and of SIGFPE, SIGILL and abort(),
 * before the process dies of them: it may leave by switching stacks or jumping, on the stack that
 * signals have, or return.  @pc is where it happened, @address what could not be reached.
 */
typedef void (*arena_fault_hook)(int number, const void *pc, const void *address);
void
arena_catch_faults(arena_fault_hook hook);

/* Whether the tracked part or the stacks hold this address. */
bool
arena_holds(const struct arena *a, const void *address);

#endif
