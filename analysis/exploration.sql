-- SPDX-License-Identifier: GPL-2.0-or-later
-- The data of exploration.gp for run :run.  Settings for gnuplot in lines that begin with "#= ",
-- then: seconds, classes seen, new classes a second, schedules a second.  plot-exploration.sh sets
-- the parameter and reads views.sql first.
.headers off
.mode list
.separator " "

SELECT '#= points = ' || count(*) FROM exploration WHERE run_id = :run AND elapsed_ns > 0;
SELECT '#= title_text = ''' || replace(replace(scenario, '''', ''), 'scenarios/', '')
       || CASE variant WHEN '' THEN '' ELSE ':' || replace(variant, '''', '') END || '   —   '
       || verdict || CASE complete WHEN 1 THEN ', complete' ELSE '' END || ''''
  FROM run WHERE id = :run;
SELECT '#= subtitle_text = ''run ' || :run || ', strategy ' || strategy || ', memory model '
       || memory || ', ' || coalesce(schedules, 0) || ' schedules''' FROM run WHERE id = :run;
-- What was estimated of all classes, where it was.
SELECT '#= estimated = ' || coalesce((SELECT value FROM metric
	WHERE run_id = :run AND name = 'explore.classes_estimated'), 0);
SELECT printf('%.6f %d %d %d', elapsed_ns / 1e9, classes, coalesce(new_classes_per_s, 0),
	      coalesce(schedules_per_s, 0))
  FROM exploration WHERE run_id = :run AND elapsed_ns > 0 ORDER BY elapsed_ns;
