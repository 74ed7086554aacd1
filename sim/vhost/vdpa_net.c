/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vhost/vdpa_net.h"

#include <errno.h>
#include <string.h>

#include "base/must.h"
#include "vhost/vdpa.h"
#include "virtio/net.h"

static struct virtio_net *
net_of(const struct vdpa *v)
{
	return virtio_net_of(v->set.vdev);
}

static struct svq *
control_svq(struct vdpa *v)
{
	return &v->svq[v->config.control];
}

/* --- buffers -------------------------------------------------------------------------------- */

int
vdpa_net_start(struct vdpa *v, unsigned asid)
{
	struct vdpa_net *n = &v->net;
	uint32_t page = v->dev.config.page_bytes;
	int ret;

	if (!n->cmd_hva) {
		n->cmd_hva = hva_alloc(v->hva, page);
		n->status_hva = hva_alloc(v->hva, page);
		if (!n->cmd_hva || !n->status_hva)
			return -ENOMEM;
	}
	n->asid = asid;
	ret = vdpa_map_own(v, asid, n->cmd_hva, page, IOVA_RO, &n->cmd_iova);
	if (ret)
		return ret;
	ret = vdpa_map_own(v, asid, n->status_hva, page, IOVA_RW, &n->status_iova);
	if (ret)
		vdpa_unmap_own(v, asid, n->cmd_hva);
	else
		n->mapped = true;
	return ret;
}

void
vdpa_net_stop(struct vdpa *v)
{
	struct vdpa_net *n = &v->net;

	if (!n->mapped)
		return;
	n->mapped = false;
	vdpa_unmap_own(v, n->asid, n->cmd_hva);
	vdpa_unmap_own(v, n->asid, n->status_hva);
}

/* --- one command ---------------------------------------------------------------------------- */

/*
 * Have the device execute what is in the command buffer, and wait: its answer, or a negative errno.
 */
static int
to_device(struct vdpa *v, uint32_t size)
{
	struct vdpa_net *n = &v->net;
	struct dp_buf sg[2] = { { n->cmd_iova, size }, { n->status_iova, 1 } };
	uint8_t status = VIRTIO_NET_ERR;
	int ret;

	hva_write(v->hva, n->status_hva, &status, 1);
	ret = svq_add(control_svq(v), sg, 1, 1, NULL);
	if (ret)
		return ret;
	if (svq_poll(control_svq(v), 1) < 1)
		return -EIO;
	hva_read(v->hva, n->status_hva, &status, 1);
	return status;
}

static void
answer(struct svq *s, const struct dp_elem *elem, uint8_t status)
{
	struct world *w = s->vq->vdev->w;
	size_t n = virtio_elem_write(w, elem, 0, &status, 1);

	virtio_ring_push(&s->vq->ring, elem, (uint32_t)n);
	virtio_ring_signal_always(&s->vq->ring);
}

int
vdpa_net_handle_ctrl_avail(struct svq *s, struct dp_elem *elem)
{
	struct vdpa *v = s->v;
	struct virtio_net *net = net_of(v);
	struct world *w = s->vq->vdev->w;
	uint8_t command[NET_CTRL_BYTES_MAX] = { 0 }, status = VIRTIO_NET_ERR;
	size_t size = virtio_elem_read(w, elem, 0, command, sizeof(command));
	int ret = VIRTIO_NET_OK;

	v->net.commands++;
	/* One copy for the device and for the model: the guest may write it meanwhile. */
	hva_write(v->hva, v->net.cmd_hva, command, size);
	/* The VMM does announcements itself. */
	if (size < 2 || command[0] != VIRTIO_NET_CTRL_ANNOUNCE)
		ret = size ? to_device(v, (uint32_t)size) : (int)VIRTIO_NET_ERR;
	if (ret > 0 && fault_on(w, FAULT_SVQ_CVQ_ERROR_NOT_PUSHED))
		return -EINVAL;
	if (fault_on(w, FAULT_SVQ_CVQ_READ_TWICE))
		size = virtio_elem_read(w, elem, 0, command, sizeof(command));
	if (ret == VIRTIO_NET_OK)
		status = net_ctrl_command(&net->model, net->pairs, command, size);
	answer(s, elem, status);
	virtio_elem_free(w, elem);
	return 0;
}

void
vdpa_net_used(struct vdpa *v, const uint8_t *command, size_t size, uint8_t ack)
{
	struct virtio_net *net = net_of(v);

	if (ack == VIRTIO_NET_OK)
		net_ctrl_command(&net->model, net->pairs, command, size);
}

bool
vdpa_net_same(const struct vdpa *v)
{
	const struct virtio_net *net = net_of(v);

	return net_ctrl_same(&net->model, &net->device);
}

/* --- replay --------------------------------------------------------------------------------- */

static int
load_command(struct vdpa *v, uint8_t class, uint8_t cmd, const void *data, size_t size)
{
	uint8_t command[16] = { class, cmd };
	int ret;

	must(size <= sizeof(command) - 2);
	memcpy(command + 2, data, size);
	hva_write(v->hva, v->net.cmd_hva, command, size + 2);
	ret = to_device(v, (uint32_t)(size + 2));
	v->net.injected++;
	emit(v->dev.w, EV_VDPA_NET_LOAD, v->dev.name, class, cmd, ret);
	return ret ? -EIO : 0;
}

int
vdpa_net_load(struct vdpa *v)
{
	const struct virtio_net *net = net_of(v);
	const struct net_ctrl_state *m = &net->model;
	uint8_t promisc = m->promisc, allmulti = m->allmulti;
	uint8_t pairs[2] = { (uint8_t)m->pairs, (uint8_t)(m->pairs >> 8) };
	int ret;

	if (fault_on(v->dev.w, FAULT_VDPA_NET_NO_LOAD))
		return 0;
	ret = load_command(v, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, m->mac, 6);
	if (!ret && net->pairs > 1)
		ret = load_command(v, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, pairs,
				   2);
	/* What the device begins with need not be said. */
	if (!ret && !promisc)
		ret = load_command(v, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &promisc, 1);
	if (!ret && allmulti)
		ret = load_command(v, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, &allmulti,
				   1);
	return ret;
}
