#!/bin/sh
# Makes deploy/.env out of deploy/.env.example, with random passwords. It never touches one that is there.
set -eu
umask 077
cd "$(dirname "$0")"

if [ -e .env ]; then
  echo "deploy/.env is there already, and the volumes know its passwords; to begin anew:" >&2
  echo "  docker compose -f deploy/compose.yaml down --volumes && rm deploy/.env" >&2
  exit 1
fi

random() {
  od -An -v -N24 -tx1 /dev/urandom | tr -d ' \n'
}

while IFS= read -r line; do
  case $line in
    *=generate) printf '%s=%s\n' "${line%%=*}" "$(random)" ;;
    *) printf '%s\n' "$line" ;;
  esac
done <.env.example >.env.new
mv .env.new .env
echo "deploy/.env is made: its passwords are random, and yours alone to read."
