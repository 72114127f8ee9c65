# make demo    an environment; the sample clip curated, a network trained on it and measured, a scene upscaled
# make test    the fast tests       make test-slow   the slow ones       make check   format, lint, types, layers
# make notebooks    run them again, with their pictures kept

VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin

.PHONY: demo notebooks test test-slow check format clean

$(BIN)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "APISR needs Python 3.11 or newer; say: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@$(BIN)/python -c 'import cv2' 2>/dev/null || { \
	  echo "OpenCV cannot be loaded: it needs the system library libGL."; \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y -qq libgl1 libglib2.0-0; \
	  else echo "Install it (Debian, Ubuntu: sudo apt install libgl1; Fedora: sudo dnf install mesa-libGL) and say make again."; exit 1; fi; }
	@touch $@

# export.seed=6 holds out the park scene, whose drawings are in no training picture.
demo: $(BIN)/.installed
	$(BIN)/apisr-data run samples/the-question.mkv -d demo/dataset --recipe curate_quick --titles samples/titles.csv --export demo/training-set --set export.seed=6
	$(BIN)/apisr-data report demo/dataset -o demo/report.html
	$(BIN)/apisr-model train demo/training-set/manifest.parquet --recipe train_quick -o demo/train-quick --resume
	$(BIN)/apisr-model evaluate demo/training-set/manifest.parquet -w demo/train-quick/network.safetensors --recipe train_quick --metrics psnr,ssim -o demo/evaluation
	$(BIN)/apisr-model upscale demo/training-set/val -o demo/upscaled --weights demo/train-quick/network.safetensors --force --compare "train_quick, trained for about a minute on this clip; this scene was held out"
	$(BIN)/apisr-model upscale samples/the-question.mkv -o demo/upscaled/two-seconds.mkv --start 9.5 --duration 2 --weights demo/train-quick/network.safetensors --force
	$(BIN)/python docs/opening.py demo demo/opening.webp
	@echo "Look at demo/opening.webp, demo/report.html (what was curated, and why) and demo/evaluation/index.html (before and after)."
	@echo "Training told its gain on a crop, evaluate on the whole picture, each spoiled by a draw of its own: the figures differ."
	@echo "demo/upscaled/two-seconds.mkv plays; the training pictures are in demo/training-set/, the tables in demo/dataset/tables/."

# the notebooks run again, from top to bottom, with their pictures kept
notebooks: demo
	$(BIN)/python notebooks/run.py

test: $(BIN)/.installed
	$(BIN)/python -m pytest -n 2

test-slow: $(BIN)/.installed
	$(BIN)/python -m pytest -m slow

check: $(BIN)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(BIN)/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
