#!/usr/bin/env bash
# Puts a data set together from a TOML file and code, shows what the model will see of it, and trains a few steps.
# Arguments go to the sample: see samples/Datasets/Program.cs.
exec bash "$(dirname "$0")/run.sh" Datasets "$@"
