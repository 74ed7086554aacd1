/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "engine/image.h"
#include "engine/switch.h"
#include "engine/world_impl.h"

#if SWITCH_ASAN
#include <pthread.h>
#endif

_Thread_local struct world *world_tls;

/* ORDER CHOICE */
const char *const choice_kind_name[CHOICE_KINDS] = { "actor", "tie", "outcome", "store", "load" };

/* --- choices -------------------------------------------------------------------------------- */

static uint32_t
choose_first(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	(void)self;
	(void)w;
	(void)n;
	(void)kind;
	return 0;
}

struct chooser chooser_first = { choose_first };

static void
choices_grow(struct world *w)
{
	struct world_host *h = w->host;

	h->choice_capacity = h->choice_capacity ? h->choice_capacity * 2 : 1024;
	must(h->choice = realloc(h->choice, h->choice_capacity * sizeof(*h->choice)));
}

/* Into the log and the digest; @ready_hash of what was ready when it was asked. */
static inline void
choice_log(struct world *w, uint32_t n, enum choice_kind kind, uint32_t pick, uint64_t ready_hash)
{
	struct world_host *h = w->host;

	if (w->choices == h->choice_capacity && w->choices < CHOICES_MAX)
		choices_grow(w);
	if (w->choices < h->choice_capacity)
		h->choice[w->choices] = (struct choice){ (uint16_t)pick, (uint16_t)n };
	w->choices++;
	w->trail = trail_mix(w->trail, ready_hash + ((uint64_t)kind << 32 | n << 16 | pick));
}

uint32_t
world_ask(struct world *w, uint32_t n, enum choice_kind kind)
{
	struct world_host *h = w->host;

	/* Only a point offers more than what is ready: the actor that runs. */
	h->asked_at_point = n > w->ready_count;
	if (n > CHOICE_N_MAX)
		n = CHOICE_N_MAX;

	uint32_t pick = h->chooser->choose(h->chooser, w, n, kind);

	must(pick < n);
	choice_log(w, n, kind, pick, w->ready_hash);
	return pick;
}

uint32_t
world_choose(struct world *w, uint32_t n, enum choice_kind kind)
{
	must(n);
	if (kind == CHOICE_OUTCOME)
		world_effect(w);
	return n == 1 ? 0 : world_ask(w, n, kind);
}

bool
world_at_point(const struct world *w)
{
	return w->host->asked_at_point;
}

struct actor *
world_alternative(const struct world *w, uint32_t answer)
{
	uint32_t self = w->host->asked_at_point;

	if (answer < self)
		return w->current;
	answer -= self;
	must(answer < w->ready_count);

	const struct ready *r = &w->ready[(w->ready_first + answer) & (w->ready_capacity - 1)];

	return r->fn ? NULL : r->arg;
}

static int64_t
ready_due(const struct world *w, uint32_t k)
{
	const struct ready *r = &w->ready[(w->ready_first + k) & (w->ready_capacity - 1)];

	if (!r->fn)
		return ((const struct actor *)r->arg)->wake_ns;
	return r->fn == timer_due ? ((const struct timer *)r->arg)->at_ns : 0;
}

int64_t
world_alternative_due(const struct world *w, uint32_t answer)
{
	uint32_t self = w->host->asked_at_point;

	return answer < self ? w->now : ready_due(w, answer - self);
}

int64_t
world_yield_time(const struct world *w)
{
	int64_t first = INT64_MAX;

	for (uint32_t k = 0; k < w->ready_count; k++)
		if (ready_due(w, k) < first)
			first = ready_due(w, k);
	return w->ready_count && first > w->now ? first : w->now;
}

void
world_check_time(struct world *w)
{
	if (w->time_max && w->now > w->time_max)
		world_stop(w, STOP_TIME);
}

void
ready_close_gap(struct world *w, uint32_t k)
{
	uint32_t mask = w->ready_capacity - 1;

	for (; k; k--)
		w->ready[(w->ready_first + k) & mask] = w->ready[(w->ready_first + k - 1) & mask];
}

void
world_set_chooser(struct world *w, struct chooser *c)
{
	w->host->chooser = c ? c : &chooser_first;
}

struct chooser *
world_chooser(const struct world *w)
{
	return w->host->chooser;
}

const struct choice *
world_choices(const struct world *w, size_t *count)
{
	*count = w->choices;
	return w->host->choice;
}

