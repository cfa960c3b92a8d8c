-- Reading of a patient's record, in one statement: each table is an array of its rows. `{app.Model alias}` stands for the columns of
-- a model; `loading.read_record` makes rows of them. A test holds the rows to those that the models read.

-- find_order --
-- order, pharmacies
SELECT o.id, o.pharmacy_id, o.patient_id FROM dispensary_prescription o
 WHERE o.id = %(order)s AND o.pharmacy_id = ANY(%(pharmacies)s::uuid[])

-- read_record --
-- patient, and the GTINs of packs whose products are wanted with it. What records of the same person hold that were joined to it is
-- the patient's too: their orders came with the joining, supplies are those on the orders, decisions stand where they were made.
SELECT ARRAY(SELECT ROW({dispensary.Patient p}) FROM dispensary_patient p
              WHERE p.id = %(patient)s OR p.joined_to_id = %(patient)s ORDER BY p.id = %(patient)s DESC, p.id),
       ARRAY(SELECT ROW({dispensary.Pharmacy f}) FROM dispensary_pharmacy f JOIN dispensary_patient p ON p.pharmacy_id = f.id
              WHERE p.id = %(patient)s),
       ARRAY(SELECT ROW({dispensary.Prescription o}) FROM dispensary_prescription o WHERE o.patient_id = %(patient)s
              ORDER BY o.received_at DESC),
       ARRAY(SELECT ROW({dispensary.Prescriber r}) FROM dispensary_prescriber r WHERE r.id IN (
             SELECT o.prescriber_id FROM dispensary_prescription o WHERE o.patient_id = %(patient)s)),
       ARRAY(SELECT ROW({dispensary.Phase f}) FROM dispensary_phase f
               JOIN dispensary_prescription o ON o.id = f.prescription_id WHERE o.patient_id = %(patient)s
              ORDER BY f.prescription_id, f.number),
       ARRAY(SELECT ROW({dispensary.Override a}) FROM dispensary_override a
               JOIN dispensary_prescription o ON o.id = a.prescription_id WHERE o.patient_id = %(patient)s
              ORDER BY a.signed_at DESC),
       ARRAY(SELECT ROW({dispensary.SecondSignature s}) FROM dispensary_secondsignature s
               JOIN dispensary_override a ON a.id = s.override_id
               JOIN dispensary_prescription o ON o.id = a.prescription_id WHERE o.patient_id = %(patient)s),
       ARRAY(SELECT ROW({dispensary.Dispense d}) FROM dispensary_dispense d
               JOIN dispensary_prescription o ON o.id = d.prescription_id WHERE o.patient_id = %(patient)s
              ORDER BY d.handed_over_at DESC),
       ARRAY(SELECT ROW({dispensary.PriorSupply s}) FROM dispensary_priorsupply s WHERE s.patient_id = %(patient)s
              ORDER BY s.dispensed_on, s.id),
       ARRAY(SELECT ROW({dispensary.Decision c}) FROM dispensary_decision c
              WHERE c.patient_id = %(patient)s OR c.patient_id IN (
                    SELECT j.id FROM dispensary_patient j WHERE j.joined_to_id = %(patient)s)
              ORDER BY c."on", c.decided_at, c.id),
       ARRAY(SELECT ROW({dispensary.Namesake n}) FROM dispensary_namesake n
              WHERE (n.patient_id = %(patient)s OR n.other_id = %(patient)s) AND n.answer <> 'same' ORDER BY n.noticed_at, n.id),
       ARRAY(SELECT ROW({dispensary.Preparation b}) FROM dispensary_preparation b
               JOIN dispensary_prescription o ON o.id = b.prescription_id
              WHERE o.patient_id = %(patient)s AND b.stage IN ('prepared', 'checked', 'shelved') ORDER BY b.prepared_at),
       ARRAY(SELECT ROW({dispensary.ReminderPlan m}) FROM dispensary_reminderplan m WHERE m.patient_id = %(patient)s
              ORDER BY m.version DESC LIMIT 1),
       ARRAY(SELECT w.kind FROM dispensary_worklistitem w WHERE w.patient_id = %(patient)s AND w.state <> 'resolved'),
       ARRAY(SELECT ROW(v.prescription_id, v.reviewed_at) FROM dispensary_review v
               JOIN dispensary_decision c ON c.order_id = v.prescription_id AND c.decided_at = v.reviewed_at
               JOIN dispensary_prescription o ON o.id = v.prescription_id
              WHERE o.patient_id = %(patient)s AND v.reason = 'checked'),
       ARRAY(SELECT ROW({dispensary.Product t}) FROM dispensary_product t WHERE t.gtin = ANY(%(gtins)s::text[]))
