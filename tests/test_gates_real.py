"""benchmarks/gates_real.py: its table, out of results that are known."""

import importlib.util
from pathlib import Path

from brainseg.results.parts import GateLimits, GateResult, Judgement, Status
from brainseg.results.result import Result

PATH = Path(__file__).resolve().parent.parent / "benchmarks" / "gates_real.py"
SPEC = importlib.util.spec_from_file_location("gates_real", PATH)
gates_real = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(gates_real)


def result(subject, verdict, **values):
    limits = GateLimits([None, 0.2], None)
    gates = [
        GateResult(
            name,
            "t1",
            Judgement.review if value is not None and value > 0.2 else Judgement.passed,
            value,
            limits,
            "",
        )
        for name, value in values.items()
    ]
    return Result(subject, Status.done, verdict, gates=gates)


def test_alarms_are_counted_by_gate_and_what_was_not_measured_apart():
    results = [
        result("a", Judgement.passed, noise=0.1, air_structure=None),
        result("b", Judgement.review, noise=0.3, air_structure=0.1),
        result("c", Judgement.review, noise=0.4, air_structure=0.3),
    ]
    noise, air = gates_real.rows(results)
    assert (noise.gate, len(noise.values), noise.unmeasured, noise.reviewed) == ("noise", 3, 0, 2)
    assert (air.gate, len(air.values), air.unmeasured, air.reviewed) == ("air_structure", 2, 1, 1)
    table = gates_real.report(results)
    assert "2 of 3 subjects did not pass (66.7%): noise 2, air_structure 1" in table
    assert "b: noise (t1) 0.3" in table
    assert "review [None, 0.2], fail None" in table
