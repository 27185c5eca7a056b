"""camalert's way in: the supervisor of the processes that receive alarm mails and find the people in their pictures.

    camera --SMTP--> smtp --> writer --> alerts_alert          the 250 follows the commit
                               |
                               +--> decoder --> detector --> writer --> alerts_detect

In `camalert.supervisor`, `start` reads the configuration, allocates the pool and binds the ports; `loop` is the loop;
`plan` says which children run. `camalert run` does the same as this file.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":  # children import this file again: nothing may happen then
    from camalert.__main__ import main

    sys.exit(main(["run", *sys.argv[1:]]))
