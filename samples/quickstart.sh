#!/usr/bin/env bash
# Teaches an embedded small model a shape that it has never seen, from eight pictures, and shows what it draws before and after.
# Arguments go to the sample: see samples/Quickstart/Program.cs.
exec bash "$(dirname "$0")/run.sh" Quickstart "$@"
