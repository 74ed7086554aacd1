-- SPDX-License-Identifier: GPL-2.0-or-later
-- Make a trace.dat (version 6) of events in ftrace's text, as trace-cmd record would have written it:
--
--	lua5.4 make-trace-dat.lua EVENTS.txt OUT.dat [NAME=VALUE …]
--
--	endian=big      the recording machine's (default little)
--	instance=NAME   every third event is in a buffer of this name
--	lost=N          N events were lost in front of CPU 0's second page; "unknown": some
--	broken=NAME     the format of that event cannot be parsed
--	clock=NAME      trace_clock (default local)
--	repeat=N        the recording N times, one after another
--	text=FILE       the events in the words of `trace-cmd report -t`, blanks squeezed
--	pieces=FILE     where the parts of the file begin, a byte offset and a name a line
--
-- Times have µs in the text: within one of them events are 1 ns apart, so that their order is known.
local pack, concat = string.pack, table.concat
local option = { endian = "little", clock = "local", ["repeat"] = "1" }
for i = 3, #arg do
	local name, value = arg[i]:match("^(%w+)=(.*)$")
	option[name or error("not NAME=VALUE: " .. arg[i])] = value
end
local E = option.endian == "big" and ">" or "<"
local PAGE = 4096

local function symbol(list)
	local words, number = {}, {}
	for i = 1, #list do
		words[i] = ('{ %d, "%s" }'):format(i - 1, list[i])
		number[list[i]] = i - 1
	end
	return concat(words, ", "), number
end

local mode_list, mode = symbol { "Fixed", "LowPrio", "SMI", "Res3", "NMI", "INIT", "SIPI", "ExtINT" }
local mmio_list, mmio = symbol { "unsatisfied-read", "read", "write" }
local vmx_list, vmx = symbol { "EXCEPTION_NMI", "EXTERNAL_INTERRUPT" }
local exit_list, exit = symbol { "KVM_EXIT_UNKNOWN", "KVM_EXIT_EXCEPTION", "KVM_EXIT_IO", "KVM_EXIT_HYPERCALL",
	"KVM_EXIT_DEBUG", "KVM_EXIT_HLT", "KVM_EXIT_MMIO" }
vmx.HLT, vmx.EPT_VIOLATION, vmx.EPT_MISCONFIG = 12, 48, 49
vmx_list = vmx_list .. ', { 12, "HLT" }, { 48, "EPT_VIOLATION" }, { 49, "EPT_MISCONFIG" }'

local function hex(s) return tonumber(s, 16) end
-- Delivery mode, destination mode, trigger of "(Fixed|physical|edge…".
local function irq_bits(text)
	return mode[text:match("%((%w+)|")] << 8 | (text:find("|level", 1, true) and 1 << 15 or 0),
		text:find("|logical", 1, true) and 1 or 0
end

