"""Dispensary: dispensing of oral baclofen, checked, reminded and audited. A reusable Django app."""
