"""Pages for pharmacists, technicians and auditors. Views translate and call actions; forms check input."""
