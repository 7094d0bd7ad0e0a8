import itertools
import re
import textwrap

import pytest
import torch

from training.losses import ContextSearchLoss, KnownPositives
from vcs_demo.errors import UserError

SETTINGS = [
    (weight, directions, negatives)
    for weight, directions, negatives in itertools.product(
        ("infonce", "modified"), ("paper", "authors"), ("in-batch", "hard", "both")
    )
    if (directions, negatives) != ("authors", "hard")
]


def vectors(columns=3, rows=5, dimensions=8, dtype=torch.float64, seed=0):
    torch.manual_seed(seed)
    return [torch.randn(rows, dimensions, dtype=dtype, requires_grad=True) for _ in range(columns)]


def make(weight="modified", directions="paper", negatives="in-batch", temperature=0.1, known=None):
    return ContextSearchLoss(
        torch.nn.Identity(),
        weight=weight,
        directions=directions,
        negatives=negatives,
        temperature=temperature,
        known=known,
    )


def by_the_formula(columns, weight, directions, negatives, temperature):
    """PAPER's formula as it is written: exp and log, one row at a time."""
    q, p, n = [c / c.norm(dim=1, keepdim=True) for c in columns]

    def term(anchor, positive, others):
        total = torch.exp(anchor @ positive / temperature) + sum(
            torch.exp(anchor @ o / temperature) for o in others
        )
        share = torch.exp(anchor @ positive / temperature) / total
        return -torch.log(share) * ((1 - share) if weight == "modified" else 1)

    def mean(left, right, more=()):
        rows = range(len(left))
        return sum(
            term(left[i], right[i], [right[j] for j in rows if j != i] + list(more)) for i in rows
        ) / len(left)

    if negatives == "hard":
        return sum(term(q[i], p[i], [n[i]]) for i in range(len(q))) / len(q)
    terms = [mean(q, p, n if negatives == "both" else ())]
    if directions == "authors":
        terms += [mean(p, q), mean(q, q), mean(p, p)]
    return sum(terms) / len(terms)


