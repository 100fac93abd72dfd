"""The live events of relays: received, verified by Sync 1.1, applied in order with their cursor. No orchestration.

`messages` are what events say, `verification` what they prove; `stream` receives them, `workers` verify them on all
processors, `batches` are what is applied at once; `cursors` and `gaps` say how far, and what was missed; `resync` makes
whole what a gap has left behind; `consumer` puts them together.
"""
