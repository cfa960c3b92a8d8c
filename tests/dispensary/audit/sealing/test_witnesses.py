"""A witness that is asked by several at once: what it signs it has remembered, and it never signs two histories."""

import base64
import contextlib
import datetime as dt
import threading
from pathlib import Path

import pytest

from dispensary.audit.sealing import merkle
from dispensary.audit.sealing.notes import open_note
from dispensary.audit.sealing.witnesses import CosignRefused, Witness
from tests.dispensary.audit.logs import SIGNER, WITNESSES, Log

NOW = dt.datetime(2026, 11, 22, 9, tzinfo=dt.UTC)


def request_of(log: Log, size: int, old: int) -> str:
    leaves = [row.leaf for row in log.rows[:size]]
    proof = merkle.consistency_proof(leaves, old) if old else []
    steps = "".join(base64.b64encode(step).decode() + "\n" for step in proof)
    return f"old {old}\n{steps}\n{log.seal(size)}"


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(WITNESSES[0], tmp_path / "memory.json")


def test_what_continues_is_signed_and_remembered(witness: Witness) -> None:
    log = Log.of(9)
    for old, size in ((0, 3), (3, 3), (3, 9)):
        line = witness.answer(request_of(log, size, old), [SIGNER.verifier], NOW)
        signatures = open_note(log.notes[size] + line, [SIGNER.verifier, WITNESSES[0].verifier])[1]
        assert WITNESSES[0].verifier in signatures
    with pytest.raises(CosignRefused, match="I have seen 9"):
        witness.answer(request_of(log, 9, 3), [SIGNER.verifier], NOW)


def test_of_two_histories_that_come_at_one_moment_one_is_signed(tmp_path: Path) -> None:
    """Many rounds: each time two different logs of one name are shown by two askers at once."""
    for number in range(20):
        memory = tmp_path / f"{number}.json"
        requests = [request_of(Log.of(5, seed=seed), 5, 0) for seed in (1, 2)]
        signed: list[str] = []
        ready = threading.Barrier(2)

        def ask(
            request: str, memory: Path = memory, signed: list[str] = signed, ready: threading.Barrier = ready
        ) -> None:
            ready.wait()
            with contextlib.suppress(CosignRefused):
                signed.append(Witness(WITNESSES[0], memory).answer(request, [SIGNER.verifier], NOW))

        askers = [threading.Thread(target=ask, args=[request]) for request in requests]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        assert len(signed) == 1


def test_a_bad_proof_is_refused_and_not_remembered(witness: Witness) -> None:
    log = Log.of(9)
    witness.answer(request_of(log, 4, 0), [SIGNER.verifier], NOW)
    whole = request_of(log, 9, 4).split("\n")
    whole[1] = base64.b64encode(bytes(32)).decode()
    with pytest.raises(CosignRefused, match="not the history"):
        witness.answer("\n".join(whole), [SIGNER.verifier], NOW)
    witness.answer(request_of(log, 9, 4), [SIGNER.verifier], NOW)
