/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory by versions.  What a page holds is one word: which write it was and whose,
 *
 *	63                    16 15          0
 *	| version              | writer      |      0: the page is all zeros
 *
 * and two pages have the same content if and only if the words are the same.  Versions count the
 * writes of one memory, so that no two writes leave the same content, but for zeros.
 *
 *	chunk[]   | uniform 0 | 512 words | uniform 0x10000 | ...      512 pages, 2 MiB of guest
 *
 * 512 pages that hold the same take an entry of 16 bytes, so that a guest of 1 TiB that was filled
 * once takes 8 MiB; pages that differ take eight bytes each.  It is in the world's arena: chunks
 * made after the set-up's snapshot are not write-protected and are dropped by a restore, so a guest
 * of terabytes costs an exploration what it touched, and nothing needs saving apart.
 *
 * RAM is numbered by ram_addr, as in QEMU; a block (pc.ram, vga.vram) is a range of it with a name.
 */
#ifndef RINGSIDE_MIGRATION_RAM_H
#define RINGSIDE_MIGRATION_RAM_H

#include <stdbool.h>
#include <stdint.h>

struct world;

#define RAM_CHUNK_PAGES 512u
#define RAM_PAGE_BYTES 4096u
#define RAM_BLOCKS_MAX 8u
/* Four times 4 TiB: directories of 512 MiB. */
#define RAM_PAGES_MAX (UINT64_C(1) << 32)

/* What a page holds. */
typedef uint64_t ram_content;

#define RAM_ZERO UINT64_C(0)
/* No write leaves this: a difference was applied to what it was not taken from. */
#define RAM_GARBAGE UINT64_MAX

static inline uint64_t
ram_version(ram_content c)
{
	return c >> 16;
}

static inline unsigned
ram_writer_of(ram_content c)
{
	return (unsigned)(c & 0xffff);
}

struct ram_block {
	const char *name; /* the caller's, for as long as the world lives */
	uint64_t first, pages;
	/* Of a page of the host that is behind it (RAMBlock.page_size): 512 for 2 MiB.  0 is 1. */
	uint64_t host_pages;
};

/* Pages of the guest [first, end) that are one page of the host. */
struct ram_host_page {
	uint64_t first, end;
};

struct ram;

/* @blocks lie one behind the other in the order given; `first` is set here. All zeros.  Each has
 * whole pages of the host. */
struct ram *
ram_create(struct world *w, const struct ram_block *blocks, unsigned count);
/* The host page that @page < ram_pages() is in, and the most pages that one has. O(blocks). */
struct ram_host_page
ram_host_page(const struct ram *r, uint64_t page);
uint64_t
ram_host_pages_max(const struct ram *r);
uint64_t
ram_pages(const struct ram *r);
unsigned
ram_blocks(const struct ram *r, const struct ram_block **blocks);

/* @page < ram_pages(). O(1). */
ram_content
ram_read(const struct ram *r, uint64_t page);
void
ram_store(struct ram *r, uint64_t page, ram_content content);

/* A write by @writer (below 65536): new content, which is returned. */
ram_content
ram_write(struct ram *r, uint64_t page, unsigned writer);

/* @page is going to be written. */
void
ram_prefetch(const struct ram *r, uint64_t page);

/* Pages [first, first + count) hold one content of @writer, or zeros with writer 0. O(chunks). */
ram_content
ram_fill(struct ram *r, uint64_t first, uint64_t count, unsigned writer);

/*
 * Copy the pages of @mask of word @word (64 pages) from @from; how many of them are zero.  O(1)
 * where both are uniform and stay so.
 */
unsigned
ram_copy_word(struct ram *to, const struct ram *from, uint64_t word, uint64_t mask);

/* The same for a whole chunk from @page on, if the source holds one content there; false if not. */
bool
ram_copy_uniform(struct ram *to, const struct ram *from, uint64_t page, ram_content *content);

/*
 * How often ram_store() and the copies put content where zeros were: what the host must allocate
 * first.  Of a destination: ram_write() does not look.
 */
uint64_t
ram_touched(const struct ram *r);

/* The first page at or after @start in which they differ, or ram_pages(). Same sizes. */
uint64_t
ram_next_difference(const struct ram *a, const struct ram *b, uint64_t start);

/*
 * A digest of what is in a block: XXH3 of the content words, whatever the chunks look like.  Equal
 * on both sides if the memories are, as the MD5 of a RAM block that people print on both hosts.
 */
uint64_t
ram_block_digest(const struct ram *r, unsigned block);
/* "xxh3 : pc.ram: 0123456789abcdef" into @text, which is returned. */
const char *
ram_block_digest_text(const struct ram *r, unsigned block, char *text, unsigned size);

/*
 * Real bytes, for who wants them.  Every content stands for 4096 of them: those that were stored,
 * or, for a write that did not say what, some that follow from the content word.  Stored bytes are
 * kept once, whoever has them, and never change; storing what is known gives the same word again,
 * so that equal bytes are equal contents, and zeros are RAM_ZERO.  Costs 4 KiB a different page.
 *
 * Store @size bytes at @offset of the page; the rest stays as it is.  The new content.
 */
ram_content
ram_store_bytes(struct ram *r, uint64_t page, unsigned offset, const void *bytes, unsigned size,
		unsigned writer);
/* What a page holds that has @content. */
void
ram_bytes_of(const struct ram *r, ram_content content, uint8_t bytes[RAM_PAGE_BYTES]);
/* Whether bytes were stored for it. */
bool
ram_has_bytes(const struct ram *r, ram_content content);
/* @to learns of all bytes that @from has, now and later: a destination. Before anything is stored
 * in @to. */
void
ram_share_bytes(struct ram *to, const struct ram *from);

/* MD5 of a block's bytes: "md5 : pc.ram: …" into @text. 4 KiB a page: for small guests. */
const char *
ram_block_md5_text(const struct ram *r, unsigned block, char *text, unsigned size);

/* Bytes of chunks and directory. */
uint64_t
ram_bytes_used(const struct ram *r);

#endif
