"""Fixtures of the providers' tests: a key of an application, and a certificate for loopback."""

import pytest

from tests.dispensary.channels.providers import certificate, private_key


@pytest.fixture(scope="session")
def key():
    """A private key, and the same in PEM."""
    return private_key()


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    """A server's context for loopback, and the file that makes it trusted."""
    return certificate(tmp_path_factory.mktemp("tls"), *private_key(2048))
