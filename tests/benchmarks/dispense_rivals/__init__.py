"""A dispense as others would write it: a bare view, and plain Django REST Framework with django-simple-history."""
