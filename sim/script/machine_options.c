/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "script/machine_options.h"

#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "script/api.h"
#include "script/features.h"

#define FIELD(type, field) offsetof(type, field), sizeof(((type *)0)->field)
#define MACHINE(field) FIELD(struct machine_config, field)
#define DEVICE(field) FIELD(struct device_options, field)
#define NO_WORDS NULL, 0
#define NUMBER(min, max) min, max, NO_WORDS
#define FLAG 0, 1, NO_WORDS
#define TEXT 0, 0, NO_WORDS
#define WORDS(list, count) 0, 0, list, count

const struct option_spec machine_option_table[] = {
	{ "ram", OPTION_BYTES, MACHINE(ram_bytes), NUMBER(65536, INT64_C(1) << 34),
	  "bytes of guest memory" },
	{ "vcpus", OPTION_INTEGER, MACHINE(vcpus), NUMBER(1, MACHINE_VCPUS_MAX), "processors" },
	{ "datapath", OPTION_TEXT, MACHINE(datapath), TEXT,
	  "ring code where --datapath names none: NAME or DRIVER,DEVICE" },
/* What timed mode charges: one option a line of engine/costs.def. */
#define COST(id, name, ns, what) \
	{ name, OPTION_INTEGER, MACHINE(cost_ns[COST_##id]), NUMBER(1, INT64_C(1) << 50), what },
#include "engine/costs.def"
#undef COST
	{ NULL, OPTION_TEXT, 0, 0, 0, 0, NULL, 0, NULL }
};

const struct option_spec device_option_table[] = {
	{ "name", OPTION_TEXT, DEVICE(config.name), TEXT, "what events call it" },
	{ "type", OPTION_WORD, DEVICE(config.type), WORDS(machine_type_name, MACHINE_TYPES),
	  "what it is" },
	{ "backend", OPTION_WORD, DEVICE(config.backend),
	  WORDS(machine_backend_name, MACHINE_BACKENDS), "who serves its queues" },
	{ "queues", OPTION_INTEGER, DEVICE(config.queues), NUMBER(1, VIRTIO_QUEUES_MAX),
	  "request queues, or pairs" },
	{ "queue_size", OPTION_INTEGER, DEVICE(config.queue_size), NUMBER(1, DP_SG_MAX),
	  "descriptors" },
	{ "features", OPTION_FEATURES, DEVICE(config.features), TEXT,
	  "feature bits to offer, by name" },
	{ "masking", OPTION_WORD, DEVICE(config.design),
	  WORDS(guest_notifier_design_name, GUEST_NOTIFIER_DESIGNS), "what masking a vector does" },
	{ "vectors", OPTION_INTEGER, DEVICE(config.vectors), NUMBER(1, MSIX_VECTORS_MAX),
	  "of MSI-X" },
	{ "bridge", OPTION_TEXT, DEVICE(bridge), TEXT, "the bridge it is behind" },
	{ "notify_multiplier", OPTION_INTEGER, DEVICE(config.notify_multiplier), NUMBER(2, 4096),
	  "bytes between doorbells" },
	{ "same_doorbell", OPTION_BOOLEAN, DEVICE(config.same_doorbell), FLAG,
	  "all queues ring at one address" },
	{ "no_ioeventfd", OPTION_BOOLEAN, DEVICE(config.no_ioeventfd), FLAG,
	  "doorbells exit to the VMM" },
	{ "no_irqfd", OPTION_BOOLEAN, DEVICE(config.no_irqfd), FLAG,
	  "the main loop raises interrupts" },
	{ "activate_async", OPTION_BOOLEAN, DEVICE(config.activate_async), FLAG,
	  "the serving thread takes the rings after DRIVER_OK has returned" },
	{ "no_vring_base", OPTION_BOOLEAN, DEVICE(config.vhost_user.no_base), FLAG,
	  "vhost-user: SET_VRING_BASE is left out where it would say 0" },
	{ "no_protocol_features", OPTION_BOOLEAN, DEVICE(config.vhost_user.no_protocol_features),
	  FLAG, "vhost-user: a ring runs from its kick fd on, there is no SET_VRING_ENABLE" },
	{ "suspend", OPTION_WORD, DEVICE(config.suspend.design),
	  WORDS(virtio_suspend_design_name, SUSPEND_DESIGNS),
	  "how it can be suspended; those of the status bit offer VIRTIO_F_SUSPEND" },
	{ "suspend_ns", OPTION_INTEGER, DEVICE(config.suspend.ns), NUMBER(0, INT64_C(1) << 40),
	  "it suspends in its own time, so long after it was asked" },
	{ "suspend_queue_ns", OPTION_INTEGER, DEVICE(config.suspend.queue_ns),
	  NUMBER(0, INT64_C(1) << 40), "timed: what a queue takes to stop, and to go on" },
	{ "enable_queue_ns", OPTION_INTEGER, DEVICE(config.enable_ns), NUMBER(0, INT64_C(1) << 40),
	  "timed: what queue_enable takes the device" },
	{ "suspend_parallel", OPTION_BOOLEAN, DEVICE(config.suspend.parallel), FLAG,
	  "all queues at a time" },
	{ "suspend_fail", OPTION_WORD, DEVICE(config.suspend.fail),
	  WORDS(virtio_suspend_fail_name, SUSPEND_FAIL_RESUME + 1),
	  "where it fails and sets DEVICE_NEEDS_RESET" },
	{ "svq", OPTION_BOOLEAN, DEVICE(config.vdpa.svq), FLAG,
	  "vdpa: shadow virtqueues from the start (x-svq=on)" },
	{ "svq_copy", OPTION_BOOLEAN, DEVICE(config.vdpa.copy), FLAG,
	  "vdpa: shadow virtqueues copy each chain, as in the series of 2022" },
	{ "ram_blocks", OPTION_INTEGER, DEVICE(config.vdpa.ram_blocks), NUMBER(1, 64),
	  "vdpa: pieces that guest memory is to the VMM" },
	{ "migrate_without_svq", OPTION_BOOLEAN, DEVICE(config.vdpa.migrate_without_svq), FLAG,
	  "vdpa: a migration does not switch shadow virtqueues on" },
	{ "maps_stay", OPTION_BOOLEAN, DEVICE(config.vdpa.maps_stay), FLAG,
	  "vdpa: guest memory stays mapped while the device is stopped" },
	{ "no_suspend", OPTION_BOOLEAN, DEVICE(config.vdpa.dev.no_suspend), FLAG,
	  "vdpa: the device cannot be suspended" },
	{ "no_asid", OPTION_BOOLEAN, DEVICE(config.vdpa.dev.no_asid), FLAG,
	  "vdpa: one address space for all queues" },
	{ "iova_last", OPTION_INTEGER, DEVICE(config.vdpa.dev.iova_last),
	  NUMBER(0, (INT64_C(1) << 56) - 1), "vdpa: the last IO address; 0: 2^48 - 1" },
	{ "page_bytes", OPTION_INTEGER, DEVICE(config.vdpa.dev.page_bytes), NUMBER(4096, 65536),
	  "vdpa: pages that are mapped, a power of two" },
	{ "map_fails_at", OPTION_INTEGER, DEVICE(config.vdpa.dev.map_fails_at), NUMBER(0, 1000000),
	  "vdpa: the n-th map is refused" },
	{ "unplugged", OPTION_BOOLEAN, DEVICE(config.unplugged), FLAG,
	  "not there until dev:plug()" },
	{ "iothread", OPTION_TEXT, DEVICE(iothread), TEXT, "share the iothread of that name" },
	{ "poll", OPTION_BOOLEAN, DEVICE(config.poll), FLAG,
	  "its iothread polls before it sleeps" },
	{ "capacity_sectors", OPTION_INTEGER, DEVICE(config.blk.capacity_sectors),
	  NUMBER(1, INT64_C(1) << 40), "blk: size of the disk" },
	{ "delay_ns", OPTION_INTEGER, DEVICE(config.blk.delay_ns), NUMBER(0, INT64_C(1) << 40),
	  "blk: time of a request" },
	{ "error_first", OPTION_INTEGER, DEVICE(config.blk.error_first),
	  NUMBER(0, INT64_C(1) << 40), "blk: first sector that fails" },
	{ "error_sectors", OPTION_INTEGER, DEVICE(config.blk.error_sectors),
	  NUMBER(0, INT64_C(1) << 40), "blk: how many sectors fail" },
	{ "fail_every", OPTION_INTEGER, DEVICE(config.blk.fail_every), NUMBER(0, 1000000),
	  "blk: each n-th request fails" },
	{ "readonly", OPTION_BOOLEAN, DEVICE(config.blk.readonly), FLAG, "blk: cannot be written" },
	{ "host_page_bytes", OPTION_BYTES, DEVICE(config.balloon.host_page_bytes),
	  NUMBER(4096, 65536), "balloon: the host's page size" },
	{ "hints_as_posted", OPTION_BOOLEAN, DEVICE(config.hints_as_posted), FLAG,
	  "balloon: free page hinting as in the series of February 2018" },
	{ "hints_discard", OPTION_BOOLEAN, DEVICE(config.hints_discard), FLAG,
	  "balloon: hinted pages are discarded, in runs by dev:hint_start(), as by Firecracker" },
	{ "tx_burst", OPTION_INTEGER, DEVICE(config.net.tx_burst), NUMBER(1, 65536),
	  "net: packets sent before others may run" },
	{ "busy_every", OPTION_INTEGER, DEVICE(config.net.busy_every), NUMBER(0, 1000000),
	  "net: the wire is busy at each n-th packet" },
	{ "busy_ns", OPTION_INTEGER, DEVICE(config.net.busy_ns), NUMBER(0, INT64_C(1) << 40),
	  "net: how long it is then" },
	{ "ctrl", OPTION_BOOLEAN, DEVICE(config.net.ctrl), FLAG,
	  "net: a control queue behind the pairs" },
	{ "rx_ahead", OPTION_INTEGER, DEVICE(config.net.rx_ahead), NUMBER(0, 1024),
	  "net: receive buffers it takes before packets are there" },
	{ "suspend_rx", OPTION_WORD, DEVICE(config.net.suspend_rx),
	  WORDS(net_suspend_rx_name, NET_SUSPEND_RX_WAIT + 1),
	  "net: what becomes of those when it suspends" },
	{ "keep_sent", OPTION_BOOLEAN, DEVICE(config.net.keep_sent), FLAG,
	  "net: keep sent packets for dev:wire_recv()" },
	{ NULL, OPTION_TEXT, 0, 0, 0, 0, NULL, 0, NULL }
};

/* --- values --------------------------------------------------------------------------------- */

bool
option_set_integer(const struct option_spec *o, void *options, int64_t value)
{
	char *field = (char *)options + o->offset;
	int64_t min = o->kind == OPTION_WORD ? 0 : o->min;
	int64_t max = o->kind == OPTION_WORD ? (int64_t)o->word_count - 1 : o->max;

	if (o->kind != OPTION_FEATURES && (value < min || value > max))
		return false;
	switch (o->size) {
	case 1:
		*(uint8_t *)field = (uint8_t)value;
		break;
	case 2:
		*(uint16_t *)field = (uint16_t)value;
		break;
	case 4:
		*(uint32_t *)field = (uint32_t)value;
		break;
	default:
		must(o->size == 8);
		*(uint64_t *)field = (uint64_t)value;
	}
	return true;
}

void
option_set_text(const struct option_spec *o, void *options, const char *value)
{
	must(o->kind == OPTION_TEXT);
	*(const char **)((char *)options + o->offset) = value;
}

int
option_find_word(const struct option_spec *o, const char *word)
{
	for (unsigned i = 0; i < o->word_count; i++)
		if (!strcmp(o->words[i], word))
			return (int)i;
	return -1;
}

void
option_allowed(const struct option_spec *o, char *text, size_t size)
{
	size_t n = 0;

	text[0] = 0;
	switch (o->kind) {
	case OPTION_INTEGER:
	case OPTION_BYTES:
		snprintf(text, size, "an integer from %lld to %lld", (long long)o->min,
			 (long long)o->max);
		break;
	case OPTION_BOOLEAN:
		snprintf(text, size, "true or false");
		break;
	case OPTION_TEXT:
		snprintf(text, size, "a text");
		break;
	case OPTION_WORD:
		n = (size_t)snprintf(text, size, "one of:");
		for (unsigned i = 0; i < o->word_count && n < size; i++)
			n += (size_t)snprintf(text + n, size - n, " %s", o->words[i]);
		break;
	case OPTION_FEATURES:
		n = (size_t)snprintf(text, size, "a list of:");
		features_list(text + n, n < size ? size - n : 0);
	}
}

/* --- from Lua ------------------------------------------------------------------------------- */

static int
refuse(lua_State *L, const char *function, const struct option_spec *o)
{
	char allowed[1200];

	option_allowed(o, allowed, sizeof(allowed));
	return luaL_error(L, "%s: %s must be %s, not %s", function, o->name, allowed,
			  script_tostring(L, -1, NULL));
}

static void
option_from_lua(lua_State *L, const char *function, const struct option_spec *o, void *options,
		int index)
{
	int lua_type_now = lua_type(L, -1), word;
	int64_t value = 0;

	switch (o->kind) {
	case OPTION_TEXT:
		if (lua_type_now != LUA_TSTRING)
			refuse(L, function, o);
		option_set_text(o, options, lua_tostring(L, -1));
		return;
	case OPTION_WORD:
		word = lua_type_now == LUA_TSTRING ? option_find_word(o, lua_tostring(L, -1)) : -1;
		if (word < 0)
			refuse(L, function, o);
		value = word;
		break;
	case OPTION_BOOLEAN:
		if (lua_type_now != LUA_TBOOLEAN)
			refuse(L, function, o);
		value = lua_toboolean(L, -1);
		break;
	case OPTION_FEATURES:
		value = (int64_t)features_option(L, index, o->name, 0);
		break;
	default:
		if (!lua_isinteger(L, -1))
			refuse(L, function, o);
		value = lua_tointeger(L, -1);
	}
	if (!option_set_integer(o, options, value))
		refuse(L, function, o);
}

void
options_from_lua(lua_State *L, int index, const char *function, const struct option_spec *table,
		 void *options)
{
	const char *names[64];
	unsigned n = 0;

	for (const struct option_spec *o = table; o->name; o++) {
		must(n + 1 < sizeof(names) / sizeof(names[0]));
		names[n++] = o->name;
	}
	names[n] = NULL;
	api_options(L, index, function, names);
	for (const struct option_spec *o = table; o->name; o++) {
		if (lua_getfield(L, index, o->name) != LUA_TNIL)
			option_from_lua(L, function, o, options, index);
		lua_pop(L, 1);
	}
}
