"""The verbs of `manage.py audit`: arguments, output and exit statuses; the work is done in `dispensary.audit`."""
