# Makes the folder $1 and says so. When standard input ends, because its only writer has died or has let go of it, this
# ends the PostgreSQL whose data is in $1/data and removes $1.
trap '' HUP INT QUIT TERM
mkdir -m 755 "$1" || exit 1
echo made
exec >/dev/null 2>&1
while read -r _; do :; done

pause() { sleep 0.02 || sleep 1; }

# Whether any process was started for the folder: initdb or PostgreSQL. The dead have no command line.
busy() {
    if [ -d /proc/self ]; then
        printf '%s/data' "$1" | grep -qsF -f - /proc/[0-9]*/cmdline
    else
        ps -axww -o command= | grep -v grep | grep -qF "$1/data"
    fi
}

# Whether process $2 was started for the folder.
belongs() {
    if [ -d /proc/self ]; then
        line=$(tr '\0' ' ' <"/proc/$2/cmdline")
    else
        line=$(ps -ww -o command= -p "$2")
    fi
    case $line in *"$1/data"*) return 0 ;; esac
    return 1
}

# At most some 30 s, half of them gentle. The number is looked up in every round, because a PostgreSQL that is just
# starting has not written it yet; an initdb cleans up behind itself if it is left to.
round=0
while [ $round -lt 1000 ] && busy "$1"; do
    signal=QUIT
    [ $round -lt 500 ] || signal=KILL
    pid=$(head -n 1 "$1/data/postmaster.pid")
    case $pid in
    '' | *[!0-9]*) ;;
    *) belongs "$1" "$pid" && kill -s $signal "$pid" ;;
    esac
    round=$((round + 1))
    pause
done

# What a killed PostgreSQL leaves in the system: line 7 of its file ends with the number of a piece of shared memory.
if [ -f "$1/data/postmaster.pid" ]; then
    id=$(sed -n '7s/.* //p' "$1/data/postmaster.pid")
    [ -n "$id" ] && ipcrm -m "$id"
fi

# Processes that are just ending may still write.
round=0
until rm -rf "$1" || [ $round -eq 500 ]; do
    round=$((round + 1))
    pause
done
