"""Dispensary: a reusable Django app for dispensing oral baclofen."""
