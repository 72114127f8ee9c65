"""`apisr-model doctor`."""

from typing import Annotated

import typer


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print JSON: a list with one object a check.")] = False,
) -> None:
    """What this machine has: devices, encoders, weights, extras; what is missing, and the command that helps."""
    from dataclasses import asdict
    from json import dumps

    from apisr_data.terminal import OUT
    from apisr_model.doctor import examine

    checks = []
    for check in examine():
        checks.append(asdict(check))
        if not json:
            OUT.print(f"{'+' if check.is_ok else '-'} {check.name:<20} {check.found}", markup=False)
            if check.remedy:
                OUT.print(f"{'':<22} to mend it: {check.remedy}", markup=False)
    if json:
        OUT.file.write(dumps(checks, indent=2, ensure_ascii=False) + "\n")
    else:
        OUT.print("next: apisr-model upscale PICTURE")
