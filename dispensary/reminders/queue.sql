-- The queue of reminders. Every time in a lease is the database's.
--
-- A statement begins at `-- name --`; the comment after it says what it does and names its parameters in their order.
-- States and outcomes are numbers of `ReminderState` and `DeliveryOutcome` with their name beside them: a parameter in place
-- of a number would hide the partial index from a prepared plan. A test holds the numbers to the enums.
--
-- No UPDATE tests `state` where it marks a row that it holds: a repeated predicate of a partial index makes the planner walk
-- the index of leases. A held row is known by its id and the token of its lease; whatever takes it back clears the token.

-- claim_due --
-- Take due reminders under a lease. token, owner, length of the lease, limit
UPDATE dispensary_reminder
   SET state = 1 /* leased */, lease_token = %s, lease_owner = %s, lease_until = clock_timestamp() + %s
 WHERE id = ANY (ARRAY(
        SELECT id FROM dispensary_reminder
         WHERE state = 0 /* scheduled */ AND due_at <= now()
         ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED))
RETURNING id, lease_until

-- hand_over --
-- In one commit: finish the delivery before, begin the next. previous_delivery, answered, next, token,
-- send_timeout in seconds, medium, channel, key, contact, digest, language, words, detailed, segments.
-- No row back means: do not send. A send begins only if the lease outlives the channel's own time limit and the message
-- is still true. The reminder before stays leased until its batch is booked: until then its end stands in the delivery.
WITH finished AS (
    UPDATE dispensary_delivery
       SET outcome = GREATEST(outcome, 20 /* accepted */), provider_message_id = %(answered)s::text,
           finished_at = clock_timestamp()
     WHERE id = %(previous_delivery)s::bigint),
moved AS (
    UPDATE dispensary_reminder SET sending_since = clock_timestamp(), attempts = attempts + 1
     WHERE id = %(next)s::bigint AND lease_token = %(token)s::uuid
       AND lease_until > clock_timestamp() + %(send_timeout)s::float8 * interval '1 second'
       AND useful_until > clock_timestamp()
    RETURNING id, attempts, round)
INSERT INTO dispensary_delivery
       (reminder_id, medium, channel, attempt, round, key, contact_id, address_digest, provider_message_id, outcome, error,
        language, words_version, detailed, segments, started_at)
SELECT id, %(medium)s::text, %(channel)s::text, attempts, round, %(key)s::uuid, %(contact)s::uuid, %(digest)s::text, '',
       0 /* started */, '', %(language)s::text, %(words)s::text, %(detailed)s::boolean, %(segments)s::smallint,
       clock_timestamp()
  FROM moved
    ON CONFLICT DO NOTHING
RETURNING id, attempt, extract(epoch FROM started_at)::float8

-- claim_together --
-- Take what else is due at the addresses of reminders just claimed, under their lease: it may leave as one message.
-- token, owner, end of the lease, ids, limit
UPDATE dispensary_reminder
   SET state = 1 /* leased */, lease_token = %s, lease_owner = %s, lease_until = %s
 WHERE id = ANY (ARRAY(
        SELECT other.id
          FROM dispensary_reminder mine
          JOIN dispensary_contactpoint point ON point.patient_id = mine.patient_id AND point.retired_at IS NULL
          JOIN dispensary_contactpoint same ON same.address_digest = point.address_digest AND same.retired_at IS NULL
          JOIN dispensary_reminder other ON other.patient_id = same.patient_id
         WHERE mine.id = ANY(%s) AND other.state = 0 /* scheduled */ AND other.due_at <= now()
         LIMIT %s FOR UPDATE OF other SKIP LOCKED))
RETURNING id

-- begin_together --
-- Begin several reminders that leave as one message, all or none. ids, token, send_timeout in seconds, medium, channel, key,
-- digest, language, words; contacts, detailed and segments in the order of the ids.
WITH held AS (
    SELECT id FROM dispensary_reminder
     WHERE id = ANY(%(ids)s::bigint[]) AND lease_token = %(token)s::uuid
       AND lease_until > clock_timestamp() + %(send_timeout)s::float8 * interval '1 second'
       AND useful_until > clock_timestamp()
     ORDER BY id FOR UPDATE),
