"""Detection: frame in, people with box and score out.

`choice` and `people` are pure and may be imported anywhere; every other module imports cv2 or numpy and belongs to the
detector and command-line processes only. That is why this file imports nothing.
"""
