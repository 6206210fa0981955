#!/bin/sh
# Detached jobs on an edge node: started at most once per folder, found again after anything, never guessed about.
#
#   job.sh start DIR CMD...   claim DIR (mkdir), start CMD detached; prints the state line
#   job.sh state DIR...       one state line per DIR, in order; never blocks
#   job.sh stop  DIR          TERM, after 5 s KILL, to what belongs to the job; prints the state line
#
# State line: PHASE EXIT STARTED ENDED LEFT, '-' where there is none. PHASE is none | new | running | done | lost;
# STARTED and ENDED are epoch seconds; LEFT counts processes that outlived their wrapper.
# Files in DIR: out (stdout and stderr), id (pid, kernel start time, boot id, epoch), rc (exit code, epoch).
# Needs POSIX sh (dash, bash), setsid and Linux /proc. Keeps: a second start of a DIR only reports; a job is `done`
# only with an exit code on disk; pid, start time and boot id must all match before a job counts as running or is
# signalled; a zombie counts as gone, because where PID 1 does not reap it would look alive for ever.
set -u
umask 077
BOOT=$(cat /proc/sys/kernel/random/boot_id)

# Kernel start time of pid $1 (field 22 of stat); fails for a process that is gone or a zombie.
birth() {
  s=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  s=${s##*) }
  # shellcheck disable=SC2086
  set -- $s
  case $1 in Z|X) return 1 ;; esac
  shift 19
  echo "$1"
}

# Living processes of session or group $1, except $1 itself.
members() {
  for f in /proc/[0-9]*/stat; do
    s=$(cat "$f" 2>/dev/null) || continue
    p=${s%% *}
    s=${s##*) }
    # shellcheck disable=SC2086
    set -- "$1" $s
    case $2 in Z|X) continue ;; esac
    if [ "$p" != "$1" ] && { [ "$4" = "$1" ] || [ "$5" = "$1" ]; }; then echo "$p"; fi
  done
}

# Prints the state line when DIR has its exit code.
ended() {
  [ -f "$1/rc" ] || return 1
  read -r rc end < "$1/rc"
  echo "done $rc ${2:--} $end 0"
}

state() {
  [ -d "$1" ] || { echo "none - - - 0"; return; }
  if [ ! -f "$1/id" ]; then
    ended "$1" && return
    now=$(date +%s)
    claimed=$(stat -c %Y "$1" 2>/dev/null || echo "$now")
    if [ $((now - claimed)) -gt 30 ]; then echo "lost - - - 0"; else echo "new - - - 0"; fi
    return
  fi
  read -r pid born boot began < "$1/id"
  ended "$1" "$began" && return
  now_born=$(birth "$pid") || now_born=
  if [ "$boot" = "$BOOT" ] && [ "$now_born" = "$born" ]; then echo "running - $began - 0"; return; fi
  ended "$1" "$began" && return   # it may have ended between the two looks
  left=0
  # With the pid in other hands its group says nothing about this job.
  if [ "$boot" = "$BOOT" ] && [ -z "$now_born" ]; then left=$(members "$pid" | wc -l); fi
  echo "lost - $began - $((left))"
}

# Returns 0 once DIR is no longer running; waits at most $2 tenths of a second.
settled() {
  i=0
  while [ "$i" -lt "$2" ]; do
    case $(state "$1") in running*) ;; *) return 0 ;; esac
    sleep 0.1
    i=$((i + 1))
  done
  return 1
}

case ${1-} in
start)
  d=$2
  shift 2
  mkdir -p "${d%/*}"
  if mkdir "$d" 2>/dev/null; then
    : > "$d/out"
    setsid sh "$0" run "$d" "$(date +%s)" "$@" < /dev/null > "$d/out" 2>&1 &
    i=0
    while [ ! -f "$d/id" ] && [ "$i" -lt 50 ]; do sleep 0.1; i=$((i + 1)); done
  fi
  state "$d"
  ;;
run)
  # The wrapper: its own session, deaf to HUP; TERM is for the command, the wrapper stays to write down how it ended.
  # One that comes to life after its claim was reported lost stays dead: another may run in its place.
  d=$2
  [ $(($(date +%s) - $3)) -le 20 ] || exit 75
  shift 3
  trap '' HUP
  trap : TERM
  printf '%s %s %s %s\n' "$$" "$(birth $$)" "$BOOT" "$(date +%s)" > "$d/id.new" && mv "$d/id.new" "$d/id" || exit 75
  "$@"
  rc=$?
  printf '%s %s\n' "$rc" "$(date +%s)" > "$d/rc.new" && { sync "$d/rc.new" 2>/dev/null; mv "$d/rc.new" "$d/rc"; }
  ;;
state)
  shift
  for d in "$@"; do state "$d"; done
  ;;
stop)
  d=$2
  case $(state "$d") in
  running*)
    read -r pid born boot began < "$d/id"
    kill -TERM "-$pid" 2>/dev/null   # dash knows no `--` here
    if ! settled "$d" 50; then
      for p in $(members "$pid"); do kill -KILL "$p" 2>/dev/null; done
      settled "$d" 20
    fi
    ;;
  esac
  state "$d"
  ;;
*)
  echo "usage: job.sh start|state|stop DIR..." >&2
  exit 64
  ;;
esac
