"""Mutation testing of the rule book: is there a change of a rule that no test would notice?"""
