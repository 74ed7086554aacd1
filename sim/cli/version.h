/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Version of Ringside and the git commit it was built from, as `ringside --version` prints them. */
#ifndef RINGSIDE_CLI_VERSION_H
#define RINGSIDE_CLI_VERSION_H

extern const char ringside_version[];
extern const char ringside_commit[];

#endif
