-- SPDX-License-Identifier: GPL-2.0-or-later
-- The data of ring-indices.gp for run :run and queue :queue ('' for the first one): settings for gnuplot
-- in lines that begin with "#= ", then one data set a curve, each under its name.  Needs views.sql.
-- x is the step, and y of everything but the indices is the actor's lane.
.headers off
.mode list
.separator " "

-- The run as far as it was recorded, once, so that nothing below scans all of the file.
CREATE TEMP TABLE here AS SELECT * FROM ring_index WHERE run_id = :run;
CREATE TEMP TABLE told AS SELECT * FROM notification WHERE run_id = :run;
CREATE TEMP TABLE slept AS SELECT * FROM asleep WHERE run_id = :run;
CREATE TEMP TABLE the AS SELECT
	coalesce(nullif(:queue, ''), (SELECT queue FROM here WHERE name = 'avail_idx' ORDER BY id)) AS queue,
	max(coalesce((SELECT max(step) FROM event WHERE run_id = :run), 0),
	    coalesce((SELECT max(step) FROM violation WHERE run_id = :run), 0)) AS last;
-- What is after the end: who sleeps there sleeps for ever.
CREATE TEMP TABLE edge AS SELECT last + max(3, last / 20) AS step FROM the;
CREATE TEMP TABLE lane AS
SELECT row_number() OVER (ORDER BY first) AS y, actor FROM
	(SELECT actor, min(id) AS first FROM
		(SELECT actor, id FROM here WHERE queue = (SELECT queue FROM the)
		 UNION ALL SELECT actor, id FROM told
		  WHERE queue IS NULL OR queue = (SELECT queue FROM the))
	  GROUP BY actor);

-- Text in single quotes for gnuplot.
CREATE TEMP TABLE words AS SELECT replace(replace(scenario, '''', ''), 'scenarios/', '')
	|| CASE variant WHEN '' THEN '' ELSE ':' || replace(variant, '''', '') END AS scenario,
	verdict, memory, datapath, id FROM run WHERE id = :run;

SELECT '#= found = ' || ((SELECT queue FROM the) IS NOT NULL);
SELECT '#= title_text = ''' || scenario || '   —   ' || verdict || '''' FROM words;
SELECT '#= subtitle_text = ''run ' || id || ', queue ' || coalesce((SELECT queue FROM the), '?')
	|| ', memory model ' || memory || ', datapath ' || datapath || '''' FROM words;
SELECT '#= last_step = ' || step FROM edge;
SELECT '#= lanes = ' || count(*) FROM lane;
SELECT '#= lane_' || y || ' = ''' || replace(actor, '''', '') || '''' FROM lane;
SELECT '#= broken = ' || count(*) FROM violation WHERE run_id = :run;
SELECT '#= broken_step = ' || step || '; broken_text = ''' || replace(statement || ': ' || message, '''', '')
	|| '''' FROM (SELECT * FROM violation WHERE run_id = :run ORDER BY id LIMIT 1);

-- From 0 at the start to the last value at the end.
CREATE TEMP VIEW curve AS
SELECT name, 0 AS step, 0 AS id, 0 AS value
  FROM (SELECT DISTINCT name FROM here WHERE queue = (SELECT queue FROM the))
UNION ALL SELECT name, step, id, value FROM here WHERE queue = (SELECT queue FROM the)
UNION ALL SELECT name, step, 1 << 62, value FROM edge, (SELECT name, max(id), value FROM here
	WHERE queue = (SELECT queue FROM the) GROUP BY name);
CREATE TEMP VIEW mark AS
SELECT t.what, t.step, l.y FROM told t JOIN lane l USING (actor)
 WHERE queue IS NULL OR queue = (SELECT queue FROM the);

-- What there is to draw: 1, 2, … in the order of ring-indices.gp.
SELECT '#= fields_shown = "' || group_concat(n, ' ') || '"' FROM
	(SELECT n.column1 AS n FROM (VALUES (1, 'avail_idx'), (2, 'used_idx'), (3, 'last_avail_idx'),
		(4, 'used_event'), (5, 'avail_event')) n WHERE n.column2 IN (SELECT name FROM curve));
SELECT '#= marks_shown = "' || coalesce(group_concat(n, ' '), '') || '"' FROM
	(SELECT n.column1 AS n FROM (VALUES (1, 'kick'), (2, 'kick taken'), (3, 'kick suppressed'),
		(4, 'interrupt'), (5, 'interrupt taken'), (6, 'interrupt suppressed')) n
	  WHERE n.column2 IN (SELECT what FROM mark));
SELECT '#= sleeps = ' || EXISTS (SELECT 1 FROM slept JOIN lane USING (actor));

SELECT '# avail_idx'; SELECT step, value FROM curve WHERE name = 'avail_idx' ORDER BY id;
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
SELECT from_step, coalesce(until_step, (SELECT step FROM edge)), l.y FROM slept JOIN lane l USING (actor);
