"""From a frame to the people in it: boxes with scores, and whether they count.

`process` is the detector; `camalert detect` and `check` use the same engines. `rules` and `people` decide what counts,
and can be asked again about stored boxes; everything else imports cv2 or numpy and belongs to those processes alone,
which is why this file imports nothing. Nothing here knows the network or the database.
"""
