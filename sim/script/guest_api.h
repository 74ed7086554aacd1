/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the API files of guest drivers share. */
#ifndef RINGSIDE_SCRIPT_GUEST_API_H
#define RINGSIDE_SCRIPT_GUEST_API_H

#include "guest/blk_driver.h"
#include "guest/virtio_driver.h"
#include "guest/virtqueue.h"
#include "script/machine_api.h"

struct script_request {
	struct guest_blk *blk;
	struct guest_blk_req *req;
};

/* A queue as a script sees it; with dev:core{} its interrupts are counted here. */
struct script_vq {
	struct guest_vq *vq;
	uint64_t interrupts, seen; /* that came, that wait() returned for */
	struct waitq wait;
	uint64_t next_token;
};

void
api_push_vq(lua_State *L, struct guest_vq *vq);

/* The driver of the bare core at @index. */
struct guest_virtio *
api_core_driver(lua_State *L, int index);

/* Options name, features, vectors, notify_locked of the table at @index. */
struct guest_virtio_config
api_virtio_config(lua_State *L, int index, struct machine_device *d, const char *function);

/* dev:driver{} of a balloon. */
int
api_make_balloon(lua_State *L, struct machine_device *d);

#endif
