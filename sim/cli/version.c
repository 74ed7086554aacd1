/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/version.h"

const char ringside_version[] = RINGSIDE_VERSION;
const char ringside_commit[] = RINGSIDE_COMMIT;
