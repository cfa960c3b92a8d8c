-- Planning of reminders: the statements that write, on the way of a dispense, which people at the counter wait for.
--
-- A statement begins at `-- name --`; the comment after it says what it does and names its parameters in their order.
-- States and outcomes are numbers of `ReminderState` and `DeliveryOutcome` with their name beside them: a parameter in place
-- of a number would hide the partial index from a prepared plan. A test holds the numbers to the enums.

-- lock_reminders --
-- Lock and list the reminders of a plan, and what has left or may have left, of a patient. patient, plan or NULL, since
SELECT {dispensary.Reminder r} FROM dispensary_reminder r
 WHERE r.patient_id = %(patient)s AND (r.plan_id = %(plan)s
       OR ((r.state IN (3 /* sent */, 4 /* delivered */, 9 /* parked */) OR r.sending_since IS NOT NULL) AND r.due_at > %(since)s))
 ORDER BY r.id FOR UPDATE

-- end_plan --
-- End a plan. now, reason, plan, new plan or NULL, carried, by
-- What is carried goes over to the new plan as it stands, with its attempts, its key and its work; what a worker has claimed
-- of it is given back, to be read again. What else is unsent is withdrawn, and the work that waits because of it is closed.
WITH ended AS (UPDATE dispensary_reminderplan SET ended_at = %(now)s, ended_reason = %(reason)s WHERE id = %(plan)s),
carried AS (
    UPDATE dispensary_reminder
       SET plan_id = %(new)s,
           state = CASE WHEN state = 1 /* leased */ AND sending_since IS NULL THEN 0 /* scheduled */ ELSE state END,
           lease_token = CASE WHEN state = 1 /* leased */ AND sending_since IS NULL THEN NULL ELSE lease_token END,
           lease_until = CASE WHEN state = 1 /* leased */ AND sending_since IS NULL THEN NULL ELSE lease_until END,
           lease_owner = CASE WHEN state = 1 /* leased */ AND sending_since IS NULL THEN '' ELSE lease_owner END
     WHERE id = ANY(%(carried)s::bigint[])),
answered AS (
    UPDATE dispensary_worklistitem
       SET state = 'resolved', resolution = 'by-event', resolved_at = %(now)s, resolved_by = %(by)s, put_off_until = NULL
     WHERE state <> 'resolved' AND reminder_id IN (
           SELECT id FROM dispensary_reminder WHERE plan_id = %(plan)s AND NOT id = ANY(%(carried)s::bigint[])))
UPDATE dispensary_reminder
   SET state = 5 /* withdrawn */, lease_token = NULL, lease_until = NULL, lease_owner = '', sending_since = NULL
 WHERE plan_id = %(plan)s AND NOT id = ANY(%(carried)s::bigint[]) AND state IN (0 /* scheduled */, 1 /* leased */, 6 /* suppressed */)
   AND sending_since IS NULL

-- hold_back --
-- Suppress what is to come. error, plan, now
UPDATE dispensary_reminder SET state = 6 /* suppressed */, last_error = %s
 WHERE plan_id = %s AND state = 0 /* scheduled */ AND attempts = 0 AND due_at > %s

-- list_outdated --
-- List patients whose therapy was counted on an earlier day or with settings that their pharmacy has changed since.
-- arrays of equal length: pharmacies, versions, days; ids to pass over, limit
-- One probe of the index for each pharmacy; LATERAL, so that a pharmacy without any costs that and no more.
SELECT behind.patient_id, ph.id
  FROM unnest(%(pharmacies)s::uuid[], %(versions)s::int[], %(days)s::date[]) AS ph (id, version, today),
       LATERAL (SELECT patient_id FROM dispensary_countedtherapy
                 WHERE pharmacy_id = ph.id AND (timing_version, counted_on) < (ph.version, ph.today)
                   AND NOT patient_id = ANY(%(passed)s::uuid[]) LIMIT %(limit)s) behind
 LIMIT %(limit)s

-- count_outdated --
-- Count the same, to the first hundred thousand of each pharmacy. arrays of equal length: pharmacies, versions, days
SELECT coalesce(sum(behind.patients), 0)::bigint
  FROM unnest(%(pharmacies)s::uuid[], %(versions)s::int[], %(days)s::date[]) AS ph (id, version, today),
       LATERAL (SELECT count(*) AS patients FROM (
                SELECT 1 FROM dispensary_countedtherapy
                 WHERE pharmacy_id = ph.id AND (timing_version, counted_on) < (ph.version, ph.today)
                 LIMIT 100000) AS old) behind