moved AS (
    UPDATE dispensary_reminder SET sending_since = clock_timestamp(), attempts = attempts + 1
     WHERE id IN (SELECT id FROM held) AND (SELECT count(*) FROM held) = cardinality(%(ids)s::bigint[])
    RETURNING id, attempts, round)
INSERT INTO dispensary_delivery
       (reminder_id, medium, channel, attempt, round, key, contact_id, address_digest, provider_message_id, outcome, error,
        language, words_version, detailed, segments, started_at)
SELECT moved.id, %(medium)s, %(channel)s, attempts, round, %(key)s, part.contact, %(digest)s, '', 0 /* started */, '',
       %(language)s, %(words)s, part.detailed, part.segments, clock_timestamp()
  FROM moved
  JOIN unnest(%(ids)s::bigint[], %(contacts)s::uuid[], %(detailed)s::boolean[], %(segments)s::smallint[])
       AS part (id, contact, detailed, segments) ON part.id = moved.id
RETURNING reminder_id, id, attempt, extract(epoch FROM started_at)::float8

-- name_lead --
-- Name the delivery under which others were sent. lead, others
UPDATE dispensary_delivery SET sent_with_id = %s WHERE id = ANY(%s)

-- read_batch --
-- Read all that decides about claimed reminders, with the first address that may be used. Named: media, ids, token.
-- OFFSET 0 holds the planner to one row's patient, and to patient, then reminder, then delivery: with the statistics of
-- tables not counted yet it walks all patients, or all deliveries once for every row. The kinds named are those held
-- back by the limits of a day and a week; only for them is looked up what was sent before. A carer's address needs the
-- carer's yes, and no patient who refuses every medium. An address with a delivery refused,
-- undelivered or bounced is not tried again for the same reminder in the same round. A copy goes to its reader alone, the
-- others to no reader of a copy. The last column lists the guardians who said yes and have no copy yet.
SELECT r.id, r.public_id, r.kind, r.params, r.round, r.useful_until, r.despite_quiet, r.pharmacy_id, r.patient_id,
       coalesce(nullif(p.time_zone, ''), ph.time_zone), ph.time_zone, coalesce(c.carer_language, p.language), ph.language, ph.name, coalesce(nullif(ph.text_name, ''), ph.name), ph.phone, ph.after_hours_phone, ph.email,
       ph.quiet_from, ph.quiet_until, ph.message_at, p.given_name, p.family_name, ph.shared_names, ph.usual_times,
       c.id, c.medium, c.address, c.address_digest, c.detail_level, c.page_code, coalesce(c.is_shared, false), coalesce(c.rank, 0),
       CASE WHEN r.kind IN ('refill_due', 'refill_again', 'start_day', 'change_day', 'prescriber_asked', 'supply_short') THEN ARRAY(
            SELECT d.started_at
              FROM unnest(others.recent) earlier,
                   LATERAL (SELECT started_at FROM dispensary_delivery
                             WHERE reminder_id = earlier AND outcome IN (0 /* started */, 20 /* accepted */, 30 /* delivered */)
                               AND started_at > now() - interval '7 days' OFFSET 0) d) END,
       coalesce(others.go_first, false),
       EXISTS (SELECT 1 FROM dispensary_delivery d
                WHERE d.reminder_id = r.id AND d.round = r.round
                  AND d.outcome IN (33 /* refused */, 31 /* undelivered */, 32 /* bounced */)),
       EXISTS (SELECT 1 FROM dispensary_delivery d
                WHERE d.reminder_id = r.id AND d.round = r.round AND d.outcome = 34 /* repeated */),
       clock_timestamp(), r.reader_id,
       CASE WHEN r.reader_id IS NULL AND c.id IS NOT NULL THEN ARRAY(
            SELECT guardian.id
              FROM dispensary_carer guardian
             WHERE guardian.patient_id = r.patient_id AND guardian.ended_at IS NULL
               AND guardian.relation IN ('parent', 'guardian') AND guardian.answer = 'yes'
               AND guardian.id IS DISTINCT FROM c.carer_id
               AND EXISTS (SELECT 1 FROM dispensary_contactpoint own
                            WHERE own.carer_id = guardian.id AND own.retired_at IS NULL AND own.fault = ''
                              AND own.medium = ANY(%(media)s)
                              AND NOT EXISTS (SELECT 1 FROM dispensary_suppression s
                                               WHERE s.medium = own.medium AND s.address_digest = own.address_digest))
               AND NOT EXISTS (SELECT 1 FROM dispensary_reminder copy
                                WHERE copy.plan_id = r.plan_id AND copy.kind = r.kind AND copy.local_date = r.local_date
                                  AND copy.reader_id = guardian.id)) END
  FROM dispensary_reminder r
  JOIN LATERAL (SELECT * FROM dispensary_patient WHERE id = r.patient_id OFFSET 0) p ON true
  JOIN dispensary_pharmacy ph ON ph.id = r.pharmacy_id
  LEFT JOIN LATERAL (
       SELECT array_agg(id) FILTER (WHERE useful_until > now() - interval '7 days') AS recent,
              bool_or(due_at <= now() AND state IN (0 /* scheduled */, 1 /* leased */)
                      AND (kind NOT IN ('refill_due', 'refill_again', 'start_day', 'change_day', 'prescriber_asked', 'supply_short') OR id < r.id)) AS go_first
         FROM dispensary_reminder
        WHERE r.kind IN ('refill_due', 'refill_again', 'start_day', 'change_day', 'prescriber_asked', 'supply_short') AND patient_id = r.patient_id AND id <> r.id
          AND reader_id IS NOT DISTINCT FROM r.reader_id) others ON true
  LEFT JOIN LATERAL (
       SELECT point.*, carer.language AS carer_language,
              point.carer_id IS NOT NULL OR EXISTS (
                    SELECT 1 FROM dispensary_contactpoint same
                     WHERE same.address_digest = point.address_digest AND same.patient_id <> point.patient_id
                       AND same.retired_at IS NULL) AS is_shared,
              (SELECT count(DISTINCT same.patient_id) FROM dispensary_contactpoint same
                WHERE same.address_digest = point.address_digest AND same.patient_id < point.patient_id
                  AND same.retired_at IS NULL) AS rank
         FROM dispensary_contactpoint point
         LEFT JOIN dispensary_carer carer ON carer.id = point.carer_id
        WHERE CASE WHEN point.carer_id IS NULL
                   THEN EXISTS (SELECT 1 FROM dispensary_consent said
                                 WHERE said.patient_id = r.patient_id AND said.medium = point.medium AND said.answer = 'yes')
                   ELSE carer.answer = 'yes' AND carer.ended_at IS NULL AND coalesce(
                        (SELECT bool_or(said.answer = 'yes') FROM dispensary_consent said WHERE said.patient_id = r.patient_id), true)
              END
          AND point.patient_id = r.patient_id AND point.retired_at IS NULL AND point.fault = '' AND point.medium = ANY(%(media)s)
          AND CASE WHEN r.reader_id IS NOT NULL THEN r.reader_id = point.carer_id
                   ELSE point.carer_id IS NULL OR NOT EXISTS (
                        SELECT 1 FROM dispensary_reminder copy
                         WHERE copy.plan_id = r.plan_id AND copy.kind = r.kind AND copy.local_date = r.local_date
                           AND copy.reader_id = point.carer_id)
              END
          AND NOT EXISTS (SELECT 1 FROM dispensary_suppression s
                           WHERE s.medium = point.medium AND s.address_digest = point.address_digest)
          AND NOT EXISTS (SELECT 1 FROM dispensary_delivery d
                           WHERE d.reminder_id = r.id AND d.round = r.round
                             AND d.outcome IN (33 /* refused */, 31 /* undelivered */, 32 /* bounced */)
                             AND d.contact_id = point.id)
        ORDER BY point.preference, point.added_at, point.medium, point.id LIMIT 1) c ON true
 WHERE r.id = ANY(%(ids)s) AND r.lease_token = %(token)s
 ORDER BY r.due_at, r.id

