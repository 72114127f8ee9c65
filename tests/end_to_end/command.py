"""`apisr-model` as a script, which is what launchers of several processes start."""

from apisr_model.cli import main

main()
