-- Planning of reminders. Four statements on the way of a dispense, which people at the counter wait for.
--
-- A statement begins at `-- name --`; the comment after it says what it does and names its parameters in their order.
-- States and outcomes are numbers of `ReminderState` and `DeliveryOutcome` with their name beside them: a parameter in place
-- of a number would hide the partial index from a prepared plan. A test holds the numbers to the enums.

-- read_facts --
-- Lock the patient, under whose lock plans, consent and addresses change, and read what planning needs.
-- number of the supply, handed_over_at, dispense, prescription, patient
SELECT p.died_on, coalesce(nullif(p.time_zone, ''), ph.time_zone), ph.time_zone, ph.quiet_from, ph.quiet_until,
       ph.refill_lead_days, ph.second_call_days, ph.message_at, ph.timing_version, ph.profile, p.pharmacy_id,
       o.then_stop,
       CASE WHEN o.status = 'replaced' THEN o.ended_at END,
       (SELECT json_agg(json_build_array(f.number, f.doses::text[], f.unit, f.days) ORDER BY f.number)
          FROM dispensary_phase f WHERE f.prescription_id = o.id),
       (SELECT json_agg(json_build_array(d.starts_on, d.run_out_on) ORDER BY d.number) FROM dispensary_dispense d
         WHERE d.prescription_id = o.id AND d.status = 'completed' AND d.number < %s),
       (SELECT max(r.version) FROM dispensary_reminderplan r WHERE r.patient_id = p.id),
       (SELECT json_agg(json_build_array(r.id, r.facts_digest, r.dispense_id, d.prescription_id, r.run_out_on,
                                         r.more_needed, d.handed_over_at <= %s, f.status = 'replaced') ORDER BY r.version)
          FROM dispensary_reminderplan r JOIN dispensary_dispense d ON d.id = r.dispense_id
          JOIN dispensary_prescription f ON f.id = d.prescription_id
         WHERE r.patient_id = p.id AND r.ended_at IS NULL),
       (SELECT json_agg(json_build_array(m.kind, m.occurrence))
          FROM dispensary_reminderplan r JOIN dispensary_reminder m ON m.plan_id = r.id
         WHERE r.dispense_id = %s AND (m.state IN (3 /* sent */, 4 /* delivered */, 9 /* parked */)
                                  OR m.sending_since IS NOT NULL))
  FROM dispensary_patient p
  JOIN dispensary_pharmacy ph ON ph.id = p.pharmacy_id
  JOIN dispensary_prescription o ON o.id = %s
 WHERE p.id = %s
   FOR NO KEY UPDATE OF p

-- end_plan --
-- End a plan: withdraw what it owes and resolve the work that waited because of it. now, reason, plan, by, patient
WITH ended AS (UPDATE dispensary_reminderplan SET ended_at = %(now)s, ended_reason = %(reason)s WHERE id = %(plan)s),
answered AS (
    UPDATE dispensary_worklistitem
       SET state = 'resolved', resolution = 'by-event', resolved_at = %(now)s, resolved_by = %(by)s, put_off_until = NULL
     WHERE patient_id = %(patient)s AND state <> 'resolved'
       AND (reminder_id IN (SELECT id FROM dispensary_reminder WHERE plan_id = %(plan)s)
            OR reminder_id IS NULL AND kind = 'withdrawal-risk' AND %(reason)s <> 'prescription-replaced')),
withdrawn AS (
    UPDATE dispensary_reminder
       SET state = 5 /* withdrawn */, lease_token = NULL, lease_until = NULL, lease_owner = '', sending_since = NULL
     WHERE plan_id = %(plan)s AND state IN (0 /* scheduled */, 1 /* leased */, 6 /* suppressed */) AND sending_since IS NULL
    RETURNING id)
SELECT count(*) FROM withdrawn

-- replace_plan --
-- End a plan for a new one of the same supply. now, reason, plan, new
-- What was begun, has come due or was decided by a person goes over to the new plan as it stands, with its attempts, its
-- key and its work; only what is untouched is planned anew. What a worker has claimed is given back, to be read again.
WITH ended AS (UPDATE dispensary_reminderplan SET ended_at = %(now)s, ended_reason = %(reason)s WHERE id = %(plan)s),
carried AS (
    UPDATE dispensary_reminder
       SET plan_id = %(new)s,
           state = CASE WHEN state = 1 /* leased */ AND sending_since IS NULL THEN 0 /* scheduled */ ELSE state END,
           lease_token = CASE WHEN state = 1 /* leased */ AND sending_since IS NULL THEN NULL ELSE lease_token END,
           lease_until = CASE WHEN state = 1 /* leased */ AND sending_since IS NULL THEN NULL ELSE lease_until END,
           lease_owner = CASE WHEN state = 1 /* leased */ AND sending_since IS NULL THEN '' ELSE lease_owner END
     WHERE plan_id = %(plan)s
       AND NOT (attempts = 0 AND round = 1 AND NOT despite_quiet
                AND state IN (0 /* scheduled */, 6 /* suppressed */) AND due_at > %(now)s)
    RETURNING kind, occurrence),
