"""Serializers of request and response bodies."""
