# make demo and make test are all that is needed; both set the environment up first.
#
#   make setup [PYTHON=python3.12] [EXTRAS=train] [TORCH=any] [COMPILER=zig]
#   make demo  [DATA=folder of image pairs | BAG=rosbag2] [OUT=demo_output]
#   make test  [ARGS="test/pipeline -x"]

VENV := .venv

# A finished environment is checked with its own Python, whatever python3 is today.
ifdef PYTHON
  SETUP_PYTHON := $(PYTHON)
else
  SETUP_PYTHON := $(if $(wildcard $(VENV)/egmt_setup.json),$(wildcard $(VENV)/bin/python))
  SETUP_PYTHON := $(or $(SETUP_PYTHON),python3)
endif

# The Python of another environment with the ROS wheels leaves its library path to its children.
ifdef _ROS_WHEELS_BOOTSTRAP_COMPLETE
  unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE
  ifndef AMENT_PREFIX_PATH
    unexport LD_LIBRARY_PATH
  endif
endif

OUT ?= demo_output
COMMA := ,

.PHONY: help setup demo test lint clean distclean
.DEFAULT_GOAL := help

help: ## show the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18
	@sed -n '3,5s/^# *//p' Makefile | sed 's/^/  /'

setup: ## make .venv with everything (a second run only checks)
	@"$(SETUP_PYTHON)" egmt_ros/bootstrap/setup_environment.py \
	  --extras "$(EXTRAS)" --torch "$(TORCH)" --compiler "$(or $(COMPILER),system)"

demo: setup ## play a bag through the node and write demo_output/
	$(VENV)/bin/egmt demo --out "$(OUT)" $(if $(DATA),--data "$(DATA)") $(if $(BAG),--bag "$(BAG)")

test: override EXTRAS := annotate$(if $(EXTRAS),$(COMMA)$(EXTRAS))
test: setup ## run the tests (installs what annotating needs as well)
	$(VENV)/bin/python -m pytest $(ARGS)

lint: setup ## check the style
	$(VENV)/bin/ruff check .

clean: ## remove builds, caches and the demo's output
	rm -rf build install log dist *.egg-info demo_output .pytest_cache .ruff_cache .hypothesis
	find egmt_ros test launch -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv as well
	rm -rf $(VENV) .venv.discarded
