/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What virtio_ring.c and vringh.c take from the rest of the kernel, written from what each name is
 * documented to do: every header below the virtio ones is this one (scripts/linux-source.sh makes
 * the stubs).  A name that another kernel version needs besides goes into one of the three.
 *
 * For those two files and the code around them only: the names are the kernel's.
 */
#ifndef RINGSIDE_DATAPATH_LINUX_KERNEL_H
#define RINGSIDE_DATAPATH_LINUX_KERNEL_H

#include "datapath/linux/kernel_base.h"
#include "datapath/linux/kernel_core.h"
#include "datapath/linux/kernel_memory.h"

#endif
