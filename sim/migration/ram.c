/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migration/ram.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/must.h"
#include "engine/world.h"
#include "migration/ram_impl.h"

#define CHUNK_BYTES (RAM_CHUNK_PAGES * sizeof(ram_content))

struct ram *
ram_create(struct world *w, const struct ram_block *blocks, unsigned count)
{
	struct ram *r = world_alloc(w, sizeof(*r));

	must(count > 0 && count <= RAM_BLOCKS_MAX);
	r->w = w;
	for (unsigned i = 0; i < count; i++) {
		must(blocks[i].pages > 0);
		r->block[i] = blocks[i];
		if (!r->block[i].host_pages)
			r->block[i].host_pages = 1;
		must(blocks[i].pages % r->block[i].host_pages == 0);
		r->block[i].first = r->pages;
		r->pages += blocks[i].pages;
	}
	must(r->pages <= RAM_PAGES_MAX);
	r->blocks = count;
	r->chunks = (r->pages + RAM_CHUNK_PAGES - 1) / RAM_CHUNK_PAGES;
	r->chunk = world_alloc(w, r->chunks * sizeof(*r->chunk));
	r->bytes = ram_bytes_create(w);
	return r;
}

uint64_t
ram_pages(const struct ram *r)
{
	return r->pages;
}

unsigned
ram_blocks(const struct ram *r, const struct ram_block **blocks)
{
	*blocks = r->block;
	return r->blocks;
}

struct ram_host_page
ram_host_page(const struct ram *r, uint64_t page)
{
	const struct ram_block *b = r->block;
	uint64_t first;

	must(page < r->pages);
	while (page >= b->first + b->pages)
		b++;
	first = page - (page - b->first) % b->host_pages;
	return (struct ram_host_page){ first, first + b->host_pages };
}

uint64_t
ram_host_pages_max(const struct ram *r)
{
	uint64_t most = 1;

	for (unsigned i = 0; i < r->blocks; i++)
		if (r->block[i].host_pages > most)
			most = r->block[i].host_pages;
	return most;
}

ram_content
ram_read(const struct ram *r, uint64_t page)
{
	const struct ram_chunk *c = &r->chunk[page / RAM_CHUNK_PAGES];

	must(page < r->pages);
	return c->page ? c->page[page % RAM_CHUNK_PAGES] : c->uniform;
}

/* The chunk's words, made real. */
static ram_content *
chunk_words(struct ram *r, struct ram_chunk *c)
{
	if (!c->page) {
		c->page = world_alloc(r->w, CHUNK_BYTES);
		for (unsigned i = 0; c->uniform && i < RAM_CHUNK_PAGES; i++)
			c->page[i] = c->uniform;
		r->real++;
	}
	return c->page;
}

/* All of it is @content. */
static void
chunk_set(struct ram *r, struct ram_chunk *c, ram_content content)
{
	if (c->page) {
		world_free(r->w, c->page, CHUNK_BYTES);
		c->page = NULL;
		r->real--;
	}
	c->uniform = content;
}

void
ram_store(struct ram *r, uint64_t page, ram_content content)
{
	struct ram_chunk *c = &r->chunk[page / RAM_CHUNK_PAGES];

	must(page < r->pages);
	if (c->page || c->uniform != content) {
		ram_content *have = &chunk_words(r, c)[page % RAM_CHUNK_PAGES];

		r->touched += content && !*have;
		*have = content;
	}
}

ram_content
ram_write(struct ram *r, uint64_t page, unsigned writer)
{
	ram_content content = ++r->versions << 16 | (writer & 0xffff);
	struct ram_chunk *c = &r->chunk[page / RAM_CHUNK_PAGES];

	/* By the million, all over RAM: what was there is not looked at, which would wait for it.
	 */
	must(page < r->pages);
	if (c->page || c->uniform != content)
		chunk_words(r, c)[page % RAM_CHUNK_PAGES] = content;
	return content;
}

void
ram_prefetch(const struct ram *r, uint64_t page)
{
	const struct ram_chunk *c = &r->chunk[page / RAM_CHUNK_PAGES];

	if (c->page)
		__builtin_prefetch(&c->page[page % RAM_CHUNK_PAGES], 1);
}

ram_content
ram_fill(struct ram *r, uint64_t first, uint64_t count, unsigned writer)
{
	ram_content content = writer ? ++r->versions << 16 | (writer & 0xffff) : RAM_ZERO;
	uint64_t end = first + count;

	must(first <= r->pages && count <= r->pages - first);
	while (first < end) {
		struct ram_chunk *c = &r->chunk[first / RAM_CHUNK_PAGES];
		bool whole = first % RAM_CHUNK_PAGES == 0 &&
			     (end - first >= RAM_CHUNK_PAGES || end == r->pages);

		if (!whole) {
			ram_store(r, first++, content);
			continue;
		}
		chunk_set(r, c, content);
		first += RAM_CHUNK_PAGES;
	}
	return content;
}

