"""The settings of a deployment as the rooms' own objects, whoever starts the work: a command or an orchestrator."""
