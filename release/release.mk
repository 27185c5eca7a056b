# Targets of a release, included by the Makefile: what is published, and what its dependencies are pinned to.

# The tools of a release, apart from the service's own packages.
RELEASE_VENV := .venv-release
RELEASE_TOOLS := $(RELEASE_VENV)/.installed

.PHONY: dist lock lock-renew audit image addon deb try-deb

dist: $(RELEASE_TOOLS) ## wheel and source archive, built twice and compared; SBOM and licences; into dist/
	@release/dist $(RELEASE_VENV)

lock: $(RELEASE_TOOLS) ## pin what camalert needs to the newest versions that fit: requirements.lock
	@release/lock $(RELEASE_VENV)

lock-renew: ## renew requirements.lock if anything newer fits, and run the quick checks with it: a job for every week
	@release/renew $(RELEASE_VENV)

audit: $(RELEASE_TOOLS) ## ask the database of known vulnerabilities about requirements.lock
	@release/audit $(RELEASE_VENV)

image: ## as root: build the container image with buildah, and try it (docs/container.md)
	@release/image

addon: ## put the add-on for Home Assistant together (homeassistant/DOCS.md); into dist/
	@release/addon

deb: ## build a Debian package for this Debian release, which installs without network; into dist/
	@release/deb/build

try-deb: $(DEVELOPMENT) ## as root: install, upgrade, remove and purge that package on a throw-away machine with systemd
	@mkdir -p build
	@$(VENV)/bin/python release/deb/try.py "$$(ls -t dist/camalert_*.deb | head -n1)"

$(RELEASE_TOOLS): pyproject.toml .ci/venv
	@.ci/venv $(RELEASE_VENV) "release,openvino,fast,metrics,review,notify,push"
	@touch $@
