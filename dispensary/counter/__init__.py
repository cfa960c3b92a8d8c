"""Door 2: the pages that pharmacists and auditors see. Views translate and call actions; forms check what was typed."""