-- name: fields "type name" in the kernel's order, print fmt, and the values of a line's arguments.
local events = {
	kvm_entry = { "unsigned int vcpu_id;unsigned long rip", '"vcpu %u, rip 0x%lx", REC->vcpu_id, REC->rip',
		function(t)
			local vcpu, rip = t:match("^vcpu (%d+), rip 0x(%x+)$")
			return tonumber(vcpu), hex(rip)
		end },
	kvm_exit = { "unsigned int exit_reason;unsigned long guest_rip;u32 isa;u64 info1;u64 info2;u32 intr_info;"
			.. "u32 error_code;unsigned int vcpu_id",
		'"vcpu %u reason %s%s%s rip 0x%lx info1 0x%016llx info2 0x%016llx intr_info 0x%08x error_code 0x%08x",'
			.. ' REC->vcpu_id, (REC->isa == 1) ? __print_symbolic(REC->exit_reason & 0xffff, ' .. vmx_list
			.. ') : __print_symbolic(REC->exit_reason, { 0x000, "read_cr0" }, { 0x040 + 1, "DB excp" }),'
			.. ' (REC->isa == 1 && REC->exit_reason & ~0xffff) ? " " : "", (REC->isa == 1) ?'
			.. ' __print_flags(REC->exit_reason & ~0xffff, " ", { 0x80000000, "FAILED_VMENTRY" }) : "",'
			.. ' REC->guest_rip, REC->info1, REC->info2, REC->intr_info, REC->error_code',
		function(t)
			local vcpu, reason, rip, a, b, c, d = t:match("^vcpu (%d+) reason (%S+) rip 0x(%x+)"
				.. " info1 0x(%x+) info2 0x(%x+) intr_info 0x(%x+) error_code 0x(%x+)")
			return vmx[reason], hex(rip), 1, hex(a), hex(b), hex(c), hex(d), tonumber(vcpu)
		end },
	kvm_userspace_exit = { "__u32 reason;int errno",
		'"reason %s (%d)", REC->errno < 0 ? (REC->errno == -4 ? "restart" : "error") :'
			.. ' __print_symbolic(REC->reason, ' .. exit_list .. '),'
			.. ' REC->errno < 0 ? -REC->errno : REC->reason',
		function(t)
			local reason, n = t:match("^reason (%S+) %((%d+)%)$")
			if exit[reason] then return exit[reason], 0 end
			return 0, -tonumber(n)
		end },
	kvm_mmio = { "u32 type;u32 len;u64 gpa;u64 val",
		'"mmio %s len %u gpa 0x%llx val 0x%llx", __print_symbolic(REC->type, ' .. mmio_list
			.. '), REC->len, REC->gpa, REC->val',
		function(t)
			local type, len, gpa, val = t:match("^mmio (%S+) len (%d+) gpa 0x(%x+) val 0x(%x+)$")
			return mmio[type], tonumber(len), hex(gpa), hex(val)
		end },
	kvm_fast_mmio = { "u64 gpa", '"fast mmio at gpa 0x%llx", REC->gpa',
		function(t) return hex(t:match("0x(%x+)$")) end },
	kvm_pio = { "unsigned int rw;unsigned int port;unsigned int size;unsigned int count;unsigned int val",
		'"pio_%s at 0x%x size %d count %d val 0x%x %s", REC->rw ? "write" : "read", REC->port, REC->size,'
			.. ' REC->count, REC->val, REC->count > 1 ? "(...)" : ""',
		function(t)
			local rw, at, size, n, val = t:match("^pio_(%a+) at 0x(%x+) size (%d+) count (%d+) val 0x(%x+)")
			return rw == "write" and 1 or 0, hex(at), tonumber(size), tonumber(n), hex(val)
		end },
	kvm_set_irq = { "unsigned int gsi;int level;int irq_source_id",
		'"gsi %u level %d source %d", REC->gsi, REC->level, REC->irq_source_id',
		function(t)
			local gsi, level, source = t:match("^gsi (%d+) level (%d+) source (%d+)$")
			return tonumber(gsi), tonumber(level), tonumber(source)
		end },
	kvm_msi_set_irq = { "__u64 address;__u64 data",
		'"dst %llx vec %u (%s|%s|%s%s)", (u8)(REC->address >> 12) | ((REC->address >> 32) & 0xffffff00),'
			.. ' (u8)REC->data, __print_symbolic((REC->data >> 8 & 0x7), ' .. mode_list
			.. '), (REC->address & (1<<2)) ? "logical" : "physical",'
			.. ' (REC->data & (1<<15)) ? "level" : "edge", (REC->address & (1<<3)) ? "|rh" : ""',
		function(t)
			local dst, vec = t:match("^dst (%x+) vec (%d+) ")
			local bits, logical = irq_bits(t)
			dst = hex(dst)
			return (dst & 0xff) << 12 | (dst & ~0xff) << 32 | logical << 2, tonumber(vec) | bits
		end },
	kvm_ioapic_set_irq = { "__u64 e;int pin;bool coalesced",
		'"pin %u dst %x vec %u (%s|%s|%s%s)%s", REC->pin, (u8)(REC->e >> 56), (u8)REC->e,'
			.. ' __print_symbolic((REC->e >> 8 & 0x7), ' .. mode_list
			.. '), (REC->e & (1<<11)) ? "logical" : "physical", (REC->e & (1<<15)) ? "level" : "edge",'
			.. ' (REC->e & (1<<16)) ? "|masked" : "", REC->coalesced ? " (coalesced)" : ""',
		function(t)
			local pin, dst, vec = t:match("^pin (%d+) dst (%x+) vec (%d+) ")
			local bits, logical = irq_bits(t)
			bits = bits | logical << 11 | (t:find("|masked", 1, true) and 1 << 16 or 0)
			return hex(dst) << 56 | bits | tonumber(vec), tonumber(pin),
				t:find("(coalesced)", 1, true) and 1 or 0
		end },
	kvm_apic_accept_irq = { "__u32 apicid;__u16 dm;__u16 tm;__u8 vec",
		'"apicid %x vec %u (%s|%s)", REC->apicid, REC->vec, __print_symbolic((REC->dm >> 8 & 0x7), '
			.. mode_list .. '), REC->tm ? "level" : "edge"',
		function(t)
			local apicid, vec, m, tm = t:match("^apicid (%x+) vec (%d+) %((%w+)|(%a+)%)$")
			return hex(apicid), mode[m] << 8, tm == "level" and 1 or 0, tonumber(vec)
		end },
	kvm_inj_virq = { "unsigned int vector;bool soft;bool reinjected",
		'"%s 0x%x%s", REC->soft ? "Soft/INTn" : "IRQ", REC->vector, REC->reinjected ? " [reinjected]" : ""',
		function(t) return hex(t:match("^IRQ 0x(%x+)")), 0, t:find("reinjected", 1, true) and 1 or 0 end },
	kvm_eoi = { "__u32 apicid;int vector", '"apicid %x vector %d", REC->apicid, REC->vector',
		function(t)
			local apicid, vector = t:match("^apicid (%x+) vector (-?%d+)$")
			return hex(apicid), tonumber(vector)
		end },
	kvm_page_fault = { "unsigned int vcpu_id;unsigned long guest_rip;u64 fault_address;u64 error_code",
		'"vcpu %u rip 0x%lx address 0x%016llx error_code 0x%llx", REC->vcpu_id, REC->guest_rip,'
			.. ' REC->fault_address, REC->error_code',
		function(t)
			local vcpu, rip, at, code = t:match("^vcpu (%d+) rip 0x(%x+) address 0x(%x+) error_code 0x(%x+)$")
			return tonumber(vcpu), hex(rip), hex(at), hex(code)
		end },
	kvm_dirty_ring_push = { "int index;u32 dirty_index;u32 reset_index;u32 slot;u64 offset",
		'"ring %d: dirty 0x%x reset 0x%x slot %u offset 0x%llx (used %u)", REC->index, REC->dirty_index,'
			.. ' REC->reset_index, REC->slot, REC->offset, REC->dirty_index - REC->reset_index',
		function(t)
			local ring, dirty, reset, slot, offset = t:match(
				"^ring (%d+): dirty 0x(%x+) reset 0x(%x+) slot (%d+) offset 0x(%x+) ")
			return tonumber(ring), hex(dirty), hex(reset), tonumber(slot), hex(offset)
		end },
	kvm_dirty_ring_reset = { "int index;u32 dirty_index;u32 reset_index",
		'"ring %d: dirty 0x%x reset 0x%x (used %u)", REC->index, REC->dirty_index, REC->reset_index,'
			.. ' REC->dirty_index - REC->reset_index',
		function(t)
			local ring, dirty, reset = t:match("^ring (%d+): dirty 0x(%x+) reset 0x(%x+) ")
			return tonumber(ring), hex(dirty), hex(reset)
		end },
	-- Of no kind that is imported.
	kvm_cpuid = { "unsigned int function;unsigned long rax", '"func %x rax %lx", REC->function, REC->rax',
		function(t)
			local f, rax = t:match("^func (%x+) rax (%x+)$")
			return hex(f), hex(rax)
		end },
}

