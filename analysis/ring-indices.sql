-- SPDX-License-Identifier: GPL-2.0-or-later
-- The data of ring-indices.gp for run :run and queue :queue ('' for the first one), from step :from
-- to step :to (0 for the end).  Settings for gnuplot in lines that begin with "#= ", then one data
-- set a curve, each under its name.  x is the step; y of all but the indices is the actor's lane.
-- plot.sh sets the parameters and reads views.sql first.
.headers off
.mode list
.separator " "

-- The run as far as it is drawn, once, so that nothing below scans all of the file.
CREATE TEMP TABLE here AS SELECT * FROM ring_index WHERE run_id = :run;
CREATE TEMP TABLE told AS SELECT * FROM notification WHERE run_id = :run;
CREATE TEMP TABLE slept AS SELECT * FROM asleep WHERE run_id = :run;
CREATE TEMP TABLE the AS
SELECT coalesce(nullif(:queue, ''),
	       (SELECT queue FROM here WHERE name = 'avail_idx' ORDER BY id)) AS queue,
       max(coalesce((SELECT max(step) FROM event WHERE run_id = :run), 0),
	   coalesce((SELECT max(step) FROM violation WHERE run_id = :run), 0)) AS last;
DELETE FROM here WHERE queue IS NOT (SELECT queue FROM the);
DELETE FROM told WHERE queue <> (SELECT queue FROM the); -- those that name no queue stay
-- Some room after the run's end: who sleeps there sleeps for ever.
CREATE TEMP TABLE edge AS
SELECT :from AS low, max(:from + 1, CASE WHEN :to > 0 AND :to < last THEN :to
	ELSE last + max(3, (last - :from) / 20) END) AS high FROM the;
CREATE TEMP TABLE lane AS
SELECT row_number() OVER (ORDER BY first) AS y, actor
  FROM (SELECT actor, min(id) AS first
	  FROM (SELECT actor, id FROM here UNION ALL SELECT actor, id FROM told
		UNION ALL SELECT actor, from_step + (1 << 62) FROM slept) GROUP BY actor);
-- Each curve from its value at the first step drawn, 0 before any store, to that at the last.
CREATE TEMP TABLE curve AS
SELECT name, low AS step, -1 AS id, coalesce((SELECT value FROM here h
	WHERE h.name = n.name AND h.step <= low ORDER BY id DESC LIMIT 1), 0) AS value
  FROM edge, (SELECT DISTINCT name FROM here) n
UNION ALL SELECT name, step, id, value FROM here, edge WHERE step > low AND step <= high
UNION ALL SELECT name, high, 1 << 62, coalesce((SELECT value FROM here h
	WHERE h.name = n.name AND h.step <= high ORDER BY id DESC LIMIT 1), 0)
  FROM edge, (SELECT DISTINCT name FROM here) n;
CREATE TEMP TABLE mark AS
SELECT what, step, y FROM told JOIN lane USING (actor), edge WHERE step BETWEEN low AND high;
CREATE TEMP TABLE sleep AS
SELECT max(from_step, low) AS low, min(coalesce(until_step, high), high) AS high, y
  FROM slept JOIN lane USING (actor), edge WHERE from_step <= high
   AND coalesce(until_step, high) >= low;
-- Texts as they can stand between single quotes for gnuplot.
CREATE TEMP TABLE words AS
SELECT replace(replace(scenario, '''', ''), 'scenarios/', '')
       || CASE variant WHEN '' THEN '' ELSE ':' || replace(variant, '''', '') END AS scenario,
       verdict, memory, replace(datapath, '''', '') AS datapath FROM run WHERE id = :run;

SELECT '#= found = ' || ((SELECT count(*) FROM here) > 0);
SELECT '#= title_text = ''' || scenario || '   —   ' || verdict || '''' FROM words;
SELECT '#= subtitle_text = ''run ' || :run || ', queue '
       || coalesce((SELECT queue FROM the), '?') || ', memory model ' || memory
       || ', datapath ' || datapath || '''' FROM words;
SELECT '#= first_step = ' || low || '; last_step = ' || high FROM edge;
SELECT '#= lowest = ' || coalesce(min(value), 0) || '; highest = ' || coalesce(max(value), 1)
  FROM curve;
SELECT '#= lanes = ' || count(*) FROM lane;
SELECT '#= lane_' || y || ' = ''' || replace(actor, '''', '') || '''' FROM lane;
SELECT '#= broken = 0';
SELECT '#= broken = 1; broken_step = ' || step || '; broken_text = '''
       || replace(statement || ': ' || message, '''', '') || ''''
  FROM (SELECT * FROM violation, edge WHERE run_id = :run AND step BETWEEN low AND high
	 ORDER BY id LIMIT 1);
-- What there is to draw: 1, 2, … in the order of ring-indices.gp.
SELECT '#= fields_shown = "' || coalesce(group_concat(column1, ' '), '') || '"'
  FROM (VALUES (1, 'avail_idx'), (2, 'used_idx'), (3, 'last_avail_idx'), (4, 'used_event'),
	       (5, 'avail_event')) WHERE column2 IN (SELECT name FROM curve);
SELECT '#= marks_shown = "' || coalesce(group_concat(column1, ' '), '') || '"'
  FROM (VALUES (1, 'kick'), (2, 'kick taken'), (3, 'kick suppressed'), (4, 'interrupt'),
	       (5, 'interrupt taken'), (6, 'interrupt suppressed'))
 WHERE column2 IN (SELECT what FROM mark);
SELECT '#= sleeps = ' || EXISTS (SELECT 1 FROM sleep);

SELECT '# avail_idx';
SELECT step, value FROM curve WHERE name = 'avail_idx' ORDER BY id;
SELECT char(10) || char(10) || '# used_idx';
SELECT step, value FROM curve WHERE name = 'used_idx' ORDER BY id;
SELECT char(10) || char(10) || '# last_avail_idx';
SELECT step, value FROM curve WHERE name = 'last_avail_idx' ORDER BY id;
SELECT char(10) || char(10) || '# used_event';
SELECT step, value FROM curve WHERE name = 'used_event' ORDER BY id;
SELECT char(10) || char(10) || '# avail_event';
SELECT step, value FROM curve WHERE name = 'avail_event' ORDER BY id;
SELECT char(10) || char(10) || '# kick';
SELECT step, y FROM mark WHERE what = 'kick';
SELECT char(10) || char(10) || '# kick_taken';
SELECT step, y FROM mark WHERE what = 'kick taken';
SELECT char(10) || char(10) || '# kick_suppressed';
SELECT step, y FROM mark WHERE what = 'kick suppressed';
SELECT char(10) || char(10) || '# interrupt';
SELECT step, y FROM mark WHERE what = 'interrupt';
SELECT char(10) || char(10) || '# interrupt_taken';
SELECT step, y FROM mark WHERE what = 'interrupt taken';
SELECT char(10) || char(10) || '# interrupt_suppressed';
SELECT step, y FROM mark WHERE what = 'interrupt suppressed';
SELECT char(10) || char(10) || '# asleep';
SELECT low, high, y FROM sleep;
