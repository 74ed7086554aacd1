/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shim: lists, locks, devices, messages, assertions, modules.
 *
 * Locks are nothing: the seam (datapath/datapath.h) promises one caller at a time for each side of
 * a queue, and each queue has a struct virtio_device of its own, so nothing behind vqs_list_lock is
 * shared.
 */
#ifndef RINGSIDE_DATAPATH_LINUX_KERNEL_CORE_H
#define RINGSIDE_DATAPATH_LINUX_KERNEL_CORE_H

#include "datapath/linux/kernel_base.h"
#include "datapath/linux/linux_ring.h"

/* --- lists ---------------------------------------------------------------------------------- */

struct list_head {
	struct list_head *next, *prev;
};

static inline void
INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list->prev = list;
}

static inline void
list_add_tail(struct list_head *entry, struct list_head *list)
{
	entry->prev = list->prev;
	entry->next = list;
	list->prev->next = entry;
	list->prev = entry;
}

static inline void
list_del(struct list_head *entry)
{
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
}

#define list_for_each_entry(at, list, member) \
	for (at = container_of((list)->next, __typeof__(*at), member); &at->member != (list); \
	     at = container_of(at->member.next, __typeof__(*at), member))

/* --- locks ---------------------------------------------------------------------------------- */

typedef struct {
	char unused;
} spinlock_t;

#define spin_lock(lock) ((void)(lock))
#define spin_unlock(lock) ((void)(lock))
/* Nobody waits: a queue reset's completion (6.9) is its transport's. */
struct completion {
	char unused;
};

#define might_sleep() ((void)0)
#define synchronize_rcu() ((void)0)

/* --- devices -------------------------------------------------------------------------------- */

struct device {
	struct device *parent;
};

struct module;

struct device_driver {
	const char *name;
	struct module *owner;
};

struct virtio_device_id {
	__u32 device, vendor;
};

struct cpumask;

typedef enum { IRQ_NONE, IRQ_HANDLED } irqreturn_t;

#define xen_domain() false

/* --- messages ------------------------------------------------------------------------------- */

/* BAD_RING(): the device broke the ring. Told to dp_host.guest_error(). */
void
shim_dev_err(const struct device *dev, const char *fmt, ...) __printf(2, 3);

#define dev_err(dev, ...) shim_dev_err(dev, __VA_ARGS__)
#define dev_warn(dev, ...) ((void)0)
#define dev_warn_once(dev, ...) ((void)0)
#define dev_WARN_ONCE(dev, condition, ...) WARN_ON(condition)
#define pr_debug(...) ((void)0)
#define KERN_NOTICE ""
#define printk(...) ((void)0)
#define vprintk(fmt, arguments) linux_complain(fmt, arguments)

struct ratelimit_state {
	int unused;
};

#define DEFINE_RATELIMIT_STATE(name, interval, burst) struct ratelimit_state name
#define __ratelimit(state) ((void)(state), true)

/* --- assertions ----------------------------------------------------------------------------- */

/*
 * Nothing that the other side writes leads to one of these without DEBUG, and what our callers may
 * do wrong is refused before: one that fires is a bug in the code around the kernel's.
 */
#define BUG() linux_bug("BUG()", __FILE__, __LINE__)
#define BUG_ON(condition) \
	do { \
		if (unlikely(condition)) \
			linux_bug("BUG_ON(" #condition ")", __FILE__, __LINE__); \
	} while (0)
#define WARN_ON(condition) \
	({ \
		bool warn_ = (condition); \
\
		if (unlikely(warn_)) \
			linux_bug("WARN_ON(" #condition ")", __FILE__, __LINE__); \
		warn_; \
	})
#define WARN_ON_ONCE(condition) WARN_ON(condition)

static inline void *
ERR_PTR(long error)
{
	return (void *)error;
}

/* --- modules -------------------------------------------------------------------------------- */

#define EXPORT_SYMBOL(name) _Static_assert(1, "")
#define EXPORT_SYMBOL_GPL(name) _Static_assert(1, "")
#define MODULE_LICENSE(text) _Static_assert(1, "")
#define MODULE_DESCRIPTION(text) _Static_assert(1, "")
#define MODULE_AUTHOR(text) _Static_assert(1, "")

#endif