@pytest.mark.parametrize(("weight", "directions", "negatives"), SETTINGS)
@pytest.mark.parametrize("temperature", [0.05, 0.1, 0.4])
def test_value_and_gradient_are_those_of_the_formula_in_float64(weight, directions, negatives, temperature):
    columns = vectors()
    expected = by_the_formula(columns, weight, directions, negatives, temperature)
    wanted = torch.autograd.grad(expected, columns, allow_unused=True)
    loss = make(weight, directions, negatives, temperature).of_embeddings(columns)
    found = torch.autograd.grad(loss, columns, allow_unused=True)
    torch.testing.assert_close(loss, expected)
    for ours, theirs in zip(found, wanted, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            torch.testing.assert_close(ours, theirs)


def test_a_case_that_can_be_checked_by_hand():
    # Two orthogonal pairs at τ = 1: p = e / (e + 1) = .7311; (1 − p)(−ln p) = .2689 × .3133 = .0842.
    q = torch.eye(2, dtype=torch.float64)
    assert make(temperature=1.0).of_embeddings([q, q]).item() == pytest.approx(
        0.2689414 * 0.3132617, abs=1e-6
    )
    assert make("infonce", temperature=1.0).of_embeddings([q, q]).item() == pytest.approx(0.3132617, abs=1e-6)


@pytest.mark.parametrize(("weight", "directions", "negatives"), SETTINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_temperature_of_0_01_neither_overflows_nor_drifts(weight, directions, negatives, dtype):
    wide = [v.detach().to(dtype) for v in vectors(rows=16)]
    wide[1] = (wide[0].float() + 1.5 * wide[1].float()).to(dtype)  # positives on the side of their queries
    half = [v.clone().requires_grad_() for v in wide]
    loss = make(weight, directions, negatives, 0.01).of_embeddings(half)
    loss.backward()
    reference = [v.double().requires_grad_() for v in wide]
    exact = make(weight, directions, negatives, 0.01).of_embeddings(reference)
    exact.backward()
    assert loss.dtype == torch.float32 and torch.isfinite(loss)
    torch.testing.assert_close(loss.double(), exact, rtol=1e-3, atol=1e-5)
    for ours, theirs in zip(half, reference, strict=True):
        if theirs.grad is None:
            assert ours.grad is None
            continue
        assert torch.isfinite(ours.grad).all()
        scale = theirs.grad.abs().max()
        torch.testing.assert_close(
            ours.grad.double() / scale,
            theirs.grad / scale,
            rtol=0,
            atol=1e-3 if dtype == torch.float32 else 2e-2,
        )


def test_half_precision_autocast_does_not_reach_the_softmax():
    columns = vectors(columns=2, dtype=torch.float32)
    plain = make(temperature=0.02).of_embeddings(columns)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(make(temperature=0.02).of_embeddings(columns), plain)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_as_p_goes_to_1_loss_and_gradient_go_to_0_without_nan(dtype):
    for temperature in (0.5, 0.1, 0.03, 0.01, 0.005):
        q = torch.eye(4, dtype=dtype).requires_grad_()
        p = torch.eye(4, dtype=dtype).requires_grad_()
        loss = make(temperature=temperature).of_embeddings([q, p])
        loss.backward()
        assert torch.isfinite(q.grad).all() and torch.isfinite(p.grad).all() and loss >= 0
    assert loss.item() == pytest.approx(0, abs=1e-30) and q.grad.abs().max() < 1e-20


def test_the_gradient_is_infonces_times_w():
    for gap in (-3.0, 0.0, 0.7, 3.0, 8.0):
        gradients = {}
        for weight in ("infonce", "modified"):
            logit = torch.tensor(gap, dtype=torch.float64, requires_grad=True)
            log_p = torch.stack([logit, torch.zeros_like(logit)]).log_softmax(0)[:1]
            (gradients[weight],) = torch.autograd.grad(make(weight)._weighted(log_p), logit)
        p = log_p.exp().item()
        w = 1 - p - p * log_p.item()
        assert gradients["modified"].item() == pytest.approx(gradients["infonce"].item() * w, rel=1e-9)


def test_a_known_positive_is_in_no_denominator_wherever_it_stands():
    # Rows 0 and 1: text 11 is the positive of row 1 and also answers row 0's query; row 1's negative 20
    # answers row 0's query; row 2 has no negative of its own.
    known = KnownPositives(
        query=[0, 1, 2],
        positive=[10, 11, 12],
        negative=[21, 20, None],
        pairs=frozenset({(0, 10), (0, 11), (0, 20), (1, 11), (2, 12)}),
    )
    masks = known.masks([0, 1, 2])
    assert masks["qd"].int().tolist() == [[0, 1, 0, 0, 1, 1], [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 1]]
    assert masks["dq"].int().tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert masks["dd"].int().tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    columns, rows = vectors(rows=3), torch.tensor([0, 1, 2])
    for weight, directions, negatives in SETTINGS:
        loss = make(weight, directions, negatives, known=known).of_embeddings(columns, rows)
        q, p, n = torch.autograd.grad(loss, columns, allow_unused=True)
        assert torch.isfinite(loss)
        if negatives == "both":
            assert not n[2].any()  # the placeholder of the row without a negative
        moved = [c.detach().clone() for c in columns]
        moved[2][2] += 5
        again = make(weight, directions, negatives, known=known).of_embeddings(moved, rows)
        torch.testing.assert_close(again, loss)
    # With one direction, row 0's loss does not see text 11 at all.
    only = make("infonce", "paper", "in-batch", known=known)
    q, p, _ = (c.detach().double() for c in columns)
    q, p = (torch.nn.functional.normalize(x) for x in (q, p))
    logits = (q @ p.T) / 0.1
    row0 = -logits[0, [0, 2]].log_softmax(0)[0]
    rest = [-logits[i].log_softmax(0)[i] for i in (1, 2)]
    torch.testing.assert_close(only.of_embeddings(columns, rows), (row0 + sum(rest)) / 3)


def test_rows_of_the_same_query_or_text_do_not_repel_one_another():
    known = KnownPositives(
        query=[0, 0, 1], positive=[10, 11, 10], pairs=frozenset({(0, 10), (0, 11), (1, 10)})
    )
    masks = known.masks([0, 1, 2])
    assert masks["qd"].int().tolist() == [[0, 1, 1], [1, 0, 1], [1, 0, 0]]
    assert masks["qq"].int().tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_infonce_in_batch_is_the_librarys_multiple_negatives_ranking_loss():
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    columns = vectors(dtype=torch.float32)
    theirs = MultipleNegativesRankingLoss(torch.nn.Identity(), scale=1 / 0.05)
    torch.testing.assert_close(
        make("infonce", negatives="both", temperature=0.05).of_embeddings(columns),
        theirs.compute_loss_from_embeddings(columns, None),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weight": "focal"}, "'focal'; it must be one of modified, infonce"),
        ({"temperature": 0}, "temperature is '0'; it must be above 0"),
        ({"directions": "authors", "negatives": "hard"}, "has one direction"),
    ],
)
def test_settings_that_cannot_be_are_one_sentence(settings, words):
    with pytest.raises(UserError, match=words):
        make(**settings)


def test_hard_negatives_without_a_column_of_them_is_one_sentence():
    with pytest.raises(UserError, match="third column"):
        make(negatives="hard").of_embeddings(vectors(columns=2))


def test_known_tells_of_one_negative_a_row():
    rows = torch.tensor([0, 1])
    one = KnownPositives([0, 1], [10, 11], [20, 21])
    with pytest.raises(UserError, match="2 columns"):
        make(negatives="both", known=one).of_embeddings(vectors(columns=4, rows=2), rows)
    with pytest.raises(UserError, match="the one negative"):
        make(negatives="hard", known=KnownPositives([0, 1], [10, 11])).of_embeddings(vectors(rows=2), rows)


def test_a_static_model_whose_texts_are_one_stream_is_embedded_whole(tiny_model_dir):
    model = static(tiny_model_dir)
    texts = (["đau đầu", "gan"], ["uống thuốc", "gan và tim"], ["ho", "sốt ho da mắt"])
    columns = [model.preprocess(list(column)) for column in texts]
    known = KnownPositives([0, 1], [10, 11], [None, 20], frozenset({(0, 10), (1, 11)}))
    loss, rows = ContextSearchLoss(model, negatives="both", known=known), torch.tensor([0, 1])
    expected = loss.of_embeddings([model(dict(c))["sentence_embedding"] for c in columns], rows)
    torch.testing.assert_close(loss([dict(c) for c in columns], rows), expected)


def static(tiny_model_dir):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    torch.manual_seed(0)
    tokenizer = Tokenizer.from_file(str(tiny_model_dir / "tokenizer.json"))
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu")


def test_rows_without_a_negative_are_not_embedded_and_change_nothing():
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Linear(6, 4, bias=False, dtype=torch.float64)
            self.seen = []

        def forward(self, features):
            self.seen.append(len(features["x"]))
            return {"sentence_embedding": self.table(features["x"])}

    known = KnownPositives([0, 1, 2], [10, 11, 12], [None, 20, None], frozenset({(0, 10), (1, 11), (2, 12)}))
    model = Model()
    columns = [{"x": v.detach()} for v in vectors(rows=3, dimensions=6)]
    for negatives in ("both", "in-batch"):
        model.seen.clear()
        loss = ContextSearchLoss(model, negatives=negatives, known=known)
        rows = torch.tensor([0, 1, 2])
        value = loss(columns, rows)
        (gradient,) = torch.autograd.grad(value, model.table.weight)
        assert model.seen == ([3, 3, 1] if negatives == "both" else [3, 3])
        everything = loss.of_embeddings([model.table(c["x"]) for c in columns], rows)
        torch.testing.assert_close(value, everything)
        torch.testing.assert_close(gradient, torch.autograd.grad(everything, model.table.weight)[0])


def test_the_example_of_the_documentation_runs(tiny_model_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = ContextSearchLoss.__doc__.split("Example::")[1].split("    Raises:")[0]
    exec(textwrap.dedent(example).replace("vcs_demo/checkpoints/vcs-20m", str(tiny_model_dir)), {})


def test_the_variants_of_the_documentation_can_be_made():
    variants = re.findall(r"^        (ContextSearchLoss\(.*\))  #", ContextSearchLoss.__doc__, re.M)
    names = {"ContextSearchLoss": ContextSearchLoss, "model": torch.nn.Identity()}
    paper, authors, triples = (eval(variant, names) for variant in variants)
    assert paper.weight == authors.weight == triples.weight == "modified"
    assert (authors.directions, triples.negatives) == ("authors", "hard")