void
world_log_choices(struct world *w, const struct choice *choices, size_t count)
{
	struct world_host *h = w->host;

	if (count > CHOICES_MAX)
		count = CHOICES_MAX;
	while (h->choice_capacity < count)
		choices_grow(w);
	if (count)
		memcpy(h->choice, choices, count * sizeof(*choices));
}

/* --- the ready queue and the heap ----------------------------------------------------------- */

void
ready_grow(struct world *w)
{
	uint32_t capacity = w->ready_capacity ? w->ready_capacity * 2 : LIMIT(16, 2);
	struct ready *grown = world_alloc(w, capacity * sizeof(*grown));

	for (uint32_t i = 0; i < w->ready_count; i++)
		grown[i] = w->ready[(w->ready_first + i) & (w->ready_capacity - 1)];
	world_free(w, w->ready, w->ready_capacity * sizeof(*grown));
	w->ready = grown;
	w->ready_capacity = capacity;
	w->ready_first = 0;
}

bool
ready_remove(struct world *w, ready_fn fn, void *arg)
{
	uint32_t mask = w->ready_capacity - 1, i = 0;

	while (i < w->ready_count) {
		struct ready *r = &w->ready[(w->ready_first + i) & mask];

		if (r->fn == fn && r->arg == arg)
			break;
		i++;
	}
	if (i == w->ready_count)
		return false;
	w->ready_hash -= ready_hash_of(fn, arg);
	for (; i + 1 < w->ready_count; i++)
		w->ready[(w->ready_first + i) & mask] = w->ready[(w->ready_first + i + 1) & mask];
	w->ready_count--;
	return true;
}

static void
heap_to_ready(struct world *w, const struct heap_entry *e)
{
	if (e->fn) {
		ready_push(w, (ready_fn)e->fn, e->arg);
		return;
	}

	struct actor *a = e->arg;

	actor_make_ready(a);
}

bool
world_advance(struct world *w)
{
	struct heap_entry e;

	/* A held sleeper becomes ready without standing in the queue: go on until something does.
	 */
	while (!w->ready_count) {
		bool single = heap_pop_single(&w->heap, &e);

		if (!single && !heap_pop(&w->heap, &e))
			return false;
		if (e.time > w->now)
			w->now = e.time;
		if (w->time_max && w->now > w->time_max) {
			w->stop = STOP_TIME;
			return false;
		}
		watch_advanced(w);
		heap_to_ready(w, &e);
		while (!single && w->heap.count && heap_first_time(&w->heap) == e.time &&
		       heap_pop(&w->heap, &e))
			heap_to_ready(w, &e);
	}
	return true;
}

/* --- running -------------------------------------------------------------------------------- */

static void
print_context(void *arg)
{
	const struct world *w = arg;
	size_t shown = w->choices < 64 ? w->choices : 64;

	fprintf(stderr, "  at time %" PRId64 " ns, step %" PRIu64 ", actor %s, %zu choices taken\n",
		w->now, w->step, w->current ? w->current->name_text : "(none)", w->choices);
	fprintf(stderr, "  first choices (pick of n):");
	for (size_t i = 0; i < shown && i < w->host->choice_capacity; i++)
		fprintf(stderr, " %u/%u", w->host->choice[i].pick, w->host->choice[i].n);
	fprintf(stderr, "\n");
}

static void
host_stack_bounds(struct world *w)
{
#if SWITCH_ASAN
	/* Once a thread: the library reads /proc for them. */
	static _Thread_local void *bottom;
	static _Thread_local size_t size;
	pthread_attr_t attr;

	if (!bottom) {
		must(!pthread_getattr_np(pthread_self(), &attr));
		must(!pthread_attr_getstack(&attr, &bottom, &size));
		pthread_attr_destroy(&attr);
	}
	w->host->asan_bottom = bottom;
	w->host->asan_size = size;
#else
	(void)w;
#endif
}

__attribute__((no_sanitize("address"))) static void
stack_scrub(const struct actor *a)
{
#ifndef SWITCH_UCONTEXT /* its context reaches below the stack pointer */
	typedef uint64_t word __attribute__((may_alias));
	char *top = a->sp, *low = a->stack;

	if (!low) /* the actor is done, and its stack free */
		return;
	if (top - low > (ptrdiff_t)STACK_SCRUB_BYTES)
		low = top - STACK_SCRUB_BYTES;
	for (word *p = (word *)(void *)low; (char *)p < top; p++)
		*p = 0;
#endif
}

