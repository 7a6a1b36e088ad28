#!/usr/bin/env bash
# Trains a LoRA on eight small pictures with an embedded tiny model, and shows where the results are.
# Arguments go to the sample: see samples/Quickstart/Program.cs.
exec bash "$(dirname "$0")/run.sh" Quickstart "$@"
