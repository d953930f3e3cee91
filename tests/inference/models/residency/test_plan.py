"""The plan, and its refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.models.residency.plan import (
    GIB,
    DoesNotFit,
    Group,
    ModelNeed,
    ModelSize,
    Plan,
    PlanChoice,
    Residency,
    make_plan,
)

TURBO = ModelNeed("whisper-large-v3-turbo", Group.TRANSCRIPTION, ModelSize(int(1.6 * GIB), int(0.9 * GIB)))
M2M100 = ModelNeed("m2m100_1.2B", Group.TRANSCRIPTION, ModelSize(int(2.5 * GIB)), "choose m2m100_418M")
QWEN = ModelNeed(
    "Qwen2.5-7B-Instruct",
    Group.SUMMARIZATION,
    ModelSize(int(14.2 * GIB), GIB),
    "choose a smaller PARLANCE_SUMMARY_MODEL or its 8-bit form",
)
STACK = [TURBO, M2M100, QWEN]


@pytest.mark.parametrize(
    ("budget_gib", "choice", "turns", "residency"),
    [
        (24, "auto", False, Residency.CO_RESIDENT),
        (24, "auto", True, Residency.TURNS),
        (24, "swap", False, Residency.SWAP),
        (24, "swap", True, Residency.SWAP),
        (24, "co-resident", True, Residency.CO_RESIDENT),
        (16, "auto", False, Residency.SWAP),
        (16, "auto", True, Residency.SWAP),
    ],
)
def test_the_plan_follows_from_sizes_budget_and_choice(
    budget_gib: int, choice: PlanChoice, turns: bool, residency: Residency
) -> None:
    plan = make_plan(STACK, budget=budget_gib * GIB, choice=choice, turns=turns)
    assert plan.residency is residency
    assert plan.needs[Group.TRANSCRIPTION] == TURBO.size.total + M2M100.size.total


def test_a_model_that_can_never_fit_is_refused_with_a_sentence() -> None:
    with pytest.raises(DoesNotFit) as refused:
        make_plan(STACK, budget=8 * GIB)
    assert str(refused.value) == (
        "Qwen2.5-7B-Instruct needs 15.2 GiB and the budget is 8.0 GiB; "
        "choose a smaller PARLANCE_SUMMARY_MODEL or its 8-bit form."
    )


def test_a_group_that_can_never_fit_is_refused_with_a_sentence() -> None:
    with pytest.raises(DoesNotFit) as refused:
        make_plan([TURBO, M2M100], budget=4 * GIB)
    assert str(refused.value) == (
        "whisper-large-v3-turbo, m2m100_1.2B together need 5.0 GiB and the budget is 4.0 GiB; choose m2m100_418M."
    )


def test_what_always_stays_counts_in_both_turns() -> None:
    bridge = ModelNeed("bridge", Group.ALWAYS, ModelSize(GIB))
    assert make_plan([QWEN, bridge], budget=17 * GIB).residency is Residency.CO_RESIDENT
    with pytest.raises(DoesNotFit, match=r"Qwen2\.5-7B-Instruct, bridge together need 16\.2 GiB"):
        make_plan([QWEN, bridge], budget=16 * GIB)


def test_co_residence_is_refused_where_it_does_not_fit() -> None:
    with pytest.raises(DoesNotFit, match=r"need 20\.2 GiB and the budget is 16\.0 GiB; set PARLANCE_RESIDENCY to auto"):
        make_plan(STACK, budget=16 * GIB, choice="co-resident")


def test_the_plan_says_what_it_means() -> None:
    assert make_plan(STACK, budget=16 * GIB).sentence == (
        "Models take turns in memory: together they need 20.2 GiB of 16.0 GiB."
    )


needs = st.builds(
    ModelNeed,
    st.just("model"),
    st.sampled_from(Group),
    st.builds(ModelSize, st.integers(0, 100), st.integers(0, 20)),
)


@given(
    st.lists(needs, max_size=6), st.integers(0, 300), st.sampled_from(["auto", "swap", "co-resident"]), st.booleans()
)
def test_a_plan_never_promises_more_than_the_budget(
    models: list[ModelNeed], budget: int, choice: PlanChoice, turns: bool
) -> None:
    try:
        plan: Plan = make_plan(models, budget=budget, choice=choice, turns=turns)
    except DoesNotFit:
        stay = sum(need.size.total for need in models if need.group is Group.ALWAYS)
        groups = [
            stay + sum(need.size.total for need in models if need.group is group)
            for group in (Group.TRANSCRIPTION, Group.SUMMARIZATION)
        ]
        assert max(groups) > budget or (choice == "co-resident" and sum(groups) - stay > budget)
        return
    always = plan.needs[Group.ALWAYS]
    turn = max(plan.needs[Group.TRANSCRIPTION], plan.needs[Group.SUMMARIZATION])
    assert always + turn <= budget
    assert plan.residency is Residency.SWAP or sum(plan.needs.values()) <= budget