-- bytes, pack's letter, signed.
local types = {
	["unsigned int"] = { 4, "I4", 0 }, int = { 4, "i4", 1 }, u32 = { 4, "I4", 0 }, __u32 = { 4, "I4", 0 },
	["unsigned long"] = { 8, "i8", 0 }, u64 = { 8, "i8", 0 }, __u64 = { 8, "i8", 0 }, bool = { 1, "I1", 0 },
	__u16 = { 2, "I2", 0 }, __u8 = { 1, "I1", 0 },
}

local names = {}
for name in pairs(events) do names[#names + 1] = name end
table.sort(names)

-- The format file of each event, as the kernel has them, and how its values are packed.
for id, name in ipairs(names) do
	local e = events[name]
	local lines, packing, at = { "name: " .. name, "ID: " .. 300 + id, "format:",
		"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;",
		"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;",
		"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;",
		"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;", "" }, E .. "!8 I2 I1 I1 i4", 8
	for declaration in e[1]:gmatch("[^;]+") do
		local type, field = declaration:match("^(.+) (%S+)$")
		local size, letter, signed = table.unpack(types[type])
		at = (at + size - 1) // size * size
		lines[#lines + 1] = ("\tfield:%s %s;\toffset:%d;\tsize:%d;\tsigned:%d;"):format(type, field, at, size,
			signed)
		packing = packing .. " !" .. size .. letter
		at = at + size
	end
	lines[#lines + 1] = ""
	lines[#lines + 1] = "print fmt: " .. (option.broken == name and '"%s", no_function(REC->a)' or e[2])
	e.id, e.packing, e.format = 300 + id, packing, concat(lines, "\n") .. "\n"
end

-- The events of the text, their times in ns.
local list, comms, pids, cpus, last = {}, {}, {}, 0, -1
for line in io.lines(arg[1]) do
	local comm, pid, cpu, s, fraction, name, args =
		line:match("^%s*(.-)%-(%d+)%s+%[(%d+)%]%s+%S*%s*(%d+)%.(%d+): ([%w_]+): (.-)%s*$")
	if comm and line:sub(1, 1) ~= "#" then
		local ns = tonumber(s) * 1000000000 + tonumber((fraction .. "000000000"):sub(1, 9))
		if ns <= last then ns = last + 1 end
		last = ns
		local e = events[name] or error("no event " .. name)
		list[#list + 1] = { comm = comm, pid = tonumber(pid), cpu = tonumber(cpu), ns = ns, name = name, args = args,
			data = pack(e.packing, e.id, 0, 0, tonumber(pid), e[3](args)) }
		cpus = math.max(cpus, tonumber(cpu) + 1)
		if comm ~= "<...>" and not comms[pid] then
			comms[pid] = comm
			pids[#pids + 1] = pid
		end
	end
end
local span = last - list[1].ns + 1000000
local once = #list
for again = 1, tonumber(option["repeat"]) - 1 do
	for i = 1, once do
		local e = {}
		for k, v in pairs(list[i]) do e[k] = v end
		e.ns = e.ns + again * span
		list[#list + 1] = e
	end
end

-- The ring buffer of a CPU: pages, each with its time, its bytes, and events with time differences.
local function word(type, delta)
	return pack(E .. "I4", option.endian == "big" and type << 27 | delta or delta << 5 | type)
end

local function record(e, delta)
	local data = e.data .. ("\0"):rep(-#e.data % 4)
	local extend = ""
	if delta >= 1 << 27 then
		extend = word(30, delta & (1 << 27) - 1) .. pack(E .. "I4", delta >> 27)
		delta = 0
	end
	if #data <= 112 then return extend .. word(#data // 4, delta) .. data end
	return extend .. word(0, delta) .. pack(E .. "I4", #data + 4) .. data
end

local function ring(of)
	local pages, page, used, begun, before = {}, {}, 0, nil, nil
	local function close()
		local body, commit, count = concat(page), used, ""
		if option.lost and #pages == 1 and of.first then
			commit = commit | 1 << 31
			if option.lost ~= "unknown" then
				commit = commit | 1 << 30
				count = pack(E .. "I8", tonumber(option.lost))
			end
		end
		pages[#pages + 1] = pack(E .. "I8I8", begun, commit) .. body .. count
			.. ("\0"):rep(PAGE - 16 - #body - #count)
		page, used, begun = {}, 0, nil
	end
	for _, e in ipairs(of) do
		local bytes = begun and record(e, e.ns - before) or record(e, 0)
		if used + #bytes > PAGE - 16 - 8 then
			close()
			bytes = record(e, 0)
		end
		begun, before = begun or e.ns, e.ns
		page[#page + 1] = bytes
		used = used + #bytes
	end
	if begun then close() end
	return concat(pages)
end

local main, instance = {}, {}
for cpu = 0, cpus - 1 do
	main[cpu], instance[cpu] = { first = cpu == 0 }, {}
end
for i, e in ipairs(list) do
	local into = option.instance and i % 3 == 0 and instance or main
	table.insert(into[e.cpu], e)
end

-- The file.
local out, size, pieces = {}, 0, {}
local function put(piece, bytes)
	pieces[#pieces + 1] = size .. " " .. piece
	out[#out + 1] = bytes
	size = size + #bytes
end
local function number(n, v) return pack(E .. "I" .. n, v) end
local function sized(n, text) return number(n, #text) .. text end

put("first bytes", "\x17\x08\x44tracing6\0" .. (option.endian == "big" and "\1" or "\0") .. "\8" .. number(4, PAGE))
put("header_page", "header_page\0" .. sized(8, "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
	.. "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
	.. "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
	.. "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;\n"))
put("header_event", "header_event\0" .. sized(8, "# compressed entry header\n\ttype_len    :    5 bits\n"
	.. "\ttime_delta  :   27 bits\n\tarray       :   32 bits\n\n\tpadding     : type == 29\n"
	.. "\ttime_extend : type == 30\n\ttime_stamp : type == 31\n\tdata max type_len  == 28\n"))
put("formats of ftrace", number(4, 0))
local formats = { number(4, 1), "kvm\0", number(4, #names) }
for _, name in ipairs(names) do formats[#formats + 1] = sized(8, events[name].format) end
put("formats of events", concat(formats))
put("symbols", number(4, 0))
put("printk", number(4, 0))
for i, pid in ipairs(pids) do pids[i] = pid .. " " .. comms[pid] .. "\n" end
put("processes", sized(8, concat(pids)))
put("cpus", number(4, cpus))

-- Where data is depends on how long what is in front of it is: its tables are of a known size.
local function padded(at) return (at + PAGE - 1) // PAGE * PAGE end
local clock = "[" .. option.clock .. "] counter"
local function option_bytes(buffer_at)
	return "options  \0" .. number(2, 4) .. sized(4, clock .. "\0") ..
		(option.instance and number(2, 3) .. sized(4, number(8, buffer_at) .. option.instance .. "\0") or "")
		.. number(2, 0)
end
local at = padded(size + #option_bytes(0) + 10 + 16 * cpus + 8 + #clock + 1)
local table_of, data = {}, {}
local function place(rings)
	local rows = {}
	for cpu = 0, cpus - 1 do
		local bytes = ring(rings[cpu])
		rows[#rows + 1] = number(8, at) .. number(8, #bytes)
		data[#data + 1] = bytes
		at = at + #bytes
	end
	return "flyrecord\0" .. concat(rows)
end
table_of[1] = place(main)
local buffer_at = at
if option.instance then
	at = padded(buffer_at + 10 + 16 * cpus)
	local before = #data
	table_of[2] = place(instance)
	table.insert(data, before + 1, table_of[2] .. ("\0"):rep(padded(buffer_at + #table_of[2]) - buffer_at - #table_of[2]))
end
put("options", option_bytes(buffer_at))
put("table of the CPUs' data", table_of[1])
put("clock", sized(8, clock .. "\0"))
put("padding", ("\0"):rep(padded(size) - size))
put("data", concat(data))

local function write(path, bytes)
	local f = assert(io.open(path, "wb"))
	assert(f:write(bytes))
	assert(f:close())
end
write(arg[2], concat(out))
if option.pieces then write(option.pieces, concat(pieces, "\n") .. "\n") end
if option.text then
	local lines = {}
	for i, e in ipairs(list) do
		lines[i] = ("%s-%d [%03d] %d.%09d: %s: %s\n"):format(e.comm, e.pid, e.cpu, e.ns // 1000000000,
			e.ns % 1000000000, e.name, e.args)
	end
	write(option.text, concat(lines))
end