-- copy_for_readers --
-- Owe a leased reminder to further readers, too. Named: reminder, token; public ids and readers, arrays of equal length.
INSERT INTO dispensary_reminder (public_id, plan_id, pharmacy_id, patient_id, kind, occurrence, local_date, local_time,
       due_at, useful_until, params, tz_name, tzdb_version, state, round, attempts, lost_workers, despite_quiet,
       last_error, lease_owner, reader_id)
SELECT copy.public_id, r.plan_id, r.pharmacy_id, r.patient_id, r.kind, r.occurrence, r.local_date, r.local_time,
       r.due_at, r.useful_until, r.params, r.tz_name, r.tzdb_version, 0 /* scheduled */, 1, 0, 0, r.despite_quiet,
       '', '', copy.reader
  FROM dispensary_reminder r, unnest(%(public_ids)s::uuid[], %(readers)s::uuid[]) AS copy (public_id, reader)
 WHERE r.id = %(reminder)s AND r.lease_token = %(token)s
    ON CONFLICT DO NOTHING

-- move_reminder --
-- Move a leased reminder to a state and end its lease. state, error, due_at or NULL, id, token
UPDATE dispensary_reminder
   SET state = %s, last_error = %s, due_at = coalesce(%s, due_at),
       lease_token = NULL, lease_until = NULL, lease_owner = '', sending_since = NULL
 WHERE id = %s AND lease_token = %s
