/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The watch over covers: what would still bring a page's content to the destination. */
#include "migration/precopy_impl.h"

#include "kvm/page_words.h"

/* Something will read the page from the source, or has what it holds. */
static bool
covered(const struct precopy *m, uint64_t page, ram_content content)
{
	if (page_bitmap_test(&m->bitmap, page) || m->reading == page)
		return true;
	if (m->on_wire.page == page && m->on_wire.content == content)
		return true;
	if (multifd_carries(m, page, content))
		return true;
	return !m->last_sync && vm_log_has(m->vm, page);
}

void
precopy_check_page(struct precopy *m, uint64_t page, enum uncovered why)
{
	ram_content have = ram_read(m->vm->ram, page), there = ram_read(m->dst, page);
	const struct ram_writer *v;
	int64_t word;

	if (m->vm->migration != m)
		return;
	if (m->dropped.set && page_bitmap_test(&m->dropped, page)) {
		if (why != UNCOVERED_WRITE)
			return;
		page_bitmap_test_and_clear(&m->dropped, m->w, page);
	}
	if (have == there || covered(m, page, have))
		return;
	v = vm_writer(m->vm, ram_writer_of(have));
	word = world_name(m->w, uncovered_word[why]);
	emit(m->w, EV_MIG_PAGE_UNCOVERED, (int64_t)page, v ? v->name : 0,
	     (int64_t)ram_version(have), (int64_t)ram_version(there), word);
}

void
precopy_check_all(struct precopy *m, enum uncovered why)
{
	uint64_t pages = ram_pages(m->dst);

	if (m->bitmap.set == pages)
		return; /* every page is still to come */
	for (uint64_t p = 0; (p = ram_next_difference(m->vm->ram, m->dst, p)) < pages; p++)
		precopy_check_page(m, p, why);
}