/* Run @a until it leaves. */
static inline void
enter(struct world *w, struct actor *a)
{
	actor_enter(w, a);
	if (__builtin_expect(w->host->parks, 0))
		stack_scrub(a);
}

static void
run_one(struct world *w, uint32_t pick)
{
	struct ready r = ready_take(w, pick);

	w->parked_kind = CHOICE_TIE;
	if (r.fn) {
		w->step++;
		if (r.fn != actor_flush) /* that says it itself */
			watch_step(w, ready_process(&r));
		r.fn(w, r.arg);
		return;
	}

	struct actor *a = r.arg;

	a->queued = false;
	enter(w, a);
}

static void
run_loop(struct world *w, void *unused)
{
	struct heap_entry e;

	while (!w->stop) {
		if (w->step >= w->steps_max) {
			w->stop = STOP_STEPS;
			break;
		}
		if (w->picked) {
			uint32_t pick = w->picked - 1;

			w->picked = 0;
			run_one(w, pick);
			continue;
		}
		/* The common case of a timed run: one callback at its own time. */
		if (!w->ready_count && w->heap.count && !w->time_max &&
		    heap_pop_single(&w->heap, &e)) {
			if (e.time > w->now)
				w->now = e.time;
			watch_advanced(w);
			if (e.fn) {
				w->step++;
				watch_step(w, callback_process((ready_fn)e.fn, e.arg));
				w->trail = trail_mix(w->trail, (uint64_t)e.time);
				((ready_fn)e.fn)(w, e.arg);
			} else if (((struct actor *)e.arg)->holds) {
				actor_make_ready(e.arg);
			} else {
				((struct actor *)e.arg)->state = ACTOR_READY;
				enter(w, e.arg);
			}
			continue;
		}
		if (!w->ready_count && !world_advance(w))
			break;
		if (w->host->parks && w->ready_count > 1) {
			w->stop = STOP_PARKED;
			break;
		}
		run_one(w, world_choose(w, w->ready_count, w->parked_kind));
	}
}

void
world_set_parking(struct world *w, bool on)
{
	w->host->parks = on;
}

uint32_t
world_question(const struct world *w)
{
	must(w->stop == STOP_PARKED);
	return w->ready_count < CHOICE_N_MAX ? w->ready_count : CHOICE_N_MAX;
}

/* The answer to the open question, as if it had been asked where it came up. */
static void
run_answer(struct world *w, uint32_t answer)
{
	bool at_point = w->parked_at_point;
	enum choice_kind kind = (enum choice_kind)w->parked_kind;
	uint32_t n = world_question(w);
	struct ready *last =
		&w->ready[(w->ready_first + w->ready_count - 1) & (w->ready_capacity - 1)];

	must(answer < n);
	choice_log(w, n, kind, answer,
		   w->ready_hash - (at_point ? ready_hash_of(last->fn, last->arg) : 0));
	w->stop = STOP_NONE;
	w->parked_at_point = false;
	w->parked_kind = CHOICE_TIE;
	if (!at_point || answer) {
		run_one(w, answer - at_point);
		return;
	}

	/* Who asks goes on: it never left, hence no step for its arrival. */
	struct actor *a = last->arg;

	w->ready_count--;
	w->ready_hash -= a->id_hash;
	a->queued = false;
	w->step--;
	enter(w, a);
}

static void
resume_loop(struct world *w, void *answer)
{
	run_answer(w, *(const uint32_t *)answer);
	run_loop(w, NULL);
}

/* Run @body with this world as the thread's current one; world_fail() in a callback ends it. */
static void
run_in(struct world *w, void (*body)(struct world *w, void *arg), void *arg)
{
	struct world *outer = world_tls;

	host_stack_bounds(w);
	world_tls = w;
	must_context_set(print_context, w);
	w->host->escape_set = true;
	if (!setjmp(w->host->escape))
		body(w, arg);
	w->host->escape_set = false;
	world_tls = outer;
	must_context_set(outer ? print_context : NULL, outer);
}

