# Targets for the systemd service, included by the Makefile.

PREFIX ?= /usr/local
EXTRAS ?= openvino,fast,metrics,review,notify,push
PURGE ?=
export PREFIX EXTRAS

.PHONY: install uninstall

install: ## as root: install or upgrade the systemd service (PREFIX=/usr/local)
	@systemd/install

uninstall: ## as root: remove the service; PURGE=yes removes configuration and pictures too
	@systemd/install $(if $(filter yes,$(PURGE)),--purge,--remove)
