"""The tree is that of RFC 9162: the known answers of Certificate Transparency, and proofs for every size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.audit.sealing import merkle

# The eight inputs and the roots of their prefixes that Certificate Transparency implementations are tested with.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [merkle.leaf_hash(bytes.fromhex(data)) for data in INPUTS]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_the_known_answers(size):
    assert merkle.root(LEAVES[:size]).hex() == ROOTS[size - 1]


def test_the_empty_tree_is_the_hash_of_nothing():
    assert merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("old_size", "new_size", "proof"),
    [
        (1, 1, []),
        (
            1,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            [
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ],
)
def test_consistency_proofs_are_the_known_answers(old_size, new_size, proof):
    made = merkle.consistency_proof(LEAVES[:new_size], old_size)
    assert [hash_.hex() for hash_ in made] == proof
    roots = bytes.fromhex(ROOTS[old_size - 1]), bytes.fromhex(ROOTS[new_size - 1])
    assert merkle.verify_consistency(old_size, new_size, *roots, made)


def test_inclusion_proofs_are_the_known_answers():
    assert [hash_.hex() for hash_ in merkle.inclusion_proof(LEAVES[:5], 1)] == [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]


def leaves(count):
    return [merkle.leaf_hash(str(number).encode()) for number in range(count)]


@pytest.mark.parametrize("size", range(1, 34))
def test_every_leaf_has_a_proof_and_no_other_leaf_or_place_fits_it(size):
    tree = leaves(size)
    root = merkle.root(tree)
    for index, leaf in enumerate(tree):
        proof = merkle.inclusion_proof(tree, index)
        assert merkle.verify_inclusion(leaf, index, size, proof, root)
        assert not merkle.verify_inclusion(merkle.leaf_hash(b"other"), index, size, proof, root)
        assert not merkle.verify_inclusion(leaf, index, size, [*proof, root], root)
        assert not merkle.verify_inclusion(leaf, size, size, proof, root)
        if size > 1:
            assert not merkle.verify_inclusion(leaf, (index + 1) % size, size, proof, root)
            assert not merkle.verify_inclusion(leaf, index, size, proof[:-1], root)


@pytest.mark.parametrize("size", range(1, 34))
def test_every_prefix_is_consistent_and_no_other_tree_is(size):
    tree = leaves(size)
    root = merkle.root(tree)
    for old_size in range(1, size + 1):
        old_root = merkle.root(tree[:old_size])
        proof = merkle.consistency_proof(tree, old_size)
        assert merkle.verify_consistency(old_size, size, old_root, root, proof)
        assert not merkle.verify_consistency(old_size, size, merkle.leaf_hash(b"other"), root, proof)
        assert not merkle.verify_consistency(old_size, size, old_root, merkle.leaf_hash(b"other"), proof)
        assert not merkle.verify_consistency(old_size, size, old_root, root, [*proof, root])
        assert not merkle.verify_consistency(0, size, old_root, root, proof)
        if proof:
            assert not merkle.verify_consistency(old_size, size, old_root, root, proof[:-1])


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_compact_range_goes_on_where_it_was_left(first, more):
    tree = leaves(first + more)
    edge = merkle.CompactRange()
    edge.extend(tree[:first])
    again = merkle.CompactRange(edge.size, edge.hashes)
    again.extend(tree[first:])
    assert again.root() == merkle.root(tree)
    assert len(again.hashes) == again.size.bit_count()


@pytest.mark.parametrize(("size", "count"), [(3, 1), (0, 1), (-1, 0), (4, 2)])
def test_a_compact_range_with_the_wrong_number_of_hashes_is_refused(size, count):
    with pytest.raises(ValueError, match="compact range"):
        merkle.CompactRange(size, [bytes(32)] * count)


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_proof_for_a_leaf_that_is_not_there(index):
    with pytest.raises(ValueError, match="no leaf"):
        merkle.inclusion_proof(leaves(3), index)


@pytest.mark.parametrize("old_size", [0, 4])
def test_there_is_no_proof_from_nothing_or_from_beyond_the_end(old_size):
    with pytest.raises(ValueError, match="no consistency proof"):
        merkle.consistency_proof(leaves(3), old_size)
