"""The live events of relays: received, verified by Sync 1.1, applied in order with their cursor. No orchestration.

`messages` are what events say, `verification` what they prove; `stream` receives them, `verifiers` have them verified
by processes of their own; `batches` are what is applied at once, `application` applies it; `cursors` say how far,
`reconcile` and `resync` make whole what a gap has left behind; `consumer` and `service` put them together.
"""
