/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The linux datapath: virtio_ring.c and vringh.c of a kernel's source.  It is there only where the
 * source was there when Ringside was built: its names are weak, and null otherwise.
 */
#ifndef RINGSIDE_DATAPATH_LINUX_LINUX_DATAPATH_H
#define RINGSIDE_DATAPATH_LINUX_LINUX_DATAPATH_H

#include "datapath/datapath.h"

#define LINUX_OPTIONAL __attribute__((weak, visibility("default")))

extern const struct datapath datapath_linux LINUX_OPTIONAL;
/* Of which kernel: "6.1.192". */
extern const char linux_version[] LINUX_OPTIONAL;

extern const struct dp_driver_ops linux_driver_ops; /* for device.c */

#endif
