/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "script/features.h"

#include <stdio.h>
#include <string.h>

#include "virtio/balloon.h"
#include "virtio/blk.h"
#include "virtio/net.h"
#include "virtio/spec.h"

static const struct {
	const char *name;
	unsigned bit;
} features[] = {
#define F(name) \
	{ \
#name, name \
	}
	F(VIRTIO_RING_F_INDIRECT_DESC),
	F(VIRTIO_RING_F_EVENT_IDX),
	F(VIRTIO_F_VERSION_1),
	F(VIRTIO_F_ACCESS_PLATFORM),
	F(VIRTIO_F_RING_PACKED),
	F(VIRTIO_F_IN_ORDER),
	F(VIRTIO_F_ORDER_PLATFORM),
	F(VIRTIO_F_SR_IOV),
	F(VIRTIO_F_NOTIFICATION_DATA),
	F(VIRTIO_F_NOTIF_CONFIG_DATA),
	F(VIRTIO_F_RING_RESET),
	F(VIRTIO_F_ADMIN_VQ),
	F(VIRTIO_F_SUSPEND),
	F(VIRTIO_BLK_F_RO),
	F(VIRTIO_BLK_F_FLUSH),
	F(VIRTIO_BLK_F_MQ),
	F(VIRTIO_NET_F_CSUM),
	F(VIRTIO_NET_F_GUEST_CSUM),
	F(VIRTIO_NET_F_MTU),
	F(VIRTIO_NET_F_MAC),
	F(VIRTIO_NET_F_GUEST_TSO4),
	F(VIRTIO_NET_F_HOST_TSO4),
	F(VIRTIO_NET_F_MRG_RXBUF),
	F(VIRTIO_NET_F_STATUS),
	F(VIRTIO_NET_F_CTRL_VQ),
	F(VIRTIO_NET_F_MQ),
	F(VIRTIO_NET_F_RSS),
	F(VIRTIO_BALLOON_F_MUST_TELL_HOST),
	F(VIRTIO_BALLOON_F_STATS_VQ),
	F(VIRTIO_BALLOON_F_DEFLATE_ON_OOM),
	F(VIRTIO_BALLOON_F_FREE_PAGE_HINT),
	F(VIRTIO_BALLOON_F_PAGE_POISON),
	F(VIRTIO_BALLOON_F_PAGE_REPORTING),
#undef F
};

#define FEATURES (sizeof(features) / sizeof(features[0]))

int
features_find(const char *name)
{
	for (unsigned i = 0; i < FEATURES; i++)
		if (!strcmp(features[i].name, name))
			return (int)features[i].bit;
	return -1;
}

void
features_list(char *text, size_t size)
{
	size_t n = 0;

	for (unsigned i = 0; i < FEATURES && n < size; i++)
		n += (size_t)snprintf(text + n, size - n, " %s", features[i].name);
}

static unsigned
bit_of(lua_State *L, const char *option, const char *name)
{
	int bit = features_find(name);
	char list[1200] = "";

	features_list(list, sizeof(list));
	if (bit < 0)
		luaL_error(L, "%s: '%s' is none of:%s", option, name, list);
	return (unsigned)bit;
}

uint64_t
features_option(lua_State *L, int index, const char *name, uint64_t missing)
{
	uint64_t set = 0;
	int type = lua_getfield(L, index, name);

	if (type == LUA_TNIL) {
		set = missing;
	} else if (lua_isinteger(L, -1)) {
		set = (uint64_t)lua_tointeger(L, -1);
	} else if (type == LUA_TTABLE) {
		for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
			if (lua_type(L, -1) != LUA_TSTRING)
				luaL_error(L, "%s: a list of names, and number %I is a %s", name, i,
					   luaL_typename(L, -1));
			set |= UINT64_C(1) << bit_of(L, name, lua_tostring(L, -1));
			lua_pop(L, 1);
		}
		lua_pop(L, 1);
	} else {
		luaL_error(L, "%s: a list of names or an integer, not a %s", name,
			   lua_typename(L, type));
	}
	lua_pop(L, 1);
	return set;
}

void
features_push(lua_State *L, uint64_t set)
{
	lua_Integer n = 0;

	lua_newtable(L);
	for (unsigned bit = 0; bit < 64; bit++) {
		char text[16];
		const char *name = NULL;

		if (!(set >> bit & 1))
			continue;
		/* Below 24 and from 50 on the meaning is the device type's: a number says more. */
		for (unsigned i = 0; i < FEATURES && bit >= 24 && bit < 50; i++)
			if (features[i].bit == bit)
				name = features[i].name;
		snprintf(text, sizeof(text), "bit %u", bit);
		lua_pushstring(L, name ? name : text);
		lua_rawseti(L, -2, ++n);
	}
}
