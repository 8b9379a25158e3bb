# Makes the folder $1 and says so. When standard input ends, because its only writer has died or has let go of it, this
# ends the PostgreSQL whose data is in $1/data and removes $1.
trap '' HUP INT QUIT TERM
mkdir -m 755 "$1" || exit 1
echo made
exec >/dev/null 2>&1
while read -r _; do :; done

pause() { sleep 0.02 || sleep 1; }

# Whether process $2 was started for the folder $1. A dead process that nobody has collected has no command line.
belongs() {
    if [ -d /proc/self ]; then
        line=$(tr '\0' ' ' <"/proc/$2/cmdline")
    else
        line=$(ps -ww -o command= -p "$2")
    fi
    case $line in *"$1/data"*) return 0 ;; esac
    return 1
}

# Sends signal $3 to process $2 and waits for its end: 10 s, or longer where sleep knows only whole seconds.
end() {
    left=500
    belongs "$1" "$2" && kill -s "$3" "$2"
    while [ $left -gt 0 ] && belongs "$1" "$2"; do
        left=$((left - 1))
        pause
    done
}

# What a killed PostgreSQL leaves in the system: line 7 of its file ends with the number of a piece of shared memory.
release() {
    if [ -f "$1/data/postmaster.pid" ]; then
        id=$(sed -n '7s/.* //p' "$1/data/postmaster.pid")
        [ -n "$id" ] && ipcrm -m "$id"
    fi
}

pid=$(head -n 1 "$1/data/postmaster.pid")
case $pid in
'' | *[!0-9]*) ;;
*)
    end "$1" "$pid" QUIT
    end "$1" "$pid" KILL
    release "$1"
    ;;
esac

# Processes that are just ending may still write.
left=500
until rm -rf "$1" || [ $left -eq 0 ]; do
    left=$((left - 1))
    pause
done
