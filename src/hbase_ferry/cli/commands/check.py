"""`hbase-ferry check`: looks at both clusters and says what would be in the way."""

from __future__ import annotations

from hbase_ferry.cli.exits import ExitCode
from hbase_ferry.cli.output import Output
from hbase_ferry.cli.session import first_look, opened, unreached
from hbase_ferry.migration.core import Gate

STEP = "preflight"


def run(out: Output, config: str) -> ExitCode:
    """Prints every finding. 3 where one blocks, 5 where a side did not answer."""
    with opened(config) as ferry:
        service = ferry.service
        view = first_look(service, out, ports=True)
        preview = service.preview(STEP, view)
        gates, said = preview.gates, preview.step.says(view)
        missing, severities = unreached(view), [severity(gate) for gate in gates]
        counts = {word: severities.count(word) for word in ("ok", "warn", "unknown", "block")}
        if out.as_json:
            findings = [
                {"check": gate.name.removeprefix(f"{STEP}."), "severity": word, "text": gate.text}
                for gate, word in zip(gates, severities, strict=True)
            ]
            out.record({"migration": service.settings.name, "counts": counts, "findings": findings,
                        "says": said, "unreached": missing})  # fmt: skip
        else:
            for gate, word in zip(gates, severities, strict=True):
                out.line(f"{word:<7}  {gate.name.removeprefix(f'{STEP}.'):<28}  {gate.text}")
            for text in said:
                out.line(text)
            out.line(f"{len(gates)} checks: " + ", ".join(f"{n} {word}" for word, n in counts.items()))
    for sentence in missing:
        out.talk(f"not reached: {sentence}")
    if missing:
        return ExitCode.UNREACHABLE
    return ExitCode.REFUSED if counts["block"] else ExitCode.DONE


def severity(gate: Gate) -> str:
    """ok | warn | unknown | block, as the preflight step's gates carry it."""
    if gate.open:
        return "ok"
    if not gate.warning:
        return "block"
    return "unknown" if gate.open is None else "warn"
