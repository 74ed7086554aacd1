/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the linux datapath share: they are skipped where it was not built. */
#ifndef TEST_LINUX_UTIL_H
#define TEST_LINUX_UTIL_H

#include <stdio.h>

#include "datapath/linux/linux_datapath.h"

static inline int
linux_skip(void)
{
	printf("Linux's ring code is not built: no kernel source (install linux-source-6.1, or set "
	       "LINUX_SRC)\n");
	return 77;
}

#endif
