-- SPDX-License-Identifier: GPL-2.0-or-later
-- Views over a Ringside database.  They are temporary: the file is not changed.
--	sqlite3 -readonly -box -cmd '.read analysis/views.sql' results.db 'SELECT * FROM runs'

-- One line a run, and whether it ended as its scenario expects.
CREATE TEMP VIEW runs AS
SELECT id, scenario, variant, strategy, memory, datapath, seed, verdict,
       CASE WHEN expected = '' THEN '' WHEN verdict = expected THEN 'as expected'
	    ELSE 'expected ' || expected END AS outcome,
       schedules, steps,
       (SELECT coalesce(sum(last_id - first_id + 1), 0) FROM event_span s
	 WHERE s.run_id = run.id) AS events,
       CASE WHEN wall_ns > 0 THEN CAST(schedules * 1e9 / wall_ns AS INTEGER) END AS schedules_per_s
  FROM run;

CREATE TEMP VIEW violations_by_statement AS
SELECT oracle, statement, severity, count(*) AS violations, count(DISTINCT run_id) AS runs,
       min(run_id) AS first_run, min(message) AS message
  FROM violation GROUP BY oracle, statement, severity;

-- Speed of an exploration and of what it still found, between one note of progress and the next.
CREATE TEMP VIEW exploration AS
SELECT run_id, elapsed_ns, schedules, failing, classes,
       (schedules - lag(schedules, 1, 0) OVER w) * 1000000000
	/ nullif(elapsed_ns - lag(elapsed_ns, 1, 0) OVER w, 0) AS schedules_per_s,
       (classes - lag(classes, 1, 0) OVER w) * 1000000000
	/ nullif(elapsed_ns - lag(elapsed_ns, 1, 0) OVER w, 0) AS new_classes_per_s
  FROM progress WINDOW w AS (PARTITION BY run_id ORDER BY elapsed_ns);

-- The indices of split rings as they were written to guest memory (recorded stores).
CREATE TEMP VIEW ring_store AS
SELECT run_id, id, step, time_ns, actor,
       CASE WHEN field GLOB '*.idx' THEN substr(field, 1, length(field)
		- CASE WHEN field GLOB '*.avail.idx' THEN 10 ELSE 9 END)
	    ELSE substr(field, 1, length(field)
		- CASE WHEN field GLOB '*.used_event' THEN 11 ELSE 12 END) END AS queue,
       CASE WHEN field GLOB '*.avail.idx' THEN 'avail_idx'
	    WHEN field GLOB '*.used.idx' THEN 'used_idx'
	    WHEN field GLOB '*.used_event' THEN 'used_event' ELSE 'avail_event' END AS name,
       value & 0xffff AS value
  FROM access
 WHERE kind = 'store' AND (field GLOB '*.avail.idx' OR field GLOB '*.used.idx'
			   OR field GLOB '*.used_event' OR field GLOB '*.avail_event');

-- Events that name a queue, as DEVICE.vqN; queue is NULL where the event does not tell.
CREATE TEMP VIEW queue_event AS
SELECT run_id, id, step, time_ns, actor, kind, detail,
       CASE WHEN detail GLOB 'vq=*' THEN substr(detail, 4, instr(detail || ' ', ' ') - 4)
	    WHEN detail GLOB 'dev=* vq=*' THEN substr(detail, 5, instr(detail, ' ') - 5) || '.vq'
		 || CAST(substr(detail, instr(detail, ' vq=') + 4) AS INTEGER)
	    WHEN fd GLOB '*.call[0-9]*' THEN replace(fd, '.call', '.vq')
	    WHEN fd GLOB '*.kick[0-9]*' THEN replace(fd, '.kick', '.vq')
	    WHEN fd GLOB '*.kick' OR fd GLOB '*.call' THEN substr(fd, 1, length(fd) - 5)
       END AS queue, fd
  FROM (SELECT *, CASE WHEN detail GLOB 'fd=*'
		       THEN substr(detail, 4, instr(detail || ' ', ' ') - 4) END AS fd
	  FROM event)
 WHERE detail GLOB 'vq=*' OR detail GLOB 'dev=* vq=*' OR fd GLOB '*kick*' OR fd GLOB '*call*';

