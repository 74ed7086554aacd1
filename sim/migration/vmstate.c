/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migration/vmstate.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/must.h"
#include "engine/world.h"

/* A section on the wire: fields and subsections as the source put them. The footer is its end. */
struct piece {
	const char *name; /* of a field */
	uint32_t bytes;
	const struct vmstate_subsection *header; /* or a subsection begins: its name and version */
};

struct stream {
	struct piece piece[VMSTATE_FIELDS_MAX + 2 * VMSTATE_SUBSECTIONS_MAX + 1];
	unsigned pieces;
	/* Where the reader is: in this piece, at that byte. */
	unsigned at;
	uint32_t offset;
};

static bool
field_exists(const struct vmstate_field *f, int version_id)
{
	return f->exists == VMSTATE_BY_VERSION ? f->version_id <= version_id
					       : f->exists == VMSTATE_YES;
}

/* The fields of a side: its own, or one that stands for all. */
static unsigned
fields_of(const struct vmstate *v, const struct vmstate_side *side, struct vmstate_field *one,
	  const struct vmstate_field **fields)
{
	*one = (struct vmstate_field){ .name = v->name, .bytes = v->bytes, .exists = VMSTATE_YES };
	*fields = side->fields ? side->field : one;
	return side->fields ? side->fields : 1;
}

/* --- the source ----------------------------------------------------------------------------- */

static void
put(struct stream *s, const char *name, uint32_t bytes, const struct vmstate_subsection *header)
{
	must(s->pieces < sizeof(s->piece) / sizeof(s->piece[0]));
	if (bytes || header)
		s->piece[s->pieces++] = (struct piece){ name, bytes, header };
}

static void
save(const struct vmstate *v, struct stream *s)
{
	const struct vmstate_side *side = &v->source;
	const struct vmstate_field *field;
	struct vmstate_field one;
	unsigned n = fields_of(v, side, &one, &field);

	for (unsigned i = 0; i < n; i++)
		if (field_exists(&field[i], side->version_id))
			put(s, field[i].name, field[i].bytes, NULL);
	for (unsigned i = 0; i < side->subsections; i++) {
		if (!side->subsection[i].needed)
			continue;
		put(s, NULL, 0, &side->subsection[i]);
		put(s, side->subsection[i].name, side->subsection[i].bytes, NULL);
	}
}

/* --- the destination ------------------------------------------------------------------------ */

/* Take @bytes for @name. False: the stream's section has no more, and its footer was eaten. */
static bool
take(struct stream *s, const char *name, uint32_t bytes, struct vmstate_result *r)
{
	bool whole = !s->offset && s->at < s->pieces && s->piece[s->at].bytes == bytes &&
		     s->piece[s->at].name && !strcmp(s->piece[s->at].name, name);

	r->misplaced += bytes && !whole;
	while (bytes) {
		uint32_t left, n;

		if (s->at == s->pieces)
			return false;
		/* A subsection's header: a byte that says so, the length of its name, the name, and
		 * the version. */
		left = (s->piece[s->at].header ? 6 + (uint32_t)strlen(s->piece[s->at].header->name)
					       : s->piece[s->at].bytes) -
		       s->offset;
		n = bytes < left ? bytes : left;
		bytes -= n;
		s->offset += n;
		if (n == left) {
			s->at++;
			s->offset = 0;
		}
	}
	return true;
}

static bool
version_fits(int version_id, int most, int least)
{
	return version_id <= most && version_id >= least;
}

static int
load_fields(const struct vmstate *v, struct stream *s, struct vmstate_result *r)
{
	const struct vmstate_field *field;
	struct vmstate_field one;
	unsigned n = fields_of(v, &v->destination, &one, &field);

	for (unsigned i = 0; i < n; i++) {
		if (!field_exists(&field[i], v->source.version_id)) {
			if (field[i].must_exist)
				return -EPERM;
			continue;
		}
		if (!take(s, field[i].name, field[i].bytes, r))
			return -EINVAL;
	}
	return 0;
}

/* vmstate_subsection_load(): as long as the next byte says so. */
static int
load_subsections(const struct vmstate *v, struct stream *s, struct vmstate_result *r)
{
	const struct vmstate_side *side = &v->destination;

	while (s->at < s->pieces && !s->offset && s->piece[s->at].header) {
		const struct vmstate_subsection *sent = s->piece[s->at].header, *known = NULL;

		for (unsigned i = 0; i < side->subsections && !known; i++)
			if (!strcmp(side->subsection[i].name, sent->name))
				known = &side->subsection[i];
		if (!known)
			return -ENOENT;
		s->at++;
		if (!version_fits(sent->version_id, known->version_id, known->minimum_version_id))
			return -EINVAL;
		if (!take(s, known->name, known->bytes, r))
			return -EINVAL;
	}
	return 0;
}

static int
load(const struct vmstate *v, struct stream *s, struct vmstate_result *r)
{
	const struct vmstate_side *side = &v->destination;
	int ret;

	if (!side->there ||
	    !version_fits(v->source.version_id, side->version_id, side->minimum_version_id))
		return -EINVAL;
	ret = load_fields(v, s, r);
	if (!ret)
		ret = load_subsections(v, s, r);
	if (!ret)
		ret = side->post_load;
	if (!ret && (s->at < s->pieces || s->offset))
		ret = -EINVAL; /* check_section_footer() */
	return ret;
}

static bool
is_sent(const struct vmstate *v)
{
	return v->source.there && !v->source.not_needed;
}

struct vmstate_result
vmstate_load(const struct vmstate *v)
{
	struct vmstate_result r = { 0 };
	struct stream s = { .pieces = 0 };

	if (!is_sent(v))
		return r;
	save(v, &s);
	for (unsigned i = 0; i < v->source.subsections; i++) {
		r.subsections += v->source.subsection[i].needed;
		r.left_out += v->source.subsection[i].in_use && !v->source.subsection[i].needed;
	}
	r.ret = load(v, &s, &r);
	if (r.ret)
		r.misplaced = r.left_out = 0; /* nobody runs with it */
	return r;
}

int
vmstate_load_all(struct world *w, const struct vmstate *first)
{
	for (const struct vmstate *v = first; v; v = v->next)
		if (is_sent(v) && v->source.pre_save)
			return v->source.pre_save;
	for (const struct vmstate *v = first; v; v = v->next) {
		int64_t name = world_name(w, v->name);
		struct vmstate_result r = vmstate_load(v);

		emit(w, EV_MIG_VMSTATE, name, v->source.version_id, r.subsections, r.ret);
		if (r.misplaced || r.left_out)
			emit(w, EV_MIG_VMSTATE_WRONG, name, r.misplaced, r.left_out);
		if (r.ret)
			return r.ret;
	}
	return 0;
}

uint64_t
vmstate_bytes(const struct vmstate *first)
{
	uint64_t bytes = 0;

	for (const struct vmstate *v = first; v; v = v->next) {
		struct stream s = { .pieces = 0 };

		if (!is_sent(v))
			continue;
		save(v, &s);
		for (unsigned i = 0; i < s.pieces; i++)
			bytes += s.piece[i].bytes;
	}
	return bytes;
}
