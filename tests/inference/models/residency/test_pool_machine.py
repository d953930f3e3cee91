"""Any order of using, swapping, failing and cancelling: what must hold after every step."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from inference.models.residency.drain_lock import ModelAsleep, ModelInUse, SwapCancelled
from inference.models.residency.plan import PlanChoice, Residency
from inference.models.residency.pool import CannotSleep, CaptionsLost, PoolState, SwapFailed, SwapUnderWay
from tests.inference.models.residency.doubles import AMPLE, GROUPS, SIZES, TIGHT, scripted_pool

SETTLED = {PoolState.TRANSCRIPTION, PoolState.SUMMARIZATION, PoolState.ASLEEP, PoolState.LOST}
names = st.sampled_from(sorted(SIZES))
methods = st.sampled_from(["load", "keep_copy", "sleep", "wake", "warm_up"])


class PoolMachine(RuleBasedStateMachine):
    @initialize(budget=st.sampled_from([TIGHT, AMPLE]), choice=st.sampled_from(["auto", "swap"]))
    def start(self, budget: int, choice: PlanChoice) -> None:
        self.scripted = scripted_pool(budget, choice=choice)
        self.pool = self.scripted.pool
        self.pool.start()
        self.uses: dict[str, list[ExitStack]] = {name: [] for name in SIZES}

    @property
    def used(self) -> set[str]:
        return {name for name, uses in self.uses.items() if uses}

    @rule(name=names)
    def use(self, name: str) -> None:
        with ExitStack() as stack:
            turn = {PoolState.TRANSCRIPTION: "transcription", PoolState.SUMMARIZATION: "summarization"}.get(
                self.pool.state
            )
            if GROUPS[name] not in ("always", turn):
                with pytest.raises(ModelAsleep):
                    stack.enter_context(self.pool.use(name))
                return
            assert stack.enter_context(self.pool.use(name)) is self.scripted[name]
            self.uses[name].append(stack.pop_all())

    @precondition(lambda self: self.used)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        self.uses[data.draw(st.sampled_from(sorted(self.used)))].pop().close()

    @rule(name=names, method=methods)
    def break_model(self, name: str, method: str) -> None:
        if GROUPS[name] != "always":
            self.scripted[name].fail(method)

    @rule()
    def repair_models(self) -> None:
        for resident in self.scripted.residents.values():
            resident.failing.clear()

    @rule(method=methods)
    def cancel_during(self, method: str) -> None:
        self.scripted["summary"].meanwhile[method] = self.pool.cancel

    @rule()
    def cancel_no_more(self) -> None:
        self.scripted["summary"].meanwhile.clear()

    @rule()
    def swap_to_summarization(self) -> None:
        before = self.pool.state
        try:
            self.pool.swap_to_summarization()
        except ModelInUse:
            assert before is PoolState.TRANSCRIPTION
            assert self.used & {"asr", "translation"}
            assert self.pool.state is PoolState.TRANSCRIPTION
        except SwapUnderWay:
            assert before in (PoolState.LOST, PoolState.ASLEEP)
        except (SwapFailed, SwapCancelled):
            assert self.pool.state is PoolState.TRANSCRIPTION
        except CaptionsLost:
            assert self.pool.state is PoolState.LOST
        else:
            assert self.pool.state is PoolState.SUMMARIZATION

    @rule()
    def swap_to_transcription(self) -> None:
        before = self.pool.state
        try:
            self.pool.swap_to_transcription()
        except ModelInUse:
            assert before is PoolState.SUMMARIZATION
            assert "summary" in self.used
            assert self.pool.state is PoolState.SUMMARIZATION
        except SwapUnderWay:
            assert before is PoolState.ASLEEP
        except CaptionsLost:
            assert self.pool.state is PoolState.LOST
        else:
            assert self.pool.state is PoolState.TRANSCRIPTION

    @rule()
    def sleep(self) -> None:
        before = self.pool.state
        try:
            self.pool.sleep()
        except ModelInUse:
            assert self.used & {"asr", "translation"}
            assert self.pool.state is PoolState.TRANSCRIPTION
        except SwapUnderWay:
            assert before in (PoolState.LOST, PoolState.SUMMARIZATION)
        except CannotSleep:
            assert self.pool.state is PoolState.TRANSCRIPTION
        except CaptionsLost:
            assert self.pool.state is PoolState.LOST
        else:
            assert self.pool.state is PoolState.ASLEEP

    @rule()
    def wake(self) -> None:
        before = self.pool.state
        try:
            self.pool.wake()
        except CaptionsLost:
            assert self.pool.state is PoolState.LOST
        else:
            assert self.pool.state is (PoolState.TRANSCRIPTION if before is PoolState.ASLEEP else before)

    @rule()
    def go_home_after_repair(self) -> None:
        """Whatever happened: once models work and are not in use, captions can be had."""
        self.repair_models()
        for name in ("asr", "translation", "summary"):
            while self.uses[name]:
                self.uses[name].pop().close()
        self.pool.wake()
        self.pool.swap_to_transcription()
        assert self.pool.state is PoolState.TRANSCRIPTION

    @invariant()
    def the_pool_is_settled(self) -> None:
        assert self.pool.state in SETTLED

    @invariant()
    def what_has_its_turn_is_awake_and_what_is_used_stays(self) -> None:
        awake = self.scripted.awake()
        if self.pool.state is PoolState.TRANSCRIPTION:
            assert awake >= {"asr", "translation", "bridge"}
        if self.pool.state is PoolState.SUMMARIZATION:
            assert awake >= {"summary", "bridge"}
        if self.pool.state is PoolState.ASLEEP:
            assert awake == {"bridge"}
        assert self.used <= awake

    @invariant()
    def the_ledger_is_true_and_within_the_budget(self) -> None:
        awake = self.scripted.awake()
        assert self.scripted.memory.claimed == sum(SIZES[name] for name in awake)
        assert self.scripted.memory.claimed <= self.scripted.memory.budget
        if self.pool.plan.residency is Residency.SWAP:
            assert len({GROUPS[name] for name in awake} - {"always"}) <= 1

    def teardown(self) -> None:
        for uses in getattr(self, "uses", {}).values():
            for use in uses:
                use.close()


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
