/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/features.h"

#include "virtio/spec.h"

const struct virtio_feature_dep virtio_common_deps[] = {
	/* 6: the driver writes what is asked for only on a transport that knows the field. */
	{ VIRTIO_F_NOTIF_CONFIG_DATA, VIRTIO_BIT(VIRTIO_F_NOTIFICATION_DATA), 0 },
	/* 2.8, 2.7.9, 6: everything from bit 33 on is defined for non-legacy devices only. */
	{ VIRTIO_F_ACCESS_PLATFORM, VIRTIO_BIT(VIRTIO_F_VERSION_1), 0 },
	{ VIRTIO_F_RING_PACKED, VIRTIO_BIT(VIRTIO_F_VERSION_1), 0 },
	{ VIRTIO_F_IN_ORDER, VIRTIO_BIT(VIRTIO_F_VERSION_1), 0 },
	{ VIRTIO_F_ORDER_PLATFORM, VIRTIO_BIT(VIRTIO_F_VERSION_1), 0 },
	{ VIRTIO_F_NOTIFICATION_DATA, VIRTIO_BIT(VIRTIO_F_VERSION_1), 0 },
	{ VIRTIO_F_RING_RESET, VIRTIO_BIT(VIRTIO_F_VERSION_1), 0 },
	{ VIRTIO_F_ADMIN_VQ, VIRTIO_BIT(VIRTIO_F_VERSION_1), 0 },
	{ VIRTIO_F_SUSPEND, VIRTIO_BIT(VIRTIO_F_VERSION_1), 0 },
	{ VIRTIO_DEP_END, 0, 0 },
};

static int
missing_in(const struct virtio_feature_dep *dep, uint64_t features)
{
	for (; dep && dep->bit != VIRTIO_DEP_END; dep++)
		if (virtio_has(features, dep->bit) &&
		    ((features & dep->all) != dep->all || (dep->any && !(features & dep->any))))
			return dep->bit;
	return -1;
}

int
virtio_features_missing(const struct virtio_feature_dep *deps, uint64_t features)
{
	int bit = missing_in(virtio_common_deps, features);

	return bit >= 0 ? bit : missing_in(deps, features);
}

uint64_t
virtio_features_close(const struct virtio_feature_dep *deps, uint64_t features)
{
	int bit;

	/* Taking a bit away may strand another one: again until nothing is missing. */
	while ((bit = virtio_features_missing(deps, features)) >= 0)
		features &= ~VIRTIO_BIT(bit);
	return features;
}
