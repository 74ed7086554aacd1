-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The first form (February 2018): the migration thread itself polls the queue after the first sync, until the guest
-- says that it has no more or a time limit is over; any command id but the right one ends the round.
--
--	first destination     poll: id 1 | page, page, … | the limit: what the guest still sends stays in the queue
--	                      cancelled
--	second destination    poll: id 2 asked for; in the queue: …, page, stop (of id 1)
--	                            pages: no START yet, ignored.  stop: not id 2, so the round is over
--
-- "So if migration on source times out, then you migrate to another destination, this will cancel the in-progress
-- reporting."  Nothing is lost but the use of it; the merged form waits for its own id.  The same series ignored hints
-- as soon as page poisoning was negotiated, though a poison value of zero is what an absent page reads as.

local common = include("common.inc")

return {
	name = "hint-as-posted",
	title = "hinting as first posted: no hint counts at the second destination, or with poison",
	evidence = {
		"virtio-dev, 7 February 2018: review of [PATCH v2 1/3] virtio-balloon: VIRTIO_BALLOON_F_FREE_PAGE_HINT",
		"virtio-dev, 6 February 2018: [PATCH v2 3/3] virtio-balloon: add a timer to limit the free page report waiting time",
	},
	params = {
		posted = { default = true, doc = "as posted; else as merged" },
		second = { default = true, doc = "cancel, and migrate to another destination" },
		poison = { default = false, doc = "page poisoning, with the value 0" },
	},
	variants = {
		second_destination = { expect = "state-lost", runs = 8000, doc = "ended by the stop id of before" },
		poison_zero = { expect = "state-lost", set = { second = false, poison = true }, runs = 3000,
				doc = "PAGE_POISON alone keeps hints out" },
		merged_second = { expect = "ok", set = { posted = false }, runs = 2000, doc = "the merged form" },
		merged_poison = { expect = "ok", set = { posted = false, second = false, poison = true }, runs = 2000,
				  doc = "the merged form with poison 0" },
		posted_first = { expect = "ok", set = { second = false }, runs = 2000,
				 doc = "as posted, to one destination" },
	},
	setup = function(p)
		local w = common.world { pages = 4, posted = p.posted, poison = p.poison and 0 or nil }

		-- A migration's first round of hints; whether it came to its end before the migration did.
		local function round(limit)
			local before = w.balloon:info().reports

			if p.posted then
				w.dev:hint_limit(limit)
			end
			common.begin(w, { budget_pages = 1, slow_link = true })
			if not common.active(w) then
				return false
			end
			common.quiet()
			return w.balloon:info().reports > before and w.migration:state() == "active"
		end

		-- As far as the limit lets it come: the driver is at its report still.
		local function first()
			if p.posted then
				w.dev:hint_limit(1000)
			end
			common.begin(w, { budget_pages = 1, slow_link = true })
			common.active(w)
		end

		local function cancel()
			w.migration:cancel()
			return common.finish(w) == "cancelled"
		end

		common.guest(w, function() end)
		actor("monitor", function()
			w.ready:wait()
			if p.second then
				first()
				if not cancel() then
					return
				end
				if not p.posted then
					common.quiet() -- DONE: the guest has its pages again
				end
			end

			local before = w.dev:balloon_info().hints
			local free = w.balloon:info().free
			local whole = round(0)

			if whole and free > 0 and w.balloon:info().held > 0 then
				expect(w.dev:balloon_info().hints > before, "state-lost", "balloon0",
				       string.format("%d pages were free and hinted, and no hint counted", free))
			end
			cancel()
		end)
	end,
}
