/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Feature bits by the specification's names, for options such as features = {
 * "VIRTIO_RING_F_EVENT_IDX" }.
 */
#ifndef RINGSIDE_SCRIPT_FEATURES_H
#define RINGSIDE_SCRIPT_FEATURES_H

#include "script/lua_world.h"

/*
 * Option @name of the table at @index: a list of names, or an integer mask, or nil (@missing).
 * Errors list the names there are.
 */
uint64_t
features_option(lua_State *L, int index, const char *name, uint64_t missing);

/* The bit of that name, or -1; and all names, " A B C". */
int
features_find(const char *name);
void
features_list(char *text, size_t size);

/* Push a list of the names of the bits in @features; bits without a name as "bit N". */
void
features_push(lua_State *L, uint64_t features);

#endif