static unsigned
chunk_zeros(const struct ram_chunk *c)
{
	unsigned zeros = 0;

	if (!c->page)
		return c->uniform ? 0 : RAM_CHUNK_PAGES;
	for (unsigned i = 0; i < RAM_CHUNK_PAGES; i++)
		zeros += c->page[i] == RAM_ZERO;
	return zeros;
}

uint64_t
ram_touched(const struct ram *r)
{
	return r->touched;
}

bool
ram_copy_uniform(struct ram *to, const struct ram *from, uint64_t page, ram_content *content)
{
	const struct ram_chunk *s = &from->chunk[page / RAM_CHUNK_PAGES];
	struct ram_chunk *d = &to->chunk[page / RAM_CHUNK_PAGES];

	if (page % RAM_CHUNK_PAGES || s->page || from->pages - page < RAM_CHUNK_PAGES)
		return false;
	*content = s->uniform;
	if (s->uniform)
		to->touched += chunk_zeros(d);
	chunk_set(to, d, s->uniform);
	return true;
}

/* Give a chunk's words back if all hold the same. */
static void
chunk_collapse(struct ram *r, struct ram_chunk *c)
{
	for (unsigned i = 1; i < RAM_CHUNK_PAGES; i++)
		if (c->page[i] != c->page[0])
			return;
	c->uniform = c->page[0];
	world_free(r->w, c->page, CHUNK_BYTES);
	c->page = NULL;
	r->real--;
}

unsigned
ram_copy_word(struct ram *to, const struct ram *from, uint64_t word, uint64_t mask)
{
	const struct ram_chunk *s = &from->chunk[word * 64 / RAM_CHUNK_PAGES];
	struct ram_chunk *d = &to->chunk[word * 64 / RAM_CHUNK_PAGES];
	unsigned at = (unsigned)(word * 64 % RAM_CHUNK_PAGES), zeros = 0;
	ram_content *have;

	if (!s->page && !d->page && s->uniform == d->uniform)
		return s->uniform ? 0 : (unsigned)__builtin_popcountll(mask);
	have = chunk_words(to, d);
	for (uint64_t left = mask; left; left &= left - 1) {
		unsigned i = at + (unsigned)__builtin_ctzll(left);
		ram_content c = s->page ? s->page[i] : s->uniform;

		zeros += c == RAM_ZERO;
		to->touched += c && !have[i];
		have[i] = c;
	}
	/* The last word of what is the same throughout: a bulk pass leaves chunks uniform. */
	if (!s->page && at == RAM_CHUNK_PAGES - 64)
		chunk_collapse(to, d);
	return zeros;
}

uint64_t
ram_next_difference(const struct ram *a, const struct ram *b, uint64_t start)
{
	must(a->pages == b->pages);
	while (start < a->pages) {
		const struct ram_chunk *x = &a->chunk[start / RAM_CHUNK_PAGES];
		const struct ram_chunk *y = &b->chunk[start / RAM_CHUNK_PAGES];
		uint64_t end = (start / RAM_CHUNK_PAGES + 1) * RAM_CHUNK_PAGES;

		if (!x->page && !y->page) {
			if (x->uniform != y->uniform)
				return start;
			start = end;
			continue;
		}
		for (; start < end && start < a->pages; start++)
			if (ram_read(a, start) != ram_read(b, start))
				return start;
	}
	return a->pages;
}

uint64_t
ram_block_digest(const struct ram *r, unsigned block)
{
	const struct ram_block *b = &r->block[block];
	ram_content words[RAM_CHUNK_PAGES];
	uint64_t digest = 0;

	must(block < r->blocks);
	for (uint64_t page = 0; page < b->pages;) {
		unsigned n = 0;

		while (n < RAM_CHUNK_PAGES && page < b->pages)
			words[n++] = ram_read(r, b->first + page++);
		digest = hash_bytes(words, n * sizeof(*words), digest);
	}
	return digest;
}

const char *
ram_block_digest_text(const struct ram *r, unsigned block, char *text, unsigned size)
{
	snprintf(text, size, "xxh3 : %s: %016" PRIx64, r->block[block].name,
		 ram_block_digest(r, block));
	return text;
}

uint64_t
ram_bytes_used(const struct ram *r)
{
	return r->chunks * sizeof(*r->chunk) + r->real * CHUNK_BYTES;
}
