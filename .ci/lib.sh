# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # quoted programs, shared variables
# Shared by the scripts beside this one: counted checks, processes, and an app and a destination to
# try the service with. Needs only bash, Node with npm, and apt if something is missing.

export NO_COLOR=1
# Deno trusts what the machine trusts, as npm and apt do.
export DENO_TLS_CA_STORE=${DENO_TLS_CA_STORE:-mozilla,system}

deno_version=$(sed -n 's/^FROM denoland\/deno://p' Dockerfile)
passed=0 failed=0

step() { printf '\n--- %s\n' "$*"; }

# check NAME COMMAND...: counts one check; shows the command's output if it failed. The command runs
# in this shell, so that it may wait for this shell's children.
check() {
  local name=$1
  shift
  if "$@" >"$work/said" 2>&1; then
    passed=$((passed + 1)) && printf 'ok      %s\n' "$name"
  else
    failed=$((failed + 1)) && printf 'FAILED  %s\n' "$name" && sed 's/^/        /' "$work/said"
  fi
}

# matches PATTERN COMMAND...: the command's whole output must match the glob pattern.
matches() {
  local pattern=$1 said
  shift
  said=$("$@") || true
  # shellcheck disable=SC2053 # a pattern on purpose
  [[ $said == $pattern ]] || { printf 'expected: %s\nfound:    %s\n' "$pattern" "$said" && return 1; }
}

# fails COMMAND...: the command must fail.
fails() { ! "$@"; }

# needs COMMAND:PACKAGE...: installs the packages of missing commands.
needs() {
  local pair missing=()
  for pair; do type "${pair%:*}" >/dev/null 2>&1 || missing+=("${pair#*:}"); done
  ((${#missing[@]})) || return 0
  install_packages "${missing[@]}"
}

install_packages() {
  step "apt-get install $*"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# descendants PID: the processes below it, parents before children.
descendants() {
  local child
  grep -ls "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status | cut -d/ -f3 | while read -r child; do
    echo "$child"
    descendants "$child"
  done
}

# named NAME PID: the lowest descendant of that name.
named() {
  local pid lowest=
  for pid in $(descendants "$2"); do
    [[ $(cat "/proc/$pid/comm" 2>/dev/null) != "$1" ]] || lowest=$pid
  done
  [[ -n $lowest ]] && echo "$lowest"
}

# kill_below PID: ends everything that a script started, whatever state it is in.
kill_below() {
  local pids
  mapfile -t pids < <(descendants "$1")
  kill -KILL "${pids[@]}" 2>/dev/null || true
}

# ends_well PID SECONDS: the child exits 0 within that time.
ends_well() {
  local pid=$1 ticks=$(($2 * 10))
  while kill -0 "$pid" 2>/dev/null && ((ticks-- > 0)); do sleep 0.1; done
  ((ticks >= 0)) || { echo "still there after $2 s" && return 1; }
  wait "$pid" || { echo "exit code $?" && return 1; }
}

# finish CODE WHAT: prints a script's last line and exits; breaking off counts as a failure.
finish() {
  kill_below $$
  (($1 == 0)) || failed=$((failed + 1))
  printf '\n%s%d passed, %d failed\n' "$2" "$passed" "$failed"
  exit $((failed > 0))
}

free_port() {
  node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => {
    console.log(s.address().port); s.close(); })'
}

# start_destination FILE: starts one in the background; FILE has its address once it listens.
start_destination() {
  node -e 'const s = require("http").createServer((request, response) => {
    let size = 0;
    request.on("data", (bytes) => size += bytes.length);
    request.on("end", () => response.end(`received ${size} bytes`));
  }).listen(0, "127.0.0.1", () =>
    require("fs").writeFileSync(process.argv[1], `http://127.0.0.1:${s.address().port}/in`))' "$1" &
  disown
  local ticks=100
  until [[ -s $1 ]]; do ((ticks-- > 0)) || return 1; sleep 0.1; done
}

# ready PORT: the service is ready within three minutes; it may have to be downloaded first.
ready() {
  node --input-type=module -e 'const [, url] = process.argv, over = Date.now() + 180_000;
    const ask = () => fetch(url).then((response) => response.status, (error) => error.message);
    let said;
    while ((said = await ask()) !== 200 && Date.now() < over) await new Promise((r) => setTimeout(r, 100));
    console.log(said);
    process.exit(said === 200 ? 0 : 1);' "http://127.0.0.1:$1/health/ready"
}

# export_once PORT TOKEN URI: submits 14 bytes, polls to the end, prints status and last answer.
export_once() {
  node --input-type=module -e 'const [, api, token, uri] = process.argv;
    const signal = AbortSignal.timeout(30_000), headers = { "x-api-key": token };
    const ask = async (id) => {
      const body = JSON.stringify({ id, uri, data: JSON.stringify({ steps: 8211 }) });
      const response = await fetch(api, { method: "POST", headers, body, signal });
      return [response.status, await response.json()];
    };
    let [status, answer] = await ask("");
    while (status === 200 && answer.state !== "Finished") [status, answer] = await ask(answer.id);
    console.log(status, JSON.stringify(answer));' "http://127.0.0.1:$1/lp/export" "$2" "$3"
}
exported='200 *"Finished"*"200 OK"*"received 14 bytes"*'
