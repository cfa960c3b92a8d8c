"""The same request twice: done once, answered twice."""

import pytest

from dispensary.actions.idempotency import KeyReused, Reply, digest_of, once
from dispensary.errors import Conflict, InvalidInput
from dispensary.models import IdempotentRequest
from tests.dispensary import make
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask():
    shop = make.pharmacy()
    by = make.staff(shop).actor()
    done = []

    def request(key="k", body=b"{}", do=None):
        def work():
            done.append(body)
            return Reply(201, {"number": len(done)})

        return once(pharmacy_id=shop.pk, key=key, digest=digest_of(b"POST", b"/x", body), by=by, now=NOW, do=do or work)

    request.done = done
    return request


def test_a_repeated_request_gives_the_first_answer(ask):
    assert ask() == ask() == Reply(201, {"number": 1})
    assert len(ask.done) == 1


def test_another_key_is_another_request(ask):
    assert ask("a").body != ask("b").body


def test_the_same_key_with_another_body_is_refused(ask):
    ask(body=b"one")
    with pytest.raises(KeyReused):
        ask(body=b"two")


def test_a_request_that_failed_leaves_its_key_free(ask):
    def fails():
        raise Conflict("somebody was faster")

    with pytest.raises(Conflict):
        ask(do=fails)
    assert not IdempotentRequest.objects.exists()
    assert ask().status == 201


@pytest.mark.parametrize("key", ["", "x" * 65, "a\x00b"])
def test_a_key_that_is_none_is_refused(ask, key):
    with pytest.raises(InvalidInput):
        ask(key)


def test_parts_cannot_be_shifted_into_each_other():
    assert digest_of(b"ab", b"c") != digest_of(b"a", b"bc")
