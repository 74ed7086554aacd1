/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A number that was estimated, and how far it may be off. */
#ifndef RINGSIDE_EXPLORE_ESTIMATE_H
#define RINGSIDE_EXPLORE_ESTIMATE_H

struct estimate {
	double value;
	double error; /* standard error: the truth is within two of them 19 times in 20 */
};

#endif
