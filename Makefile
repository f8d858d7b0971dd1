# make demo   the main job from nothing: environment, wheel, a small test folder, submission.csv
# make test   the whole suite from nothing
# make check  lint and all tests that are not slow
# make lint   ruff and mypy, strict
# make matrix the installed wheel's tests and answers on the stacks of Kaggle's images
# make kaggle both kernels in every mount and form, and 2,640 records the way Kaggle would run them
# make fuzz   damaged inputs, hostile checkpoints, kills, pauses, broken packages, short budgets: hours, prints tables
# make bench  how fast, beside the notebook way, ONNX Runtime, OpenVINO and PyTorch (BENCH='--long' for all of it)
PYTHON ?= python3
BIN := .venv/bin
CONFIG := wheel_src/pyproject.toml
# A file's tests stay in one worker, and files are taken in the order of tests/conftest.py, not by their numbers of tests.
PYTEST = $(BIN)/python -m pytest -c $(CONFIG) --rootdir . -n 2 --dist loadfile --no-loadscope-reorder
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export TF_CPP_MIN_LOG_LEVEL := 2

.PHONY: help demo test check lint wheel matrix kaggle fuzz bench clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# //p' Makefile | head -8

.venv/ready: tests/requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile --requirement tests/requirements.txt
	touch $@

wheel: .venv/ready
	PYTHON=$(BIN)/python ./build_wheel.sh

demo: wheel
	$(BIN)/python -m pip install --quiet --no-index --no-deps --force-reinstall dist/hbac-*.whl
	rm -rf demo
	$(BIN)/hbac simulate demo/data --patients 0 --test-records 12 --seed 1
	$(BIN)/python kernel/infer.py --test-dir demo/data --output demo/submission.csv
	$(BIN)/hbac check demo/submission.csv --test-dir demo/data
	@echo; head -6 demo/submission.csv; echo "..."
	@echo "The submission: demo/submission.csv; what happened to each record: demo/submission_report.json"

test: .venv/ready
	$(PYTEST) tests

check: lint
	$(PYTEST) -m "not slow" tests

lint: .venv/ready
	$(BIN)/ruff check --config $(CONFIG) .
	$(BIN)/ruff format --check --config $(CONFIG) .
	$(BIN)/mypy --config-file $(CONFIG) wheel_src/hbac kernel

matrix: wheel
	$(BIN)/python tests/bench/matrix.py

kaggle: .venv/ready
	PYTHONPATH=wheel_src $(BIN)/python tests/bench/kaggle_forms.py

fuzz: .venv/ready
	PYTHONPATH=wheel_src $(BIN)/python tests/fuzz/archives.py
	PYTHONPATH=wheel_src $(BIN)/python tests/fuzz/inputs.py
	PYTHONPATH=wheel_src $(BIN)/python tests/fuzz/checkpoints.py
	PYTHONPATH=wheel_src $(BIN)/python tests/fuzz/kills.py
	PYTHONPATH=wheel_src $(BIN)/python tests/fuzz/disturbances.py
	PYTHONPATH=wheel_src $(BIN)/python tests/fuzz/keras_variants.py
	PYTHONPATH=wheel_src $(BIN)/python tests/fuzz/packages.py
	PYTHONPATH=wheel_src $(BIN)/python tests/fuzz/parquet_forms.py
	PYTHONPATH=wheel_src $(BIN)/python tests/fuzz/pauses.py
	PYTHONPATH=wheel_src $(BIN)/python tests/fuzz/recordings.py
	PYTHONPATH=wheel_src $(BIN)/python tests/fuzz/resumes.py

bench: .venv/ready
	PYTHONPATH=wheel_src $(BIN)/python tests/bench/speed.py $(BENCH)

clean:
	rm -rf .venv .matrix .bench dist demo
