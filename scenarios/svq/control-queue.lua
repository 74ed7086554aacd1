-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- A vDPA network device executes control commands itself.  A VMM that is to migrate it must know what they said: it
-- shadows the control queue alone, in an address space that holds two buffers, and lets a model of the device execute
-- each command after the device.  When the device starts anew (a switch of its data queues to shadow and back), it
-- is told by messages of the VMM's own.
--
--	guest    set MAC ─┐                                     ┌─ set MAC again
--	VMM               copy, device, model ── switch: reset, start, replay, data queues
--	device            new MAC                forgets        new MAC

return {
	name = "svq-control-queue",
	title = "what the guest said by the control queue is lost, or never answered",
	matrix = { "ring", "event_idx", "indirect", "in_order" }, -- a shadow virtqueue is of split rings
	evidence = {
		"QEMU d45243bcfc: vdpa: fix not using CVQ buffer in case of error",
		"QEMU 6c4825476a: vdpa: move vhost_vdpa_set_vring_ready to the caller",
		"QEMU 525ae11522: vdpa: fix VHOST_BACKEND_F_IOTLB_ASID flag check",
		"QEMU 9c363cf6d5: vdpa net: block migration if the device has CVQ; f13f5f6412 allows it again",
		"qemu-devel, 2022: the series Net Control VQ support with asid in vDPA SVQ, from RFC v8 to what was merged",
	},
	params = {
		no_asid = { default = 0, min = 0, max = 1, doc = "one address space: the control queue is the device's alone" },
		copy = { default = 0, min = 0, max = 1, doc = "chains are copied, as in RFC v8; no switch" },
		odd = { default = 0, min = 0, max = 1, doc = "the guest sends a command without room for an answer" },
		hostile = { default = 0, min = 0, max = 1, doc = "another CPU of the guest writes into the last command" },
		bad = { default = 0, min = 0, max = 1, doc = "… one that no device knows" },
	},
	variants = {
		not_answered = { expect = "hang", faults = { "qemu.svq.cvq_error_not_pushed" }, set = { bad = 1 }, runs = 300,
				 doc = "a refused command is not given back" },
		read_twice = { expect = "state-lost", faults = { "qemu.svq.cvq_read_twice" }, set = { hostile = 1 }, runs = 6000,
			       doc = "the guest changes the command between the device's look and the model's" },
		no_load = { expect = "state-lost", faults = { "qemu.vdpa_net.no_load" }, runs = 1000 },
		data_first = { expect = "state-lost", faults = { "qemu.vdpa_net.data_first" }, runs = 1000,
			       doc = "packets are handled with the state of after reset" },
		not_shadowed = { expect = "state-lost", set = { no_asid = 1 }, runs = 1000,
				 doc = "nobody saw the command: why QEMU refuses to migrate such a device" },
		asid_assumed = { expect = "hang", faults = { "qemu.vdpa.asid_assumed" }, set = { no_asid = 1 }, runs = 300,
				 doc = "the address space cannot be set, and the device is not started" },
		one_slot = { expect = "spec-violation", faults = { "qemu.svq.copy_one_slot" },
			     set = { copy = 1, odd = 1 }, runs = 6000,
			     doc = "one descriptor is free and two are written" },
		holds = { expect = "ok", runs = 3000 },
		hostile = { expect = "ok", set = { hostile = 1 }, runs = 3000, doc = "one copy for both" },
		refused = { expect = "ok", set = { bad = 1 }, runs = 1000 },
		odd = { expect = "ok", set = { odd = 1 }, runs = 2000 },
		copied = { expect = "ok", set = { copy = 1, odd = 1 }, runs = 6000 },
	},
	setup = function(p)
		local vm = machine { vcpus = 2 }
		local dev = vm:device { name = "eth0", type = "virtio-net", backend = "vdpa", ctrl = true, queue_size = 4,
					no_asid = p.no_asid == 1, svq_copy = p.copy == 1,
					features = { "VIRTIO_RING_F_EVENT_IDX", "VIRTIO_RING_F_INDIRECT_DESC" } }
		local core = dev:core { name = "eth0" }
		local up, first, switched = flag("device is up"), flag("first command is done"), flag("switches are over")
		local hostile = flag("the last command is on its way")

		-- VIRTIO_NET_CTRL_MAC_ADDR_SET, or class 9
		local function command(last, class)
			local gpa = ram_alloc(8)

			ram_store(gpa, class or 1, 1)
			ram_store(gpa + 1, 1, 1)
			for i = 2, 6 do
				ram_store(gpa + i, 0x10, 1)
			end
			ram_store(gpa + 7, last, 1)
			return gpa
		end

		local function wait(vq, n)
			local got = {}

			while n > 0 do
				local token, len = vq:get()

				if token then
					got[token], n = len, n - 1
				else
					vq:wait()
				end
			end
			return got
		end

		local last_command

		local function one(vq, last, class)
			local ack = ram_alloc(1)

			ram_store(ack, 0xff, 1)
			last_command = command(last, class)
			assert(vq:submit { out = { { last_command, 8 } }, ["in"] = { { ack, 1 } } })
			vq:kick()
			wait(vq, 1)
			return ram_load(ack, 1)
		end

		vm:actor("guest", function()
			core:start()
			core:find_queues(3)
			core:ready()
			up:set()
			local vq = core:queue(2)

			if p.bad == 1 then
				expect(one(vq, 1, 9) == 1, "state-lost", "eth0", "a command that does not exist was executed")
			end
			expect(one(vq, 1) == 0, "state-lost", "eth0", "the device refused a MAC address")
			first:set()
			if p.odd == 1 then
				-- One descriptor, then two and two: four are there.
				local ack = ram_alloc(2)

				ram_store(ack, 0xffff, 2)
				assert(vq:submit { out = { { command(2), 8 } } })
				vq:kick()
				for i = 0, 1 do
					assert(vq:submit { out = { { command(2), 8 } }, ["in"] = { { ack + i, 1 } } })
					vq:kick()
				end
				wait(vq, 3)
				expect(ram_load(ack, 2) == 0, "state-lost", "eth0", "a command came back undone")
			end
			switched:wait()
			hostile:set()
			expect(one(vq, 3) == 0, "state-lost", "eth0", "the device refused a MAC address")
			local info = dev:ctrl_info()
			expect(p.hostile == 1 or info.device.mac == "10:10:10:10:10:03", "state-lost", "eth0",
			       "the device has " .. info.device.mac)
			expect(p.no_asid == 1 or info.model.mac == info.device.mac, "state-lost", "eth0",
			       "the model has " .. info.model.mac)
		end, { cpu = 0 })
		if p.hostile == 1 then
			vm:actor("hostile", function()
				hostile:wait()
				point()
				if last_command then
					ram_store(last_command + 7, 4, 1)
				end
			end, { cpu = 1 })
		end
		vm:actor("migration", function()
			first:wait()
			if p.copy == 0 then
				assert(dev:svq(true))
				local mac = dev:ctrl_info().device.mac

				expect(mac:sub(1, 8) == "10:10:10", "state-lost", "eth0", "after the switch the device has " .. mac)
				assert(dev:svq(false))
			end
			switched:set()
		end)
	end,
}
