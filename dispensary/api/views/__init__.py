"""The addresses' code: find the thing, call one action, give the answer its shape."""
