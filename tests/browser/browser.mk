# The review site in a real browser. Chromium and its driver come from Debian's packages; axe-core, which looks for what
# people with disabilities would stumble over, from the npm registry (MPL-2.0, used as it is, for tests only).

AXE_VERSION := 4.10.3
AXE_SHA512 := Xm7bpRXnDSX2YE2YFfBk2FnF0ep6tmG7xPh8iHee8MIcrgq762Nkce856dYtJYLkuIoYZvGfTs/PbZhideTcEg==
AXE := build/axe/$(AXE_VERSION)/axe.min.js

.PHONY: test-browser test-firefox axe-if-possible

# `make test` runs these tests too, where Chromium is there, and looks for barriers where npm is.
test: | axe-if-possible

axe-if-possible:
	@[ -e $(AXE) ] || ! command -v npm >/dev/null || ! command -v chromium >/dev/null || \
	    $(MAKE) --no-print-directory $(AXE) || echo "axe-core cannot be fetched: its tests are skipped"

test-browser: $(DEVELOPMENT) $(AXE) ## the review site in Chromium; screenshots end up in build/screenshots
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || \
	    { echo "this needs: sudo apt-get install chromium chromium-driver"; exit 1; }
	@$(VENV)/bin/python -m pytest tests/browser

test-firefox: $(DEVELOPMENT) ## the main flows of the review site in Firefox
	@command -v firefox-esr >/dev/null || command -v firefox >/dev/null || \
	    { echo "this needs: sudo apt-get install firefox-esr"; exit 1; }
	@$(VENV)/bin/python -m pytest tests/browser/test_firefox.py

$(AXE):
	@mkdir -p $(@D)
	@cd $(@D) && npm pack --silent axe-core@$(AXE_VERSION) >/dev/null
	@test "$$(openssl dgst -sha512 -binary $(@D)/axe-core-$(AXE_VERSION).tgz | openssl base64 -A)" = "$(AXE_SHA512)" || \
	    { echo "axe-core is not what it was"; exit 1; }
	@tar -xzf $(@D)/axe-core-$(AXE_VERSION).tgz -C $(@D) --strip-components=1 package/axe.min.js