static enum stop
run_to_stop(struct world *w, void (*body)(struct world *w, void *arg), void *arg)
{
	w->observing = false;
	run_in(w, body, arg);
	w->observing = true; /* who looks from now on is outside */
	if (!w->stop)
		w->stop = STOP_QUIESCENT;
	world_flush(w);
	return (enum stop)w->stop;
}

enum stop
world_run(struct world *w)
{
	must(!w->current); /* not from within */
	if (w->stop == STOP_ERROR)
		return STOP_ERROR;
	w->stop = STOP_NONE;
	w->parked_at_point = false;
	w->parked_kind = CHOICE_TIE;
	return run_to_stop(w, run_loop, NULL);
}

enum stop
world_resume(struct world *w, uint32_t answer)
{
	must(!w->current && w->stop == STOP_PARKED);
	return run_to_stop(w, resume_loop, &answer);
}

void
world_stop(struct world *w, enum stop why)
{
	struct actor *self = w->current;

	if (w->stop != STOP_ERROR)
		w->stop = (uint8_t)why;
	if (self)
		actor_abandon(w, self);
}

void
world_fail(struct world *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->error->text, sizeof(w->error->text), fmt, ap);
	va_end(ap);
	world_stop(w, STOP_ERROR);
	must(w->host->escape_set); /* else: something was built outside world_setup() and
				      world_run() */
	longjmp(w->host->escape, 1);
}

const struct error *
world_error(const struct world *w)
{
	return w->error;
}

/* --- life ----------------------------------------------------------------------------------- */

static void
host_free(struct world_host *h)
{
	free(h->buffer);
	free(h->choice);
	free(h->sink_buffer);
	if (h->calls)
		h->calls_free(h->calls);
	free(h->ran);
	free(h->saved);
	free(h->saved_bytes);
	free(h);
}

static struct world_host *
host_create(void)
{
	struct world_host *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->buffer = calloc(EVENT_BUFFER_COUNT, sizeof(*h->buffer));
	h->chooser = &chooser_first;
	event_digest_kinds(h->digest_kind);
	h->epoch = 1;
	if (!h->buffer) {
		host_free(h);
		return NULL;
	}
	return h;
}

/* The hostile build puts each world elsewhere: where a pointer leaks into an order, digests differ.
 */
static unsigned
moved_places(void)
{
#ifdef RINGSIDE_HOSTILE
	static _Atomic unsigned worlds;

	return worlds++;
#else
	return 0;
#endif
}

struct world *
world_create(const struct world_config *config, struct error *err)
{
	size_t reserve = config->reserve_bytes ? config->reserve_bytes : ARENA_RESERVE_BYTES;
	struct world_host *h = host_create();
	struct arena *arena = h ? arena_create(reserve, config->place + moved_places(), err) : NULL;

	if (!arena) {
		if (h)
			host_free(h);
		else
			error_set(err, "out of memory");
		return NULL;
	}

	struct world *w = arena_alloc(arena, sizeof(*w));

	must(w); /* the first megabyte is there */
	w->host = h;
	w->arena = arena;
	w->mode = (uint8_t)config->mode;
	w->steps_max = config->steps_max ? config->steps_max : STEPS_MAX_DEFAULT;
	w->time_max = config->time_max_ns;
	w->error = arena_alloc(arena, sizeof(*w->error));
	heap_init(&w->heap);
	if (config->alloc_max_bytes)
		arena_limit(arena, config->alloc_max_bytes);
	return w;
}

void
world_destroy(struct world *w)
{
	if (!w)
		return;

	struct world_host *h = w->host;

	arena_destroy(w->arena);
	host_free(h);
}

struct setup {
	void (*fn)(struct world *w, void *arg);
	void *arg;
};

static void
setup_main(struct actor *self, void *arg)
{
	struct setup *s = arg;

	s->fn(self->world, s->arg);
}

static void
setup_body(struct world *w, void *arg)
{
	actor_create(w, "setup", setup_main, arg, STACK_BYTES_SETUP);
	/* The set-up actor was queued last; actors that it creates wait until world_run(). */
	run_one(w, w->ready_count - 1);
}

int
world_setup(struct world *w, void (*fn)(struct world *w, void *arg), void *arg, struct error *err)
{
	struct setup s = { fn, arg };

	w->in_setup = true;
	run_in(w, setup_body, &s);
	w->in_setup = false;
	if (w->stop) {
		error_set(err, "%s", w->error->text[0] ? w->error->text : "set-up was stopped");
		return -1;
	}
	return 0;
}

