"""A witness by c2sp.org/tlog-witness: what it signs it has remembered, it never signs two histories, and it answers by the statuses."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from dispensary.audit.sealing import merkle
from dispensary.audit.sealing.cosigning import WitnessSilent, submit
from dispensary.audit.sealing.notes import Checkpoint, open_note, sign_checkpoint
from dispensary.audit.sealing.witnesses import (
    MAX_REQUEST_BYTES,
    CosignRefused,
    Witness,
    WitnessServer,
)
from tests.dispensary.audit.logs import ORIGIN, SIGNER, THIEF, WITNESSES, Log

NOW = dt.datetime(2026, 11, 22, 9, tzinfo=dt.UTC)


def request_of(log: Log, size: int, old: int) -> str:
    leaves = [row.leaf for row in log.rows[:size]]
    proof = merkle.consistency_proof(leaves, old) if old else []
    steps = "".join(base64.b64encode(step).decode() + "\n" for step in proof)
    return f"old {old}\n{steps}\n{log.seal(size)}"


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(WITNESSES[0], tmp_path / "memory")


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
        memory = tmp_path / str(number)
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


@pytest.fixture
def served(witness: Witness) -> Iterator[tuple[str, int]]:
    with WitnessServer(("127.0.0.1", 0), witness, [SIGNER.verifier], lambda: NOW) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "127.0.0.1", server.server_port
        server.shutdown()


def post(served: tuple[str, int], body: str | bytes, path: str = "/add-checkpoint") -> tuple[int, str, str]:
    """Status, media type and text of the answer to a request."""
    connection = http.client.HTTPConnection(*served, timeout=20)
    connection.request("POST", path, body.encode() if isinstance(body, str) else body)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers["Content-Type"], text


def get(served: tuple[str, int], path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*served, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_a_checkpoint_is_cosigned_over_http_and_can_be_read_there(served: tuple[str, int]) -> None:
    log = Log.of(9)
    status, kind, line = post(served, request_of(log, 4, 0))
    assert (status, kind) == (200, "text/plain; charset=utf-8")
    assert WITNESSES[0].verifier in open_note(log.notes[4] + line, [SIGNER.verifier, WITNESSES[0].verifier])[1]
    assert post(served, request_of(log, 9, 4))[0] == 200
    stored = f"/{hashlib.sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
    status, note = get(served, stored)
    assert (status, Checkpoint.parse(note.partition("\n\n")[0] + "\n").size) == (200, 9)
    assert open_note(note, [SIGNER.verifier, WITNESSES[0].verifier])
    assert get(served, f"/{'0' * 64}/checkpoint")[0] == 404
    assert get(served, "/../../etc/passwd")[0] == 404


def resigned(log: Log, size: int, root: bytes) -> str:
    return sign_checkpoint(Checkpoint(log.origin, size, root), SIGNER)


# Each failure that the specification names, at a witness that has seen 4 of 9 entries: a request, and the status it must get.
FAILURES: dict[str, tuple[str | Callable[[Log], str], int]] = {
    "no request": ("nothing of the kind", 400),
    "an old size with a leading zero": ("old 04\n\n", 400),
    "an old size above the checkpoint": (lambda log: f"old 5\n\n{log.seal(4)}", 400),
    "64 lines of proof": (lambda log: "old 4\n" + "A" * 43 + "=\n" * 64 + f"\n{log.seal(9)}", 400),
    "a proof that is not base64": (lambda log: f"old 4\n!!\n\n{log.seal(9)}", 400),
    "a proof of short hashes": (lambda log: f"old 4\nAAAA\n\n{log.seal(9)}", 400),
    "an unknown log": (lambda log: f"old 0\n\n{Log.of(3, origin='elsewhere.example/log').seal(3)}", 404),
    "no signature of a known key": (lambda log: f"old 4\n\n{log.seal(9, signer=THIEF)}", 403),
    "a signature that does not hold": (lambda log: f"old 4\n\n{log.seal(9).replace(chr(10) + '9' + chr(10), chr(10) + '8' + chr(10))}", 403),
    "another old size": (lambda log: request_of(log, 9, 3), 409),
    "old size zero": (lambda log: request_of(log, 9, 0), 409),
    "no proof": (lambda log: f"old 4\n\n{log.seal(9)}", 422),
    "another history": (lambda log: request_of(Log.of(9, seed=2), 9, 4), 422),
    "another root of the same size": (lambda log: f"old 4\n\n{Log.of(4, seed=2).seal(4)}", 422),
    "a proof for the same size": (lambda log: f"old 4\n{base64.b64encode(bytes(32)).decode()}\n\n{log.seal(4)}", 422),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_has_the_status_of_the_specification_and_changes_nothing(
    served: tuple[str, int], witness: Witness, name: str
) -> None:
    log, (made, expected) = Log.of(9), FAILURES[name]
    assert post(served, request_of(log, 4, 0))[0] == 200
    before = witness.path(ORIGIN).read_bytes()
    status, kind, text = post(served, made if isinstance(made, str) else made(log))
    assert status == expected, text
    if status == HTTPStatus.CONFLICT:
        assert (kind, text) == ("text/x.tlog.size", "4\n")
    assert witness.path(ORIGIN).read_bytes() == before
    assert post(served, request_of(log, 9, 4))[0] == 200


def test_no_entries_have_one_root_and_need_no_proof(served: tuple[str, int]) -> None:
    log, step = Log.of(2), base64.b64encode(bytes(32)).decode()
    assert post(served, f"old 0\n\n{resigned(log, 0, bytes(32))}")[0] == 422
    assert post(served, f"old 0\n{step}\n\n{log.seal(2)}")[0] == 422
    assert post(served, f"old 0\n\n{resigned(log, 0, merkle.EMPTY_ROOT)}")[0] == 200
    assert post(served, request_of(log, 2, 0))[0] == 200


def test_a_witness_whose_memory_is_damaged_or_a_file_signs_nothing(served: tuple[str, int], witness: Witness) -> None:
    log = Log.of(9)
    assert post(served, request_of(log, 4, 0))[0] == 200
    witness.path(ORIGIN).write_text("half a no")
    for old in (0, 4):
        status, _, text = post(served, request_of(log, 9, old))
        assert (status, "restore" in text) == (500, True)
    older = witness.folder.with_name("memory.json")
    older.write_text("{}")
    with pytest.raises(CosignRefused, match="is a folder now"):
        Witness(WITNESSES[0], older).answer(request_of(log, 4, 0), [SIGNER.verifier], NOW)


def test_what_is_no_request_is_turned_away_before_it_is_read(served: tuple[str, int]) -> None:
    assert post(served, request_of(Log.of(2), 2, 0), path="/elsewhere")[0] == 404
    assert post(served, "o" * (MAX_REQUEST_BYTES + 1))[0] == 413
    assert post(served, b"old 0\n\n\xff\xfe")[0] == 400
    connection = http.client.HTTPConnection(*served, timeout=20)
    connection.putrequest("POST", "/add-checkpoint")
    connection.endheaders()
    assert connection.getresponse().status == 411


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/add-checkpoint\r\nContent-Length: 0\r\n\r\n",
            WitnessSilent,
        ),
        ("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", WitnessSilent),
        ("HTTP/1.1 429 Later\r\nContent-Length: 0\r\n\r\n", WitnessSilent),
        ("no HTTP at all\r\n\r\n", WitnessSilent),
        ("", WitnessSilent),
        ("HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n7\n", CosignRefused),
        ("HTTP/1.1 422 No\r\nContent-Length: 2\r\n\r\nno", CosignRefused),
    ],
)
def test_an_answer_that_is_none_is_silence_and_a_refusal_is_a_refusal(answer: str, error: type[Exception]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def reply() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(answer.encode())

        thread = threading.Thread(target=reply)
        thread.start()
        with pytest.raises(error):
            submit(f"http://127.0.0.1:{listener.getsockname()[1]}", "old 0\n\n")
        thread.join()


def test_a_witness_that_cannot_be_reached_is_silent() -> None:
    with pytest.raises(WitnessSilent, match="does not answer"):
        submit("http://127.0.0.1:1", "old 0\n\n")
