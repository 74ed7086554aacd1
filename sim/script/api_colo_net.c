/* SPDX-License-Identifier: GPL-2.0-or-later */
/* API: packets of COLO's guests. */
#include "migration/colo_net.h"

#include "script/machine_api.h"

static struct colo *
check_colo(lua_State *L, const char *what)
{
	script_world(L);
	script_must_not_check(L, what);
	return api_check(L, 1, "colo");
}

static enum colo_side
check_side(lua_State *L, int arg)
{
	return (enum colo_side)luaL_checkoption(
		L, arg, NULL, (const char *const[]){ "primary", "secondary", NULL });
}

/* Number 0 is that of step(). */
static unsigned
check_number(lua_State *L, int arg)
{
	return (unsigned)api_range(L, arg, 1, COLO_CONNECTIONS_MAX - 1);
}

static unsigned
check_connection(lua_State *L, struct colo *c, int arg)
{
	unsigned n = check_number(L, arg);

	if (!colo_tcp_is_open(c, n))
		luaL_error(L, "connection %d was not opened with tcp_open()", (int)n);
	return n;
}

typedef void
open_fn(struct colo *c, unsigned connection, const uint32_t iss[COLO_SIDES], uint32_t client_iss);

static int
begin(lua_State *L, const char *what, open_fn *fn)
{
	static const char *const allowed[] = { "primary", "secondary", "client", NULL };
	struct colo *c = check_colo(L, what);
	unsigned n = check_number(L, 2);
	uint32_t iss[COLO_SIDES], client;

	api_options(L, 3, what, allowed);
	iss[COLO_PRIMARY] = (uint32_t)api_integer(L, 3, "primary", 1000, 0, UINT32_MAX);
	iss[COLO_SECONDARY] = (uint32_t)api_integer(L, 3, "secondary", 5000, 0, UINT32_MAX);
	client = (uint32_t)api_integer(L, 3, "client", 1, 0, UINT32_MAX);
	if (colo_is_used(c, n))
		return luaL_error(L, "%s: connection %d is in use", what, (int)n);
	fn(c, n, iss, client);
	return 0;
}

static int
colo_l_tcp_open(lua_State *L)
{
	return begin(L, "tcp_open", colo_tcp_open);
}

static int
colo_l_tcp_syn(lua_State *L)
{
	return begin(L, "tcp_syn", colo_tcp_syn);
}

static int
colo_l_tcp_established(lua_State *L)
{
	struct colo *c = check_colo(L, "tcp_established");
	unsigned n = check_number(L, 2);

	if (!colo_tcp_is_handshake(c, n))
		return luaL_error(L, "tcp_established: connection %d had no tcp_syn()", (int)n);
	colo_tcp_established(c, n);
	return 0;
}

static int
colo_l_tcp_acknowledge(lua_State *L)
{
	struct colo *c = check_colo(L, "tcp_acknowledge");
	enum colo_side side = check_side(L, 2);
	unsigned n = check_connection(L, c, 3);

	colo_tcp_acknowledge(c, side, n, (uint32_t)api_range(L, 4, 0, UINT32_MAX));
	return 0;
}

static int
colo_l_tcp_send(lua_State *L)
{
	struct colo *c = check_colo(L, "tcp_send");
	enum colo_side side = check_side(L, 2);
	unsigned n = check_connection(L, c, 3), segment = COLO_PAYLOAD_MAX;
	size_t size;
	const char *bytes = luaL_checklstring(L, 4, &size);

	script_must_be_actor(L, "tcp_send");
	if (!lua_isnoneornil(L, 5))
		segment = (unsigned)api_range(L, 5, 1, COLO_PAYLOAD_MAX);
	if (size > COLO_STREAM_MAX - colo_tcp_sent(c, side, n))
		return luaL_error(L, "tcp_send: a connection has room for %d bytes",
				  (int)COLO_STREAM_MAX);
	lua_pushboolean(L, colo_tcp_send(c, side, n, bytes, (unsigned)size, segment));
	return 1;
}

static int
colo_l_send(lua_State *L)
{
	static const char *const words[] = { "udp", "icmp", "other", NULL };
	struct colo *c = check_colo(L, "send");
	enum colo_side side = check_side(L, 2);
	enum colo_protocol protocol =
		(enum colo_protocol)(COLO_UDP + luaL_checkoption(L, 3, NULL, words));
	unsigned n = check_number(L, 4);
	size_t size;
	const char *bytes = luaL_checklstring(L, 5, &size);

	script_must_be_actor(L, "send");
	if (size > COLO_PAYLOAD_MAX)
		return luaL_error(L, "send: a packet has at most %d bytes", (int)COLO_PAYLOAD_MAX);
	if (colo_is_used(c, n) && colo_protocol_of(c, n) != protocol)
		return luaL_error(L, "send: connection %d is %s", (int)n,
				  colo_protocol_word[colo_protocol_of(c, n)]);
	lua_pushboolean(L, colo_send(c, side, protocol, n, bytes, (unsigned)size));
	return 1;
}

const struct api_entry api_colo_net[] = {
	{ "colo", "tcp_open", "(connection, {primary=, secondary=, client=})",
	  "a client connects to both guests; their initial sequence numbers, and its own",
	  colo_l_tcp_open },
	{ "colo", "tcp_syn", "(connection, {primary=, secondary=, client=})",
	  "the same up to the guests' answers", colo_l_tcp_syn },
	{ "colo", "tcp_established", "(connection)", "the client's ACK, which opens it",
	  colo_l_tcp_established },
	{ "colo", "tcp_send", "(side, connection, bytes [, segment]) -> done",
	  "that guest sends bytes, in packets of at most segment", colo_l_tcp_send },
	{ "colo", "tcp_acknowledge", "(side, connection, bytes)",
	  "that guest has read so many bytes of the client's more", colo_l_tcp_acknowledge },
	{ "colo", "send", "(side, protocol, connection, bytes) -> done",
	  "that guest sends a packet of udp, icmp or other", colo_l_send },
	{ NULL, NULL, NULL, NULL, NULL }
};
