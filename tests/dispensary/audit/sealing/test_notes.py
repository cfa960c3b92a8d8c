"""Notes, keys, checkpoints and cosignatures as C2SP writes them."""

import dataclasses
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.audit.sealing import notes
from dispensary.audit.sealing.notes import BadNote, Checkpoint, KeyKind, SignerKey, VerifierKey

# The example of Go's sumdb/note, the reference implementation.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_NOTE = (
    GO_TEXT
    + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# The example of c2sp.org/signed-note.
C2SP_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_TEXT = "This is an example message.\n"
C2SP_NOTE = (
    C2SP_TEXT
    + "\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
# The checkpoint with a cosignature printed in c2sp.org/tlog-cosignature.
C2SP_COSIGNED = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)

LOG = SignerKey("pharmacy.example/one", KeyKind.NOTE, bytes(range(32)))
WITNESS = SignerKey("witness.example/w1", KeyKind.COSIGNATURE, bytes(range(1, 33)))
CHECKPOINT = Checkpoint(LOG.name, 7, bytes(32))
AT = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("vkey", "signed", "text"), [(GO_VKEY, GO_NOTE, GO_TEXT), (C2SP_VKEY, C2SP_NOTE, C2SP_TEXT)], ids=["Go", "C2SP"]
)
def test_published_notes_are_accepted(vkey, signed, text):
    key = VerifierKey.parse(vkey)
    assert notes.open_note(signed, [key])[0] == text
    assert str(key) == vkey


def test_a_note_signed_here_is_the_reference_note_byte_for_byte():
    signer = SignerKey.parse(GO_SKEY)
    assert notes.sign(GO_TEXT, signer) == GO_NOTE
    assert signer.export() == GO_SKEY
    assert str(signer.verifier) == GO_VKEY


def test_the_published_cosignature_is_read_with_its_time():
    text, signatures = notes.split(C2SP_COSIGNED)
    assert Checkpoint.parse(text).size == 20852163
    assert signatures[1].cosigned_at == dt.datetime.fromtimestamp(1679315147, dt.UTC)


def test_a_checkpoint_is_signed_and_opened():
    signed = notes.sign_checkpoint(CHECKPOINT, LOG)
    assert notes.open_checkpoint(signed, [LOG.verifier]) == CHECKPOINT


def test_a_checkpoint_of_another_log_signed_by_our_key_is_refused():
    other = dataclasses.replace(CHECKPOINT, origin="pharmacy.example/two")
    with pytest.raises(BadNote, match="no key named"):
        notes.open_checkpoint(notes.sign_checkpoint(other, LOG), [LOG.verifier])


def test_a_witness_alone_does_not_make_a_checkpoint():
    signed = CHECKPOINT.text + "\n" + WITNESS.cosign(CHECKPOINT.text, AT)
    with pytest.raises(BadNote, match="no key named"):
        notes.open_checkpoint(signed, [LOG.verifier, WITNESS.verifier])


def test_a_cosignature_is_added_and_tells_its_time():
    signed = notes.add_signature(notes.sign_checkpoint(CHECKPOINT, LOG), WITNESS.cosign(CHECKPOINT.text, AT))
    _, signatures = notes.open_note(signed, [LOG.verifier, WITNESS.verifier])
    assert set(signatures) == {LOG.verifier, WITNESS.verifier}
    assert signatures[WITNESS.verifier].cosigned_at == AT


def test_the_time_of_a_cosignature_is_signed():
    line = WITNESS.cosign(CHECKPOINT.text, AT)
    later = WITNESS.cosign(CHECKPOINT.text, AT + dt.timedelta(hours=1))
    raw, other = (
        notes.split(f"{CHECKPOINT.text}\n{cosignature_line}")[1][0].signature for cosignature_line in (line, later)
    )
    assert WITNESS.verifier.holds(CHECKPOINT.text, raw)
    assert not WITNESS.verifier.holds(CHECKPOINT.text, other[:8] + raw[8:])
    assert not WITNESS.verifier.holds(CHECKPOINT.text, raw[8:])


def test_keys_are_for_one_kind_of_signature():
    with pytest.raises(BadNote, match="cosign"):
        WITNESS.sign("text\n")
    with pytest.raises(BadNote, match="sign"):
        LOG.cosign(CHECKPOINT.text, AT)


def test_a_signature_of_an_unknown_key_is_passed_over():
    stranger = SignerKey.generate("stranger.example")
    signed = notes.sign_checkpoint(CHECKPOINT, stranger, LOG)
    assert notes.open_checkpoint(signed, [LOG.verifier]) == CHECKPOINT
    with pytest.raises(BadNote, match="no known key"):
        notes.open_note(notes.sign_checkpoint(CHECKPOINT, stranger), [LOG.verifier])


def test_one_secret_serves_several_logs_under_their_own_names():
    other = LOG.named("pharmacy.example/two")
    assert other.verifier.public == LOG.verifier.public
    assert other.verifier.key_id != LOG.verifier.key_id
    assert SignerKey.parse(other.export()) == other


@given(st.integers(0, len(notes.sign_checkpoint(CHECKPOINT, LOG).encode()) - 1), st.integers(1, 255))
def test_no_changed_byte_of_a_checkpoint_opens_as_it(position, change):
    raw = bytearray(notes.sign_checkpoint(CHECKPOINT, LOG).encode())
    raw[position] ^= change
    with pytest.raises((BadNote, UnicodeDecodeError)):
        notes.open_checkpoint(raw.decode(), [LOG.verifier])


@given(st.integers(0, len(GO_VKEY) - 1))
def test_no_mangled_key_is_read(position):
    raw = bytearray(GO_VKEY.encode())
    raw[position] ^= 1
    with pytest.raises((BadNote, UnicodeDecodeError)):
        VerifierKey.parse(raw.decode())
    with pytest.raises(BadNote):
        VerifierKey.parse(GO_VKEY[:position])


@pytest.mark.parametrize(
    "text",
    [
        "log\n7\n",
        "log\n7\nAAAA\n",
        "log\n07\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "log\n-7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "log\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "log\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n",
        "log\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nmore\n",
    ],
)
def test_a_checkpoint_has_one_spelling(text):
    with pytest.raises(BadNote):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "text", ["", "text\n", "text\n\n", "text\n\nname sig\n", "a\x01\n\n— n AAAAAAAA\n", "t\n\n— n AAA\n"]
)
def test_a_malformed_note_is_refused(text):
    with pytest.raises(BadNote):
        notes.split(text)


def test_a_note_of_too_many_signatures_or_bytes_is_refused():
    line = LOG.sign(CHECKPOINT.text)
    notes.split(f"{CHECKPOINT.text}\n{line * notes.MAX_SIGNATURES}")
    with pytest.raises(BadNote):
        notes.split(f"{CHECKPOINT.text}\n{line * (notes.MAX_SIGNATURES + 1)}")
    with pytest.raises(BadNote):
        notes.split("a" * notes.MAX_NOTE_BYTES + f"\n\n{line}")


@pytest.mark.parametrize("name", ["", "two words", "a+b", "no\u00a0break"])
def test_a_key_name_has_no_spaces_and_no_plus(name):
    with pytest.raises(BadNote):
        SignerKey.generate(name)


def test_a_private_key_does_not_print_itself():
    assert "seed" not in repr(LOG)
