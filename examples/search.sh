#!/usr/bin/env bash
# Search by words with curl and print the answer, JSON: examples/search.sh "a red fox"
# The service is at SIGHTLINE_SERVICE_URL; its key, if it has one, is in SIGHTLINE_API_KEY.
set -euo pipefail
query=${1:?'usage: examples/search.sh "a red fox"'}
# What JSON wants escaped in a text of one line.
query=${query//\\/\\\\}
query=${query//\"/\\\"}
# --fail-with-body: an error ends it with exit status 22, and still says what is wrong.
curl --silent --show-error --fail-with-body --retry 3 \
  ${SIGHTLINE_API_KEY:+--header "Authorization: Bearer $SIGHTLINE_API_KEY"} \
  --header "Content-Type: application/json" \
  --data "{\"query\": \"$query\", \"k\": 3}" \
  "${SIGHTLINE_SERVICE_URL:-http://localhost:3000}/search"