withdrawn AS (
    UPDATE dispensary_reminder SET state = 5 /* withdrawn */
     WHERE plan_id = %(plan)s AND attempts = 0 AND round = 1 AND NOT despite_quiet
       AND state IN (0 /* scheduled */, 6 /* suppressed */) AND due_at > %(now)s
    RETURNING id)
SELECT (SELECT count(*) FROM withdrawn), (SELECT json_agg(json_build_array(kind, occurrence)) FROM carried),
       EXISTS (SELECT 1 FROM dispensary_reminder
                WHERE plan_id = %(plan)s AND attempts = 0 AND round = 1 AND NOT despite_quiet
                  AND state = 6 /* suppressed */ AND due_at > %(now)s)

-- hold_back --
-- Suppress what is to come. error, plan, now
UPDATE dispensary_reminder SET state = 6 /* suppressed */, last_error = %s
 WHERE plan_id = %s AND state = 0 /* scheduled */ AND attempts = 0 AND due_at > %s

-- stamp_plan --
-- Note the version of the settings that a plan agrees with. version, plan
UPDATE dispensary_reminderplan SET timing_version = %s WHERE id = %s

-- list_on_their_way --
-- List the reminders of a plan whose send has begun. plan
SELECT id FROM dispensary_reminder WHERE plan_id = %s AND sending_since IS NOT NULL

-- write_plan --
-- Store a plan and its reminders. plan, pharmacy, patient, dispense, version, digest, run_out_on, more, timing, now,
-- zone, tzdb and arrays of equal length: ids, kinds, occurrences, dates, times, due, until, params
WITH made AS (
    INSERT INTO dispensary_reminderplan (id, pharmacy_id, patient_id, dispense_id, version, facts_digest, run_out_on,
                                         more_needed, timing_version, planned_at, ended_reason)
    VALUES (%(plan)s, %(pharmacy)s, %(patient)s, %(dispense)s, %(version)s, %(digest)s, %(run_out_on)s, %(more)s,
            %(timing)s, %(now)s, ''))
INSERT INTO dispensary_reminder (public_id, plan_id, pharmacy_id, patient_id, kind, occurrence, local_date, local_time,
       due_at, useful_until, params, tz_name, tzdb_version, state, round, attempts, lost_workers, despite_quiet,
       last_error, lease_owner)
SELECT owed.public_id, %(plan)s, %(pharmacy)s, %(patient)s, owed.kind, owed.occurrence, owed.local_date,
       owed.local_time, owed.due_at, owed.useful_until, owed.params, %(zone)s, %(tzdb)s, 0 /* scheduled */, 1, 0, 0, false,
       '', ''
  FROM unnest(%(ids)s::uuid[], %(kinds)s::text[], %(occurrences)s::text[], %(dates)s::date[], %(times)s::time[],
              %(due)s::timestamptz[], %(until)s::timestamptz[], %(params)s::jsonb[])
       AS owed (public_id, kind, occurrence, local_date, local_time, due_at, useful_until, params)

-- list_outdated_plans --
-- List plans made with settings that their pharmacy has changed since. ids to pass over, limit, limit
-- One probe of the index for each pharmacy; LATERAL, so that a pharmacy without any costs that and no more.
SELECT behind.id, behind.patient_id, ph.id
  FROM dispensary_pharmacy ph,
       LATERAL (SELECT id, patient_id FROM dispensary_reminderplan
                 WHERE pharmacy_id = ph.id AND ended_at IS NULL AND timing_version < ph.timing_version
                   AND NOT id = ANY(%s::uuid[]) LIMIT %s) behind
 LIMIT %s

-- count_outdated_plans --
-- Count the same, to the first hundred thousand of each pharmacy.
SELECT coalesce(sum(behind.plans), 0)::bigint
  FROM dispensary_pharmacy ph,
       LATERAL (SELECT count(*) AS plans FROM (
                SELECT 1 FROM dispensary_reminderplan
                 WHERE pharmacy_id = ph.id AND ended_at IS NULL AND timing_version < ph.timing_version
                 LIMIT 100000) AS old) behind

-- lock_patient_if_free --
-- Lock a patient unless somebody is at work in the record. patient
-- A statement of its own: what is read after the lock is as the last of them left it.
SELECT 1 FROM dispensary_patient WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED

-- read_supply --
-- Read the supply of a plan in force. plan
SELECT d.id, d.prescription_id, d.number, d.starts_on, d.handed_over_at, d.run_out_on, d.strength_mg
  FROM dispensary_reminderplan r JOIN dispensary_dispense d ON d.id = r.dispense_id WHERE r.id = %s AND r.ended_at IS NULL
