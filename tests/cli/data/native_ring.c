/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The native split ring as a plugin: linked with sim/virtio/ring_split_*.c, which stand alone. */
#include "datapath/plugin.h"
#include "virtio/ring_split.h"

const struct datapath ringside_datapath = {
	.name = "native_ring",
	.driver = &ring_split_driver_ops,
	.device = &ring_split_device_ops,
};
