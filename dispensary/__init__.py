"""Dispensary: dispensing of oral baclofen, checked, reminded and audited. A reusable Django app."""

__version__ = "0.1.0"