-- last_avail_idx: chains popped since the queue was enabled.
CREATE TEMP VIEW ring_pop AS
SELECT run_id, id, step, time_ns, actor, queue, 'last_avail_idx' AS name,
       sum(delta) OVER (PARTITION BY run_id, queue, life ORDER BY id) & 0xffff AS value
  FROM (SELECT *, sum(kind = 'virtio_queue_enable')
		  OVER (PARTITION BY run_id, queue ORDER BY id) AS life,
	       CASE kind WHEN 'virtqueue_unpop' THEN -1 WHEN 'virtio_queue_enable' THEN 0
			 ELSE 1 END AS delta
	  FROM queue_event
	 WHERE kind IN ('virtqueue_pop', 'virtqueue_unpop', 'raw_pop', 'virtio_queue_enable'));

CREATE TEMP VIEW ring_index AS
SELECT run_id, id, step, time_ns, actor, queue, name, value FROM ring_store
UNION ALL SELECT run_id, id, step, time_ns, actor, queue, name, value FROM ring_pop;

-- Kicks and interrupts: when sent, when not sent because the other side had not asked for them, and
-- when the other side took notice.
CREATE TEMP VIEW notification AS
SELECT run_id, id, step, time_ns, actor, queue, kind,
       CASE WHEN kind = 'vq_notify' THEN 'kick'
	    WHEN kind = 'virtio_notify' THEN 'interrupt'
	    WHEN kind = 'vq_kick_prepare' THEN 'kick suppressed'
	    WHEN kind = 'virtqueue_should_notify' THEN 'interrupt suppressed'
	    WHEN kind = 'virtio_queue_notify' THEN 'kick taken'
	    WHEN kind = 'vring_interrupt' THEN 'interrupt taken'
	    WHEN kind = 'eventfd_read' AND fd GLOB '*kick*' THEN 'kick taken'
	    WHEN kind = 'eventfd_read' THEN 'interrupt taken'
	    WHEN fd GLOB '*kick' THEN 'kick' ELSE 'interrupt' END AS what
  FROM queue_event
 WHERE kind IN ('vq_notify', 'virtio_notify', 'virtio_queue_notify', 'vring_interrupt')
    OR kind IN ('vq_kick_prepare', 'virtqueue_should_notify') AND detail GLOB '* wanted=0*'
    -- between two halves without a transport the eventfds are the notifications
    OR kind IN ('eventfd_signal', 'eventfd_write') AND (fd GLOB '*kick' OR fd GLOB '*call')
    OR kind = 'eventfd_read' AND (fd GLOB '*kick*' OR fd GLOB '*call');

CREATE TEMP VIEW notifications_per_queue AS
SELECT run_id, coalesce(queue, '') AS queue, sum(what = 'kick') AS kicks,
       sum(what = 'kick taken') AS kicks_taken,
       sum(what = 'kick suppressed') AS kicks_suppressed, sum(what = 'interrupt') AS interrupts,
       sum(what = 'interrupt taken') AS interrupts_taken,
       sum(what = 'interrupt suppressed') AS interrupts_suppressed
  FROM notification GROUP BY run_id, coalesce(queue, '');

-- When an actor waited, and for what; until_step is NULL if it still does.
CREATE TEMP VIEW asleep AS
SELECT run_id, actor, id, step AS from_step, until_step, substr(detail, 4) AS waits_for
  FROM (SELECT *, lead(step) OVER (PARTITION BY run_id, actor ORDER BY id) AS until_step
	  FROM (SELECT run_id, actor, id, step, kind, detail FROM event
		UNION ALL
		SELECT e.run_id, a.name, e.id, e.step, 'woken', '' FROM event e
		  JOIN actor a ON a.run_id = e.run_id
			      AND a.id = CAST(substr(e.detail, 4) AS INTEGER)
		 WHERE e.kind = 'actor_wake'))
 WHERE kind = 'actor_block';
