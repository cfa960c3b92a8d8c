"""The verbs of `manage.py audit`: arguments, output and exit statuses.

The work is done in `dispensary.audit`.
"""
