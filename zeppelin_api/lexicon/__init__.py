"""The shapes of answers by the published lexicons, for documentation and contract tests; answers are not validated."""
