/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/trace_around.h"

#include <inttypes.h>
#include <string.h>

#include "cli/command.h"
#include "cli/runner.h"

/* --- slots and their bitmaps ---------------------------------------------------------------- */

static bool
memslot_lost(const void *p, struct finding *f)
{
	const struct memslot_replay_result *result = memslot_replay_result(p);
	const struct lost_page *page = result->lost_page;

	if (!result->lost)
		return false;
	snprintf(f->subject, sizeof(f->subject), "gfn=0x%" PRIx64, page->gfn);
	snprintf(f->message, sizeof(f->message),
		 "%" PRIu64 " pages lost; this one was dirtied %" PRIu64
		 " times since the last sync, and its bit died with slot %u (line %" PRIu64 ")",
		 result->lost, page->dirtied, page->slot, page->died_line);
	return true;
}

static unsigned
memslot_order(const void *p, FILE *to, unsigned lines)
{
	memslot_replay_report_order(p, to, lines);
	return 0;
}

static void
memslot_destroy(void *p)
{
	memslot_replay_destroy(p);
}

int
trace_around_memslot(struct trace_around *t, const struct recording *r, enum slot_removal removal,
		     struct error *err)
{
	struct memslot_replay_config config = { .around = true, .removal = removal };
	struct memslot_replay *p = memslot_replay_create(r, &config, err);

	if (!p)
		return -1;
	*t = (struct trace_around){ .p = p,
				    .world = memslot_replay_world(p),
				    .param = { "removal", slot_removal_info[removal].name },
				    .lost = memslot_lost,
				    .report_order = memslot_order,
				    .destroy = memslot_destroy };
	return 0;
}

/* --- a migration ---------------------------------------------------------------------------- */

static bool
precopy_lost(const void *p, struct finding *f)
{
	const struct precopy_result *result = precopy_replay_result(p);
	const struct precopy_lost *page = result->lost_page;

	if (!result->lost)
		return false;
	snprintf(f->subject, sizeof(f->subject), "gfn=0x%" PRIx64, page->gfn);
	snprintf(f->message, sizeof(f->message),
		 "%" PRIu64 " pages lost; of this one's %" PRIu64
		 " writes the destination has %" PRIu64 ", and %" PRIu64
		 " dirty bits died with their slots",
		 result->lost, page->writes, page->sent, result->bits_died);
	return true;
}

static unsigned
precopy_order(const void *p, FILE *to, unsigned lines)
{
	return precopy_replay_report_order(p, to, lines);
}

static size_t
precopy_pages(const void *p, uint64_t *gfn, size_t max)
{
	const struct precopy_result *result = precopy_replay_result(p);
	size_t i = 0;

	for (; i < result->lost && i < max; i++)
		gfn[i] = result->lost_page[i].gfn;
	return i;
}

static void
precopy_head(const struct trace_around *t, FILE *to)
{
	const struct qemu_era_info *era = &qemu_era_info[qemu_era_find(t->param.value)];
	uint64_t writes, pages;

	precopy_replay_tracked(t->p, &writes, &pages);
	fprintf(to,
		"QEMU %s (%s): %" PRIu64 " writes to %" PRIu64 " pages follow from the recording\n",
		era->name, era->what, writes, pages);
}

static void
precopy_destroy(void *p)
{
	precopy_replay_destroy(p);
}

int
trace_around_precopy(struct trace_around *t, const struct recording *r, enum qemu_era era,
		     struct error *err)
{
	struct precopy_replay *p = precopy_replay_create(r, era, err);

	if (!p)
		return -1;
	*t = (struct trace_around){ .p = p,
				    .world = precopy_replay_world(p),
				    .pages = precopy_pages,
				    .param = { "qemu", qemu_era_info[era].name },
				    .lost = precopy_lost,
				    .report_order = precopy_order,
				    .print_head = precopy_head,
				    .destroy = precopy_destroy };
	return 0;
}

int
trace_era(const struct options *o, enum qemu_era *from, enum qemu_era *to, struct error *err)
{
	char list[128] = "";
	size_t n = 0;

	*from = (enum qemu_era)0;
	*to = (enum qemu_era)(QEMU_ERAS - 1);
	for (unsigned i = 0; i < QEMU_ERAS; i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, " %s", qemu_era_info[i].name);
	for (unsigned i = 0; i < o->sets; i++) {
		if (strcmp(o->set_name[i], "qemu"))
			return error_set(err, "--set %s: a recording of a machine has only: qemu",
					 o->set_name[i]);
		*from = *to = qemu_era_find(o->set_value[i]);
		if (*from == QEMU_ERAS)
			return error_set(err, "--set qemu=%s: must be one of:%s", o->set_value[i],
					 list);
	}
	return 0;
}

/* --- both ----------------------------------------------------------------------------------- */

void
trace_around_close(struct trace_around *t)
{
	t->destroy(t->p);
}

struct run_info
trace_around_info(const struct options *o, const struct trace_around *t, const char *strategy)
{
	return (struct run_info){ .scenario = o->args[0],
				  .variant = t->param.value,
				  .strategy = strategy,
				  .memory = "sc",
				  .datapath = "",
				  .expected = "",
				  .version = runner_version(),
				  .seed = o->seed,
				  .params = &t->param,
				  .param_count = 1 };
}