RETURNING id

-- book_sent --
-- Move accepted reminders to their end. ids, token
UPDATE dispensary_reminder
   SET state = 3 /* sent */, last_error = '', lease_token = NULL, lease_until = NULL, lease_owner = '', sending_since = NULL
 WHERE id = ANY(%s) AND lease_token = %s
RETURNING id

-- return_begun --
-- Schedule again what was begun and has not gone; withdraw it where its plan has ended meanwhile.
-- error, due_at or NULL, id, token
UPDATE dispensary_reminder r
   SET state = CASE WHEN plan.ended_at IS NULL THEN 0 /* scheduled */ ELSE 5 /* withdrawn */ END,
       last_error = %s, due_at = coalesce(%s, r.due_at),
       lease_token = NULL, lease_until = NULL, lease_owner = '', sending_since = NULL
  FROM dispensary_reminderplan plan
 WHERE r.id = %s AND r.lease_token = %s AND plan.id = r.plan_id
RETURNING r.state

-- lock_patient --
-- Lock the patient of a reminder. id
SELECT 1 FROM dispensary_patient WHERE id = (SELECT patient_id FROM dispensary_reminder WHERE id = %s) FOR NO KEY UPDATE

-- release_unsent --
-- Give back what was not begun. ids, token
UPDATE dispensary_reminder
   SET state = 0 /* scheduled */, lease_token = NULL, lease_until = NULL, lease_owner = '', sending_since = NULL
 WHERE id = ANY(%s) AND lease_token = %s AND sending_since IS NULL

-- reclaim_unsent --
-- Give back what workers held whose lease has run out before they began it.
-- Each lost worker sets its rows a little apart, so that one that kills its workers ends up alone and the others go on.
UPDATE dispensary_reminder
   SET state = 0 /* scheduled */, lease_token = NULL, lease_until = NULL, lease_owner = '', sending_since = NULL,
       lost_workers = lost_workers + 1,
       due_at = LEAST(useful_until - interval '1 millisecond',
                      CASE WHEN lost_workers < 2 THEN due_at
                           ELSE GREATEST(due_at, now()) + lost_workers * random() * interval '30 seconds' END)
 WHERE id = ANY (ARRAY(
        SELECT id FROM dispensary_reminder
         WHERE state = 1 /* leased */ AND sending_since IS NULL AND lease_until < clock_timestamp()
         LIMIT 1000 FOR UPDATE SKIP LOCKED))
