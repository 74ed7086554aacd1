/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of pages by content: two open-addressed tables over one list, by content word and by what
 * the bytes are.
 */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/prng.h"
#include "engine/world.h"
#include "migration/md5.h"
#include "migration/ram_impl.h"

struct stored {
	ram_content content;
	uint64_t hash; /* of the bytes */
	uint8_t *bytes;
};

struct ram_bytes {
	struct world *w;
	struct stored *entry;
	uint32_t *by_content, *by_bytes; /* 1 + index; 0: free */
	uint32_t count, room; /* tables have twice the room, a power of two */
};

struct ram_bytes *
ram_bytes_create(struct world *w)
{
	struct ram_bytes *b = world_alloc(w, sizeof(*b));

	b->w = w;
	return b;
}

void
ram_share_bytes(struct ram *to, const struct ram *from)
{
	must(!to->bytes->count);
	to->bytes = from->bytes;
}

static void
index_entry(struct ram_bytes *b, uint32_t i)
{
	uint32_t mask = 2 * b->room - 1;
	uint32_t c = (uint32_t)hash_u64(b->entry[i].content) & mask;
	uint32_t h = (uint32_t)b->entry[i].hash & mask;

	while (b->by_content[c])
		c = (c + 1) & mask;
	while (b->by_bytes[h])
		h = (h + 1) & mask;
	b->by_content[c] = b->by_bytes[h] = i + 1;
}

static void
grow(struct ram_bytes *b)
{
	uint32_t room = b->room ? 2 * b->room : 16;
	struct stored *entry = world_alloc(b->w, room * sizeof(*entry));

	if (b->room) {
		memcpy(entry, b->entry, b->count * sizeof(*entry));
		world_free(b->w, b->entry, b->room * sizeof(*entry));
		world_free(b->w, b->by_content, 2 * b->room * sizeof(uint32_t));
		world_free(b->w, b->by_bytes, 2 * b->room * sizeof(uint32_t));
	}
	b->entry = entry;
	b->room = room;
	b->by_content = world_alloc(b->w, 2 * room * sizeof(uint32_t));
	b->by_bytes = world_alloc(b->w, 2 * room * sizeof(uint32_t));
	for (uint32_t i = 0; i < b->count; i++)
		index_entry(b, i);
}

static const struct stored *
find_content(const struct ram_bytes *b, ram_content content)
{
	uint32_t mask = 2 * b->room - 1;

	if (!b->room)
		return NULL;
	for (uint32_t i = (uint32_t)hash_u64(content) & mask; b->by_content[i]; i = (i + 1) & mask)
		if (b->entry[b->by_content[i] - 1].content == content)
			return &b->entry[b->by_content[i] - 1];
	return NULL;
}

static const struct stored *
find_bytes(const struct ram_bytes *b, const uint8_t *bytes, uint64_t hash)
{
	uint32_t mask = 2 * b->room - 1;

	if (!b->room)
		return NULL;
	for (uint32_t i = (uint32_t)hash & mask; b->by_bytes[i]; i = (i + 1) & mask) {
		const struct stored *e = &b->entry[b->by_bytes[i] - 1];

		if (e->hash == hash && !memcmp(e->bytes, bytes, RAM_PAGE_BYTES))
			return e;
	}
	return NULL;
}

bool
ram_has_bytes(const struct ram *r, ram_content content)
{
	return find_content(r->bytes, content);
}

void
ram_bytes_of(const struct ram *r, ram_content content, uint8_t bytes[RAM_PAGE_BYTES])
{
	const struct stored *e = find_content(r->bytes, content);
	uint64_t seed = content;

	if (e) {
		memcpy(bytes, e->bytes, RAM_PAGE_BYTES);
		return;
	}
	memset(bytes, 0, RAM_PAGE_BYTES);
	/* Little-endian, whatever the host: digests are compared between machines. */
	for (unsigned i = 0; content != RAM_ZERO && i < RAM_PAGE_BYTES; i += 8) {
		uint64_t word = prng_splitmix(&seed);

		for (unsigned n = 0; n < 8; n++)
			bytes[i + n] = (uint8_t)(word >> 8 * n);
	}
}

static bool
all_zero(const uint8_t *bytes)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, RAM_PAGE_BYTES - 1);
}

ram_content
ram_store_bytes(struct ram *r, uint64_t page, unsigned offset, const void *bytes, unsigned size,
		unsigned writer)
{
	struct ram_bytes *b = r->bytes;
	uint8_t now[RAM_PAGE_BYTES];
	const struct stored *known;
	struct stored new;

	must(offset <= RAM_PAGE_BYTES && size <= RAM_PAGE_BYTES - offset);
	ram_bytes_of(r, ram_read(r, page), now);
	memcpy(now + offset, bytes, size);
	if (all_zero(now)) {
		ram_store(r, page, RAM_ZERO);
		return RAM_ZERO;
	}
	new.hash = hash_bytes(now, RAM_PAGE_BYTES, 0);
	known = find_bytes(b, now, new.hash);
	if (known) {
		ram_store(r, page, known->content);
		return known->content;
	}
	if (b->count == b->room)
		grow(b);
	new.content = ram_write(r, page, writer);
	new.bytes = world_alloc(r->w, RAM_PAGE_BYTES);
	memcpy(new.bytes, now, RAM_PAGE_BYTES);
	b->entry[b->count] = new;
	index_entry(b, b->count++);
	return new.content;
}

const char *
ram_block_md5_text(const struct ram *r, unsigned block, char *text, unsigned size)
{
	uint8_t bytes[RAM_PAGE_BYTES], digest[MD5_BYTES];
	char hex[2 * MD5_BYTES + 1];
	struct md5 md5;

	must(block < r->blocks);
	md5_init(&md5);
	for (uint64_t p = 0; p < r->block[block].pages; p++) {
		ram_bytes_of(r, ram_read(r, r->block[block].first + p), bytes);
		md5_add(&md5, bytes, sizeof(bytes));
	}
	md5_end(&md5, digest);
	for (unsigned i = 0; i < MD5_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	snprintf(text, size, "md5 : %s: %s", r->block[block].name, hex);
	return text;
}