/* --- snapshot ------------------------------------------------------------------------------- */

__attribute__((no_sanitize("address"))) void
stack_copy(void *to, const void *from, size_t bytes)
{
#if SWITCH_ASAN
	typedef uint64_t word __attribute__((may_alias));

	for (size_t i = 0; i < bytes / 8; i++)
		((word *)to)[i] = ((const word *)from)[i];
#else
	memcpy(to, from, bytes);
#endif
}

static void
stacks_save(struct world *w)
{
	struct world_host *h = w->host;
	size_t total = 0;

	free(h->saved);
	free(h->saved_bytes);
	must(h->saved = calloc(w->actor_count + 1, sizeof(*h->saved)));
	h->saved_count = w->actor_count;
	for (uint32_t i = 0; i < w->actor_count; i++) {
		struct actor *a = w->actors[i];
		struct saved_stack *s = &h->saved[i];

		if (a->state == ACTOR_DONE)
			continue;
		s->from = a->sp;
		s->bytes = stack_live_bytes(a);
		s->offset = total;
		total += s->bytes;
	}
	must(h->saved_bytes = malloc(total + 8));
	for (uint32_t i = 0; i < w->actor_count; i++)
		if (h->saved[i].bytes)
			stack_copy(h->saved_bytes + h->saved[i].offset, h->saved[i].from,
				   h->saved[i].bytes);
}

void
world_snapshot(struct world *w)
{
	must(!w->current);
	if (w->memory && w->memory->snapshot)
		w->memory->snapshot(w);
	w->digest = hash_bytes(w->host->buffer, w->buffered * sizeof(struct event), w->digest);
	w->buffered = 0;
	w->host->ran_count = 0;
	w->host->epoch++;
	for (uint32_t i = 0; i < w->actor_count; i++)
		w->actors[i]->ran_epoch = 0; /* the same in all worlds that begin here */
	stacks_save(w);
	arena_snapshot(w->arena);
}

void
world_restore(struct world *w)
{
	struct world_host *h = w->host;

	world_flush(w);
	arena_restore(w->arena);
	for (size_t i = 0; i < h->ran_count; i++) {
		uint32_t id = h->ran[i];
		struct saved_stack *s = &h->saved[id - 1];

		if (id > h->saved_count || !s->bytes)
			continue;
#if SWITCH_ASAN
		__asan_unpoison_memory_region(w->actors[id - 1]->stack,
					      w->actors[id - 1]->stack_bytes);
#endif
		stack_copy(s->from, h->saved_bytes + s->offset, s->bytes);
	}
	h->ran_count = 0;
	h->epoch++;
}

/* --- small things --------------------------------------------------------------------------- */

struct world *
world_current(void)
{
	return world_tls;
}

int64_t
world_now(const struct world *w)
{
	w->host->looked |= IMAGE_TIME;
	return w->now;
}

uint64_t
world_step(const struct world *w)
{
	return w->step;
}

int64_t
world_now_shown(const struct world *w)
{
	return w->now;
}

enum world_mode
world_mode_of(const struct world *w)
{
	return (enum world_mode)w->mode;
}

struct arena *
world_arena(const struct world *w)
{
	return w->arena;
}

void *
world_alloc(struct world *w, size_t size)
{
	void *block = arena_alloc(w->arena, size);

	if (!block)
		world_fail(w, "out of memory in the world: an object of %zu bytes, %zu in use",
			   size, arena_used(w->arena));
	return block;
}

void
world_free(struct world *w, void *block, size_t size)
{
	arena_free(w->arena, block, size);
}

char *
world_strdup(struct world *w, const char *text)
{
	size_t n = strlen(text) + 1;

	return memcpy(world_alloc(w, n), text, n);
}

bool
fault_on(const struct world *w, enum fault f)
{
	return w->faults[f / 64] >> (f % 64) & 1;
}

void
fault_set(struct world *w, enum fault f, bool on)
{
	if (on)
		w->faults[f / 64] |= UINT64_C(1) << (f % 64);
	else
		w->faults[f / 64] &= ~(UINT64_C(1) << (f % 64));
}

void *
world_room(const struct world *w, enum room_data room)
{
	return w->room[room];
}

void
world_set_room(struct world *w, enum room_data room, void *data)
{
	w->room[room] = data;
}