RETURNING id, lost_workers

-- list_in_doubt --
-- List what workers had begun whose lease has run out.
SELECT r.id, r.lease_token, d.id, d.channel
  FROM dispensary_reminder r
  LEFT JOIN dispensary_delivery d
         ON d.reminder_id = r.id AND d.round = r.round AND d.outcome IN (0 /* started */, 10 /* unknown */)
 WHERE r.state = 1 /* leased */ AND r.sending_since IS NOT NULL AND r.lease_until < clock_timestamp()
 ORDER BY r.lease_until LIMIT 200

-- count_due --
-- Count what is due. limit
SELECT count(*) FROM (SELECT 1 FROM dispensary_reminder WHERE state = 0 /* scheduled */ AND due_at <= now() LIMIT %s) AS found

-- add_to_counter --
-- Add to a counter and return the time. name, number
INSERT INTO dispensary_enginecounter (name, at, count) VALUES (%s, clock_timestamp(), %s)
    ON CONFLICT (name) DO UPDATE SET at = EXCLUDED.at, count = dispensary_enginecounter.count + EXCLUDED.count
RETURNING at

-- take_turn --
-- Return time and position to one of all who ask, when the last turn is long enough ago. name, interval
INSERT INTO dispensary_engineturn (name, at, count, position) VALUES (%s, clock_timestamp(), 1, 0)
    ON CONFLICT (name) DO UPDATE SET at = EXCLUDED.at, count = dispensary_engineturn.count + 1
         WHERE dispensary_engineturn.at < clock_timestamp() - %s
RETURNING at, position

-- list_rests --
-- List channels whose provider rests or rested: name, until when, still.
SELECT channel, until, until > clock_timestamp() FROM dispensary_channelrest ORDER BY channel

-- rest_channel --
-- Let a channel rest, twice as long each time. Of workers that ask in the same minute, one counts.
-- channel, shortest, longest, shortest
INSERT INTO dispensary_channelrest (channel, until, times) VALUES (%s, clock_timestamp() + %s, 1)
    ON CONFLICT (channel) DO UPDATE
       SET until = clock_timestamp() + LEAST(%s, %s * power(2, LEAST(dispensary_channelrest.times, 10))),
           times = dispensary_channelrest.times + 1
     WHERE dispensary_channelrest.until < clock_timestamp()

-- end_rest --
-- End the rest of a channel. channel
DELETE FROM dispensary_channelrest WHERE channel = %s

-- read_engine_state --
-- The time, ages in seconds and bounded counts for health checks and metrics.
SELECT clock_timestamp(), extract(epoch FROM clock_timestamp() - (SELECT at FROM dispensary_enginecounter WHERE name = 'tick'))::float8,
       extract(epoch FROM clock_timestamp() - (SELECT due_at FROM dispensary_reminder
                                                WHERE state = 0 /* scheduled */ ORDER BY due_at, id LIMIT 1))::float8,
       (SELECT count(*) FROM (SELECT 1 FROM dispensary_reminder
                               WHERE state = 0 /* scheduled */ AND due_at <= now() LIMIT 100000) AS due),
       (SELECT count(*) FROM dispensary_reminder WHERE state = 1 /* leased */),
       (SELECT count(*) FROM dispensary_reminder WHERE state = 1 /* leased */ AND lease_until < clock_timestamp()),
       (SELECT count(*) FROM dispensary_inboundevent WHERE processed_at IS NULL)

-- count_open_work --
-- Count open work by kind, with the age of the oldest in seconds.
SELECT kind, count(*), extract(epoch FROM clock_timestamp() - min(opened_at))::float8
  FROM dispensary_worklistitem WHERE state <> 'resolved' GROUP BY kind ORDER BY kind

-- list_counters --
-- List counters and turns for the metrics.
SELECT name, count FROM dispensary_enginecounter UNION ALL SELECT name, count FROM dispensary_engineturn ORDER BY name